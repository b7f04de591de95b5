"""What the public archive shows: campaigns of public lists that were really sent.

One that was begun and accepted by a server for somebody, is not withdrawn, and was not kept out.
Of several with the very same content on one list, the first stands for all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, exists, func, insert, select, update
from sqlmodel import col

from mailer.compose.page_facts import page_facts
from mailer.contacts.rule import fold
from mailer.model.campaigns import (
    Campaign,
    CampaignPicture,
    Correction,
    Tally,
    Variant,
)
from mailer.model.people import Instance, MailingList
from mailer.model.words import CampaignState
from mailer.store.splits import A  # the pages are those of the first subject

_STARTED = (
    CampaignState.sending,
    CampaignState.paused,
    CampaignState.finished,
    CampaignState.cancelled,
)


@dataclass(frozen=True, slots=True)
class Shelf:
    """A list whose issues everybody may read."""

    id: int
    slug: str
    title: str
    description: str
    language: str  # of its own, or empty
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Edition:
    """One campaign in one of its languages, as the archive names it."""

    campaign_id: int
    list_id: int
    slug: str
    language: str
    title: str
    description: str
    picture: str
    sent_at: datetime
    changed_at: datetime  # of its last correction, else when it was sent
    languages: tuple[str, ...]  # the default first
    words: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """A correction that stands above a page."""

    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How a campaign's page is to be shown."""

    campaign_id: int
    list_id: int
    list_slug: str
    list_title: str
    slug: str
    web_key: str
    site_url: str  # as it was frozen: pictures and links of its pages begin with it
    listed: bool  # the archive names it
    public: bool  # its list is public
    withdrawn: bool
    languages: tuple[str, ...]


def page_values(page: str) -> dict[str, str]:
    """What is kept beside a page, so that the archive need not read it."""
    facts = page_facts(page)
    return {
        "title": facts.title,
        "description": facts.description,
        "picture": facts.picture,
        "words": fold(" ".join((facts.title, facts.description, facts.text))),
    }


def _public(campaign: Any = Campaign, tally: Any = Tally) -> ColumnElement[bool]:
    """Whether a campaign was sent, and is neither kept out nor withdrawn."""
    return (
        col(campaign.in_archive)
        & col(campaign.withdrawn_at).is_(None)
        & col(campaign.started_at).is_not(None)
        & col(campaign.state).in_(_STARTED)
        & (col(tally.accepted) > 0)
    )


def _listed() -> ColumnElement[bool]:
    twin, count = _Twin, _TwinTally
    earlier = exists(
        select(twin.c.id)
        .join(count, count.c.campaign_id == twin.c.id)
        .where(
            twin.c.list_id == col(Campaign.list_id),
            twin.c.issue == col(Campaign.issue),
            twin.c.content_hash == col(Campaign.content_hash),
            twin.c.id < col(Campaign.id),
            twin.c.in_archive,
            twin.c.withdrawn_at.is_(None),
            twin.c.started_at.is_not(None),
            twin.c.state.in_(_STARTED),
            count.c.accepted > 0,
        )
    )
    return _public() & ~earlier & col(MailingList.public)


_Twin = Campaign.__table__.alias("twin")  # type: ignore[attr-defined]  # SQLModel hides it
_TwinTally = Tally.__table__.alias("twin_tally")  # type: ignore[attr-defined]  # likewise


def shelves(connection: Connection, slug: str | None = None) -> Sequence[Shelf]:
    """The public lists that are in use or have something to read, by title; or that one."""
    shown = (
        select(col(Campaign.id))
        .join(Tally, col(Tally.campaign_id) == col(Campaign.id))
        .where(col(Campaign.list_id) == col(MailingList.id), _public())
    )
    query = select(MailingList).where(
        col(MailingList.public), col(MailingList.archived_at).is_(None) | exists(shown)
    )
    if slug is not None:
        query = query.where(col(MailingList.slug) == slug)
    rows = connection.execute(query.order_by(col(MailingList.title), col(MailingList.id)))
    return [
        Shelf(row.id, row.slug, row.title, row.description, row.language or "", row.created_at)
        for row in rows
    ]


def sendings(
    connection: Connection, list_id: int | None = None, language: str = ""
) -> Sequence[tuple[int, datetime]]:
    """Number and moment of each campaign that the archive names, the newest first.

    With a ``language``, of those that were sent in it.
    """
    query = _campaigns(col(Campaign.id), col(Campaign.started_at)).where(_listed())
    if list_id is not None:
        query = query.where(col(Campaign.list_id) == list_id)
    if language:
        spoken = select(col(Variant.id)).where(
            col(Variant.campaign_id) == _id(),
            col(Variant.version) == A,
            col(Variant.language) == language,
        )
        query = query.where(exists(spoken))
    rows = connection.execute(query.order_by(col(Campaign.started_at).desc(), _id().desc()))
    return [(row.id, row.started_at) for row in rows]


def languages_of(connection: Connection, list_id: int) -> Sequence[str]:
    """Every language in which the archive has an issue of a list."""
    named = _campaigns(_id()).where(_listed(), col(Campaign.list_id) == list_id)
    found = connection.execute(
        select(col(Variant.language))
        .where(col(Variant.campaign_id).in_(named), col(Variant.version) == A)
        .distinct()
    )
    return sorted(found.scalars())  # by code points, on either database


def matching(
    connection: Connection, list_id: int, terms: Sequence[str], *, limit: int
) -> Sequence[int]:
    """Campaigns in one of whose languages all of the terms stand, the newest first."""
    said = select(col(Variant.id)).where(
        col(Variant.campaign_id) == col(Campaign.id), col(Variant.version) == A
    )
    for term in terms:
        said = said.where(col(Variant.words).contains(fold(term), autoescape=True))
    query = (
        _campaigns(col(Campaign.id))
        .where(_listed(), col(Campaign.list_id) == list_id, exists(said))
        .order_by(col(Campaign.started_at).desc(), _id().desc())
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


def editions(
    connection: Connection,
    campaign_ids: Sequence[int],
    languages: Sequence[str] = (),
    *,
    words: bool = False,
) -> Sequence[Edition]:
    """These campaigns in this order, each in the first of the languages that it speaks.

    One that speaks none of them is told in its default. ``words`` brings along what it says.
    """
    if not campaign_ids:
        return []
    told: dict[int, list[Any]] = {}
    columns: list[Any] = [
        col(Variant.campaign_id),
        col(Variant.language),
        col(Variant.title),
        col(Variant.description),
        col(Variant.picture),
        *([col(Variant.words)] if words else []),
    ]
    for row in connection.execute(
        select(*columns)
        .where(col(Variant.campaign_id).in_(campaign_ids), col(Variant.version) == A)
        .order_by(col(Variant.id))
    ):
        told.setdefault(row.campaign_id, []).append(row)
    changed: Mapping[int, datetime] = {
        row[0]: row[1]
        for row in connection.execute(
            select(col(Correction.campaign_id), func.max(col(Correction.at)))
            .where(col(Correction.campaign_id).in_(campaign_ids))
            .group_by(col(Correction.campaign_id))
        )
    }
    heads = {
        row.id: row
        for row in connection.execute(
            select(
                col(Campaign.id),
                col(Campaign.list_id),
                col(Campaign.slug),
                col(Campaign.subject),
                col(Campaign.started_at),
            ).where(col(Campaign.id).in_(campaign_ids))
        )
    }
    found = []
    for number in campaign_ids:
        head, variants = heads[number], told[number]
        shown = _chosen(variants, languages)
        found.append(
            Edition(
                number,
                head.list_id,
                head.slug,
                shown.language,
                shown.title or head.subject,
                shown.description,
                shown.picture,
                head.started_at,
                max(changed.get(number, head.started_at), head.started_at),
                tuple(each.language for each in variants),
                shown.words if words else "",
            )
        )
    return found


def _chosen(variants: Sequence[Any], languages: Sequence[str]) -> Any:
    for wanted in languages:
        spoken = [each.language.lower() for each in variants]
        for tags in (spoken, [each.partition("-")[0] for each in spoken]):
            if wanted.lower() in tags:
                return variants[tags.index(wanted.lower())]
    return variants[0]


def standing(
    connection: Connection, *, key: str = "", shelf: str = "", slug: str = ""
) -> Standing | None:
    """How the campaign behind a web key, or of a list under a slug, is to be shown."""
    columns: Any = (
        col(Campaign.id),
        col(Campaign.list_id),
        col(Campaign.slug),
        col(Campaign.web_key),
        col(Campaign.frozen),
        col(Campaign.withdrawn_at),
        col(Campaign.in_archive),
        col(MailingList.slug).label("shelf"),
        col(MailingList.title).label("shelf_title"),
        col(MailingList.public),
        func.coalesce(col(Tally.accepted), 0).label("accepted"),
        col(Campaign.started_at),
        col(Campaign.state),
    )
    query = (
        select(*columns)
        .join(MailingList, col(MailingList.id) == col(Campaign.list_id))
        .outerjoin(Tally, col(Tally.campaign_id) == col(Campaign.id))
        .where(col(Campaign.state) != CampaignState.planning)
    )
    if key:
        query = query.where(col(Campaign.web_key) == key)
    else:
        query = query.where(col(MailingList.slug) == shelf, col(Campaign.slug) == slug)
    row = connection.execute(query).first()
    if row is None:
        return None
    languages = connection.execute(
        select(col(Variant.language))
        .where(col(Variant.campaign_id) == row.id, col(Variant.version) == A)
        .order_by(col(Variant.id))
    ).scalars()
    sent = row.started_at is not None and row.state in _STARTED and row.accepted > 0
    return Standing(
        row.id,
        row.list_id,
        row.shelf,
        row.shelf_title,
        row.slug,
        row.web_key,
        str(row.frozen.get("site_url", "")),
        bool(row.public and row.in_archive and sent),
        bool(row.public),
        row.withdrawn_at is not None,
        tuple(languages),
    )


def notes(connection: Connection, campaign_id: int) -> Sequence[Note]:
    """The corrections of a campaign, the newest first."""
    rows = connection.execute(
        select(col(Correction.at), col(Correction.note))
        .where(col(Correction.campaign_id) == campaign_id)
        .order_by(col(Correction.id).desc())
    )
    return [Note(row.at, row.note) for row in rows]


def published(connection: Connection, *, unlisted: bool) -> Sequence[Row[Any]]:
    """Web key and whether it is withdrawn, of each campaign of a public list that was sent.

    With ``unlisted`` also of those that the archive does not name, and of lists that are private.
    """
    sent = (
        col(Campaign.started_at).is_not(None)
        & col(Campaign.state).in_(_STARTED)
        & (col(Tally.accepted) > 0)
    )
    query = _campaigns(
        _id(),
        col(Campaign.web_key),
        col(Campaign.withdrawn_at),
    ).where(sent)
    if not unlisted:
        query = query.where(col(MailingList.public), col(Campaign.in_archive))
    return connection.execute(query.order_by(_id())).all()


def mended(connection: Connection) -> Sequence[Row[Any]]:
    """Web key and moment of each campaign whose page was withdrawn or corrected, the last time."""
    noted = (
        select(col(Correction.campaign_id).label("id"), func.max(col(Correction.at)).label("at"))
        .group_by(col(Correction.campaign_id))
        .subquery()
    )
    return connection.execute(
        select(col(Campaign.web_key), col(Campaign.withdrawn_at), noted.c.at)
        .outerjoin(noted, noted.c.id == _id())
        .where(col(Campaign.withdrawn_at).is_not(None) | noted.c.at.is_not(None))
    ).all()


def pictures_of(connection: Connection, campaign_ids: Sequence[int]) -> Sequence[str]:
    """The names of the files that campaigns show."""
    rows = connection.execute(
        select(col(CampaignPicture.name))
        .where(col(CampaignPicture.campaign_id).in_(campaign_ids))
        .distinct()
        .order_by(col(CampaignPicture.name))
    )
    return list(rows.scalars())


def identity(connection: Connection) -> str:
    """Which database this is: ids in feeds are made of it, and stay when the site moves."""
    return str(connection.execute(select(col(Instance.identity))).scalar_one())


def withdraw(connection: Connection, campaign_id: int, at: datetime | None, why: str) -> None:
    """Takes a campaign's page away, or with no moment brings it back."""
    _set(connection, campaign_id, withdrawn_at=at, withdrawn_because=why)


def keep_in_archive(connection: Connection, campaign_id: int, kept: bool) -> None:
    _set(connection, campaign_id, in_archive=kept)


def correct(
    connection: Connection, campaign_id: int, at: datetime, note: str, pages: Mapping[str, str]
) -> None:
    """Writes a note, and the pages that are shown from now on: language → page."""
    connection.execute(insert(Correction), {"campaign_id": campaign_id, "at": at, "note": note})
    for language, page in pages.items():
        connection.execute(
            update(Variant)
            .where(col(Variant.campaign_id) == campaign_id, col(Variant.language) == language)
            .values(corrected_page=page, **page_values(page))
        )


def keep_pictures(connection: Connection, campaign_id: int, names: Sequence[str]) -> None:
    """Notes which pictures a corrected page shows, beside those that were sent."""
    known = set(
        connection.execute(
            select(col(CampaignPicture.name)).where(col(CampaignPicture.campaign_id) == campaign_id)
        ).scalars()
    )
    for name in names:
        if name not in known:
            connection.execute(insert(CampaignPicture), {"campaign_id": campaign_id, "name": name})


def _set(connection: Connection, campaign_id: int, **values: Any) -> None:
    connection.execute(update(Campaign).where(_id() == campaign_id).values(**values))


def _id() -> Any:
    return col(Campaign.id)


def _campaigns(*columns: Any) -> Any:
    """Campaigns with their list and their counts."""
    return (
        select(*columns)
        .join(MailingList, col(MailingList.id) == col(Campaign.list_id))
        .join(Tally, col(Tally.campaign_id) == col(Campaign.id))
    )
