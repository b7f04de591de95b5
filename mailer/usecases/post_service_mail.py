"""Writes to a handful of people what the site has to say to them, and waits for the answers."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from mailer.compose.reading import Brand
from mailer.errors import InputError
from mailer.message.mailbox import HeaderError, parse_mailbox
from mailer.model.words import ServiceMail
from mailer.ports import Clock, Folder, Outgoing, Transport
from mailer.store import planning
from mailer.store.database import Database
from mailer.usecases.render_service_mail import Occasion, RenderedServiceMail, render_service_mail
from mailer.usecases.send_test_copy import Handful
from mailer.usecases.sign_letters import Signing

_WITHIN = 20.0  # seconds for all answers: somebody waits for the page


@dataclass(frozen=True, slots=True)
class ServiceLetter:
    """One mail to write: to whom, in which language, and where its button leads."""

    kind: ServiceMail
    to: str  # a parsed address
    language: str
    action_url: str
    valid_days: int
    list_title: str = ""  # empty: it is about the organisation
    sender: str = ""  # the list's own From, if it has one
    message_id: str = ""  # empty: a new one


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of one mail; ``final``: another try would end the same way.

    ``trouble`` is why it could not be written: something here is to be mended first. ``unknown``:
    no answer came, and the server may have taken it.
    """

    accepted: bool
    final: bool
    words: str
    trouble: str = ""
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class PostOffice:
    """What it takes to write a mail from here."""

    layouts: Callable[[str], Folder]
    brand: Brand
    transport: Transport
    signing: Signing | None
    return_path: str  # as in the settings, or empty

    @property
    def bounces(self) -> str:
        """The address that reports of non-delivery go to."""
        named = self.return_path or parse_mailbox(self.brand.sender).address
        return named.replace("+{token}", "").replace("{token}", "service")


def new_message_id(return_path: str, sender: str) -> str:
    """A Message-ID without brackets for one service mail, at the domain that bounces go to."""
    domain = (return_path or parse_mailbox(sender).address).rpartition("@")[2]
    return f"service.{secrets.token_hex(12)}@{domain}"


async def post_service_mail(
    letters: Sequence[ServiceLetter],
    *,
    office: PostOffice,
    db: Database,
    clock: Clock,
    taken: Callable[[int], None] | None = None,
) -> Sequence[Posted]:
    """Renders each mail, signs and sends them; tells of each what the server said.

    ``taken`` hears the place of each that the server took in the moment that it says so. A mail
    that can't be written holds up no other: anybody may type an address that no header can hold.

    Raises SettingsError for keys that can't be used.
    """
    bounces = office.bounces
    signer = office.signing.signer() if office.signing else None
    outgoing = []
    unwritten: dict[int, Posted] = {}
    for number, letter in enumerate(letters):
        try:
            rendered = await asyncio.to_thread(_rendered, letter, office, clock)
        except HeaderError:  # its words hold the address
            unwritten[number] = Posted(False, True, "The address can't stand in a header.")
            continue
        except InputError as error:  # the layout's words in this language, or the list's sender
            unwritten[number] = Posted(False, False, str(error), str(error))
            continue
        if rendered.served:
            await asyncio.to_thread(planning.keep_pictures, db, rendered.served)
        message = rendered.message
        if signer is not None:
            message = signer.sign(message, _seconds(clock.now()))
        international = not letter.to.isascii()
        outgoing.append(
            Outgoing(number, bounces, letter.to, partial(_ready, message), international)
        )
    run = Handful(outgoing, taken)
    with contextlib.suppress(TimeoutError):  # whoever has no answer by then was not reached
        await asyncio.wait_for(office.transport.run(run, run), _WITHIN)
    answers = (run.answers.get(number, (False, "")) for number in range(len(letters)))
    return [
        unwritten.get(key)
        or Posted(took, key in run.refused, words, unknown=not words or key in run.unknown)
        for key, (took, words) in enumerate(answers)
    ]


def _rendered(letter: ServiceLetter, office: PostOffice, clock: Clock) -> RenderedServiceMail:
    brand = replace(office.brand, sender=letter.sender or office.brand.sender)
    return render_service_mail(
        letter.kind,
        Occasion(letter.list_title or brand.organisation, letter.action_url, letter.valid_days),
        to=letter.to,
        language=letter.language,
        message_id=letter.message_id or new_message_id(office.return_path, office.brand.sender),
        layouts=office.layouts,
        brand=brand,
        clock=clock,
    )


def _ready(message: bytes) -> bytes:
    return message


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
