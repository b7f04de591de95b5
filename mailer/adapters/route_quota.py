"""A route's messages of a day, counted in the database: over restarts, processes and campaigns.

Some are put aside at a time, so that not every mail costs a commit. A process that is killed leaves
at most those aside for the rest of the day: too few go then, never too many.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

from mailer.store.database import Database
from mailer.store.lanes import hand_back, reserve

_MOST_ASIDE = 200


@dataclass(slots=True)
class StoredQuota:
    """Fulfils ``routes.Quota`` for one route. ``today`` is the day of the owner's calendar."""

    db: Database
    route: str
    per_day: int
    today: Callable[[], date]
    _day: str = ""
    _aside: int = field(default=0)
    _spent: bool = False  # for this day

    def take(self) -> bool:
        """One message of the day, if there is one left."""
        day = self.today().isoformat()
        if day != self._day:
            self.close()
            self._day, self._spent = day, False
        if not self._aside and not self._spent:
            want = max(1, min(_MOST_ASIDE, self.per_day // 100))
            route, cap, dialect = self.route, self.per_day, self.db.dialect
            granted = self.db.writer.submit(
                lambda connection: reserve(connection, dialect, day, route, cap, want)
            )
            self._aside = granted.result()
            self._spent = self._aside == 0
        if not self._aside:
            return False
        self._aside -= 1
        return True

    def back(self) -> None:
        """One that did not go."""
        self._aside += 1

    def close(self) -> None:
        """Gives back what is aside."""
        if self._aside:
            day, route, aside = self._day, self.route, self._aside
            self.db.writer.submit(
                lambda connection: hand_back(connection, day, route, aside)
            ).result()
        self._aside = 0
        self._spent = False
