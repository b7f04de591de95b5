"""A value of the wrong type in MJML is refused at its own place, and the right ones pass."""

from __future__ import annotations

import pytest

from mailer.compose.mjml_check import inspect
from mailer.compose.mjml_values import kind_of
from mailer.compose.mjml_words import TAGS
from tests.compose.test_mjml import Compose, Faults, Load, document


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("<mj-text padding='10'>x</mj-text>", "Did you mean `10px`?"),
        ("<mj-text padding='1em 2px'>x</mj-text>", "one to four lengths"),
        ("<mj-text padding='1px 2px 3px 4px 5px'>x</mj-text>", "one to four lengths"),
        ("<mj-text padding-left='-4px'>x</mj-text>", "a length such as"),
        ("<mj-text font-size='1.2rem'>x</mj-text>", "a length in pixels"),
        ("<mj-text font-size='17'>x</mj-text>", "Did you mean `17px`?"),
        ("<mj-text line-height='1,5'>x</mj-text>", "a height such as"),
        ("<mj-text font-weight='heavy'>x</mj-text>", "a weight such as"),
        ("<mj-text color='#12345'>x</mj-text>", "a colour such as"),
        ("<mj-text color='hsl(1, 2%, 3%)'>x</mj-text>", "a colour such as"),
        ("<mj-text color='nawy'>x</mj-text>", "a colour such as"),
        ("<mj-text color=''>x</mj-text>", "a colour such as"),
        ("<mj-text align='centre'>x</mj-text>", "Did you mean `center`?"),
        ("<mj-text text-transform='upper'>x</mj-text>", "uppercase"),
        ("<mj-text text-decoration='blink'>x</mj-text>", "underline"),
        ("<mj-text letter-spacing='wide'>x</mj-text>", "a length such as"),
        ("<mj-divider border-style='dahsed' />", "Did you mean `dashed`?"),
        ("<mj-divider border-width='1%' />", "a length in pixels"),
        ("<mj-table border='1px solide red'></mj-table>", "a line such as"),
        ("<mj-table cellpadding='2px'></mj-table>", "a whole number"),
        ("<mj-image src='boat.png' alt='' />", "a mail has no folder"),
        ("<mj-image src='data:image/png;base64,AA==' alt='' />", "a whole address"),
        ("<mj-image src='https:///x.png' alt='' />", "a whole address"),
        ("<mj-image src='https://e.org/x.png' alt='' width='50%' />", "a length in pixels"),
        ("<mj-image src='https://e.org/x.png' alt='' fluid-on-mobile='yes' />", "true"),
        ("<mj-button href='javascript:alert(1)'>x</mj-button>", "runs no script"),
        ("<mj-button href='/page'>x</mj-button>", "a whole address"),
        ("<mj-button href='https://[x'>x</mj-button>", "a whole address"),
        ("<mj-button href=''>x</mj-button>", "a whole address"),
        ("<mj-button vertical-align='center'>x</mj-button>", "middle"),
    ],
)
def test_a_value_of_another_type_is_refused_with_its_place(said: str, hint: str) -> None:
    found = document(f"\n{said}")
    (trouble,) = inspect(found).troubles

    assert hint in (trouble.hint or "")
    attribute = found[trouble.offset :].partition("=")[0]
    assert f"`{attribute}`" in trouble.message


@pytest.mark.parametrize(
    "said",
    [
        "<mj-text padding='0 12.5px 5% 0' padding-top='0' font-size='17px'>x</mj-text>",
        "<mj-text line-height='1.5' font-weight='700' letter-spacing='-0.01em'>x</mj-text>",
        "<mj-text line-height='27px' color='Navy' letter-spacing='normal'>x</mj-text>",
        "<mj-text color='#ABC' container-background-color='rgba(1, 2, 3, .5)'>x</mj-text>",
        "<mj-divider border-width='2px' border-style='dotted' border-color='transparent' />",
        "<mj-table border='none' cellpadding='0' width='auto'></mj-table>",
        "<mj-table border='1px solid #ccc' width='100%'></mj-table>",
        "<mj-image src='cid:boat' alt='' width='550px' height='auto' href='mailto:a@e.org' />",
        "<mj-button href='#top' border='0' inner-padding='1px 2px'>x</mj-button>",
        "<mj-button href='q1a2bn7z' width='q1a2bn8z'>x</mj-button>",
        "<mj-button href='https://e.org/?x=q1a2bn7z&amp;y=1' border='0'>x</mj-button>",
    ],
)
def test_values_of_the_right_type_pass(said: str) -> None:
    assert inspect(document(said)).troubles == []


def test_what_is_set_for_all_elements_is_checked_too() -> None:
    head = (
        "<mj-attributes><mj-all padding='x' /><mj-text colour='red' color='#1' />"
        "<mj-class name='a' font-size='1' /><mj-text css-class='b' /></mj-attributes>"
    )

    assert [each.message for each in inspect(document("", head)).troubles] == [
        "`<mj-all>`: `padding` can't be `x`.",
        "`<mj-text>` takes no `colour`.",
        "`<mj-text>`: `color` can't be `#1`.",
        "`<mj-class>`: `font-size` can't be `1`.",
    ]


def test_a_wrong_value_in_a_block_names_its_own_line(
    layout_with: Load, compose: Compose, faults_of: Faults
) -> None:
    text = (
        "{#\nwhat: x\nbody: markdown\n#}\n<mj-section>\n  <mj-column>\n    <mj-text\n"
        '      align="middle"\n      color="{{ t.nothing | default(12) }}">{{ body }}</mj-text>\n'
        "  </mj-column>\n</mj-section>\n{# text #}\n{{ body }}\n"
    )

    faults = faults_of(compose, "Hello", layout=layout_with({"blocks/text.mjml": text}))

    assert [(fault.file, fault.line) for fault in faults] == [
        ("layouts/tiny/blocks/text.mjml", 8),
        ("layouts/tiny/blocks/text.mjml", 9),
    ]


@pytest.mark.parametrize("name", sorted({a for tag in TAGS.values() for a in tag.attributes}))
def test_every_attribute_has_a_type_or_takes_any_text(name: str) -> None:
    free = {
        "alt",
        "name",
        "title",
        "rel",
        "target",
        "usemap",
        "srcset",
        "font-family",
        "ico-font-family",
        "ico-open",
        "ico-close",
        "icon-wrapped-alt",
        "icon-unwrapped-alt",
        "lang",
        "css-class",
    }

    assert (name in free) != any(kind_of(tag, name) for tag in TAGS)
