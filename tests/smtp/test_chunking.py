"""A text goes as one chunk where that saves a round trip, and whatever goes wrong is told truly."""

from __future__ import annotations

import pytest

from mailer.model.words import Stage
from tests.smtp.test_faults import BREAKS, REFUSALS, send
from tests.smtpd import Smtpd, say
from tests.wire import Outbox, letter

OFFERS = ("8BITMIME", "SIZE 10000000", "SMTPUTF8", "ENHANCEDSTATUSCODES", "CHUNKING")
STEPS = ("mail", "rcpt", "dot")


def chunking(*, pipelining: bool = False, chop: bool = False) -> Smtpd:
    return Smtpd(pipelining=pipelining, offers=OFFERS, chop=chop)


@pytest.mark.parametrize("chop", [False, True])
def test_a_text_goes_as_one_chunk_and_no_dot_is_doubled(chop: bool) -> None:
    text = b"From: a@example.org\r\n\r\n.\r\n..\r\n.x\r\nQUIT\r\n"
    outbox = Outbox(3, body=lambda key: text)
    with chunking(chop=chop) as server:
        send(server, outbox)

    assert outbox.accepted == [1, 2, 3]
    assert [mail.data for mail in server.accepted] == [text] * 3
    assert server.lines("BDAT") == [b"BDAT %d LAST" % len(text)] * 3
    assert not server.lines("DATA")
    assert server.connections == 1


def test_with_pipelining_nothing_would_be_gained() -> None:
    outbox = Outbox(3)
    with chunking(pipelining=True) as server:
        send(server, outbox)

    assert outbox.accepted == [1, 2, 3]
    assert not server.lines("BDAT")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("fault", REFUSALS)
def test_a_refusal_answers_for_its_own_letter(fault: str, step: str) -> None:
    act, code, _ = REFUSALS[fault]
    outbox = Outbox(3, again=True)
    with chunking().at(step, act, nth=2) as server:
        send(server, outbox)

    assert outbox.words(2) == f"answered {step} {code}"
    assert outbox.accepted == [1, 3]
    assert sorted(server.recipients) == ["r1@example.net", "r3@example.net"]
    assert len(server.texts) == (3 if step == "dot" else 2)  # none to whom was refused
    if step == "dot" and server.connections == 1:
        assert len(server.lines("RSET")) == 1  # RFC 3030 section 2


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("fault", BREAKS)
def test_a_break_returns_before_the_text_and_loses_after_it(fault: str, step: str) -> None:
    outbox = Outbox(3, again=True)
    with chunking().at(step, BREAKS[fault], nth=2) as server:
        send(server, outbox)

    if step == "dot":
        assert outbox.words(2) == "lost"
        assert outbox.accepted == [1, 3]
    else:
        assert outbox.accepted == [1, 2, 3]
        assert outbox.returns[0][:2] == (2, Stage(step))
    assert server.connections == 2


@pytest.mark.parametrize("code", [500, 502, 504])
def test_a_server_that_offers_it_and_does_not_know_it_gets_data(code: int) -> None:
    outbox = Outbox(3, body=lambda key: letter(key, b".hidden\r\n"))
    with chunking().at("dot", say(f"{code} 5.5.1 What is that?"), nth=1) as server:
        send(server, outbox)

    assert outbox.accepted == [1, 2, 3]
    assert server.recipients == ["r1@example.net", "r2@example.net", "r3@example.net"]
    assert [mail.data for mail in server.accepted] == [outbox.body(key) for key in (1, 2, 3)]
    assert (len(server.lines("BDAT")), len(server.lines("DATA"))) == (1, 3)
    assert server.connections == 1
