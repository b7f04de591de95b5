"""Approves what a campaign will send, and holds a send to it.

An approval is bound to what was looked at: everything that the plan froze, the number of people,
and the files of the issue as they lay there. Any edit, and any new plan, voids it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row

from mailer.errors import Fault, InputError
from mailer.model.words import CampaignState
from mailer.ports import Clock, Folder
from mailer.store import approvals, campaigns, runs
from mailer.store.database import Database
from mailer.store.ledger import counts
from mailer.usecases.compare_issue import compare_issue, files_now
from mailer.usecases.compose_issue import IssueFolder

_OPEN = (CampaignState.planned, CampaignState.paused, CampaignState.held, CampaignState.scheduled)


@dataclass(frozen=True, slots=True)
class Approval:
    """Who approved a campaign, when (ISO, UTC), and the hash of what they saw."""

    campaign: int
    slug: str
    by: str
    at: str
    hash: str


def approve_campaign(
    name: str | int,
    *,
    by: str,
    frozen: bool = False,
    db: Database,
    clock: Clock,
    issue_at: Callable[[Path], IssueFolder],
    layouts: Callable[[str], Folder],
) -> Approval:
    """Writes down that somebody approves what was planned, and an event with their name.

    Raises InputError when the campaign is over or under way, and, unless ``frozen``, when the
    issue's folder is not what was planned any more. Approving again replaces the approval.
    """
    changes = compare_issue(name, db=db, issue_at=issue_at, layouts=layouts)
    if changes and not frozen:
        hint = "Plan it again, or approve what was planned with --frozen."
        raise InputError(
            [*map(Fault, changes), Fault("The issue has changed since it was planned.", hint=hint)]
        )
    now = clock.now()
    with db.read() as connection:
        campaign = campaigns.find(connection, name)
        files = _files(campaign, issue_at, layouts)
    with db.write() as connection:
        runs.lock_campaign(connection, db.dialect, campaign.id)
        campaign = campaigns.find(connection, campaign.id)
        if campaign.state not in _OPEN:
            raise InputError(f"The campaign “{campaign.slug}” is {campaign.state} already.")
        given = {
            "by": by,
            "at": now.isoformat(timespec="seconds"),
            "content": _content_hash(connection, campaign),
            "files": files,
        }
        approvals.write(connection, campaign.id, given)
        campaigns.note_event(
            connection,
            kind="approved",
            actor=db.operator,
            campaign_id=campaign.id,
            at=now,
            detail=f"by {by}, content {given['content'][:16]}",
        )
    return Approval(campaign.id, campaign.slug, by, given["at"], given["content"])


def require_approval(
    name: str | int,
    *,
    db: Database,
    issue_at: Callable[[Path], IssueFolder],
    layouts: Callable[[str], Folder],
) -> None:
    """Raises InputError when nobody has approved the campaign, or the approval is void.

    Once it is being sent, edits of the folder concern another edition, and only what was frozen
    is compared.
    """
    with db.read() as connection:
        campaign = campaigns.find(connection, name)
        given = approvals.read(connection, campaign.id)
        content = _content_hash(connection, campaign)
    again = f"`mailer campaigns approve {campaign.slug}` does it."
    if given is None:
        raise InputError(
            f"Nobody has approved “{campaign.slug}”, and MAILER_REQUIRE_APPROVAL asks for it.",
            hint=again,
        )
    void = f"The approval that {given['by']} gave is void:"
    if given["content"] != content:
        raise InputError(f"{void} the campaign is not what it was then.", hint=again)
    if campaign.started_at is None and given["files"] != _files(campaign, issue_at, layouts):
        raise InputError(
            f"{void} the issue has been edited since.",
            hint="Plan it again and have that approved, or have what was planned approved with"
            f" `mailer campaigns approve {campaign.slug} --frozen`.",
        )


def _content_hash(connection: Connection, campaign: Row[Any]) -> str:
    """One hash of all that a reader will get, and of how many will get it."""
    frozen: Mapping[str, Any] = campaign.frozen
    parts = [
        campaign.content_hash,
        str(campaign.list_id),
        campaign.subject,
        campaign.web_key,
        json.dumps({k: v for k, v in frozen.items() if k != "planner"}, sort_keys=True),
        *(variant.compiled for variant in campaigns.variants(connection, campaign.id)),
        str(counts(connection, campaign.id).audience),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _files(
    campaign: Row[Any],
    issue_at: Callable[[Path], IssueFolder],
    layouts: Callable[[str], Folder],
) -> str:
    """One hash of the issue's files as they lie there now; a word when there are none to read."""
    if not Path(campaign.folder).is_dir():
        return "gone"
    try:
        files = files_now(campaign, issue_at(Path(campaign.folder)), layouts=layouts)
    except InputError:
        return "unreadable"
    told = json.dumps(files, sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()
