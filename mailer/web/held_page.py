"""The readable page of what is held about one person: one file, nothing from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mailer.model.shown import shown_value
from mailer.web.pages import TEMPLATES

if TYPE_CHECKING:
    from mailer.usecases.export_person import HeldData


def held_page(held: HeldData, *, organisation: str) -> str:
    """Renders the page as HTML that opens from a file, prints well, and loads nothing."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["shown"] = shown_value
    return environment.get_template("held.html").render(held=held, organisation=organisation)
