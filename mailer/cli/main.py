"""The command line: where errors become words for people, and words become exit statuses.

Statuses: 0 done · 1 done, and there is something to look at · 2 wrong usage · 3 bad input or
settings · 4 no such thing · 75 stopped, safe to run again · 130 interrupted from the keyboard.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mailer import __version__
from mailer.cli import (
    campaigns,
    database,
    fields,
    imports,
    issues,
    keys,
    layouts,
    people,
    screen,
    segments,
    site,
    worker,
    workspace,
)
from mailer.errors import InputError, MailerError, StoppedError

app = typer.Typer(
    name="mailer",
    help="Compose issues, keep subscriber lists, send campaigns: everybody is accounted for.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        screen.say(f"mailer {__version__}")
        raise typer.Exit


@app.callback()
def common(
    workspace_dir: Annotated[
        Path, typer.Option("--workspace", "-C", metavar="DIR", help="The workspace's folder.")
    ] = Path(),
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON document on standard output, nothing else.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Only results and errors.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Also where things lie, and causes of errors.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """These options may stand before or after the command's name."""
    screen.configure(as_json=as_json, quiet=quiet, verbose=verbose, workspace=workspace_dir)


workspace.register(app)
imports.register(app)
fields.register(app)
people.register(app)
segments.register(app)
issues.register(app)
layouts.register(app)
campaigns.register(app)
keys.register(app)
site.register(app)
worker.register(app)
database.register(app)


def run(arguments: Sequence[str]) -> int:
    """Runs one command line; returns the exit status."""
    if sys.platform == "win32":
        screen.complain("mailer does not run on native Windows. Use it inside WSL2.")
        return 3
    try:
        result = app(args=in_front(arguments), prog_name="mailer", standalone_mode=False)
    except typer.TyperException as error:  # wrong usage; or no command at all: its help
        context = getattr(error, "ctx", None)
        screen.complain(error.format_message())
        if context is not None and not str(error).startswith("Usage"):
            screen.complain(f"`{context.command_path} --help` shows what it takes.")
        return error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        screen.complain("Interrupted.")
        return 130
    except MailerError as error:
        tell(error)
        return error.exit_status
    except BrokenPipeError:  # the reader of a stream has seen enough
        sys.stderr.close()
        return 0
    except OSError as error:  # no room knew it: a disk, a right, a folder that is none
        where = f"{error.filename}: " if error.filename else ""
        screen.complain(f"{where}{error.strerror or error}. Mend that, and run this again.")
        return StoppedError.exit_status
    return result if isinstance(result, int) else 0


def tell(error: MailerError) -> None:
    """Prints an error as one readable paragraph, or one line a fault."""
    if isinstance(error, InputError):
        for fault in error.faults:
            screen.complain(str(fault))
    else:
        screen.complain(str(error))
    cause = error.__cause__
    if cause is not None:
        screen.detail(f"because of {type(cause).__name__}: {cause}".splitlines()[0])


_FLAGS = ("--json", "--quiet", "--verbose")
_WITH_VALUE = ("--workspace", "-C")


def in_front(arguments: Sequence[str]) -> list[str]:
    """Moves the common options to the front, so that they may stand behind the command too."""
    front: list[str] = []
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "--":
            rest += [word, *words]
        elif word in _FLAGS or word.startswith("--workspace="):
            front.append(word)
        elif word in _WITH_VALUE:
            front.append(word)
            front += [value for value in [next(words, None)] if value is not None]
        else:
            rest.append(word)
    return front + rest
