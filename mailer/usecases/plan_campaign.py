"""Plans a campaign: freezes an issue and its audience, one delivery row for each person."""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Row

from mailer.compose.compose import Composed
from mailer.compose.languages import Offered, choose
from mailer.compose.reading import Brand
from mailer.contacts.masking import mask_address
from mailer.errors import Fault, InputError
from mailer.message.compiled import CompiledMessage, Letterhead, compile_message
from mailer.message.headers import feedback_words
from mailer.message.keys import aligned
from mailer.message.links import KeyRing
from mailer.message.mailbox import HeaderError, Mailbox, encode_domain, parse_mailbox
from mailer.message.values import MergeError
from mailer.model.words import FieldKind, Slot
from mailer.ports import Clock, Folder
from mailer.store import campaigns, people, planning, runs
from mailer.store.database import Database
from mailer.usecases.check_issue import check_issue
from mailer.usecases.compose_issue import (
    IssueFolder,
    content_hash,
    file_hashes,
    sources,
    web_address,
)
from mailer.usecases.send_campaign import Schedule
from mailer.usecases.sign_letters import Signing
from mailer.usecases.use_list_defaults import with_list_defaults

_EXAMPLES = 3  # people named, masked, in a fault about a missing value


@dataclass(frozen=True, slots=True)
class SendingPolicy:
    """What the workspace's settings say about sending; frozen with the campaign."""

    return_path: str  # may hold {token}
    site_url: str
    signing: Signing | None = None
    cfbl_address: str = ""  # complaints come here (RFC 9477)


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


def plan_campaign(
    issue: IssueFolder,
    *,
    list_name: str,
    exclude: Sequence[str] = (),
    not_in: Sequence[str] = (),
    again: bool = False,
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
    3. Read everybody on the list; leave out who must not get it, with the reason counted.
    4. Give each person their language, and evaluate each slot for them, so that a send can't fail
       on a value.
    5. Write it in slices, and make it visible at once.

    ``folder`` is where flight recorders lie.

    Raises InputError when the issue has errors, or somebody lacks a value it needs;
    NotFoundError for an unknown list or campaign. Nothing is left behind then.
    """
    runs.recover_issue(
        db, issue.name, folder=folder, now=clock.now(), judge=Schedule(retry_after, clock).judge
    )
    with db.read() as connection:
        mailing_list = people.find_list(connection, list_name)
        if mailing_list.archived_at is not None:
            raise InputError(
                f"The list “{list_name}” is archived.",
                hint=f"`mailer lists archive {list_name} --back` takes it back into use.",
            )
        excluded_lists = [people.find_list(connection, name).id for name in exclude]
        excluded_campaigns = [campaigns.find(connection, name).id for name in not_in]
        fields = people.field_kinds(connection)
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
            "again": again,
            "key_id": keys.key_id,
            "from": str(sender),
            "site_url": sending.site_url,
            "return_path": sending.return_path or sender.address,
            "message_id_domain": letters[0].domain,
            "dkim": sending.signing.freeze() if sending.signing else None,
            "files": files,
            "default_layout": brand.layout,
            "sources": sources(issue),
            "variants": [
                {"language": each.offered.tag, "subject": each.subject, "from": str(each.sender)}
                for each in letters
            ],
        },
        variants=[
            (each.offered.tag, each.compiled.dump(), each.compiled.web_page()) for each in letters
        ],
        pictures=[picture for each in report.variants for picture in each.rendition.pictures],
    )
    campaign_id, variants = planning.create(db, content, now=clock.now())
    try:
        audience, languages, excluded = _write_people(
            db,
            campaign_id,
            variants,
            letters,
            {
                "list_id": mailing_list.id,
                "issue": issue.name,
                "exclude_lists": excluded_lists,
                "not_in": excluded_campaigns,
                "again": again,
            },
        )
        slug = planning.publish(
            db, campaign_id, issue=issue.name, audience=audience, excluded=excluded
        )
    except BaseException:
        planning.discard(db, campaign_id)
        raise
    return PlanReport(
        campaign_id,
        slug,
        content.subject,
        audience,
        len(variants),
        languages,
        excluded,
        web_url,
        [*report.warnings, *_unaligned(sending, letters)],
    )


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


def _write_people(
    db: Database,
    campaign_id: int,
    variants: Sequence[int],
    letters: Sequence[_Letter],
    selection: dict[str, Any],
) -> tuple[int, dict[str, int], dict[str, int]]:
    """Writes the audience in slices: how many in all, in each language, and left out for what."""
    given: Counter[str] = Counter({each.offered.tag: 0 for each in letters})
    excluded: Counter[str] = Counter()
    gaps = _Gaps()
    with db.read() as connection:
        chosen = planning.candidates(connection, db.dialect, **selection)
        audience = _audience(chosen, letters, given, excluded, gaps)
        position = 1
        while people_slice := list(islice(audience, planning.SLICE)):
            position = planning.add_people(db, campaign_id, variants, people_slice, position)
    gaps.complain()
    return position - 1, dict(given), dict(excluded)


def _audience(
    candidates: Iterator[planning.Candidate],
    letters: Sequence[_Letter],
    given: Counter[str],
    excluded: Counter[str],
    gaps: _Gaps,
) -> Iterator[planning.Planned]:
    """Those who get it, with the fields that their mail reads; each slot is tried on each."""
    offered = [each.offered for each in letters]
    names = [sorted(each.compiled.names) for each in letters]
    variant_of: dict[str | None, int] = {}  # people are many, languages are few
    for person in candidates:
        if person.excluded:
            excluded[person.excluded] += 1
            continue
        variant = variant_of.get(person.language)
        if variant is None:
            variant = variant_of[person.language] = choose(person.language, offered)
        fields = {name: person.fields[name] for name in names[variant] if name in person.fields}
        given[offered[variant].tag] += 1
        gaps.look(letters[variant].compiled, fields, person.address)
        snapshot = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
        yield planning.Planned(person.subscriber_id, variant, person.address, snapshot)


class _Gaps:
    """Collects, for each slot, how many people lack its value, and a few of them masked."""

    def __init__(self) -> None:
        self._found: dict[tuple[Slot, str], tuple[MergeError, int, list[str]]] = {}

    def look(self, compiled: CompiledMessage, fields: Mapping[str, Any], address: str) -> None:
        for error in compiled.errors(fields):
            place = (error.slot, error.reason)
            _, many, examples = self._found.get(place, (error, 0, []))
            if len(examples) < _EXAMPLES:
                examples.append(mask_address(address))
            self._found[place] = (error, many + 1, examples)

    def complain(self) -> None:
        """Raises InputError with one fault a slot."""
        if not self._found:
            return
        faults = []
        for error, many, examples in self._found.values():
            who = f"{many:,} people, such as {', '.join(examples)}" if many > 1 else examples[0]
            hint = (
                'Add `| default("…")`, or plan with --blank-ok.'
                if error.reason == "empty"
                else None
            )
            faults.append(replace(error.fault, message=f"{error.fault.message} ({who})", hint=hint))
        raise InputError(faults)


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
