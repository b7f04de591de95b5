"""``mailer site``: the public pages, for readers."""

from __future__ import annotations

from typing import Annotated

import typer

from mailer.cli import screen

commands = typer.Typer(no_args_is_help=True, help="The public site: web versions, unsubscribe.")


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="site")


@commands.command()
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.", min=0, max=65535)] = 8025,
) -> None:
    """Serve web versions, pictures and unsubscribe pages until stopped."""
    from mailer.web.server import serve as serve_site

    with screen.opened() as mailer:
        serve_site(
            mailer,
            host,
            port,
            ready=lambda address: screen.note(f"Serving {address}  (Ctrl-C stops it)"),
        )
