"""The machine never sends a text without a 354, and never loses or swaps a reply."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mailer.model.words import Stage
from mailer.smtp.envelope import Prepared
from mailer.smtp.events import Answered, Broken, Closing, Lost, Replied, Returned
from mailer.smtp.protocol import Machine
from mailer.smtp.replies import Features

PIPELINED = Features(pipelining=True)
LOCK_STEP = Features()


def prepared(key: int, features: Features = PIPELINED) -> Prepared:
    if features.chunking:
        text = b"text of %d\r\n.\r\n" % key
        envelope = b"MAIL FROM:<%d@x>\r\nRCPT TO:<%d@x>\r\n" % (key, key)
        return Prepared(key, envelope, b"BDAT %d LAST\r\n%b" % (len(text), text), len(text))
    commands = b"MAIL FROM:<%d@x>\r\nRCPT TO:<%d@x>\r\nDATA\r\n" % (key, key)
    return Prepared(key, commands, b"text of %d\r\n..\r\n.\r\n" % key)


def ready(features: Features = PIPELINED) -> Machine:
    machine = Machine()
    machine.receive(b"220 hello\r\n")
    machine.features = features
    return machine


# One thing at a time.


def test_the_steady_state_is_one_write_for_the_text_and_the_next_envelope() -> None:
    machine = ready()
    one, two = prepared(1), prepared(2)

    assert machine.envelope(one) == one.commands
    assert machine.receive(b"250 a\r\n250 b\r\n354 c\r\n") == []
    assert machine.wants_text
    assert machine.key == 1
    assert machine.text(two) == one.text + two.commands
    events = machine.receive(b"250 d\r\n250 e\r\n250 f\r\n354 g\r\n")
    assert [event[:2] for event in events] == [(1, Stage.dot)]
    assert machine.wants_text
    assert machine.key == 2


def test_without_pipelining_each_command_waits_for_its_answer() -> None:
    machine = ready(LOCK_STEP)
    one = prepared(1)

    assert machine.envelope(one) == b"MAIL FROM:<1@x>\r\n"
    assert machine.receive(b"250 a\r\n") == []
    assert machine.due() == b"RCPT TO:<1@x>\r\n"
    assert machine.due() == b""
    machine.receive(b"250 b\r\n")
    assert machine.due() == b"DATA\r\n"
    assert not machine.wants_text
    machine.receive(b"354 c\r\n")
    assert machine.text() == one.text
    assert not machine.free
    assert [event[:2] for event in machine.receive(b"250 d\r\n")] == [(1, Stage.dot)]
    assert machine.quiet


def test_an_envelope_that_ran_ahead_comes_back_and_the_text_before_it_is_lost() -> None:
    machine = ready()
    machine.envelope(prepared(1))
    machine.receive(b"250 a\r\n250 b\r\n354 c\r\n")
    machine.text(prepared(2))

    assert machine.close() == [Lost(1), Returned(2, Stage.mail)]
    assert machine.close() == []


@pytest.mark.parametrize(
    ("said", "stage"),
    [(b"", Stage.mail), (b"250 a\r\n", Stage.rcpt), (b"250 a\r\n250 b\r\n", Stage.data)],
)
def test_what_comes_back_says_how_far_it_got(said: bytes, stage: Stage) -> None:
    machine = ready()
    machine.envelope(prepared(1))
    machine.receive(said)

    assert machine.close() == [Returned(1, stage)]


def test_a_text_is_held_back_while_the_server_goes_on_talking() -> None:
    machine = ready()
    machine.envelope(prepared(1))
    machine.receive(b"250 a\r\n250 b\r\n354 c\r\n25")

    assert not machine.wants_text
    assert [type(event) for event in machine.receive(b"0 taken\r\n")] == [Broken]
    assert machine.close() == [Returned(1, Stage.data)]


def test_nothing_is_written_while_the_server_answers_what_was_not_asked() -> None:
    machine = ready(LOCK_STEP)
    machine.envelope(prepared(1))
    machine.receive(b"250 a\r\n2")

    assert machine.due() == b""
    assert [type(event) for event in machine.receive(b"50 b\r\n")] == [Broken]


def test_an_acceptance_before_the_text_has_left_is_not_believed() -> None:
    machine = ready()
    machine.envelope(prepared(1))
    machine.receive(b"250 a\r\n250 b\r\n354 c\r\n")
    machine.text()

    assert [type(event) for event in machine.receive(b"250 taken\r\n", unsent=1)] == [Broken]
    assert machine.close() == [Lost(1)]


def test_a_refusal_before_the_text_has_left_counts_and_ends_the_connection() -> None:
    machine = ready()
    machine.envelope(prepared(1))
    machine.receive(b"250 a\r\n250 b\r\n354 c\r\n")
    machine.text(prepared(2))
    events = machine.receive(b"552 too large\r\n", unsent=1000)

    assert [type(event) for event in events] == [Answered, Broken]
    assert machine.close() == [Returned(2, Stage.mail)]


def test_what_waits_behind_one_dot_does_not_count_for_the_next() -> None:
    machine = ready()
    machine.envelope(prepared(1))
    machine.receive(b"250 a\r\n250 b\r\n354 c\r\n")
    following = prepared(2)
    machine.text(following)
    machine.receive(b"250 taken\r\n250 a\r\n250 b\r\n354 c\r\n")
    machine.text()
    events = machine.receive(b"250 taken\r\n", unsent=len(following.commands))

    assert [type(event) for event in events] == [Broken]


def test_an_answer_may_come_while_only_the_next_envelope_waits() -> None:
    machine = ready()
    machine.envelope(prepared(1))
    machine.receive(b"250 a\r\n250 b\r\n354 c\r\n")
    following = prepared(2)
    machine.text(following)
    events = machine.receive(b"250 taken\r\n", unsent=len(following.commands))

    assert [type(event) for event in events] == [Answered]


@pytest.mark.parametrize("features", [PIPELINED, LOCK_STEP])
def test_421_out_of_the_blue_closes(features: Features) -> None:
    machine = ready(features)

    assert [type(event) for event in machine.receive(b"421 bye\r\n250 x\r\n")] == [Closing]
    assert machine.closed
    assert not machine.free
    assert machine.receive(b"250 x\r\n") == []


def test_bytes_ahead_of_a_handshake_are_noticed() -> None:
    for said in (b"220 go\r\n250 x\r\n", b"220 go\r\n25", b"220 go\r\n\x16"):
        machine = ready()
        machine.command(Stage.starttls, b"STARTTLS\r\n")
        machine.receive(said)

        assert not machine.secured(), said

    machine = ready()
    machine.command(Stage.starttls, b"STARTTLS\r\n")
    machine.receive(b"220 go\r\n")
    assert machine.secured()
    assert machine.features == Features()


@pytest.mark.parametrize("features", [PIPELINED, LOCK_STEP])
def test_what_is_out_of_turn_is_an_error_of_ours(features: Features) -> None:
    machine = ready(features)
    with pytest.raises(ValueError, match="no text is wanted"):
        machine.text()
    with pytest.raises(ValueError, match="no text is wanted"):
        _ = machine.key
    machine.envelope(prepared(1))
    with pytest.raises(ValueError, match="under way"):
        machine.envelope(prepared(2))
    with pytest.raises(ValueError, match="wait for its turn"):
        machine.command(Stage.session, b"NOOP\r\n")


def test_without_pipelining_no_envelope_may_run_ahead() -> None:
    machine = ready(LOCK_STEP)
    machine.envelope(prepared(1))
    for said in (b"250 a\r\n", b"250 b\r\n", b"354 c\r\n"):
        machine.receive(said)
        machine.due()
    with pytest.raises(ValueError, match="PIPELINING"):
        machine.text(prepared(2))


# Any conversation.


@dataclass
class Server:
    """A server that answers as it is told, keeps its own record, and checks what it is sent."""

    pipelining: bool
    lenient: bool  # lets a transaction through that it has refused
    knows_bdat: bool = True
    inbox: bytes = b""  # came from the client, not yet read
    outbox: bytes = b""  # said, not yet delivered
    key: int = 0  # whose transaction it is
    mail_ok: bool = False
    rcpt_ok: bool = False
    in_text: bool = False
    serial: int = 0  # of what it has said; it tells which answer was taken for which letter
    answers: dict[int, tuple[Stage, int]] = field(default_factory=dict)
    started: set[int] = field(default_factory=set)  # the client has sent bytes of these texts

    def get(self, data: bytes) -> None:
        if data and not self.pipelining:
            assert not self.inbox, "a command that did not wait for its turn"
            assert not self.outbox, "a command that did not wait for its turn"
        self.inbox += data

    @property
    def has_work(self) -> bool:
        if self.in_text:
            return b"\r\n.\r\n" in b"\r\n" + self.inbox
        line, end, rest = self.inbox.partition(b"\r\n")
        size = int(line.split()[1]) if end and line.startswith(b"BDAT") else 0
        return bool(end) and len(rest) >= size

    def work(self, code: int, lines: int) -> None:
        """Reads one command or one text and answers it with this code, where it has a choice."""
        if self.in_text:
            self._text(code, lines)
            return
        line, _, self.inbox = self.inbox.partition(b"\r\n")
        verb = line[:4]
        if verb == b"MAIL":
            assert not self.mail_ok, "nested MAIL: a RSET is missing"
            assert not self.rcpt_ok, "nested MAIL: a RSET is missing"
            self.key = int(line[11:-3])
            self.mail_ok = self._say(code, lines, Stage.mail)
        elif verb == b"RCPT":
            assert int(line[9:-3]) == self.key
            code = code if self.mail_ok or self.lenient else 503
            self.rcpt_ok = self._say(code, lines, Stage.rcpt)
        elif verb == b"DATA":
            code = code if self.rcpt_ok or self.lenient else 503
            self.in_text = self._say(354 if code < 300 else code, lines, Stage.data)
        elif verb == b"BDAT":
            self._chunk(int(line.split()[1]), code, lines)
        elif verb == b"RSET":
            self.mail_ok = self.rcpt_ok = False
            self._say(250, lines, None)
        else:
            raise AssertionError(f"not a command: {line!r}")

    def _chunk(self, size: int, code: int, lines: int) -> None:
        """After a refusal the transaction stays until RSET (RFC 3030 section 2)."""
        text, self.inbox = self.inbox[:size], self.inbox[size:]
        assert self.mail_ok
        assert self.rcpt_ok, "a text for nobody"
        assert text == b"text of %d\r\n.\r\n" % self.key
        if not self.knows_bdat:
            self._say(502, lines, None)
        elif self._say(code, lines, Stage.dot):
            self.mail_ok = self.rcpt_ok = False

    def _text(self, code: int, lines: int) -> None:
        text, _, self.inbox = (b"\r\n" + self.inbox).partition(b"\r\n.\r\n")
        if text:
            assert self.mail_ok
            assert self.rcpt_ok, "a text for nobody"
            assert text == b"\r\ntext of %d\r\n.." % self.key
        else:
            assert not self.rcpt_ok, "a lone dot would deliver an empty mail"
        self._say(code, lines, Stage.dot if text else None)
        self.in_text = self.mail_ok = self.rcpt_ok = False

    def _say(self, code: int, lines: int, stage: Stage | None) -> bool:
        self.serial += 1
        line = b"%d-%d\r\n" % (code, self.serial)
        self.outbox += line * (lines - 1) + line.replace(b"-", b" ")
        if stage is not None and (code >= 400 or stage is Stage.dot):
            self.answers.setdefault(self.key, (stage, self.serial))
        return code < 400


CODES = st.sampled_from([250, 250, 250, 250, 251, 450, 452, 550, 554])


class Conversations(RuleBasedStateMachine):
    """A client and a server, with the bytes between them cut anywhere."""

    pipelining = True
    lenient = False
    chunking = False
    knows_bdat = True

    def __init__(self) -> None:
        super().__init__()
        self.last = 0
        self.taken: set[int] = set()
        self.finals: dict[int, str] = {}
        self.connect()

    def connect(self) -> None:
        self.server = Server(self.pipelining, self.lenient, self.knows_bdat)
        self.machine = Machine()
        replied = self.machine.receive(b"220 hello\r\n")
        assert [type(event) for event in replied] == [Replied]
        self.machine.features = Features(pipelining=self.pipelining, chunking=self.chunking)

    def new(self) -> Prepared:
        self.last += 1
        self.taken.add(self.last)
        return prepared(self.last, self.machine.features)

    def final(self, key: int, what: str) -> None:
        assert key in self.taken
        assert key not in self.finals, f"{key} ended twice"
        self.finals[key] = what

    def answered(self, event: Answered) -> None:
        self.final(event.key, "answered")
        if event.reply.code != 421:  # one out of the blue answers the oldest command
            stage, serial = self.server.answers[event.key]
            assert (event.stage, event.reply.text.split()[0]) == (stage, str(serial))

    @precondition(lambda self: self.machine.free)
    @rule()
    def begin(self) -> None:
        self.server.get(self.machine.envelope(self.new()))

    @precondition(lambda self: self.machine.wants_text)
    @rule(ahead=st.booleans())
    def send_text(self, ahead: bool) -> None:
        if self.machine.features.chunking:
            assert self.server.rcpt_ok, "a chunk for nobody"
        else:
            assert self.server.in_text, "a text without a 354"
        following = self.new() if ahead and self.pipelining else None
        self.server.started.add(self.machine.key)
        self.server.get(self.machine.text(following))

    @precondition(lambda self: self.server.has_work)
    @rule(code=CODES, lines=st.integers(1, 3))
    def work(self, code: int, lines: int) -> None:
        self.server.work(code, lines)

    @precondition(lambda self: self.server.outbox)
    @rule(size=st.integers(1, 60))
    def deliver(self, size: int) -> None:
        piece, self.server.outbox = self.server.outbox[:size], self.server.outbox[size:]
        chunked = self.machine.features.chunking
        events = self.machine.receive(piece)
        if chunked and not self.machine.features.chunking:
            self.server.started.clear()  # it was told that the chunk was not taken
        for event in events:
            if isinstance(event, Answered):
                self.answered(event)
            else:
                # Only a server that lets a refused transaction through is given up.
                assert isinstance(event, Broken)
                assert self.lenient
        self.server.get(self.machine.due())
        if self.machine.closed:
            self.drop()

    @rule()
    def drop(self) -> None:
        for end in self.machine.close():
            if isinstance(end, Lost):
                assert end.key in self.server.started
                self.final(end.key, "lost")
            else:
                assert end.key not in self.server.started
                self.final(end.key, "returned")
        assert set(self.finals) == self.taken
        self.connect()

    @rule(data=st.sampled_from([b"421 bye\r\n", b"what?\r\n", b"250-a\r\n550 b\r\n", b"\r\n"]))
    def misbehave(self, data: bytes) -> None:
        """Says something odd behind all that it has said, and then no more."""
        for event in self.machine.receive(self.server.outbox + data):
            if isinstance(event, Answered):
                self.answered(event)
        assert self.machine.closed
        self.drop()

    @invariant()
    def never_more_than_two_under_way(self) -> None:
        assert len(self.taken) - len(self.finals) <= (2 if self.pipelining else 1)

    def teardown(self) -> None:
        self.drop()


class LockStep(Conversations):
    pipelining = False


class Chunks(LockStep):
    chunking = True


class ChunksNotKnown(Chunks):
    """A server that offers CHUNKING and does not know BDAT: the same mails come by DATA."""

    knows_bdat = False


class Lenient(Conversations):
    """A server that wants a text though it has refused everybody."""

    lenient = True


_SETTINGS = settings(
    max_examples=80,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
for machine in (Conversations, LockStep, Chunks, ChunksNotKnown, Lenient):
    machine.TestCase.settings = _SETTINGS
TestPipelined = Conversations.TestCase
TestLockStep = LockStep.TestCase
TestChunks = Chunks.TestCase
TestChunksNotKnown = ChunksNotKnown.TestCase
TestLenient = Lenient.TestCase


def test_a_thousand_letters_in_order_with_bytes_cut_at_random() -> None:
    chance = random.Random(7)
    server = Server(pipelining=True, lenient=False)
    machine = ready()
    answered: dict[int, tuple[Stage, int]] = {}
    server.get(machine.envelope(prepared(1)))
    key = 1
    while len(answered) < 1000:
        while server.has_work:
            server.work(chance.choice([250, 250, 250, 451, 550]), 1)
        size = chance.randint(1, 40)
        piece, server.outbox = server.outbox[:size], server.outbox[size:]
        for event in machine.receive(piece):
            assert isinstance(event, Answered)
            answered[event.key] = (event.stage, int(event.reply.text))
        server.get(machine.due())
        if machine.wants_text:
            key += 1
            server.get(machine.text(prepared(key)))
        elif machine.free:
            key += 1
            server.get(machine.envelope(prepared(key)))

    assert answered == {key: server.answers[key] for key in answered}
    assert list(answered) == list(range(1, 1001))
