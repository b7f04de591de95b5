"""``mailer site``: the public pages, for readers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mailer.cli import screen
from mailer.errors import StoppedError
from mailer.model.shown import counted

commands = typer.Typer(no_args_is_help=True, help="The public site: web versions, unsubscribe.")


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="site")


@commands.command()
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.", min=0, max=65535)] = 8025,
    processes: Annotated[
        int, typer.Option(metavar="N", min=1, max=64, help="So many processes share the work.")
    ] = 1,
    unix: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Listen on a socket in the file system instead."),
    ] = None,
    tls_cert: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Speak TLS: the certificate with its chain, PEM."),
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The certificate's key, PEM.")
    ] = None,
) -> None:
    """Serve web versions, pictures and unsubscribe pages until stopped.

    SIGHUP starts new processes and then ends the old ones: after a renewal of the certificate,
    a change of the settings or an upgrade. SIGTERM and Ctrl-C let what is being answered finish.
    """
    from mailer.web.server import Place
    from mailer.web.server import serve as serve_site

    with screen.opened(check_schema=False) as mailer:
        mailer.keys  # noqa: B018  whatever is wrong is said here, before anything starts
        try:
            mailer.require_schema()
        except StoppedError as away:
            screen.note(f"{away.message} The site starts all the same: it shows the pages that it")
            screen.note("has kept, and writes down who unsubscribes, until the database is back.")
    serve_site(
        screen.workspace(),
        Place(host, port, unix, tls_cert, tls_key),
        processes,
        ready=lambda address: screen.note(f"Serving {address}  (Ctrl-C stops it)"),
    )


@commands.command()
def build(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the files go.")],
    base_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Where it will be found. Default: MAILER_SITE_URL."),
    ] = None,
    lang: Annotated[
        str | None, typer.Option(metavar="TAG", help="Of its pages. Default: each list's own.")
    ] = None,
    unlisted: Annotated[
        bool,
        typer.Option("--unlisted", help="Also the web versions that no page leads to."),
    ] = False,
) -> None:
    """Write archive, web versions, feeds and pictures as files that any host can serve.

    The folder is replaced as a whole. What this command did not write stays there.
    """
    from mailer.settings import parse_site
    from mailer.web.written_site import written_site
    from mailer.wiring.files import site_before, write_site

    base = parse_site(base_url) if base_url is not None else None
    with screen.opened() as mailer:
        files = written_site(
            mailer,
            base_url=base or mailer.settings.site_url,
            language=lang or "",
            unlisted=unlisted,
            before=site_before(folder),
        )
        done = write_site(folder, files, workspace=mailer.workspace)
    document = {
        "folder": done.folder,
        "files": done.files,
        "new": done.new,
        "changed": done.changed,
        "unchanged": done.unchanged,
        "removed": done.removed,
        "kept": done.kept,
    }
    if screen.result(document):
        return
    for what in ("new", "changed", "removed"):
        for name in getattr(done, what):
            screen.detail(f"{what} {name}")
    for name in done.kept:
        screen.note(f"{name} is not the site's any more, but somebody has changed it: it stays.")
    counts = (len(done.new), len(done.changed), len(done.removed), done.unchanged)
    told = "{:,} new, {:,} changed, {:,} removed, {:,} as they were".format(*counts)
    screen.say(f"{counted(done.files, 'file')} in {done.folder}: {told}.")
    screen.say("Next: copy the folder to your host, such as with rsync -a --delete")
