"""Writes to a handful of people what the site has to say to them, and waits for the answers."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from mailer.compose.reading import Brand
from mailer.message.mailbox import parse_mailbox
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


@dataclass(frozen=True, slots=True)
class PostOffice:
    """What it takes to write a mail from here."""

    layouts: Callable[[str], Folder]
    brand: Brand
    transport: Transport
    signing: Signing | None
    return_path: str  # as in the settings, or empty


async def post_service_mail(
    letters: Sequence[ServiceLetter], *, office: PostOffice, db: Database, clock: Clock
) -> Sequence[bool]:
    """Renders each mail, signs and sends them; tells of each whether the server took it.

    Raises InputError for a layout that can't be used, SettingsError for keys that can't.
    """
    brand = office.brand
    named = office.return_path or parse_mailbox(brand.sender).address
    bounces = named.replace("+{token}", "").replace("{token}", "service")
    signer = office.signing.signer() if office.signing else None
    outgoing = []
    for number, letter in enumerate(letters):
        rendered = await asyncio.to_thread(_rendered, letter, bounces, office, clock)
        if rendered.served:
            await asyncio.to_thread(planning.keep_pictures, db, rendered.served)
        message = rendered.message
        if signer is not None:
            message = signer.sign(message, _seconds(clock.now()))
        international = not letter.to.isascii()
        outgoing.append(
            Outgoing(number, bounces, letter.to, partial(_ready, message), international)
        )
    run = Handful(outgoing)
    with contextlib.suppress(TimeoutError):  # whoever has no answer by then was not reached
        await asyncio.wait_for(office.transport.run(run, run), _WITHIN)
    return [run.answers.get(number, (False, ""))[0] for number in range(len(letters))]


def _rendered(
    letter: ServiceLetter, bounces: str, office: PostOffice, clock: Clock
) -> RenderedServiceMail:
    return render_service_mail(
        letter.kind,
        Occasion(office.brand.organisation, letter.action_url, letter.valid_days),
        to=letter.to,
        language=letter.language,
        message_id=f"service.{secrets.token_hex(12)}@{bounces.rpartition('@')[2]}",
        layouts=office.layouts,
        brand=office.brand,
        clock=clock,
    )


def _ready(message: bytes) -> bytes:
    return message


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
