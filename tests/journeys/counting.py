"""Counts everybody: the receiver's own log is joined to the ledger by Message-ID.

A ``Watch`` reads the counts all the while, as anybody might.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from sqlalchemy import text

from mailer.message.links import message_id
from mailer.model.words import Counts, DeliveryState
from mailer.store import maintenance
from mailer.store.database import Database
from tests.sending import KEYS
from tests.smtpd import Mail

_TALLY = 'audience, planned, sending, accepted, "deferred", refused, skipped, unknown'


@dataclass(frozen=True)
class Joined:
    """What became of everybody, by the ledger's word and by the receiver's."""

    counts: Counts
    texts: int  # accepted by the receiver
    twice: Sequence[str]  # addresses that got two copies
    forgotten: Sequence[str]  # got none, and are not marked refused, skipped or unknown
    wrongly_accepted: Sequence[str]  # marked accepted, and got none
    unknown_that_got_it: int
    most_unknown: int  # of one run
    faults: Sequence[str]

    @property
    def wrong(self) -> list[str]:
        """Whatever is not exact; empty when every count is."""
        found = [*self.faults]
        for name in ("twice", "forgotten", "wrongly_accepted"):
            people = getattr(self, name)
            found += [f"{name}: {len(people)} people, such as {people[0]}"] if people else []
        if not self.counts.balanced:
            found.append(f"the counts do not add up: {self.counts}")
        return found


def join(db: Database, accepted: Sequence[Mail]) -> Joined:
    """Joins the ledger's rows with what the receiver took responsibility for."""
    copies = Counter(mail.message_id for mail in accepted)
    with db.read() as connection:
        rows = connection.execute(
            text(
                "SELECT d.campaign_id, d.subscriber_id, d.state, p.address FROM delivery d"
                " JOIN subscriber p ON p.id = d.subscriber_id"
            )
        ).all()
        tally: Any = connection.execute(text(f"SELECT {_TALLY} FROM tally")).one()
        per_run = connection.execute(
            text(
                "SELECT count(*) FROM delivery WHERE state = 'unknown' GROUP BY run_id"
                " ORDER BY count(*) DESC LIMIT 1"
            )
        ).scalar()
    twice, forgotten, wrongly, unknown_got = [], [], [], 0
    for row in rows:
        identity = f"<{message_id(KEYS, row.campaign_id, row.subscriber_id, 'example.org')}>"
        got = copies.pop(identity, 0)
        if got > 1:
            twice.append(row.address)
        if row.state == DeliveryState.unknown:
            unknown_got += got
        elif row.state == DeliveryState.accepted and not got:
            wrongly.append(row.address)
        elif not got and row.state not in (DeliveryState.refused, DeliveryState.skipped):
            forgotten.append(row.address)
    faults = [*maintenance.faults(db), *(f"{mid} belongs to nobody" for mid in copies)]
    return Joined(
        Counts(*tally),
        len(accepted),
        twice,
        forgotten,
        wrongly,
        unknown_got,
        int(per_run or 0),
        faults,
    )


@dataclass
class Watch:
    """Reads tally and rows in one look, again and again, from a thread of its own."""

    db: Database
    window: int  # at most so many rows may ever be `sending`
    looks: int = 0
    most_sending: int = 0
    wrong: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _looking: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Watch:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
        if error is None:
            self.look()  # once more: nobody writes any more

    @contextmanager
    def blind(self) -> Iterator[None]:
        """Has no file open meanwhile."""
        with self._looking:
            self.db.engine.dispose()
            yield

    def _run(self) -> None:
        while not self._over.wait(0.01):
            self.look()

    def look(self) -> None:
        """One statement reads one state, on both databases."""
        rows = ", ".join(
            f"(SELECT count(*) FROM delivery d WHERE d.state = '{state}') AS {state}_rows"
            for state in DeliveryState
        )
        with self._looking, self.db.read() as connection:
            found: Any = connection.execute(text(f"SELECT {_TALLY}, {rows} FROM tally")).one()
        counts, in_rows = Counts(*found[:8]), tuple(found[8:])
        self.looks += 1
        self.most_sending = max(self.most_sending, counts.sending)
        tallied = tuple(getattr(counts, state) for state in DeliveryState)
        if not counts.balanced or tallied != in_rows:
            self.wrong.append(f"{counts}, and the rows say {in_rows}")
        if counts.sending > self.window:
            self.wrong.append(f"{counts.sending} rows were sending; the window is {self.window}")
