"""What the wire is fed with in tests: an outbox that is source and observer in one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from mailer.model.words import Reply, Stage
from mailer.smtp.exchange import Outgoing
from mailer.smtp.route import Timeouts

# A timeout must never decide a test by accident: these are for servers that do answer.
PATIENT = Timeouts(
    connect=20, greeting=20, command=20, tls=20, mail=20, rcpt=20, data=20, block=20, dot=20, quit=5
)


class Final(NamedTuple):
    """The final observation of one key."""

    what: str  # answered, returned or lost
    stage: Stage | None
    reply: Reply | None
    why: str


def letter(key: int, body: bytes = b"Hello\r\n") -> bytes:
    """A small message that says whose it is."""
    return b"Message-ID: <%d@example.org>\r\nSubject: %d\r\n\r\n" % (key, key) + body


class Outbox:
    """Yields letters and hears what becomes of them.

    A second final observation of one key, or one of a key that nobody has taken, is an
    AssertionError. With ``again`` a letter that is returned is taken again, as a ledger would.
    """

    def __init__(
        self,
        count: int = 0,
        *,
        again: bool = False,
        body: Callable[[int], bytes] = letter,
        sender: str = "news@example.org",
        smtputf8: bool = False,
    ) -> None:
        self.again = again
        self.body = body
        self.sender = sender
        self.smtputf8 = smtputf8
        self.finals: dict[int, Final] = {}
        self.returns: list[tuple[int, Stage, str]] = []
        self.starts: list[int] = []
        self.withheld: set[int] = set()  # ``started`` says no
        self.in_hand: set[int] = set()
        self.recipients: dict[int, str] = {}
        self.open = False  # True: more may be added, so it is not finished
        self._queue: deque[int] = deque()
        self._event = asyncio.Event()
        self.add(range(1, count + 1))

    def add(self, keys: Iterable[int]) -> None:
        for key in keys:
            self.recipients.setdefault(key, f"r{key}@example.net")
            self._queue.append(key)
        self._event.set()

    def close(self) -> None:
        """Nothing more will be added."""
        self.open = False
        self._event.set()

    # As a source.

    def take(self) -> Outgoing | None:
        if not self._queue:
            self._event.clear()
            return None
        key = self._queue.popleft()
        self.in_hand.add(key)
        return Outgoing(
            key, self.sender, self.recipients[key], lambda: self.body(key), smtputf8=self.smtputf8
        )

    @property
    def finished(self) -> bool:
        return not (self._queue or self.open or (self.again and self.in_hand))

    async def changed(self) -> None:
        await self._event.wait()

    # As an observer.

    def started(self, key: int) -> bool:
        assert key in self.in_hand
        self.starts.append(key)
        return key not in self.withheld

    def answered(self, key: int, stage: Stage, reply: Reply) -> None:
        self._final(key, Final("answered", stage, reply, ""))

    def returned(self, key: int, stage: Stage, why: str) -> None:
        self.returns.append((key, stage, why))
        if self.again:
            self._final(key, None)
            self.add([key])
        else:
            self._final(key, Final("returned", stage, None, why))

    def lost(self, key: int, why: str) -> None:
        self._final(key, Final("lost", None, None, why))

    def _final(self, key: int, final: Final | None) -> None:
        assert key in self.in_hand, f"{key} was not under way"
        assert key not in self.finals, f"{key} had a final observation already"
        self.in_hand.remove(key)
        if final is not None:
            self.finals[key] = final
        self._event.set()

    # What tests look at.

    @property
    def left(self) -> int:
        """How many nobody has taken."""
        return len(self._queue)

    @property
    def accepted(self) -> list[int]:
        """Keys with a 2xx after the dot, sorted."""
        return sorted(
            key
            for key, final in self.finals.items()
            if final.stage is Stage.dot and final.reply is not None and final.reply.positive
        )

    def words(self, key: int) -> str:
        """The final observation in short: ``answered rcpt 550``, ``returned mail``, ``lost``."""
        final = self.finals[key]
        code = final.reply.code if final.reply else ""
        return " ".join(f"{final.what} {final.stage or ''} {code}".split())
