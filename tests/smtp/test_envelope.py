"""What goes on the wire is whole and clean, and what is not fit for it is refused unsent."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.model.words import Stage
from mailer.smtp.envelope import Prepared, prepare
from mailer.smtp.events import Answered
from mailer.smtp.exchange import Outgoing
from mailer.smtp.replies import Features

TEXT = b"Subject: hi\r\n\r\nHello\r\n"
ALL = Features(pipelining=True, eightbitmime=True, smtputf8=True, size=0)


def outgoing(
    sender: str = "a@example.org",
    recipient: str = "b@example.org",
    text: bytes = TEXT,
    *,
    smtputf8: bool = False,
) -> Outgoing:
    return Outgoing(7, sender, recipient, lambda: text, smtputf8)


def prepared(mail: Outgoing, features: Features = ALL) -> Prepared:
    made = prepare(mail, features)
    assert isinstance(made, Prepared), made
    return made


@pytest.mark.parametrize(
    ("mail", "features", "first"),
    [
        (outgoing(), Features(), b"MAIL FROM:<a@example.org>"),
        (outgoing(sender=""), Features(), b"MAIL FROM:<>"),
        (outgoing(), Features(size=0), b"MAIL FROM:<a@example.org> SIZE=22"),
        (outgoing(), Features(size=22), b"MAIL FROM:<a@example.org> SIZE=22"),
        (
            outgoing(text="é\r\n".encode()),
            Features(eightbitmime=True),
            b"MAIL FROM:<a@example.org> BODY=8BITMIME",
        ),
        (
            outgoing(recipient="zoë@example.org", smtputf8=True),
            ALL,
            b"MAIL FROM:<a@example.org> SIZE=22 SMTPUTF8",
        ),
    ],
)
def test_options_are_sent_when_offered_and_needed(
    mail: Outgoing, features: Features, first: bytes
) -> None:
    made = prepared(mail, features)
    recipient = mail.recipient.encode()

    assert made.commands == first + b"\r\nRCPT TO:<" + recipient + b">\r\nDATA\r\n"
    assert made.text == mail.render() + b".\r\n"


@pytest.mark.parametrize(
    ("mail", "features", "stage", "code", "status"),
    [
        (outgoing(sender="a b@x"), ALL, Stage.mail, 553, "5.1.7"),
        (outgoing(sender="a@x\r\nRCPT TO:<c@x>"), ALL, Stage.mail, 553, "5.1.7"),
        (outgoing(sender="é@x"), ALL, Stage.mail, 553, "5.6.7"),
        (outgoing(recipient=""), ALL, Stage.rcpt, 553, "5.1.3"),
        (outgoing(recipient="b@x>\r\nDATA"), ALL, Stage.rcpt, 553, "5.1.3"),
        (outgoing(recipient="b@x> SIZE=0"), ALL, Stage.rcpt, 553, "5.1.3"),
        (outgoing(recipient="b\t@x"), ALL, Stage.rcpt, 553, "5.1.3"),
        (outgoing(recipient="b\x7f@x"), ALL, Stage.rcpt, 553, "5.1.3"),
        (outgoing(recipient="b" * 250 + "@x.org"), ALL, Stage.rcpt, 553, "5.1.3"),
        (outgoing(recipient="é@x"), ALL, Stage.rcpt, 553, "5.6.7"),
        (outgoing(recipient="é\x85@x", smtputf8=True), ALL, Stage.rcpt, 553, "5.1.3"),
        (outgoing(recipient="é\u2028@x", smtputf8=True), ALL, Stage.rcpt, 553, "5.1.3"),
        (outgoing(recipient="é\ud800@x", smtputf8=True), ALL, Stage.rcpt, 553, "5.1.3"),
        (outgoing(recipient="é" * 130 + "@x", smtputf8=True), ALL, Stage.rcpt, 553, "5.1.3"),
        (outgoing(recipient="é@x", smtputf8=True), Features(), Stage.mail, 553, "5.6.7"),
        (outgoing(), Features(size=21), Stage.mail, 552, "5.3.4"),
        (outgoing(text=b"\xff\r\n"), Features(size=0), Stage.mail, 554, "5.6.3"),
        (outgoing(text=b""), ALL, Stage.data, 554, "5.6.0"),
        (outgoing(text=b"no end"), ALL, Stage.data, 554, "5.6.0"),
        (outgoing(text=b"a\nb\r\n"), ALL, Stage.data, 554, "5.6.0"),
        (outgoing(text=b"a\rb\r\n"), ALL, Stage.data, 554, "5.6.0"),
        (outgoing(text=b"a\r\n\r"), ALL, Stage.data, 554, "5.6.0"),
        (outgoing(text=b"a\r\n.\n\r\n"), ALL, Stage.data, 554, "5.6.0"),
        (outgoing(text=b"a\0\r\n"), ALL, Stage.data, 554, "5.6.0"),
    ],
)
def test_what_is_not_fit_is_answered_by_ourselves(
    mail: Outgoing, features: Features, stage: Stage, code: int, status: str
) -> None:
    answered = prepare(mail, features)

    assert isinstance(answered, Answered)
    assert (answered.key, answered.stage, answered.reply.code) == (7, stage, code)
    assert answered.reply.enhanced == status
    assert answered.reply.text.startswith(f"{status} The ")


@given(st.text(max_size=20), st.booleans())
def test_no_address_whatever_adds_a_command(address: str, utf8: bool) -> None:
    made = prepare(outgoing(recipient=address, smtputf8=utf8), ALL)
    if isinstance(made, Prepared):
        lines = made.commands.split(b"\r\n")

        assert lines[1:] == [b"RCPT TO:<" + address.encode() + b">", b"DATA", b""]
        assert not re.search(rb"[\x00-\x20\x7f<>]", address.encode())
