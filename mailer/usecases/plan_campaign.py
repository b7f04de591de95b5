"""Plans a campaign: freezes an issue and its audience, one delivery row for each person."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mailer.compose.compose import Composed
from mailer.compose.languages import choose
from mailer.compose.reading import Brand
from mailer.contacts.rule_time import Calendar
from mailer.errors import Fault, InputError
from mailer.message.links import KeyRing
from mailer.model.measuring import ClickMode, LoadMode, by_person
from mailer.model.words import OnUnknown, Rendition
from mailer.ports import Clock, Folder
from mailer.store import clicks as clicks_kept
from mailer.store import people, planning, runs
from mailer.store.database import Database
from mailer.usecases.check_issue import CheckReport, check_issue
from mailer.usecases.compile_letter import (
    Addressed,
    Letter,
    Measuring,
    SendingPolicy,
    compile_letter,
)
from mailer.usecases.compose_issue import (
    IssueFolder,
    content_hash,
    file_hashes,
    sources,
)
from mailer.usecases.freeze_audience import Frozen, freeze_audience
from mailer.usecases.measure_letters import measure_letters
from mailer.usecases.select_audience import Wishes, select_audience
from mailer.usecases.send_campaign import Schedule
from mailer.usecases.split_audience import Split, require_seconds, unsplit
from mailer.usecases.use_list_defaults import with_list_defaults


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
    split: dict[str, Any] | None = None  # a test between two subjects
    doubts: Sequence[str] = ()  # what in a segment's rule is probably not meant
    clicks: ClickMode = ClickMode.off
    measured_links: int = 0
    measured_people: int | None = None  # of the audience, where people are measured
    image_loads: LoadMode = LoadMode.off


def plan_campaign(
    issue: IssueFolder,
    *,
    wishes: Wishes,
    calendar: Calendar,
    blank_ok: bool = False,
    on_unknown: OnUnknown = OnUnknown.hold,
    in_archive: bool = True,
    split: Split | None = None,
    clicks: ClickMode | None = None,
    image_loads: LoadMode | None = None,
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
    3. If anything is measured, compile it once more: links through the site, the counted picture.
    4. Write one delivery for each person who is to get it, in their language; whoever of the list
       is not is counted with the reason (``freeze_audience``).
    5. Make it visible, all at once.

    ``folder`` is where flight recorders lie. ``in_archive``: unless the issue itself says
    ``archive: no``, everybody may read it there once it is sent, if its list is public. ``clicks``
    and ``image_loads`` are what is measured, whatever issue and settings say.

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
    composed = [*report.variants]
    if split is not None:
        require_seconds(report)
        composed += report.seconds
    letters = [
        compile_letter(
            each,
            issue=issue,
            mailing_list=Addressed(mailing_list.title, mailing_list.slug),
            web_home=web_url,
            fields=fields,
            blank_ok=blank_ok,
            sending=sending,
        )
        for each in composed
    ]
    languages = len(report.variants)
    mode = clicks or sending.clicks_of(report.variants[0])
    loads = image_loads or sending.loads_of(report.variants[0])
    _require_one_kind(mode, loads)
    if split is not None:
        split.require(mode)
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
            "on_unknown": on_unknown,
            "selection": selected.frozen,
            "key_id": keys.key_id,
            "joint_tags": True,
            "clicks": mode,
            "image_loads": loads,
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
                {
                    "language": each.offered.tag,
                    "also_for": each.offered.also_for,
                    "subject": each.subject,
                    "from": str(each.sender),
                    "any_size": _any_size(one),  # for who comes in later
                }
                for each, one in zip(letters, report.variants, strict=False)
            ],
            **(split.frozen(letters[languages:]) if split is not None else {}),
        },
        variants=[_written(each) for each in letters[:languages]],
        seconds=[_written(each) for each in letters[languages:]],
        pictures=[file for each in report.variants for file in each.rendition.served],
        in_archive=in_archive and report.variants[0].front.archive,
    )
    campaign_id, variants = planning.create(db, content, now=clock.now())
    try:
        measuring = Measuring(keys, keys.key_id, campaign_id, mode, loads=loads)
        measured = measure_letters(
            variants,
            composed,
            measuring,
            issue=issue,
            mailing_list=Addressed(mailing_list.title, mailing_list.slug),
            web_home=web_url,
            fields=fields,
            blank_ok=blank_ok,
            sending=sending,
            db=db,
        )
        offered = [each.offered for each in letters[:languages]]
        frozen = freeze_audience(
            campaign_id,
            variants,
            [each.compiled for each in letters],
            lambda language: choose(language, offered),
            db=db,
            selection=selected.selection,
            lane_of=sending.lane_of,
            site_url=sending.site_url,
            draw=split.draw(content.frozen) if split is not None else None,
            measured=measured,
            by_person=by_person(content.frozen),
        )
        clipped = list(_clipped(frozen, report))
        slug = planning.publish(
            db,
            campaign_id,
            issue=issue.name,
            audience=frozen.audience,
            excluded=frozen.excluded,
            lanes=frozen.lanes,
            held=frozen.held,
        )
    except BaseException:
        planning.discard(db, campaign_id)
        raise
    agreed = _measured_people(db, campaign_id) if by_person(content.frozen) else None
    return PlanReport(
        campaign_id,
        slug,
        content.subject,
        frozen.audience,
        len(variants),
        {each.tag: people for each, people in zip(offered, frozen.by_variant, strict=True)},
        frozen.excluded,
        web_url,
        [*report.warnings, *clipped, *_unaligned(sending, letters)],
        split.told(frozen, letters[0].subject, letters[languages].subject) if split else None,
        [*selected.doubts, *(split.doubts(frozen, report, agreed) if split else unsplit(report))],
        mode,
        len(measuring.numbers),
        agreed,
        loads,
    )


def _require_one_kind(clicks: ClickMode, loads: LoadMode) -> None:
    """Who says no to being measured is not to be counted without a name in the same mail."""
    if {clicks.value, loads.value} == {"totals", "people"}:
        raise InputError(
            f"Clicks are to be measured by {clicks}, and image loads by {loads}.",
            hint="Choose one of the two for both, or `off` for one.",
        )


def _measured_people(db: Database, campaign_id: int) -> int:
    with db.read() as connection:
        return clicks_kept.planned_people(connection, campaign_id)


def _clipped(frozen: Frozen, report: CheckReport) -> Iterator[Fault]:
    """Yields a warning for a language that comes close to what Gmail shows, by its real readers.

    The check measures an invented reader; real values can be longer. Raises InputError where some
    reader's mail would be cut, unless the author silenced the rule.
    """
    told = {each.file for each in report.warnings if each.rule == "html-size"}
    for longest, composed in zip(frozen.longest, report.variants, strict=True):
        fault = longest.fault(composed.where) if longest is not None else None
        if longest is None or fault is None or _any_size(composed):
            continue
        if longest.is_cut:
            raise InputError(fault)
        if composed.where not in told:
            yield fault


def _any_size(composed: Composed) -> bool:
    """Whether the author silenced the rule about what Gmail hides."""
    return "html-size" in composed.front.silence


def _written(letter: Letter) -> tuple[str, str, str]:
    return letter.offered.tag, letter.compiled.dump(), letter.compiled.web_page()


def _asks_again(rendition: Rendition) -> bool:
    """Whether a letter has the link by which a reader says yes once more."""
    return any("reconfirm_url" in slot.source for slot in rendition.slots)


def _unaligned(sending: SendingPolicy, letters: Sequence[Letter]) -> Iterator[Fault]:
    """Yields a warning for each domain of a From for which the signature does nothing."""
    for domain in dict.fromkeys(each.domain for each in letters):
        sentence = sending.signing.misaligned(domain) if sending.signing else ""
        if sentence:
            yield Fault(sentence, rule="dkim")
