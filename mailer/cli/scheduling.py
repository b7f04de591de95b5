"""``mailer campaigns send --at`` and ``--hold``: not now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailer.cli import campaign_report, moments, screen
from mailer.errors import InputError

if TYPE_CHECKING:
    import asyncio
    from datetime import datetime

    from mailer.usecases.show_campaign import CampaignReport
    from mailer.wiring import Mailer

_LONGEST_HOLD = 86_400  # seconds


@dataclass(frozen=True, slots=True)
class When:
    """When a send is to happen, as it was typed."""

    at: str | None = None
    not_after: str | None = None
    hold: int = 0  # seconds
    over: str | None = None

    @property
    def words(self) -> str:
        """The options that say at what time, as one would type them again."""
        given = {"--at": self.at, "--not-after": self.not_after}
        return "".join(f" {name} '{word}'" for name, word in given.items() if word is not None)

    def spread(
        self, mailer: Mailer, campaign: CampaignReport, at: datetime | None, more: int
    ) -> None:
        """Spreads the campaign as ``--over`` says; without it, an earlier word holds."""
        from mailer.settings import parse_wait
        from mailer.usecases.spread_campaign import spread_campaign

        if self.over is None:
            return
        until = spread_campaign(
            campaign.slug,
            parse_wait(self.over),
            start_at=at,
            more=more,
            db=mailer.db,
            clock=mailer.clock,
            pace=mailer.pace,
        )
        if until is not None:
            local = until.astimezone(mailer.settings.time_zone)
            screen.note(f"Spread until {moments_shown(local)}.")

    def check(self, *, spooled: bool) -> None:
        """Raises InputError for what does not go together."""
        if self.not_after is not None and self.at is None:
            raise InputError("--not-after belongs to --at.")
        if self.at is not None and self.hold:
            raise InputError("Either --at or --hold, not both.")
        if self.at is not None and spooled:
            raise InputError("A worker sends to the mail server: either --at or --spool.")
        if not 0 <= self.hold <= _LONGEST_HOLD:
            raise InputError(f"--hold takes 0 to {_LONGEST_HOLD} seconds.")

    def moments(self, mailer: Mailer) -> tuple[datetime | None, datetime | None]:
        """The instants of ``--at`` and ``--not-after``. Raises InputError."""
        now, zone = mailer.clock.now(), mailer.settings.time_zone
        at = moments.parse_moment(self.at, now=now, zone=zone) if self.at is not None else None
        latest = self.not_after
        if latest is None:
            return at, None
        return at, moments.parse_moment(latest, now=at or now, zone=zone)


NOW = When()


def schedule(
    mailer: Mailer, campaign: CampaignReport, at: datetime, not_after: datetime | None
) -> None:
    """Leaves the campaign to a worker, and says so."""
    from mailer.usecases.schedule_campaign import schedule_campaign
    from mailer.usecases.show_campaign import show_campaign

    slug = campaign.slug
    latest = schedule_campaign(
        slug, start_at=at, not_after=not_after, db=mailer.db, clock=mailer.clock
    )
    after = show_campaign(slug, db=mailer.db, clock=mailer.clock, folder=mailer.runs)
    if not screen.result(campaign_report.document(after)):
        screen.say(
            f"Scheduled: “{slug}” goes at {moments_shown(at)}, not after {moments_shown(latest)}."
        )
        screen.say(f"Next: keep `mailer worker` running; mailer campaigns cancel {slug} stops it")


async def hold(mailer: Mailer, slug: str, seconds: int, stop: asyncio.Event) -> bool:
    """Waits with a countdown; False when the campaign was called back meanwhile."""
    from mailer.usecases.schedule_campaign import hold_campaign, wait_out

    until = hold_campaign(slug, seconds, db=mailer.db, clock=mailer.clock)
    screen.note(f"Held for {seconds} s. Call it back with: mailer campaigns cancel {slug}")
    line = screen.ProgressLine()
    go = await wait_out(
        slug,
        until,
        db=mailer.db,
        clock=mailer.clock,
        stop=stop,
        progress=lambda left: line.say(f"{left} s until it goes"),
    )
    line.clear()
    return go


def moments_shown(moment: datetime) -> str:
    """With the day, the offset and no seconds: nobody should have to guess which clock it is."""
    return moment.strftime("%Y-%m-%d %H:%M %z")
