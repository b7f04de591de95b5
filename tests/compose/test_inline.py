"""The inliner moves the author's rules and touches nothing that MJML wrote."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from mailer.compose import inline
from mailer.compose.compose import Composed
from mailer.compose.css import troubles_of
from mailer.compose.inline import (
    DOCTYPE,
    MARK,
    inline_styles,
    parse,
    rules_that_may_match,
    serialise,
)
from mailer.compose.layout import Layout
from mailer.compose.mjml import run_engine
from mailer.errors import Fault

CSS = "p { margin: 0 0 9px; color: #c00 !important; } td { width: 77px; text-align: right }"
MEDIA = "@media (max-width: 480px) { p { color: red !important } } @font-face { font-family: x }"
SENTINEL = "q1a2bn12z"


def mail(css: str = CSS, media: str = MEDIA) -> str:
    return run_engine(
        f'<mjml lang="en" dir="ltr"><mj-head><mj-title>x</mj-title><mj-style>{MARK}{css}</mj-style>'
        f"<mj-style>{media}</mj-style></mj-head><mj-body><!--{SENTINEL}-->"
        '<mj-section background-url="https://e.org/b.png" full-width="full-width"><mj-column>'
        f'<mj-image src="https://e.org/a.png" alt="{SENTINEL}" width="550px" />'
        f'<mj-text><p title="{SENTINEL}" style="color:#00c">{SENTINEL}</p><ul><!--{SENTINEL}-->'
        f'<li>x</li></ul></mj-text><mj-button href="https://e.org/?a={SENTINEL}&amp;b=c">Go</mj-button>'
        f'<mj-button href="{SENTINEL}">Go</mj-button></mj-column></mj-section></mj-body></mjml>'
    )


def inlined(html: str) -> str:
    root = parse(html)
    inline_styles(root)
    return serialise(root)


def conditional(html: str) -> list[str]:
    return re.findall(r"<!--\[if.*?\]>.*?<!\[endif\]-->|<!--<!\[endif\]-->", html, re.DOTALL)


def test_the_author_s_rules_are_inlined() -> None:
    root = parse(inlined(mail()))

    style = str(root.xpath("string(//p/@style)")).replace(": ", ":")
    assert "margin:0 0 9px" in style
    assert "color:#00c" in style


def test_conditional_comments_are_unchanged() -> None:
    before = mail()

    assert len(conditional(before)) > 8
    assert conditional(inlined(before)) == conditional(before)


def test_important_rules_are_kept() -> None:
    before, after = mail(css="p { margin: 0 }"), inlined(mail(css="p { margin: 0 }"))

    assert before.count("!important") == after.count("!important") > 2
    assert MEDIA in after


def test_sizes_for_outlook_are_unchanged() -> None:
    before, after = mail(), inlined(mail())

    for name in ("width", "height", "align", "valign", "bgcolor"):
        pattern = rf"<(?:img|table|td)[^>]*? {name}=\"([^\"]*)\""
        assert re.findall(pattern, before) == re.findall(pattern, after)
    assert 'width="550"' in after


def test_every_sentinel_is_still_there() -> None:
    before = mail()

    assert before.count(SENTINEL) == inlined(before).count(SENTINEL) == 7


def test_the_doctype_is_kept() -> None:
    assert inlined(mail()).startswith(f"{DOCTYPE}\n<html")


def test_the_sheet_goes_when_all_of_it_was_inlined_and_stays_when_not() -> None:
    assert MARK not in inlined(mail())
    assert inlined(mail()).count("<style") == mail().count("<style") - 1
    assert "a:hover" in inlined(mail(css="a:hover { color: red }"))


SELECTORS = (
    "p", "P", "td.x", ".ink > div", ".ink.nope", "p, .nope", "#a .nope", "#a", "[title]",
    "ul li", "article p", "a:hover", ".nope:hover", "*", "p + ul", "h1.title a",
)  # fmt: skip


@given(st.lists(st.sampled_from(SELECTORS), max_size=6, unique=True))
@settings(max_examples=40)
def test_leaving_rules_out_changes_nothing(selectors: list[str]) -> None:
    css = "".join(f'{each} {{ font-family: "A{n}", b; }}\n' for n, each in enumerate(selectors))
    html = mail(css=css).replace("<p ", '<p id="a" class="ink x" ')

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inline, "rules_that_may_match", lambda css, root: css)
        whole = inlined(html)

    assert inlined(html) == whole


def test_rules_for_what_is_not_there_are_left_out() -> None:
    root = parse('<p class="a">x</p>')
    css = "p { a: b } .a { a: b } .b { a: b } p .b, ul { a: b } .b, p { a: 'x' } /* } */"

    assert rules_that_may_match(css, root).split("\n") == [
        "p { a: b }",
        ".a { a: b }",
        ".b, p { a: 'x' }",
    ]
    assert rules_that_may_match("@media x { ul { a: b } }", root) == "@media x { ul { a: b } }"
    assert rules_that_may_match("ul { a: '}' }", root) == "ul { a: '}' }"


def test_no_marker_is_left_behind() -> None:
    assert "data-premailer" not in inlined(mail())


def test_a_layout_without_rules_is_left_as_it_is() -> None:
    before = mail(css="", media="")

    assert conditional(inlined(before)) == conditional(before)


def test_inlining_adds_little() -> None:
    assert len(inlined(mail())) < 1.1 * len(mail())


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    inlined(mail(css="p { colour: red; -x-y: z; width: calc(1px + 2px) } td { ¤ }"))

    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("css", "offset"),
    [
        ("p { color: red", 2),
        ("p { } }", 6),
        ("/* { */ p { } }", 14),
        ("a { } @import 'x';", 6),
        ("p { background: url(https://e.org/x.png) }", 16),
        ("p { background: url( '//e.org/x.png') }", 16),
        ("@media (width < 600px) { p { } }", 14),
        ("p { } @media (x) { p { } }", 6),
        ('p { } [title="a,b"] { }', 6),
        (":is(a, b) { }", 0),
        ("p { }  p[ { }", 7),
        ("p { } p..x { }", 6),
    ],
)
def test_a_rule_that_the_inliner_would_lose_is_told(css: str, offset: int) -> None:
    assert [trouble.offset for trouble in troubles_of(css, inlined=True)][:1] == [offset]


def test_media_rules_are_free_in_their_own_sheet() -> None:
    assert troubles_of(MEDIA + '[data-ogsc] p, [title="a,b"] { }', inlined=False) == ()


def test_a_fault_in_a_sheet_names_its_line(
    layout_with: Callable[[dict[str, str]], Layout],
    compose: Callable[..., Composed],
    faults_of: Callable[..., list[Fault]],
) -> None:
    layout = layout_with(
        {"style.css": "p { }\n{% if t.font %}\na { }\n{% endif %}\n\n[a=',']\n{ }\n"}
    )

    (fault,) = faults_of(compose, "Hello", layout=layout)

    assert (fault.file, fault.line) == ("layouts/tiny/style.css", 6)


def test_the_parser_takes_a_long_mail() -> None:
    root = parse("<p>x</p>" + "<!-- " + "y" * 1_000_000 + " --><p>z</p>" * 2000)

    assert isinstance(root, etree._Element)
    assert len(root.findall(".//p")) == 2001
