"""A layout loads with all its faults told at once, and its templates fail at their own lines."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mailer.compose.compose import Composed
from mailer.compose.layout import Layout, OptionKind
from mailer.errors import Fault

Load = Callable[[dict[str, str]], Layout]
Faults = Callable[..., list[Fault]]
Compose = Callable[..., Composed]


def test_a_block_says_what_it_takes(tiny: Layout) -> None:
    story = tiny.blocks["story"]

    assert (story.what, story.body) == ("A story.", "markdown")
    assert story.options["headline"] == OptionKind("headline", "inline", required=True)
    assert story.options["share"].among == ("facebook", "x", "mail")
    assert story.options["style"].default == "standard"
    assert story.example.startswith("::: story picture=a.jpg")
    assert set(tiny.blocks) == {"digest", "story", "text"}


def test_tokens_are_text_numbers_and_groups(layout_with: Load) -> None:
    layout = layout_with(
        {"theme.yaml": 'a: no\nb: 12\nc: "12"\nd: 1.5\ng: {page: "#fff", gap: 8}\n'}
    )

    assert layout.theme == {
        "a": "no",
        "b": 12,
        "c": "12",
        "d": "1.5",
        "g": {"page": "#fff", "gap": 8},
    }


def test_files_that_begin_with_an_underscore_are_included_and_are_no_blocks(
    layout_with: Load, compose: Compose
) -> None:
    layout = layout_with(
        {
            "blocks/_line.mjml": "<div>included {{ body }}</div>",
            "blocks/text.mjml": "{#\nbody: markdown\n#}\n<mj-section><mj-column><mj-text>"
            '{% include "blocks/_line.mjml" %}</mj-text></mj-column></mj-section>\n{# text #}\n'
            "{{ body }}",
        }
    )

    assert "_line" not in layout.blocks
    assert "included <p" in compose("Hello", layout=layout).rendition.html


BLOCK = "{#\nwhat: x\nbody: markdown\noptions:\n  %s\n#}\n<mj-section />\n{# text #}\n"


@pytest.mark.parametrize(
    ("name", "text", "line", "says"),
    [
        ("blocks/a.mjml", "<mj-section />", 1, "begins with a comment"),
        ("blocks/a.mjml", "{#\nwhat: x\n#}\n<mj-section />", 4, "no text part"),
        ("blocks/a.mjml", "{#\nwhat: x\nboddy: items\n#}\n{# text #}", 3, "Did you mean `body`?"),
        ("blocks/a.mjml", "{#\nbody: markdwon\n#}\n{# text #}", 2, "Did you mean `markdown`?"),
        ("blocks/a.mjml", "{#\nwhat: a: b\n#}\n{# text #}", 2, "YAML"),
        ("blocks/a.mjml", BLOCK % "a: {type: pictur}", 5, "Did you mean `picture`?"),
        ("blocks/a.mjml", BLOCK % "a: {typ: text}", 5, "Did you mean `type`?"),
        ("blocks/a.mjml", BLOCK % "a: {type: choice}", 5, "wants `among"),
        ("blocks/a.mjml", BLOCK % "when: {type: text}", 5, "can't name an option"),
        ("blocks/a.mjml", BLOCK % "a-b: {type: text}", 5, "can't name an option"),
        ("blocks/a.mjml", BLOCK % "a: text", 5, "wants `{type: …}`"),
        ("blocks/a.mjml", "{#\nbody: none\n#}\n<a>\n{% if x %}\n{# text #}", 5, "can't be read"),
        (
            "blocks/a.mjml",
            "{#\nbody: none\n#}\n<a />\n{# text #}\nx\n{{ a b }}",
            7,
            "can't be read",
        ),
        ("layout.mjml", "<mjml>\n\n{{ }}", 3, "can't be read"),
        ("layout.txt", "a\n{% endif %}", 2, "can't be read"),
        ("style.css", "p {}\n{% if %}", 2, "can't be read"),
        ("theme.yaml", "a: 1\nb: [1]\n", 2, "is a token"),
        ("theme.yaml", "a: 1\na: 2\n", 2, "stands twice"),
    ],
)
def test_each_fault_names_file_and_line(
    name: str, text: str, line: int, says: str, layout_with: Load, faults_of: Faults
) -> None:
    faults = faults_of(layout_with, {name: text})

    assert (f"layouts/tiny/{name}", line) in {(fault.file, fault.line) for fault in faults}
    assert says in " ".join(map(str, faults))


def test_faults_of_several_files_are_told_together(layout_with: Load, faults_of: Faults) -> None:
    faults = faults_of(layout_with, {"blocks/a.mjml": "x", "blocks/b.mjml": "y"})

    assert [fault.file for fault in faults] == [
        "layouts/tiny/blocks/a.mjml",
        "layouts/tiny/blocks/b.mjml",
    ]


def test_a_layout_must_show_plain_markdown(layout_with: Load, faults_of: Faults) -> None:
    faults = faults_of(layout_with, {"blocks/text.mjml": ""})

    assert "no block `text`" in " ".join(map(str, faults))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{{ headlin }}", "`headlin` is no variable of this template. Did you mean `headline`?"),
        ("{{ t.colours.paper }}", "has no attribute 'paper'"),
        ("{{ 1 // 0 }}", "can't be filled in"),
        ("{{ body + 1 }}", "can't be filled in"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{{ 'friendster' | share(web_url) }}", "`friendster` is no network"),
        ("{% include 'nothing.mjml' %}", "no file `nothing.mjml` to include"),
        ("{% for a in headline.nope %}{% endfor %}", "has no attribute 'nope'"),
    ],
)
@pytest.mark.parametrize("part", ["markup", "text"])
def test_a_template_that_fails_names_its_line(
    part: str, line: str, says: str, layout_with: Load, compose: Compose, faults_of: Faults
) -> None:
    inside = {"markup": "", "text": "", part: f"\n{{% if headline %}}\n{line}\n{{% endif %}}"}
    block = (
        "{#\nbody: markdown\noptions:\n  headline: {type: text}\n#}\n"
        "<mj-section><mj-column><mj-text>"
        f"{inside['markup']}</mj-text></mj-column></mj-section>\n{{# text #}}\n{inside['text']}"
    )
    layout = layout_with({"blocks/quote.mjml": block})

    (fault,) = faults_of(compose, "::: quote headline=x\n:::", layout=layout)

    assert says in str(fault)
    assert fault.file == "layouts/tiny/blocks/quote.mjml"
    assert block.split("\n")[(fault.line or 0) - 1] == line


def test_a_template_that_includes_itself_is_a_fault(
    layout_with: Load, compose: Compose, faults_of: Faults
) -> None:
    layout = layout_with(
        {
            "blocks/_a.mjml": '{% include "blocks/_a.mjml" %}',
            "blocks/text.mjml": "{#\nbody: markdown\n#}\n"
            '{% include "blocks/_a.mjml" %}\n{# text #}\n',
        }
    )

    (fault,) = faults_of(compose, "Hello", layout=layout)

    assert "includes itself" in fault.message


def test_a_block_that_an_issue_does_not_use_is_not_read(
    compose: Compose, layout_with: Callable[..., Layout], faults_of: Faults
) -> None:
    broken, torn = "no description", "{#\n#}\n{# text #}\n{%"
    layout = layout_with({"blocks/broken.mjml": broken, "blocks/torn.mjml": torn}, whole=False)

    assert "Hello" in compose("Hello", layout=layout).rendition.text
    faults = faults_of(compose, "::: broken\n:::\n::: torn\n:::\n::: broken\n:::", layout=layout)
    assert [(fault.file, fault.line) for fault in faults] == [
        ("layouts/tiny/blocks/broken.mjml", 1),
        ("layouts/tiny/blocks/torn.mjml", 4),
    ]
    assert "broken" in layout.blocks
