"""Whatever goes wrong at whatever command, each letter gets the one observation that is true.

Three letters go over one connection, and the server misbehaves at the second one. What is
returned is taken again, as a ledger would do, so all others must arrive, once. The whole table of
commands and faults, the silent server among them, is in fault_matrix.py.
"""

from __future__ import annotations

import asyncio

import pytest

from mailer.errors import WireError
from mailer.model.words import Stage
from mailer.smtp.pool import Pool
from mailer.smtp.route import Route, Security
from tests.smtpd import Act, Smtpd, drop, raw, reset, say
from tests.wire import PATIENT, Outbox

PAUSES = (0.01,) * 4
USUAL = {"mail": "250 2.1.0 Ok", "rcpt": "250 2.1.5 Ok", "data": "354 Go on", "dot": "250 Taken"}

REFUSALS = {
    "4xx": (say("451 4.3.0 Later"), 451, "4.3.0"),
    "5xx": (say("554 5.7.1 Never"), 554, "5.7.1"),
    "4xx in several lines": (
        say("450-4.2.0 Later", "450-4.2.0 or", "450 4.2.0 never"),
        450,
        "4.2.0",
    ),
    "421": (say("421 4.3.2 Going down"), 421, "4.3.2"),
    "421 and drop": (drop("421 4.3.2 Going down"), 421, "4.3.2"),
    "no text": (say("550"), 550, ""),
}
BREAKS = {
    "drop": drop(),
    "reset": reset(),
    "garbage": raw(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "binary garbage": raw(b"\x16\x03\x01\x00\xff\n"),
    "over-long line": raw(b"250 " + b"x" * 5000 + b"\r\n", takes=False),
    "over-long line without an end": raw(b"2" * 5000, takes=False),
    "over-long reply": raw((b"250-" + b"x" * 1000 + b"\r\n") * 80 + b"250 x\r\n", takes=False),
    "two codes in one reply": say("250-Fine", "550 No", takes=False),
    "half a reply and drop": Act(b"25", drop=True, takes=False),
}
HARMLESS = {
    "several lines": "{code}-One\r\n{code}-\r\n{code} {rest}\r\n",
    "no blank after the code": "{code}\r\n",
    "a long line within reason": "{code} " + "x" * 1500 + "\r\n",
    "bare LF": "{code} {rest}\n",
}
STEPS = ("mail", "rcpt", "data", "dot")


def send(server: Smtpd, outbox: Outbox, **options: int) -> None:
    pool = Pool(
        Route(server.host, server.port, Security.none),
        connections=options.get("connections", 1),
        timeouts=PATIENT,
        pauses=PAUSES,
    )
    asyncio.run(asyncio.wait_for(pool.run(outbox, outbox), 30))


def addresses(*keys: int) -> list[str]:
    return [f"r{key}@example.net" for key in keys]


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelined", "lock-step"])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("fault", REFUSALS)
def test_a_refusal_answers_for_its_own_letter(fault: str, step: str, pipelining: bool) -> None:
    act, code, enhanced = REFUSALS[fault]
    outbox = Outbox(3, again=True)
    with Smtpd(pipelining=pipelining).at(step, act, nth=2) as server:
        send(server, outbox)

    assert outbox.words(2) == f"answered {step} {code}"
    final = outbox.finals[2]
    assert final.reply is not None
    assert final.reply.enhanced == enhanced
    assert outbox.accepted == [1, 3]
    assert sorted(server.recipients) == addresses(1, 3)
    closes = code == 421
    assert server.connections == (2 if closes else 1)
    # Only an envelope that had run ahead of the closing can have come back.
    assert [key for key, _, _ in outbox.returns] == (
        [3] if closes and pipelining and step == "dot" else []
    )


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelined", "lock-step"])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("fault", BREAKS)
def test_a_break_returns_before_the_text_and_loses_after_it(
    fault: str, step: str, pipelining: bool
) -> None:
    outbox = Outbox(3, again=True)
    with Smtpd(pipelining=pipelining).at(step, BREAKS[fault], nth=2) as server:
        send(server, outbox)

    if step == "dot":
        assert outbox.words(2) == "lost"
        assert outbox.accepted == [1, 3]
        assert [key for key, _, _ in outbox.returns] == ([3] if pipelining else [])
    else:
        assert outbox.accepted == [1, 2, 3]
        assert outbox.returns[0][:2] == (2, Stage(step))
        assert 2 not in outbox.starts[: outbox.starts.index(1) + 1]
    assert sorted(server.recipients) == addresses(*outbox.accepted)
    assert server.connections == 2


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelined", "lock-step"])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("form", HARMLESS)
def test_an_odd_but_whole_reply_counts(form: str, step: str, pipelining: bool) -> None:
    code, _, rest = USUAL[step].partition(" ")
    outbox = Outbox(3)
    act = raw(HARMLESS[form].format(code=code, rest=rest).encode())
    with Smtpd(pipelining=pipelining).at(step, act, nth=2) as server:
        send(server, outbox)

    assert outbox.accepted == [1, 2, 3]
    assert server.recipients == addresses(1, 2, 3)
    assert server.connections == 1


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelined", "lock-step"])
@pytest.mark.parametrize("step", STEPS)
def test_replies_cut_at_every_byte_are_understood(step: str, pipelining: bool) -> None:
    outbox = Outbox(3)
    refusal = say("550-5.7.1 No", "550 5.7.1 at all")
    with Smtpd(pipelining=pipelining, chop=True).at(step, refusal, nth=2) as server:
        send(server, outbox)

    assert outbox.words(2) == f"answered {step} 550"
    assert server.recipients == addresses(1, 3)


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelined", "lock-step"])
@pytest.mark.parametrize(
    ("step", "code"), [("mail", 354), ("rcpt", 354), ("data", 250), ("dot", 354)]
)
def test_a_reply_of_the_wrong_kind_breaks_the_connection(
    step: str, code: int, pipelining: bool
) -> None:
    outbox = Outbox(3, again=True)
    with Smtpd(pipelining=pipelining).at(step, say(f"{code} What?", takes=False), nth=2) as server:
        send(server, outbox)

    assert outbox.accepted == ([1, 3] if step == "dot" else [1, 2, 3])
    assert outbox.words(2) == ("lost" if step == "dot" else "answered dot 250")
    assert sorted(server.recipients) == addresses(*outbox.accepted)


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelined", "lock-step"])
@pytest.mark.parametrize("step", ["mail", "rcpt", "data"])
def test_a_reply_too_many_never_counts_for_another_command(step: str, pipelining: bool) -> None:
    outbox = Outbox(3, again=True)
    twice = say(USUAL[step], "250 2.0.0 Taken, before I have seen it")
    with Smtpd(pipelining=pipelining).at(step, twice, nth=2) as server:
        send(server, outbox)

    assert outbox.accepted == [1, 2, 3]
    assert sorted(server.recipients) == addresses(1, 2, 3)
    assert (2, Stage.data) in [(key, stage) for key, stage, _ in outbox.returns] or not pipelining


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelined", "lock-step"])
def test_a_text_is_never_sent_to_nobody(pipelining: bool) -> None:
    """RFC 2920 section 3.1: a lone dot, when DATA is let through without any recipient."""
    outbox = Outbox(3)
    refusal = say("550 5.1.1 No such user")
    with Smtpd(pipelining=pipelining, lenient=True).at("rcpt", refusal, nth=2) as server:
        send(server, outbox)

    assert outbox.words(2) == "answered rcpt 550"
    assert server.recipients == addresses(1, 3)
    lone_dots = [text for text in server.texts if not text]
    assert len(lone_dots) == (1 if pipelining else 0)
    assert outbox.starts == [1, 3]


def test_a_text_that_is_wanted_after_all_is_not_sent() -> None:
    """MAIL was refused, yet recipient and DATA are let through: even a dot would deliver."""
    outbox = Outbox(2, again=True)
    with Smtpd() as server:
        server.at("mail", say("550 5.7.1 Not you"), nth=1)
        server.at("rcpt", say("250 2.1.5 Ok"), nth=1)
        send(server, outbox)

    assert outbox.words(1) == "answered mail 550"
    assert outbox.accepted == [2]
    assert server.texts == [mail.data for mail in server.accepted]
    assert server.connections == 2


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelined", "lock-step"])
@pytest.mark.parametrize("step", ["rcpt", "data"])
def test_a_transaction_that_ended_early_is_reset(step: str, pipelining: bool) -> None:
    outbox = Outbox(2)
    with Smtpd(pipelining=pipelining).at(step, say("550 5.7.1 No"), nth=1) as server:
        send(server, outbox)

    assert outbox.accepted == [2]
    assert len(server.lines("RSET")) == 1


def test_a_refused_reset_opens_a_new_connection() -> None:
    outbox = Outbox(2, again=True)
    with Smtpd().at("rcpt", say("550 5.1.1 No"), nth=1).at("rset", say("502 No")) as server:
        send(server, outbox)

    assert outbox.accepted == [2]
    assert server.connections == 2


@pytest.mark.parametrize("step", ["greeting", "ehlo"])
@pytest.mark.parametrize(
    "fault", ["4xx", "5xx", "421", "drop", "reset", "garbage", "over-long line"]
)
def test_a_server_that_turns_us_away_stops_the_run_before_anything_is_taken(
    fault: str, step: str
) -> None:
    act = REFUSALS[fault][0] if fault in REFUSALS else BREAKS[fault]
    outbox = Outbox(3)
    with Smtpd().at(step, act).at("helo", act) as server, pytest.raises(WireError) as raised:
        send(server, outbox)

    assert not outbox.finals
    assert not outbox.in_hand
    assert f"127.0.0.1:{server.port}" in raised.value.message
    assert raised.value.hint
    if fault in REFUSALS:
        assert act.reply.decode().strip() in raised.value.message
    assert server.connections == 1


@pytest.mark.parametrize("step", ["greeting", "ehlo"])
@pytest.mark.parametrize("chop", [False, True])
def test_a_greeting_in_several_lines_is_understood(step: str, chop: bool) -> None:
    code = {"greeting": 220, "ehlo": 250}[step]
    outbox = Outbox(2)
    act = say(f"{code}-smtpd.test", f"{code}-PIPELINING", f"{code} HELP")
    with Smtpd(chop=chop).at(step, act) as server:
        send(server, outbox)

    assert outbox.accepted == [1, 2]


def test_a_server_without_ehlo_is_greeted_with_helo() -> None:
    outbox = Outbox(2)
    with Smtpd().at("ehlo", say("502 5.5.1 What?")) as server:
        send(server, outbox)

    assert outbox.accepted == [1, 2]
    assert server.lines("HELO") == [b"HELO [127.0.0.1]"]
