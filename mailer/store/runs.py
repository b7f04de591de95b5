"""Runs: one process sends one campaign; what a dead one left behind is settled first.

The row in ``run`` is the lease, its id the fencing number. On this machine the lock on the flight
recorder tells a dead owner from a slow one, so the next send starts at once. A run of another
machine is believed dead when its heartbeat is older than ``LEASE_MS``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, BindParameter, Connection, Row, bindparam, insert, text
from sqlmodel import col
from sqlmodel.sql.sqltypes import UTCDateTime

from mailer.errors import BusyError, InputError, MailerError
from mailer.message.known_replies import LONGEST_SUSPENSION
from mailer.model.campaigns import Run
from mailer.model.words import CAMPAIGN_MOVES, CampaignState, Cause, DeliveryState, Reply, Stage
from mailer.store import recorder as recorders
from mailer.store.campaigns import siblings_under_way, skip_rest
from mailer.store.database import Database
from mailer.store.dialect import for_update
from mailer.store.erasure import sweep
from mailer.store.lanes import give_back
from mailer.store.ledger import Moved, Settled, campaign_state, settle, tally
from mailer.store.planning import skip_already_sent
from mailer.store.processes import is_gone
from mailer.store.recorder import Mark, Recorder, Seen

LEASE_MS = 120_000
_FORGOTTEN_AT_ONCE = 8_000  # snapshots in one write transaction: some 20 ms
_S = DeliveryState

# Turns the answer that a recorder holds into what the ledger would have got.
Judge = Callable[[Stage, Reply, int], tuple[DeliveryState, str, int | None]]


@dataclass(frozen=True, slots=True)
class Recovered:
    """What dead runs had left in ``sending``, in numbers."""

    released: int = 0
    answered: int = 0
    unknown: int = 0
    files: tuple[Path, ...] = ()

    def forget(self) -> None:
        """Removes the recorders; only after the commit that settled their rows."""
        for file in self.files:
            file.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Begun:
    """A run that may claim, and what its predecessors left."""

    run_id: int
    recorder: Recorder
    found: Recovered


def begin(
    db: Database,
    campaign_id: int,
    *,
    folder: Path,
    slots: int,
    now: datetime,
    judge: Judge,
    again: bool = False,
    first_delay: int = 0,
    only_from: Collection[CampaignState] = (),
) -> Begun:
    """Takes the campaign for this process; ``folder`` is where recorders lie.

    Unless ``again``, no other campaign of the issue may be under way, and whoever got the issue
    from one is skipped: both are decided here, with all of the issue's campaigns held, so that two
    sends at one moment can't both go on. Deferred people are due ``first_delay`` ms after their
    last try at the latest. Raises BusyError when another process is
    sending it or has moved it out of the states ``only_from``, InputError when the issue is under
    way elsewhere, MailerError when its state forbids.
    """
    recorder: Recorder | None = None
    try:
        with db.write() as connection:
            lock_issue(connection, db.dialect, campaign_id)
            _require_state(connection, campaign_id, only_from)
            found = recover(connection, campaign_id, folder=folder, now=now, judge=judge)
            if not again:
                _require_alone(connection, campaign_id)
                moved = skip_already_sent(connection, campaign_id, milliseconds(now))
                tally(connection, campaign_id, moved)
            _advance_waiting(connection, campaign_id, first_delay, milliseconds(now))
            file = (folder / recorder_name(connection, campaign_id)).absolute()
            run_id = _insert_run(connection, campaign_id, file, now)
            recorder = Recorder(file, identity=identity(connection), run=run_id, slots=slots)
            move_campaign(connection, campaign_id, CampaignState.sending, now=now)
    except BaseException:
        if recorder is not None:
            recorder.close(remove=True)
        raise
    found.forget()
    return Begun(run_id, recorder, found)


def recover(
    connection: Connection,
    campaign_id: int,
    *,
    folder: Path,
    now: datetime,
    judge: Judge,
) -> Recovered:
    """Settles what dead runs left behind and ends them.

    Raises BusyError when one of them is alive.
    """
    total = Recovered()
    for run in _open_runs(connection, campaign_id):
        _refuse_if_alive(run, folder, milliseconds(now))
        released, answered, unknown = _recover(connection, run, folder, milliseconds(now), judge)
        _end_row(connection, run.id, now)
        here = run.host == recorders.host()
        total = Recovered(
            total.released + released,
            total.answered + answered,
            total.unknown + unknown,
            (*total.files, folder / run.recorder) if here else total.files,
        )
    sweep(connection, campaign_id)
    return total


def end(
    db: Database, campaign_id: int, run_id: int, *, because: str, wire_seconds: float, now: datetime
) -> CampaignState:
    """Ends a run whose rows are all settled; the campaign is finished when nobody is left to try.

    A pause or a cancel that came meanwhile stays as it is. Snapshots of people whose row is final
    go now: what the mail said about them is not needed again.
    """
    with db.write() as connection:
        lock_campaign(connection, db.dialect, campaign_id)
        _end_row(connection, run_id, now)
        connection.execute(
            text(
                # A pause that came after the last look keeps its words: no worker goes on then.
                "UPDATE campaign SET stopped_because = CASE WHEN state = 'paused' AND :because = ''"
                " THEN stopped_because ELSE :because END,"
                " wire_seconds = wire_seconds + :seconds WHERE id = :campaign"
            ),
            {"because": because[:500], "seconds": wire_seconds, "campaign": campaign_id},
        )
        state = campaign_state(connection, campaign_id)
        if state is CampaignState.cancelled:
            skip_rest(connection, campaign_id, "cancelled", milliseconds(now))
        if state is CampaignState.sending:
            state = CampaignState.paused
            if left_to_try(connection, campaign_id) == 0:
                state = CampaignState.finished
            move_campaign(connection, campaign_id, state, now=now)
    _forget(db, campaign_id)
    return state


def _forget(db: Database, campaign_id: int) -> None:
    """Takes away what the mail said about people whose row is final.

    In slices: a million at once would keep an unsubscribe waiting.
    """
    with db.read() as connection:
        last = connection.execute(
            text("SELECT max(position) FROM snapshot WHERE campaign_id = :campaign"),
            {"campaign": campaign_id},
        ).scalar()
    for first in range(1, int(last or 0) + 1, _FORGOTTEN_AT_ONCE):
        with db.write() as connection:
            connection.execute(
                text(
                    "DELETE FROM snapshot WHERE campaign_id = :campaign"
                    # Of those who stay, there are few: a short list to look at for each.
                    " AND position BETWEEN :first AND :last AND position NOT IN ("
                    " SELECT position FROM delivery WHERE campaign_id = :campaign"
                    " AND position BETWEEN :first AND :last"
                    " AND state NOT IN ('accepted', 'skipped'))"
                ),
                {
                    "campaign": campaign_id,
                    "first": first,
                    "last": first + _FORGOTTEN_AT_ONCE - 1,
                },
            )
    with db.write() as connection:
        sweep(connection, campaign_id)


def left_to_try(connection: Connection, campaign_id: int) -> int:
    return int(
        connection.execute(
            text('SELECT planned + sending + "deferred" FROM tally WHERE campaign_id = :campaign'),
            {"campaign": campaign_id},
        ).scalar_one()
    )


def alive(connection: Connection, campaign_id: int, folder: Path, now: datetime) -> Row[Any] | None:
    """The run that is sending this campaign at the moment, if there is one."""
    for run in _open_runs(connection, campaign_id):
        try:
            _refuse_if_alive(run, folder, milliseconds(now))
        except BusyError:
            return run
    return None


def move_campaign(
    connection: Connection, campaign_id: int, target: CampaignState, *, now: datetime
) -> None:
    """Moves a campaign along its table. Raises MailerError for a move that is not in it."""
    current = campaign_state(connection, campaign_id)
    if current is target:
        return
    if target not in CAMPAIGN_MOVES[current]:
        slug = connection.execute(
            text("SELECT slug FROM campaign WHERE id = :campaign"), {"campaign": campaign_id}
        ).scalar_one()
        raise MailerError(
            f"The campaign “{slug}” is {current}; it can't become {target}.",
            hint=f"`mailer campaigns show {slug}` tells more.",
        )
    stamp = ""
    if target is CampaignState.sending:
        stamp = ", started_at = coalesce(started_at, :now), finished_at = NULL"
    elif target in (CampaignState.finished, CampaignState.cancelled):
        stamp = ", finished_at = :now"
    connection.execute(
        text(f"UPDATE campaign SET state = :state{stamp} WHERE id = :campaign").bindparams(
            *([_instant("now", now)] if stamp else [])
        ),
        {"state": target, "campaign": campaign_id},
    )


def _require_state(
    connection: Connection, campaign_id: int, only_from: Collection[CampaignState]
) -> None:
    state = campaign_state(connection, campaign_id)
    if only_from and state not in only_from:
        raise BusyError(f"The campaign is {state} by now.")


def _require_alone(connection: Connection, campaign_id: int) -> None:
    under_way = siblings_under_way(connection, campaign_id)
    if under_way:
        raise InputError(
            f"The same issue is under way as “{under_way[0]}”, and nobody may get it twice.",
            hint=f"Finish it with `mailer campaigns send {under_way[0]}`,"
            f" or `mailer campaigns cancel {under_way[0]}`.",
        )


def _advance_waiting(connection: Connection, campaign_id: int, first_delay: int, now: int) -> None:
    """A send that is started again tries deferred people soon, whatever they were told before.

    Neither they nor released people wait for a time that lies ahead only because the clock was set
    back meanwhile, nor does a provider rest longer than any ever wants to.
    """
    rested = now + LONGEST_SUSPENSION * 1000
    connection.execute(
        text(
            "UPDATE lane SET resume_at = :rested"
            " WHERE campaign_id = :campaign AND resume_at > :rested AND held = 0"
        ),
        {"campaign": campaign_id, "rested": rested},
    )
    last_try = "CASE WHEN d.at > :now THEN :now ELSE d.at END"
    due = f"CASE WHEN d.state = 'planned' THEN :now ELSE {last_try} + :delay END"
    connection.execute(
        text(
            f"UPDATE waiting SET due_at = {due} FROM delivery d"
            " WHERE waiting.campaign_id = :campaign AND d.campaign_id = waiting.campaign_id"
            " AND d.position = waiting.position AND d.state IN ('planned', 'deferred')"
            f" AND waiting.due_at > {due}"
        ).bindparams(
            bindparam("now", now, BigInteger()), bindparam("delay", first_delay, BigInteger())
        ),
        {"campaign": campaign_id},
    )


def recover_issue(db: Database, issue: str, *, folder: Path, now: datetime, judge: Judge) -> None:
    """Settles what dead runs of any campaign of an issue left; live ones are left alone."""
    with db.read() as connection:
        waiting = connection.execute(
            text(
                "SELECT DISTINCT c.id FROM campaign c JOIN run r ON r.campaign_id = c.id"
                " WHERE c.issue = :issue AND r.ended_at IS NULL ORDER BY c.id"
            ),
            {"issue": issue},
        ).scalars()
        campaign_ids = list(waiting)
    for campaign_id in campaign_ids:
        found = Recovered()
        with db.write() as connection:
            lock_campaign(connection, db.dialect, campaign_id)
            try:
                found = recover(connection, campaign_id, folder=folder, now=now, judge=judge)
            except BusyError:
                continue
            if campaign_state(connection, campaign_id) is CampaignState.cancelled:
                skip_rest(connection, campaign_id, "cancelled", milliseconds(now))
        found.forget()


def lock_issue(connection: Connection, dialect: str, campaign_id: int) -> None:
    """Holds every campaign of this one's issue until the transaction ends."""
    connection.execute(
        text(
            "SELECT id FROM campaign WHERE issue ="
            f" (SELECT issue FROM campaign WHERE id = :campaign) ORDER BY id{for_update(dialect)}"
        ),
        {"campaign": campaign_id},
    ).all()


def lock_campaign(connection: Connection, dialect: str, campaign_id: int) -> None:
    """Holds the campaign's row until the transaction ends, so that two can't move it at once."""
    connection.execute(
        text(f"SELECT id FROM campaign WHERE id = :campaign{for_update(dialect)}"),
        {"campaign": campaign_id},
    )


def identity(connection: Connection) -> str:
    return str(connection.execute(text("SELECT identity FROM instance")).scalar_one())


def recorder_name(connection: Connection, campaign_id: int) -> str:
    """Names a recorder after the database too: another one's runs have the same numbers."""
    last = connection.execute(text("SELECT coalesce(max(id), 0) FROM run")).scalar_one()
    return f"{identity(connection)[:8]}-{campaign_id}-{last + 1}.recorder"


def milliseconds(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)


def _open_runs(connection: Connection, campaign_id: int) -> list[Row[Any]]:
    return list(
        connection.execute(
            text(
                "SELECT id, campaign_id, host, boot_id, pid, recorder, started_at, heartbeat_at"
                " FROM run WHERE campaign_id = :campaign AND ended_at IS NULL ORDER BY id"
            ),
            {"campaign": campaign_id},
        )
    )


def _refuse_if_alive(run: Row[Any], folder: Path, now_ms: int) -> None:
    if _lives(run, folder, now_ms):
        raise BusyError(
            f"The campaign is being sent by another process ({run.pid} on {run.host}).",
            hint=f"Watch it with `mailer campaigns show {run.campaign_id}`, "
            f"or stop it with `mailer campaigns pause {run.campaign_id}`.",
        )


def _lives(run: Row[Any], folder: Path, now_ms: int) -> bool:
    """Whether a run's process is alive: its lock tells at once; without it, its heartbeat.

    The same host name with another boot may be another machine (containers share names), so there
    too the heartbeat decides.
    """
    fresh = abs(now_ms - run.heartbeat_at) < LEASE_MS  # a clock may have been set back
    if run.host != recorders.host() or run.boot_id != recorders.boot_id():
        return bool(fresh)
    held = recorders.alive(folder / run.recorder)
    if held is None:  # the file is gone, or another officer's
        return bool(fresh) and not is_gone(f"{run.host} {run.boot_id} {run.pid}")
    return held


def _recover(
    connection: Connection,
    run: Row[Any],
    folder: Path,
    now_ms: int,
    judge: Judge,
) -> tuple[int, int, int]:
    """Settles what a dead run left in ``sending``: released, answered and unknown, in numbers."""
    rows = connection.execute(
        text(
            "SELECT position, attempt FROM delivery"
            " WHERE campaign_id = :campaign AND run_id = :run AND state = 'sending'"
        ),
        {"campaign": run.campaign_id, "run": run.id},
    ).all()
    seen = None
    if run.host == recorders.host():
        seen = recorders.read(folder / run.recorder, identity=identity(connection), run=run.id)
    settled = []
    for row in rows:
        if seen is None:
            settled.append(_lost(row.position, row.attempt, b""))
        else:
            settled.append(_verdict(row, seen.get((row.position, row.attempt)), judge))
    moved = Moved()
    settle(connection, run.campaign_id, run.id, settled, now_ms, moved)
    tally(connection, run.campaign_id, moved)
    released = sum(row.cause is Cause.released for row in settled)
    give_back(connection, run.id, released)
    unknown = sum(row.state is _S.unknown for row in settled)
    return released, len(settled) - released - unknown, unknown


def _verdict(row: Row[Any], seen: Seen | None, judge: Judge) -> Settled:
    if seen is None or seen.mark is Mark.claimed:
        was = _S.planned if row.attempt <= 1 else _S.deferred
        return Settled(row.position, row.attempt, was, Cause.released, "interrupted")
    if seen.stage is None or seen.reply is None:
        return _lost(row.position, row.attempt, seen.message_hash)
    state, reason, due_at = judge(seen.stage, seen.reply, row.attempt)
    return Settled(
        row.position,
        row.attempt,
        state,
        Cause.answered,
        reason,
        str(seen.reply),
        due_at,
        seen.message_hash,
    )


def _lost(position: int, attempt: int, message_hash: bytes) -> Settled:
    why = "interrupted while its text was on the way" if message_hash else "no recorder to tell"
    return Settled(
        position, attempt, _S.unknown, Cause.lost, why, message_hash=message_hash or None
    )


def _insert_run(connection: Connection, campaign_id: int, file: Path, now: datetime) -> int:
    run_id: Any = connection.execute(
        insert(Run).returning(col(Run.id)),
        {
            "campaign_id": campaign_id,
            "host": recorders.host(),
            "boot_id": recorders.boot_id(),
            "pid": os.getpid(),
            "recorder": str(file),
            "started_at": now,
            "heartbeat_at": milliseconds(now),
        },
    ).scalar_one()
    return int(run_id)


def _end_row(connection: Connection, run_id: int, now: datetime) -> None:
    connection.execute(
        text("UPDATE run SET ended_at = :now WHERE id = :run").bindparams(_instant("now", now)),
        {"run": run_id},
    )


def _instant(name: str, value: datetime) -> BindParameter[datetime]:
    """An instant bound so that both databases store it alike."""
    return bindparam(name, value, UTCDateTime())
