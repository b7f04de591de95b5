"""Reads an issue as an author wrote it: front matter, blocks, and the layout that it names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from mailer.compose.directives import Part, read_blocks
from mailer.compose.languages import Offered
from mailer.compose.layout import Layout
from mailer.compose.lifting import Lifted, Lifter, check_nesting, choose_prefix
from mailer.compose.snippets import Origins, ReadSnippet, expand, no_snippets
from mailer.compose.source import Front, clean, read_front, split
from mailer.compose.typography import typeset
from mailer.errors import Fault, InputError
from mailer.model.measuring import ClickMode


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
    clicks: ClickMode = ClickMode.off  # what is measured of links


NOBODY = Brand()


@dataclass(frozen=True, slots=True)
class Issue:
    """An issue that was read, and the layout that will show it."""

    front: Front
    parts: list[Part]
    lifter: Lifter
    layout: Layout
    text: str  # with every snippet in its place
    origins: Origins


@dataclass(frozen=True, slots=True)
class Variants:
    """What one language of an issue knows of the others.

    ``language`` is what the file's name says, or None; ``shared`` are values of issue.md that
    stand in for what this file leaves out; ``others`` are the other languages, the default first.
    """

    language: str | None = None
    shared: Mapping[str, str] = field(default_factory=dict)
    others: tuple[Offered, ...] = ()
    second: bool = False  # with ``subject_b`` as its subject


ALONE = Variants()


def read_heading(
    issue_text: str, *, where: str, brand: Brand = NOBODY, variants: Variants = ALONE
) -> Front:
    """Returns the front matter of an issue, whatever else is wrong with it."""
    ignored: list[Fault] = []
    halves = split(clean(issue_text, where, ignored), where, ignored)
    lifter = Lifter(where, choose_prefix([issue_text]), ignored)
    lifted = lifter.lift(halves.front, halves.front_line, yaml=True)
    return _front(lifted, lifter, brand, variants, ignored)


def _front(
    lifted: Lifted, lifter: Lifter, brand: Brand, variants: Variants, faults: list[Fault]
) -> Front:
    """Reads the front matter; what it does not say, issue.md says, else the list."""
    front = read_front(
        lifted.text,
        lifted.numbers,
        lifter.where,
        faults,
        language=variants.language,
        defaults={"layout": brand.layout, "lang": brand.language, **variants.shared},
    )
    if not variants.second:
        return front
    lines = {**front.lines, "subject": front.line("subject_b")}
    return replace(front, subject=front.subject_b, lines=lines)


def read_issue(
    issue_text: str,
    where: str,
    layout: Layout | Callable[[str], Layout],
    brand: Brand,
    faults: list[Fault],
    variants: Variants = ALONE,
    read_snippet: ReadSnippet = no_snippets,
) -> Issue:
    """Reads front matter and blocks; raises when there is no layout to go on with.

    Lines are those of the whole text, in which snippets have been put: see ``Issue.origins``.
    """
    chosen = layout if isinstance(layout, Layout) else None
    unloaded: tuple[Fault, ...] = ()
    if not isinstance(layout, Layout):
        try:
            chosen = layout(
                read_heading(issue_text, where=where, brand=brand, variants=variants).layout
            )
        except InputError as error:
            unloaded = error.faults
    text = clean(issue_text, where, faults)
    halves = split(text, where, faults)
    body, origins = expand(halves.body, halves.body_line, where, read_snippet, faults)
    text = text.removesuffix(halves.body) + body
    texts = chosen.texts if chosen else ()
    said = (brand.organisation, brand.postal_address, brand.site_url, brand.sender, brand.reply_to)
    lifter = Lifter(where, choose_prefix([text, *texts, *said]), faults)
    lifted = lifter.lift(halves.front, halves.front_line, yaml=True)
    front = _front(lifted, lifter, brand, variants, faults)
    _personal_front(front, lifter, faults)
    parts = read_blocks(lifter.lift(body, halves.body_line), where, faults)
    if chosen is None:  # one that is only missing is the issue's fault, on its line
        line = front.line("layout")
        faults += (each if each.file else replace(each, file=where, line=line) for each in unloaded)
        raise InputError(origins.placed(each) for each in faults)
    front = replace(
        front,
        subject=typeset(front.subject, front.lang, lifter),
        preheader=typeset(front.preheader, front.lang, lifter),
        title=typeset(front.title, front.lang),
        sender=front.sender or brand.sender,
        reply_to=front.reply_to or brand.reply_to,
    )
    return Issue(front, parts, lifter, chosen, text, origins)


def _personal_front(front: Front, lifter: Lifter, faults: list[Fault]) -> None:
    """Checks that personal text stands only where it can be filled in, and closes there."""
    lines = {"subject": front.subject, "subject_b": front.subject_b, "preheader": front.preheader}
    for name, value in lines.items():
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
