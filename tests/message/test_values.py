"""What a person's values print as, and which of them are told at plan time instead."""

from __future__ import annotations

import pytest

from mailer.message.values import MergeError
from tests.message.letters import ZOE, letter


@pytest.mark.parametrize(
    ("written", "person", "printed"),
    [
        ("{{ first_name | default('reader') }}", {}, "reader"),
        ("{{ first_name | default('reader') }}", {"first_name": None}, "reader"),
        ("{{ first_name | default('reader') }}", {"first_name": "  "}, "reader"),
        ("{{ first_name | default('reader') }}", {"first_name": "Zoë"}, "Zoë"),
        ("{{ first_name | default('') }}", {}, ""),
        ("{{ first_name | default(city) | default('x') }}", {"city": "Bern"}, "Bern"),
        ("{{ first_name or city }}", {"city": "Bern"}, "Bern"),
        ("{{ first_name | title }}", {"first_name": "anne-marie O'NEILL d’arcy"},
         "Anne-Marie O'Neill D’Arcy"),
        ("{{ first_name | title }}", {"first_name": "DON'T ßtraße 3rd"}, "Don't Sstraße 3Rd"),
        ("{{ first_name | upper }}", {"first_name": "zoë"}, "ZOË"),
        ("{{ first_name | lower | default_web('x') }}", {"first_name": "ZOË"}, "zoë"),
        ("{{ visits }}", {"visits": 0}, "0"),
        ("{{ visits | default('none') }}", {"visits": 0}, "0"),
        ("{{ visits }}", {"visits": 2.50}, "2.5"),
        ("{{ visits | number('1,234.50') }}", {"visits": 1234.5}, "1,234.50"),
        ("{{ visits | number | default('none') }}", {}, "none"),
        ("{{ born | date('%-d %B %Y') }}", {"born": "2001-02-03"}, "3 February 2001"),
        ("{{ born }}", {"born": "2001-02-03"}, "2001-02-03"),
        ("{% if member %}a{% else %}b{% endif %}", {"member": False}, "b"),
        ("{% if member == false %}a{% else %}b{% endif %}", {"member": False}, "a"),
        ("{% if not city %}a{% elif city == 'Bern' %}b{% else %}c{% endif %}", {}, "a"),
        ("{% if not city %}a{% elif city == 'Bern' %}b{% else %}c{% endif %}", {"city": "Bern"},
         "b"),
        ("{% if not city %}a{% elif city == 'Bern' %}b{% else %}c{% endif %}", {"city": "B"}, "c"),
        ("{% if visits > 3 %}a{% else %}b{% endif %}", {}, "b"),
        ("{% if visits <= 3 %}a{% else %}b{% endif %}", {}, "b"),
        ("{% if 1 < visits <= 3 %}a{% else %}b{% endif %}", {"visits": 3}, "a"),
        ("{% if visits == -1 %}a{% else %}b{% endif %}", {"visits": -1}, "a"),
        ("{% if born < '2000-01-01' %}a{% else %}b{% endif %}", {"born": "1999-12-31"}, "a"),
        ("{% if born < '2000-01-01' %}a{% else %}b{% endif %}", {}, "b"),
        ("{% if 'x' in topics %}a{% else %}b{% endif %}", {"topics": ["w", "x"]}, "a"),
        ("{% if 'x' in topics %}a{% else %}b{% endif %}", {}, "b"),
        ("{% if 'x' not in topics %}a{% else %}b{% endif %}", {"topics": ["w"]}, "a"),
        ("{% if city in ['Bern', 'Basel'] %}a{% else %}b{% endif %}", {"city": "Basel"}, "a"),
        ("{% if 'er' in city %}a{% else %}b{% endif %}", {"city": "Bern"}, "a"),
        ("{% if city in 'Bern' %}a{% else %}b{% endif %}", {}, "b"),
        ("{% for t in topics %}{{ t }}{% if t == 'a' %}!{% endif %}{% endfor %}",
         {"topics": ["a", " ", "b"]}, "a!b"),
        ("{% for t in topics %}{{ t }}{% endfor %}", {}, ""),
        ("{{ email }} {{ list }} {{ campaign }} {{ web_url }}", {"email": "x"},
         "zoe@example.net Harbour news november https://example.org/w/abc"),
        ("{{ unsubscribe_url }}", {}, "https://example.org/u/AbC-_123"),
        ("{{ preferences_url }}", {}, "https://example.org/p/AbC-_123"),
        ("{{ city }} https://x.example/?c={{ city }}", {"city": "a b/é"}, "a b/é https://x.example/?c=a%20b%2F%C3%A9"),
    ],
)  # fmt: skip
def test_what_prints(written: str, person: dict[str, object], printed: str) -> None:
    message = letter(text=written)
    message.check_values(person)

    assert message.parts(person, ZOE).text == printed


@pytest.mark.parametrize(
    ("written", "person", "reason"),
    [
        ("{{ first_name }}", {}, "empty"),
        ("{{ first_name }}", {"first_name": " \t"}, "empty"),
        ("{{ first_name | title }}", {"first_name": None}, "empty"),
        ("{{ first_name | default(city) }}", {}, "empty"),
        ("{{ first_name | default_web('x') }}", {}, "empty"),
        ("{{ visits | number }}", {}, "empty"),
        ("{{ visits | number }}", {"visits": "twelve"}, "not_a_number"),
        ("{{ visits }}", {"visits": "12"}, "not_a_number"),
        ("{{ visits }}", {"visits": True}, "not_a_number"),
        ("{{ visits }}", {"visits": float("inf")}, "not_a_number"),
        ("{{ visits }}", {"visits": float("nan")}, "not_a_number"),
        ("{{ visits }}", {"visits": 10**400}, "not_a_number"),
        ("{% if visits > 3 %}a{% endif %}", {"visits": [1]}, "not_a_number"),
        ("{{ born | date('%Y') }}", {"born": "2001-02-30"}, "not_a_date"),
        ("{{ born }}", {"born": "yesterday"}, "not_a_date"),
        ("{{ born }}", {"born": 2001}, "not_a_date"),
        ("{% if member %}a{% endif %}", {"member": "yes"}, "not_yes_or_no"),
        ("{% for t in topics %}{{ t }}{% endfor %}", {"topics": "abc"}, "not_a_list"),
        ("{% for t in topics %}{{ t }}{% endfor %}", {"topics": [1]}, "not_a_list"),
        ("{{ first_name }}", {"first_name": ["a"]}, "not_text"),
        ("{{ first_name | upper }}", {"first_name": {"a": 1}}, "not_text"),
        ("{{ first_name }}", {"first_name": True}, "not_text"),
        ("{{ first_name | lower }}", {"first_name": True}, "not_text"),
    ],
)
def test_what_can_not_print(written: str, person: dict[str, object], reason: str) -> None:
    message = letter(text=written)
    with pytest.raises(MergeError) as caught:
        message.check_values(person)

    assert caught.value.reason == reason
    assert caught.value.fault.file == "issue.md"
    assert caught.value.slot.line == 1
    assert {error.reason for error in message.errors(person)} == {reason}
    with pytest.raises(MergeError):
        message.merge(person, ZOE)


def test_all_errors_of_a_person_are_found_with_lines_and_names() -> None:
    message = letter(
        subject="{{ first_name }}",
        text="{{ first_name | title }}\n{{ visits | number }}\n{{ city }}\n",
        html="{% if member %}{{ city }}{% endif %}",
    )
    errors = message.errors({"first_name": "a\nb", "visits": "x", "member": False})

    assert [(error.slot.line, error.reason, error.names) for error in errors] == [
        (1, "control_character", ("first_name",)),
        (3, "not_a_number", ("visits",)),
        (4, "empty", ("city",)),
    ]
    assert message.errors({"first_name": "a", "visits": 1, "city": "b"}) == []


def test_blank_ok_prints_nothing_for_an_empty_field_and_still_refuses_a_wrong_one() -> None:
    message = letter(text="[{{ city }}{{ visits }}]", web_html="[{{ city }}]", blank_ok=True)
    message.check_values({})

    assert message.parts({}).text == "[]"
    assert message.web_page() == "[]"
    with pytest.raises(MergeError):
        message.check_values({"visits": "x"})
