"""How mail leaves: the way to the mail server, its pace, the keys that sign."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from mailer.adapters.key_files import KeyFolder
from mailer.adapters.route_quota import StoredQuota
from mailer.adapters.routes import RoutesTransport, Way
from mailer.adapters.smtp_transport import SmtpTransport
from mailer.adapters.spool import open_spool
from mailer.errors import Fault, SettingsError
from mailer.ports import Clock, Transport
from mailer.settings import Settings, route_oauth, route_password
from mailer.settings.sending import RoutePlan, SendingPlan, load_plan
from mailer.smtp.pace import Pace
from mailer.smtp.providers import lane_names
from mailer.smtp.timetable import Timetable, WarmUp
from mailer.store.database import Database
from mailer.usecases.compile_letter import SendingPolicy
from mailer.usecases.sign_letters import Signing


@dataclass(frozen=True)
class Sending:
    """What a workspace's settings say about sending."""

    workspace: Path
    settings: Settings
    db: Database
    clock: Clock

    @property
    def sending_policy(self) -> SendingPolicy:
        settings = self.settings
        return SendingPolicy(
            return_path=settings.return_path or "",
            site_url=settings.site_url,
            signing=self.signing,
            cfbl_address=settings.cfbl_address or "",
            lane_of=lane_names({n: lane.domains for n, lane in self.plan.lanes.items()}),
            clicks=settings.clicks,
            image_loads=settings.image_loads,
            utm=settings.utm,
            utm_domains=settings.utm_domains,
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
            oauth=route_oauth(self.workspace, route),
            connections=route.connections,
            messages=route.messages,
            lifetime=self.settings.smtp_lifetime,
            helo=route.helo or self.settings.smtp_helo or "",
            ca_file=self.workspace / route.ca_file if route.ca_file else None,
            places=route.places,
        )
        senders = frozenset(route.senders)
        quota = self._quota(route) if route.per_day else None
        return Way(route.name, transport, route.weight, route.rate, senders, route.backup, quota)

    def _quota(self, route: RoutePlan) -> StoredQuota:
        table, clock = self.pace.timetable, self.clock
        return StoredQuota(self.db, route.name, route.per_day, lambda: table.day(clock.now()))

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


def is_loopback(host: str) -> bool:
    """Whether a host is this machine itself; names are not looked up."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
