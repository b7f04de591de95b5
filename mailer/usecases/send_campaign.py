"""Sends a campaign, or goes on with one that was stopped, paused or killed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zlib import crc32

from sqlalchemy import Row

from mailer.errors import InputError, SettingsError, StoppedError, WireError
from mailer.message.compiled import CompiledMessage, PersonHeaders
from mailer.message.dkim import Signer
from mailer.message.fingerprint import fingerprint
from mailer.message.headers import format_date
from mailer.message.links import KeyRing, LinkError, Purpose, Tokens
from mailer.message.mailbox import HeaderError
from mailer.message.replies import classify
from mailer.message.retarget import marked
from mailer.model.measuring import by_person
from mailer.model.shown import headcount
from mailer.model.words import CampaignState, Counts, DeliveryState, OnUnknown, Reply, Stage
from mailer.ports import Clock, Outgoing, Transport
from mailer.smtp.pace import Pace
from mailer.smtp.text import Text
from mailer.store import campaigns, runs, splits
from mailer.store.apart import Exchanges
from mailer.store.claims import Claimed, Ledger
from mailer.store.clicks import CONSENTED
from mailer.store.database import Database
from mailer.store.lanes import lanes_of
from mailer.store.ledger import counts
from mailer.usecases.decide_subject import await_choice, choose_by_rule
from mailer.usecases.dispatch_deliveries import Dispatch
from mailer.usecases.render_ahead import Letter, RenderAhead
from mailer.usecases.sign_letters import Signing

Progress = Callable[[Counts, int | None], None]
INTERRUPTED = "It was interrupted."
_MOST_COPIES = 3  # that the policy ``resend`` may cost somebody
_STARTABLE = (
    CampaignState.planned,
    CampaignState.scheduled,
    CampaignState.held,
    CampaignState.paused,
    CampaignState.sending,
)


@dataclass(frozen=True, slots=True)
class SendReport:
    """What became of the campaign. ``next_due``: ms, when the earliest deferred person is due."""

    campaign: int
    slug: str
    state: CampaignState
    counts: Counts
    seconds: float
    per_second: float
    because: str
    next_due: int | None
    recovered: runs.Recovered
    suspensions: tuple[str, ...] = ()  # providers that wanted to be left alone, in sentences
    closed_until: int | None = None  # ms: outside of the hours of delivery, or the day's cap


async def send_campaign(
    name: str | int,
    *,
    db: Database,
    transport: Transport,
    keys: KeyRing,
    clock: Clock,
    folder: Path,
    pace: Pace,
    retry_after: tuple[int, ...],
    expires_after: int,
    max_wait: float,
    signing: Signing | None = None,
    progress: Progress = lambda counts, due: None,
    watched: Callable[[Dispatch], None] = lambda dispatch: None,
    stop: asyncio.Event | None = None,
    stopped_by: str = INTERRUPTED,
    only_from: Collection[CampaignState] = (),
    hurry: bool = True,
) -> SendReport:
    """Sends until nobody is left to try, or until something stops it.

    1. Find the campaign; refuse one that can't be sent.
    2. Settle what dead processes left behind, and take the campaign for this one; whoever got
       this issue from another campaign since the plan is skipped.
       Unknown people are held, sent again or skipped, as the campaign says; here and at the end.
    3. Dispatch: claim, send, settle, in group commits, until the source is finished.
    4. End the run: finished when nobody is left, else paused, with the reason.

    ``folder`` is where flight recorders lie; ``stop`` is set by a signal, and ``stopped_by`` is the
    reason then. ``watched`` is given the run once, to ask it for troubles and suspensions.
    ``only_from`` are the states that the campaign may be in. ``hurry`` has deferred
    people tried sooner than their back-off says. Raises BusyError when another process sends it or
    has moved it, and whatever broke the ledger; in that case the rows that were on
    their way stay ``sending`` until the next send settles them by the recorder.
    """
    with db.read() as connection:
        campaign = campaigns.find(connection, name)
        require_sendable(campaign, keys)
        signer = signing.thaw(campaign.frozen.get("dkim")) if signing else None
        variants = campaigns.variants(connection, campaign.id)
    schedule = Schedule(retry_after, clock)
    letters = Letters.load(campaign, variants, keys, signer)
    ahead = RenderAhead(letters, pace.signing_threads) if signer else None
    choose_by_rule(campaign, db=db, clock=clock)
    if campaign.spread_until is not None:
        with db.read() as connection:  # after the choice: it lets go of those who waited for it
            left = runs.left_to_try(connection, campaign.id)
            beyond = splits.people_waiting(connection, campaign.id)
        pace = pace.spread(left, clock.now(), campaign.spread_until, beyond=beyond)
    runs.recover_issue(db, campaign.issue, folder=folder, now=clock.now(), judge=schedule.judge)
    begun = runs.begin(
        db,
        campaign.id,
        folder=folder,
        slots=pace.rows,
        now=clock.now(),
        judge=schedule.judge,
        again=campaign.frozen["again"],
        first_delay=(retry_after[0] if hurry else max(retry_after) * 2) * 1000,
        only_from=only_from,
    )
    settled = False
    exchanges: Exchanges | None = None
    try:
        _decide_unknown(db, campaign, clock)
        with db.read() as connection:  # as the run's beginning has left them
            lanes = lanes_of(connection, campaign.id)
            left = runs.left_to_try(connection, campaign.id)
        ledger = Ledger(
            campaign.id, campaign.list_id, begun.run_id, db.dialect, expires_after * 1000
        )
        exchanges = Exchanges(ledger, db, left=left, loop=asyncio.get_running_loop())
        dispatch = Dispatch(
            campaign_id=campaign.id,
            exchanges=exchanges,
            writer=db.writer,
            recorder=begun.recorder,
            pace=pace,
            retry_after=retry_after,
            max_wait=max_wait,
            clock=clock,
            lanes=lanes,
            letters=letters,
            progress=progress,
            ahead=ahead,
        )
        watched(dispatch)
        await _run(dispatch, transport, stop, stopped_by)
        settled = True
    finally:
        if ahead is not None:
            ahead.close()
        if exchanges is not None:
            exchanges.close()
        begun.recorder.close(remove=settled)
    _decide_unknown(db, campaign, clock)
    seconds = dispatch.wire_seconds
    state = runs.end(
        db,
        campaign.id,
        begun.run_id,
        because=dispatch.stop_reason,
        wire_seconds=seconds,
        now=clock.now(),
    )
    because = dispatch.stop_reason or await_choice(campaign, db=db, clock=clock)
    with db.read() as connection:
        final = counts(connection, campaign.id)
        next_due = campaigns.next_due(connection, campaign.id)
    return SendReport(
        campaign.id,
        campaign.slug,
        state,
        final,
        round(seconds, 3),
        round(dispatch.answers / seconds, 1) if seconds else 0.0,
        because,
        next_due,
        replace(begun.found, files=()),
        tuple(dispatch.suspensions),
        dispatch.closed_until if final.left else None,
    )


def _decide_unknown(db: Database, campaign: Row[Any], clock: Clock) -> None:
    """Does with unknown people as the campaign's policy says.

    One whose answer was lost three times stays unknown: something is wrong, and they may have three
    copies.
    """
    policy = campaign.frozen.get("on_unknown", OnUnknown.hold)
    if policy == OnUnknown.hold:
        return
    target = DeliveryState.planned if policy == OnUnknown.resend else DeliveryState.skipped
    now = clock.now()
    with db.write() as connection:
        people = campaigns.decide_unknown(
            connection,
            campaign.id,
            target,
            runs.milliseconds(now),
            by="policy",
            tried_below=_MOST_COPIES if target is DeliveryState.planned else 0,
        )
        if people:
            campaigns.note_event(
                connection,
                kind=f"unknown_{'resent' if policy == OnUnknown.resend else 'skipped'}",
                actor="policy",
                campaign_id=campaign.id,
                at=now,
                detail=headcount(people),
            )


async def _run(
    dispatch: Dispatch, transport: Transport, stop: asyncio.Event | None, stopped_by: str
) -> None:
    """Runs the wire until the dispatch is finished or stopped, or the server refuses us.

    A cancelled run settles too: what was on the wire then is unknown, everything else goes back.
    """
    dispatch.begin()
    watcher = (
        asyncio.create_task(_stop_when(dispatch, stop, stopped_by)) if stop is not None else None
    )
    try:
        await transport.run(dispatch, dispatch)
    except WireError as error:
        dispatch.stop(str(error))
    except asyncio.CancelledError:
        dispatch.stop(INTERRUPTED)
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()
    except BaseException:
        dispatch.stop("It was broken off by an error.")
        with suppress(StoppedError):  # the first trouble is the one to tell
            await dispatch.drain()
        raise
    finally:
        if watcher is not None:
            watcher.cancel()
    await dispatch.drain()


async def _stop_when(dispatch: Dispatch, stop: asyncio.Event, why: str) -> None:
    await stop.wait()
    dispatch.stop(why)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Turns an answer found in a recorder into what the ledger would have got."""

    retry_after: tuple[int, ...]
    clock: Clock

    def judge(
        self, stage: Stage, reply: Reply, attempt: int
    ) -> tuple[DeliveryState, str, int | None]:
        outcome = classify(stage, reply)
        if outcome.state is not DeliveryState.deferred:
            accepted = outcome.state is DeliveryState.accepted
            return outcome.state, "" if accepted else outcome.reason, None
        delay = self.retry_after[min(attempt, len(self.retry_after)) - 1]
        return outcome.state, outcome.reason, runs.milliseconds(self.clock.now()) + delay * 1000


class Letters:
    """Makes each person's envelope and bytes from what the campaign froze.

    Any number of threads may call ``render``.
    """

    def __init__(
        self,
        campaign: Row[Any],
        compiled: dict[int, CompiledMessage],
        keys: KeyRing,
        signer: Signer | None = None,
        measured: Mapping[int, CompiledMessage] = MappingProxyType({}),
    ) -> None:
        frozen = campaign.frozen
        self._compiled = compiled
        self._measured = measured  # of those who agreed; empty unless people are measured
        # A rotated key would give a retry other bytes.
        joint = frozen.get("joint_tags", False)
        self._tokens = Tokens(keys, campaign.id, frozen["key_id"], joint=joint)
        self._site: str = frozen["site_url"]
        self._return_path: tuple[str, str, str] = frozen["return_path"].partition("{token}")
        self._asks_again: bool = frozen.get("asks_again", False)
        self._domain: str = frozen["message_id_domain"]
        self._date: tuple[int, str] = (-1, "")
        each = [*compiled.values(), *measured.values()]
        self._frames = {id(letter): crc32(letter.frame) for letter in each}
        self._fit = self._frames_fit(each)
        self._signers: dict[int, Signer] = {}
        if signer is not None:
            self._signers = {
                variant: signer.expecting(each.shared_body) for variant, each in compiled.items()
            }

    @classmethod
    def load(
        cls,
        campaign: Row[Any],
        variants: Sequence[Row[Any]],
        keys: KeyRing,
        signer: Signer | None = None,
    ) -> Letters:
        """Reads what the plan froze. Where nobody is named, everybody gets the measured letter."""
        measured = {row.id: CompiledMessage.load(row.measured) for row in variants if row.measured}
        compiled = {row.id: CompiledMessage.load(row.compiled) for row in variants}
        if by_person(campaign.frozen):
            return cls(campaign, compiled, keys, signer, measured)
        return cls(campaign, compiled | measured, keys, signer)

    def render(self, row: Claimed) -> bytes:
        """The whole message, signed if it is to be: the same bytes at each attempt."""
        return self.make(row).outgoing.render()

    def make(self, row: Claimed) -> Letter:
        """The message and its envelope.

        The person's signed token stands in the return path where it has room for one, and names
        this mail in reports (ENVID), too; without room, the left side of Message-ID does.
        """
        person, site = row.subscriber_id, self._site
        sender, room, domain = self._return_path
        leave, prefer, name, bounce = self._tokens.of(person, verp=bool(room))
        values = {} if row.fields == "{}" else json.loads(row.fields)
        compiled = self._compiled[row.variant_id]
        if self._measured and values.pop(CONSENTED, False):
            compiled = self._measured[row.variant_id]
            values |= marked(self._tokens.mark(person))
        pieces, plain, mark = compiled.merged(
            values,
            PersonHeaders(
                to=row.address,
                message_id=f"{name}@{self._domain}",
                date=self._date_of(row.first_at),
                unsubscribe_url=f"{site}/u/{leave}",
                preferences_url=f"{site}/p/{prefer}",
                reconfirm_url=self._reconfirm_url(person),
                email=row.address,
            ),
            checked=self._fit,
        )
        if plain and not self._signers:
            text = Text.of_plain(pieces)
        else:
            message = b"".join(pieces)
            if self._signers:
                signed = self._signers[row.variant_id].sign(message, row.first_at // 1000)
                mark += signed[: len(signed) - len(message)]
                message = signed
            text = Text(message)
        known = fingerprint(mark, text.size, self._frames[id(compiled)])
        if room:
            name = bounce
            sender += name + domain
        utf8 = not row.address.isascii()
        outgoing = Outgoing(row.position, sender, row.address, text.message, utf8, name, text)
        return Letter(outgoing, known)

    def _frames_fit(self, letters: Sequence[CompiledMessage]) -> bool:
        """Whether headers can hold what stands around a token: then no letter's are looked at.

        Else each is, and its fault is told of each person.
        """
        leave, _, name, _ = self._tokens.of(0)
        somebody = PersonHeaders(
            to="",
            message_id=f"{name}@{self._domain}",
            date=self._date_of(0),
            unsubscribe_url=f"{self._site}/u/{leave}",
        )
        try:
            for letter in letters:
                letter.head.check(somebody)
        except HeaderError:
            return False
        return True

    def _reconfirm_url(self, person: int) -> str:
        """Only where the letter has it: a tag takes time, and most letters do not ask again."""
        if not self._asks_again:
            return ""
        return f"{self._site}/c/{self._tokens.link(Purpose.reconfirm, person)}"

    def _date_of(self, first_at: int) -> str:
        """The first claim's time; the same text serves everybody claimed in that second."""
        second = first_at // 1000
        known, text = self._date
        if known != second:
            text = format_date(datetime.fromtimestamp(second, UTC))
            self._date = (second, text)
        return text


def require_startable(
    name: str | int, *, db: Database, keys: KeyRing, growing: bool = False
) -> None:
    """Raises as ``send_campaign`` would of a campaign that is over: before anybody is asked.

    ``growing`` says that people are about to be added, who start a finished one again.
    """
    with db.read() as connection:
        require_sendable(campaigns.find(connection, name), keys, growing=growing)


def require_sendable(campaign: Row[Any], keys: KeyRing, *, growing: bool = False) -> None:
    """Raises InputError for a campaign that is over, SettingsError when its key is gone."""
    starts_again = growing and campaign.state == CampaignState.finished
    if campaign.state not in _STARTABLE and not starts_again:
        raise InputError(
            f"The campaign “{campaign.slug}” is {campaign.state}; there is nothing to send.",
            hint=f"`mailer campaigns show {campaign.slug}` tells more.",
        )
    if campaign.withdrawn_at is not None:
        raise InputError(
            f"The campaign “{campaign.slug}” is withdrawn: its mails would lead to a page that is"
            " gone.",
            hint=f"`mailer campaigns restore {campaign.slug}` brings the page back.",
        )
    try:
        keys.key(campaign.frozen["key_id"])
    except LinkError as error:
        raise SettingsError(
            str(error), hint="Put that key into MAILER_SECRET_KEY_OLD, and run this again."
        ) from None
