"""The ledger claims, settles and recovers without ever losing count of anybody."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from mailer.errors import BusyError, StoppedError
from mailer.model.words import (
    DELIVERY_MOVES,
    CampaignState,
    Cause,
    Counts,
    DeliveryState,
    Reply,
    Stage,
    SubscriptionStatus,
)
from mailer.store import campaigns, maintenance, planning, recorder, runs
from mailer.store.claims import Claimed, Exchange, Ledger, _ranges
from mailer.store.database import Database
from mailer.store.dialect import _SIZES, _positional, json_rows
from mailer.store.lanes import Day, left_today
from mailer.store.ledger import (
    _ACCEPT,
    _ACCEPTED,
    _SETTLE,
    _SETTLED,
    Settled,
    Settlements,
    allow,
    counts,
)
from tests.builders import make_list, make_subscriber, plan_people, subscribe, suppress

THEN = datetime(2026, 11, 24, tzinfo=UTC)
NOW = runs.milliseconds(THEN)
HOUR = 3_600_000
_S = DeliveryState


def plan(db: Database, people: int, *, slug: str = "edition") -> tuple[int, int, list[int]]:
    """A planned campaign: its id, its list's id and its people's."""
    list_id = make_list(db, slug)
    ids = [make_subscriber(db, f"{slug}{n}@example{n % 3}.org") for n in range(people)]
    for subscriber in ids:
        subscribe(db, subscriber, list_id)
    campaign_id, variants = planning.create(
        db,
        planning.Content(
            issue=slug,
            folder=".",
            content_hash="",
            list_id=list_id,
            subject="",
            web_key=slug,
            frozen={"again": False},
            variants=[("en", "", "")],
            pictures=[],
        ),
        now=THEN,
    )
    plan_people(db, campaign_id, variants[0], {s: f"{s}@example.org" for s in ids})
    planning.publish(db, campaign_id, issue=slug, audience=people, excluded={})
    return campaign_id, list_id, ids


def judge(stage: Stage, reply: Reply, attempt: int) -> tuple[DeliveryState, str, int | None]:
    return (_S.accepted, "", None) if reply.positive else (_S.refused, "rejected", None)


def begin(db: Database, campaign_id: int, folder: Path, slots: int = 50) -> runs.Begun:
    return runs.begin(db, campaign_id, folder=folder, slots=slots, now=THEN, judge=judge)


def open_ledger(db: Database, campaign_id: int, list_id: int, run_id: int) -> Ledger:
    return Ledger(campaign_id, list_id, run_id, db.dialect, expires_after_ms=HOUR)


def exchange(
    db: Database, ledger: Ledger, settled: list[Settled], want: int, now: int = NOW
) -> Exchange:
    with db.write() as connection:
        return ledger.exchange(connection, in_few_words(settled), want, now)


def in_few_words(settled: list[Settled]) -> Settlements:
    """As the sender tells them: of who was accepted, nothing but the reply."""
    told = Settlements()
    for row in settled:
        if row.state is _S.accepted and not row.reason:
            told.accepted.append((row.position, row.attempt, row.reply))
        else:
            told.others.append(row)
    return told


def outcome(row: Claimed, state: DeliveryState, due: int | None = None) -> Settled:
    causes = {_S.unknown: Cause.lost, _S.planned: Cause.released}
    return Settled(row.position, row.attempt, state, causes.get(state, Cause.answered), due_at=due)


def test_a_claim_is_durable_and_counted_before_anybody_sees_it(
    db: Database, tmp_path: Path
) -> None:
    campaign_id, list_id, _ = plan(db, 5)
    ledger = open_ledger(db, campaign_id, list_id, begin(db, campaign_id, tmp_path).run_id)

    result = exchange(db, ledger, [], 3)

    assert [row.position for row in result.claimed] == [1, 2, 3]
    assert result.counts == Counts(audience=5, planned=2, sending=3)
    with db.read() as connection:
        rows = connection.execute(
            text("SELECT state, attempt, run_id, first_at FROM delivery ORDER BY position")
        ).all()
    assert [tuple(row) for row in rows[:3]] == [("sending", 1, ledger.run_id, NOW)] * 3
    assert [row.state for row in rows[3:]] == ["planned"] * 2


def test_outcomes_are_written_and_deferred_rows_come_back_when_due(
    db: Database, tmp_path: Path
) -> None:
    campaign_id, list_id, _ = plan(db, 3)
    ledger = open_ledger(db, campaign_id, list_id, begin(db, campaign_id, tmp_path).run_id)
    first, second, third = exchange(db, ledger, [], 9).claimed
    settled = [
        outcome(first, _S.accepted),
        outcome(second, _S.refused),
        outcome(third, _S.deferred, due=NOW + 1000),
    ]

    early = exchange(db, ledger, settled, 9, NOW + 999)
    late = exchange(db, ledger, [], 9, NOW + 1000)

    assert early.claimed == []
    assert early.next_due == NOW + 1000
    assert early.counts == Counts(audience=3, accepted=1, refused=1, deferred=1)
    assert [(row.position, row.attempt, row.was) for row in late.claimed] == [
        (3, 2, DeliveryState.deferred)
    ]
    assert late.claimed[0].first_at == NOW


@pytest.mark.parametrize("reason", ["", "told at length"])
def test_of_a_long_reply_the_beginning_is_kept(db: Database, tmp_path: Path, reason: str) -> None:
    campaign_id, list_id, _ = plan(db, 1)
    ledger = open_ledger(db, campaign_id, list_id, begin(db, campaign_id, tmp_path).run_id)
    (row,) = exchange(db, ledger, [], 1).claimed
    reply = "250 " + "é" * 500
    told = Settled(row.position, row.attempt, _S.accepted, Cause.answered, reason, reply)

    exchange(db, ledger, [told], 0)

    with db.read() as connection:
        kept = connection.execute(text("SELECT reason, reply FROM delivery")).one()
    assert tuple(kept) == (reason, reply[:300])


def test_a_deferred_row_expires(db: Database, tmp_path: Path) -> None:
    campaign_id, list_id, _ = plan(db, 1)
    ledger = open_ledger(db, campaign_id, list_id, begin(db, campaign_id, tmp_path).run_id)
    (row,) = exchange(db, ledger, [], 1).claimed
    exchange(db, ledger, [outcome(row, _S.deferred, due=NOW)], 0)

    result = exchange(db, ledger, [], 1, NOW + HOUR + 1)

    assert result.claimed == []
    assert result.counts == Counts(audience=1, refused=1)
    with db.read() as connection:
        assert campaigns.reasons(connection, campaign_id) == {_S.refused: {"expired": 1}}


def test_whoever_is_retried_has_their_whole_time_again(db: Database, tmp_path: Path) -> None:
    campaign_id, list_id, _ = plan(db, 1)
    ledger = open_ledger(db, campaign_id, list_id, begin(db, campaign_id, tmp_path).run_id)
    (row,) = exchange(db, ledger, [], 1).claimed
    exchange(db, ledger, [outcome(row, _S.deferred, due=NOW)], 0)
    late = NOW + 5 * HOUR
    assert exchange(db, ledger, [], 1, late).counts == Counts(audience=1, refused=1)

    with db.write() as connection:
        assert campaigns.retry_refused(connection, campaign_id, late) == 1
    (row,) = exchange(db, ledger, [], 1, late).claimed
    exchange(db, ledger, [outcome(row, _S.deferred, due=late)], 0, late)
    (row,) = exchange(db, ledger, [], 1, late + HOUR).claimed  # more than one try
    assert (row.attempt, row.first_at) == (3, NOW)  # and the Date of the first
    exchange(db, ledger, [outcome(row, _S.deferred, due=late)], 0, late)
    over = exchange(db, ledger, [], 1, late + HOUR + 1)

    assert over.counts == Counts(audience=1, refused=1)


def test_what_a_killed_run_had_not_begun_makes_room_on_its_day(
    db: Database, tmp_path: Path
) -> None:
    campaign_id, list_id, _ = plan(db, 5)
    dead = begin(db, campaign_id, tmp_path)
    ledger = open_ledger(db, campaign_id, list_id, dead.run_id)
    day = Day("2026-11-24", 3)
    with db.write() as connection:
        rows = ledger.exchange(connection, Settlements(), 5, NOW, day=day).claimed
    assert len(rows) == 3
    slot = dead.recorder.claim(rows[0].position, rows[0].attempt)
    dead.recorder.started(slot, b"h" * 16)
    dead.recorder.answered(slot, Stage.dot, Reply(250, "queued"))
    dead.recorder.close(remove=False)

    begun = begin(db, campaign_id, tmp_path)

    assert (begun.found.released, begun.found.answered) == (2, 1)
    with db.write() as connection:
        assert left_today(connection, db.dialect, day) == 2


def test_a_released_row_keeps_its_attempts(db: Database, tmp_path: Path) -> None:
    campaign_id, list_id, _ = plan(db, 1)
    ledger = open_ledger(db, campaign_id, list_id, begin(db, campaign_id, tmp_path).run_id)
    (row,) = exchange(db, ledger, [], 1).claimed

    again = exchange(db, ledger, [outcome(row, _S.planned)], 1)

    assert [(r.position, r.attempt, r.was) for r in again.claimed] == [(1, 1, _S.planned)]


def test_whoever_left_after_the_plan_is_skipped_with_the_reason(
    db: Database, tmp_path: Path
) -> None:
    campaign_id, list_id, ids = plan(db, 4)
    with db.write() as connection:
        connection.execute(
            text("UPDATE subscription SET status = 'unsubscribed' WHERE subscriber_id = :s"),
            {"s": ids[0]},
        )
        connection.execute(text("DELETE FROM subscriber WHERE id = :s"), {"s": ids[1]})
    suppress(db, "edition2@example2.org")
    ledger = open_ledger(db, campaign_id, list_id, begin(db, campaign_id, tmp_path).run_id)

    result = exchange(db, ledger, [], 9)

    assert [row.position for row in result.claimed] == [4]
    assert result.counts == Counts(audience=4, skipped=3, sending=1)
    with db.read() as connection:
        assert campaigns.reasons(connection, campaign_id) == {
            _S.skipped: {"erased": 1, "suppressed": 1, SubscriptionStatus.unsubscribed: 1}
        }


def test_a_row_that_somebody_else_has_ended_is_passed_over(db: Database, tmp_path: Path) -> None:
    campaign_id, list_id, ids = plan(db, 3)
    with db.write() as connection:
        for statement in (
            "UPDATE delivery SET state = 'skipped', reason = 'told' WHERE position = 1",
            "UPDATE tally SET planned = planned - 1, skipped = skipped + 1",
            f"UPDATE subscription SET status = 'unsubscribed' WHERE subscriber_id = {ids[0]}",
        ):
            connection.execute(text(statement))
    ledger = open_ledger(db, campaign_id, list_id, begin(db, campaign_id, tmp_path).run_id)

    result = exchange(db, ledger, [], 3)

    assert ([row.position for row in result.claimed], result.looked_at) == ([2, 3], 3)
    assert result.counts == Counts(audience=3, skipped=1, sending=2)
    with db.read() as connection:
        assert campaigns.reasons(connection, campaign_id) == {_S.skipped: {"told": 1}}


def test_a_break_and_the_wish_for_fewer_mails_count_while_a_campaign_is_being_sent(
    db: Database, tmp_path: Path
) -> None:
    day = 24 * HOUR
    campaign_id, list_id, ids = plan(db, 6)
    other, _, _ = plan(db, 0, slug="earlier")
    with db.write() as connection:
        run = connection.execute
        pause = text("UPDATE subscription SET paused_until = :until WHERE subscriber_id = :s")
        run(pause, {"s": ids[0], "until": NOW + 1})
        run(pause, {"s": ids[1], "until": NOW})  # over at this moment
        for subscriber, at in ((ids[2], NOW - 27 * day + 1), (ids[3], NOW - 27 * day)):
            run(text("UPDATE subscriber SET fewer_days = 27 WHERE id = :s"), {"s": subscriber})
            got = (
                "INSERT INTO delivery (campaign_id, position, subscriber_id, variant_id, state,"
                " attempt, reason, reply, at) SELECT :c, :s, :s, variant_id, 'accepted', 1, '', '',"
                " :at FROM delivery WHERE campaign_id = :own AND position = 1"
            )
            run(text(got), {"c": other, "s": subscriber, "own": campaign_id, "at": at})
        run(text("UPDATE subscriber SET fewer_days = 88 WHERE id = :s"), {"s": ids[4]})
    ledger = open_ledger(db, campaign_id, list_id, begin(db, campaign_id, tmp_path).run_id)

    result = exchange(db, ledger, [], 9)

    assert sorted(row.subscriber_id for row in result.claimed) == [ids[1], ids[3], ids[4], ids[5]]
    with db.read() as connection:
        reasons = campaigns.reasons(connection, campaign_id)
    assert reasons == {_S.skipped: {"fewer_mails": 1, "paused": 1}}


@pytest.mark.parametrize("reason", ["", "told at length"])
def test_an_outcome_of_another_attempt_is_a_fault(
    db: Database, tmp_path: Path, reason: str
) -> None:
    campaign_id, list_id, _ = plan(db, 1)
    ledger = open_ledger(db, campaign_id, list_id, begin(db, campaign_id, tmp_path).run_id)
    (row,) = exchange(db, ledger, [], 1).claimed
    wrong = Settled(row.position, row.attempt + 1, _S.accepted, Cause.answered, reason)

    with pytest.raises(StoppedError, match="moved 0 rows"):
        exchange(db, ledger, [wrong], 0)


def test_a_run_that_was_ended_can_write_nothing(db: Database, tmp_path: Path) -> None:
    campaign_id, list_id, _ = plan(db, 1)
    begun = begin(db, campaign_id, tmp_path)
    ledger = open_ledger(db, campaign_id, list_id, begun.run_id)
    runs.end(db, campaign_id, begun.run_id, because="", wire_seconds=0, now=THEN)

    with pytest.raises(StoppedError, match="taken this campaign over"):
        exchange(db, ledger, [], 1)


def test_two_runs_of_one_campaign_at_once_are_refused(db: Database, tmp_path: Path) -> None:
    campaign_id, _, _ = plan(db, 1)
    begun = begin(db, campaign_id, tmp_path)

    with pytest.raises(BusyError, match="being sent by another process"):
        begin(db, campaign_id, tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".recorder"] == [
        begun.recorder.file.name
    ]


def test_a_dead_run_is_settled_by_its_recorder(db: Database, tmp_path: Path) -> None:
    campaign_id, list_id, _ = plan(db, 5)
    dead = begin(db, campaign_id, tmp_path)
    ledger = open_ledger(db, campaign_id, list_id, dead.run_id)
    rows = exchange(db, ledger, [], 5).claimed
    slots = [dead.recorder.claim(row.position, row.attempt) for row in rows[:4]]  # not the fifth
    for slot in slots[1:]:
        dead.recorder.started(slot, b"h" * 16)
    dead.recorder.answered(slots[2], Stage.dot, Reply(250, "queued"))
    dead.recorder.answered(slots[3], Stage.dot, Reply(554, "no"))
    dead.recorder.close(remove=False)

    begun = begin(db, campaign_id, tmp_path)

    assert (begun.found.released, begun.found.answered, begun.found.unknown) == (2, 2, 1)
    with db.read() as connection:
        assert counts(connection, campaign_id) == Counts(
            audience=5, planned=2, accepted=1, refused=1, unknown=1
        )
    assert not dead.recorder.file.exists()
    ledger = open_ledger(db, campaign_id, list_id, begun.run_id)
    assert [row.position for row in exchange(db, ledger, [], 9).claimed] == [1, 5]


def test_without_a_recorder_to_believe_the_whole_window_is_unknown(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign_id, list_id, _ = plan(db, 3)
    dead = begin(db, campaign_id, tmp_path)
    ledger = open_ledger(db, campaign_id, list_id, dead.run_id)
    for row in exchange(db, ledger, [], 3).claimed:
        dead.recorder.claim(row.position, row.attempt)
    dead.recorder.close(remove=False)
    monkeypatch.setattr(recorder, "boot_id", lambda: "after the power cut")
    with pytest.raises(BusyError):  # it may be another machine of the same name, and alive
        begin(db, campaign_id, tmp_path)
    with db.write() as connection:
        connection.execute(text("UPDATE run SET heartbeat_at = 0"))

    begun = begin(db, campaign_id, tmp_path)

    assert begun.found.unknown == 3
    ledger = open_ledger(db, campaign_id, list_id, begun.run_id)
    assert exchange(db, ledger, [], 9).claimed == []


def test_unknown_people_are_sent_again_only_when_told(db: Database, tmp_path: Path) -> None:
    campaign_id, list_id, _ = plan(db, 1)
    begun = begin(db, campaign_id, tmp_path)
    ledger = open_ledger(db, campaign_id, list_id, begun.run_id)
    (row,) = exchange(db, ledger, [], 1).claimed
    assert exchange(db, ledger, [outcome(row, _S.unknown)], 9).claimed == []

    with db.write() as connection:
        moved = campaigns.decide_unknown(connection, campaign_id, _S.planned, NOW)

    assert moved == 1
    assert [r.position for r in exchange(db, ledger, [], 9).claimed] == [1]


def test_a_pause_claims_nothing_more(db: Database, tmp_path: Path) -> None:
    campaign_id, list_id, _ = plan(db, 2)
    ledger = open_ledger(db, campaign_id, list_id, begin(db, campaign_id, tmp_path).run_id)
    with db.write() as connection:
        runs.move_campaign(connection, campaign_id, CampaignState.paused, now=THEN)

    result = exchange(db, ledger, [], 9)

    assert (result.claimed, result.campaign_state) == ([], CampaignState.paused)


def test_cancelling_skips_the_rest(db: Database, tmp_path: Path) -> None:
    campaign_id, list_id, _ = plan(db, 3)
    begun = begin(db, campaign_id, tmp_path)
    ledger = open_ledger(db, campaign_id, list_id, begun.run_id)
    (row,) = exchange(db, ledger, [], 1).claimed
    with db.write() as connection:
        runs.move_campaign(connection, campaign_id, CampaignState.cancelled, now=THEN)
        campaigns.skip_rest(connection, campaign_id, "cancelled", NOW)
    exchange(db, ledger, [outcome(row, _S.planned)], 9)

    state = runs.end(db, campaign_id, begun.run_id, because="", wire_seconds=0, now=THEN)

    assert state is CampaignState.cancelled
    with db.read() as connection:
        assert counts(connection, campaign_id) == Counts(audience=3, skipped=3)


def test_groups_of_every_size_are_written_whole(db: Database, tmp_path: Path) -> None:
    campaign_id, list_id, _ = plan(db, 130)
    ledger = open_ledger(db, campaign_id, list_id, begin(db, campaign_id, tmp_path).run_id)
    rows = list(exchange(db, ledger, [], 130).claimed)
    done = 0
    for size in (1, 9, 13, 107):
        some, rows = rows[:size], rows[size:]
        done += size

        result = exchange(db, ledger, [outcome(row, _S.accepted) for row in some], 0)

        assert result.counts == Counts(audience=130, accepted=done, sending=130 - done)


@pytest.mark.parametrize(
    ("positions", "ranges"),
    [
        ([7], [(7, 7)]),
        ([1, 2, 3], [(1, 3)]),
        ([1, 40, 2, 41, 3], [(1, 3), (40, 41)]),
        ([9, 5, 7], [(5, 5), (7, 7), (9, 9)]),
    ],
)
def test_what_is_claimed_together_is_marked_range_by_range(
    positions: list[int], ranges: list[tuple[int, int]]
) -> None:
    assert _ranges(positions) == ranges


def test_whoever_comes_back_is_claimed_with_the_next_ones(db: Database, tmp_path: Path) -> None:
    campaign_id, list_id, _ = plan(db, 9)
    ledger = open_ledger(db, campaign_id, list_id, begin(db, campaign_id, tmp_path).run_id)
    rows = exchange(db, ledger, [], 6).claimed
    back = [outcome(row, _S.planned) for row in rows if row.position in (2, 5)]

    again = exchange(db, ledger, back, 5)

    assert [row.position for row in again.claimed] == [2, 5, 7, 8, 9]
    assert again.counts == Counts(audience=9, sending=9)


def test_no_move_outside_of_the_table_can_be_written() -> None:
    legal = {(a, b, cause) for (a, b), causes in DELIVERY_MOVES.items() for cause in causes}
    for source in DeliveryState:
        for target in DeliveryState:
            for cause in Cause:
                if (source, target, cause) in legal:
                    allow(source, target, cause)
                else:
                    with pytest.raises(ValueError, match="can't move"):
                        allow(source, target, cause)


def test_no_move_scans_the_campaign(sqlite_template: Path, tmp_path: Path) -> None:
    """A plain join would: the planner has no idea how few rows an array or a list holds."""
    from mailer.store.database import database_url

    array = json_rows("sqlite", "rows", [("position", "INTEGER")])
    moves = [
        (
            "UPDATE delivery SET state = 'sending'"
            f" FROM {array} AS w WHERE delivery.campaign_id = 1 AND delivery.position = w.position"
        ),
        *(
            _positional(statement, tuple(name for name, _ in columns), n)[0]
            for statement, columns in ((_SETTLE, _SETTLED), (_ACCEPT, _ACCEPTED))
            for n in _SIZES
        ),
    ]
    with Database(database_url(f"sqlite:///{sqlite_template}", tmp_path)) as db:
        for statement in moves:
            with db.read() as connection:
                driver = connection.connection.dbapi_connection
                assert driver is not None
                cursor = driver.cursor()
                bound = [None] * statement.count("?") or {"rows": "[[1]]"}
                cursor.execute(f"EXPLAIN QUERY PLAN {statement}", bound)
                steps = [row[3] for row in cursor.fetchall()]

            assert any(
                "SEARCH delivery USING PRIMARY KEY (campaign_id=? AND position=?)" in s
                for s in steps
            )
            assert not any(step.startswith("SCAN delivery") for step in steps)


CHOICES = (_S.accepted, _S.refused, _S.deferred, _S.unknown, _S.planned)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_counts_balance_and_nobody_is_claimed_twice_whatever_happens(
    data: st.DataObject, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Any sequence of claims, answers, deaths and decisions leaves everybody with one fate."""
    import shutil

    from mailer.store.database import database_url

    folder = tmp_path_factory.mktemp("ledger")
    shutil.copy(sqlite_template, folder / "mailer.db")
    with Database(database_url("sqlite:///mailer.db", folder)) as db:
        campaign_id, list_id, _ = plan(db, 12)
        now = NOW
        final: dict[int, DeliveryState] = {}
        begun = begin(db, campaign_id, folder, 6)
        flying: list[tuple[Claimed, int]] = []
        for _ in range(data.draw(st.integers(1, 12))):
            ledger = open_ledger(db, campaign_id, list_id, begun.run_id)
            if data.draw(st.booleans()):
                settled = []
                for row, _slot in flying:
                    state = data.draw(st.sampled_from(CHOICES))
                    state = row.was if state is _S.planned else state
                    released = state is row.was
                    cause = Cause.released if released else outcome(row, state).cause
                    settled.append(Settled(row.position, row.attempt, state, cause, due_at=now))
                    if not released and state is not _S.deferred:
                        final[row.position] = state
                result = exchange(db, ledger, settled, data.draw(st.integers(0, 6)), now)
                for _row, slot in flying:
                    begun.recorder.free(slot)
                assert not {row.position for row in result.claimed} & final.keys()
                flying = [
                    (row, begun.recorder.claim(row.position, row.attempt)) for row in result.claimed
                ]
                assert result.counts.balanced
            else:  # the process dies, with some texts started
                for row, slot in flying:
                    if data.draw(st.booleans()):
                        begun.recorder.started(slot, b"h" * 16)
                        final[row.position] = _S.unknown
                begun.recorder.close(remove=False)
                begun = begin(db, campaign_id, folder, 6)
                flying = []
            now += 1000
        begun.recorder.close(remove=False)
        with db.read() as connection:
            rows = connection.execute(text("SELECT position, state FROM delivery")).all()
        assert {row.position: row.state for row in rows if row.position in final} == final
        assert maintenance.faults(db) == []
