"""Takes away what has been kept for long enough, by rules with an age each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from mailer.contacts.address import parse_address
from mailer.contacts.mention import mentions
from mailer.model.words import RetentionRule
from mailer.ports import Clock, Leftovers
from mailer.store import erasure, maintenance, people, pruning
from mailer.store.database import Database


@dataclass(frozen=True, slots=True)
class PrunedRule:
    """One rule: its age in days (None: off), and how many rows, people or files it is about."""

    rule: RetentionRule
    days: int | None
    count: int


@dataclass(frozen=True, slots=True)
class PruneReport:
    """What went, or would go. ``rewritten``: nothing deleted is left between the file's rows."""

    rules: Sequence[PrunedRule]
    dry_run: bool
    rewritten: bool

    @property
    def total(self) -> int:
        return sum(each.count for each in self.rules)


def prune_database(
    ages: Mapping[RetentionRule, int | None],
    *,
    db: Database,
    clock: Clock,
    leftovers: Leftovers,
    dry_run: bool = False,
) -> PruneReport:
    """Applies each rule that has an age (days), then writes a SQLite file anew.

    People whom a rule erases are gone as by ``subscribers erase``: who left keeps a hash, who
    never confirmed keeps none. Run again, it changes nothing; stopped, it goes on.
    """
    now = clock.now()
    rules = []
    for rule in RetentionRule:
        days = ages.get(rule)
        count = 0
        if days is not None:
            moment = now - timedelta(days=days)
            count = _count(rule, moment, db, leftovers)
            if count and not dry_run:
                _apply(rule, moment, db, clock, leftovers)
        rules.append(PrunedRule(rule, days, count))
    if dry_run:
        return PruneReport(rules, True, False)
    with db.write() as connection:
        pruning.drop_expired_drafts(connection, now)
    return PruneReport(rules, False, maintenance.rewrite(db))


def _count(rule: RetentionRule, moment: datetime, db: Database, leftovers: Leftovers) -> int:
    if rule is RetentionRule.rejects:
        return len(leftovers.older_than(moment))
    with db.read() as connection:
        if rule in pruning.IN_DATABASE:
            return pruning.count(connection, rule, moment)
        return len(_people(connection, rule, moment))


def _apply(
    rule: RetentionRule, moment: datetime, db: Database, clock: Clock, leftovers: Leftovers
) -> None:
    if rule is RetentionRule.rejects:
        leftovers.remove(leftovers.older_than(moment))
    elif rule in pruning.IN_DATABASE:
        for work in pruning.slices(rule, moment):
            changed = 1
            while changed:
                with db.write() as connection:
                    changed = work(connection)
    else:
        _erase(rule, moment, db, clock, leftovers)


def _people(connection: Connection, rule: RetentionRule, moment: datetime) -> list[int]:
    if rule is RetentionRule.left:
        return erasure.left_before(connection, moment)
    return erasure.pending_before(connection, moment)


def _erase(
    rule: RetentionRule, moment: datetime, db: Database, clock: Clock, leftovers: Leftovers
) -> None:
    with db.read() as connection:
        chosen = _people(connection, rule, moment)
    tests = []
    for subscriber in chosen:
        with db.write() as connection:
            # Somebody may have come back since they were chosen.
            person = people.subscriber(connection, subscriber)
            if person is None or not erasure.still(connection, rule, subscriber, moment):
                continue
            found = mentions(parse_address(person.address))
            erasure.erase(
                connection,
                person,
                mentions=found,
                keep_out=rule is RetentionRule.left,
                actor="retention",
                at=clock.now(),
            )
        tests.append(found)
    if tests:
        leftovers.forget(lambda text: any(test(text) for test in tests))
