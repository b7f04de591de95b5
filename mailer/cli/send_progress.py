"""How far a send is: a moving line, plain lines in a pipe, or JSON events for machines."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from mailer.cli import screen
from mailer.errors import InputError
from mailer.model.words import Counts

if TYPE_CHECKING:
    from mailer.usecases.dispatch_deliveries import Dispatch
    from mailer.usecases.show_campaign import CampaignReport
    from mailer.usecases.show_providers import Provider
    from mailer.wiring import Mailer

_LOOK = 1.0  # seconds between two looks at the providers, and between two events
_SPAN = 10.0  # seconds over which the rate is taken
_SHOWN = 4  # providers in the line for people


class SendProgress:
    """Fulfils ``progress`` and ``watched`` of a send."""

    def __init__(self, mailer: Mailer, campaign: CampaignReport, events: Events) -> None:
        self._mailer, self._campaign, self._events = mailer, campaign, events
        self._line = screen.ProgressLine()
        self._seen: deque[tuple[float, int]] = deque()
        self._looked = 0.0
        self._providers: Sequence[Provider] = ()
        self._dispatch: Dispatch | None = None
        self._told = 0  # suspensions

    def watched(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch
        self._events.tell("started", self._campaign.counts)

    def progress(self, counts: Counts, due: int | None) -> None:
        """Called with every group: tells no more often than it is looked at."""
        now = time.monotonic()
        self._tell_suspensions(counts)
        if not self._line.due and (not self._events.wanted or now - self._looked < _LOOK):
            return
        done = counts.audience - counts.left
        self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[0][0] > _SPAN:
            self._seen.popleft()
        rate = self._rate()
        eta = int(counts.left / rate) if rate > 0 and due is None else None
        if now - self._looked >= _LOOK:
            self._looked = now
            self._providers = self._look()
            self._events.tell(
                "progress",
                counts,
                per_second=round(rate, 1),
                eta_seconds=eta,
                waiting_until=due,
                providers=[screen.plain(each) for each in self._providers],
                reasons=self._reasons(),
            )
        self._line.say(self._words(counts, done, rate, eta, due))

    def clear(self) -> None:
        self._line.clear()

    def _rate(self) -> float:
        (first, before), (last, done) = self._seen[0], self._seen[-1]
        return (done - before) / (last - first) if last > first else 0.0

    def _look(self) -> Sequence[Provider]:
        from mailer.usecases.show_providers import show_providers

        now = int(self._mailer.clock.now().timestamp() * 1000)
        return show_providers(self._campaign.campaign, db=self._mailer.db, now_ms=now)

    def _reasons(self) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        troubles: Mapping[tuple[str, str], int] = (
            self._dispatch.troubles if self._dispatch is not None else {}
        )
        for (provider, reason), times in sorted(troubles.items()):
            found.setdefault(provider, {})[reason] = times
        return found

    def _tell_suspensions(self, counts: Counts) -> None:
        told = self._dispatch.suspensions if self._dispatch is not None else []
        for words in told[self._told :]:
            self._events.tell("suspended", counts, words=words)
        self._told = len(told)

    def _words(
        self, counts: Counts, done: int, rate: float, eta: int | None, due: int | None
    ) -> str:
        pieces = [f"{done:,} of {counts.audience:,}"]
        if due is not None:
            until = screen.clock_time(due)
            pieces.append(
                f"nothing to do until {until}"
                if not counts.deferred
                else f"waiting for deferred people until {until}"
            )
        elif rate >= 0.1:
            pieces.append(f"{rate:,.0f} a second" if rate >= 10 else f"{rate:,.1f} a second")
            if eta is not None:
                pieces.append(f"{eta // 60}:{eta % 60:02d} left")
        if len(self._providers) > 1:
            pieces += [_provider(each) for each in self._providers[:_SHOWN]]
        totals: dict[str, int] = {}
        for reasons in self._reasons().values():
            for reason, times in reasons.items():
                totals[reason] = totals.get(reason, 0) + times
        pieces += [f"{times:,} {reason}" for reason, times in totals.items()]
        text = " · ".join(pieces)
        width = shutil.get_terminal_size((100, 24)).columns - 1
        return text if not self._line.moving or len(text) <= width else f"{text[: width - 1]}…"


def _provider(each: Provider) -> str:
    rests = f" (rests until {screen.clock_time(each.resting_until)})" if each.resting_until else ""
    return f"{each.name} {each.taken:,}/{each.people:,}{rests}"


class Events:
    """One JSON object a line: see docs/events.schema.json."""

    def __init__(
        self, stream: TextIO | None, campaign: CampaignReport, now: Callable[[], Any]
    ) -> None:
        self._stream, self._campaign, self._now = stream, campaign, now

    @property
    def wanted(self) -> bool:
        return self._stream is not None

    def tell(self, event: str, counts: Counts, **more: Any) -> None:
        if self._stream is None:
            return
        row = {
            "event": event,
            "at": self._now(),
            "campaign": self._campaign.campaign,
            "slug": self._campaign.slug,
            **screen.plain(counts),
            **more,
        }
        print(json.dumps(screen.plain(row), ensure_ascii=False), file=self._stream, flush=True)


@contextmanager
def opened_events(where: str | None, mailer: Mailer, campaign: CampaignReport) -> Iterator[Events]:
    """Events into a file (``--events``); with ``--json``, on standard error. Raises InputError."""
    if where is None:
        yield Events(sys.stderr if screen.as_json() else None, campaign, mailer.clock.now)
        return
    try:
        stream = Path(where).open("a", encoding="utf-8")  # noqa: SIM115  closed below
    except OSError as error:
        raise InputError(f"Events can't be written to {where}: {error.strerror}.") from error
    with stream:
        yield Events(stream, campaign, mailer.clock.now)
