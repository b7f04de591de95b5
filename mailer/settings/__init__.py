"""Every knob: from the process environment, then ``.env`` in the workspace. Typed and frozen.

The process wins; an empty value counts as not set. A wrong value is refused with the variable's
name, the value (never a secret) and what is accepted. Nothing else reads the environment.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dotenv import dotenv_values
from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from mailer.errors import Fault, InputError, SettingsError
from mailer.message.keys import is_domain, is_selector
from mailer.message.mailbox import HeaderError, encode_address
from mailer.model.measuring import ClickMode, LoadMode, UtmWish
from mailer.model.words import FrequencyCap, OnUnknown, RetentionRule, SignUpLimit
from mailer.settings.sending import SECRETS_OF, RoutePlan, is_secret_place

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DAY = 86_400
_MOST_DAYS = 3650
_LONGEST_DELAY = 30 * _DAY
_LONGEST_LIFE = 365 * _DAY
# Nothing that could end the address inside a header or a page: white space, controls, quotes.
_UNFIT_IN_SITE = re.compile(r"""[\s\x00-\x1f\x7f"'<>\\]""")


def seconds(value: object) -> object:
    """Reads ``90``, ``90s``, ``10m``, ``4h`` or ``3d`` as seconds."""
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"(\d{1,9})\s*([smhd]?)", value.strip())
    if not found:
        raise ValueError("a time such as 90s, 10m, 4h or 3d")
    return int(found[1]) * _UNITS[found[2] or "s"]


def parse_wait(text: str) -> int:
    """Reads how long a command may wait, in seconds: ``0`` to ``365d``. Raises InputError."""
    try:
        waits = seconds(text)
    except ValueError:
        waits = None
    if not isinstance(waits, int) or waits > _LONGEST_LIFE:
        raise InputError(
            f"“{text}” is no time to wait.", hint="Write one such as 90s, 10m, 4h or 3d."
        )
    return waits


def _lifetime(value: object) -> object:
    lasts = seconds(value)
    if isinstance(lasts, int) and not 60 <= lasts <= _LONGEST_LIFE:
        raise ValueError("a time from 60s to 365d, such as 3d")
    return lasts


def _age(value: object) -> object:
    lasts = seconds(value)
    if isinstance(lasts, int) and not 0 <= lasts <= _DAY:
        raise ValueError("a time of at most 24h, such as 5m; 0 is no limit")
    return lasts


def _words(value: object) -> object:
    return (
        tuple(part.strip() for part in value.split(",") if part.strip())
        if isinstance(value, str)
        else value
    )


def _delays(value: object) -> object:
    words = _words(value)
    if not isinstance(words, tuple):
        return value
    delays = tuple(seconds(word) for word in words)
    if not delays or not all(
        isinstance(delay, int) and 1 <= delay <= _LONGEST_DELAY for delay in delays
    ):
        raise ValueError("times from 1s to 30d, with commas between them, such as 2m,10m,1h")
    return delays


def frequency_cap(value: object) -> object:
    """Reads ``3/7``: at most 3 campaigns in 7 days."""
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"([0-9]{1,4})\s*/\s*([0-9]{1,4})d?", value.strip())
    if not found or not int(found[1]) or not 1 <= int(found[2]) <= _MOST_DAYS:
        raise ValueError("campaigns and days, such as 3/7 for at most 3 campaigns in 7 days")
    return FrequencyCap(int(found[1]), int(found[2]))


def parse_cap(text: str) -> FrequencyCap:
    """Reads the cap that a command was given. Raises InputError."""
    try:
        cap = frequency_cap(text)
    except ValueError as error:
        raise InputError(f"“{text}” is no cap.", hint=f"Write {error}.") from None
    assert isinstance(cap, FrequencyCap)  # noqa: S101  text always becomes one
    return cap


def _zone(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("the name of a time zone, such as Europe/Zurich or UTC") from None


def _site(value: object) -> object:
    if not isinstance(value, str):
        return value
    if _UNFIT_IN_SITE.search(value) or not _names_site(value):
        raise ValueError("an address like https://news.example.org")
    return value.rstrip("/")


def parse_site(text: str) -> str:
    """Reads the public address of a site that a command was given. Raises InputError."""
    try:
        return str(_site(text))
    except ValueError as error:
        raise InputError(f"“{text}” is no address of a site.", hint=f"Write {error}.") from None


def _names_site(value: str) -> bool:
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:  # brackets that do not close, or a port that is no number below 65,536
        return False
    if port == 0 or parts.netloc.endswith(":") or parts.query or parts.fragment:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _token_url(value: object) -> object:
    if isinstance(value, str) and (_UNFIT_IN_SITE.search(value) or not is_secret_place(value)):
        raise ValueError("an address that begins with https://")
    return value


def _domain(value: object) -> object:
    if isinstance(value, str) and not is_domain(value):
        raise ValueError("a domain such as example.org; one beyond ASCII as xn--…")
    return value.lower() if isinstance(value, str) else value


def _domains(value: object) -> object:
    words = _words(value)
    return tuple(_domain(word) for word in words) if isinstance(words, tuple) else words


def _utm(value: object) -> object:
    return UtmWish.parse(value) if isinstance(value, str) else value


def _selector(value: object) -> object:
    if isinstance(value, str) and not is_selector(value):
        raise ValueError("letters, digits and hyphens, such as m202611")
    return value


def _plain_address(value: object) -> object:
    if isinstance(value, str):
        try:
            return encode_address(value)
        except HeaderError:
            raise ValueError("an address such as fbl@example.org") from None
    return value


Cap = Annotated[FrequencyCap, BeforeValidator(frequency_cap)]
Zone = Annotated[ZoneInfo, BeforeValidator(_zone)]
_KEPT = {"rejects": 90, "clicks": 365, "network": 365, "replies": 365, "values": 180}  # days


def retention(texts: Iterable[str]) -> dict[RetentionRule, int | None]:
    """Reads ``rule=AGE`` pairs over the defaults; an age is days such as ``90d``, or ``off``.

    Raises ValueError naming what is accepted.
    """
    ages: dict[RetentionRule, int | None] = {RetentionRule(k): v for k, v in _KEPT.items()}
    for each in texts:
        found = re.fullmatch(r"(\w+)=(?:(\d{1,5})d|off)", each.strip())
        if not found or found[1] not in list(RetentionRule):
            rules = ", ".join(RetentionRule)
            raise ValueError(f"pairs such as rejects=90d or left=off, of {rules}")
        ages[RetentionRule(found[1])] = int(found[2]) if found[2] else None
    return ages


def _retention(value: object) -> object:
    words = _words(value)
    if isinstance(words, tuple):
        retention(words)
    return words


_AN_HOUR = {"network": 20, "domain": 500, "overall": 2000}  # sign-ups


def sign_up_limits(texts: Iterable[str]) -> dict[SignUpLimit, int]:
    """Reads ``what=NUMBER`` pairs over the defaults: sign-ups an hour, 0 for no limit.

    Raises ValueError naming what is accepted.
    """
    limits = {SignUpLimit(name): most for name, most in _AN_HOUR.items()}
    for each in texts:
        found = re.fullmatch(r"(\w+)=(\d{1,6})", each.strip())
        if not found or found[1] not in list(SignUpLimit):
            accepted = ", ".join(SignUpLimit)
            raise ValueError(f"pairs such as network=20, of {accepted}; 0 is no limit")
        limits[SignUpLimit(found[1])] = int(found[2])
    return limits


def _sign_up_limits(value: object) -> object:
    words = _words(value)
    if isinstance(words, tuple):
        sign_up_limits(words)
    return words


def _origins(value: object) -> object:
    words = _words(value)
    for each in words if isinstance(words, tuple) else ():
        if not re.fullmatch(r"https?://[a-z0-9.-]+(:\d{1,5})?", each):
            raise ValueError("origins such as https://www.example.org, without a path, or none")
    return words


Lifetime = Annotated[int, BeforeValidator(_lifetime)]
Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]
Delays = Annotated[tuple[int, ...], NoDecode, BeforeValidator(_delays)]


class Settings(BaseSettings):
    """What the installation knows about itself. ``.env.example`` documents each variable."""

    model_config = SettingsConfigDict(
        env_prefix="MAILER_",
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        arbitrary_types_allowed=True,
    )

    database_url: str = "sqlite:///data/mailer.db"
    secret_key: SecretStr | None = None
    secret_key_old: Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_words)] = ()
    site_url: Annotated[str, BeforeValidator(_site)] = "http://127.0.0.1:8025"
    site_layout: str = "newsroom"
    trusted_proxies: Words = ()

    organisation: str | None = None
    postal_address: str | None = None
    mail_from: str | None = Field(default=None, validation_alias="MAILER_FROM")
    reply_to: str | None = None
    return_path: str | None = None

    smtp_host: str | None = None
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_security: Literal["none", "starttls", "tls"] = "starttls"
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_auth: Literal["password", "oauth2"] = "password"
    smtp_oauth_token_url: Annotated[str | None, BeforeValidator(_token_url)] = None
    smtp_client_id: str | None = None
    smtp_client_secret: SecretStr | None = None
    smtp_refresh_token: SecretStr | None = None
    smtp_scope: str | None = None
    smtp_connections: int = Field(default=2, ge=1, le=100)
    smtp_messages: int = Field(default=0, ge=0)
    smtp_lifetime: Annotated[int, BeforeValidator(_age)] = 300
    smtp_rate: float = Field(default=0, ge=0, allow_inf_nan=False)
    smtp_helo: str | None = None
    smtp_ca_file: Path | None = None

    dkim_domain: Annotated[str | None, BeforeValidator(_domain)] = None
    dkim_selector: Annotated[str | None, BeforeValidator(_selector)] = None
    dkim_key_file: Path | None = None
    cfbl_address: Annotated[str | None, BeforeValidator(_plain_address)] = None

    retry_after: Delays = (120, 600, 1800, 3600, 7200, 14400)
    expires_after: Lifetime = 259_200
    time_zone: Zone = ZoneInfo("UTC")
    frequency_cap: Cap | None = None
    require_approval: bool = False
    on_unknown: OnUnknown = OnUnknown.hold
    clicks: ClickMode = ClickMode.off
    image_loads: LoadMode = LoadMode.off
    utm: Annotated[UtmWish, NoDecode, BeforeValidator(_utm)] = UtmWish()
    utm_domains: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_domains)] = ()
    window: int = Field(default=500, ge=1, le=10_000)
    retention: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_retention)] = ()

    sign_up_limits: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_sign_up_limits)] = ()
    sign_up_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_origins)] = ()
    sign_up_puzzle: int = Field(default=0, ge=0, le=10_000_000)


_SECRET = {
    *("secret_key", "secret_key_old", "database_url"),
    *("smtp_password", "smtp_client_secret", "smtp_refresh_token"),
}


def load_settings(workspace: Path) -> Settings:
    """Reads the settings of a workspace.

    Raises SettingsError naming every variable that is wrong or not known.
    """
    file = workspace / ".env"
    _refuse_unknown(_of_file(file) if file.is_file() else {}, str(file))
    _refuse_unknown(dict(os.environ), "the environment")
    try:
        settings = Settings(_env_file=file)
    except ValidationError as error:
        raise SettingsError([_fault(item) for item in error.errors()]) from None
    incomplete = list(_incomplete(settings))
    if incomplete:
        raise SettingsError(incomplete)
    return settings


def _incomplete(settings: Settings) -> Iterator[Fault]:
    """Yields what one setting needs of another."""
    by_token = {
        "MAILER_SMTP_USERNAME": settings.smtp_username,
        "MAILER_SMTP_OAUTH_TOKEN_URL": settings.smtp_oauth_token_url,
        "MAILER_SMTP_CLIENT_ID": settings.smtp_client_id,
    }
    if settings.smtp_auth == "oauth2":
        for name, value in by_token.items():
            if not value:
                yield Fault(f"{name} is not set.", hint="MAILER_SMTP_AUTH=oauth2 needs it.")
    signs = settings.dkim_domain and settings.dkim_selector
    if not signs and (settings.dkim_domain or settings.dkim_selector or settings.dkim_key_file):
        yield Fault(
            "To sign with DKIM, MAILER_DKIM_DOMAIN and MAILER_DKIM_SELECTOR must both be set.",
            hint="`mailer keys new` makes a key and prints both lines.",
        )
    if settings.cfbl_address and not signs:
        yield Fault(
            "MAILER_CFBL_ADDRESS is set, but mails are not signed with DKIM here.",
            hint="Receivers believe that header in signed mail alone (RFC 9477):"
            " set MAILER_DKIM_DOMAIN and MAILER_DKIM_SELECTOR too.",
        )


def route_password(workspace: Path, route: RoutePlan) -> str:
    """The password of a route, from the process or from ``.env``. Raises SettingsError."""
    if route.auth == "oauth2":
        return ""
    return _secret(workspace, route.variable, required=bool(route.username))


def route_oauth(workspace: Path, route: RoutePlan) -> dict[str, str] | None:
    """The token endpoint of a route that signs in with a token. Raises SettingsError."""
    if route.auth != "oauth2":
        return None
    return {
        "url": route.oauth_token_url,
        "client_id": route.client_id,
        "client_secret": _secret(workspace, route.secret_variable, required=True),
        "refresh_token": _secret(workspace, route.refresh_variable, required=False),
        "scope": route.scope,
    }


def _secret(workspace: Path, variable: str, *, required: bool) -> str:
    file = workspace / ".env"
    stored = _of_file(file) if file.is_file() else {}
    secret = os.environ.get(variable, "").strip() or (stored.get(variable) or "")
    if required and not secret:
        raise SettingsError(f"{variable} is not set.", hint="Write it into .env.")
    return secret


@contextmanager
def without_environment() -> Iterator[None]:
    """Puts this process's own MAILER_ variables aside while the block runs."""
    aside = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("MAILER_")}
    try:
        yield
    finally:
        os.environ.update(aside)


def _of_file(file: Path) -> dict[str, str | None]:
    try:
        return dotenv_values(file, interpolate=False, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(Fault(f"can't be read: {error}.", file=str(file))) from error


def _refuse_unknown(values: Mapping[str, str | None], where: str) -> None:
    variables = {_variable(name) for name in Settings.model_fields}
    faults = []
    for name, value in values.items():
        if not name.startswith("MAILER_") or not (value or "").strip():
            continue
        if name not in variables and not name.startswith(SECRETS_OF):
            near = difflib.get_close_matches(name, variables, 1)
            hint = f"Did you mean {near[0]}?" if near else "`.env.example` lists all."
            faults.append(Fault(f"{name} is not a setting.", file=where, hint=hint))
    if faults:
        raise SettingsError(faults)


def _variable(name: str) -> str:
    return "MAILER_FROM" if name == "mail_from" else f"MAILER_{name.upper()}"


def _fault(item: ErrorDetails) -> Fault:
    name = str(item["loc"][0])
    variable = name if name.startswith("MAILER_") else _variable(name)
    shown = "" if name in _SECRET else f"=“{item['input']}”"
    accepted = item["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return Fault(f"{variable}{shown} is not accepted.", hint=f"Accepted: {accepted}.")
