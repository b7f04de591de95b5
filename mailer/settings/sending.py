"""``mailer.toml``: how mail goes out, where a variable would not do. Secrets never stand in it.

::

    [sending]
    per_day = 20000            # messages a day, of all campaigns
    hours = "08:00-20:00"      # in MAILER_TIME_ZONE; nothing goes outside of them

    [warm_up]                  # a new sender begins small
    since = 2026-11-20
    first = 500                # on that day
    growth = 1.25              # times as many each day

    [lanes.gmail]              # a provider that mailer knows, or one of your own
    rate = 20                  # messages a second
    [lanes.partner]
    domains = ["partner.example"]
    rate = 5

    [[routes]]                 # instead of MAILER_SMTP_HOST; another one for each server
    name = "relay"             # its password: MAILER_SMTP_PASSWORD_RELAY
    host = "smtp.example.net"
    username = "news"
"""

from __future__ import annotations

import tomllib
from datetime import date, time
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from mailer.errors import Fault, SettingsError
from mailer.message.keys import is_domain
from mailer.model.shown import listed
from mailer.smtp.providers import OTHER, PROVIDERS

FILE = "mailer.toml"
# Before the route's own name in capitals.
SECRETS_OF = (
    "MAILER_SMTP_PASSWORD_",
    "MAILER_SMTP_CLIENT_SECRET_",
    "MAILER_SMTP_REFRESH_TOKEN_",
)
PASSWORD_OF, CLIENT_SECRET_OF, REFRESH_TOKEN_OF = SECRETS_OF


def _hours(value: object) -> object:
    if not isinstance(value, str):
        return value
    begin, _, end = value.partition("-")
    try:
        found = time.fromisoformat(begin.strip()), time.fromisoformat(end.strip())
    except ValueError:
        raise ValueError('hours such as "08:00-20:00"') from None
    if found[0] == found[1]:
        raise ValueError('hours that differ, such as "08:00-20:00"')
    return found


def _domains(value: object) -> object:
    if isinstance(value, list):
        for each in value:
            if not isinstance(each, str) or not is_domain(each):
                raise ValueError('domains such as ["example.org"], beyond ASCII as xn--…')
        return tuple(each.lower() for each in value)
    return value


def _tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _token_url(value: object) -> object:
    if isinstance(value, str) and not is_secret_place(value):
        raise ValueError("an https address")
    return value


def is_secret_place(value: str) -> bool:
    """Whether a secret may be sent there: through TLS, or not off this machine."""
    try:
        parts = urlsplit(value)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    here = host in ("localhost", "127.0.0.1", "::1")
    return (
        bool(host) and port != 0 and (parts.scheme == "https" or (parts.scheme == "http" and here))
    )


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Sending(_Part):
    """Caps for everything."""

    per_day: int = Field(default=0, ge=0)
    hours: Annotated[tuple[time, time] | None, BeforeValidator(_hours)] = None


class WarmUpPlan(_Part):
    """A daily cap that grows."""

    since: date
    first: int = Field(default=500, ge=1)
    growth: float = Field(default=1.25, ge=1, le=3)


class LanePlan(_Part):
    """One provider's pace, and the domains that the owner adds to it."""

    rate: float = Field(default=0, ge=0, allow_inf_nan=False)
    domains: Annotated[tuple[str, ...], BeforeValidator(_domains)] = ()


class RoutePlan(_Part):
    """One of several mail servers. Its password stands in a variable of its own."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,29}$")
    host: str = Field(min_length=1)
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["none", "starttls", "tls"] = "starttls"
    username: str = ""
    connections: int = Field(default=2, ge=1, le=100)
    rate: float = Field(default=0, ge=0, allow_inf_nan=False)
    per_day: int = Field(default=0, ge=0)
    weight: int = Field(default=0, ge=0, le=1000)
    backup: bool = False
    senders: Annotated[tuple[str, ...], BeforeValidator(_domains)] = ()
    messages: int = Field(default=0, ge=0)
    helo: str = ""
    ca_file: str = ""
    auth: Literal["password", "oauth2"] = "password"
    oauth_token_url: Annotated[str, BeforeValidator(_token_url)] = ""
    client_id: str = ""
    scope: str = ""

    @property
    def secret_variable(self) -> str:
        """The variable that holds its client secret."""
        return f"{CLIENT_SECRET_OF}{self.name.upper()}"

    @property
    def refresh_variable(self) -> str:
        """The variable that holds its refresh token, where it needs one."""
        return f"{REFRESH_TOKEN_OF}{self.name.upper()}"

    @property
    def variable(self) -> str:
        """The variable that holds its password."""
        return f"{PASSWORD_OF}{self.name.upper()}"

    def places(self, *names: str) -> str:
        """Where these settings of it stand, for a hint: here, and secrets in variables."""
        secrets = {
            "password": self.variable,
            "client_secret": self.secret_variable,
            "refresh_token": self.refresh_variable,
        }
        here = [name for name in names if name not in secrets]
        told = [f"{listed(here)} of route {self.name} in {FILE}"] if here else []
        return listed([*told, *(secrets[name] for name in names if name in secrets)])


class SendingPlan(_Part):
    """All of ``mailer.toml``."""

    sending: Sending = Sending()
    warm_up: WarmUpPlan | None = None
    lanes: dict[str, LanePlan] = {}
    routes: Annotated[tuple[RoutePlan, ...], BeforeValidator(_tuple)] = ()


def load_plan(workspace: Path) -> SendingPlan:
    """Reads ``mailer.toml``; without one, nothing is limited. Raises SettingsError."""
    file = workspace / FILE
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return SendingPlan()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(Fault(f"can't be read: {error}.", file=str(file))) from error
    try:
        plan = SendingPlan.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(Fault(f"is not TOML: {error}.", file=str(file))) from error
    except ValidationError as error:
        faults = [_fault(dict(item), str(file)) for item in error.errors()]
        raise SettingsError(faults) from None
    for name, lane in plan.lanes.items():
        if name not in PROVIDERS and name != OTHER and not lane.domains:
            hint = f"Give it domains, or name one of: {', '.join(PROVIDERS)}, {OTHER}."
            raise SettingsError(
                Fault(f"lanes.{name}: no provider of that name is known.", str(file), hint=hint)
            )
    for route in plan.routes:
        lacking = [n for n in ("username", "oauth_token_url", "client_id") if not getattr(route, n)]
        if route.auth == "oauth2" and lacking:
            told = ", ".join(lacking)
            raise SettingsError(Fault(f"routes: {route.name} lacks {told} for oauth2.", str(file)))
    names = [route.name for route in plan.routes]
    if twice := {name for name in names if names.count(name) > 1}:
        raise SettingsError(Fault(f"routes: two are named {', '.join(sorted(twice))}.", str(file)))
    return plan


def _fault(item: dict[str, Any], file: str) -> Fault:
    where = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        return Fault(f"{where} is not known here.", file, hint="docs/operations.md shows what is.")
    accepted = item["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return Fault(
        f"{where} = {item['input']!r} is not accepted.", file, hint=f"Accepted: {accepted}."
    )
