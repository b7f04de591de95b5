"""What the wire is fed with, and what it tells: an opaque key travels there and back.

Nothing here knows what a campaign is. One awaited call per message could not pipeline,
so the wire pulls envelopes from a ``Source`` and reports to an ``Observer``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from mailer.model.words import Reply, Stage
from mailer.smtp.text import Text


@dataclass(slots=True)  # not frozen: made for every mail, and that costs a microsecond
class Outgoing:
    """One envelope, and how to make its bytes when the wire is ready for them.

    ``render`` returns the whole message with CRLF line ends, before dot-stuffing. ``text`` is the
    same, made ready for SMTP beforehand.
    ``key`` is opaque to the wire and comes back in every observation.
    """

    key: int
    sender: str  # MAIL FROM, without brackets; may be empty
    recipient: str  # RCPT TO, without brackets, domain as A-labels
    render: Callable[[], bytes]
    smtputf8: bool = False
    envelope_id: str = ""  # comes back in reports of non-delivery (RFC 3461 section 4.4)
    text: Text | None = None


class Source(Protocol):
    """Yields what is to be sent, one envelope at a time."""

    def take(self) -> Outgoing | None:
        """The next envelope, or None when there is nothing to send now."""

    @property
    def finished(self) -> bool:
        """True when ``take`` will never yield again: connections close and the run ends."""

    async def changed(self) -> None:
        """Waits until ``take`` may yield again or ``finished`` has become true."""


class Observer(Protocol):
    """Hears what becomes of each envelope. Called on the loop's thread; never blocks."""

    def started(self, key: int) -> bool:
        """Called before the first byte of the text goes to the socket. False: do not send it."""

    def answered(self, key: int, stage: Stage, reply: Reply) -> None:
        """The server answered for this envelope: at MAIL, RCPT, DATA (refusals) or at the dot."""

    def returned(self, key: int, stage: Stage, why: str) -> None:
        """Nothing of its text was sent and no answer is about it: it may be tried again freely."""

    def lost(self, key: int, why: str) -> None:
        """Its text was started and no answer is known."""
