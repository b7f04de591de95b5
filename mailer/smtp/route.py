"""Where the wire leads: a submission server, how to get in, and how long to wait for it."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum

from mailer.model.shown import listed
from mailer.model.words import Stage


class Security(StrEnum):
    """How the connection is protected."""

    none = "none"  # not at all: for a server on this machine
    starttls = "starttls"  # TLS after a greeting in the clear, required
    tls = "tls"  # TLS from the first byte (RFC 8314)


# Returns a token to sign in with; given one that was refused, another one. Raises OpeningError.
TokenSource = Callable[[str], Awaitable[str]]


# Says where settings stand, in words for a hint: ("host", "port") → "MAILER_SMTP_HOST and …_PORT".
Places = Callable[..., str]


def variables(*names: str) -> str:
    """The variables that hold these settings of the one mail server."""
    return listed(f"MAILER_SMTP_{name.upper()}" for name in names)


@dataclass(frozen=True, slots=True)
class Route:
    """One submission server, and who we are to it."""

    host: str
    port: int
    security: Security = Security.starttls
    username: str = ""
    password: str = field(default="", repr=False)
    token: TokenSource | None = field(default=None, repr=False)  # instead of the password
    helo: str = ""  # empty: the address literal of our end of the connection
    context: ssl.SSLContext | None = None  # None: the system's trust store
    places: Places = field(default=variables, repr=False)  # where its settings stand

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait for each answer, as RFC 5321 section 4.5.3.2 has them."""

    connect: float = 60
    greeting: float = 300
    command: float = 300  # EHLO, AUTH, RSET
    tls: float = 60
    mail: float = 300
    rcpt: float = 300
    data: float = 120
    block: float = 180  # while a text leaves: the longest pause without progress
    dot: float = 600  # a short one would make duplicates
    quit: float = 5
    idle: float = 60  # an unused connection is closed after this

    def of(self, stage: Stage | None) -> float:
        """How long the answer of this stage may take."""
        limits = {
            Stage.greeting: self.greeting,
            Stage.mail: self.mail,
            Stage.rcpt: self.rcpt,
            Stage.data: self.data,
            Stage.dot: self.dot,
        }
        return limits.get(stage, self.command) if stage else self.data


def system_context(ca_file: str | None = None) -> ssl.SSLContext:
    """Makes a client context that verifies certificate and name, with TLS 1.2 at least.

    With ``ca_file`` only the authorities in it are trusted. Raises OSError when the file can't be
    read, and ssl.SSLError when it holds no certificate.
    """
    context = ssl.create_default_context(cafile=ca_file or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8997
    return context
