"""What the protocol machine tells: what was answered, and how a conversation ended."""

from __future__ import annotations

from typing import NamedTuple

from mailer.model.words import Reply, Stage


class Answered(NamedTuple):
    """The final answer about one envelope."""

    key: int
    stage: Stage
    reply: Reply


class Replied(NamedTuple):
    """The answer to a single command outside of a transaction, or the greeting."""

    stage: Stage
    reply: Reply
    lines: list[bytes]


class Closing(NamedTuple):
    """The server said 421: it is closing the connection."""

    reply: Reply


class Broken(NamedTuple):
    """The server left the protocol; nothing that it says can be matched any more."""

    why: str


class Returned(NamedTuple):
    """Nothing of this envelope's text was sent, and no answer is about it."""

    key: int
    stage: Stage


class Lost(NamedTuple):
    """This envelope's text was started, and no answer came."""

    key: int


Event = Answered | Replied | Closing | Broken
End = Returned | Lost
