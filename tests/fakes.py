"""A fake for each port, and for nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class FakeClock:
    """Says the time that it was told."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def advance(self, by: timedelta) -> None:
        self.time += by
