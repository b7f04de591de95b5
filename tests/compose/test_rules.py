"""Each rule of the check speaks about a bad sample, and is silent about a good one like it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mailer.compose.check import RULES
from mailer.compose.rules.audiences import AUDIENCES
from mailer.model.words import Picture, Trail
from tests.compose.rule_samples import Compose, Sample

URL = "https://example.org/a"
LINK = f"[The harbour page]({URL})"


def heavy(octets: int) -> tuple[Picture, ...]:
    return (Picture("a.jpg", b"x" * octets, 600, 300),)


def trail(**answer: object) -> Sample:
    return Sample(body=LINK, trails={URL: Trail(**answer)})  # type: ignore[arg-type]  # a table's


def linked(href: str, words: str = "The harbour page") -> Sample:
    return Sample(add=f'<p><a href="{href}">{words}</a></p>')


def styled(css: str) -> Sample:
    return Sample(add=f'<p style="{css}">Boats at the quay</p>')


PREHEADER = "A quay again"
WEB = '">Unable to see images? Open this in a browser</a>'
LEAVE = "Unsubscribe "
CASES: dict[str, tuple[Sample, Sample]] = {
    # Structure and law
    "subject-length": (
        Sample(front={"subject": "x" * 79}),
        Sample(front={"subject": "x" * 78}),
    ),
    "hint-left": (Sample(body="✎ Say what is new.\n"), Sample(body="Say what is new.\n")),
    "preheader-missing": (Sample(front={"preheader": ""}), Sample()),
    "preheader-repeats": (Sample(front={"preheader": "boats are back"}), Sample()),
    "preheader-length": (
        Sample(front={"preheader": "y" * 151}),
        Sample(front={"preheader": "y" * 150}),
    ),
    "title": (
        Sample(old="<title>Boats are back</title>", new="<title> </title>"),
        Sample(),
    ),
    "unsubscribe-link": (Sample(text="1 Quay Street, Port City"), Sample()),
    "unsubscribe-hidden": (
        Sample(old=f">{LEAVE}", new=f' hidden="">{LEAVE}'),
        Sample(),
    ),
    "web-link": (Sample(lost="web_url"), Sample()),
    "web-link-sentence": (
        Sample(old=WEB, new='">here</a> to open this in a browser'),
        Sample(),
    ),
    "postal-address": (Sample(text="Unsubscribe"), Sample()),
    "sender-missing": (Sample(sender=""), Sample()),
    "sender-domain": (
        Sample(sender="Harbour <harbour@gmail.com>"),
        Sample(sender="Harbour <harbour@gmail.example.org>"),
    ),
    "sender-no-reply": (
        Sample(sender="Harbour <no-reply@example.org>"),
        Sample(sender="Harbour <no-reply@example.org>", front={"reply_to": "a@example.org"}),
    ),
    # Size
    "html-size": (Sample(body="x " * 51_000), Sample(body="x " * 30_000)),
    "style-size": (
        Sample(add="<style>" + "p { color: red; } " * 500 + "</style>"),
        Sample(add="<style>p { color: red; }</style>"),
    ),
    "style-place": (
        Sample(add="<style>p { margin: 0; }</style>"),
        Sample(old="</head>", new="<style>p { margin: 0; }</style></head>"),
    ),
    "picture-weight": (Sample(pictures=heavy(300_001)), Sample(pictures=heavy(300_000))),
    # Links
    "link-address": (linked("#top"), linked(URL)),
    "link-https": (linked("http://example.org"), linked(URL)),
    "link-shortener": (linked("https://bit.ly/abc"), linked("https://rabbit.ly/abc")),
    "link-ip": (linked("https://3232235777/x"), linked("https://a.3232235777.example.org/x")),
    "link-port": (linked("https://example.org:8443/"), linked("https://example.org:443/")),
    "link-sign-in": (
        linked("https://bank.example@evil.example/"),
        linked("https://example.org/@bank"),
    ),
    "link-mixed-script": (
        linked("https://hаrbour.example/"),  # its second letter is Cyrillic
        linked("https://гавань.example/"),
    ),
    "link-mismatch": (
        linked("https://evil.example/login", "www.bank.example"),
        linked("https://www.bank.example/login", "bank.example"),
    ),
    "link-unmeasured": (
        Sample(front={"clicks": "totals"}, body="[Yours](https://example.org/?c={{ city }})"),
        Sample(front={"clicks": "totals"}, body=LINK),
    ),
    "third-party": (
        Sample(add='<img src="https://elsewhere.example/a.png" alt="A boat" width="9">'),
        Sample(add='<img src="https://news.example.org/a.png" alt="A boat" width="9">'),
    ),
    "link-dead": (trail(status=404), trail(status=200)),
    "link-unsure": (trail(status=403), trail(status=404)),
    "link-private": (
        trail(status=0, trouble="it is private", refused=True),
        trail(status=0, trouble="it does not answer in time"),
    ),
    "link-redirects": (
        trail(status=200, redirects=2, end="https://example.org/b"),
        trail(status=200, redirects=1, end="https://example.org/b"),
    ),
    # Accessibility
    "language": (Sample(old='<html lang="en" dir="ltr"', new="<html"), Sample()),
    "language-body": (Sample(old='lang="en" dir="ltr"', new=""), Sample()),
    "direction": (Sample(front={"lang": "ar", "dir": "ltr"}), Sample(front={"lang": "ar"})),
    "alt-text": (
        Sample(add='<img src="https://news.example.org/a.png">'),
        Sample(add='<img src="https://news.example.org/a.png" alt="">'),
    ),
    "alt-words": (
        Sample(add='<img src="https://news.example.org/a.png" alt="IMG_2031.jpg">'),
        Sample(add='<img src="https://news.example.org/a.png" alt="Two boats at a quay">'),
    ),
    "picture-missing": (
        Sample(add='<img alt="A boat">'),
        Sample(add='<img src="https://news.example.org/a.png" alt="A boat">'),
    ),
    "heading-order": (Sample(body="# One\n\n### Three"), Sample(body="# One\n\n## Two")),
    "heading-one": (Sample(body="# One\n\n# Two"), Sample(body="# One\n\n## Two")),
    "heading-empty": (Sample(add="<h2> </h2>"), Sample(add="<h2>Boats</h2>")),
    "link-text": (linked(URL, "ici"), linked(URL, "ici et là")),
    "link-repeats": (
        Sample(body="[Read more](https://example.org/a) [Read more](https://example.org/b)"),
        Sample(body="[Read more](https://example.org/a) [Read more](https://example.org/a)"),
    ),
    "table-role": (
        Sample(add="<table><tr><td>Boats</td></tr></table>"),
        Sample(add="<table><tr><th>Boats</th></tr><tr><td>2</td></tr></table>"),
    ),
    "text-size": (styled("font-size: 12.9px"), styled("font-size: 13px")),
    "zoom": (
        Sample(old="width=device-width", new="width=device-width, user-scalable=no"),
        Sample(),
    ),
    "contrast": (styled("color: #777777"), styled("color: #767676")),
    "contrast-inverted": (
        # Blue on light grey: enough as it is, too little when the lightness is turned.
        styled("color: #0000ff; background: #eeeeee"),
        styled("color: #222222; background: #eeeeee"),
    ),
    # Mail programs
    "client-support": (styled("mix-blend-mode: screen"), styled("text-align: left")),
    "picture-format": (
        Sample(add='<img src="https://news.example.org/a.webp" alt="A boat">'),
        Sample(add='<img src="https://news.example.org/a.jpg" alt="A boat">'),
    ),
    "css-dropped": (styled("color: rgb(0 0 0 / 50%)"), styled("color: rgb(0, 0, 0)")),
    # Text part
    "text-short": (Sample(text="Unsubscribe"), Sample()),
    "text-links": (linked(URL), Sample(body=LINK)),
    "text-width": (
        Sample(text="word " * 17),
        Sample(text="word " * 15 + "\nhttps://example.org/" + "x" * 100),
    ),
    "text-markup": (Sample(text="A &amp; B"), Sample(text="A & B")),
    # Personal text
    "web-personal": (
        Sample(body="You are {{ email }}"),
        Sample(body="You are {{ email | default('you') }}"),
    ),
    "web-default": (
        Sample(body="Dear {{ name }}"),
        Sample(body="Dear {{ name | default('reader') }}"),
    ),
    "merge-foreign": (Sample(body="Dear *|FNAME|*, boats"), Sample(body="Dear *FNAME*, boats")),
    "merge-greeting": (
        Sample(body='Dear {{ first_name | default("") }}'),
        Sample(body='Dear {{ first_name | default("reader") }}'),
    ),
    # Hidden text
    "hidden-text": (styled("display:none"), styled("display:block")),
    "preheader-first": (
        Sample(old=">" + PREHEADER, new=">Something else. " + PREHEADER),
        Sample(),
    ),
    "hidden-colour": (styled("color: #fefefe"), styled("color: #555555")),
    # Spam filters
    "subject-capitals": (
        Sample(front={"subject": "BOATS ARE BACK"}),
        Sample(front={"subject": "Boats at NATO and UNESCO quays"}),
    ),
    "subject-marks": (
        Sample(front={"subject": "Boats are back!!"}),
        Sample(front={"subject": "Are the boats back?"}),
    ),
    "subject-reply": (
        Sample(front={"subject": "'Re: boats'"}),
        Sample(front={"subject": "'Reading: boats'"}),
    ),
    "sender-name": (Sample(sender="news@example.org"), Sample()),
    "active-content": (Sample(add="<form></form>"), Sample()),
    "picture-only": (
        Sample(body="x", add=3 * '<img src="https://news.example.org/a.png" alt="A boat">'),
        Sample(add='<img src="https://news.example.org/a.png" alt="A boat">'),
    ),
    "title-subject": (
        Sample(old="<title>Boats are back</title>", new="<title>Untitled</title>"),
        Sample(),
    ),
    "message-headers": (
        Sample(message=("Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n", "")),
        Sample(message=("", "")),
    ),
    "message-mime": (
        Sample(message=("text/plain", "text/x-plain")),
        Sample(message=("", "")),
    ),
    # Typography
    "double-space": (Sample(add="<p>Boats  at the quay</p>"), Sample()),
    "straight-quotes": (
        Sample(body='He said "boats"', front={"lang": "sw"}),
        Sample(body="A plank of 5' and 3\"", front={"lang": "sw"}),
    ),
    "french-spaces": (
        Sample(  # past the typographer, which would have set it
            add="<p>Les bateaux : « deux »</p>",
            front={"lang": "fr"},
            old="images?",
            new="images",
        ),
        Sample(
            body="Les bateaux\u00a0: «\u00a0deux\u00a0», à 10:30\u202f!",
            front={"lang": "fr"},
            old="images?",  # the layout's own words are English
            new="images",
        ),
    ),
    "three-dots": (Sample(body="Boats...", front={"lang": "sw"}), Sample(body="Boats…")),
    "hyphen-dash": (
        Sample(body="Boats - two of them", front={"lang": "sw"}),
        Sample(body="Boats – two well-made ones", front={"lang": "sw"}),
    ),
    "space-before": (Sample(body="Boats , two"), Sample(body="Boats, two")),
    "dateline-dash": (
        Sample(body="LOW TAVREN, 24 November The boats are back."),
        Sample(body="LOW TAVREN, 24 November – The boats are back."),
    ),
}
HELD = {rule.name for rule in RULES.values() if rule.judge is None}


@pytest.mark.parametrize("rule", CASES)
def test_a_rule_speaks_about_the_bad_sample_alone(rule: str, compose: Compose) -> None:
    bad, good = CASES[rule]

    assert rule in bad.rules(compose)
    assert rule not in good.rules(compose)


def test_every_rule_has_its_samples() -> None:
    assert set(RULES) - HELD == set(CASES)


def test_every_name_that_a_fault_bears_is_a_rule() -> None:
    rooms = [Path(__file__).parents[2] / "mailer" / room for room in ("compose", "message")]
    named = {
        name
        for room in rooms
        for file in room.rglob("*.py")
        for name in re.findall(r"\brule=\"([\w-]+)\"", file.read_text("utf-8"))
    }

    assert named - set(RULES) == set()


def test_every_rule_says_why_in_a_sentence() -> None:
    unsaid = [rule.name for rule in RULES.values() if not re.search(r"[.)]$", rule.why)]

    assert unsaid == []


def test_a_finding_has_everything_that_a_reader_needs(compose: Compose) -> None:
    body = "One\n\nTwo  [ici](https://example.org)\n"
    (found,) = (
        each for each in Sample(body=body).findings(compose).warnings if each.rule == "link-text"
    )

    assert (found.severity, found.file, found.line) == ("warning", "issue.md", 7)
    assert found.hint == "Let the words name the page."
    assert found.why == RULES["link-text"].why


def test_what_one_audience_lacks_another_has(compose: Compose) -> None:
    square = Sample(add='<p style="background-blend-mode: screen; text-shadow: none">Boats</p>')
    found = {
        name: Sample(add=square.add, audience=audience).findings(compose).support
        for name, audience in AUDIENCES.items()
    }
    shares = {
        name: next(s.affected.without for s in each if s.feature == "css-background-blend-mode")
        for name, each in found.items()
    }

    assert shares["offices"] > shares["everyone"] > 0
