"""Tells whether one person would get a campaign, and every reason why not. Plans nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mailer.contacts.rule_time import Calendar
from mailer.contacts.rule_verdict import judge
from mailer.ports import Clock
from mailer.store import audience, evidence, people, runs, segments
from mailer.store.database import Database
from mailer.store.evidence import Block
from mailer.usecases.explain_segments import Explained, explained
from mailer.usecases.select_audience import Wishes, select_audience
from mailer.usecases.send_campaign import Schedule

NOT_ON_LIST = "not_on_list"


@dataclass(frozen=True, slots=True)
class PlanExplained:
    """One person's verdict. A plan counts them under the first of ``reasons``, or not at all.

    ``suppressed`` tells the suppressions behind that reason: of every list, or of this one.
    """

    address: str
    list: str
    included: bool
    reasons: Sequence[str]
    segments: Sequence[Explained]
    suppressed: Sequence[Block] = ()


def explain_plan(
    issue: str,
    address: str,
    *,
    wishes: Wishes,
    calendar: Calendar,
    db: Database,
    clock: Clock,
    folder: Path,
    retry_after: tuple[int, ...],
) -> PlanExplained:
    """Asks the database what a plan would ask it, about one person.

    1. Settle what dead sends of this issue left, as a plan does.
    2. Ask every reason for leaving somebody out.
    3. Ask each clause of the segments that were named.

    Raises NotFoundError for an unknown person, list, segment or campaign, and what
    ``select_audience`` raises.
    """
    runs.recover_issue(
        db, issue, folder=folder, now=clock.now(), judge=Schedule(retry_after, clock).judge
    )
    with db.read() as connection:
        selected = select_audience(connection, wishes, issue=issue, calendar=calendar)
        person = people.require_subscriber(connection, address)
        reasons = audience.explain(connection, db.dialect, selected.selection, person.id)
        blocks = evidence.blocks(connection, person.suppression_hash)
        rules = dict(selected.excluded_segments)
        if wishes.segment is not None and selected.selection.segment is not None:
            rules = {wishes.segment: selected.selection.segment, **rules}
        found = []
        for name, rule in rules.items():
            marks = segments.marks(connection, rule, person.id)
            found.append(explained(name, judge(rule, marks.clauses, marks.answers).parts[0]))
    if reasons is None:
        reasons = [NOT_ON_LIST]
    held = [each for each in blocks if each.list in (None, wishes.list)]
    return PlanExplained(person.address, wishes.list, not reasons, reasons, found, held)
