"""Shows the mail of one person of a planned campaign: the very bytes that a send would send."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from mailer.errors import NotFoundError
from mailer.message.links import KeyRing
from mailer.model.words import DeliveryState
from mailer.ports import Clock
from mailer.store import campaigns
from mailer.store.claims import Claimed
from mailer.store.database import Database
from mailer.store.runs import milliseconds
from mailer.usecases.send_campaign import Letters
from mailer.usecases.sign_letters import Signing


@dataclass(frozen=True, slots=True)
class PlannedMail:
    """One person's mail. ``message`` goes on the wire as it is if it is claimed at ``at``.

    The date, and with it a signature, is the first claim's; everything else is settled.
    """

    campaign: str
    address: str
    language: str
    message: bytes
    web_page: str
    site_url: str
    at: datetime
    claimed: bool  # once: then ``at`` is settled, too


def preview_recipient(
    name: str | int,
    *,
    address: str | None = None,
    language: str | None = None,
    db: Database,
    keys: KeyRing,
    clock: Clock,
    signing: Signing | None = None,
) -> PlannedMail:
    """Makes the mail of one recipient: of this address, else the first one, or in a language.

    Raises NotFoundError for an unknown campaign, and for somebody who is not waiting in it: what
    the mail knew of a person is forgotten once they got it.
    """
    with db.read() as connection:
        campaign = campaigns.find(connection, name)
        row = campaigns.waiting_recipient(connection, campaign.id, address, language)
        variants = {each.id: each for each in campaigns.variants(connection, campaign.id)}
    if row is None:
        who = address or "Nobody"
        raise NotFoundError(
            f"{who} {'is not' if address else 'is'} waiting in this campaign’s audience.",
            hint="What a mail knew of a person is forgotten once they got it.",
        )
    signer = signing.thaw(campaign.frozen.get("dkim")) if signing else None
    variant = variants[row.variant_id]
    letters = Letters.load(campaign, [variant], keys, signer)
    first_at = row.first_at or milliseconds(clock.now())
    state = DeliveryState(row.state)
    message = letters.render(
        Claimed(
            row.position,
            row.attempt,
            state,
            row.subscriber_id,
            row.variant_id,
            row.address,
            row.fields,
            first_at,
            None,
        )
    )
    return PlannedMail(
        campaign.slug,
        row.address,
        variant.language,
        message,
        variant.web_page,
        campaign.frozen["site_url"],
        datetime.fromtimestamp(first_at / 1000, UTC),
        row.first_at is not None,
    )
