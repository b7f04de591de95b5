"""The one place that knows everybody: settings in, an open mailer out."""

from __future__ import annotations

import gc
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mailer.adapters import people_files
from mailer.adapters.browser import browser
from mailer.adapters.clock import SystemClock
from mailer.adapters.contact_files import open_contacts
from mailer.adapters.domain_check import MailServers
from mailer.adapters.file_watcher import changes
from mailer.adapters.folders import open_folder
from mailer.adapters.inbox import Inbox
from mailer.adapters.key_files import KeyFolder
from mailer.adapters.leftovers import Leftovers
from mailer.adapters.link_follower import WebLinkFollower
from mailer.adapters.officer import login_name
from mailer.adapters.outgoing_files import whole_file, write_csv
from mailer.adapters.rejects_file import RejectsFile
from mailer.adapters.routes import RoutesTransport, Way
from mailer.adapters.smtp_transport import SmtpTransport
from mailer.adapters.spool import open_spool
from mailer.adapters.web_fetcher import WebFetcher
from mailer.adapters.word_lists import disposable_domains
from mailer.adapters.workspace import (
    FirstFiles,
    Shelf,
    known_layouts,
    layout_folder,
    shipped,
    write_files,
)
from mailer.compose.reading import Brand
from mailer.contacts.rule_time import Calendar
from mailer.contacts.table import Table
from mailer.errors import Fault, SettingsError
from mailer.message.links import KeyRing, parse_secret
from mailer.model.words import Picture
from mailer.ports import Clock, DomainCheck, Fetcher, Folder, LinkFollower, Transport
from mailer.settings import Settings, load_settings, route_password
from mailer.settings.sending import RoutePlan, SendingPlan, load_plan
from mailer.smtp.pace import Pace
from mailer.smtp.providers import lane_names
from mailer.smtp.timetable import Timetable, WarmUp
from mailer.store import migrations
from mailer.store.database import Database, database_url
from mailer.usecases.compile_letter import SendingPolicy
from mailer.usecases.compose_issue import ISSUE_FILE, VARIANT_FILE, IssueFolder
from mailer.usecases.picture_issue import PICTURES, picture_issue
from mailer.usecases.render_issue import Rendered
from mailer.usecases.sign_letters import Signing

# What the imports made lives as long as the process. Set aside, it is not walked through again
# by every full collection: one falls into the composing of an issue and takes 25 ms.
gc.freeze()


@dataclass(frozen=True)
class Mailer:
    """An open workspace."""

    workspace: Path
    settings: Settings
    db: Database
    clock: Clock

    @cached_property
    def keys(self) -> KeyRing:
        """The keys that sign links. Raises SettingsError when there are none, or wrong ones."""
        secret = self.settings.secret_key
        if secret is None:
            raise SettingsError(
                "MAILER_SECRET_KEY is not set, so no link can be signed.",
                hint="`mailer init` writes one; a database that has sent needs its old one.",
            )
        try:
            secrets = [secret, *self.settings.secret_key_old]
            return KeyRing(*(parse_secret(each.get_secret_value()) for each in secrets))
        except ValueError as error:
            raise SettingsError(f"MAILER_SECRET_KEY can't be used: {error}") from None

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
    def mail_servers(self) -> DomainCheck:
        """Asks the name system which domains take mail."""
        return MailServers()

    def issue(self, path: Path) -> IssueFolder:
        """The issue at a path: its folder, or one of its texts. Raises InputError."""
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

    def shelf_path(self, path: Path) -> Path:
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
        )

    @property
    def sending_policy(self) -> SendingPolicy:
        settings = self.settings
        return SendingPolicy(
            return_path=settings.return_path or "",
            site_url=settings.site_url,
            signing=self.signing,
            cfbl_address=settings.cfbl_address or "",
            lane_of=lane_names({n: lane.domains for n, lane in self.plan.lanes.items()}),
        )

    @property
    def signing(self) -> Signing:
        """Whose keys sign with DKIM, and where they lie. Nothing is read yet."""
        settings = self.settings
        domain, selector = settings.dkim_domain or "", settings.dkim_selector or ""
        named = settings.dkim_key_file
        files = KeyFolder(
            self.workspace / "data" / "keys",
            named=self.workspace / named if named else None,
            domain=domain,
            selector=selector,
        )
        return Signing(files, domain, selector)

    @property
    def pace(self) -> Pace:
        settings, warm_up = self.settings, self.plan.warm_up
        return Pace(
            window=settings.window,
            group=max(1, settings.window // 2),
            rate=settings.smtp_rate,
            connections=sum(route.connections for route in self.plan.routes)
            or settings.smtp_connections,
            lane_rates={name: lane.rate for name, lane in self.plan.lanes.items() if lane.rate},
            timetable=Timetable(
                zone=settings.time_zone,
                hours=self.plan.sending.hours,
                per_day=self.plan.sending.per_day,
                warm_up=WarmUp(warm_up.since, warm_up.first, warm_up.growth) if warm_up else None,
            ),
        )

    @cached_property
    def plan(self) -> SendingPlan:
        """What ``mailer.toml`` says. Raises SettingsError."""
        return load_plan(self.workspace)

    @property
    def transport(self) -> Transport:
        """The way to the mail server, or to several. Raises SettingsError when none is named."""
        return self.carrier(lambda sentence: None)

    def carrier(self, note: Callable[[str], None]) -> Transport:
        """The same; ``note`` hears in a sentence when one of several routes fails or is back."""
        if self.plan.routes:
            return RoutesTransport([self._way(route) for route in self.plan.routes], note)
        settings = self.settings
        if not settings.smtp_host:
            raise SettingsError(
                "MAILER_SMTP_HOST is not set: there is no mail server to send through.",
                hint="Write it into .env.",
            )
        password = settings.smtp_password
        return SmtpTransport(
            settings.smtp_host,
            settings.smtp_port,
            security=settings.smtp_security,
            username=settings.smtp_username or "",
            password=password.get_secret_value() if password else "",
            oauth=self._oauth,
            connections=settings.smtp_connections,
            messages=settings.smtp_messages,
            lifetime=settings.smtp_lifetime,
            helo=settings.smtp_helo or "",
            ca_file=self.workspace / settings.smtp_ca_file if settings.smtp_ca_file else None,
        )

    def _way(self, route: RoutePlan) -> Way:
        transport = SmtpTransport(
            route.host,
            route.port,
            security=route.security,
            username=route.username,
            password=route_password(self.workspace, route),
            connections=route.connections,
            messages=route.messages,
            lifetime=self.settings.smtp_lifetime,
            helo=route.helo or self.settings.smtp_helo or "",
            ca_file=self.workspace / route.ca_file if route.ca_file else None,
        )
        senders = frozenset(route.senders)
        return Way(route.name, transport, route.weight, route.rate, senders, route.backup)

    @property
    def mail_servers_named(self) -> list[str]:
        """``host:port`` of each server that mail may go to."""
        if self.plan.routes:
            return [f"{route.host}:{route.port}" for route in self.plan.routes]
        host = self.settings.smtp_host
        return [f"{host}:{self.settings.smtp_port}"] if host else []

    @property
    def _oauth(self) -> dict[str, str] | None:
        """The token endpoint, when a token signs in instead of a password."""
        settings = self.settings
        if settings.smtp_auth != "oauth2":
            return None
        secret, refresh = settings.smtp_client_secret, settings.smtp_refresh_token
        return {
            "url": settings.smtp_oauth_token_url or "",
            "client_id": settings.smtp_client_id or "",
            "client_secret": secret.get_secret_value() if secret else "",
            "refresh_token": refresh.get_secret_value() if refresh else "",
            "scope": settings.smtp_scope or "",
        }

    @property
    def fetcher(self) -> Fetcher:
        return WebFetcher()

    @property
    def sends_far(self) -> bool:
        """Whether mails leave this machine: then links must work from outside."""
        servers = self.mail_servers_named
        return any(not is_loopback(server.rpartition(":")[0]) for server in servers)

    def spool(self, where: str) -> Transport:
        """``maildir:PATH`` or ``mbox:PATH`` instead of the mail server. Raises InputError."""
        return open_spool(where)

    def require_sendable(self, *, spooled: bool = False) -> None:
        """Raises SettingsError for what must not be missing before a real send."""
        settings = self.settings
        missing = [
            f"{name} is not set."
            for name, value in {
                "MAILER_ORGANISATION": settings.organisation,
                "MAILER_POSTAL_ADDRESS": settings.postal_address,
                "MAILER_SMTP_HOST": spooled or self.mail_servers_named,
            }.items()
            if not value
        ]
        site = urlsplit(settings.site_url)
        if (
            self.sends_far
            and not spooled
            and (site.scheme != "https" or is_loopback(site.hostname or ""))
        ):
            missing.append(
                f"MAILER_SITE_URL is {settings.site_url}: from outside, every link would be dead."
                " It must be https, and not this machine's own address."
            )
        if missing:
            raise SettingsError(
                [Fault(text) for text in missing], hint="Write it into .env of the workspace."
            )


class DemoInbox(Inbox):
    """The demo's mail server, on this machine alone."""

    @staticmethod
    def free_port() -> int:
        """A port that is free now, for the demo's site."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            return int(listener.getsockname()[1])


@contextmanager
def demo_inbox(folder: Path) -> Iterator[DemoInbox]:
    """A running receiver that keeps each mail as a file."""
    inbox = DemoInbox(folder)
    with inbox:
        yield inbox


def shipped_examples() -> Path:
    """Where the sample contacts and the sample edition lie."""
    return shipped("examples")


def layout_names(workspace: Path) -> list[tuple[str, bool]]:
    """Every layout that can be used; of each, whether it is the workspace's own."""
    return known_layouts(workspace)


def write_rendered(folder: Path, rendered: Sequence[Rendered]) -> list[str]:
    """Writes what readers would get, the first language under the plain names.

    The pages show the pictures that lie beside them.
    """
    contents: dict[str, bytes] = {}
    served: dict[str, bytes] = {}
    for number, one in enumerate(rendered):
        mark = f".{one.language}" if number else ""
        pages = {
            f"email{mark}.html": one.html,
            f"email{mark}.txt": one.text,
            f"web{mark}.html": one.web_page,
        }
        for name, text in pages.items():
            for file in one.served:
                shown = f"pictures/{file.name}"
                text = text.replace(f"{one.site_url}/i/{file.name}", shown)
                if isinstance(file, Picture):
                    text = text.replace(f"cid:{file.content_id}", shown)
            contents[name] = text.encode("utf-8")
        contents[f"message{mark}.eml"] = one.message
        served |= {f"pictures/{file.name}": file.data for file in one.served}
    return write_files(folder, {**contents, **served})


def write_pictures(folder: Path, rendered: Sequence[Rendered]) -> list[str]:
    """Takes pictures of every view with this machine's Chromium; returns their paths.

    Raises InputError when there is none, StoppedError when it fails.
    """
    written: list[str] = []
    with tempfile.TemporaryDirectory(prefix="mailer-pages-") as place, browser() as opened:
        served = {f"{PICTURES}{file.name}": file.data for one in rendered for file in one.served}
        write_files(Path(place), served)
        for page in picture_issue(rendered):
            write_files(Path(place), {"page.html": page.html.encode("utf-8")})
            shot = opened.picture(Path(place) / "page.html", width=page.width)
            written += write_files(folder, {f"{page.name}.png": shot})
    return written


def contact_file(
    path: str,
    *,
    encoding: str | None,
    delimiter: str | None,
    sheet: str | None,
    header_row: int,
    form: str | None = None,
) -> AbstractContextManager[Table]:
    """A contact file as a table, or ``-`` for standard input. Raises InputError."""
    return open_contacts(
        path,
        encoding=encoding,
        delimiter=delimiter,
        sheet=sheet,
        header_row=header_row,
        form=form,
        stdin=sys.stdin.buffer,
    )


def write_rows(path: Path | None, rows: Iterable[Sequence[str]]) -> int:
    """Writes rows as CSV into a file, or to standard output; returns how many, less the headings.

    Raises InputError or StoppedError when the file can't be written.
    """
    if path is None:
        return write_csv(sys.stdout, rows)
    with whole_file(path, encoding="utf-8-sig") as file:  # without a mark, Excel reads it wrongly
        return write_csv(file, rows)


def write_text(path: Path, text: str) -> None:
    """Writes a text that only its owner may read. Raises InputError or StoppedError."""
    with whole_file(path) as file:
        file.write(text)


def write_people(
    path: Path | None, format: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> int:
    """Writes people into a file, or to standard output; returns how many.

    Raises InputError or StoppedError when the file can't be written.
    """
    return people_files.write_people(path, format, columns, rows, stdout=sys.stdout)


def first_files(folder: Path) -> FirstFiles:
    """Writes a new workspace's files."""
    return FirstFiles(folder)


def upgrade(workspace: Path) -> None:
    """Creates the workspace's database, or brings it to this program's schema."""
    with open_mailer(workspace, check_schema=False) as mailer:
        migrations.upgrade(mailer.db)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine itself; names are not looked up."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@contextmanager
def open_mailer(workspace: Path, *, check_schema: bool = True) -> Iterator[Mailer]:
    """Opens a workspace; closes its database at the end.

    Raises SettingsError for wrong settings and for a database that is missing, older or newer.
    """
    settings = load_settings(workspace)
    with Database(database_url(settings.database_url, workspace)) as db:
        if check_schema:
            migrations.require_current(db)
        yield Mailer(workspace, settings, db, SystemClock())
