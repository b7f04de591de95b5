"""Settles who of a list is asked for: names become rows, rules become trees, all of it frozen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row

from mailer.contacts.rule import Rule, Vocabulary, Within, doubts
from mailer.contacts.rule_reader import read_rule, with_named
from mailer.contacts.rule_subjects import near
from mailer.contacts.rule_time import Calendar
from mailer.errors import InputError, NotFoundError
from mailer.model.words import FrequencyCap
from mailer.store import campaigns, people, segments
from mailer.store.audience import Selection
from mailer.store.runs import milliseconds


@dataclass(frozen=True, slots=True)
class Wishes:
    """Who is to get a campaign, as an officer says it: by names."""

    list: str
    segment: str | None = None
    exclude: Sequence[str] = ()  # lists or segments
    not_in: Sequence[str] = ()  # campaigns
    again: bool = False
    cap: FrequencyCap | None = None


@dataclass(frozen=True, slots=True)
class Selected:
    """The same by rows. ``frozen`` is what the campaign keeps of it, ``doubts`` are for people."""

    list: Row[Any]
    selection: Selection
    frozen: Mapping[str, Any]
    doubts: Sequence[str]
    excluded_segments: Mapping[str, Rule] = field(default_factory=dict)


def select_audience(
    connection: Connection, wishes: Wishes, *, issue: str, calendar: Calendar
) -> Selected:
    """Finds the list, the segments and the campaigns that were named.

    Raises NotFoundError for one that is not there, InputError for a list or segment that is out
    of use or a name that is both, RuleError for a rule that can't be read any more.
    """
    mailing_list = people.find_list(connection, wishes.list)
    if mailing_list.archived_at is not None:
        raise InputError(
            f"The list “{wishes.list}” is archived.",
            hint=f"`mailer lists archive {wishes.list} --back` takes it back into use.",
        )
    known = segments.vocabulary(connection)
    rules: dict[str, Rule] = {}
    if wishes.segment is not None:
        rules[wishes.segment] = _rule(connection, wishes.segment, known, calendar)
    excluded: dict[str, Rule] = {}
    lists: dict[str, int] = {}
    for name in wishes.exclude:
        kind, bare = _kind_of(name, known)
        if kind == "list":
            lists[bare] = known.lists[bare]
        else:
            excluded[bare] = _rule(connection, bare, known, calendar)
    selection = Selection(
        list_id=mailing_list.id,
        earlier=[] if wishes.again else campaigns.of_issue(connection, issue),
        segment=rules[wishes.segment] if wishes.segment is not None else None,
        not_on=list(lists.values()),
        not_among=list(excluded.values()),
        not_in=[campaigns.find(connection, name).id for name in wishes.not_in],
        cap=wishes.cap,
        now_ms=milliseconds(calendar.now),
    )
    named = [*rules.values(), *excluded.values()]
    frozen = {
        "segment": _frozen(wishes.segment, known) if wishes.segment is not None else None,
        "excluded_segments": [_frozen(name, known) for name in excluded],
        "excluded_lists": list(lists),
        "not_in": list(wishes.not_in),
        "frequency_cap": str(wishes.cap) if wishes.cap else None,
        "time_zone": str(calendar.zone),
    }
    unsure = [doubt for rule in named for doubt in doubts(rule, known)]
    return Selected(mailing_list, selection, frozen, list(dict.fromkeys(unsure)), excluded)


def select_again(connection: Connection, campaign: Row[Any], now: datetime) -> Selection:
    """Who is asked for by what a campaign froze, as things stand now, beyond its audience.

    Segments are those of the plan, with its rules. Raises NotFoundError for a list or a campaign
    that is gone, RuleError for a rule that can't be read any more.
    """
    frozen: Mapping[str, Any] = campaign.frozen.get("selection", {})
    calendar = Calendar(now, ZoneInfo(frozen.get("time_zone", "UTC")))
    known = segments.vocabulary(connection)

    def rule(each: Mapping[str, Any]) -> Rule:
        then = {**known.segments, **each["named"], each["name"]: each["rule"]}
        words = replace(known, segments=then)
        tree = read_rule(each["rule"], words, calendar, name=each["name"])
        return Within(each["name"], tree, each["rule"])

    segment, cap = frozen.get("segment"), frozen.get("frequency_cap")
    earlier = [] if campaign.frozen["again"] else campaigns.of_issue(connection, campaign.issue)
    return Selection(
        list_id=campaign.list_id,
        earlier=[each for each in earlier if each != campaign.id],
        segment=rule(segment) if segment else None,
        not_on=[people.find_list(connection, n).id for n in frozen.get("excluded_lists", ())],
        not_among=[rule(each) for each in frozen.get("excluded_segments", ())],
        not_in=[campaigns.find(connection, name).id for name in frozen.get("not_in", ())],
        cap=FrequencyCap(*map(int, cap.split("/"))) if cap else None,
        now_ms=milliseconds(now),
        beyond=campaign.id,
    )


def _kind_of(name: str, known: Vocabulary) -> tuple[str, str]:
    """Whether a name is a list's or a segment's; ``list:NAME`` and ``segment:NAME`` say so."""
    kind, colon, bare = name.partition(":")
    names: dict[str, Mapping[str, Any]] = {"list": known.lists, "segment": known.segments}
    if colon and kind in names and bare in names[kind]:
        return kind, bare
    found = [kind for kind, there in names.items() if name in there]
    if len(found) == 2:
        raise InputError(
            f"“{name}” is a list and a segment.", hint=f"Write list:{name} or segment:{name}."
        )
    if not found:
        hint = near(name, [*known.lists, *known.segments])
        raise NotFoundError(f"There is no list and no segment “{name}”.", hint=hint)
    return found[0], name


def _rule(connection: Connection, name: str, known: Vocabulary, calendar: Calendar) -> Rule:
    row = segments.find(connection, name)
    if row.archived_at is not None:
        raise InputError(
            f"The segment “{name}” is archived.",
            hint=f"`mailer segments archive '{name}' --back` takes it back into use.",
        )
    return Within(name, read_rule(row.rule, known, calendar, name=name), row.rule)


def _frozen(name: str, known: Vocabulary) -> dict[str, Any]:
    """A segment as the campaign keeps it: its rule, those that it names, and a hash of all."""
    inner = with_named(name, known.segments)
    told = json.dumps(inner, ensure_ascii=False, sort_keys=True).encode()
    named = {each: rule for each, rule in inner.items() if each != name}
    digest = hashlib.sha256(told).hexdigest()
    return {"name": name, "rule": known.segments[name], "named": named, "hash": digest}
