"""Erases a person: from rows, events, ledgers, snapshots and rejects files, but for the hash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailer.contacts.mention import mentions
from mailer.errors import NotFoundError
from mailer.ports import Clock, Leftovers
from mailer.store import erasure, maintenance, people
from mailer.store.database import Database
from mailer.store.erasure import Erased
from mailer.usecases.check_suppression import require_address

REWRITE_UP_TO = 64 << 20  # bytes: a larger SQLite file is written anew by `db prune`


@dataclass(frozen=True, slots=True)
class ErasedSubscriber:
    """What was erased. ``mails`` stay in the ledger as counts that lead to nobody."""

    kept_out: bool  # the hash stays: no import brings the address back
    skipped: int
    in_flight: int  # mails that are on their way at this moment
    mails: int
    files: Sequence[str]  # rejects files that were changed
    rewritten: bool  # false: the database's file may hold remains until `db prune`


def erase_subscriber(
    address: str,
    *,
    db: Database,
    clock: Clock,
    leftovers: Leftovers,
    keep_out: bool = True,
    actor: str | None = None,
) -> ErasedSubscriber:
    """Erases one person in one transaction, also in the middle of a send.

    1. Skip what was still to be sent; the counts of each campaign go on adding up.
    2. Empty every table of the person; keep the hash, unless they may return.
    3. Take their rows out of rejects files, and write a small SQLite file anew.

    Raises InputError for what is no address, NotFoundError when nothing is held under it.
    """
    parsed = require_address(address)
    found = mentions(parsed)
    done = Erased(0, 0, 0)
    with db.write() as connection:
        person = people.find_subscriber(connection, parsed.address)
        if person is not None:
            done = erasure.erase(
                connection,
                person,
                mentions=found,
                keep_out=keep_out,
                actor=actor or db.operator,
                at=clock.now(),
            )
    files = leftovers.forget(found)
    if person is None and not files:
        raise NotFoundError(f"Nothing is held under the address {address}.")
    if person is None and keep_out:
        with db.write() as connection:
            people.suppress(
                connection,
                parsed.key,
                reason=erasure.REASON,
                actor=actor or db.operator,
                at=clock.now(),
            )
    rewritten = maintenance.rewrite(db, up_to=REWRITE_UP_TO)
    return ErasedSubscriber(keep_out, done.skipped, done.in_flight, done.mails, files, rewritten)
