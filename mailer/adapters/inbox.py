"""Receives mail on this machine and keeps it: the demo's SMTP server (RFC 5321), loopback only."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from mailer.errors import InputError, StoppedError

MAX_SIZE = 32 * 1024 * 1024
MAX_LINE = 2048  # a command; RFC 5321 section 4.5.3.1.4 allows 512, extensions add to it
MAX_RECIPIENTS = 100

_PATH = re.compile(r"\s*<([^<>]*)>(.*)", re.DOTALL)
_UNFIT = re.compile(r"[^A-Za-z0-9.@+_-]+")


@dataclass(frozen=True, slots=True)
class Received:
    """One message as it came: its envelope and its exact bytes, without dot-stuffing."""

    number: int
    sender: str
    recipients: tuple[str, ...]
    data: bytes = field(repr=False)
    path: Path | None = None


class Inbox:
    """A mail server for this machine alone, in a thread of its own.

    ::

        with Inbox(folder) as inbox:
            ...  # send to inbox.host, inbox.port

    With a ``folder`` each message becomes ``00001-reader@example.org.eml`` there: the bytes that
    came, under ``Return-Path`` and ``Delivered-To``, as a final delivery adds them (RFC 5321
    section 4.4). With ``keep`` they are in ``messages`` too. A message that can't be written is
    refused for now (452), never taken and dropped.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        keep: bool = True,
        max_size: int = MAX_SIZE,
    ) -> None:
        if not _is_loopback(host):
            raise InputError(
                f"The inbox listens on this machine only, and {host} is not a loopback address.",
                hint="Use 127.0.0.1 or ::1.",
            )
        self.folder = folder
        self.host = "127.0.0.1" if host == "localhost" else host  # one socket, one port
        self.port = port
        self.max_size = max_size
        self.messages: list[Received] = []
        self.count = 0
        self._keep = keep
        self._number = 0
        self._arrived = threading.Condition()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._opened: asyncio.Future[None] | None = None
        self._trouble: OSError | None = None

    # Its life.

    def start(self) -> Inbox:
        """Listens, and returns when it does. Raises StoppedError when the port is taken."""
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._number = max(map(_number_of, self.folder.glob("*.eml")), default=0)
        listening = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(listening)), name="inbox", daemon=True
        )
        self._thread.start()
        listening.wait()
        if self._trouble is not None:
            self._thread.join()
            raise StoppedError(
                f"The inbox can't listen on {self.host} port {self.port}: "
                f"{self._trouble.strerror or self._trouble}.",
                hint="Choose another port, or 0 for any.",
            ) from self._trouble
        return self

    def stop(self) -> None:
        """Closes every connection and ends the thread."""
        if self._thread is None or self._loop is None or self._stop is None:
            return
        with contextlib.suppress(RuntimeError):  # its loop has ended already
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._thread = None

    def __enter__(self) -> Inbox:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def wait(self, count: int, seconds: float = 10.0) -> bool:
        """Waits until at least ``count`` messages have come; False when they did not in time."""
        with self._arrived:
            return self._arrived.wait_for(lambda: self.count >= count, seconds)

    async def _serve(self, listening: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        sessions: set[_Session] = set()
        try:
            server = await self._loop.create_server(
                lambda: _Session(self, sessions), self.host, self.port
            )
            self.port = server.sockets[0].getsockname()[1]
        except OSError as error:
            self._trouble = error
            return
        finally:
            listening.set()
        await self._stop.wait()
        server.close()
        for session in list(sessions):
            session.close()

    # What it keeps.

    def keep(self, sender: str, recipients: tuple[str, ...], data: bytes) -> Received:
        """Takes responsibility for one message; raises OSError when it can't be written."""
        number = self._number + 1
        path = None
        if self.folder is not None:
            name = _UNFIT.sub("_", recipients[0])[:100]
            path = self.folder / f"{number:05d}-{name}.eml"
            _write(path, _trace(sender, recipients) + data)
        received = Received(number, sender, recipients, data, path)
        with self._arrived:
            self._number = number
            self.count += 1
            if self._keep:
                self.messages.append(received)
            self._arrived.notify_all()
        return received


class _Session(asyncio.Protocol):
    """One client. Commands and text may come pipelined, and cut anywhere."""

    def __init__(self, inbox: Inbox, sessions: set[_Session]) -> None:
        self._inbox = inbox
        self._sessions = sessions
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._seen = 0  # bytes of a text that hold no end
        self._in_text = False
        self._ended = False
        self._replies: list[str] = []
        self._greeted = False
        self._sender: str | None = None
        self._recipients: list[str] = []
        self._verbs: dict[str, Callable[[str], str]] = {
            "EHLO": self._ehlo,
            "HELO": self._helo,
            "MAIL": self._mail,
            "RCPT": self._rcpt,
            "DATA": self._data,
            "RSET": self._rset,
            "NOOP": lambda rest: "250 2.0.0 Fine",
            "VRFY": lambda rest: "252 2.5.0 Send it and see",
            "QUIT": self._quit,
        }

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a stream transport is needed")
        self._transport = transport
        self._sessions.add(self)
        self._replies.append("220 localhost ESMTP inbox")
        self._answer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        self._sessions.discard(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while not self._ended and (self._text() if self._in_text else self._command()):
            pass
        self._answer()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    # Bytes.

    def _answer(self) -> None:
        """Writes the replies of everything that came in one piece in one piece."""
        if self._replies and self._transport is not None:
            lines = "".join(f"{reply}\r\n" for reply in self._replies)
            self._replies.clear()
            self._transport.write(lines.encode())
        if self._ended:
            self.close()

    def _command(self) -> bool:
        """Does one command; False when none is whole yet."""
        end = self._buffer.find(b"\n")
        if end < 0 and len(self._buffer) <= MAX_LINE:
            return False
        if end < 0 or end > MAX_LINE or self._buffer[end - 1 : end] != b"\r":
            # A bare LF is how mail is smuggled past a server, so it ends the conversation.
            return self._hang_up("500 5.5.2 A command ends in CRLF and is not that long")
        line = bytes(self._buffer[: end - 1])
        del self._buffer[: end + 1]
        try:
            verb, _, rest = line.decode().partition(" ")
        except UnicodeDecodeError:
            self._replies.append("500 5.5.2 That is not UTF-8")
            return True
        act = self._verbs.get(verb.upper())
        self._replies.append(act(rest) if act else "500 5.5.1 No such command here")
        return True

    def _text(self) -> bool:
        """Takes one text; False when its end has not come yet."""
        # The CRLF of the DATA command counts as the one before the dot (RFC 5321 4.1.1.4).
        if self._buffer.startswith(b".\r\n"):
            end, after = 0, 3
        else:
            at = self._buffer.find(b"\r\n.\r\n", max(0, self._seen - 4))
            if at < 0:
                self._seen = len(self._buffer)
                if self._seen > 2 * self._inbox.max_size:
                    return self._hang_up("552 5.3.4 That is far too large")
                return False
            end, after = at + 2, at + 5
        data = bytes(self._buffer[:end])
        del self._buffer[:after]
        self._seen = 0
        self._in_text = False
        self._replies.append(self._received(data))
        self._reset()
        return True

    def _received(self, data: bytes) -> str:
        if data.startswith(b"."):
            data = data[1:]
        data = data.replace(b"\r\n.", b"\r\n")
        if len(data) > self._inbox.max_size:
            return f"552 5.3.4 At most {self._inbox.max_size} bytes"
        lines = data.splitlines()
        if len(data) - len(b"".join(lines)) != 2 * len(lines):
            return "550 5.6.0 A line of the message does not end in CRLF"
        try:
            received = self._inbox.keep(self._sender or "", tuple(self._recipients), data)
        except OSError as error:
            return f"452 4.3.1 It can't be kept: {error.strerror or 'the disk refuses it'}"
        return f"250 2.0.0 Kept as number {received.number}"

    def _hang_up(self, reply: str) -> bool:
        self._replies.append(reply)
        self._ended = True
        return False

    # Commands.

    def _ehlo(self, rest: str) -> str:
        self._greeted = True
        self._reset()
        offers = ("PIPELINING", "8BITMIME", f"SIZE {self._inbox.max_size}", "SMTPUTF8")
        return "\r\n".join(
            ["250-localhost", *(f"250-{offer}" for offer in offers), "250 ENHANCEDSTATUSCODES"]
        )

    def _helo(self, rest: str) -> str:
        self._greeted = True
        self._reset()
        return "250 localhost"

    def _mail(self, rest: str) -> str:
        if not self._greeted:
            return "503 5.5.1 Say EHLO first"
        if self._sender is not None:
            return "503 5.5.1 A transaction is open"
        path = _path(rest, "FROM:")
        if path is None:
            return "501 5.1.7 It is MAIL FROM:<address>"
        address, options = path
        for option in options:
            name, _, value = option.upper().partition("=")
            if name == "SIZE" and value.isdigit():
                if int(value) > self._inbox.max_size:
                    return f"552 5.3.4 At most {self._inbox.max_size} bytes"
            elif option.upper() not in ("BODY=7BIT", "BODY=8BITMIME", "SMTPUTF8"):
                return "555 5.5.4 That option is not known here"
        self._sender = address
        return "250 2.1.0 Fine"

    def _rcpt(self, rest: str) -> str:
        if self._sender is None:
            return "503 5.5.1 MAIL comes first"
        path = _path(rest, "TO:")
        if path is None or not path[0]:
            return "501 5.1.3 It is RCPT TO:<address>"
        if path[1]:
            return "555 5.5.4 That option is not known here"
        if len(self._recipients) >= MAX_RECIPIENTS:
            return f"452 4.5.3 At most {MAX_RECIPIENTS} recipients"
        self._recipients.append(path[0])
        return "250 2.1.5 Fine"

    def _data(self, rest: str) -> str:
        if self._sender is None:
            return "503 5.5.1 MAIL comes first"
        if not self._recipients:
            return "554 5.5.1 No recipient"
        self._in_text = True
        return "354 Go on, and end with a dot on its own line"

    def _rset(self, rest: str) -> str:
        self._reset()
        return "250 2.0.0 Fine"

    def _quit(self, rest: str) -> str:
        self._ended = True
        return "221 2.0.0 Goodbye"

    def _reset(self) -> None:
        self._sender = None
        self._recipients = []


def _path(rest: str, word: str) -> tuple[str, list[str]] | None:
    """Reads ``FROM:<address> options``; None when it is something else."""
    if not rest.upper().startswith(word):
        return None
    found = _PATH.fullmatch(rest[len(word) :])
    return (found[1], found[2].split()) if found else None


def _trace(sender: str, recipients: tuple[str, ...]) -> bytes:
    lines = [f"Return-Path: <{sender}>", *(f"Delivered-To: {address}" for address in recipients)]
    return "".join(f"{line}\r\n" for line in lines).encode()


def _write(path: Path, data: bytes) -> None:
    """Writes a file that is either whole or not there."""
    partial = path.with_suffix(".part")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def _number_of(path: Path) -> int:
    number = path.name.partition("-")[0]
    return int(number) if number.isascii() and number.isdigit() else 0


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
