"""Shows an issue again and again while it is written: as anybody would get it, and what is wrong.

Files are composed once for each state that they are in. Faults are part of what is shown: an issue
with errors shows them, and recovers when they are gone.
"""

from __future__ import annotations

import email
import email.policy
import threading
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from email.message import EmailMessage
from itertools import islice

from mailer.compose.compose import Composed
from mailer.compose.looks import COLOURS, LinkSeen, Look, links_in, looked_at
from mailer.compose.reading import Brand
from mailer.contacts.address import AddressError, parse_address
from mailer.errors import Fault, InputError, MailerError, NotFoundError
from mailer.message.links import KeyRing
from mailer.model.words import FieldKind
from mailer.ports import Clock, Folder
from mailer.store import campaigns, people
from mailer.store.database import Database
from mailer.usecases.check_issue import CheckReport, check_issue
from mailer.usecases.compile_letter import Addressed, SendingPolicy
from mailer.usecases.compose_issue import IssueFolder, content_hash, file_hashes, variant_for
from mailer.usecases.find_subscribers import FoundSubscriber, Question, find_subscribers
from mailer.usecases.preview_recipient import preview_recipient
from mailer.usecases.render_issue import (
    INVENTED,
    Reader,
    Rendered,
    find_addressed,
    find_reader,
    render_variant,
)
from mailer.usecases.show_picture import show_picture

__all__ = ["COLOURS", "INVENTED", "LONGEST", "IssuePreview", "Look", "Shown", "Wish"]

LONGEST = "longest"  # as whom: the invented reader with the longest values
MOST_FOUND = 20


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to see. ``reader`` is an address, LONGEST, a part of either, or empty.

    ``campaign`` is a planned one, whose people have their subject; else the issue is shown as its
    files are now.
    """

    reader: str = ""
    language: str = ""
    campaign: str = ""
    second: bool = False  # under ``subject_b``, where there is one


@dataclass(frozen=True, slots=True)
class Shown:
    """What is to be seen. Without a mail, ``faults`` say why.

    ``found`` are people among whom to choose, when the reader was only a part of an address.
    """

    report: CheckReport
    languages: Sequence[str]
    language: str = ""
    address: str = ""
    subject: str = ""
    subjects: Sequence[str] = ()  # both, of a test between two
    second: bool = False  # shown under the second of them
    preheader: str = ""
    message: bytes = b""
    web_page: str = ""
    site_url: str = ""
    campaign: str = ""
    settled: str = ""  # a sentence: what of these bytes a send will change
    faults: Sequence[Fault] = ()
    found: Sequence[FoundSubscriber] = ()
    campaigns: Sequence[str] = ()  # planned of this issue, and not sent yet

    @property
    def mail(self) -> EmailMessage:
        """The message as a mail program reads it."""
        return email.message_from_bytes(self.message, policy=email.policy.default)

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        """The headers, decoded."""
        return [(name, str(value)) for name, value in self.mail.items()]

    @property
    def text(self) -> str:
        return self._part("plain")

    @property
    def html(self) -> str:
        return self._part("html")

    @property
    def links(self) -> Sequence[LinkSeen]:
        """Every link of the HTML part, in its order."""
        return links_in(self.html)

    def _part(self, kind: str) -> str:
        part = self.mail.get_body((kind,)) if self.message else None
        return str(part.get_content()) if part is not None else ""

    @property
    def html_bytes(self) -> int:
        """Of this reader's HTML part."""
        return len(self.html.encode())

    def page(self, look: Look, *, web: bool = False, pictures: str) -> str:
        """The mail, or its web version, as a page; hosted pictures are looked for under a path."""
        html = self.web_page if web else self.html
        embedded = self._embedded if "cid:" in html else {}
        html = html.replace(f"{self.site_url}/i/", pictures)
        return looked_at(html, look, picture=lambda name: embedded.get(name, "about:blank"))

    @property
    def _embedded(self) -> Mapping[str, str]:
        """The pictures inside of the message, as data addresses, by content id."""
        found = {}
        for part in self.mail.walk():
            name, data = part.get("Content-ID"), part.get_payload(decode=True)
            if name and isinstance(data, bytes):
                kind = part.get_content_type()
                found[str(name).strip("<>")] = f"data:{kind};base64,{b64encode(data).decode()}"
        return found


@dataclass
class _Composed:
    state: str
    report: CheckReport
    fields: Mapping[str, FieldKind]
    pictures: Mapping[str, bytes] = field(default_factory=dict)


class IssuePreview:
    """One issue that is being written, and whoever it is looked at as."""

    def __init__(
        self,
        issue: Callable[[], IssueFolder],
        *,
        list_name: str | None = None,
        db: Database,
        layouts: Callable[[str], Folder],
        brand: Brand,
        keys: KeyRing | None,
        clock: Clock,
        sending: SendingPolicy,
    ) -> None:
        """Raises NotFoundError for an unknown list. ``brand`` holds its defaults already."""
        self._issue, self._db, self._layouts, self._brand = issue, db, layouts, brand
        self._keys, self._clock, self._sending = keys, clock, sending
        with db.read() as connection:
            self._addressed: Addressed = find_addressed(connection, list_name, brand)
        self._lock = threading.Lock()
        self._last: _Composed | None = None

    def show(self, wish: Wish) -> Shown:
        """What a wish leads to; whatever is wrong with the issue or the wish is part of it."""
        try:
            issue = self._issue()
        except InputError as error:
            faults = tuple(error.faults)
            return Shown(CheckReport((), ()), (), faults=faults)
        done = self._composed(issue)
        report = done.report
        languages = [each.front.lang for each in report.variants]
        waiting = self._campaigns(issue)
        try:
            if wish.campaign:
                return self._planned(wish, report, languages, waiting)
            reader, found = self._reader(wish.reader)
            if reader is None:
                why = Fault(f"Nobody on file has “{wish.reader[:80]}” in their address or fields.")
                if found:
                    why = Fault("Whom do you mean?")
                return Shown(report, languages, faults=[why], found=found, campaigns=waiting)
            if not report.variants:
                return Shown(report, languages, faults=report.errors, campaigns=waiting)
            number = self._variant(wish.language, reader, report, languages)
            rendered = self._render(report.variants[number], issue, reader, done)
            other = next((n for n in report.seconds if n.front.lang == rendered.language), None)
            if other is None:
                return _shown(rendered, reader, report, languages, waiting)
            under_b = self._render(other, issue, reader, done)
        except MailerError as error:
            faults = error.faults if isinstance(error, InputError) else (Fault(str(error)),)
            return Shown(report, languages, faults=faults, campaigns=waiting)
        shown = _shown(under_b if wish.second else rendered, reader, report, languages, waiting)
        return replace(shown, subjects=(rendered.subject, under_b.subject), second=wish.second)

    def _render(
        self, composed: Composed, issue: IssueFolder, reader: Reader, done: _Composed
    ) -> Rendered:
        return render_variant(
            composed,
            issue=issue,
            reader=reader,
            addressed=self._addressed,
            fields=done.fields,
            keys=self._keys,
            sending=self._sending,
            now=self._clock.now(),
        )

    def picture(self, name: str) -> bytes:
        """A picture or calendar file that the issue, or a campaign, uses. Raises NotFoundError."""
        last = self._last
        if last is not None and name in last.pictures:
            return last.pictures[name]
        return show_picture(name, db=self._db)

    def _composed(self, issue: IssueFolder) -> _Composed:
        """The issue as its files are now, composed and checked; the same files only once."""
        with self._lock:
            with self._db.read() as connection:
                fields = people.field_kinds(connection)
            state = self._state(issue, fields)
            if self._last is None or not state or self._last.state != state:
                report = check_issue(issue, layouts=self._layouts, brand=self._brand, fields=fields)
                files = [file for each in report.variants for file in each.rendition.served]
                self._last = _Composed(
                    state, report, fields, {each.name: each.data for each in files}
                )
            return self._last

    def _state(self, issue: IssueFolder, fields: Mapping[str, FieldKind]) -> str:
        """A hash of all that goes into the mail; empty when it can't be told."""
        try:
            files = file_hashes(
                issue,
                layouts=self._layouts,
                default_layout=self._brand.layout,
                borrowed=issue.snippets.names() if issue.snippets is not None else (),
            )
        except InputError:
            return ""
        return content_hash({**files, "fields": repr(sorted(fields.items()))})

    def _reader(self, wanted: str) -> tuple[Reader | None, Sequence[FoundSubscriber]]:
        if not wanted.strip() or wanted == INVENTED:
            return Reader(), ()
        if wanted == LONGEST:
            return Reader(longest=True), ()
        try:
            address = parse_address(wanted).address
            with self._db.read() as connection:
                return find_reader(connection, address), ()
        except (AddressError, NotFoundError):
            question = Question(text=wanted[:200], limit=MOST_FOUND)
            found = list(islice(find_subscribers(db=self._db, question=question), MOST_FOUND))
        if len(found) == 1:
            return self._reader(found[0].address)
        return None, found

    def _variant(
        self, language: str, reader: Reader, report: CheckReport, languages: Sequence[str]
    ) -> int:
        if not language:
            return variant_for(reader.language, report.variants)
        for number, tag in enumerate(languages):
            if tag.lower() == language.lower():
                return number
        raise NotFoundError(
            f"The issue is not written in `{language[:40]}`.", hint=f"It is in {languages}."
        )

    def _campaigns(self, issue: IssueFolder) -> Sequence[str]:
        with self._db.read() as connection:
            return campaigns.with_waiting(connection, issue.name)

    def _planned(
        self, wish: Wish, report: CheckReport, languages: Sequence[str], waiting: Sequence[str]
    ) -> Shown:
        if self._keys is None:
            raise InputError("MAILER_SECRET_KEY is not set, so no link can be signed.")
        mail = preview_recipient(
            wish.campaign,
            address=wish.reader or None,
            language=wish.language or None,
            db=self._db,
            keys=self._keys,
            clock=self._clock,
            signing=self._sending.signing,
        )
        again = "" if mail.claimed else "When it is sent, its date is that of the moment."
        sent = email.message_from_bytes(mail.message, policy=email.policy.default)
        return Shown(
            report,
            languages,
            language=mail.language,
            address=mail.address,
            subject=str(sent["Subject"] or ""),
            message=mail.message,
            web_page=mail.web_page,
            site_url=mail.site_url,
            campaign=mail.campaign,
            settled=f"These are the bytes that {mail.address} gets. {again}".strip(),
            campaigns=waiting,
        )


def _shown(
    rendered: Rendered,
    reader: Reader,
    report: CheckReport,
    languages: Sequence[str],
    waiting: Sequence[str],
) -> Shown:
    message = email.message_from_bytes(rendered.message, policy=email.policy.default)
    return Shown(
        report,
        languages,
        language=rendered.language,
        address=str(message["To"]) if reader.invented else reader.address,
        subject=rendered.subject,
        preheader=rendered.preheader,
        message=rendered.message,
        web_page=rendered.web_page,
        site_url=rendered.site_url,
        settled=(
            "No campaign is planned yet: the date, and the tokens in Message-ID and in the links"
            " to this site, will be others of the same length. Every other byte is what is sent."
        ),
        campaigns=waiting,
    )
