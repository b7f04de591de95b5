"""Takes a stranger's wish to be on a list, and asks the address itself whether it is theirs.

::

    form     honeypot, time, puzzle       ─▶ nothing, or asked again
    count    network, domain, everybody   ─▶ too many: later
    stand    suppressed, on the list      ─▶ nothing
    ask      pending, consent, a mail     ─▶ one a day for one address, whoever asks

Whoever posts the form hears the same whether the address is known, unknown or suppressed. The mail
waits in the outbox, so the answer depends on no mail server.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from ipaddress import IPv6Address, ip_address, ip_network

from sqlalchemy import Connection, Row

from mailer.contacts.address import Address, AddressError, clean_cell, parse_address
from mailer.errors import NotFoundError
from mailer.message.form_seals import SOLVED_WITHIN, is_solved, is_timely
from mailer.message.letterhead import can_stand
from mailer.message.seals import Seals
from mailer.model.words import OptIn, ServiceMail, SignUpLimit, SubscriptionStatus
from mailer.ports import Clock
from mailer.store import evidence, outbox, people, sign_up_counts, sign_ups
from mailer.store.database import Database
from mailer.store.sign_ups import Standing

VALID = timedelta(days=7)  # of the link in a confirmation
AN_HOUR = timedelta(hours=1)
A_DAY = timedelta(days=1)
A_MONTH = timedelta(days=30)
MOST_A_MONTH = 5  # mails to an address that never says yes
_LONGEST = 300  # characters of a program's name that are kept


class SignUpAnswer(StrEnum):
    """What whoever posts the form hears."""

    taken = "taken"  # or so it is said: see above
    address = "address"  # what was typed can't be an address
    again = "again"  # too fast, too old, or for other words: shown once more
    unsolved = "unsolved"  # the puzzle has no right answer
    later = "later"  # too many from this network, to this domain, or altogether


@dataclass(frozen=True, slots=True)
class SignUpWish:
    """What was posted, and from where. ``trap`` is the field that no person sees."""

    typed: str
    stamp: str
    language: str
    wording: str  # the words beside the button, in this language
    form: str  # which form it was, for the record
    trap: str = ""
    ip: str | None = None
    user_agent: str | None = None
    puzzle: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SignUpRules:
    """What the settings say: limits an hour (0: none), whether there is a puzzle, who writes.

    ``writer`` makes a Message-ID; None: this site can't write mails.
    """

    limits: Mapping[SignUpLimit, int]
    puzzle: bool
    message_id: str | None


def sign_up(
    slug: str, wish: SignUpWish, *, rules: SignUpRules, seals: Seals, db: Database, clock: Clock
) -> SignUpAnswer:
    """Reads the form, counts, and asks; returns when all that is durable.

    Raises NotFoundError for a list without a public page.
    """
    now = clock.now()
    if wish.trap:
        return SignUpAnswer.taken
    try:
        address = parse_address(clean_cell(wish.typed))
    except AddressError:
        return SignUpAnswer.address
    if not can_stand(address.address):
        return SignUpAnswer.address
    if not is_timely(wish.stamp, slug, wish.wording, now=now, seals=seals):
        return SignUpAnswer.again
    if rules.puzzle and not _solved(slug, wish, seals, clock):
        return SignUpAnswer.unsolved
    with db.write() as connection:
        sign_ups.one_at_a_time(connection)
        found = sign_ups.open_list(connection, slug)
        if found is None:
            raise NotFoundError("There is no such page.")
        desk = _Desk(connection, found, wish, rules, seals, clock)
        if rules.puzzle and not desk.is_first(wish.puzzle["challenge"]):
            return SignUpAnswer.again
        if desk.is_crowded(address):
            return SignUpAnswer.later
        desk.take(address)
    return SignUpAnswer.taken


def address_hashes(seals: Seals, key: str) -> tuple[bytes, bytes]:
    """Under what mails to one address are counted: by the day, and by the month."""
    return (
        seals.hash("sign-up count", f"address by day {key}"),
        seals.hash("sign-up count", f"address by month {key}"),
    )


def network_of(ip: str | None) -> str:
    """The network that an address belongs to: /24 of IPv4, /64 of IPv6 (one customer's, mostly)."""
    try:
        address = ip_address(ip or "")
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            return str(ip_network((int(address), 64), strict=False))
        address = address.ipv4_mapped
    return str(ip_network((int(address), 24), strict=False))


def _solved(slug: str, wish: SignUpWish, seals: Seals, clock: Clock) -> bool:
    given = wish.puzzle
    return is_solved(
        given.get("challenge", ""),
        given.get("salt", ""),
        given.get("signature", ""),
        given.get("number", ""),
        slug,
        now=clock.now(),
        seals=seals,
    )


@dataclass(frozen=True, slots=True)
class _Desk:
    """One wish in its transaction."""

    connection: Connection
    list: Row[tuple[object, ...]]
    wish: SignUpWish
    rules: SignUpRules
    seals: Seals
    clock: Clock

    def is_first(self, challenge: str) -> bool:
        """Whether a puzzle's answer is used for the first time."""
        return self._count(f"puzzle {challenge}", SOLVED_WITHIN) == 1

    def is_crowded(self, address: Address) -> bool:
        """Counts the wish. The network comes first: one alone must not use up what is for all."""
        domain = address.key.rpartition("@")[2]
        counted = {
            SignUpLimit.network: f"network {network_of(self.wish.ip)}",
            SignUpLimit.domain: f"domain {domain}",
            SignUpLimit.overall: "overall",
        }
        sign_up_counts.clean(self.connection, self.clock.now())
        for limit, what in counted.items():
            most = self.rules.limits.get(limit, 0)
            if most and self._count(what, AN_HOUR) > most:
                return True
        return False

    def take(self, address: Address) -> None:
        """Puts somebody on the list, or asks them, or does nothing."""
        stand = sign_ups.standing(self.connection, address, self.list.id)
        if not stand.may_be_asked or stand.status is SubscriptionStatus.active:
            return
        fresh = stand.status is None and stand.suppressed is None
        if fresh and self.list.opt_in == OptIn.single:
            self._join(address)
        elif self.rules.message_id is not None and self._may_write(address):
            self._ask(address, stand)

    def _join(self, address: Address) -> None:
        at = self.clock.now()
        person = sign_ups.ensure_person(self.connection, address, self.wish.language, at)
        sign_ups.join(self.connection, self.list.id, person, at, "sign-up page")
        self._record(person)
        message_id = self.rules.message_id
        if self.list.welcome and message_id is not None and self._may_write(address):
            self._post(ServiceMail.welcome, person, message_id)

    def _ask(self, address: Address, stand: Standing) -> None:
        at, message_id = self.clock.now(), self.rules.message_id or ""
        person = sign_ups.ensure_person(self.connection, address, self.wish.language, at)
        if stand.status is None:
            sign_ups.wait(self.connection, self.list.id, person, at)
        number = sign_ups.ask(
            self.connection,
            self.list.id,
            person,
            consent_id=self._record(person),
            message_id=message_id,
            at=at,
            expires=at + VALID,
        )
        people.note(
            self.connection, at, "asked to confirm", "reader", person, self.list.id, self.wish.form
        )
        self._post(ServiceMail.confirmation, person, message_id, number)

    def _record(self, person: int) -> int:
        """The evidence: which form, which words, when, from where."""
        at, wish = self.clock.now(), self.wish
        return evidence.record_consent(
            self.connection,
            person,
            self.list.id,
            source="form",
            detail=wish.form,
            at=at,
            wording_id=people.wording(self.connection, wish.wording, at),
            ip=wish.ip,
            user_agent=wish.user_agent[:_LONGEST] if wish.user_agent else None,
        )

    def _post(
        self, kind: ServiceMail, person: int, message_id: str, number: int | None = None
    ) -> None:
        outbox.add(
            self.connection,
            kind,
            list_id=self.list.id,
            subscriber_id=person,
            language=self.wish.language,
            message_id=message_id,
            at=self.clock.now(),
            sign_up_id=number,
        )

    def _may_write(self, address: Address) -> bool:
        """One mail a day to an address, and not for ever when nobody answers."""
        by_day, by_month = address_hashes(self.seals, address.key)
        now = self.clock.now()
        if sign_up_counts.count(self.connection, by_day, now, A_DAY) > 1:
            return False
        return sign_up_counts.count(self.connection, by_month, now, A_MONTH) <= MOST_A_MONTH

    def _count(self, what: str, lasts: timedelta) -> int:
        hashed = self.seals.hash("sign-up count", what)
        return sign_up_counts.count(self.connection, hashed, self.clock.now(), lasts)
