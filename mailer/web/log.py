"""The site's log: one line an event, on standard error, in logfmt."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import FilteringBoundLogger


def make_log(out: TextIO | None = None, *, level: int = logging.INFO) -> FilteringBoundLogger:
    """A logger of its own, so that a program that runs the site beside other work stays quiet."""
    log: FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(out or sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
    )
    return log
