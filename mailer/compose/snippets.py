"""Puts reusable snippets where an issue includes them, and remembers where each line came from.

``::: include press-contacts`` and a line of ``:::`` are replaced by the snippet's own lines before
anything else is read, so a snippet may hold whatever an issue's body may. From then on the issue is
one text; ``Origins`` leads from its lines back to the author's files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from mailer.compose.source import LONGEST_ISSUE, clean
from mailer.errors import Fault, InputError

DEEPEST = 8  # snippets that include one another
MOST = 200  # includes of one issue, those inside of snippets counted
_OPEN = re.compile(r" {0,3}(:{3,})[ \t]*include(?:[ \t]+(.*?))?[ \t]*\Z")
_CLOSE = re.compile(r" {0,3}(:{3,})[ \t]*\Z")
_FILE_LINE = re.compile(r"file:[ \t]+(.+?)[ \t]*\Z")
_CODE = re.compile(r" {0,3}(`{3,}|~{3,})")
_NAME = re.compile(r"""(?:file=)?(?:"([^"]+)"|'([^']+)'|([^\s"']+))\Z""")

# Gives the text of a snippet and its path for people; raises InputError when there is none.
ReadSnippet = Callable[[str], tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one line was written; ``via`` are the lines that include it, the issue's own first."""

    file: str
    line: int
    via: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Origins:
    """The origin of each line of an issue in which every include has been replaced."""

    where: str
    lines: tuple[Origin, ...] = ()

    def of(self, line: int | None) -> Origin | None:
        """Returns where a line of the whole text was written; None when it was not moved."""
        if line is None or not 0 < line <= len(self.lines):
            return None
        return self.lines[line - 1]

    def placed(self, fault: Fault) -> Fault:
        """Returns a fault of the whole text with the author's file and line, and what led there."""
        origin = self.of(fault.line) if fault.file == self.where else None
        if origin is None:
            return fault
        return replace(
            fault,
            message=_with_chain(fault.message, origin.via),
            file=origin.file,
            line=origin.line,
        )


@dataclass(slots=True)
class _Expander:
    read: ReadSnippet
    faults: list[Fault]
    where: str
    before: int  # lines of the whole text that come before the body
    out: list[str] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)
    size: int = 0
    count: int = 0

    def lines(self, lines: Iterable[str], first: int, file: str, chain: tuple[str, ...]) -> None:
        """Takes the lines of one file; ``chain`` are the files that are open, and how they led."""
        rows = list(lines)
        code = ""
        at = 0
        while at < len(rows):
            row, number = rows[at], first + at
            if code:
                if (found := _CODE.match(row)) and _ends(found[1], row, code):
                    code = ""
            elif found := _CODE.match(row):
                code = found[1]
            elif found := _OPEN.match(row):
                at = self._include(rows, at, found, Origin(file, number, chain))
                continue
            self._keep(row, Origin(file, number, chain))
            at += 1

    def _keep(self, row: str, origin: Origin) -> None:
        self.out.append(row)
        self.origins.append(origin)

    def _include(self, rows: list[str], at: int, found: re.Match[str], origin: Origin) -> int:
        """Replaces one include; returns where reading goes on."""
        self._keep("", origin)
        said = (found[2] or "").removesuffix(found[1]).strip()
        after = at + 1
        if (found[2] or "") == said or not said:  # not closed on its own line
            while after < len(rows) and not _CLOSE.match(rows[after]):
                option = _FILE_LINE.match(rows[after])
                if option is not None and not said:
                    said = option[1]
                elif rows[after].strip():
                    break
                after += 1
            closed = _CLOSE.match(rows[after]) if after < len(rows) else None
            if closed is None or closed[1] != found[1]:
                hint = f"Close it with a line of `{found[1]}`."
                self._fault("The block `include` never closes.", origin, hint)
                return after
            after += 1
        name = _NAME.match(said)
        if name is None:
            hint = "Write `::: include press-contacts`, then a line of `:::`."
            self._fault("An include names one file.", origin, hint)
            return after
        self._snippet(name[1] or name[2] or name[3], origin)
        self._keep("", origin)
        return after

    def _snippet(self, name: str, origin: Origin) -> None:
        here = f"{origin.file}:{origin.line}"
        opened = [each.rpartition(":")[0] for each in origin.via] + [origin.file]
        self.count += 1
        if self.count > MOST:
            if self.count == MOST + 1:
                self._fault(f"There are more than {MOST} includes.", origin, "Write some out.")
            return
        try:
            text, where = self.read(name)
        except InputError as error:
            for each in error.faults:
                self._fault(each.message, origin, each.hint or "")
            return
        if where in opened:
            circle = " → ".join([*opened[opened.index(where) :], where])
            self._fault(f"This include goes round in a circle: {circle}.", origin, "Leave it out.")
            return
        if len(opened) > DEEPEST:
            hint = f"At most {DEEPEST} snippets can include one another."
            self._fault("Snippets are nested too deep here.", origin, hint)
            return
        self.size += len(text)
        if self.size > LONGEST_ISSUE:
            hint = f"At most {LONGEST_ISSUE} characters are read."
            self._fault("The issue grows too long with this include.", origin, hint)
            return
        chain = (*origin.via, here)
        own: list[Fault] = []
        text = clean(text, where, own)
        self.faults += [replace(f, message=_with_chain(f.message, chain)) for f in own]
        rows = text.split("\n")
        if rows and rows[0].rstrip() == "---" and "---" in (r.rstrip() for r in rows[1:]):
            self._fault(f"`{name}` has a front matter; a snippet is text alone.", origin, "")
            return
        self.lines(rows, 1, where, chain)

    def _fault(self, message: str, origin: Origin, hint: str) -> None:
        """Reports a fault at the line of the whole text that was kept last: it is placed later."""
        line = len(self.out) + self.before
        self.faults.append(Fault(message, self.where, line, hint or None, rule="include"))


def expand(
    body: str, first_line: int, where: str, read: ReadSnippet, faults: list[Fault]
) -> tuple[str, Origins]:
    """Returns a body with every include replaced, and the origins of the whole text's lines.

    ``first_line`` is the body's first in the file ``where``. Faults that were found before are
    moved to the lines that they have in the whole text; ``Origins.placed`` moves them all back.
    """
    if "include" not in body:
        return body, Origins(where)
    expander = _Expander(read, faults, where, first_line - 1)
    known = len(faults)
    expander.lines(body.split("\n"), first_line, where, ())
    front = [Origin(where, number) for number in range(1, first_line)]
    origins = Origins(where, (*front, *expander.origins))
    now: dict[int, int] = {}
    for number, origin in enumerate(origins.lines, 1):
        if origin.file == where and not origin.via:
            now.setdefault(origin.line, number)
    faults[:known] = [
        replace(each, line=now.get(each.line, each.line))
        if each.file == where and each.line is not None
        else each
        for each in faults[:known]
    ]
    return "\n".join(expander.out), origins


def _ends(fence: str, row: str, opened: str) -> bool:
    return fence.startswith(opened) and not row.strip().strip(fence[0])


def _with_chain(message: str, via: tuple[str, ...]) -> str:
    return f"{message.removesuffix('.')} (included by {', then '.join(via)})." if via else message


def no_snippets(name: str) -> tuple[str, str]:
    """Stands in where there is no folder to include from."""
    raise InputError(f"There is no snippet `{name[:200]}`.")
