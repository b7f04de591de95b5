"""A fake for each port, and for nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from mailer.model.words import Trail


class FakeClock:
    """Says the time that it was told."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def advance(self, by: timedelta) -> None:
        self.time += by


class FakeLinkFollower:
    """Fulfils ``ports.LinkFollower``: answers 200, but for the trails that it was given."""

    def __init__(self, trails: Mapping[str, Trail] | None = None) -> None:
        self.trails = dict(trails or {})
        self.asked: list[str] = []

    def follow(self, urls: Sequence[str]) -> Mapping[str, Trail]:
        self.asked += urls
        return {url: self.trails.get(url, Trail(200, 0, url)) for url in urls}
