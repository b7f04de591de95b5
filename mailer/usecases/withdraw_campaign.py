"""Takes a campaign's page off the site, and brings it back; keeps it out of the archive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from mailer.errors import Fault, InputError
from mailer.model.words import CampaignState
from mailer.ports import Clock
from mailer.store import archive, campaigns
from mailer.store.database import Database

_LONGEST_REASON = 500
_UNDER_WAY = (CampaignState.sending, CampaignState.scheduled, CampaignState.held)


@dataclass(frozen=True, slots=True)
class Publicity:
    """How a campaign stands on the site. ``siblings`` are others of its issue, still shown."""

    campaign: int
    slug: str
    withdrawn_at: datetime | None
    in_archive: bool
    siblings: Sequence[str] = ()


def withdraw_campaign(
    name: str | int, *, reason: str, by: str, db: Database, clock: Clock
) -> Publicity:
    """Takes its page off the site: who opens it is told so (410), in the page's language.

    Nothing is deleted: the ledger keeps what was sent, and readers' links go on working. The reason
    is for officers and stands in the events. Raises InputError without one, or while it is sent.
    """
    why = " ".join(reason.split())
    if not why:
        raise InputError(
            "A withdrawal needs its reason.", hint="--reason TEXT; readers don't see it."
        )
    if len(why) > _LONGEST_REASON:
        raise InputError(f"The reason is too long: at most {_LONGEST_REASON} characters.")
    with db.write() as connection:
        campaign = campaigns.find(connection, name)
        if campaign.state in _UNDER_WAY:
            raise InputError(
                Fault(
                    f"The campaign “{campaign.slug}” is {campaign.state}: its mails would lead to"
                    " a page that is gone.",
                    hint=f"`mailer campaigns pause {campaign.slug}` first.",
                )
            )
        now = clock.now()
        archive.withdraw(connection, campaign.id, now, why)
        campaigns.note_event(
            connection,
            kind="withdrawn",
            actor=db.operator,
            campaign_id=campaign.id,
            at=now,
            detail=f"by {by}: {why}",
        )
        siblings = [
            each.slug
            for each in (
                campaigns.find(connection, n)
                for n in campaigns.of_issue(connection, campaign.issue)
            )
            if each.id != campaign.id and each.withdrawn_at is None and each.started_at is not None
        ]
    return Publicity(campaign.id, campaign.slug, now, bool(campaign.in_archive), siblings)


def restore_campaign(name: str | int, *, by: str, db: Database, clock: Clock) -> Publicity:
    """Brings a withdrawn page back, as it was. Raises InputError when it is not withdrawn."""
    with db.write() as connection:
        campaign = campaigns.find(connection, name)
        if campaign.withdrawn_at is None:
            raise InputError(f"The campaign “{campaign.slug}” is not withdrawn.")
        archive.withdraw(connection, campaign.id, None, "")
        campaigns.note_event(
            connection,
            kind="restored",
            actor=db.operator,
            campaign_id=campaign.id,
            at=clock.now(),
            detail=f"by {by}",
        )
    return Publicity(campaign.id, campaign.slug, None, bool(campaign.in_archive))


def keep_in_archive(
    name: str | int, kept: bool, *, by: str, db: Database, clock: Clock
) -> Publicity:
    """Has the archive and the feeds name a campaign, or not; its page stays under its own link."""
    with db.write() as connection:
        campaign = campaigns.find(connection, name)
        if bool(campaign.in_archive) != kept:
            archive.keep_in_archive(connection, campaign.id, kept)
            campaigns.note_event(
                connection,
                kind="archive_shown" if kept else "archive_hidden",
                actor=db.operator,
                campaign_id=campaign.id,
                at=clock.now(),
                detail=f"by {by}",
            )
    return Publicity(campaign.id, campaign.slug, campaign.withdrawn_at, kept)
