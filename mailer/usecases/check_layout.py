"""Tries a layout out: everything loads, every block's example and the starter compose and check."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from mailer.compose.check import check
from mailer.compose.compose import Composed, compose_issue
from mailer.compose.layout import Layout, load_layout, stack
from mailer.compose.reading import Brand
from mailer.compose.sample_picture import sample_picture
from mailer.compose.theme import Pair, pairs_of
from mailer.errors import Fault, InputError
from mailer.ports import Folder
from mailer.usecases.compose_issue import steered

_HEAD = (
    "---\nsubject: A subject of an edition\npreheader: A sentence beside it in the inbox\n"
    "layout: {}\nlang: {}\ndate: 2026-11-24\ntitle: The edition\ncontact: desk@example.org\n---\n\n"
)
_BRAND = Brand(
    "The organisation", "1 Street, Town", "https://news.example.org", "News <news@example.org>"
)


@dataclass(frozen=True, slots=True)
class Edition:
    """A text to try the layout with; ``parts`` are tried one by one if the whole fails."""

    where: str
    text: str
    parts: tuple[Edition, ...] = ()


@dataclass(frozen=True, slots=True)
class LayoutReport:
    """What a check of a layout found."""

    errors: Sequence[Fault]
    warnings: Sequence[Fault]
    blocks: int = 0
    languages: Sequence[str] = ()
    pairs: Sequence[Pair] = ()

    @property
    def ok(self) -> bool:
        return not self.errors


def check_layout(name: str, *, layouts: Callable[[str], Folder]) -> LayoutReport:
    """Checks a layout; what is wrong is gathered, each with file and line.

    Raises InputError when there is no such layout.
    """
    layouts(name)
    try:
        files = stack(name, layouts)
        layout = load_layout(files, name=name)
    except InputError as error:
        return LayoutReport(error.faults, ())
    editions = list(_editions(layout, files.names(), files.text, files.where))
    try:  # at one go: what is foreign runs in a process of its own, and compiles there
        errors, warnings = steered(partial(_tried, editions, layout), name, layouts)
    except InputError as error:
        errors, warnings = list(error.faults), []
    return LayoutReport(
        tuple(dict.fromkeys(errors)),
        tuple(dict.fromkeys(warnings)),
        len(layout.blocks),
        layout.languages,
        pairs_of(layout.brand),
    )


def _tried(editions: Sequence[Edition], layout: Layout) -> tuple[Sequence[Fault], Sequence[Fault]]:
    """Composes and checks each; returns all errors and warnings."""
    errors: list[Fault] = []
    warnings: list[Fault] = []
    for edition in editions:
        bad, odd = _findings(edition, layout)
        if edition.parts and (bad or odd):  # which of them is it?
            bad, odd = _tried(edition.parts, layout)
        errors += bad
        warnings += odd
    return errors, warnings


def _findings(edition: Edition, layout: Layout) -> tuple[Sequence[Fault], Sequence[Fault]]:
    try:
        composed = _composed(edition.text, edition.where, layout)
    except InputError as error:
        told = [each if each.file else replace(each, file=edition.where) for each in error.faults]
        return told, ()
    if "mails/" in edition.where:  # no list stands behind those, so nobody can leave one
        return (), ()
    found = check(composed)
    # All blocks together are too much for one mail, and that is nobody's fault.
    exempt = {"html-size"} if edition.parts else set()
    errors, warnings = (
        tuple(each for each in told if each.rule not in exempt)
        for told in (found.errors, found.warnings)
    )
    return errors, warnings


def _editions(
    layout: Layout,
    names: Sequence[str],
    text: Callable[[str], str],
    where: Callable[[str], str],
) -> Iterator[Edition]:
    """The starter or the service mails, then the blocks' examples, in both directions."""
    mails = [name for name in names if name.startswith("mails/") and name.endswith(".md")]
    if mails:
        yield from (Edition(where(name), text(name)) for name in mails)
        return
    starter = "starter/issue.md"
    if starter in names:
        yield Edition(where(starter), text(starter).replace("{today}", "2026-11-24"))
    kinds = [kind for kind in layout.blocks.values() if kind.example.strip()]
    for language in ("en", "ar"):
        head = _HEAD.format(layout.name, language)
        parts = tuple(Edition(f"{kind.file} (example)", head + kind.example) for kind in kinds)
        yield Edition("", head + "\n".join(kind.example for kind in kinds), parts)


def _composed(text: str, where: str, layout: Layout) -> Composed:
    return compose_issue(
        text,
        where=where,
        read_picture=lambda _: sample_picture(),
        layout=layout,
        picture_url=lambda picture: f"{_BRAND.site_url}/i/{picture}",
        brand=_BRAND,
    )
