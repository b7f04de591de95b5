"""``check`` says what is wrong with a composed mail, by stable names, and is silent otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from mailer.compose.check import Findings, check
from mailer.compose.compose import Brand, Composed
from mailer.compose.layout import Layout
from mailer.compose.rules.size import CLIPPED_AT, CLOSE_TO_CLIPPED

Compose = Callable[..., Composed]
Load = Callable[[dict[str, str]], Layout]
STORY = '::: story picture=boat.png alt="Boats"\nheadline: Quay\n\nText\n:::\n'


def rules(findings: Findings) -> tuple[list[str], list[str]]:
    return [each.rule for each in findings.errors], [each.rule for each in findings.warnings]


def test_a_good_issue_is_passed_in_silence(compose: Compose) -> None:
    findings = check(compose(f"Hello {{{{ name | default('reader') }}}}\n\n{STORY}"))

    assert rules(findings) == ([], [])
    assert findings.ok


@pytest.mark.parametrize(
    ("body", "front", "rule", "line"),
    [
        ("x", {"subject": "x" * 79}, "subject-length", 2),
        ("x", {"preheader": ""}, "preheader-missing", 3),
        ("x", {"preheader": "Boats are back"}, "preheader-repeats", 3),
        ("x", {"preheader": "y" * 151}, "preheader-length", 3),
        ("a\n\n[click here](https://example.org)", {}, "link-text", 7),
        ("a\n\n[Here.](https://example.org)", {}, "link-text", 7),
        ("a\n\n[a page](http://example.org)", {}, "link-https", 7),
        ("# One\n\n### Three", {}, "heading-order", 7),
    ],
)
def test_each_warning_has_a_name_and_a_line(
    body: str, front: dict[str, str], rule: str, line: int, compose: Compose
) -> None:
    errors, warnings = rules(findings := check(compose(body, **front)))

    assert (errors, warnings) == ([], [rule])
    assert (findings.warnings[0].file, findings.warnings[0].line) == ("issue.md", line)


@pytest.mark.parametrize(
    ("body", "rule", "line"),
    [
        ("Dear {{ name }}", "web-default", 5),
        ("You are {{ email }}", "web-personal", 5),
        ("[leave]({{ unsubscribe_url }})", "web-personal", 5),
        ("a\n\n[](https://example.org)", "link-text", 7),
    ],
)
def test_each_error_has_a_name_and_a_line(
    body: str, rule: str, line: int, compose: Compose
) -> None:
    errors, warnings = rules(findings := check(compose(body)))

    assert (errors, warnings) == ([rule], [])
    assert (findings.errors[0].file, findings.errors[0].line) == ("issue.md", line)
    assert not findings.ok


@pytest.mark.parametrize(
    "body",
    [
        "{{ email | default('you') }}",
        "{{ name | default_web('you') | upper }}",
        "{% for thing in things %}{{ thing }}{% endfor %}",
        "[web]({{ web_url }}) {{ list }} {{ campaign }}",
        "[a]({% if x %}https://a.org{% else %}https://b.org{% endif %})",
        "[Here is the harbour](https://example.org)",
        "[write](mailto:a@example.org)",
    ],
)
def test_what_is_fine_is_not_told(body: str, compose: Compose) -> None:
    assert rules(check(compose(body))) == ([], [])


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        (' lang="{{ issue.lang }}"', "", "language"),
        ("<mj-title>{{ issue.title }}</mj-title>", "", "title"),
        ('href="{{ unsubscribe_url }}"', 'href="https://example.org"', "unsubscribe-link"),
        ("{{ postal_address }}", "", "postal-address"),
        (
            "{{ blocks }}",
            '{{ blocks }}<mj-raw><img src="x.png" alt="" /></mj-raw>',
            "third-party",
        ),
        (
            "{{ blocks }}",
            '{{ blocks }}<mj-raw><p style="background:url(https://e.org/a)">x</p></mj-raw>',
            "third-party",
        ),
        (
            "{{ blocks }}",
            '<mj-raw><img src="https://news.example.org/a.png" /></mj-raw>{{ blocks }}',
            "alt-text",
        ),
        ("{{ blocks }}", '<mj-raw><img alt="" /></mj-raw>{{ blocks }}', "picture-missing"),
        ("{{ blocks }}", '<mj-raw><a href="#top">up</a></mj-raw>{{ blocks }}', "link-address"),
    ],
)
def test_a_layout_that_leaves_something_out_is_told(
    old: str, new: str, rule: str, compose: Compose, tiny: Layout, layout_with: Load
) -> None:
    text = tiny.document.text
    assert old in text

    errors, _ = rules(
        check(compose("x", layout=layout_with({"layout.mjml": text.replace(old, new)})))
    )

    assert errors == [rule]


@pytest.mark.parametrize(
    ("old", "rule"),
    [("{{ unsubscribe_url }}", "unsubscribe-link"), ("{{ postal_address }}", "postal-address")],
)
def test_the_text_part_has_a_footer_too(
    old: str, rule: str, compose: Compose, tiny: Layout, layout_with: Load
) -> None:
    text = tiny.text_document.text.replace(old, "")

    errors, _ = rules(check(compose("x", layout=layout_with({"layout.txt": text}))))

    assert errors == [rule]


def test_a_missing_way_to_the_web_version_deserves_a_look(
    compose: Compose, tiny: Layout, layout_with: Load
) -> None:
    text = tiny.document.text.replace("{{ web_url }}", "https://example.org")

    _, warnings = rules(check(compose("x", layout=layout_with({"layout.mjml": text}))))

    assert warnings == ["web-link", "text-links"]


def test_a_sender_without_an_address_is_told(compose: Compose) -> None:
    found = rules(check(compose("x", brand=Brand())))

    assert found == ([], ["postal-address", "sender-missing", "text-short"])


@pytest.mark.parametrize(
    ("size", "found"),
    [
        (CLOSE_TO_CLIPPED, ([], [])),
        (CLOSE_TO_CLIPPED + 1, ([], ["html-size"])),
        (CLIPPED_AT, ([], ["html-size"])),
        (CLIPPED_AT + 1, (["html-size"], [])),
    ],
)
def test_a_mail_that_gmail_would_clip_is_told(
    size: int, found: tuple[list[str], list[str]], compose: Compose
) -> None:
    done = compose("x")
    html = done.rendition.html
    longer = html.replace("</body>", "x " * ((size - check(done).html_bytes) // 2) + "</body>")
    longer = longer.replace("</body>", "x" * ((size - check(done).html_bytes) % 2) + "</body>")

    assert rules(check(replace(done, rendition=replace(done.rendition, html=longer)))) == found
