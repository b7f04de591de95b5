"""Counts followed links: judges each, and keeps it under nobody's name unless its reader agreed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from mailer.message.click_links import Click, read_click
from mailer.message.click_rules import ClickRules, Networks
from mailer.message.links import KeyRing
from mailer.store import clicks
from mailer.store.clicks import Row
from mailer.store.database import Database

MOST_ALIKE = 200  # clicks on one link from one network within the rules' horizon
_UNKNOWN = 100  # times as many where the network is not known


@dataclass(frozen=True, slots=True)
class Followed:
    """A link that was followed: what it says, and who asked for it at what moment (ms)."""

    click: Click
    at: int
    ip: str
    agent: str


def open_click(path: str, *, keys: KeyRing) -> Click | None:
    """What the path behind ``/l/`` says; None when it is not genuine. Nothing is asked or kept."""
    return read_click(keys, path)


def count_clicks(
    followed: Sequence[Followed], *, db: Database, rules: ClickRules, networks: Networks
) -> int:
    """Keeps what was followed, in one transaction of its own; returns how many rows it took.

    1. Leave out links of campaigns that are not here, such as those of previews.
    2. Of a link that names its reader keep nothing at all, unless they say yes to it now.
    3. Of one link and one network keep so many at a time, so that nobody fills the database.
    4. Judge each by itself, keep it, and judge it together with its neighbours in time.

    The address becomes a keyed hash of its network here; the program's name is not kept.
    """
    if not followed:
        return 0
    return db.writer.submit(
        lambda connection: _count(connection, followed, rules, networks)
    ).result()


def _count(
    connection: Connection, followed: Sequence[Followed], rules: ClickRules, networks: Networks
) -> int:
    begun = clicks.campaigns_of(connection, (each.click.campaign for each in followed))
    clicks.lock(connection, begun)
    alike = _Alike(connection, followed, rules)
    agreed: dict[int, bool] = {}
    rows = []
    for each in followed:
        campaign, person = each.click.campaign, each.click.subscriber
        if campaign not in begun:
            continue
        since = begun[campaign]
        if person is not None:
            if person not in agreed:
                agreed[person] = clicks.consenting(connection, person)
            if not agreed[person]:
                continue
            since = clicks.accepted_at(connection, campaign, person)
        row = Row(
            campaign=campaign,
            number=each.click.number,
            at=each.at,
            subscriber=person,
            network=networks.hashed(each.ip, campaign, each.at),
            verdict=rules.judge(each.agent, each.ip, each.at, since) or "",
        )
        if alike.room(row):
            rows.append(row)
    clicks.add(connection, rows)
    _judge_together(connection, rows, rules)
    return len(rows)


class _Alike:
    """Counts the clicks on one link from one network that lie close together in time."""

    def __init__(
        self, connection: Connection, followed: Sequence[Followed], rules: ClickRules
    ) -> None:
        self._connection = connection
        self._first = min(each.at for each in followed) - rules.horizon_ms
        self._last = max(each.at for each in followed)
        self._known: dict[int, Counter[tuple[int, bytes | None]]] = {}

    def room(self, row: Row) -> bool:
        """Whether one more is to be kept; it is counted then."""
        known = self._known.get(row.campaign)
        if known is None:
            near = clicks.between(self._connection, row.campaign, self._first, self._last)
            known = Counter((each.number, each.network) for each in near)
            self._known[row.campaign] = known
        known[row.number, row.network] += 1
        most = MOST_ALIKE if row.network is not None else MOST_ALIKE * _UNKNOWN
        return known[row.number, row.network] <= most


def _judge_together(connection: Connection, rows: Iterable[Row], rules: ClickRules) -> None:
    moments: dict[int, list[int]] = {}
    for row in rows:
        moments.setdefault(row.campaign, []).append(row.at)
    for campaign, times in moments.items():
        first, last = min(times) - rules.horizon_ms, max(times) + rules.horizon_ms
        near = clicks.between(connection, campaign, first, last)
        found = rules.together(near)
        unsettled = {each.id for each in near if not each.verdict}
        clicks.settle(connection, {number: v for number, v in found.items() if number in unsettled})
