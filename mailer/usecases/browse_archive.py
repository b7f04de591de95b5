"""Shows the public archive: its lists, a list's issues by month, and what a search finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo

from sqlalchemy import Connection

from mailer.errors import NotFoundError
from mailer.store import archive
from mailer.store.archive import Edition, Shelf
from mailer.store.database import Database

__all__ = ["Edition", "Shelf"]  # what pages show, for whoever may not ask the store
NEWEST = 20  # issues on a list's first page and in a feed
_MOST_FOUND = 50
_LONGEST_SEARCH = 100  # characters; what is longer is cut
_MOST_TERMS = 6


@dataclass(frozen=True, slots=True)
class Front:
    """Every list that has an archive, with its newest issue and how many it has."""

    shelves: Sequence[tuple[Shelf, Edition | None, int]]


@dataclass(frozen=True, slots=True)
class ListView:
    """A list's archive. ``months`` are ``2026-11`` with how many issues, the newest first."""

    shelf: Shelf
    issues: Sequence[Edition]
    months: Mapping[str, int]
    month: str = ""  # that is shown, or empty
    earlier: str = ""  # the month before it in which there is something
    later: str = ""
    search: str = ""  # what was looked for, as it was read
    more: bool = False  # there is more than is shown
    languages: Sequence[str] = ()  # in which there is any issue
    language: str = ""  # that all of these are in, where one was asked for

    @property
    def total(self) -> int:
        return sum(self.months.values())


def show_front(*, db: Database, languages: Sequence[str] = ()) -> Front:
    """The lists by title."""
    with db.read() as connection:
        shelves = archive.shelves(connection)
        found = []
        for shelf in shelves:
            sent = archive.sendings(connection, shelf.id)
            wanted = _wanted(shelf, languages)
            newest = archive.editions(connection, [number for number, _ in sent[:1]], wanted)
            found.append((shelf, newest[0] if newest else None, len(sent)))
    return Front(found)


def show_list(
    slug: str, *, db: Database, zone: tzinfo, search: str = "", languages: Sequence[str] = ()
) -> ListView:
    """The newest issues of a list, or those in which each word of the search stands.

    ``languages`` are what the reader speaks, the best first. Raises NotFoundError for a list that
    is not there or not public.
    """
    terms = search[:_LONGEST_SEARCH].split()[:_MOST_TERMS]
    with db.read() as connection:
        shelf = _shelf(connection, slug)
        sent = archive.sendings(connection, shelf.id)
        if terms:
            ids = archive.matching(connection, shelf.id, terms, limit=_MOST_FOUND + 1)
            more, shown = len(ids) > _MOST_FOUND, ids[:_MOST_FOUND]
        else:
            more, shown = len(sent) > NEWEST, [number for number, _ in sent[:NEWEST]]
        issues = archive.editions(connection, shown, _wanted(shelf, languages))
        spoken = archive.languages_of(connection, shelf.id)
    return ListView(
        shelf, issues, _months(sent, zone), search=" ".join(terms), more=more, languages=spoken
    )


def show_month(
    slug: str, month: str, *, db: Database, zone: tzinfo, languages: Sequence[str] = ()
) -> ListView:
    """The issues of one month, such as ``2026-11``.

    Raises NotFoundError for a month without any, or a list that is not there or not public.
    """
    with db.read() as connection:
        shelf = _shelf(connection, slug)
        sent = archive.sendings(connection, shelf.id)
        shown = [number for number, at in sent if month_of(at, zone) == month]
        if not shown:
            raise NotFoundError("Nothing was sent in that month.")
        issues = archive.editions(connection, shown, _wanted(shelf, languages))
        spoken = archive.languages_of(connection, shelf.id)
    months = _months(sent, zone)
    names = list(months)
    place = names.index(month)
    return ListView(
        shelf,
        issues,
        months,
        month=month,
        earlier=names[place + 1] if place + 1 < len(names) else "",
        later=names[place - 1] if place else "",
        languages=spoken,
    )


def show_index(
    slug: str,
    *,
    db: Database,
    zone: tzinfo,
    languages: Sequence[str] = (),
    words: bool = False,
) -> ListView:
    """Every issue of a list. ``words`` brings along what each says, for a search elsewhere.

    Raises NotFoundError for a list that is not there or not public.
    """
    with db.read() as connection:
        shelf = _shelf(connection, slug)
        sent = archive.sendings(connection, shelf.id)
        numbers = [number for number, _ in sent]
        issues = archive.editions(connection, numbers, _wanted(shelf, languages), words=words)
        spoken = archive.languages_of(connection, shelf.id)
    return ListView(shelf, issues, _months(sent, zone), languages=spoken)


def show_feed(slug: str, *, db: Database, zone: tzinfo, language: str = "") -> tuple[ListView, str]:
    """The newest issues of a list in its own language, and the identity that ids are made of.

    With a ``language``, those alone that were sent in it. Raises NotFoundError for a list that is
    not there or not public, and for a language in which it has nothing.
    """
    view = show_list(slug, db=db, zone=zone)
    with db.read() as connection:
        identity = archive.identity(connection)
        if not language:
            return view, identity
        spoken = {each.lower(): each for each in view.languages}.get(language.lower())
        if spoken is None:
            raise NotFoundError("That list has nothing in this language.")
        sent = archive.sendings(connection, view.shelf.id, spoken)
        newest = [number for number, _ in sent[:NEWEST]]
        issues = archive.editions(connection, newest, [spoken])
    return replace(view, issues=issues, months=_months(sent, zone), language=spoken), identity


def show_whole_feed(*, db: Database) -> tuple[Front, Sequence[Edition], str]:
    """The lists, the newest issues of all of them, and the identity that ids are made of."""
    front = show_front(db=db)
    with db.read() as connection:
        newest = [number for number, _ in archive.sendings(connection)[:NEWEST]]
        return front, archive.editions(connection, newest), archive.identity(connection)


def month_of(moment: datetime, zone: tzinfo) -> str:
    """The month of a moment where the workspace is."""
    return moment.astimezone(zone).strftime("%Y-%m")


def _shelf(connection: Connection, slug: str) -> Shelf:
    found = archive.shelves(connection, slug)
    if not found:
        raise NotFoundError("There is no such list.")
    return found[0]


def _wanted(shelf: Shelf, languages: Sequence[str]) -> Sequence[str]:
    """What the reader speaks, else what the list speaks."""
    return [*languages, shelf.language] if shelf.language else languages


def _months(sent: Sequence[tuple[int, datetime]], zone: tzinfo) -> dict[str, int]:
    found: dict[str, int] = {}
    for _, at in sent:
        month = month_of(at, zone)
        found[month] = found.get(month, 0) + 1
    return found
