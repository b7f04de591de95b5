"""Counts followed links and image loads: under nobody's name unless its reader agreed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from mailer.message.click_links import Click, read_click
from mailer.message.click_rules import ClickRules, Networks
from mailer.message.image_loads import PICTURE, PICTURE_TYPE, Load, read_load
from mailer.message.links import KeyRing
from mailer.model.measuring import ClickVerdict
from mailer.store import clicks
from mailer.store.clicks import Log, Row
from mailer.store.database import Database

MOST_ALIKE = 200  # clicks on one link from one network within the rules' horizon
_UNKNOWN = 100  # times as many where the network is not known
# Of these the network is a provider's and no reader's: nothing is kept of it.
_NOT_A_READERS = (ClickVerdict.ahead, ClickVerdict.proxy)


Asked = Click | Load  # what an address says that is counted


@dataclass(frozen=True, slots=True)
class Followed:
    """A link that was followed, or a picture that was loaded: what its address says, and who
    asked for it at what moment (ms).
    """

    click: Asked
    at: int
    ip: str
    agent: str

    @property
    def is_click(self) -> bool:
        return isinstance(self.click, Click)

    @property
    def log(self) -> Log:
        return Log.clicks if self.is_click else Log.loads

    @property
    def number(self) -> int:
        return self.click.number if isinstance(self.click, Click) else 0


def open_load(path: str, *, keys: KeyRing) -> Load | None:
    """What the path behind ``/load/`` says; None when it is not genuine."""
    return read_load(keys, path)


def show_counted_picture() -> tuple[bytes, str]:
    """The picture itself, the same for all, and its media type."""
    return PICTURE, PICTURE_TYPE


def open_click(path: str, *, keys: KeyRing) -> Click | None:
    """What the path behind ``/l/`` says; None when it is not genuine. Nothing is asked or kept."""
    return read_click(keys, path)


def count_clicks(
    followed: Sequence[Followed], *, db: Database, rules: ClickRules, networks: Networks
) -> int:
    """Keeps what was followed and loaded, in a transaction of its own; returns how many rows.

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
    agreed: dict[int, bool] = {}
    kept = 0
    for log in Log:
        some = [each for each in followed if each.log is log and each.click.campaign in begun]
        if some:
            kept += _keep(connection, log, some, rules, networks, begun, agreed)
    return kept


def _keep(
    connection: Connection,
    log: Log,
    followed: Sequence[Followed],
    rules: ClickRules,
    networks: Networks,
    begun: Mapping[int, int | None],
    agreed: dict[int, bool],
) -> int:
    judge = rules.judge if log is Log.clicks else rules.judge_load
    rows = []
    for each in followed:
        campaign, person = each.click.campaign, each.click.subscriber
        since = begun[campaign]
        if person is not None:
            if person not in agreed:
                agreed[person] = clicks.consenting(connection, person)
            if not agreed[person]:
                continue
            since = clicks.accepted_at(connection, campaign, person)
        verdict = judge(each.agent, each.ip, each.at, since)
        unknown = verdict in _NOT_A_READERS
        row = Row(
            campaign=campaign,
            number=each.number,
            at=each.at,
            subscriber=person,
            network=None if unknown else networks.hashed(each.ip, campaign, each.at),
            verdict=verdict or "",
        )
        rows.append(row)
    rows = _with_room(connection, log, rows, rules)
    clicks.add(connection, rows, log)
    _judge_together(connection, log, rows, rules)
    return len(rows)


def _with_room(
    connection: Connection, log: Log, rows: Sequence[Row], rules: ClickRules
) -> list[Row]:
    """Those of the rows for which there is room: of one link, from one network, at a time."""
    kept: list[Row] = []
    for campaign, group in _by_campaign(rows).items():
        first = min(each.at for each in group) - rules.horizon_ms
        last = max(each.at for each in group)
        networks = {each.network for each in group}
        known = Counter(clicks.crowds(connection, campaign, first, last, networks, log))
        for each in group:
            known[each.number, each.network] += 1
            most = MOST_ALIKE if each.network is not None else MOST_ALIKE * _UNKNOWN
            if known[each.number, each.network] <= most:
                kept.append(each)
    return kept


def _judge_together(
    connection: Connection, log: Log, rows: Iterable[Row], rules: ClickRules
) -> None:
    # What a provider's machine fetched tells nothing about others.
    rows = [each for each in rows if each.verdict not in _NOT_A_READERS]
    for campaign, group in _by_campaign(rows).items():
        first = min(each.at for each in group) - rules.horizon_ms
        last = max(each.at for each in group) + rules.horizon_ms
        near = clicks.near(connection, campaign, first, last, group, log)
        found = rules.together(near)
        unsettled = {each.id for each in near if not each.verdict}
        settled = {number: v for number, v in found.items() if number in unsettled}
        clicks.settle(connection, settled, log)


def _by_campaign(rows: Iterable[Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for row in rows:
        found.setdefault(row.campaign, []).append(row)
    return found
