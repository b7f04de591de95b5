"""Reads an issue as an author wrote it: front matter, blocks, and the layout that it names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from mailer.compose.directives import Part, read_blocks
from mailer.compose.layout import Layout
from mailer.compose.lifting import Lifter, check_nesting, choose_prefix
from mailer.compose.source import Front, clean, read_front, split
from mailer.errors import Fault, InputError


@dataclass(frozen=True, slots=True)
class Brand:
    """What the workspace and the list say, for layouts and where an issue is silent."""

    organisation: str = ""
    postal_address: str = ""
    site_url: str = ""
    sender: str = ""
    reply_to: str = ""
    layout: str = ""  # empty: newsroom
    language: str = ""  # empty: en


NOBODY = Brand()


@dataclass(frozen=True, slots=True)
class Issue:
    """An issue that was read, and the layout that will show it."""

    front: Front
    parts: list[Part]
    lifter: Lifter
    layout: Layout


def read_layout_name(issue_text: str, *, where: str, default: str = "") -> str:
    """Returns the name of the layout that an issue wants, whatever else is wrong with it.

    ``default`` is the one for an issue that names none.
    """
    ignored: list[Fault] = []
    halves = split(clean(issue_text, where, ignored), where, ignored)
    lifter = Lifter(where, choose_prefix([issue_text]), ignored)
    front = lifter.lift(halves.front, halves.front_line, yaml=True)
    found = read_front(front.text, front.numbers, where, ignored)
    return found.where_silent(layout=default).layout


def read_issue(
    issue_text: str,
    where: str,
    layout: Layout | Callable[[str], Layout],
    brand: Brand,
    faults: list[Fault],
) -> Issue:
    """Reads front matter and blocks; raises when there is no layout to go on with."""
    chosen = layout if isinstance(layout, Layout) else None
    unloaded: tuple[Fault, ...] = ()
    if not isinstance(layout, Layout):
        try:
            chosen = layout(read_layout_name(issue_text, where=where, default=brand.layout))
        except InputError as error:
            unloaded = error.faults
    text = clean(issue_text, where, faults)
    halves = split(text, where, faults)
    words = chosen.words if chosen else ()
    said = (brand.organisation, brand.postal_address, brand.site_url, brand.sender, brand.reply_to)
    lifter = Lifter(where, choose_prefix([text, *words, *said]), faults)
    lifted = lifter.lift(halves.front, halves.front_line, yaml=True)
    front = read_front(lifted.text, lifted.numbers, where, faults)
    front = front.where_silent(layout=brand.layout, language=brand.language)
    _personal_front(front, lifter, faults)
    body = lifter.lift(halves.body, halves.body_line)
    parts = read_blocks(body, where, faults)
    if chosen is None:  # one that is only missing is the issue's fault, on its line
        line = front.line("layout")
        faults += (each if each.file else replace(each, file=where, line=line) for each in unloaded)
        raise InputError(faults)
    front = replace(
        front, sender=front.sender or brand.sender, reply_to=front.reply_to or brand.reply_to
    )
    return Issue(front, parts, lifter, chosen)


def _personal_front(front: Front, lifter: Lifter, faults: list[Fault]) -> None:
    """Checks that personal text stands only where it can be filled in, and closes there."""
    for name, value in (("subject", front.subject), ("preheader", front.preheader)):
        check_nesting(
            lifter.tags(value), faults, place=f"the {name}", remedy="It is one line of text."
        )
    fixed = {
        "layout": front.layout,
        "contact": front.contact,
        "from": front.sender,
        "reply_to": front.reply_to,
        "title": front.title,
    }
    for name, value in fixed.items():
        if lifter.found(value):
            faults.append(
                Fault(
                    f"`{name}` can't hold personal text.",
                    lifter.where,
                    front.line(name),
                    "It stands in subject, preheader and the text.",
                    rule="personal-text",
                )
            )
