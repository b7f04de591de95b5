"""Sends marked copies of an issue or a campaign to colleagues, outside of the ledger."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row

from mailer.compose.reading import Brand
from mailer.contacts.address import AddressError, parse_address
from mailer.errors import Fault, InputError, NotFoundError
from mailer.message.compiled import (
    CompiledMessage,
    Letterhead,
    PersonHeaders,
    compile_message,
)
from mailer.message.dkim import Signer
from mailer.message.headers import format_date
from mailer.message.links import KeyRing, Purpose, make
from mailer.message.mailbox import parse_mailbox
from mailer.message.replies import classify
from mailer.model.words import Blame, DeliveryState, Reply, Stage
from mailer.ports import Clock, Folder, Outgoing, Transport
from mailer.store import campaigns, people, planning
from mailer.store.database import Database
from mailer.usecases.check_issue import check_issue
from mailer.usecases.compose_issue import IssueFolder, variant_for, web_address
from mailer.usecases.sign_letters import Signing

MARK = "[Test]"
DRAFT_LIFETIME = timedelta(days=14)
NOBODY = 0  # the person of a test copy's links: they open, say what they are, and change nothing


@dataclass(frozen=True, slots=True)
class Copy:
    """What became of one test copy."""

    address: str
    language: str
    accepted: bool
    reply: str


async def send_campaign_copy(
    name: str | int,
    *,
    to: Sequence[str],
    as_address: str | None = None,
    language: str | None = None,
    db: Database,
    transport: Transport,
    keys: KeyRing,
    clock: Clock,
    signing: Signing | None = None,
) -> Sequence[Copy]:
    """Sends each address one copy of a planned campaign, as its first recipient would see it.

    One copy a language, each as the first recipient in that language; ``as_address`` or
    ``language`` chooses one. The copy goes through the same compiled message as the campaign's
    mails; only its subject is marked, and its links belong to nobody. Raises NotFoundError for
    an unknown campaign, a language that it has not, or somebody who is not in its audience.
    """
    addresses = _parsed(to)
    letters = []
    with db.read() as connection:
        campaign = campaigns.find(connection, name)
        for variant in _variants(connection, campaign, as_address, language):
            values = campaigns.sample_fields(connection, campaign.id, variant.id, as_address)
            compiled = CompiledMessage.load(variant.compiled).marked(MARK)
            letters.append(_Letter(variant.language, compiled, values))
    frozen = campaign.frozen
    signer = signing.thaw(frozen.get("dkim")) if signing else None
    post = _Post(campaign.id, frozen["site_url"], frozen["return_path"], keys, signer)
    return await post.send(letters, addresses, transport, clock)


def _variants(
    connection: Connection, campaign: Row[Any], as_address: str | None, language: str | None
) -> Sequence[Row[Any]]:
    variants = campaigns.variants(connection, campaign.id)
    if language is not None:
        chosen = [one for one in variants if one.language.lower() == language.lower()]
        if not chosen:
            known = ", ".join(one.language for one in variants)
            raise NotFoundError(
                f"The campaign has no variant `{language[:40]}`.", hint=f"It has {known}."
            )
        return chosen
    if as_address is not None:
        theirs = campaigns.variant_of(connection, campaign.id, as_address)
        return [one for one in variants if one.id == theirs]
    return variants


async def send_issue_copy(
    issue: IssueFolder,
    *,
    to: Sequence[str],
    as_address: str | None = None,
    language: str | None = None,
    db: Database,
    layouts: Callable[[str], Folder],
    brand: Brand,
    transport: Transport,
    keys: KeyRing,
    clock: Clock,
    return_path: str,
    signing: Signing | None = None,
) -> Sequence[Copy]:
    """Sends each address one copy of an issue that needs no plan; its web link lives two weeks.

    One copy a language, the default first; ``language`` chooses one, and ``as_address`` the one
    that this person gets. Raises InputError when the issue can't be rendered or the reader lacks
    a value that it needs.
    """
    addresses = _parsed(to)
    with db.read() as connection:
        fields = people.field_kinds(connection)
        person = people.find_subscriber(connection, as_address) if as_address else None
    if as_address and person is None:
        raise NotFoundError(f"Nobody has the address {as_address}.")
    report = check_issue(issue, layouts=layouts, brand=brand, fields=fields, language=language)
    if not report.variants:
        raise InputError(report.errors)
    chosen = report.variants
    if person is not None:
        chosen = [chosen[variant_for(person.language, chosen)]]
    first = len(chosen)
    wanted = {each.front.lang for each in chosen}
    chosen = [*chosen, *(each for each in report.seconds if each.front.lang in wanted)]
    sender = chosen[0].front.sender or brand.sender
    if not sender:
        raise InputError("Nobody is named as the sender.", hint="Set MAILER_FROM.")
    key = secrets.token_urlsafe(16)
    values = dict(person.fields) if person is not None else {}
    letters = []
    for composed in chosen:
        rendition = composed.rendition
        compiled = compile_message(
            rendition,
            Letterhead(
                sender=parse_mailbox(composed.front.sender or sender),
                seed=f"{issue.name} {rendition.language}",
                list_name=brand.organisation,
                campaign=issue.name,
                web_url=web_address(f"{brand.site_url}/w/{key}", composed),
                web_home=f"{brand.site_url}/w/{key}",
                bulk=False,
                mark=MARK,
            ),
            fields=fields,
            blank_ok=True,
        )
        letters.append(_Letter(rendition.language, compiled, values))
    planning.keep_draft(
        db,
        key=key,
        pages=[(letter.language, letter.compiled.web_page()) for letter in letters[:first]],
        pictures=[file for one in chosen for file in one.rendition.served],
        now=clock.now(),
        lifetime=DRAFT_LIFETIME,
    )
    signer = signing.signer() if signing else None
    bounces = return_path or parse_mailbox(sender).address
    post = _Post(0, brand.site_url, bounces, keys, signer)
    return await post.send(letters, addresses, transport, clock)


def _parsed(to: Sequence[str]) -> list[str]:
    """The addresses of the copies. Raises InputError naming each that is none."""
    faults, parsed = [], []
    for raw in to:
        try:
            parsed.append(parse_address(raw).address)
        except AddressError as error:
            faults.append(Fault(f"“{raw}” is not an address: {error}"))
    if faults:
        raise InputError(faults)
    return parsed


@dataclass(frozen=True, slots=True)
class _Letter:
    """One language of what is tried, and what is known of the reader as whom it is seen."""

    language: str
    compiled: CompiledMessage
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Post:
    """Sends copies whose links belong to nobody."""

    campaign_id: int
    site_url: str
    return_path: str
    keys: KeyRing
    signer: Signer | None = None

    async def send(
        self,
        letters: Sequence[_Letter],
        addresses: Sequence[str],
        transport: Transport,
        clock: Clock,
    ) -> list[Copy]:
        faults = [
            error.fault for letter in letters for error in letter.compiled.errors(letter.values)
        ]
        if faults:
            raise InputError(faults)
        unsubscribe = make(self.keys, Purpose.unsubscribe, self.campaign_id, NOBODY)
        preferences = make(self.keys, Purpose.preferences, self.campaign_id, NOBODY)
        reconfirm = make(self.keys, Purpose.reconfirm, self.campaign_id, NOBODY)
        sender = self.return_path.replace("+{token}", "").replace("{token}", "test")
        copies = [(letter, address) for letter in letters for address in addresses]
        outgoing = []
        for number, (letter, address) in enumerate(copies):
            headers = PersonHeaders(
                to=address,
                message_id=f"test.{secrets.token_hex(12)}@{sender.rpartition('@')[2]}",
                date=format_date(clock.now()),
                unsubscribe_url=f"{self.site_url}/u/{unsubscribe}",
                preferences_url=f"{self.site_url}/p/{preferences}",
                reconfirm_url=f"{self.site_url}/c/{reconfirm}",
                email=address,
            )
            outgoing.append(
                Outgoing(
                    number,
                    sender,
                    address,
                    partial(self._bytes, letter, headers, clock.now()),
                    not address.isascii(),
                )
            )
        run = Handful(outgoing)
        await transport.run(run, run)
        return [
            Copy(address, letter.language, *run.answers[number])
            for number, (letter, address) in enumerate(copies)
        ]

    def _bytes(self, letter: _Letter, headers: PersonHeaders, now: datetime) -> bytes:
        message = letter.compiled.merge(letter.values, headers)
        return self.signer.sign(message, int(now.timestamp())) if self.signer else message


class Handful:
    """Fulfils ``ports.Source`` and ``ports.Observer`` for a handful of mails, without a ledger."""

    def __init__(
        self, outgoing: Sequence[Outgoing], taken: Callable[[int], None] | None = None
    ) -> None:
        self._left = list(outgoing)
        self._taken = taken  # hears of each mail that the server took, at once; never blocks
        self.answers: dict[int, tuple[bool, str]] = {}
        self.refused: set[int] = set()  # for good, and it is about this person's mailbox
        self.unknown: set[int] = set()  # the server may have taken it

    def take(self) -> Outgoing | None:
        return self._left.pop(0) if self._left else None

    @property
    def finished(self) -> bool:
        return not self._left

    async def changed(self) -> None:
        await asyncio.sleep(0)

    def started(self, key: int) -> bool:
        return True

    def answered(self, key: int, stage: Stage, reply: Reply) -> None:
        accepted = stage is Stage.dot and reply.positive
        self.answers[key] = (accepted, str(reply))
        if accepted and self._taken is not None:
            self._taken(key)
        found = classify(stage, reply)
        if found.state is DeliveryState.refused and found.blame is Blame.recipient:
            self.refused.add(key)

    def returned(self, key: int, stage: Stage, why: str) -> None:
        self.answers[key] = (False, why)

    def lost(self, key: int, why: str) -> None:
        self.unknown.add(key)
        self.answers[key] = (False, f"no answer after the text: {why}")
