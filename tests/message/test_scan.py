"""Each slot of a document is found in its context, and refused where no value may stand."""

from __future__ import annotations

import pytest

from mailer.message.contexts import Context, Cutter, Hole, Segment, text_segments
from mailer.message.scan import html_segments
from tests.message.letters import Pen


def scanned(html: str) -> tuple[list[Segment], list[str]]:
    pen = Pen()
    document = pen.lift(html)
    segments, faults = html_segments(document, Cutter(pen.slots))
    return segments, [str(fault) for fault in faults]


def contexts(segments: list[Segment]) -> list[str]:
    return [piece.context.value for piece in segments if isinstance(piece, Hole)]


def shown(segments: list[Segment]) -> str:
    return "".join(piece if isinstance(piece, str) else "·" for piece in segments)


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>{{ a }}</p>", ["html"]),
        ("{{ a }}", ["html"]),
        ("<title>{{ a }}</title>", ["html"]),
        ("<title><!--{{ a }}--></title>", ["html"]),
        ("1 < 2 {{ a }} > 0", ["html"]),
        ('<p title="{{ a }}">', ["attribute"]),
        ("<p title='x {{ a }}'>", ["attribute"]),
        ('<p title="a > b {{ a }}">', ["attribute"]),
        ('<a href="{{ a }}">', ["url"]),
        ('<a HREF = " {{ a }}?b=c">', ["url"]),
        ('<a href="{{ a }}{{ b }}">', ["url", "url_part"]),
        ('<a href="https://x.example/{{ a }}?b={{ b }}">', ["url_part", "url_part"]),
        ('<img src="{{ a }}" alt="{{ b }}"/>', ["url", "attribute"]),
        ('<td background="{{ a }}">', ["url"]),
        (
            '<a href="{% if a %}{{ a }}{% else %}https://x.example/{{ b }}{% endif %}">',
            ["url", "url", "url_part", "url_part", "url_part"],
        ),
        (
            '<a href="{% if a %}https://x.example/{% endif %}{{ b }}">',
            ["url", "url_part", "url_part"],
        ),
        ('<p style="{% if a %}color:red{% endif %}">', ["attribute", "attribute"]),
        ("<!--[if mso]><b>{{ a }}</b><![endif]-->", ["html"]),
        ('<!--[if mso | IE]><v:rect href="{{ a }}"/><![endif]-->', ["url"]),
        ("<!--[if !mso]><!--><b>{{ a }}</b><!--<![endif]-->{{ b }}", ["html", "html"]),
        ("<!--{% if a %}--><p>x</p><!--{% endif %}-->", ["html", "html"]),
        ("<!-- {% if a %}{% if b %} --><p>x</p><!--{% endif %}{% endif %}-->", ["html"] * 4),
        ("<style>a{}</style>{{ a }}<script>1</script>", ["html"]),
    ],
)
def test_contexts(html: str, expected: list[str]) -> None:
    segments, faults = scanned(html)

    assert faults == []
    assert contexts(segments) == expected


@pytest.mark.parametrize(
    ("html", "place"),
    [
        ("<style>p { color: {{ a }} }</style>", "<style>"),
        ("<STYLE>{% if a %}</STYLE>", "<style>"),
        ("<script>var a = '{{ a }}'</script>", "<script>"),
        ("<!-- about {{ a }} -->", "a comment"),
        ("<!--{{ a }}-->", "a comment"),
        ("<!-- {% if a %} and more -->", "a comment"),
        ("<!-- never closed {{ a }}", "a comment"),
        ("<!DOCTYPE {{ a }}>", "a declaration"),
        ("<{{ a }}>", "a tag's or an attribute's name"),
        ("<td {{ a }}>", "a tag's or an attribute's name"),
        ("<td {{ a }}='x'>", "a tag's or an attribute's name"),
        ("<td title={{ a }}>", "a value without quotes"),
        ('<td style="color:{{ a }}">', "the attribute `style`"),
        ('<td onclick="{{ a }}">', "the attribute `onclick`"),
        ('<img srcset="{{ a }} 2x">', "the attribute `srcset`"),
        ('<meta http-equiv="refresh" content="0;{{ a }}">', "the attribute `content`"),
        (
            "<!--[if mso]><!--{% if a %}--><![endif]-->",
            "a part that only Outlook reads",
        ),
    ],
)
def test_where_no_slot_may_stand(html: str, place: str) -> None:
    _, faults = scanned(html)

    assert [place in fault for fault in faults] == [True]
    assert faults[0].startswith("issue.md:1: ")


def test_constants_are_kept_to_the_byte() -> None:
    html = (
        "<!doctype html><!-- kept --><p a b='1' c=d\n>x</p><!--[if mso]><br/><![endif]-->"
        "<a href='{{ a }}' title=\"{{ b }}\">y</a><!--{% if a %}-->z<!--{% endif %}--></ p>"
    )
    segments, faults = scanned(html)

    assert faults == []
    assert shown(segments) == (
        "<!doctype html><!-- kept --><p a b='1' c=d\n>x</p><!--[if mso]><br/><![endif]-->"
        "<a href='·' title=\"·\">y</a>·z·</ p>"
    )


def test_places_are_told_apart() -> None:
    segments, _ = scanned('{% if a %}<p title="{% endif %}{{ b }}">{{ c }}<!--[if mso]>{{ d }}')
    homes = [piece.home for piece in segments if isinstance(piece, Hole)]

    assert homes[0] == homes[3] == 0
    assert homes[1] == homes[2] != 0
    assert homes[4] not in homes[:4]


def text(written: str) -> list[Segment]:
    pen = Pen()
    document = pen.lift(written)
    return text_segments(document, Cutter(pen.slots))


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("a\n\n{% if x %}\n\nb\n\n{% endif %}\n\nc\n", "a\n\n·b\n\n·c\n"),
        ("a\n{% if x %}\nb\n{% endif %}\nc\n", "a\n·b\n·c\n"),
        ("a {% if x %}b{% endif %} c\n", "a ·b· c\n"),
        ("{% if x %}\n\na\n\n{% endif %}{% if y %}\n\nb\n\n{% endif %}\n", "·a\n\n··b\n·"),
        ("a\n\n{{ x }}\n\nb\n", "a\n\n·\n\nb\n"),
    ],
)
def test_a_tag_alone_takes_its_line_with_it(written: str, kept: str) -> None:
    assert shown(text(written)) == kept


@pytest.mark.parametrize(
    ("written", "context"),
    [
        ("Dear {{ a }}", Context.text),
        ("{{ a }}/x", Context.text),
        ("[1] https://x.example/?c={{ a }}", Context.url_part),
        ("<https://x.example/{{ a }}>", Context.url_part),
        ("https://x.example/ {{ a }}", Context.text),
        ("see https://x.example/\n{{ a }}", Context.text),
        ("mailto:x@example.org?subject={{ a }}", Context.url_part),
    ],
)
def test_a_value_inside_of_a_url_in_plain_text(written: str, context: Context) -> None:
    assert contexts(text(written)) == [context.value]
