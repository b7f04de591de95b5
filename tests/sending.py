"""Plans a campaign of letters for a test, and sends it as the command line would."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mailer.adapters.clock import SystemClock
from mailer.adapters.smtp_transport import SmtpTransport
from mailer.message.compiled import (
    CompiledMessage,
    Letterhead,
    PersonHeaders,
    compile_message,
)
from mailer.message.links import KeyRing
from mailer.message.mailbox import Mailbox
from mailer.model.words import Counts, Rendition, Slot, SlotKind
from mailer.ports import Transport
from mailer.smtp.pace import Pace
from mailer.store import planning
from mailer.store.database import Database
from mailer.usecases.send_campaign import SendReport, send_campaign
from mailer.usecases.sign_letters import Signing
from tests.builders import make_list, make_subscriber, plan_people, subscribe

KEYS = KeyRing(bytes(range(32)))
SITE = "https://news.example.org"
_UNSUBSCRIBE = Slot("zq0", SlotKind.value, "unsubscribe_url", "issue.md", 1)
_EMAIL = Slot("zq1", SlotKind.value, "email", "issue.md", 2)
LETTER = Rendition(
    subject="Boats at the quay",
    preheader="",
    html='<!doctype html><html lang="en"><p>For zq1. <a href="zq0">Leave</a></p></html>',
    web_html="<!doctype html><p>For everybody.</p>",
    text="For zq1.\n\nLeave: zq0\n",
    slots=(_UNSUBSCRIBE, _EMAIL),
    language="en",
    direction="ltr",
)


def plan_letters(db: Database, people: int, *, slug: str = "edition", **frozen: Any) -> int:
    """Plans LETTER for so many new people on a new list; returns the campaign's id."""
    list_id = make_list(db, slug)
    ids = {}
    for number in range(1, people + 1):
        address = f"{slug}-{number}@example{number % 7}.org"
        ids[make_subscriber(db, address)] = address
    for subscriber in ids:
        subscribe(db, subscriber, list_id)
    return plan_for(db, ids, list_id, slug=slug, **frozen)


def compiled_letter(rendition: Rendition = LETTER, slug: str = "edition") -> CompiledMessage:
    letterhead = Letterhead(
        sender=Mailbox("Harbour News", "news@example.org"),
        seed=slug,
        list_name="Harbour",
        list_id="harbour.news.example.org",
        campaign=slug,
        web_url=f"{SITE}/w/{slug}",
    )
    return compile_message(rendition, letterhead, fields={})


def merged(rendition: Rendition = LETTER) -> bytes:
    """One reader's bytes, with links as long as real ones."""
    link = f"{SITE}/u/{'x' * 36}"
    person = PersonHeaders(
        to="p-1000@example1.org",
        message_id=f"{'x' * 28}@example.org",
        date="Tue, 24 Nov 2026 09:00:00 +0000",
        unsubscribe_url=link,
        preferences_url=link,
        email="p-1000@example1.org",
    )
    return compiled_letter(rendition).merge({}, person)


def plan_for(
    db: Database,
    people: Mapping[int, str],
    list_id: int,
    *,
    slug: str = "edition",
    rendition: Rendition = LETTER,
    lanes: Sequence[tuple[str, int]] = (),
    **frozen: Any,
) -> int:
    """Plans a letter for these people (id → address); ``lanes`` are names with their people."""
    content = content_of(rendition, list_id, slug, **frozen)
    campaign_id, variants = planning.create(db, content, now=datetime.now(UTC))
    plan_people(db, campaign_id, variants[0], people)
    planning.publish(db, campaign_id, issue=slug, audience=len(people), excluded={}, lanes=lanes)
    return campaign_id


def content_of(
    rendition: Rendition, list_id: int, slug: str = "edition", **frozen: Any
) -> planning.Content:
    """What a plan of this letter freezes."""
    compiled = compiled_letter(rendition, slug)
    return planning.Content(
        issue=slug,
        folder=f"nowhere/{slug}",
        content_hash="",
        list_id=list_id,
        subject=rendition.subject,
        web_key=slug,
        frozen={
            "again": False,
            "key_id": KEYS.key_id,
            "joint_tags": True,
            "from": "news@example.org",
            "site_url": SITE,
            "return_path": "bounces+{token}@example.org",
            "message_id_domain": "example.org",
            **frozen,
        },
        variants=[("en", compiled.dump(), compiled.web_page())],
        pictures=[],
    )


def send(
    db: Database,
    campaign_id: int,
    folder: Path,
    port: int,
    *,
    transport: Transport | None = None,
    pace: Pace | None = None,
    retry_after: Sequence[int] = (120,),
    expires_after: int = 3600,
    max_wait: float = 0,
    signing: Signing | None = None,
    progress: Callable[[Counts, int | None], None] = lambda counts, due: None,
) -> SendReport:
    """Sends over real SMTP to a port of this machine."""
    return asyncio.run(
        send_campaign(
            campaign_id,
            db=db,
            transport=transport or SmtpTransport("127.0.0.1", port, security="none"),
            keys=KEYS,
            clock=SystemClock(),
            folder=folder,
            pace=pace or Pace(),
            retry_after=tuple(retry_after),
            expires_after=expires_after,
            max_wait=max_wait,
            signing=signing,
            progress=progress,
        )
    )
