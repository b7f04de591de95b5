"""The site's log: one line an event, on standard error, in logfmt."""

from __future__ import annotations

import atexit
import logging
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

_MOMENT = 0.1  # seconds
_logfmt = structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"])


def make_log(
    out: TextIO | None = None, *, level: int = logging.INFO, gathered: bool = False
) -> FilteringBoundLogger:
    """A logger of its own, so that a program that runs the site beside other work stays quiet.

    ``gathered`` keeps the lines of a moment and writes them together.
    """
    lines = _Lines(out or sys.stderr) if gathered else structlog.PrintLogger(out or sys.stderr)
    log: FilteringBoundLogger = structlog.wrap_logger(
        lines,
        processors=[_Line()],
        wrapper_class=structlog.make_filtering_bound_logger(level),
    )
    return log


def tell_fault(log: FilteringBoundLogger, event: str, error: Exception) -> None:
    """What it was and where; not its words, which may hold an address."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(frame.filename).name}:{frame.lineno}"
    log.error(event, error=type(error).__name__, where=where)


class _Lines:
    """Writes lines in one piece every tenth of a second, and what is left at the end.

    A line costs as much to write as an answer to make; a process that is killed loses a moment of
    its log, and nothing else.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._lines: list[str] = []
        self._lock = threading.Lock()
        atexit.register(self.flush)
        threading.Thread(target=self._keep_flushing, name="log", daemon=True).start()

    def info(self, line: str) -> None:
        with self._lock:
            self._lines.append(line)

    debug = warning = error = critical = info

    def flush(self) -> None:
        with self._lock:
            lines, self._lines = self._lines, []
            if lines:
                self._out.write("\n".join(lines) + "\n")
                self._out.flush()

    def _keep_flushing(self) -> None:
        while True:
            time.sleep(_MOMENT)
            self.flush()


class _Line:
    """Makes the line; a request's is put together by hand, because there are so many."""

    def __init__(self) -> None:
        self._second = -1
        self._stamp = ""

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> str:
        if event["event"] == "request":  # none of these values ever needs a quotation mark
            return (
                f"timestamp={self._now()} level={method} event=request method={event['method']}"
                f" page={event['page']} status={event['status']} ms={event['ms']}"
            )
        return _logfmt(logger, method, {"timestamp": self._now(), "level": method, **event})

    def _now(self) -> str:
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._stamp}.{int((now - second) * 1000):03d}Z"
