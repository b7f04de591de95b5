"""A rule reads as people mean it, and a wrong one says where, why and what is near."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.contacts.rule import (
    And,
    Clause,
    Moment,
    Not,
    Or,
    Rule,
    RuleError,
    Vocabulary,
    clauses,
    doubts,
    fold,
)
from mailer.contacts.rule_reader import names_segments, read_rule, with_named
from mailer.contacts.rule_time import Calendar
from mailer.contacts.rule_verdict import deciding, judge
from mailer.contacts.rule_words import words
from mailer.model.words import FieldKind

NOW = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)
CALENDAR = Calendar(NOW)
KNOWN = Vocabulary(
    fields={
        "city": FieldKind.text,
        "age": FieldKind.number,
        "born": FieldKind.date,
        "vip": FieldKind.yesno,
        "topics": FieldKind.list,
        "in": FieldKind.text,
        "postcode": FieldKind.text,
    },
    lists={"news": 1, "press": 2},
    tags=frozenset({"gold"}),
    campaigns={"spring": 3, "autumn": 4},
    segments={
        "one": 'city = "A" or segment("two")',
        "two": 'segment("one")',
        "good": "age > 3",
        "bad": 'city = "x" and ctiy = "y"',
        "self": 'not segment("self")',
    },
    archived=frozenset({"press"}),
)


def read(text: str, calendar: Calendar = CALENDAR) -> Rule:
    return read_rule(text, KNOWN, calendar)


def refused(text: str) -> str:
    with pytest.raises(RuleError) as error:
        read(text)
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ('city = "A" and age > 1 or vip', '(city = "A" and age > 1) or vip'),
        ("not vip and age > 1", "(not vip) and age > 1"),
        ("AGE > 1 AND VIP", "age > 1 and vip"),
        ("age <> 1 or age ≠ 1", "age != 1 or age != 1"),
        ("city in [“A”, 'B']", 'city in ("A", "B")'),
        ("born before today", "born < 2026-11-24"),
        ("born is in 2 weeks", "born = 2026-12-08"),
        ("born = 9 months ago", "born = 2026-02-24"),
        ('city is not in ("A")', 'not city in ("A")'),
        ('city does not start with "A"', 'not city starts with "A"'),
        ("vip is not yes", "not vip = yes"),
        ("tag('GOLD')", 'tag("gold")'),
        ('campaign("spring").accepted', 'campaign("spring").accepted'),
    ],
)
def test_spellings_of_one_rule(text: str, same: str) -> None:
    assert _bare(read(text)) == _bare(read(same))


def _bare(rule: Rule) -> object:
    """A rule without what its author wrote."""
    match rule:
        case Clause():
            return (rule.subject, rule.sign, rule.values)
        case Not():
            return ("not", _bare(rule.part))
        case And() | Or():
            return (type(rule).__name__, [_bare(part) for part in rule.parts])
    return rule


def test_a_state_alone_is_that_of_the_campaign_named_before() -> None:
    rule = read('campaign("spring").accepted and not refused or campaign("autumn") and unknown')
    asked = [(c.subject.name, c.subject.aspect) for c in clauses(rule)]

    assert asked == [
        ("spring", "accepted"),
        ("spring", "refused"),
        ("autumn", ""),
        ("autumn", "unknown"),
    ]


def test_days_are_those_of_the_time_zone() -> None:
    zurich = Calendar(NOW, ZoneInfo("Europe/Zurich"))  # half past midnight on the 25th there

    assert _values(read("born = today")) == (date(2026, 11, 24),)
    assert _values(read("born = today", zurich)) == (date(2026, 11, 25),)
    assert _values(read("joined = 2026-03-29", zurich)) == (
        Moment(  # the day on which summer time begins has 23 hours
            datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC)
        ),
    )


def _values(rule: Rule) -> object:
    assert isinstance(rule, Clause)
    return rule.values


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Column 1: The rule is empty."),
        ('ctiy = "A"', 'There is no field “ctiy”. Did you mean “city”?\n  ctiy = "A"\n  ^^^^'),
        ("age > 1 and", "The rule ends where a question should be"),
        ('age = "30"', "A number should be here, without quotes."),
        ("city = Bern", "A text should be here, in quotes."),
        ("city", 'What about “city”? Compare it: city = "…", or city is empty.'),
        ("postcode > 1000", "number(postcode) or date(postcode) reads it as one."),
        ('topics = "a"', 'Write topics contains "…".'),
        ("born > 3 hours ago", "A date has no hours."),
        ("born > 2026-02-30", "This is no date that can be compared"),
        ("born > 3 fortnights ago", "A unit should be here."),
        ("born > 999999 years ago", "This is no date"),
        ('list("new")', "There is no list “new”. Did you mean “news”?"),
        ('list("news").status = activ', "Did you mean “active”?"),
        ('list("news").size', "A list has no “size”."),
        ("tag(gold)", 'Write tag("name").'),
        ('campaign("sprng").accepted', "There is no campaign “sprng”. Did you mean “spring”?"),
        ('campaign("spring").accepted and not opened', "opens are not recorded"),
        ("accepted", 'Of which campaign? Write campaign("spring").accepted.'),
        ("suppressed is empty", "is yes or no, never empty"),
        ('city = "A', "This quote never closes."),
        ("(vip", "This bracket never closes."),
        ("vip)", "“)” stands where “and” or “or” should be"),
        ("vip vip", "“vip” stands where “and” or “or” should be"),
        ('city in ("A" "B")', "This bracket should close here."),
        ('city = ""', "An empty text finds nobody. Write is empty"),
        ('city = "a"; drop table x', "“;” means nothing here."),
        ('city = "a\u0000"', "A text can't hold a control character"),
        ('city = "\ud800"', "This character is broken."),
        ('segment("one")', "Segment “two”, column 9: This leads in a circle: one → two → one."),
        ('segment("self")', "This leads in a circle: self → self."),
        ('segment("bad")', "Segment “bad”, column 16: There is no field “ctiy”."),
        ('segment("gone")', "There is no segment “gone”. Did you mean “one”?"),
        ('vip and\n  ctiy = "x"', "Column 3 of line 2: There is no field"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, said: str) -> None:
    assert said in refused(text)


def test_all_wrong_names_are_told_together() -> None:
    with pytest.raises(RuleError) as error:
        read('ctiy = "A" and age > "3" and list("x") and postcode < 5')

    assert len(error.value.faults) == 4


@pytest.mark.parametrize(
    "text",
    [
        "vip or " * 1000 + "vip",
        "(" * 30 + "vip" + ")" * 30,
        "not " * 30 + "vip",
        " or ".join(["vip"] * 201),
        f"age in ({', '.join(str(n) for n in range(501))})",
        "age = 1234567890123456",
    ],
)
def test_a_rule_has_bounds(text: str) -> None:
    assert "at most" in refused(text) or "more than" in refused(text).lower()


def test_segments_that_double_each_other_end_at_the_bound() -> None:
    doubling = {f"s{n}": f'segment("s{n - 1}") or segment("s{n - 1}")' for n in range(1, 15)}
    known = Vocabulary(fields=KNOWN.fields, segments={**doubling, "s0": "vip"})

    with pytest.raises(RuleError, match="at most 200 questions"):
        read_rule('segment("s14")', known, CALENDAR)


def test_a_segment_may_not_lead_back_to_itself_when_it_is_edited() -> None:
    with pytest.raises(RuleError, match="circle: good → good"):
        read_rule('segment("good")', KNOWN, CALENDAR, name="good")


def test_what_is_allowed_and_hardly_meant_is_a_doubt() -> None:
    rule = read_rule('tag("silver") or list("press") and list("news")', KNOWN, CALENDAR)

    assert doubts(rule, KNOWN) == [
        "Nobody has the tag “silver” now.",
        "The list “press” is archived.",
    ]


def test_the_segments_that_a_rule_names_are_found_in_broken_ones_too() -> None:
    assert names_segments('segment("a") and or (segment("b"') == ["a", "b"]
    assert names_segments('segment("a') == []
    assert set(with_named("one", KNOWN.segments)) == {"one", "two"}


PIECES = 'city = > ( ) not and or in is empty "x" 3 , segment list "good" "news" . status ago days'
SCRAPS = st.lists(st.sampled_from([*PIECES.split(), "does", "contains", "with"]), max_size=14)


@given(st.text(max_size=60) | SCRAPS.map(" ".join))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_rule_or_a_sentence(text: str) -> None:
    told = None
    try:
        rule = read_rule(text, KNOWN, CALENDAR)
    except RuleError as error:
        told = error

    if told is None:
        assert list(clauses(rule))
    else:
        assert told.faults
        assert all("\n  " in fault.message for fault in told.faults)


@given(st.text(st.characters(codec="utf-8", min_codepoint=32), max_size=30))
def test_a_text_comes_out_of_its_quotes_as_it_went_in(said: str) -> None:
    quoted = '"' + said.replace("\\", "\\\\").replace('"', '\\"') + '"'

    assert words(quoted)[0].value == said


def test_case_is_folded_as_both_databases_do() -> None:
    assert fold("Straße") == fold("STRASSE") == fold("straSSe")
    assert fold("ΟΔΟΣ") == fold("οδος")
    assert fold("Zu\u0308rich") == fold("ZÜRICH")


def test_the_first_part_that_fails_an_and_has_decided() -> None:
    rule = read_rule('vip and (city = "A" or age > 3) and not tag("gold")', KNOWN, CALENDAR)
    marks = [True, False, False, False]
    verdict = judge(rule, marks, [True, "B", 2, None])

    assert not verdict.holds
    assert [(each.text, each.answer) for each in deciding(verdict)] == [
        ('city = "A"', "B"),
        ("age > 3", "2"),
    ]
    yes = judge(rule, [True, True, False, False], [True, "A", 2, None])
    assert [each.text for each in deciding(yes)] == ["vip", 'city = "A"', 'not tag("gold")']
