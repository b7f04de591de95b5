"""Unsubscribes who was asked again and kept silent, once the date has passed."""

from __future__ import annotations

from dataclasses import dataclass

from mailer.errors import InputError
from mailer.ports import Clock
from mailer.store import asking, people
from mailer.store.database import Database
from mailer.usecases.ask_again import Asking, show_asking

SLICE = 1_000  # people in one write transaction


@dataclass(frozen=True, slots=True)
class DroppedSilent:
    """What became of the list. ``not_asked`` stay on it: silence says nothing about them."""

    list: str
    dropped: int
    reconfirmed: int
    not_asked: int
    dry_run: bool


def drop_silent(
    list_name: str, *, db: Database, clock: Clock, dry_run: bool = False
) -> DroppedSilent:
    """Unsubscribes them in slices, each with an event; run again, it goes on and changes nothing.

    Their link goes on working: a late yes brings them back.

    Raises NotFoundError for an unknown list, InputError when the list does not ask, when nobody
    has been asked, and (but for a dry run) before the date.
    """
    asked = show_asking(list_name, db=db)
    _refuse(asked, clock, dry_run=dry_run)
    dropped = 0
    while not dry_run:
        with db.write() as connection:
            row = people.find_list(connection, list_name)
            campaigns = asking.asking_campaigns(connection, row.id, row.asked_at)
            found = asking.silent_ones(
                connection, db.dialect, row.id, row.asked_at, campaigns, SLICE
            )
            for subscriber in found:
                people.unsubscribe(
                    connection,
                    list_id=row.id,
                    subscriber_id=subscriber,
                    actor=db.operator,
                    at=clock.now(),
                    detail=asking.SILENT,
                )
        if not found:
            break
        dropped += len(found)
    return DroppedSilent(
        asked.list,
        asked.silent if dry_run else dropped,
        asked.reconfirmed,
        asked.not_asked,
        dry_run,
    )


def _refuse(asked: Asking, clock: Clock, *, dry_run: bool) -> None:
    if asked.until is None:
        raise InputError(
            f"The people of “{asked.list}” are not asked again.",
            hint=f"`mailer lists ask-again '{asked.list}' --until DATE` begins it.",
        )
    if not asked.campaigns:
        raise InputError(
            f"No campaign has asked the people of “{asked.list}” yet.",
            hint="Send them an issue with {{ reconfirm_url }} in it.",
        )
    if not dry_run and clock.now() < asked.until:
        raise InputError(
            f"They may answer until {asked.until.date().isoformat()}.",
            hint="Until then, --dry-run tells how many are silent.",
        )
