"""Opens a connection that is ready for mail: greeting, TLS, EHLO, AUTH."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Collection
from errno import ECONNREFUSED
from functools import lru_cache
from secrets import token_urlsafe

from mailer.errors import WireError
from mailer.model.words import Reply, Stage
from mailer.smtp.connection import Connection
from mailer.smtp.events import Replied
from mailer.smtp.replies import Features
from mailer.smtp.route import Route, Security, Timeouts, TokenSource, system_context
from mailer.smtp.sasl import (
    PREFERENCE,
    Login,
    Mechanism,
    Plain,
    SaslError,
    Scram,
    XOAuth2,
    stretched,
)

_COMMAND = 512  # RFC 5321 section 4.5.3.1.4: octets of a command line
_MOST_CHALLENGES = 6
_NO_SCRAM_HERE = (504, 534, 535)
_remembered = lru_cache(maxsize=8)(stretched)  # for the next connection of the same run
_LATER = "Nothing is lost: run the same command again when the server answers."


class OpeningError(WireError):
    """A connection could not be made ready; ``temporary`` when another try may succeed.

    ``advice`` is the part of the hint that says what to mend; ``then`` says what to do afterwards,
    where this is the only server.
    """

    def __init__(
        self,
        message: str,
        *,
        stage: Stage,
        temporary: bool = False,
        reply: Reply | None = None,
        hint: str = "",
        then: str = "",
    ) -> None:
        super().__init__(message, hint=f"{hint} {then}".strip() or None)
        self.advice = hint
        self.stage = stage
        self.temporary = temporary
        self.reply = reply


async def open_connection(route: Route, timeouts: Timeouts | None = None) -> Connection:
    """Returns a connection that is ready for mail; raises OpeningError."""
    opening = _Opening(route, timeouts or Timeouts())
    try:
        return await opening.run()
    except BaseException:
        opening.abandon()
        raise


class _Opening:
    """The steps from an address to a connection that is ready."""

    def __init__(self, route: Route, timeouts: Timeouts) -> None:
        self.route = route
        self.timeouts = timeouts
        self.connection = Connection(timeouts, deaf=route.security is Security.tls)
        self.encrypted = False

    def abandon(self) -> None:
        self.connection.abort("the connection is not needed")

    async def run(self) -> Connection:
        await self.connect()
        if self.route.security is Security.tls:
            await self.handshake()
        await self.greeting()
        await self.ehlo()
        if self.route.security is Security.starttls:
            await self.starttls()
            await self.ehlo()
        if self.route.username:
            await self.auth()
        return self.connection

    # The steps.

    async def connect(self) -> None:
        route = self.route
        # An address needs no race between address families.
        delay = None if _address(route.host) else 0.25
        try:
            async with asyncio.timeout(self.timeouts.connect):
                await asyncio.get_running_loop().create_connection(
                    lambda: self.connection, route.host, route.port, happy_eyeballs_delay=delay
                )
        except (OSError, UnicodeError) as error:
            raise OpeningError(
                f"Can't reach the mail server {route}: {_reason(error)}.",
                stage=Stage.connect,
                temporary=True,
                hint=f"Check {route.places('host', 'port')}.",
                then=_LATER,
            ) from error

    async def greeting(self) -> None:
        try:
            replied = await self.connection.answer(self.timeouts.greeting)
        except OSError as error:
            raise self.broke_off(Stage.greeting, error) from error
        if not replied.reply.positive:
            raise self.refused(replied, "turned us away", then=_LATER)

    async def ehlo(self) -> None:
        name = self.route.helo or self.literal()
        replied = await self.ask(Stage.ehlo, f"EHLO {name}\r\n")
        if replied.reply.positive:
            self.connection.machine.features = Features.parse(replied.lines)
            return
        # An old server without extensions (RFC 5321 section 3.2). TLS and AUTH need EHLO.
        if not replied.reply.temporary and not self.encrypted and not self.route.username:
            replied = await self.ask(Stage.ehlo, f"HELO {name}\r\n")
        if not replied.reply.positive:
            hint = f"Check {self.route.places('helo')}: servers want a full host name there."
            raise self.refused(replied, f"does not accept the name {name}", hint=hint)

    async def starttls(self) -> None:
        connection = self.connection
        if not connection.machine.features.starttls:
            raise OpeningError(
                f"The mail server {self.route} does not offer STARTTLS, "
                "and nothing is sent to it in the clear.",
                stage=Stage.starttls,
                hint=self.check_security,
            )
        replied = await self.ask(Stage.starttls, "STARTTLS\r\n")
        if not replied.reply.positive:
            raise self.refused(replied, "refused STARTTLS", hint=self.check_security)
        if not connection.machine.secured():
            raise OpeningError(
                f"The mail server {self.route} sent bytes ahead of the TLS handshake; "
                "somebody may be tampering with the connection.",
                stage=Stage.starttls,
                hint=f"Set {self.route.places('security')} to tls, and"
                f" {self.route.places('port')} to the port for it (465).",
            )
        await self.handshake()

    async def handshake(self) -> None:
        connection = self.connection
        if connection.transport is None:
            raise self.tls_failed(ConnectionError("it closed the connection"))
        try:
            transport = await asyncio.get_running_loop().start_tls(
                connection.transport,
                connection,
                self.route.context or system_context(),
                server_hostname=self.route.host,
                ssl_handshake_timeout=self.timeouts.tls,
            )
        except OSError as error:
            raise self.tls_failed(error) from error
        if transport is None:
            raise self.tls_failed(ConnectionError("it closed the connection"))
        connection.adopt(transport)
        self.encrypted = True

    async def auth(self) -> None:
        route = self.route
        if not self.encrypted and not self.peer_is_loopback():
            raise OpeningError(
                f"What signs in at {route} would travel in the clear, so it was not sent.",
                stage=Stage.auth,
                hint=f"Set {route.places('security')} to starttls or tls.",
            )
        offered = self.connection.machine.features.auth
        if route.token is not None:
            replied = await self.auth_by_token(route.token, offered)
            username = route.places("username")
            hint = f"Check {username}, and that the client may send as that mailbox."
        else:
            replied = await self.auth_by_password(offered)
            hint = f"Check {route.places('username', 'password')}."
        if not replied.reply.positive:
            # 454 is about the server, whatever was said to it (RFC 4954 section 6).
            hint = _LATER if replied.reply.temporary else hint
            raise self.refused(replied, "refused the sign-in", hint=hint)

    async def auth_by_password(self, offered: Collection[str]) -> Replied:
        route = self.route
        makers: dict[str, Callable[[], Mechanism]] = {
            "SCRAM-SHA-256": lambda: Scram(
                route.username, route.password, token_urlsafe(18), stretch=_remembered
            ),
            "PLAIN": lambda: Plain(route.username, route.password),
            "LOGIN": lambda: Login(route.username, route.password),
        }
        common = [name for name in PREFERENCE if name in offered]
        if not common:
            raise self.no_common_way(
                "with a password (SCRAM-SHA-256, PLAIN or LOGIN",
                offered,
                f"Leave {route.places('username')} empty if it needs none, else use another port."
                f" For XOAUTH2, set {route.places('auth')} to oauth2.",
            )
        replied = await self.dialogue(makers[common[0]])
        if common[0] == "SCRAM-SHA-256" and common[1:] and replied.reply.code in _NO_SCRAM_HERE:
            # Many servers offer it and keep for this user a hash that SCRAM can't be made of.
            replied = await self.dialogue(makers[common[1]])
        return replied

    async def auth_by_token(self, token: TokenSource, offered: Collection[str]) -> Replied:
        if "XOAUTH2" not in offered:
            auth = self.route.places("auth")
            hint = f"Use the server's port for submission, or set {auth} to password."
            raise self.no_common_way("with a token (XOAUTH2", offered, hint)
        user = self.route.username
        first = await token("")
        replied = await self.dialogue(lambda: XOAuth2(user, first))
        if replied.reply.code == 535:  # perhaps it was taken back before its time
            second = await token(first)
            replied = await self.dialogue(lambda: XOAuth2(user, second))
        return replied

    async def dialogue(self, make: Callable[[], Mechanism]) -> Replied:
        """Speaks one mechanism to its end (RFC 4954 section 4)."""
        try:
            mechanism = make()
            first = mechanism.first()
            line = f"AUTH {mechanism.name}"
            if first is not None and len(line) + len(first) * 4 // 3 + 6 <= _COMMAND:
                line, first = f"{line} {_word(first) or '='}", None
            replied = await self.ask(Stage.auth, f"{line}\r\n")
            for _ in range(_MOST_CHALLENGES):
                if replied.reply.code != 334:
                    break
                if first is None:
                    # SCRAM works for some milliseconds, and longer if it is asked to.
                    said = _decoded(replied.lines[0])
                    answer = await asyncio.to_thread(mechanism.answer, said)
                else:  # too long for the command itself: a token
                    answer, first = first, None
                replied = await self.ask(Stage.auth, f"{_word(answer)}\r\n")
            if replied.reply.positive:
                mechanism.accepted()
        except SaslError as error:
            raise OpeningError(
                f"The mail server {self.route} {error}; nothing is sent to it.",
                stage=Stage.auth,
                hint=f"Check {self.route.places('host', 'username', 'password')}.",
            ) from None
        return replied

    def no_common_way(self, how: str, offered: Collection[str], hint: str) -> OpeningError:
        names = ", ".join(sorted(offered)) or "none"
        return OpeningError(
            f"The mail server {self.route} offers no way to log in {how}; it offers: {names}).",
            stage=Stage.auth,
            hint=hint,
        )

    # What the steps need.

    async def ask(self, stage: Stage, line: str) -> Replied:
        try:
            return await self.connection.ask(stage, line.encode())
        except OSError as error:
            raise self.broke_off(stage, error) from error

    def literal(self) -> str:
        """Our end of the connection as an address literal (RFC 5321 section 4.1.3)."""
        address = self.endpoint("sockname") or "127.0.0.1"
        return f"[IPv6:{address}]" if ":" in address else f"[{address}]"

    def peer_is_loopback(self) -> bool:
        address = _address(self.endpoint("peername"))
        return address is not None and address.is_loopback

    def endpoint(self, which: str) -> str:
        transport = self.connection.transport
        name = transport.get_extra_info(which) if transport else None
        return str(name[0]).partition("%")[0] if name else ""

    # What goes wrong.

    @property
    def check_security(self) -> str:
        where = self.route.places("security", "port")
        return f"Check {where}; the kinds of security are none, starttls and tls."

    def refused(
        self, replied: Replied, what: str, *, hint: str = "", then: str = ""
    ) -> OpeningError:
        return OpeningError(
            f"The mail server {self.route} {what}: {_sentence(str(replied.reply))}",
            stage=replied.stage,
            temporary=replied.reply.temporary,
            reply=replied.reply,
            hint=hint,
            then=then,
        )

    def broke_off(self, stage: Stage, error: Exception) -> OpeningError:
        why = "it did not answer in time" if isinstance(error, TimeoutError) else str(error)
        step = {Stage.greeting: "before greeting us", Stage.ehlo: "at EHLO"}
        return OpeningError(
            f"The mail server {self.route} broke off {step.get(stage, f'at {stage.upper()}')}: "
            f"{_sentence(why)}",
            stage=stage,
            temporary=True,
            hint=self.check_security,
            then=_LATER,
        )

    def tls_failed(self, error: OSError) -> OpeningError:
        hint = self.check_security
        if isinstance(error, ssl.SSLCertVerificationError):
            why = f"its certificate does not hold ({error.verify_message})"
            hint = (
                f"Check that {self.route.places('host')} is the name in the certificate; for an "
                f"authority of your own set {self.route.places('ca_file')}."
            )
        elif isinstance(error, ssl.SSLError):
            why = (error.reason or str(error)).replace("_", " ").lower()
        else:
            why = _reason(error)
        return OpeningError(
            f"No secure connection to the mail server {self.route}: {_sentence(why)}",
            stage=Stage.starttls,
            temporary=not isinstance(error, ssl.SSLError),
            hint=hint,
        )


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Returns the address that this host is, or None when it is a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _word(secret: bytes) -> str:
    return b64encode(secret).decode("ascii")


def _decoded(word: bytes) -> bytes:
    """A challenge; nothing when it is not base64, as some servers' "Username:" is not."""
    try:
        return b64decode(word.strip(), validate=True)
    except Base64Error:
        return b""


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _reason(error: Exception) -> str:
    """Says in a few words why a socket did not open."""
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, socket.gaierror | UnicodeError):
        return "there is no host of that name"
    if isinstance(error, OSError):
        if error.errno == ECONNREFUSED or "Connect call failed" in str(error):
            return "nothing listens there (connection refused)"
        return error.strerror or str(error)
    return str(error)
