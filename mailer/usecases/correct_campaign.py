"""Corrects a web version in sight: a dated note, and a mended text if there is one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from mailer.compose.reading import Brand
from mailer.errors import InputError
from mailer.model.words import Picture, SiteFile
from mailer.ports import Clock, Folder
from mailer.store import archive, campaigns, people, planning
from mailer.store.database import Database
from mailer.usecases.check_issue import check_issue
from mailer.usecases.compile_letter import Addressed, SendingPolicy, compile_letter
from mailer.usecases.compose_issue import IssueFolder
from mailer.usecases.use_list_defaults import with_list_defaults

_LONGEST_NOTE = 1000


@dataclass(frozen=True, slots=True)
class Corrected:
    """What was noted, and of which languages another text is shown now."""

    campaign: int
    slug: str
    at: datetime
    note: str
    languages: Sequence[str]


def correct_campaign(
    name: str | int,
    *,
    note: str,
    by: str,
    issue: IssueFolder | None = None,
    db: Database,
    layouts: Callable[[str], Folder],
    brand: Brand,
    sending: SendingPolicy,
    clock: Clock,
) -> Corrected:
    """Puts a note with its day above the page, for everybody to read; the newest comes first.

    With ``issue``, what that says is shown from now on, and a link leads to what was sent: that
    stays in the ledger, and no mail is touched. Every language of the issue must be one of the
    campaign's. Raises InputError for an empty note, or an issue with errors.
    """
    said = " ".join(note.split())
    if not said:
        raise InputError("A correction needs its note.", hint="--note TEXT; readers see it.")
    if len(said) > _LONGEST_NOTE:
        raise InputError(f"The note is too long: at most {_LONGEST_NOTE} characters.")
    with db.read() as connection:
        campaign = campaigns.find(connection, name)
        mailing_list = campaigns.list_of(connection, campaign.list_id)
        fields = people.field_kinds(connection)
        spoken = [each.language for each in campaigns.variants(connection, campaign.id)]
    pages: Mapping[str, str] = {}
    served: Sequence[Picture | SiteFile] = ()
    if issue is not None:
        report = check_issue(
            issue, layouts=layouts, brand=with_list_defaults(brand, mailing_list), fields=fields
        )
        if not report.variants or report.errors:
            raise InputError(report.errors)
        letters = [
            compile_letter(
                each,
                issue=issue,
                mailing_list=Addressed(mailing_list.title, mailing_list.slug),
                web_home=f"{campaign.frozen['site_url']}/w/{campaign.web_key}",
                fields=fields,
                blank_ok=True,
                sending=sending,
            )
            for each in report.variants
        ]
        pages = {each.offered.tag: each.compiled.web_page() for each in letters}
        served = [file for each in report.variants for file in each.rendition.served]
        unknown = [tag for tag in pages if tag not in spoken]
        if unknown:
            raise InputError(
                f"The campaign was not sent in {', '.join(unknown)}.",
                hint=f"It was sent in {', '.join(spoken)}.",
            )
    now = clock.now()
    if served:
        planning.keep_pictures(db, served)
    with db.write() as connection:
        archive.correct(connection, campaign.id, now, said, pages)
        archive.keep_pictures(connection, campaign.id, [each.name for each in served])
        text = f", new text in {', '.join(pages)}" if pages else ""
        campaigns.note_event(
            connection,
            kind="corrected",
            actor="operator",
            campaign_id=campaign.id,
            at=now,
            detail=f"by {by}{text}: {said}",
        )
    return Corrected(campaign.id, campaign.slug, now, said, list(pages))
