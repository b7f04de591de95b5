"""Rehearses a send: makes and checks every letter, and gives none away."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row

from mailer.contacts.masking import mask_address
from mailer.message.fingerprint import same
from mailer.message.links import KeyRing
from mailer.model.shown import counted
from mailer.model.words import CampaignState
from mailer.ports import Clock
from mailer.smtp.envelope import prepare
from mailer.smtp.events import Answered
from mailer.smtp.replies import Features
from mailer.store import campaigns, runs
from mailer.store.claims import Claimed
from mailer.store.database import Database
from mailer.store.remaining import to_try
from mailer.usecases.render_ahead import BATCH, Letter, RenderAhead, Rendered
from mailer.usecases.send_campaign import Letters, require_sendable
from mailer.usecases.sign_letters import Signing

_ABLE = Features(eightbitmime=True, smtputf8=True, dsn=True, size=0)  # of the best of servers
_EXAMPLES = 3
_THREADS = 2
_AHEAD = 64  # jobs that may wait
_NEAR_LIMIT = 998  # octets of a line (RFC 5322 section 2.1.1)


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong with some people's letters; a few of them, masked."""

    what: str
    people: int
    examples: Sequence[str]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large the letters of one language are, in octets as they would be sent."""

    language: str
    letters: int
    smallest: int
    largest: int
    largest_position: int
    octets: int

    @property
    def average(self) -> int:
        return self.octets // self.letters if self.letters else 0


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a send would do now. ``letters``, ``unsendable`` and ``skipped`` are all to be tried."""

    campaign: int
    slug: str
    state: CampaignState
    to_try: int
    letters: int
    unsendable: int
    troubles: Sequence[Trouble]
    skipped: Mapping[str, int]  # reason → people who are not to be mailed any more
    octets: int
    sizes: Sequence[Sizes]
    longest_line: int  # octets, without CRLF
    beyond_ascii: int  # addresses for which the server must offer SMTPUTF8
    changed_since_first_try: int


@dataclass(slots=True)
class _Tally:
    """Collects what the letters show."""

    languages: Mapping[int, str]
    letters: int = 0
    longest_line: int = 0
    beyond_ascii: int = 0
    changed: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    _sizes: dict[int, list[int]] = field(default_factory=dict)
    _troubles: dict[str, tuple[int, list[str]]] = field(default_factory=dict)

    def letter(self, row: Claimed, message: bytes) -> None:
        size = len(message)
        self.letters += 1
        self.longest_line = max(self.longest_line, max(map(len, message.split(b"\r\n"))))
        self.beyond_ascii += not row.address.isascii()
        found = self._sizes.setdefault(row.variant_id, [0, size, 0, 0, 0])
        found[0] += 1
        found[1] = min(found[1], size)
        if size > found[2]:
            found[2:4] = [size, row.position]
        found[4] += size

    def trouble(self, row: Claimed, what: str) -> None:
        """Counts a trouble; who has it stands beside it, masked, and not in the sentence."""
        what = what.replace(row.address, "…")
        people, examples = self._troubles.get(what, (0, []))
        if len(examples) < _EXAMPLES:
            examples.append(mask_address(row.address))
        self._troubles[what] = (people + 1, examples)

    @property
    def sizes(self) -> list[Sizes]:
        return [
            Sizes(language, *self._sizes[variant])
            for variant, language in self.languages.items()
            if variant in self._sizes
        ]

    @property
    def troubles(self) -> list[Trouble]:
        found = [Trouble(what, *rest) for what, rest in self._troubles.items()]
        return sorted(found, key=lambda each: -each.people)


def rehearse_campaign(
    name: str | int,
    *,
    db: Database,
    keys: KeyRing,
    clock: Clock,
    signing: Signing | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Rehearsal:
    """Makes the letter of everybody who is still to be tried, and writes nothing down.

    1. Find the campaign; refuse one that can't be sent.
    2. Read everybody who is to be tried; whoever may not be mailed any more is counted.
    3. Make and sign each letter, from the same compiled message as a send, and hold it and its
       envelope to what the wire holds them to.

    No connection is opened and no row is touched. Raises InputError and SettingsError as a send
    does before its first claim.
    """
    with db.read() as connection:
        campaign = campaigns.find(connection, name)
        require_sendable(campaign, keys)
        signer = signing.thaw(campaign.frozen.get("dkim")) if signing else None
        variants = campaigns.variants(connection, campaign.id)
        letters = Letters.load(campaign, variants, keys, signer)
        tally = _Tally({row.id: row.language for row in variants})
        total = runs.left_to_try(connection, campaign.id)
        rows = _mailable(
            to_try(connection, campaign.id, campaign.list_id, runs.milliseconds(clock.now())),
            tally,
        )
        with RenderAhead(letters, _THREADS) as ahead:
            for done, (row, rendered) in enumerate(_rendered(rows, ahead), 1):
                _look(row, rendered, tally)
                if done % 500 == 0:
                    progress(done + sum(tally.skipped.values()), total)
    return _report(campaign, tally)


def _mailable(found: Iterator[tuple[Claimed, str]], tally: _Tally) -> Iterator[Claimed]:
    for row, why_not in found:
        if why_not:
            tally.skipped[why_not] += 1
        else:
            yield row


def _rendered(rows: Iterator[Claimed], ahead: RenderAhead) -> Iterator[tuple[Claimed, Rendered]]:
    """Renders in batches on the threads, a bounded number of them ahead of the reader."""
    waiting: deque[tuple[list[Claimed], Future[list[Rendered]]]] = deque()
    batch: list[Claimed] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            waiting.append((batch, ahead.submit(batch)))
            batch = []
        if len(waiting) >= _AHEAD:
            first, job = waiting.popleft()
            yield from zip(first, job.result(), strict=True)
    waiting.append((batch, ahead.submit(batch)))
    for some, job in waiting:
        yield from zip(some, job.result(), strict=True)


def _look(row: Claimed, rendered: Rendered, tally: _Tally) -> None:
    if not isinstance(rendered, Letter):
        tally.trouble(row, str(rendered))
        return
    outgoing, known = rendered
    prepared = prepare(outgoing, _ABLE)
    if isinstance(prepared, Answered):
        tally.trouble(row, prepared.reply.text)
        return
    if row.message_hash is not None and not same(
        bytes.fromhex(row.message_hash), known, outgoing.render()
    ):
        tally.changed += 1
        tally.trouble(row, "The letter is not what the first attempt sent any more.")
        return
    tally.letter(row, outgoing.render())


def _report(campaign: Row[Any], tally: _Tally) -> Rehearsal:
    troubles, sizes = tally.troubles, tally.sizes
    unsendable = sum(each.people for each in troubles)
    if tally.longest_line > _NEAR_LIMIT:
        what = (
            f"A line has {counted(tally.longest_line, 'octet')}; {_NEAR_LIMIT} are allowed"
            " (RFC 5322)."
        )
        troubles.append(Trouble(what, 0, ()))
    return Rehearsal(
        campaign=campaign.id,
        slug=campaign.slug,
        state=CampaignState(campaign.state),
        to_try=tally.letters + unsendable + sum(tally.skipped.values()),
        letters=tally.letters,
        unsendable=unsendable,
        troubles=troubles,
        skipped=dict(tally.skipped.most_common()),
        octets=sum(each.octets for each in sizes),
        sizes=sizes,
        longest_line=tally.longest_line,
        beyond_ascii=tally.beyond_ascii,
        changed_since_first_try=tally.changed,
    )
