"""Markdown becomes well-formed HTML, and what can't stand where it stands names its line."""

from __future__ import annotations

import jinja2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree

from mailer.compose.directives import Body
from mailer.compose.items import NotAList, items_of
from mailer.compose.lifting import Lifter, choose_prefix
from mailer.compose.markdown import Markdown, Parsed
from mailer.compose.text import References, text_of
from mailer.errors import Fault
from mailer.model.words import Slot


# A language that the typographer does not know, so that it leaves everything alone.
def parse(text: str, language: str = "sw", first: int = 1) -> tuple[Markdown, Parsed, list[Fault]]:
    faults: list[Fault] = []
    lifter = Lifter("issue.md", choose_prefix([text]), faults)
    lifted = lifter.lift(text, first)
    markdown = Markdown(language, lifter, faults)
    return markdown, markdown.parse(Body(lifted.text, lifted.numbers)), faults


def html(text: str, language: str = "sw") -> str:
    markdown, parsed, faults = parse(text, language)
    assert faults == []
    return markdown.html(parsed)


def test_html_in_the_source_is_text() -> None:
    assert html("a <b>c</b> & <script>") == "<p>a &lt;b&gt;c&lt;/b&gt; &amp; &lt;script&gt;</p>"
    assert html("<div>\n\nx") == "<p>&lt;div&gt;</p>\n<p>x</p>"


def test_void_elements_are_closed_as_xml_wants() -> None:
    assert html("a  \nb\n\n***") == "<p>a<br />\nb</p>\n<hr />"


def test_tables_and_strikethrough_are_there() -> None:
    assert "<th>A</th>" in html("| A |\n|---|\n| ~~b~~ |")
    assert "<s>b</s>" in html("| A |\n|---|\n| ~~b~~ |")


def test_quotes_are_curled_in_a_language_that_the_typographer_knows() -> None:
    assert html('"it\'s" -- so...', "en-GB") == "<p>“it’s” – so…</p>"
    assert html('"it\'s" -- so...') == "<p>&quot;it's&quot; -- so...</p>"


def test_expressions_are_safe_from_the_typographer_and_from_tables() -> None:
    markdown, parsed, faults = parse('| a |\n|---|\n| {{ b | default("x_y_z") }} |', "en")

    (sentinel,) = markdown.lifter.slots
    assert faults == []
    assert f"<td>{sentinel}</td>" in markdown.html(parsed)


def test_a_page_of_quotes_is_not_curled_for_minutes() -> None:
    assert html("\"a' " * 10_000, "en").count("&quot;") == 10_000


def test_tags_alone_on_a_line_surround_blocks_as_comments() -> None:
    markdown, parsed, faults = parse("a\n{% if x %}\nb\n{% endif %}\nc")

    opens, closes = markdown.lifter.slots
    assert faults == []
    assert markdown.html(parsed) == (
        f"<p>a</p>\n<!--{opens}-->\n<p>b</p>\n<!--{closes}-->\n<p>c</p>"
    )


def test_two_tags_on_a_line_of_their_own_surround_blocks_too() -> None:
    markdown, parsed, faults = parse("{% if x %} {% if y %}\nb\n{% endif %}{% endif %}")

    assert faults == []
    assert markdown.html(parsed).count("-->") == 4


@pytest.mark.parametrize(
    ("text", "lists"),
    [
        ("- a\n{% if x %}\n- b\n{% endif %}\n- c", 1),
        ("- a\n{% if x %}\n- b\n{% endif %}", 1),
        ("{% if x %}\n- a\n{% endif %}\n- b", 1),
        ("- a\n{% if x %}\n- b\n{% else %}\n- c\n{% endif %}", 1),
        ("- a\n{% if x %}\n- b\n{% endif %}\n\nText", 1),
        ("- a\n{% if x %}\n{% if y %}\n- b\n{% endif %}\n{% endif %}", 1),
        ("{% if x %}\n- a\n{% else %}\n- b\n{% endif %}\n- c", 1),
        ("{% if x %}\n- a\n- b\n{% endif %}", 1),
        ("{% if x %}\n- a\n{% endif %}\n{% if y %}\n- b\n{% endif %}", 2),
        ("{% if x %}\n- a\n{% else %}\n- b\n{% endif %}", 2),
        ("- a\n{% if x %}\n- b\n\nText\n\n{% endif %}", 2),
        ("- a\n{% if x %}\n* b\n{% endif %}", 2),
        ("- a\n  - b\n  {% if x %}\n  - c\n  {% endif %}\n- d", 2),
    ],
)
def test_tags_between_items_leave_one_list_that_is_whole_either_way(text: str, lists: int) -> None:
    markdown, parsed, faults = parse(text)

    assert faults == []
    html = markdown.html(parsed)
    assert html.count("<ul>") == lists
    for shown in branches(html, list(markdown.lifter.slots.values())):
        etree.fromstring(f"<div>{shown}</div>")
        assert "<ul>\n</ul>" not in shown


def branches(html: str, slots: list[Slot]) -> list[str]:
    """Returns the text for each way that its conditions may fall out."""
    opened = [slot for slot in slots if slot.source.startswith("if")]
    results = []
    for choice in range(2 ** len(opened)):
        source = html
        for number, slot in enumerate(opened):
            source = source.replace(f"<!--{slot.sentinel}-->", f"{{% if {choice >> number & 1} %}}")
        for slot in slots:
            source = source.replace(f"<!--{slot.sentinel}-->", f"{{% {slot.source} %}}")
        results.append(jinja2.Template(source).render())
    return results


@pytest.mark.parametrize(
    "text",
    [
        "{% if x %}a{% else %}b{% endif %} c",
        "# {% if x %}a{% endif %}",
        "- {% if x %}a{% endif %}\n- b",
        "**{% if x %}a{% endif %}**",
        "[{% if x %}a{% endif %}](https://example.org)",
        "[a](https://example.org/{% if x %}a{% else %}b{% endif %})",
        "[a]({{ web_url }})",
        "> {% if x %}\n> a\n> {% endif %}",
        "- a\n\n  {% if x %}\n  b\n  {% endif %}",
        "{% for x in things %}\n- {{ x }}\n{% endfor %}",
        "| {% if x %}a{% endif %} |\n|---|\n| b |",
    ],
)
def test_tags_that_close_where_they_opened_are_fine(text: str) -> None:
    _, _, faults = parse(text)

    assert faults == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a {% if x %} b\n\nc {% endif %}", 5),
        ("- {% if x %}a\n- b{% endif %}", 5),
        ("**{% if x %}a** b{% endif %}", 5),
        ("a\nb [{% if x %}c](https://example.org){% endif %}", 6),
        ("[a](https://example.org/{% if x %}b)\n{% endif %}", 5),
        ("{% if x %}\na", 5),
        ("a\n\n{% endif %}", 7),
        ("> {% if x %}\n> a\n\n{% endif %}", 5),
        ("`{% if x %}` {% else %} b", 5),
        ("    {% if x %}\n    a", 5),
        ("| {% if x %}a |\n|---|\n| b{% endif %} |", 5),
        ("{% include 'x' %}", 5),
    ],
)
def test_tags_that_do_not_are_faults_with_their_line(text: str, line: int) -> None:
    _, _, faults = parse(text, first=5)

    assert [fault.line for fault in faults][:1] == [line]
    assert {fault.rule for fault in faults} <= {"personal-text"}


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a\nb [c](foo)", 2, "no whole address"),
        ("[c](javascript:alert)", 1, "can't be `javascript:`"),
        ("[c](data:text/html,x)", 1, "can't be `data:`"),
        ("[c](//example.org)", 1, "no whole address"),
        ("[c](https://)", 1, "names no host"),
        ("[c]()", 1, "no address"),
        ("a  \nb\n[c][d]\n\n[d]: #top", 3, "no whole address"),
        ("a\n\n![boat](boat.png)", 3, "picture can't stand in the text"),
    ],
)
def test_bad_links_are_faults_with_their_line(text: str, line: int, says: str) -> None:
    _, _, faults = parse(text)

    assert len(faults) == 1
    assert (faults[0].line, faults[0].rule) == (line, "links")
    assert says in faults[0].message


def test_items_are_the_parts_of_one_list() -> None:
    markdown, parsed, faults = parse(
        "- One. *The Paper*\n- Two [x](https://example.org)\n\n- Three"
    )

    items = items_of(parsed, markdown, References())

    assert faults == []
    assert [item.text for item in items] == ["One. The Paper", "Two x [1]", "Three"]
    assert "<em>The Paper</em>" in items[0].html


@pytest.mark.parametrize(
    ("text", "offset"), [("", 0), ("a", 0), ("- a\n\nb", 2), ("- a\n\n1. b", 2), ("# a", 0)]
)
def test_what_is_not_one_list_is_told(text: str, offset: int) -> None:
    markdown, parsed, _ = parse(text)

    with pytest.raises(NotAList) as caught:
        items_of(parsed, markdown, References())
    assert caught.value.offset == offset


@given(st.text(st.sampled_from(list("ab*_`[]()<>&\"'\\!#-+|~:/. \n\t1{%}é\xa0")), max_size=60))
def test_the_output_is_well_formed_whatever_the_source(text: str) -> None:
    markdown, parsed, _ = parse(text, "en")

    etree.fromstring(f"<div>{markdown.html(parsed)}</div>")


# Letters around it, because Markdown itself trims a paragraph's ends.
@example("[^0]")
@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=30))
def test_any_text_arrives_unchanged_when_its_signs_are_escaped(text: str) -> None:
    inside = f"a{text}b"
    escaped = "".join(
        f"\\{c}" if c.isascii() and not c.isalnum() and c != " " else c for c in inside
    )

    root = etree.fromstring(html(escaped))

    assert "".join(root.itertext()) == inside


def test_links_keep_personal_values() -> None:
    markdown, parsed, _ = parse("[a](https://example.org/?e={{ email }}&f=g)")

    (sentinel,) = markdown.lifter.slots
    assert f'href="https://example.org/?e={sentinel}&amp;f=g"' in markdown.html(parsed)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\n\nb\n" + "*" * 100_000 + "a" + "*" * 100_000, 4),
        ("a\n\n" + "*a " * 60 + "b" + " c*" * 60, 3),
        ("a\n\n" + "> " * 5_000 + "b", 3),
        ("\n".join("  " * n + f"- item {n}" for n in range(12)), 10),
    ],
    ids=["stars", "emphasis", "quotations", "lists"],
)
def test_what_stands_too_deep_is_a_fault(text: str, line: int) -> None:
    markdown, parsed, faults = parse(text)

    assert [(fault.line, "inside one another" in fault.message) for fault in faults] == [
        (line, True)
    ]
    assert len(markdown.html(parsed)) < 1_000
    assert text_of(parsed, References()) == ""


def test_a_headline_that_stands_too_deep_is_a_fault() -> None:
    faults: list[Fault] = []
    markdown = Markdown("en", Lifter("issue.md", choose_prefix([]), faults), faults)
    parsed = markdown.parse_inline("*" * 200 + "a" + "*" * 200, 7, place="the option")

    assert [fault.line for fault in faults] == [7]
    assert markdown.html(parsed) == ""


def test_nothing_of_nine_lists_is_lost() -> None:
    found = html("\n".join("  " * n + f"- item {n}" for n in range(9)))

    assert all(f"item {n}" in found for n in range(9))
    assert html("*" * 50 + "a" + "*" * 50).count("<strong>") == 25
