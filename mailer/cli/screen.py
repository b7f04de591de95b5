"""What the terminal shows: results on standard output, everything else on standard error.

With ``--json`` standard output holds one JSON document and nothing else.
"""

from __future__ import annotations

import dataclasses
import json
import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mailer.errors import Fault, InputError

if TYPE_CHECKING:
    from mailer.wiring import Mailer


@dataclasses.dataclass(slots=True)
class _Mode:
    as_json: bool = False
    quiet: bool = False
    verbose: bool = False
    workspace: Path = Path()


_mode = _Mode()


def configure(*, as_json: bool, quiet: bool, verbose: bool, workspace: Path) -> None:
    _mode.as_json, _mode.quiet, _mode.verbose = as_json, quiet, verbose
    _mode.workspace = workspace.resolve()


def mode() -> tuple[bool, bool, bool, Path]:
    """What ``configure`` was told, for another process."""
    return _mode.as_json, _mode.quiet, _mode.verbose, _mode.workspace


def workspace() -> Path:
    return _mode.workspace


@contextmanager
def opened(*, check_schema: bool = True) -> Iterator[Mailer]:
    """The open workspace of this command."""
    from mailer.wiring import open_mailer

    with open_mailer(_mode.workspace, check_schema=check_schema) as mailer:
        detail(f"workspace {mailer.workspace}, database {mailer.db.shown}")
        yield mailer


# A terminal obeys control characters, and readers type some of what is shown: their fields and
# reasons. So they, and what turns a line's direction round, are shown as one sign each.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_C1 = re.compile("[\x7f-\x9f]")  # which JSON may hold as they are


def _seen(text: str) -> str:
    return _OBEYED.sub("\N{REPLACEMENT CHARACTER}", text)


def _json(value: Any, indent: int | None = None) -> str:
    text = json.dumps(plain(value), ensure_ascii=False, indent=indent)
    return _C1.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def say(text: str = "") -> None:
    """A line of the result, for people; on standard error when the result is JSON."""
    if not (_mode.quiet and _mode.as_json):
        typer.echo(_seen(text), err=_mode.as_json)


def note(text: str) -> None:
    """A remark beside the result: never on standard output."""
    if not _mode.quiet:
        typer.echo(_seen(text), err=True)


def detail(text: str) -> None:
    """More than most want to know: only with --verbose, on standard error."""
    if _mode.verbose:
        typer.echo(_seen(text), err=True)


def complain(text: str) -> None:
    """An error. Always shown, on standard error."""
    typer.echo(_seen(text), err=True)


def as_json() -> bool:
    """Whether the result is to be one JSON document."""
    return _mode.as_json


def result(document: Any) -> bool:
    """Prints the JSON document when it is wanted; returns whether it was."""
    if _mode.as_json:
        typer.echo(_json(document, indent=2))
    return _mode.as_json


def stream_text(text: str) -> None:
    """A document that is JSON with or without ``--json``."""
    typer.echo(text)


def stream(rows: Iterable[Any]) -> None:
    """JSON lines, one a row."""
    for row in rows:
        typer.echo(_json(row))


def plain(value: Any) -> Any:
    """Dataclasses, enums and instants as JSON has them."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds")
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, Iterator)):
        return [plain(item) for item in value]
    return value


def fault_document(fault: Fault) -> dict[str, Any]:
    """A fault as ``issues check`` prints it in JSON."""
    message = f"{fault.message} {fault.hint}" if fault.hint else fault.message
    return {"rule": fault.rule, "message": message, "file": fault.file, "line": fault.line}


def table(rows: Sequence[Sequence[object]], *, indent: str = "  ") -> None:
    """Columns lined up: numbers to the right, words to the left."""
    if not rows:
        return
    cells = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    numeric = [all(isinstance(row[i], int) for row in rows) for i in range(len(rows[0]))]
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    for row in cells:
        shown = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        )
        say(f"{indent}{'  '.join(shown).rstrip()}")


_BECAUSE = {
    "pending": "has not confirmed yet",
    "unsubscribed": "has left the list",
    "bounced": "the address does not exist any more",
    "complained": "reported a mail as spam",
    "suppressed": "is never to be mailed, on this list or on any",
    "segment": "is not in the segment",
    "excluded_list": "is on a list that was left out",
    "excluded_segment": "is in a segment that was left out",
    "excluded_campaign": "got a campaign that was named with --not-in",
    "already_sent": "got this issue already",
    "frequency_cap": "had enough campaigns lately",
    "paused": "takes a break from the list",
    "fewer_mails": "wants fewer mails, and had one lately",
    "not_on_list": "is not on the list",
}


def left_out_because(reason: str) -> str:
    """A plan's reason for leaving somebody out, in words."""
    return _BECAUSE.get(reason, reason)


def confirm(question: str, *, answer: str, yes: bool) -> None:
    """Asks, unless ``--yes``. Without a terminal it refuses rather than waits.

    Raises InputError when nobody can answer, typer.Abort when the answer is another one.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise InputError("Nobody is here to confirm this.", hint="Add --yes to do it unasked.")
    given = typer.prompt(question, default="", show_default=False, err=True)
    if given.strip().lower() != answer.lower():
        complain("Nothing was done.")
        raise typer.Exit(3)


def clock_time(ms: int) -> str:
    """An instant of the ledger as local time, for people; with its day when that is not today."""
    moment = datetime.fromtimestamp(ms / 1000).astimezone()
    today = moment.date() == datetime.now().astimezone().date()
    return moment.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S")


def instant(moment: datetime | None) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M") if moment else "–"


EVERY = 10.0  # seconds between two plain lines


class ProgressLine:
    """How far a send is: a moving line on a terminal, a plain one every ten seconds elsewhere."""

    def __init__(self) -> None:
        self._moving = sys.stderr.isatty() and not _mode.quiet
        self._begun = time.monotonic()
        self._shown = self._begun if not self._moving else 0.0
        self._first: int | None = None

    def show(self, done: int, total: int, *, waiting_until: int | None = None) -> None:
        now = time.monotonic()
        if _mode.quiet or now - self._shown < (0.1 if self._moving else EVERY):
            return
        self._shown = now
        if self._first is None:
            self._first, self._begun = done, now
        rate = (done - self._first) / max(now - self._begun, 0.001)
        text = f"{done:,} of {total:,}"
        if waiting_until is not None:
            text += f" · waiting for deferred people until {clock_time(waiting_until)}"
        elif rate >= 1 and now - self._begun > 1:
            left = int((total - done) / rate)
            text += f" · {rate:,.0f} a second · {left // 60}:{left % 60:02d} left"
        self._write(text)

    @property
    def moving(self) -> bool:
        """Whether it is one line that changes."""
        return self._moving

    @property
    def due(self) -> bool:
        """Whether it is time for another look."""
        pause = 0.1 if self._moving else EVERY
        return not _mode.quiet and time.monotonic() - self._shown >= pause

    def say(self, text: str) -> None:
        """Another line in the same place, as often as ``show``."""
        if self.due:
            self._shown = time.monotonic()
            self._write(text)

    def _write(self, text: str) -> None:
        if self._moving:
            typer.echo(f"\r\033[K{text}", err=True, nl=False)
        else:
            typer.echo(text, err=True)

    def clear(self) -> None:
        if self._moving:
            typer.echo("\r\033[K", err=True, nl=False)
