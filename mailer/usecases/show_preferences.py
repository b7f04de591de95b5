"""Shows a reader the lists that they get, and those that they left. Changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from mailer.contacts.masking import mask_address
from mailer.message.links import KeyRing, Purpose
from mailer.model.words import Frequency
from mailer.ports import Clock
from mailer.store import site
from mailer.store.database import Database
from mailer.usecases.open_link import open_link


@dataclass(frozen=True, slots=True)
class ListView:
    """One list on the page. Neither ``receiving`` nor ``may_return``: others took them off."""

    slug: str
    title: str
    description: str
    receiving: bool
    pending: bool
    may_return: bool
    paused_until: datetime | None = None  # a break that is not over


@dataclass(frozen=True, slots=True)
class PreferencesView:
    """What the preferences page shows; ``address`` is masked, and empty for a test copy."""

    test: bool
    known: bool  # false: the person has been erased
    address: str
    language: str
    left_everything: bool
    lists: Sequence[ListView]
    frequency: Frequency = Frequency.every
    own_language: str = ""  # that is on record for the person


def show_preferences(token: str, *, keys: KeyRing, db: Database, clock: Clock) -> PreferencesView:
    """Reads the link, then everything that the reader may see of their subscriptions.

    Raises NotFoundError for a wrong token.
    """
    link = open_link(token, Purpose.preferences, keys=keys, clock=clock)
    with db.read() as connection:
        letter = site.letter(connection, link.campaign, link.subscriber)
        language = letter.language if letter else ""
        if link.test:
            return PreferencesView(True, False, "", language, False, ())
        reader = site.reader(connection, link.subscriber)
        if reader is None:
            return PreferencesView(False, False, "", language, False, ())
        standings = site.standings(connection, link.subscriber)
    now = clock.now()
    return PreferencesView(
        test=False,
        known=True,
        address=mask_address(reader.address),
        language=language,
        left_everything=site.left_everything(reader),
        lists=[_view(each, now) for each in standings if _is_shown(each)],
        frequency=reader.frequency,
        own_language=reader.language,
    )


def _is_shown(each: site.Standing) -> bool:
    """A private list shows itself to its own readers only, an archived one to nobody who left."""
    return each.receiving or (not each.archived and (each.public or each.may_return))


def _view(each: site.Standing, now: datetime) -> ListView:
    return ListView(
        slug=each.slug,
        title=each.title,
        description=each.description,
        receiving=each.receiving,
        pending=each.pending,
        may_return=each.may_return,
        paused_until=each.paused_until if each.paused(now) else None,
    )
