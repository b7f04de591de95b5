"""Arguments that several commands of ``mailer campaigns`` take."""

from __future__ import annotations

from typing import Annotated

import typer

Id = Annotated[str, typer.Argument(metavar="ID", help="The campaign's number or its slug.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
