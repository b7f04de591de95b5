"""The one place that knows everybody: settings in, an open mailer out."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mailer.adapters.clock import SystemClock
from mailer.adapters.domain_check import MailServers
from mailer.adapters.file_watcher import changes
from mailer.adapters.folders import open_folder
from mailer.adapters.leftovers import Leftovers
from mailer.adapters.link_follower import WebLinkFollower
from mailer.adapters.officer import login_name
from mailer.adapters.rejects_file import RejectsFile
from mailer.adapters.web_fetcher import WebFetcher
from mailer.adapters.word_lists import click_rules, disposable_domains
from mailer.adapters.workspace import FirstFiles, Shelf, layout_folder
from mailer.compose.reading import Brand
from mailer.contacts.rule_time import Calendar
from mailer.errors import SettingsError
from mailer.message.click_rules import ClickRules, Networks
from mailer.message.links import KeyRing, parse_secret
from mailer.message.seals import Seals
from mailer.ports import DomainCheck, Fetcher, Folder, LinkFollower
from mailer.settings import load_settings, sign_up_limits
from mailer.store import migrations
from mailer.store.database import Database, database_url
from mailer.store.letterbox import Letterbox
from mailer.usecases.compose_issue import ISSUE_FILE, VARIANT_FILE, IssueFolder
from mailer.usecases.deliver_service_mail import Postbox
from mailer.usecases.keep_departures import CarriedOut, carry_out_departures
from mailer.usecases.post_service_mail import PostOffice, new_message_id
from mailer.usecases.show_look import Look, show_look
from mailer.usecases.sign_up import SignUpRules
from mailer.wiring.sending import Sending

# What the imports made lives as long as the process. Set aside, it is not walked through again
# by every full collection: one falls into the composing of an issue and takes 25 ms.
gc.freeze()


@dataclass(frozen=True)
class Mailer(Sending):
    """An open workspace."""

    @cached_property
    def keys(self) -> KeyRing:
        """The keys that sign links. Raises SettingsError when there are none, or wrong ones."""
        return KeyRing(*self._secrets)

    @cached_property
    def seals(self) -> Seals:
        """What seals forms and hashes what is counted. Raises SettingsError likewise."""
        return Seals(*self._secrets)

    @property
    def _secrets(self) -> list[bytes]:
        secret = self.settings.secret_key
        if secret is None:
            raise SettingsError(
                "MAILER_SECRET_KEY is not set, so no link can be signed.",
                hint="`mailer init` writes one; a database that has sent needs its old one.",
            )
        try:
            secrets = [secret, *self.settings.secret_key_old]
            return [parse_secret(each.get_secret_value()) for each in secrets]
        except ValueError as error:
            raise SettingsError(f"MAILER_SECRET_KEY can't be used: {error}") from None

    @property
    def can_write(self) -> bool:
        """Whether mails of our own can be written to one person: a server, and a sender."""
        return bool(self.mail_servers_named and self.settings.mail_from)

    @property
    def post_office(self) -> PostOffice:
        """How one person is written to. Raises SettingsError as ``transport`` does."""
        return PostOffice(
            layouts=self.layout,
            brand=self.brand,
            transport=self.transport,
            signing=self.signing,
            return_path=self.settings.return_path or "",
        )

    @property
    def postbox(self) -> Postbox:
        """How the service mails leave that wait in the database."""
        return Postbox(
            office=lambda: self.post_office,
            keys=self.keys,
            db=self.db,
            clock=self.clock,
            retry_after=self.settings.retry_after,
            rate=self.settings.smtp_rate,
        )

    def new_message_id(self) -> str | None:
        """For one service mail; None when none can be written."""
        settings = self.settings
        if not self.can_write:
            return None
        return new_message_id(settings.return_path or "", settings.mail_from or "")

    @property
    def sign_up_rules(self) -> SignUpRules:
        """The rules for one sign-up."""
        settings = self.settings
        return SignUpRules(
            limits=sign_up_limits(settings.sign_up_limits),
            puzzle=bool(settings.sign_up_puzzle),
            message_id=self.new_message_id(),
        )

    @property
    def officer(self) -> str:
        """Whose account this is, for what is written down about who did what."""
        return login_name()

    @property
    def keys_if_any(self) -> KeyRing | None:
        """The keys, or None before `mailer init` wrote one."""
        return self.keys if self.settings.secret_key is not None else None

    @property
    def calendar(self) -> Calendar:
        """Now, in the workspace's time zone."""
        return Calendar(self.clock.now(), self.settings.time_zone)

    @property
    def runs(self) -> Path:
        """Where flight recorders lie."""
        return self.workspace / "data" / "runs"

    @property
    def letterbox(self) -> Letterbox:
        """Where wishes to leave wait while the database is away."""
        return Letterbox(self.workspace / "data" / "letterbox")

    @property
    def kept_pages(self) -> Path:
        """Where the site keeps web versions for when the database is away."""
        return self.workspace / "data" / "kept-pages"

    def carry_out_departures(self) -> CarriedOut:
        """Takes off who asked for it while the database was away."""
        return carry_out_departures(
            letterbox=self.letterbox, db=self.db, keys=self.keys, clock=self.clock
        )

    def require_schema(self) -> None:
        """Raises SettingsError when the database is missing, older or newer than this program,
        StoppedError when it does not answer.
        """
        migrations.require_current(self.db)

    def rejects_file(self, source: str) -> RejectsFile:
        """Where the rows go that an import of this file refuses."""
        stem = Path(source).stem if source != "-" else "standard-input"
        moment = self.clock.now().strftime("%Y%m%d-%H%M%S")
        return RejectsFile(self.workspace / "data" / "rejects" / f"{stem}-{moment}.csv")

    @property
    def leftovers(self) -> Leftovers:
        """The rejects files of earlier imports."""
        return Leftovers(self.workspace / "data" / "rejects")

    @property
    def disposable_domains(self) -> frozenset[str]:
        """Domains whose mailboxes last for minutes."""
        return disposable_domains()

    @property
    def click_rules(self) -> ClickRules:
        """What is taken for a machine's click."""
        return click_rules()

    @cached_property
    def networks(self) -> Networks:
        """Makes a keyed hash of the network that a click came from. Raises SettingsError."""
        secret = self.settings.secret_key
        if secret is None:
            raise SettingsError("MAILER_SECRET_KEY is not set.", hint="`mailer init` writes one.")
        return Networks(parse_secret(secret.get_secret_value()))

    @property
    def mail_servers(self) -> DomainCheck:
        """Asks the name system which domains take mail."""
        return MailServers()

    def issue(self, path: Path) -> IssueFolder:
        """The issue at a path, or of a name in data/issues: its folder, or one of its texts.

        Raises InputError.
        """
        path = self._shelf_path(path)
        text = path.name == ISSUE_FILE or (VARIANT_FILE.match(path.name) and path.is_file())
        folder = path.parent if text else path
        real = folder.resolve()
        shared = self.workspace / "snippets"
        snippets = open_folder(shared) if shared.is_dir() else None
        return IssueFolder(real.name, open_folder(folder), str(real), snippets)

    def changes(self, path: Path, *, every: float) -> AsyncIterator[bool]:
        """True after each change of an issue, a layout or a snippet; False every so many seconds.

        Raises InputError when there is no such issue.
        """
        folder = Path(self.issue(path).path)
        return changes(
            [folder, self.workspace / "layouts", self.workspace / "snippets"], every=every
        )

    def layout(self, name: str) -> Folder:
        """A layout's files. Raises InputError."""
        return layout_folder(self.workspace, name)

    @property
    def look(self) -> Look:
        """How the site's pages look. Raises InputError for a layout that can't be read."""
        return show_look(self.settings.site_layout, layouts=self.layout)

    @property
    def link_follower(self) -> LinkFollower:
        """Asks the network where links lead."""
        return WebLinkFollower()

    @property
    def layout_shelf(self) -> Shelf:
        """Where layouts of one's own are made."""
        return Shelf(self.workspace / "layouts")

    @property
    def shelf(self) -> Shelf:
        """Where new issues are made."""
        return Shelf(self.workspace / "data" / "issues")

    def _shelf_path(self, path: Path) -> Path:
        """A path as it was given, or the issue of that name in data/issues."""
        own = self.workspace / "data" / "issues" / path
        return own if not path.exists() and own.exists() else path

    @property
    def brand(self) -> Brand:
        settings = self.settings
        return Brand(
            organisation=settings.organisation or "",
            postal_address=settings.postal_address or "",
            site_url=settings.site_url,
            sender=settings.mail_from or "",
            reply_to=settings.reply_to or "",
            clicks=settings.clicks,
        )

    @property
    def fetcher(self) -> Fetcher:
        return WebFetcher()


def first_files(folder: Path) -> FirstFiles:
    """Writes a new workspace's files."""
    return FirstFiles(folder)


def upgrade(workspace: Path) -> None:
    """Creates the workspace's database, or brings it to this program's schema."""
    with open_mailer(workspace, check_schema=False) as mailer:
        migrations.upgrade(mailer.db)


@contextmanager
def open_mailer(workspace: Path, *, check_schema: bool = True) -> Iterator[Mailer]:
    """Opens a workspace; closes its database at the end.

    Raises SettingsError for wrong settings and for a database that is missing, older or newer.
    """
    settings = load_settings(workspace)
    url = database_url(settings.database_url, workspace)
    with Database(url, officer=login_name()) as db:
        if check_schema:
            migrations.require_current(db)
        yield Mailer(workspace, settings, db, SystemClock())
