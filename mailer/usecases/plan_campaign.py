"""Plans a campaign: freezes an issue and its audience, one delivery row for each person."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Row

from mailer.compose.compose import Composed
from mailer.compose.languages import Offered, choose
from mailer.compose.reading import Brand
from mailer.contacts.rule_time import Calendar
from mailer.errors import Fault, InputError
from mailer.message.compiled import CompiledMessage, Letterhead, compile_message
from mailer.message.headers import feedback_words
from mailer.message.keys import aligned
from mailer.message.links import KeyRing
from mailer.message.mailbox import HeaderError, Mailbox, encode_domain, parse_mailbox
from mailer.model.words import FieldKind, Rendition
from mailer.ports import Clock, Folder
from mailer.smtp.providers import lane_names
from mailer.store import people, planning, runs
from mailer.store.database import Database
from mailer.usecases.check_issue import check_issue
from mailer.usecases.compose_issue import (
    IssueFolder,
    content_hash,
    file_hashes,
    sources,
    web_address,
)
from mailer.usecases.freeze_audience import freeze_audience
from mailer.usecases.select_audience import Wishes, select_audience
from mailer.usecases.send_campaign import Schedule
from mailer.usecases.sign_letters import Signing
from mailer.usecases.use_list_defaults import with_list_defaults


@dataclass(frozen=True, slots=True)
class SendingPolicy:
    """What the workspace's settings say about sending; frozen with the campaign."""

    return_path: str  # may hold {token}
    site_url: str
    signing: Signing | None = None
    cfbl_address: str = ""  # complaints come here (RFC 9477)
    lane_of: Mapping[str, str] = field(default_factory=lambda: lane_names({}))  # by domain


@dataclass(frozen=True, slots=True)
class PlanReport:
    """What was planned. ``excluded`` and ``audience`` add up to the list's size."""

    campaign: int
    slug: str
    subject: str
    audience: int
    variants: int
    languages: Mapping[str, int]  # how many people get each
    excluded: Mapping[str, int]
    web_url: str
    warnings: Sequence[Fault]
    doubts: Sequence[str] = ()  # what in a segment's rule is probably not meant


def plan_campaign(
    issue: IssueFolder,
    *,
    wishes: Wishes,
    calendar: Calendar,
    blank_ok: bool = False,
    db: Database,
    layouts: Callable[[str], Folder],
    brand: Brand,
    keys: KeyRing,
    clock: Clock,
    sending: SendingPolicy,
    folder: Path,
    retry_after: tuple[int, ...],
) -> PlanReport:
    """Freezes content and audience; nothing is sent.

    1. Settle what dead sends of this issue left; check the issue, refuse one with errors.
    2. Compile it in each of its languages: everything constant is encoded now.
    3. Write one delivery for each person who is to get it, in their language; whoever of the list
       is not is counted with the reason (``freeze_audience``).
    4. Make it visible, all at once.

    ``folder`` is where flight recorders lie.

    Raises InputError when the issue has errors, or somebody lacks a value it needs;
    NotFoundError for an unknown list, segment or campaign. Nothing is left behind then.
    """
    runs.recover_issue(
        db, issue.name, folder=folder, now=clock.now(), judge=Schedule(retry_after, clock).judge
    )
    with db.read() as connection:
        selected = select_audience(connection, wishes, issue=issue.name, calendar=calendar)
        fields = people.field_kinds(connection)
    mailing_list = selected.list
    brand = with_list_defaults(brand, mailing_list)
    report = check_issue(issue, layouts=layouts, brand=brand, fields=fields)
    if not report.variants or report.errors:
        raise InputError(report.errors)
    web_key = secrets.token_urlsafe(16)
    web_url = f"{sending.site_url}/w/{web_key}"
    letters = [
        _compile(each, issue, mailing_list, web_url, fields, blank_ok, sending)
        for each in report.variants
    ]
    files = file_hashes(
        issue,
        layouts=layouts,
        default_layout=brand.layout,
        borrowed={name for each in report.variants for name in each.borrowed},
    )
    sender = letters[0].sender
    content = planning.Content(
        issue=issue.name,
        folder=issue.path,
        content_hash=content_hash(files),
        list_id=mailing_list.id,
        subject=letters[0].subject,
        web_key=web_key,
        frozen={
            "again": wishes.again,
            "selection": selected.frozen,
            "key_id": keys.key_id,
            "from": str(sender),
            "site_url": sending.site_url,
            "return_path": sending.return_path or sender.address,
            "message_id_domain": letters[0].domain,
            "dkim": sending.signing.freeze() if sending.signing else None,
            "files": files,
            "default_layout": brand.layout,
            "asks_again": any(_asks_again(each.rendition) for each in report.variants),
            "sources": sources(issue),
            "variants": [
                {"language": each.offered.tag, "subject": each.subject, "from": str(each.sender)}
                for each in letters
            ],
        },
        variants=[
            (each.offered.tag, each.compiled.dump(), each.compiled.web_page()) for each in letters
        ],
        pictures=[file for each in report.variants for file in each.rendition.served],
    )
    campaign_id, variants = planning.create(db, content, now=clock.now())
    try:
        offered = [each.offered for each in letters]
        frozen = freeze_audience(
            campaign_id,
            variants,
            [each.compiled for each in letters],
            lambda language: choose(language, offered),
            db=db,
            selection=selected.selection,
            lane_of=sending.lane_of,
        )
        slug = planning.publish(
            db,
            campaign_id,
            issue=issue.name,
            audience=frozen.audience,
            excluded=frozen.excluded,
            lanes=frozen.lanes,
        )
    except BaseException:
        planning.discard(db, campaign_id)
        raise
    return PlanReport(
        campaign_id,
        slug,
        content.subject,
        frozen.audience,
        len(variants),
        {each.tag: people for each, people in zip(offered, frozen.by_variant, strict=True)},
        frozen.excluded,
        web_url,
        [*report.warnings, *_unaligned(sending, letters)],
        selected.doubts,
    )


def _asks_again(rendition: Rendition) -> bool:
    """Whether a letter has the link by which a reader says yes once more."""
    return any("reconfirm_url" in slot.source for slot in rendition.slots)


@dataclass(frozen=True, slots=True)
class _Letter:
    """One language of the issue, compiled."""

    offered: Offered
    subject: str  # for people
    sender: Mailbox
    domain: str  # of From, as A-labels
    compiled: CompiledMessage


def _compile(
    composed: Composed,
    issue: IssueFolder,
    mailing_list: Row[Any],
    web_home: str,
    fields: Mapping[str, FieldKind],
    blank_ok: bool,
    sending: SendingPolicy,
) -> _Letter:
    sender, reply_to = _mailboxes(composed)
    domain = encode_domain(sender.address.rpartition("@")[2])
    compiled = compile_message(
        composed.rendition,
        Letterhead(
            sender=sender,
            reply_to=reply_to,
            seed=f"{issue.name} {composed.rendition.language}",
            list_name=mailing_list.title,
            list_id=list_id(mailing_list.slug, sending.site_url),
            campaign=issue.name,
            web_url=web_address(web_home, composed),
            web_home=web_home,
            feedback_id=feedback_words(issue.name, mailing_list.slug, domain),
            cfbl_address=_complaints(sending, domain),
        ),
        fields=fields,
        blank_ok=blank_ok,
    )
    return _Letter(composed.offered, _subject(composed), sender, domain, compiled)


def _unaligned(sending: SendingPolicy, letters: Sequence[_Letter]) -> Iterator[Fault]:
    """Yields a warning for each domain of a From for which the signature does nothing."""
    for domain in dict.fromkeys(each.domain for each in letters):
        sentence = sending.signing.misaligned(domain) if sending.signing else ""
        if sentence:
            yield Fault(sentence, rule="dkim")


def _complaints(sending: SendingPolicy, domain: str) -> str:
    """Where complaints go. Raises InputError when nobody would believe the header (RFC 9477)."""
    address = sending.cfbl_address
    if address and not aligned(encode_domain(address.rpartition("@")[2]), domain):
        raise InputError(
            f"MAILER_CFBL_ADDRESS is {address} and From is at {domain}.",
            hint="Receivers believe an address of the same domain alone.",
        )
    return address


def _mailboxes(composed: Composed) -> tuple[Mailbox, Mailbox | None]:
    """From and Reply-To: the issue's, else the list's, else the settings'."""
    sender, reply_to = composed.front.sender, composed.front.reply_to
    if not sender:
        raise InputError(
            "Nobody is named as the sender.",
            hint="Set MAILER_FROM, or `from:` in the issue's front matter.",
        )
    try:
        return parse_mailbox(sender), parse_mailbox(reply_to) if reply_to else None
    except HeaderError as error:
        raise InputError(f"From or Reply-To can't be used: {error}") from None


def list_id(slug: str, site_url: str) -> str:
    """The List-Id of a list: stable as long as its slug and the site's host are (RFC 2919)."""
    host = urlsplit(site_url).hostname or "localhost"
    named = host.rpartition(".")[2].isalpha()
    return f"{slug}.{host}" if named else f"{slug}.localhost"


def _subject(composed: Composed) -> str:
    """The subject for people: slots as the author wrote them."""
    subject = composed.rendition.subject
    for slot in composed.rendition.slots:
        subject = subject.replace(slot.sentinel, f"{{{{ {slot.source.strip()} }}}}")
    return subject
