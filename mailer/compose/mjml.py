"""Renders MJML with the engine, around the engine's faults.

Attribute values reach the HTML in Rust's debug notation (a no-break space becomes ``\\u{a0}``),
so everything there but printable ASCII goes through it as character references.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable

from mjml import mjml2html

from mailer.compose.mjml_check import inspect, named_entities, strip_comments
from mailer.compose.templates import Templates
from mailer.errors import Fault

# Comments and style sheets go as they are; a tag's attribute values and a title are guarded.
_PARTS = re.compile(
    r"""(?P<comment><!--.*?-->)"""
    r"""|(?P<style><mj-style\b[^>]*>.*?</mj-style\s*>)"""
    r"""|(?P<title><mj-title\b[^>]*>.*?</mj-title\s*>)"""
    r"""|(?P<tag><[A-Za-z](?:[^<>"']|"[^"]*"|'[^']*')*>)""",
    re.DOTALL,
)
_QUOTED = re.compile(r""""[^"]*"|'[^']*'""")
_UNSAFE = re.compile(r"""[^\x20-\x7e]|\\""")
_POSITION = re.compile(r"position (\d+):(\d+)")


class EngineError(ValueError):
    """The engine stopped at an offset, in characters; None when it did not say where."""

    def __init__(self, message: str, offset: int | None) -> None:
        super().__init__(message)
        self.offset = offset


def prepared(markup: str, keep_comment: Callable[[str], bool]) -> str:
    """Returns MJML that XML can read, without the comments of the layout's author."""
    return strip_comments(named_entities(markup), keep_comment).strip()


def locate(
    marked: str, templates: Templates, keep_comment: Callable[[str], bool], file: str
) -> list[Fault]:
    """Says what is wrong with a document that was rendered with marks, by file and line."""
    text, places = templates.unmark(prepared(marked, keep_comment))
    faults = (
        _fault(trouble.message, places.at(trouble.offset), file, trouble.hint)
        for trouble in inspect(text).troubles
    )
    return list(dict.fromkeys(faults))  # a block that is used ten times is wrong once


def run_engine(markup: str) -> str:
    """Calls the engine; raises EngineError with the offset, in characters, where it stopped."""
    guarded, shifts = guard(markup)
    try:
        return mjml2html(guarded, fonts={})
    except ValueError as error:
        found = _POSITION.search(str(error))
        if found is None:
            raise EngineError(str(error), None) from error
        offset = len(guarded.encode()[: int(found.group(1))].decode("utf-8", "replace"))
        place = bisect_right(shifts, (offset, len(markup))) - 1
        start, original = shifts[place]
        raise EngineError(str(error), original + offset - start) from error


def locate_engine(
    marked: str, templates: Templates, keep_comment: Callable[[str], bool], file: str
) -> list[Fault]:
    """Runs the engine on a document that was rendered with marks, to learn where it stops."""
    text, places = templates.unmark(prepared(marked, keep_comment))
    try:
        run_engine(text)
    except EngineError as error:
        place = places.at(error.offset) if error.offset is not None else None
        return [_fault(f"The MJML engine can't render this: {error}.", place, file, None)]
    return []


def _fault(message: str, place: tuple[str, int] | None, file: str, hint: str | None) -> Fault:
    shown, line = place or (file, None)
    return Fault(message, shown, line, hint, rule="layout")


def guard(markup: str) -> tuple[str, list[tuple[int, int]]]:
    """Writes what the engine would corrupt as decimal character references.

    Also returns where the parts begin: pairs of an offset in the result and one in ``markup``.
    """
    pieces: list[str] = []
    shifts = [(0, 0)]
    at = length = 0
    for found in _PARTS.finditer(markup):
        whole = found.group()
        if found.lastgroup == "tag":
            whole = _QUOTED.sub(_guarded_value, whole)
        elif found.lastgroup == "title":  # it is copied into an attribute of the body
            whole = _UNSAFE.sub(_reference, whole).replace('"', "&#34;")
        pieces += (markup[at : found.start()], whole)
        length += found.start() - at
        shifts.append((length, found.start()))
        length += len(whole)
        at = found.end()
        shifts.append((length, at))
    pieces.append(markup[at:])
    return "".join(pieces), shifts


def _guarded_value(found: re.Match[str]) -> str:
    value = _UNSAFE.sub(_reference, found.group()[1:-1])
    return '"' + value.replace('"', "&#34;") + '"'


def _reference(found: re.Match[str]) -> str:
    return f"&#{ord(found.group())};"


def without(markup: str, css_class: str) -> str:
    """Returns prepared MJML without the elements of one class."""
    if css_class not in markup:
        return markup
    pieces: list[str] = []
    at = 0
    for element in inspect(markup, told_apart=frozenset({css_class})).elements:
        if element.start >= at:  # one inside another is gone already
            pieces.append(markup[at : element.start])
            at = element.end
    pieces.append(markup[at:])
    return "".join(pieces)
