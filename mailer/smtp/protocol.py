"""The client's half of SMTP as a machine without I/O: bytes in, events out, bytes to write.

A transaction is one recipient. With PIPELINING (RFC 2920) the steady state is one write and one
read a mail; ``text`` makes that write::

    client                                     server
    text of n, dot, MAIL RCPT DATA of n+1  ─▶
                                           ◀─  250 (n is accepted) 250 250 354

Without it, each command waits for its answer; if the server offers CHUNKING (RFC 3030) then, BDAT
with the text stands for DATA and text. Either way replies are matched to commands by order alone, a
text follows nothing but an accepted recipient and, unless it is a chunk, a 354, and every envelope
that went in comes out once: as ``Answered``, or from ``close`` as ``Returned`` or ``Lost``.

Whoever drives the machine repeats: ``receive`` what was read; write ``due``; if ``wants_text``,
write ``text``, else if ``free``, write ``envelope``. After ``Closing`` or ``Broken`` nothing more
may be written, and ``close`` accounts for what was under way.
"""

from __future__ import annotations

import re
from dataclasses import replace
from enum import Enum

from mailer.model.words import Stage
from mailer.smtp.envelope import Prepared
from mailer.smtp.events import Answered, Broken, Closing, End, Event, Lost, Replied, Returned
from mailer.smtp.replies import Features, RawReply, ReplyReader, as_reply


class _Awaited(Enum):
    """What the next reply will be about."""

    command = "command"
    mail = "mail"
    rcpt = "rcpt"
    data = "data"
    dot = "dot"
    lone_dot = "lone_dot"
    rset = "rset"


_COMMAND, _MAIL, _RCPT, _DATA, _DOT, _LONE_DOT, _RSET = _Awaited
_GROUP = (_MAIL, _RCPT, _DATA)
_STAGES = {
    _MAIL: Stage.mail,
    _RCPT: Stage.rcpt,
    _DATA: Stage.data,
    _DOT: Stage.dot,
    _LONE_DOT: Stage.dot,
    _RSET: Stage.session,
}
_AT_DOT = Stage.dot  # by this name it takes a quarter of the time to find
_RSET_LINE = b"RSET\r\n"
_STEADY = (_DOT, _MAIL, _RCPT, _DATA)
# What a read brings in the steady state, whole and in order. Anything else is read line by line.
_ALL_WELL = re.compile(
    rb"250 ([^\r\n]{0,500})\r\n250 [^\r\n]{0,500}\r\n"
    rb"25[01] [^\r\n]{0,500}\r\n354 [^\r\n]{0,500}\r\n"
).fullmatch
_NOT_KNOWN = (500, 502, 504)  # a command that is offered and not there


class Machine:
    """One connection's conversation, from the greeting on."""

    __slots__ = (
        "_after_dot",
        "_ahead",
        "_body",
        "_dirty",
        "_due",
        "_go",
        "_pending",
        "_reader",
        "_stage",
        "closed",
        "features",
    )

    def __init__(self) -> None:
        self.features = Features()
        self.closed = False
        self._reader = ReplyReader()
        self._pending: tuple[_Awaited, ...] = (_COMMAND,)
        self._stage = Stage.greeting  # what a single command's reply is about
        self._ahead: Prepared | None = None  # its MAIL, RCPT and DATA are under way
        self._body: Prepared | None = None  # its text is under way
        self._go = False  # the text of ``_ahead`` may be sent
        self._dirty = False  # the server still holds a transaction that ended without a dot
        self._due = b""
        self._after_dot = 0  # bytes that were written behind the last dot

    # What state it is in.

    @property
    def quiet(self) -> bool:
        """True when nothing is under way, no reply is awaited and none has begun."""
        return not (self._pending or self._ahead or self._body or self._reader.partial)

    @property
    def wants_text(self) -> bool:
        """True when the server waits for the text of ``key``."""
        return self._go and not self.closed and not self._reader.partial

    @property
    def key(self) -> int:
        """Whose text is wanted."""
        if self._ahead is None:
            raise ValueError("no text is wanted")
        return self._ahead.key

    @property
    def free(self) -> bool:
        """True when ``envelope`` may begin a transaction."""
        if self._ahead is not None or self._held:
            return False
        return self.features.pipelining or not self._pending

    @property
    def _held(self) -> bool:
        """True when nothing may be written: part of a reply has come, and to what is not certain.

        A server that talks before it is asked is found out when the rest comes.
        """
        return self.closed or self._reader.partial

    @property
    def awaiting(self) -> Stage | None:
        """What the next reply is about, or None when none is awaited."""
        if self._pending is _STEADY:
            return _AT_DOT
        if not self._pending:
            return None
        return _STAGES.get(self._pending[0], self._stage)

    # What is to be written.

    def command(self, stage: Stage, line: bytes) -> bytes:
        """Sends one command outside of a transaction; ``Replied`` brings its answer."""
        if not self.quiet or self.closed:
            raise ValueError("a command must wait for its turn")
        self._pending = (*self._pending, _COMMAND)
        self._stage = stage
        return line

    def envelope(self, prepared: Prepared) -> bytes:
        """Begins a transaction."""
        if not self.free:
            raise ValueError("a transaction is under way")
        self._ahead = prepared
        if not self.features.pipelining:
            return self._expect(_RSET, _RSET_LINE) if self._dirty else self._step(_MAIL)
        commands = prepared.commands
        if self._dirty:
            commands = self._expect(_RSET, _RSET_LINE) + commands
        self._pending = (*self._pending, *_GROUP)
        return commands

    def text(self, following: Prepared | None = None) -> bytes:
        """Sends the text that is wanted, its dot, and behind them the next envelope, if any.

        ``following`` may be given only when the server offers PIPELINING.
        """
        body = self._ahead
        if body is None or not self.wants_text:
            raise ValueError("no text is wanted")
        if following is not None and not self.features.pipelining:
            raise ValueError("the server does not offer PIPELINING")
        self._go = False
        self._body, self._ahead = body, following
        if following is None or self._dirty or self._pending:
            self._ahead = None
            self._pending = (*self._pending, _DOT)
            envelope = b"" if following is None else self.envelope(following)
        else:
            self._pending = _STEADY
            envelope = following.commands
        self._after_dot = len(envelope)
        return body.text + envelope

    def due(self) -> bytes:
        """Returns, once, what must be written before anything else."""
        if self._held:
            return b""
        due, self._due = self._due, b""
        return due

    def secured(self) -> bool:
        """Forgets what was learnt in the clear, after STARTTLS and before the handshake.

        False when bytes are waiting: somebody put them there to be read as if they had come
        through TLS, and the connection must be dropped.
        """
        self.features = Features()
        return not self._reader.partial and not self._pending and not self.closed

    def close(self) -> list[End]:
        """Ends the conversation and accounts for what was under way."""
        ends: list[End] = []
        if self._body is not None:
            ends.append(Lost(self._body.key))
        if self._ahead is not None and not self._ahead.told:
            ends.append(Returned(self._ahead.key, self._ahead.stage))
        self._body = self._ahead = None
        self._go = False
        self._due = b""
        self._pending = ()
        self.closed = True
        return ends

    # What was read.

    def receive(self, data: bytes, unsent: int = 0) -> list[Event]:
        """Takes bytes that the server sent; ``unsent`` is how many of ours have not left yet."""
        if self._pending is _STEADY and (well := _ALL_WELL(data)):
            event = self._all_well(well[1], unsent)
            if event is not None:
                return [event]
        events: list[Event] = []
        for raw in self._reader.feed(data):
            if self.closed:
                return events
            self._take(raw, unsent, events)
        if self._reader.fault and not self.closed:
            self._break(self._reader.fault, events)
        return events

    def _all_well(self, said: bytes, unsent: int) -> Event | None:
        """A dot and the envelope behind it, all answered with yes: the same as one by one."""
        body, ahead = self._body, self._ahead
        if (
            body is None
            or ahead is None
            or self._reader.partial
            or self.closed
            or self._due
            or unsent > self._after_dot
        ):
            return None
        self._body = None
        self._pending = ()
        ahead.mail_ok = ahead.rcpt_ok = self._go = True
        return Answered(body.key, _AT_DOT, as_reply(250, (said,)))

    def _take(self, raw: RawReply, unsent: int, events: list[Event]) -> None:
        """Matches one reply to the oldest command that has none."""
        code = raw[0]
        if not self._pending or self._due:  # what is due has not been written yet
            if code == 421:
                self._farewell(raw, events)
            else:
                self._break("it sent a reply that nothing had asked for", events)
            return
        awaited, *rest = self._pending
        self._pending = tuple(rest)
        if awaited is _DOT:
            self._dot_answered(raw, unsent, events)
        elif awaited is _COMMAND:
            events.append(Replied(self._stage, as_reply(*raw), raw[1]))
        elif awaited is _RSET:
            self._reset_answered(code, events)
        elif awaited is not _LONE_DOT:
            self._envelope_answered(awaited, raw, events)
        if code == 421 and not self.closed:
            self._farewell(raw, events)

    def _dot_answered(self, raw: RawReply, unsent: int, events: list[Event]) -> None:
        body, self._body = self._body, None
        code = raw[0]
        early = unsent > self._after_dot
        if body is None:
            raise ValueError("a dot without a text")
        if 300 <= code < 400 or (early and code < 300):
            self._body = body  # no answer that could be believed: ``close`` calls it lost
            why = "it accepted a text before its end" if early else "it answered a text with 3xx"
            self._break(why, events)
            return
        if body.chunk and code in _NOT_KNOWN:
            self.features = replace(self.features, chunking=False)
            self._ahead = body.by_data()
            self._dirty = True
            self._due = self._expect(_RSET, _RSET_LINE)
            return
        if body.chunk and code >= 400:
            self._dirty = True  # RFC 3030 section 2: the server waits for RSET then
        events.append(Answered(body.key, Stage.dot, as_reply(*raw)))
        if early and code != 421:
            # The refusal counts, but the rest of the text would be read as commands.
            self._break("it refused a text before its end", events)

    def _reset_answered(self, code: int, events: list[Event]) -> None:
        if code < 300:
            self._dirty = False
            self._proceed(_MAIL)
        elif code != 421:
            self._break(f"it answered RSET with {code}", events)

    def _envelope_answered(self, awaited: _Awaited, raw: RawReply, events: list[Event]) -> None:
        """Follows MAIL, RCPT or DATA. The first refusal answers for the envelope."""
        ahead = self._ahead
        code = raw[0]
        if ahead is None:
            raise ValueError("an answer without an envelope")
        if code >= 400:
            if not ahead.told:
                ahead.told = True
                events.append(Answered(ahead.key, _STAGES[awaited], as_reply(*raw)))
            if awaited is _DATA or not self.features.pipelining:
                self._dirty = ahead.mail_ok or ahead.rcpt_ok
                self._ahead = None
        elif (code >= 300) is not (awaited is _DATA):
            self._break(f"it answered {awaited.value.upper()} with {code}", events)
        elif awaited is _MAIL:
            ahead.mail_ok = True
            self._proceed(_RCPT)
        elif awaited is _RCPT:
            ahead.rcpt_ok = True
            self._proceed(_DATA)
        elif not ahead.told:
            self._go = True
        elif ahead.rcpt_ok:
            # A lone dot here would deliver an empty mail to whom it did accept.
            self._break("it wants a text for a transaction that it refused", events)
        else:
            # RFC 2920 section 3.1: no recipient was accepted, so nothing but the dot is sent.
            self._ahead = None
            self._due += self._expect(_LONE_DOT, b".\r\n")

    # How it goes on.

    def _proceed(self, command: _Awaited) -> None:
        if self.features.pipelining:
            return
        if command is _DATA and self._ahead is not None and self._ahead.chunk:
            self._go = True  # BDAT carries the text itself
        else:
            self._due = self._step(command)

    def _step(self, command: _Awaited) -> bytes:
        """Sends one command of the envelope, where each waits for its answer."""
        if self._ahead is None:
            raise ValueError("no envelope is under way")
        line = self._ahead.commands.splitlines(keepends=True)[_GROUP.index(command)]
        return self._expect(command, line)

    def _expect(self, awaited: _Awaited, line: bytes) -> bytes:
        self._pending = (*self._pending, awaited)
        return line

    def _farewell(self, raw: RawReply, events: list[Event]) -> None:
        self.closed = True
        events.append(Closing(as_reply(*raw)))

    def _break(self, why: str, events: list[Event]) -> None:
        self.closed = True
        events.append(Broken(why))
