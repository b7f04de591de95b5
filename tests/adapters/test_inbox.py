"""The inbox takes mail however it is cut, keeps its bytes, and serves this machine only."""

from __future__ import annotations

import asyncio
import contextlib
import smtplib
import socket
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.adapters.inbox import Inbox
from mailer.errors import InputError, StoppedError
from mailer.smtp.pool import Pool
from mailer.smtp.route import Route, Security
from tests.wire import Outbox

LETTER = b"Subject: hi\r\n\r\n.hello\r\n..\r\n"
SENT = b"Subject: hi\r\n\r\n..hello\r\n...\r\n.\r\n"


@contextlib.contextmanager
def client(inbox: Inbox) -> Iterator[socket.socket]:
    with socket.create_connection((inbox.host, inbox.port), timeout=10) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield sock


def converse(inbox: Inbox, *pieces: bytes) -> list[str]:
    """Sends the pieces, and returns every reply up to the end of the connection."""
    with client(inbox) as sock:
        for piece in pieces:
            sock.sendall(piece)
        sock.shutdown(socket.SHUT_WR)
        said = b""
        while data := sock.recv(65536):
            said += data
    return said.decode().splitlines()


def codes(replies: list[str]) -> list[str]:
    return [reply[:3] for reply in replies if reply[3:4] == " "]


SESSION = (
    b"EHLO me\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n"
    + SENT
    + b"MAIL FROM:<> SIZE=5 BODY=8BITMIME\r\nRCPT TO:<c@example.org>\r\nDATA\r\n.\r\nQUIT\r\n"
)
CODES = ["220", "250", "250", "250", "354", "250", "250", "250", "354", "250", "221"]


@given(st.lists(st.integers(0, len(SESSION)), max_size=10))
@settings(max_examples=40, deadline=None)
def test_cuts_change_nothing(cuts: list[int]) -> None:
    ends = [*sorted(cuts), len(SESSION)]
    with Inbox() as inbox:
        replies = converse(inbox, *(SESSION[a:b] for a, b in zip([0, *ends], ends, strict=False)))

    assert codes(replies) == CODES
    assert [(mail.sender, mail.recipients, mail.data) for mail in inbox.messages] == [
        ("a@example.org", ("b@example.org",), LETTER),
        ("", ("c@example.org",), b""),
    ]


def test_each_byte_alone_is_enough() -> None:
    with Inbox() as inbox:
        replies = converse(inbox, *(bytes([byte]) for byte in SESSION))

    assert codes(replies) == CODES
    assert inbox.messages[0].data == LETTER


def test_what_it_offers_is_what_the_wire_uses() -> None:
    with Inbox() as inbox:
        replies = converse(inbox, b"EHLO me\r\nQUIT\r\n")

    offers = {reply[4:].split()[0] for reply in replies[1:-1]}
    assert {"PIPELINING", "8BITMIME", "SIZE", "SMTPUTF8", "ENHANCEDSTATUSCODES"} <= offers


def test_a_client_that_we_did_not_write_gets_through(tmp_path: Path) -> None:
    with Inbox(tmp_path) as inbox, smtplib.SMTP(inbox.host, inbox.port) as smtp:
        smtp.sendmail("a@example.org", ["b@example.org", "c@example.org"], LETTER)
        smtp.sendmail("", ["zoë@example.org"], "Subject: ö\r\n".encode(), ["SMTPUTF8"])
        assert inbox.wait(2)

    first, second = inbox.messages
    assert first.recipients == ("b@example.org", "c@example.org")
    assert first.data == LETTER
    assert second.recipients == ("zoë@example.org",)


def test_files_hold_the_bytes_under_the_envelope(tmp_path: Path) -> None:
    folder = tmp_path / "inbox"
    with Inbox(folder, keep=False) as inbox:
        converse(inbox, SESSION)

    files = sorted(folder.iterdir())
    assert [file.name for file in files] == ["00001-b@example.org.eml", "00002-c@example.org.eml"]
    content = files[0].read_bytes()
    assert content.endswith(LETTER)
    message = message_from_bytes(content)
    assert message["Return-Path"] == "<a@example.org>"
    assert message["Delivered-To"] == "b@example.org"
    assert inbox.messages == []
    assert inbox.count == 2


def test_a_second_run_goes_on_counting(tmp_path: Path) -> None:
    for _ in range(2):
        with Inbox(tmp_path) as inbox:
            converse(inbox, SESSION)

    assert [file.name[:5] for file in sorted(tmp_path.iterdir())] == [
        "00001",
        "00002",
        "00003",
        "00004",
    ]
    assert [mail.number for mail in inbox.messages] == [3, 4]


def test_no_recipient_leads_a_file_elsewhere(tmp_path: Path) -> None:
    folder = tmp_path / "inbox"
    with Inbox(folder) as inbox:
        opening = b"EHLO me\r\nMAIL FROM:<a@x>\r\nRCPT TO:<../../evil/x@y>\r\n"
        converse(inbox, opening + b"DATA\r\nhi\r\n.\r\nQUIT\r\n")

    assert [file.parent for file in tmp_path.rglob("*.eml")] == [folder]


def test_what_can_not_be_written_is_refused_for_now(tmp_path: Path) -> None:
    folder = tmp_path / "inbox"
    with Inbox(folder) as inbox:
        folder.rmdir()
        replies = converse(inbox, SESSION)

    assert [reply for reply in replies if reply.startswith("452 4.3.1")]
    assert inbox.messages == []
    assert inbox.count == 0


@pytest.mark.parametrize(
    ("lines", "answer"),
    [
        (b"MAIL FROM:<a@x>", "503"),
        (b"EHLO x\r\nRCPT TO:<a@x>", "503"),
        (b"EHLO x\r\nDATA", "503"),
        (b"EHLO x\r\nMAIL FROM:<a@x>\r\nDATA", "554"),
        (b"EHLO x\r\nMAIL FROM:<a@x>\r\nMAIL FROM:<a@x>", "503"),
        (b"EHLO x\r\nMAIL FROM:<a@x>\r\nRCPT TO:<>", "501"),
        (b"EHLO x\r\nMAIL FROM:<a@x>\r\nRCPT TO:<a@x> NOTIFY=NEVER", "555"),
        (b"EHLO x\r\nMAIL FROM:a@x", "501"),
        (b"EHLO x\r\nMAIL TO:<a@x>", "501"),
        (b"EHLO x\r\nMAIL FROM:<a@x> SIZE=99999999999", "552"),
        (b"EHLO x\r\nMAIL FROM:<a@x> RET=HDRS", "555"),
        (b"EHLO x\r\nMAIL FROM:<a@x>\r\nRSET\r\nRCPT TO:<a@x>", "503"),
        (b"HELO x\r\nmail from:<a@x>", "250"),
        (b"NOOP", "250"),
        (b"VRFY a", "252"),
        (b"STARTTLS", "500"),
        (b"\xff\xfe", "500"),
        (b"", "500"),
        (b"x" * 3000, "500"),
        (b"EHLO x\nMAIL FROM:<a@x>", "500"),
    ],
)
def test_what_is_out_of_turn_or_unknown_is_refused(lines: bytes, answer: str) -> None:
    with Inbox() as inbox:
        replies = converse(inbox, lines + b"\r\n")

    assert codes(replies)[-1] == answer


@pytest.mark.parametrize("text", [b"a\nb\r\n", b"a\rb\r\n", b"a\n.\nb\r\n"])
def test_a_text_with_stray_line_ends_is_refused(text: bytes) -> None:
    opening = b"EHLO x\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n"
    with Inbox() as inbox:
        replies = converse(inbox, opening + text + b".\r\nNOOP\r\n")

    assert codes(replies)[-2:] == ["550", "250"]
    assert inbox.messages == []


@pytest.mark.parametrize(("size", "answer"), [(150, "552"), (5000, "552"), (90, "250")])
def test_a_text_that_is_too_large_is_refused(size: int, answer: str) -> None:
    opening = b"EHLO x\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n"
    with Inbox(max_size=100) as inbox:
        replies = converse(inbox, opening + b"x" * size + b"\r\n.\r\n")

    assert codes(replies)[-1] == answer
    assert inbox.count == (answer == "250")


def test_thousands_arrive_over_several_connections() -> None:
    outbox = Outbox(3000)
    with Inbox(keep=False) as inbox:
        route = Route(inbox.host, inbox.port, Security.none)
        asyncio.run(asyncio.wait_for(Pool(route, connections=5).run(outbox, outbox), 60))

    assert len(outbox.accepted) == inbox.count == 3000


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", ""])
def test_it_listens_on_this_machine_only(host: str) -> None:
    with pytest.raises(InputError, match="this machine only"):
        Inbox(host=host)


def test_a_taken_port_is_said_so() -> None:
    with Inbox() as first, pytest.raises(StoppedError, match=f"port {first.port}"):
        Inbox(port=first.port).start()


def test_a_stop_ends_open_connections() -> None:
    inbox = Inbox().start()
    with client(inbox) as sock:
        assert sock.recv(100).startswith(b"220 ")
        inbox.stop()
        assert sock.recv(100) == b""
    inbox.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((inbox.host, inbox.port), timeout=5)
