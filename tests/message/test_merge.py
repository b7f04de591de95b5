"""Merge expressions are held to a closed subset; every fault names its line and what to do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.message.merge import check, check_web, names_used
from mailer.model.words import Slot, SlotKind
from tests.message.letters import FIELDS, slots


@pytest.mark.parametrize(
    "source",
    [
        "{{ first_name }}",
        "{{ first_name | default('reader') }}",
        "{{ first_name | title | default(city) | default('reader') }}",
        "{{ first_name or 'reader' }}",
        "{{ city and 'a resident' | default('') }}",
        "{{ visits }}",
        "{{ visits | number }}",
        "{{ visits | number('1,234.50') }}",
        "{{ visits | number(\"1’234\") | default('none') }}",
        "{{ born }}",
        "{{ born | date('%-d %B %Y') }}",
        "{{ first_name | default_web('friend') | upper | lower }}",
        "{{ email }}{{ list }}{{ campaign }}",
        "{{ web_url }}{{ unsubscribe_url }}{{ preferences_url }}",
        "{% if city %}{% endif %}",
        "{% if not member and (visits > 3 or visits == -1) %}{% else %}{% endif %}",
        "{% if city == 'Geneva' %}{% elif city in ['Bern', 'Basel'] %}{% else %}{% endif %}",
        "{% if 'harbour' in topics %}{% endif %}",
        "{% if 'ev' in city and city not in ('Bern', 'Basel') %}{% endif %}",
        "{% if 1 < visits <= 5 %}{% endif %}",
        "{% if visits in [1, 2] %}{% endif %}",
        "{% if born < '2000-01-01' %}{% endif %}",
        "{% if member == true %}{% endif %}",
        "{% for topic in topics %}{{ topic | upper }}{% if topic == 'x' %}{% endif %}{% endfor %}",
    ],
)
def test_allowed(source: str) -> None:
    assert check(slots(source), FIELDS) == []


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{ frist_name }}", "There is no field `frist_name`. Did you mean `first_name`?"),
        ("{{ zzz }}", "Known fields: born, city, first_name, member, topics, visits, website."),
        ("{{ loop }}", "There is no field `loop`."),
        ("{{ self }}", "There is no field `self`."),
        ("{{ first_name | upcase }}", "There is no filter `upcase`."),
        ("{{ first_name | titel }}", "Did you mean `title`?"),
        ("{{ first_name | safe }}", "`safe` can't be used"),
        ("{{ first_name | e }}", "`e` can't be used"),
        ("{{ first_name | default }}", "takes one text in brackets"),
        ("{{ first_name | default('a', true) }}", "takes one text in brackets"),
        ("{{ first_name | default(value='a') }}", "takes one text in brackets"),
        ("{{ first_name | upper(1) }}", "takes nothing in brackets"),
        ("{{ first_name | default_web(city) }}", "takes a text in quotes"),
        ("{{ first_name.upper() }}", "A call can't be used in a mail."),
        ("{{ first_name.upper }}", "A dot after a name can't be used"),
        ("{{ ''.__class__ }}", "A dot after a name can't be used"),
        ("{{ topics[0] }}", "A bracket after a name can't be used"),
        ("{{ 'a' * 1000000000 }}", "Arithmetic can't be used"),
        ("{{ visits + 1 }}", "Arithmetic can't be used"),
        ("{{ first_name ~ city }}", "`~` can't be used"),
        ("{{ 'a' if city else 'b' }}", "`… if … else …` can't be used"),
        ("{% if city is defined %}{% endif %}", "`is` can't be used"),
        ("{% if city == none %}{% endif %}", "`none` can't be used"),
        ("{{ {'a': 1} }}", "A dictionary can't be used"),
        ("{{ [1] }}", "A list, but after `in`, can't be used"),
        ("{% if city in [first_name] %}{% endif %}", "A list, but after `in`, can't be used"),
        ("{{ first_name, city }}", "A comma can't be used"),
        ("{{ }}", "can't be understood"),
        ("{{ first_name | }}", "can't be understood"),
        ("{{ first_name city }}", "can't be understood"),
        ("{% set x = 1 %}", "`{% set x = 1 %}` is not a tag that a mail can have."),
        ("{% include 'secret' %}", "is not a tag that a mail can have"),
        ("{% if %}{% endif %}", "can't be understood"),
        ("{% endif now %}", "takes nothing after it"),
        ("{% for topic in topics if topic %}{% endfor %}", "A loop may only be"),
        ("{% for topic in topics recursive %}{% endfor %}", "A loop may only be"),
        ("{% for a, b in topics %}{% endfor %}", "A loop runs one name over one field"),
        ("{% for topic in 'abc' %}{% endfor %}", "A loop runs one name over one field"),
        ("{% for topic in city %}{% endfor %}", "`city` is no list"),
        ("{% for city in topics %}{% endfor %}", "`city` is taken already"),
        (
            "{% for a in topics %}{% for b in topics %}{% endfor %}{% endfor %}",
            "A loop can't stand inside of another.",
        ),
        ("{% for topic in topics %}{% endfor %}{{ topic }}", "There is no field `topic`."),
        ("{{ member }}", "A yes or no can't be printed."),
        ("{{ city == 'Geneva' }}", "A yes or no can't be printed."),
        ("{{ topics }}", "A list can't be printed."),
        ("{{ visits | upper }}", "is for a text, and this is a number"),
        ("{{ city | number }}", "is for a number, and this is a text"),
        ("{{ visits | default('none') | number }}", "Put `default` after it."),
        ("{{ visits | number('0.00') }}", "is no pattern for a number"),
        ("{{ city | date('%Y') }}", "is for a date, and this is a text"),
        ("{{ born | date('%H') }}", "`%H` is not part of a date"),
        ("{% if visits > 'three' %}{% endif %}", "A number can't be compared with a text."),
        ("{% if city == 3 %}{% endif %}", "A text can't be compared with a number."),
        ("{% if topics == 'x' %}{% endif %}", "For a list, write"),
        ("{% if born > 'spring' %}{% endif %}", "Dates are compared as text"),
        ("{% if 'x' in visits %}{% endif %}", "`in` looks for a text"),
        ("{% if visits in topics %}{% endif %}", "`in` looks for a text"),
        ("{% if city %}", "`{% if city %}` never closes."),
        ("{% endif %}", "`{% endif %}` closes nothing."),
        ("{% if city %}{% endfor %}", "`{% endfor %}` closes nothing."),
        ("{% else %}", "`{% else %}` closes nothing."),
        ("{% if city %}{% else %}{% else %}{% endif %}", "comes after `{% else %}`"),
        ("{% if city %}{% else %}{% elif city %}{% endif %}", "comes after `{% else %}`"),
        ("{% for t in topics %}{% else %}{% endfor %}", "`{% else %}` closes nothing."),
        ("{{ " + "(" * 200 + "city" + ")" * 200 + " }}", "nested too deeply"),
        ("{{ " + "not " * 240 + "city }}", "nested too deeply"),
        ("{% if " + " or ".join(["city"] * 60) + " %}{% endif %}", "nested too deeply"),
        ("{% if 1 < 2 < 3 < 4 < visits %}{% endif %}", "More than three comparisons"),
        ("{% if city %}" * 21 + "{% endif %}" * 21, "More than 20 tags"),
        ("{{ '" + "x" * 1001 + "' }}", "longer than 1000"),
    ],
)
def test_refused(source: str, message: str) -> None:
    faults = check(slots(source), FIELDS)

    assert any(message in str(fault) for fault in faults), [str(fault) for fault in faults]
    assert all(fault.file == "issue.md" and fault.line for fault in faults)


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        (SlotKind.value, "city }}{{ first_name"),
        (SlotKind.value, "city }}{% include 'x' %}{{ city"),
        (SlotKind.tag, "if city %}{% include 'x' %}{% endif %}{% if city"),
        (SlotKind.tag, "if city %}x{% elif city"),
        (SlotKind.tag, "for t in topics %}{{ t }}"),
    ],
)
def test_a_slot_can_not_break_out_of_its_delimiters(kind: SlotKind, source: str) -> None:
    faults = check([Slot("q1z", kind, source, "issue.md", 3)], FIELDS)

    assert [fault.line for fault in faults[:1]] == [3]


def test_faults_are_gathered_with_their_lines() -> None:
    faults = check(slots("{{ nme }}", "{{ city }}", "{{ twon }}"), FIELDS)

    assert [fault.line for fault in faults] == [1, 3]


def test_a_tag_whose_condition_is_wrong_still_opens_and_closes() -> None:
    written = slots(
        "{% if city.x %}", "{% else %}", "{% endif %}", "{% for t of topics %}", "{% endfor %}"
    )

    assert [fault.line for fault in check(written, FIELDS)] == [1, 4]


def test_names_of_months_are_known_for_some_languages_only() -> None:
    written = slots("{{ born | date('%-d %B') }}")

    assert check(written, FIELDS, language="fr-CH") == []
    assert "“tlh”" in str(check(written, FIELDS, language="tlh")[0])


def test_names_used_are_fields_only() -> None:
    written = slots(
        "{% for topic in topics %}{{ topic }}{{ city | default(first_name) }}{% endfor %}",
        "{% if 'x' in website %}{{ email }}{{ unsubscribe_url }}{% endif %}",
    )

    assert names_used(written) == {"topics", "city", "first_name", "website"}


@pytest.mark.parametrize(
    "source",
    [
        "{{ first_name | default('reader') }}",
        "{{ first_name | default_web('reader') }}",
        "{{ first_name | default('') }}",
        "{{ first_name | default_web('') }}",
        "{{ first_name or 'reader' }}",
        "{{ web_url }}{{ list }}{{ campaign }}",
        "{% if first_name %}{{ first_name }}{% endif %}",
        "{% for topic in topics %}{{ topic }}{% endfor %}",
        "{{ visits | number | default('many') }}",
    ],
)
def test_shown_in_the_web_version(source: str) -> None:
    assert check_web(slots(source)) == []


@pytest.mark.parametrize(
    "source",
    [
        "{{ first_name }}",
        "{{ first_name | upper }}",
        "{{ email }}",
        "{{ unsubscribe_url }}",
        "{{ first_name | default(city) }}",
        "{% if not first_name %}{{ city }}{% endif %}",
    ],
)
def test_empty_in_the_web_version(source: str) -> None:
    (fault,) = check_web(slots(source))

    assert fault.line
    assert "shows nothing in the web version" in fault.message
    assert "default_web" in (fault.hint or "")


def test_only_what_stands_in_the_web_document_is_asked_for_a_default() -> None:
    written = slots("{{ first_name }}", "{{ city }}")

    assert [fault.line for fault in check_web(written, "<p>q7f3an2z</p>")] == [2]


_SNIPPETS = st.sampled_from(
    ["city", "topics", "visits", "'a'", "1", "(", ")", "[", "]", "|", "default", ".", ",", "not",
     "and", "in", "==", "<", "if", "else", "for", "x", "-", "*", "~", "is", "{", "}", "%",
     "__class__", "none", "true", "date", "'%d'", "=", "endif", " "]
)  # fmt: skip


@given(st.lists(_SNIPPETS, max_size=12).map(" ".join), st.sampled_from(SlotKind))
def test_no_source_makes_the_check_fail(source: str, kind: SlotKind) -> None:
    written = [Slot("q1z", kind, source, "issue.md", 1)]

    assert all(fault.line == 1 for fault in check(written, FIELDS))
    assert all(fault.line == 1 for fault in check_web(written))
