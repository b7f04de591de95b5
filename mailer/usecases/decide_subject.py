"""Decides between two subjects by the rule that the plan stated, or has the rest wait for it.

Image loads are no rule: mostly a machine fetches the picture, whatever the subject says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row

from mailer.errors import InputError
from mailer.model.measuring import ClickMode
from mailer.model.words import CampaignState
from mailer.ports import Clock
from mailer.store import campaigns, runs, schedule, splits
from mailer.store.database import Database
from mailer.store.splits import Measured

WAITS_FOR_SEND = "The subject is chosen; the rest waits for a send."
MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Rule:
    """How the winner is found: by the rate of something, and at a tie it is the first subject."""

    says: str
    measure: Callable[[Connection, int], Mapping[str, Measured]] | None  # None: somebody chooses
    more: bool = False  # the higher rate wins; else the lower
    of_clicks: bool = False  # only where clicks are measured by people

    def winner(self, measured: Mapping[str, Measured]) -> str:
        a, b = measured[splits.A].rate, measured[splits.B].rate
        return splits.B if (b > a if self.more else b < a) else splits.A

    def counts_in(self, frozen: Mapping[str, Any]) -> bool:
        """Whether it has something to count in a campaign."""
        if self.measure is None:
            return False
        return not self.of_clicks or frozen.get("clicks") == ClickMode.people


RULES: Mapping[str, Rule] = {
    MANUAL: Rule("somebody chooses, with `mailer campaigns choose`", None),
    "unsubscribes": Rule("fewer readers leave by its mail, of those who got it", splits.departures),
    "refusals": Rule("fewer mail servers refuse it, of those that answered", splits.refusals),
    "clicks": Rule(
        "more readers follow a link, of those who got it and agreed to be measured",
        splits.followers,
        more=True,
        of_clicks=True,
    ),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """Which subject the rest gets, and what the rule counted, by version; nothing by hand."""

    campaign: int
    slug: str
    chosen: str
    rule: str
    people: int  # the rest
    measured: Mapping[str, Measured] = field(default_factory=dict)


def choose_by_rule(campaign: Row[Any], *, db: Database, clock: Clock) -> Choice | None:
    """Chooses when the rule's time has come; None when it has not, or when a person is to."""
    split = campaign.frozen.get("split")
    if split is None or campaign.chosen:
        return None
    rule = RULES[split["winner"]]
    with db.read() as connection:
        due = splits.decides_at(connection, campaign.id)
        if rule.measure is None or due is None or due > runs.milliseconds(clock.now()):
            return None
        measured = rule.measure(connection, campaign.id)
    return choose(campaign, rule.winner(measured), split["winner"], measured, db=db, clock=clock)


def choose(
    campaign: Row[Any],
    version: str,
    rule: str,
    measured: Mapping[str, Measured],
    *,
    db: Database,
    clock: Clock,
) -> Choice:
    told = ", ".join(f"{v}: {m.counted} of {m.of}" for v, m in measured.items())
    with db.write() as connection:
        runs.lock_campaign(connection, db.dialect, campaign.id)
        before = campaigns.find(connection, campaign.id).chosen
        if before and before != version:
            raise chosen_already(campaign, before)
        splits.note_choice(connection, campaign.id, version)
        if not before:
            campaigns.note_event(
                connection,
                kind="subject_chosen",
                actor="operator" if rule == "manual" else "rule",
                campaign_id=campaign.id,
                at=clock.now(),
                detail=f"{version}, {rule}" + (f" ({told})" if told else ""),
            )
    if version == splits.B:
        splits.give_second(db, campaign.id)
    with db.write() as connection:
        runs.lock_campaign(connection, db.dialect, campaign.id)
        people = runs.left_to_try(connection, campaign.id)
        if splits.waits(connection, campaign.id):
            splits.let_go(connection, campaign.id)
            if rule == "manual" and campaign.state == CampaignState.paused:
                schedule.explain_stop(connection, campaign.id, WAITS_FOR_SEND)
    return Choice(campaign.id, campaign.slug, version, rule, people, measured)


def await_choice(campaign: Row[Any], *, db: Database, clock: Clock) -> str:
    """After a run: has the rest wait for its choice. Returns what for, or nothing.

    A rule's time counts from now, when everybody of the test has been tried; then a worker, or the
    next send, decides by it.
    """
    split = campaign.frozen.get("split")
    if split is None:
        return ""
    with db.write() as connection:
        runs.lock_campaign(connection, db.dialect, campaign.id)
        now = campaigns.find(connection, campaign.id)
        if now.state != CampaignState.paused or now.stopped_because:
            return ""
        if not (
            splits.waits(connection, campaign.id) and splits.test_is_over(connection, campaign.id)
        ):
            return ""
        if split["winner"] == MANUAL:
            why = f"The rest waits for a choice: `mailer campaigns choose {campaign.slug} a|b`."
            schedule.explain_stop(connection, campaign.id, why)
            return why
        due = runs.milliseconds(clock.now()) + split["decide_after"] * 1000
        splits.decide_at(connection, campaign.id, due)
    return ""


def chosen_already(campaign: Row[Any], version: str) -> InputError:
    return InputError(f"Subject {version} of “{campaign.slug}” is chosen already.")
