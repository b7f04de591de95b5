"""A real SMTP server that can be told to misbehave, and that counts for itself what it accepted.

::

    with Smtpd(pipelining=False) as server:
        server.at("rcpt", say("550 5.1.1 No such user"), nth=2)
        server.at("dot", drop())
        ...
        assert [mail.recipients for mail in server.accepted] == ...

Each connection is a thread with a blocking socket, so that a rule reads like what it does.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType

from scramp import ScramException, ScramMechanism

from tests.certificates import Certificate

_MESSAGE_ID = re.compile(rb"^message-id:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_PATH = re.compile(rb"<([^>]*)>")

STEPS = (
    "preface",
    "greeting",
    "ehlo",
    "helo",
    "starttls",
    "auth",
    "mail",
    "rcpt",
    "data",
    "dot",
    "rset",
)


@dataclass(frozen=True)
class Act:
    """What the server does at a step instead of what it should."""

    reply: bytes = b""  # as it goes out, line ends included
    drop: bool = False  # then close the connection
    reset: bool = False  # then close it with a TCP reset
    stall: bool = False  # then say nothing more
    takes: bool | None = None  # does the step take effect? None: as the reply's code says

    @property
    def positive(self) -> bool:
        return self.reply[:1] in (b"2", b"3") if self.takes is None else self.takes


def say(*lines: str, takes: bool | None = None) -> Act:
    """Replies with these lines."""
    return Act("".join(f"{line}\r\n" for line in lines).encode(), takes=takes)


def raw(data: bytes, *, takes: bool | None = None) -> Act:
    """Replies with these bytes."""
    return Act(data, takes=takes)


def drop(*lines: str, takes: bool = False) -> Act:
    """Closes the connection, after these lines if there are any."""
    return Act(say(*lines).reply, drop=True, takes=takes)


def reset(*, takes: bool = False) -> Act:
    """Closes the connection with a TCP reset."""
    return Act(reset=True, takes=takes)


def stall() -> Act:
    """Says nothing more on this connection."""
    return Act(stall=True, takes=False)


@dataclass(frozen=True)
class Mail:
    """One message for which the server took responsibility."""

    number: int
    connection: int
    sender: str
    recipients: tuple[str, ...]
    data: bytes = field(repr=False)
    message_id: str = ""
    options: str = ""  # what stood behind the sender's path
    recipient_options: str = ""  # and behind the recipient's


@dataclass(frozen=True)
class _Rule:
    step: str
    act: Act
    nth: int | None  # the how manieth of all connections together, from 1; None: every time
    holding: bytes  # only when the command has this in it
    beyond: int  # only on connections after this one

    def fits(self, step: str, count: int, line: bytes, connection: int) -> bool:
        wanted = self.nth in (None, count) and connection > self.beyond
        return self.step == step and wanted and self.holding in line


class Smtpd:
    """The server. ``accepted``, ``texts`` and ``commands`` may be read at any time."""

    def __init__(
        self,
        *,
        pipelining: bool = True,
        offers: Sequence[str] = ("8BITMIME", "SIZE 10000000", "SMTPUTF8", "ENHANCEDSTATUSCODES"),
        chop: bool = False,
        lenient: bool = False,
        certificate: Certificate | None = None,
        tls: bool = False,
        login: tuple[str, str] | None = None,
        auth: Sequence[str] = ("PLAIN", "LOGIN"),
        token: str = "",
        bend: Callable[[str], str] = lambda said: said,
        host: str = "127.0.0.1",
    ) -> None:
        self.offers = [*(["PIPELINING"] if pipelining else []), *offers]
        self.chop = chop  # every byte of a reply in a packet of its own
        self.lenient = lenient  # 354 to DATA even when no recipient was accepted
        self.certificate = certificate  # with it STARTTLS is offered
        self.tls = tls  # TLS from the first byte
        self.login = login
        self.auth = auth
        self.token = token  # what XOAUTH2 must bring
        self.bend = bend  # what becomes of the server's words in SCRAM
        self.host = host
        self.port = 0
        self.accepted: list[Mail] = []
        self.texts: list[bytes] = []  # every text that came, taken or not, lone dots too
        self.commands: list[tuple[int, bytes]] = []  # connection, line
        self.connections = 0
        self._rules: list[_Rule] = []
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener: socket.socket | None = None

    def at(
        self,
        step: str,
        act: Act,
        *,
        nth: int | None = None,
        holding: bytes = b"",
        beyond: int = 0,
        first: bool = False,
    ) -> Smtpd:
        """Adds a rule, behind the others or before them; the first that fits is followed."""
        if step not in (*STEPS, "quit"):
            raise ValueError(f"no such step: {step}")
        place = 0 if first else len(self._rules)
        self._rules.insert(place, _Rule(step, act, nth, holding, beyond))
        return self

    def successor(self) -> Smtpd:
        """Another server on the same port, with the same rules, counts and log of mails."""
        other = Smtpd()
        other.offers, other.port, other.accepted = self.offers, self.port, self.accepted
        other._rules, other._counts = self._rules, self._counts
        return other

    @property
    def busy(self) -> bool:
        """Whether any connection is open."""
        return any(thread.is_alive() for thread in self._threads[1:])

    @property
    def recipients(self) -> list[str]:
        """Everybody for whom a message was accepted, in order."""
        return [address for mail in self.accepted for address in mail.recipients]

    def lines(self, verb: str) -> list[bytes]:
        """The commands that begin with this verb."""
        return [line for _, line in self.commands if line.upper().startswith(verb.encode())]

    # Its life.

    def __enter__(self) -> Smtpd:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self._listener = socket.create_server((self.host, self.port), family=family, backlog=64)
        self.port = self._listener.getsockname()[1]
        self._start(self._listen)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends at once, as a killed server does."""
        self._closing.set()
        with self._lock:
            sockets = [*self._sockets, *([self._listener] if self._listener else [])]
        for sock in sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in self._threads:
            thread.join(5)

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _listen(self) -> None:
        listener = self._listener
        while listener is not None and not self._closing.is_set():
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._sockets.add(sock)
                self.connections += 1
                number = self.connections
            self._start(_Session(self, sock, number).run)

    # What its sessions ask.

    def choose(self, step: str, line: bytes, connection: int) -> Act | None:
        with self._lock:
            self._counts[step] += 1
            count = self._counts[step]
            fitting = (rule for rule in self._rules if rule.fits(step, count, line, connection))
            return next((rule.act for rule in fitting), None)

    def note_command(self, connection: int, line: bytes) -> None:
        with self._lock:
            self.commands.append((connection, line))

    def note_text(self, data: bytes) -> None:
        with self._lock:
            self.texts.append(data)

    def take(
        self,
        connection: int,
        sender: bytes,
        recipients: list[bytes],
        data: bytes,
        options: bytes,
        recipient_options: bytes = b"",
    ) -> None:
        found = _MESSAGE_ID.search(data)
        with self._lock:
            self.accepted.append(
                Mail(
                    number=len(self.accepted) + 1,
                    connection=connection,
                    sender=sender.decode(),
                    recipients=tuple(address.decode() for address in recipients),
                    data=data,
                    message_id=found[1].decode() if found else "",
                    options=options.decode(),
                    recipient_options=recipient_options.decode(),
                )
            )

    def swap(self, old: socket.socket, new: socket.socket) -> None:
        with self._lock:
            self._sockets.discard(old)
            self._sockets.add(new)

    def wait(self) -> None:
        self._closing.wait()


class _Gone(Exception):  # noqa: N818 - not an error: the session is over
    """The session ends."""


class _Session:
    """One connection."""

    def __init__(self, server: Smtpd, sock: socket.socket, number: int) -> None:
        self.server = server
        self.sock = sock
        self.number = number
        self.buffer = b""
        self.secure = False
        self.sender: bytes | None = None
        self.options = b""
        self.recipient_options = b""
        self.recipients: list[bytes] = []

    def run(self) -> None:
        try:
            if self.server.tls:
                self.step("preface", b"", Act())  # nothing, before TLS from the first byte
                self.secured()
            self.step("greeting", b"", say("220 smtpd.test ESMTP"))
            while True:
                self.command(self.line())
        except (_Gone, OSError):
            pass
        finally:
            self.sock.close()

    def command(self, line: bytes) -> None:
        self.server.note_command(self.number, line)
        verb = line[:4].upper()
        if line.upper() == b"STARTTLS":
            self.starttls(line)
        elif verb == b"EHLO":
            offers = [*self.server.offers, *self.more_offers()]
            lines = [f"250-{offer}" for offer in offers]
            self.step("ehlo", line, say("250-smtpd.test at your service", *lines, "250 HELP"))
        elif verb == b"HELO":
            self.step("helo", line, say("250 smtpd.test"))
        elif verb == b"AUTH":
            self.authenticate(line)
        elif verb == b"MAIL":
            self.mail(line)
        elif verb == b"RCPT":
            known = self.sender is not None
            if self.step("rcpt", line, say("250 2.1.5 Ok" if known else "503 5.5.1 No MAIL")):
                self.recipients.append(_path(line))
                self.recipient_options = line.partition(b">")[2].strip()
        elif verb == b"DATA":
            self.data(line)
        elif verb == b"BDAT" and "CHUNKING" in self.server.offers:
            self.chunk(line)
        elif verb == b"RSET":
            if self.step("rset", line, say("250 2.0.0 Ok")):
                self.forget()
        elif verb == b"QUIT":
            self.step("quit", line, drop("221 2.0.0 Bye"))
        else:
            self.send(b"500 5.5.2 What?\r\n")

    # Commands.

    def mail(self, line: bytes) -> None:
        usual = say("503 5.5.1 Nested MAIL" if self.sender is not None else "250 2.1.0 Ok")
        if self.step("mail", line, usual):
            self.sender = _path(line)
            self.options = line.partition(b">")[2].strip()

    def data(self, line: bytes) -> None:
        usual = say("354 Go on")
        if not self.recipients and not self.server.lenient:
            usual = say("503 5.5.1 No recipient")
        if self.step("data", line, usual):
            data = self.text()
            self.server.note_text(data)
            fits = bool(self.recipients)
            usual = say("250 2.0.0 Taken" if fits else "554 5.5.1 No recipient")
            self.step("dot", line, usual, taking=data)
            self.forget()

    def chunk(self, line: bytes) -> None:
        """One chunk that is the whole text: its octets are counted, not looked at."""
        size = int(line.split()[1])
        while len(self.buffer) < size:
            self.read()
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        self.server.note_text(data)
        usual = say("250 2.0.0 Taken" if self.recipients else "503 5.5.1 No recipient")
        if self.step("dot", line, usual, taking=data):
            self.forget()

    def starttls(self, line: bytes) -> None:
        if self.step("starttls", line, say("220 2.0.0 Go on")):
            self.secured()
            self.forget()

    def authenticate(self, line: bytes) -> None:
        words = line.split()
        mechanism, first = words[1].upper(), words[2:]
        if mechanism == b"SCRAM-SHA-256":
            good = self.scram(b64decode(first[0]))
        elif mechanism == b"XOAUTH2":
            word = b64decode(first[0] if first else self.challenged(b""))
            user = (self.server.login or ("", ""))[0]
            token = self.server.token
            good = word == f"user={user}\x01auth=Bearer {token}\x01\x01".encode()
            if not good:
                self.challenged(b'{"status":"400"}')
        elif mechanism == b"PLAIN":
            _, name, password = b64decode(first[0]).split(b"\0")
            good = (name.decode(), password.decode()) == self.server.login
        else:
            name = b64decode(self.challenged(b"Username:"))
            password = b64decode(self.challenged(b"Password:"))
            good = (name.decode(), password.decode()) == self.server.login
        usual = say("235 2.7.0 Welcome" if good else "535 5.7.8 Wrong user name or password")
        self.step("auth", line, usual)

    def challenged(self, challenge: bytes) -> bytes:
        self.send(b"334 " + b64encode(challenge) + b"\r\n")
        return self.line()

    def scram(self, first: bytes) -> bool:
        """The server's half, by a library that is not ours."""
        name, password = self.server.login or ("", "")
        scram = ScramMechanism("SCRAM-SHA-256")
        secret = scram.make_auth_info(password, iteration_count=4096)
        names: dict[str, object] = {}
        server = scram.make_server(lambda user: names.setdefault(user, secret))
        server.set_client_first(first.decode())
        bend = self.server.bend
        final = self.challenged(bend(server.get_server_first()).encode())
        with contextlib.suppress(ScramException):  # its last word says so
            server.set_client_final(b64decode(final).decode())
        word: str = server.get_server_final()
        self.challenged(bend(word).encode())
        return word.startswith("v=") and list(names) == [name]

    def more_offers(self) -> list[str]:
        certificate, login = self.server.certificate, self.server.login
        starttls = ["STARTTLS"] if certificate and not self.secure else []
        auth = [f"AUTH {' '.join(self.server.auth)}"] if login and self.server.auth else []
        return starttls + auth

    def forget(self) -> None:
        self.sender, self.options, self.recipients = None, b"", []

    # Steps and bytes.

    def step(self, name: str, line: bytes, usual: Act, *, taking: bytes | None = None) -> bool:
        """Follows the rule for this step, else the usual; tells if the step took effect."""
        act = self.server.choose(name, line, self.number) or usual
        if taking is not None and act.positive and self.sender is not None:
            options = (self.options, self.recipient_options)
            self.server.take(self.number, self.sender, self.recipients, taking, *options)
        self.send(act.reply)
        if act.stall:
            self.server.wait()
        if act.reset:
            linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        if act.stall or act.drop or act.reset:
            raise _Gone
        return act.positive

    def send(self, data: bytes) -> None:
        for piece in [data[i : i + 1] for i in range(len(data))] if self.server.chop else [data]:
            self.sock.sendall(piece)

    def line(self) -> bytes:
        while b"\r\n" not in self.buffer:
            self.read()
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line

    def text(self) -> bytes:
        """Reads up to the final dot and undoes the dot-stuffing."""
        data, self.buffer = self.buffer, b""
        seen = 0
        while True:
            if data.startswith(b".\r\n"):
                end, after = 0, 3
                break
            at = data.find(b"\r\n.\r\n", max(0, seen - 4))
            if at >= 0:
                end, after = at + 2, at + 5
                break
            seen = len(data)
            self.read()
            data += self.buffer
            self.buffer = b""
        self.buffer = data[after:]
        text = data[:end].replace(b"\r\n.", b"\r\n")
        return text.removeprefix(b".")

    def read(self) -> None:
        data = self.sock.recv(65536)
        if not data:
            raise _Gone
        self.buffer += data

    def secured(self) -> None:
        if self.server.certificate is None:
            raise ValueError("TLS needs a certificate")
        self.buffer = b""
        plain = self.sock
        secure = self.server.certificate.context().wrap_socket(
            plain, server_side=True, do_handshake_on_connect=False
        )
        self.sock = secure
        self.server.swap(plain, secure)
        secure.do_handshake()
        self.secure = True


def _path(line: bytes) -> bytes:
    found = _PATH.search(line)
    return found[1] if found else b""
