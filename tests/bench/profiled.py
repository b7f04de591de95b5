"""Where the microseconds of one mail go: CPU of each stage, without what it calls of the others.

The timers stand here and not in the product. They take time themselves, about a microsecond for
each call, so the stages together are more than an untimed send: read them as shares.
"""

from __future__ import annotations

import threading
import time
from asyncio import selector_events
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from mailer.message.compiled import CompiledMessage
from mailer.message.dkim import Signer
from mailer.smtp.connection import Connection
from mailer.smtp.protocol import Machine
from mailer.smtp.text import Text
from mailer.store import apart
from mailer.store.recorder import Recorder
from mailer.store.writer import Writer
from mailer.usecases import dispatch_deliveries, send_campaign
from mailer.usecases.send_campaign import Letters

_SOCKET = selector_events._SelectorSocketTransport  # type: ignore[attr-defined]  # no public name

STAGES: dict[str, list[tuple[Any, str]]] = {
    "ledger on the writer's thread, at first": [(Writer, "_commit")],
    "ledger: told and heard by the pipe": [
        (apart._Process, name) for name in ("submit", "_pass_on")
    ],
    "links, tokens, headers of the person": [(Letters, "make")],
    "the letter's bytes": [(CompiledMessage, "merged")],
    "DKIM signature": [(Signer, "sign")],
    "check sum of what is one's own": [(send_campaign, "fingerprint")],
    "the text as DATA carries it": [(Text, "of_plain")],
    "flight recorder": [(Recorder, name) for name in ("claim", "started", "answered", "free")],
    "reply to outcome": [(dispatch_deliveries, "classify")],
    "dispatch": [
        (dispatch_deliveries.Dispatch, name)
        for name in ("take", "started", "answered", "_exchanged")
    ],
    "protocol": [(Machine, name) for name in ("receive", "text", "envelope")],
    "connection": [(Connection, name) for name in ("_pump", "_heard")],
    "socket: write": [(_SOCKET, "write")],
    "socket: read": [(Connection, "_read"), (_SOCKET, "_read_ready__get_buffer")],
}


class Profile:
    """Sums seconds of CPU by stage, over all threads."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._inner = threading.local()

    def start(self) -> None:
        """From now on every stage is timed."""
        for stage, places in STAGES.items():
            for owner, name in places:
                setattr(owner, name, self._timed(stage, getattr(owner, name)))

    def _timed(self, stage: str, original: Callable[..., Any]) -> Callable[..., Any]:
        inner, spent, now = self._inner, self.spent, time.thread_time

        def timed(*arguments: Any, **named: Any) -> Any:
            outer = getattr(inner, "seconds", 0.0)
            inner.seconds = 0.0
            begun = now()
            try:
                return original(*arguments, **named)
            finally:
                taken = now() - begun
                spent[stage] += taken - inner.seconds
                inner.seconds = outer + taken

        return timed
