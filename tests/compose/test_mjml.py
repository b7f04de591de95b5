"""MJML is checked with the block's own lines, and reaches HTML without the engine's faults."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from mailer.compose.compose import Composed
from mailer.compose.inline import parse
from mailer.compose.layout import Layout
from mailer.compose.mjml import EngineError, guard, locate_engine, prepared, run_engine, without
from mailer.compose.mjml_check import DEEPEST, inspect
from mailer.compose.mjml_words import TAGS
from mailer.compose.templates import MARKED, Source, Templates
from mailer.errors import Fault

Load = Callable[[dict[str, str]], Layout]
Faults = Callable[..., list[Fault]]
Compose = Callable[..., Composed]
TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=40)


def document(inside: str, head: str = "") -> str:
    return (
        f'<mjml lang="en" dir="ltr"><mj-head>{head}</mj-head><mj-body><mj-section><mj-column>'
        f"{inside}</mj-column></mj-section></mj-body></mjml>"
    )


def reference(text: str) -> str:
    return "".join(f"&#{ord(character)};" for character in text)


# Attribute values -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "a\\b",
        "a\xa0b",
        "so\xadft",
        "e\u0301",
        "\u200f\u200d\ufe0f",
        "ภาษาไทย",
        "हिन्दी",
        'a"b',
        "'",
        "&<>",
    ],
)
def test_the_engine_alone_would_corrupt_these_values_and_does_not(text: str) -> None:
    root = parse(
        run_engine(document(f'<mj-image src="https://e.org/a.png" alt="{reference(text)}" />'))
    )

    assert root.xpath("string(//img/@alt)") == text


def test_the_engine_still_needs_guarding() -> None:
    """When this fails, the engine was mended, and ``guard`` can go."""
    from mjml import mjml2html

    html = mjml2html(document('<mj-image src="https://e.org/a.png" alt="a\xa0b" />'))

    assert "a\xa0b" not in html


@given(TEXT, TEXT)
def test_any_text_in_any_attribute_arrives_unchanged(alt: str, title: str) -> None:
    escaped = alt.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&#34;")
    html = run_engine(
        document(
            f'<mj-image src="https://e.org/a.png" alt="{escaped}" />'
            f"<mj-text><p title=\"{escaped}\">x</p><a href='https://e.org/?{reference(title)}' "
            f"title='{reference(title)}'>y</a></mj-text>"
        )
    )

    root = parse(html)
    assert root.xpath("string(//img/@alt)") == alt
    assert root.xpath("string(//p/@title)") == alt
    assert root.xpath("string(//a/@title)") == title
    assert root.xpath("string(//a/@href)") == f"https://e.org/?{title}"


@given(TEXT)
def test_any_text_in_the_title_arrives_unchanged_in_both_places(text: str) -> None:
    inside = f"a{text}b"  # the engine trims a title
    escaped = inside.replace("&", "&amp;").replace("<", "&lt;")

    root = parse(run_engine(document("", f"<mj-title>{escaped}</mj-title>")))

    assert root.findtext("head/title") == inside
    assert root.xpath("string(//div[@role='article']/@aria-label)") == inside


def test_what_is_not_an_attribute_is_left_alone() -> None:
    markup = (
        '<!-- a="é" --><mj-style>a[title="é"] { content: "\\\\201C" }</mj-style>'
        '<mj-text>é \\ "quoted" text</mj-text>'
    )

    assert guard(markup)[0] == markup


def test_line_breaks_in_a_value_stay_line_breaks() -> None:
    root = parse(run_engine(document('<mj-text><p title="a\n\tb">x</p></mj-text>')))

    assert root.xpath("string(//p/@title)") == "a\n\tb"


# The engine's other traps ---------------------------------------------------------------


def test_no_font_is_loaded_from_elsewhere() -> None:
    html = run_engine(document('<mj-text font-family="Ubuntu, sans-serif">x</mj-text>'))

    assert "googleapis" not in html
    assert "@import" not in html


def test_language_and_direction_arrive() -> None:
    root = parse(run_engine(document("<mj-text>x</mj-text>")))

    assert (root.get("lang"), root.get("dir")) == ("en", "ltr")


def test_rendering_twice_gives_the_same_bytes() -> None:
    markup = document(
        '<mj-navbar hamburger="hamburger"><mj-navbar-link href="#">x</mj-navbar-link></mj-navbar>'
    )

    assert run_engine(markup) == run_engine(markup)


@pytest.mark.parametrize("tag", ["mj-wrapper", "mj-section", "div"])
def test_two_thousand_levels_never_reach_the_engine(tag: str) -> None:
    deep = document(f"<mj-text>{f'<{tag}>' * 2000}{f'</{tag}>' * 2000}</mj-text>")

    troubles = inspect(deep).troubles

    assert 1 <= len(troubles) <= 60
    assert tag != "div" or f"deeper than {DEEPEST}" in troubles[-1].message


def test_an_entity_bomb_is_refused_unopened() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><mjml>&b;</mjml>'

    assert "document type" in inspect(bomb).troubles[0].message


def test_the_engine_inlines_no_style_so_the_word_is_refused() -> None:
    (trouble,) = inspect(document("", '<mj-style inline="inline">p { }</mj-style>')).troubles

    assert "`<mj-style>` takes no `inline`" in trouble.message


def test_a_document_without_a_body_is_refused() -> None:
    assert run_engine("<mjml><mj-head></mj-head></mjml>")  # the engine takes it
    (trouble,) = inspect("<mjml><mj-head></mj-head></mjml>").troubles

    assert trouble.message == "There is no `<mj-body>`."


SOCIAL = "<mj-social><mj-social-element{} href='https://e.org/me'>x</mj-social-element></mj-social>"
ELEMENT = (
    "<mj-accordion{}><mj-accordion-element><mj-accordion-title>x</mj-accordion-title>"
    "</mj-accordion-element></mj-accordion>"
)
SLIDES = (
    "<mj-carousel{}><mj-carousel-image src='https://e.org/1.png' alt='' />"
    "<mj-carousel-image src='https://e.org/2.png' alt='' /></mj-carousel>"
)


@pytest.mark.parametrize(
    ("inside", "host", "own"),
    [
        (SOCIAL, "mailjet.com", ' name="web" src="https://e.org/i.png"'),
        (
            ELEMENT,
            "imgur.com",
            ' icon-wrapped-url="https://e.org/1.png" icon-unwrapped-url="https://e.org/2.png"',
        ),
        (SLIDES, "imgur.com", ' left-icon="https://e.org/1.png" right-icon="https://e.org/2.png"'),
    ],
)
def test_pictures_of_others_are_refused_until_own_ones_are_named(
    inside: str, host: str, own: str
) -> None:
    bare = inside.format(' name="web"' if inside is SOCIAL else "")

    assert host in run_engine(document(bare))
    assert any(
        "somebody else's server" in (each.hint or "") for each in inspect(document(bare)).troubles
    )
    assert host not in run_engine(document(inside.format(own)))
    assert inspect(document(inside.format(own))).troubles == []


def test_own_icons_may_be_named_once_for_all() -> None:
    head = '<mj-attributes><mj-social-element src="https://e.org/i.png" /></mj-attributes>'

    assert inspect(document(SOCIAL.format(""), head)).troubles == []


def test_a_name_that_makes_a_share_link_is_refused() -> None:
    own = ' name="facebook" src="https://e.org/i.png"'

    assert "facebook.com/sharer" in run_engine(document(SOCIAL.format(own)))
    (trouble,) = inspect(document(SOCIAL.format(own))).troubles
    assert "`facebook-noshare`" in (trouble.hint or "")
    kept = SOCIAL.format(own.replace("facebook", "facebook-noshare"))
    assert inspect(document(kept)).troubles == []
    assert "sharer" not in run_engine(document(kept))


def test_a_picture_says_what_it_shows() -> None:
    assert (
        "alt" not in run_engine(document('<mj-image src="https://e.org/a.png" />')).split("<img")[1]
    )
    (trouble,) = inspect(document('<mj-image src="https://e.org/a.png" />')).troubles

    assert trouble.message == "`<mj-image>` needs `alt`."


def test_many_comments_cost_no_more_than_their_number() -> None:
    """The place of each is counted on from the last: 60,000 of them took minutes."""
    found = inspect(document(f"<mj-text>é{'<!--x-->é' * 60_000}</mj-text>"))

    assert len(found.comments) == 60_000
    assert found.comments[-1][0] - found.comments[0][0] == 59_999 * len("<!--x-->é")


# Our own validation ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("<mj-txt>x</mj-txt>", "MJML has no `<mj-txt>`. Did you mean `mj-text`?"),
        ('<mj-text colour="red">x</mj-text>', "takes no `colour`. Did you mean `color`?"),
        ('<mj-button title="x">x</mj-button>', "`<mj-button>` takes no `title`"),
        ("<mj-section></mj-section>", "`<mj-section>` can't stand in `<mj-column>`"),
        ("<mj-text><mj-image /></mj-text>", "`<mj-image>` can't stand in `<mj-text>`"),
        ("<p>x</p>", "`<p>` can't stand in `<mj-column>`"),
        ("some text", "text in `<mj-column>`, where no text is shown"),
        (
            "<mj-include path='x.mjml' />",
            "`<mj-include>` can't be used. A layout includes with Jinja2",
        ),
        ("<mj-text><p>x</mj-text>", "`<p>` is not closed before this tag"),
        ("<mj-text>a<br>b</mj-text>", "not closed before this tag"),
        ("<mj-text>a < b</mj-text>", "A `<` or `&` that is text"),
        ("<mj-text>a & b</mj-text>", "A `<` or `&` that is text"),
        ("<mj-text><![CDATA[x]]></mj-text>", "CDATA can't be used"),
        ("<mj-text><?php x ?></mj-text>", "`<?php` can't be used"),
        ("<mj-text><![if !mso]>x<![endif]></mj-text>", "not well-formed"),
        ('<mj-text align="left" align="right">x</mj-text>', "duplicate attribute"),
    ],
)
def test_a_fault_in_a_block_names_the_line_of_its_file(
    line: str, says: str, layout_with: Load, compose: Compose, faults_of: Faults
) -> None:
    block = (
        "{#\nbody: markdown\noptions:\n  wide: {type: flag}\n#}\n<mj-section>\n  <mj-column>\n"
        "    {% if wide %}\n    <mj-spacer />\n    {% endif %}\n"
        "    {# a note\n    of two lines #}\n    {% for n in [1, 2] %}\n"
        f"{line}\n"
        "    {% endfor %}\n    <mj-text>{{ body }}</mj-text>\n  </mj-column>\n</mj-section>\n"
        "{# text #}\n{{ body }}"
    )
    layout = layout_with({"blocks/quote.mjml": block})

    faults = faults_of(
        compose, "A\n\nB\n\n::: quote wide\nC\n\nD\n:::\n\n::: quote\nE\n:::", layout=layout
    )

    assert says in str(faults[0])
    assert faults[0].file == "layouts/tiny/blocks/quote.mjml"
    assert block.split("\n")[(faults[0].line or 0) - 1] == line
    assert len(faults) == len(set(faults))


def test_a_fault_in_the_frame_names_its_line(
    layout_with: Load, compose: Compose, tiny: Layout, faults_of: Faults
) -> None:
    frame = tiny.document.text.replace("<mj-preview>", "\n<mj-prevue>").replace(
        "</mj-preview>", "</mj-prevue>"
    )
    layout = layout_with({"layout.mjml": frame})

    faults = faults_of(compose, "::: story headline=x\n:::", layout=layout)

    assert "Did you mean `mj-preview`?" in str(faults[0])
    assert faults[0].file == "layouts/tiny/layout.mjml"
    assert "<mj-prevue>" in frame.split("\n")[(faults[0].line or 0) - 1]


def test_named_entities_and_conditional_comments_may_be_used() -> None:
    markup = prepared(
        document("<mj-text>a&nbsp;&copy;<!-- mine --><!--[if mso]>x<![endif]--></mj-text>"),
        lambda comment: comment == "ours",
    )

    assert inspect(markup).troubles == []
    assert "a\xa0©<!--[if mso]>x<![endif]-->" in markup


def test_comments_of_ours_are_kept_with_their_parent() -> None:
    markup = prepared("<mjml><mj-body><!--ours--><!--other--></mj-body></mjml>", "ours".__eq__)

    assert [(text, parent) for _, text, parent in inspect(markup).comments] == [("ours", "mj-body")]


def test_what_the_engine_refuses_is_told_with_the_line_too() -> None:
    templates = Templates({})
    source = Source(
        "a",
        "blocks/a.mjml",
        document("\n<mj-text title='é é é'>\n<p>\n<![CDATA[x]]></p></mj-text>"),
    )

    marked = templates.render(source, MARKED, {})
    (fault,) = locate_engine(marked, templates, bool, "layout.mjml")

    assert (fault.file, fault.line) == ("blocks/a.mjml", 4)
    with pytest.raises(EngineError):
        run_engine(source.text)


def test_elements_of_a_class_are_taken_out_whole() -> None:
    markup = document(
        '<mj-text css-class="web-only é">é<p class="web-only">x</p></mj-text>'
        '<mj-image css-class="a web-only" alt="a > b" src="x" /><mj-text>é</mj-text>'
        '<mj-text><p class="web-only">y</p>z web-only</mj-text>'
    )

    assert without(markup, "web-only") == document(
        "<mj-text>é</mj-text><mj-text>z web-only</mj-text>"
    )


# The table ------------------------------------------------------------------------------

_VALUES = (
    "7px", "#123456", "right", "left", "top", "yes", "https://e.org/y.png", "99px",
    "3px solid #123456", "full-width", "rtl", "vertical", "50%", "no-repeat", "hamburger",
    "uppercase", "hidden", "true", "dotted", "12", "1.7", "middle",
)  # fmt: skip
_AT = "https://e.org/"
_ACCORDION = "<mj-accordion><mj-accordion-element>%s</mj-accordion-element></mj-accordion>"
_COLUMN = "<mj-column><mj-text>x</mj-text></mj-column>"
_HOLDERS = {
    "mj-accordion-element": "<mj-accordion>%s</mj-accordion>",
    "mj-accordion-title": _ACCORDION,
    "mj-accordion-text": _ACCORDION,
    "mj-carousel-image": "<mj-carousel>%s</mj-carousel>",
    "mj-navbar-link": "<mj-navbar>%s</mj-navbar>",
    "mj-social-element": "<mj-social>%s</mj-social>",
}
_INSIDE = {
    "mj-accordion": "<mj-accordion-element><mj-accordion-title>x</mj-accordion-title>"
    "<mj-accordion-text>x</mj-accordion-text></mj-accordion-element>",
    "mj-accordion-element": "<mj-accordion-title>x</mj-accordion-title>"
    "<mj-accordion-text>x</mj-accordion-text>",
    "mj-carousel": '<mj-carousel-image src="a" /><mj-carousel-image src="b" />',
    "mj-navbar": '<mj-navbar-link href="x">a</mj-navbar-link>',
    "mj-social": '<mj-social-element name="facebook" href="u">x</mj-social-element>',
    "mj-table": "<tr><td>1</td></tr>",
    "mj-column": "<mj-text>x</mj-text>",
    "mj-hero": "<mj-text>x</mj-text>",
    "mj-group": _COLUMN * 2,
    "mj-section": "<mj-column><mj-text>x</mj-text></mj-column>",
    "mj-wrapper": "<mj-section><mj-column><mj-text>x</mj-text></mj-column></mj-section>",
    "mj-body": "<mj-section><mj-column><mj-text>x</mj-text></mj-column></mj-section>",
}
_WITH = {
    "mj-image": {"src": f"{_AT}a.png", "alt": "", "href": _AT},
    "mj-button": {"href": _AT},
    "mj-social-element": {"name": "web", "src": f"{_AT}i.png", "href": _AT},
    "mj-navbar-link": {"href": _AT},
    "mj-carousel-image": {"src": f"{_AT}a", "alt": "", "href": _AT},
    "mj-section": {"background-url": f"{_AT}b.png", "background-color": "#eee"},
    "mj-wrapper": {"background-url": f"{_AT}b.png", "background-color": "#eee"},
    "mj-hero": {"background-url": f"{_AT}b.png", "background-color": "#eee"},
    "mj-navbar": {"hamburger": "hamburger"},
}


def _shown(tag: str, attribute: str, value: str) -> str:
    said = _WITH.get(tag, {}) | {attribute: value}
    if tag == "mj-column" and attribute.startswith("inner-"):
        said["padding"] = "3px"
    if tag in ("mj-image", "mj-social-element") and attribute in ("usemap", "src"):
        said.pop("href", None)
    attributes = " ".join(f'{key}="{value}"' for key, value in said.items())
    inside = _INSIDE.get(tag, "x" if TAGS[tag].html else "")
    element = f"<{tag} {attributes}>{inside}</{tag}>"
    if tag == "mj-body":
        return f'<mjml lang="en" dir="ltr">{element}</mjml>'
    if tag in ("mj-section", "mj-wrapper", "mj-hero"):
        return f'<mjml lang="en" dir="ltr"><mj-body>{element}</mj-body></mjml>'
    if tag in ("mj-column", "mj-group"):
        inside = f"<mj-body><mj-section>{element}</mj-section></mj-body>"
        return f'<mjml lang="en" dir="ltr">{inside}</mjml>'
    return document(_HOLDERS.get(tag, "%s") % element)


@pytest.mark.parametrize(
    "tag",
    [
        name
        for name, tag in TAGS.items()
        if "mj-head" not in tag.parents
        and tag.parents
        and "mj-attributes" not in tag.parents
        and name not in ("mj-head",)
    ],
)
def test_every_attribute_that_we_take_makes_a_difference(tag: str) -> None:
    without_effect = [
        attribute
        for attribute in sorted(TAGS[tag].attributes | {"css-class"})
        if not any(
            run_engine(_shown(tag, attribute, value))
            != run_engine(_shown(tag, f"x-{attribute}", value))
            for value in _VALUES
        )
    ]

    assert without_effect == []


def test_every_parent_of_the_table_is_in_the_table() -> None:
    assert {parent for tag in TAGS.values() for parent in tag.parents} <= set(TAGS)


def test_the_inspection_finds_nothing_wrong_with_what_the_table_allows() -> None:
    for tag in ("mj-wrapper", "mj-hero", "mj-group", "mj-social-element", "mj-navbar-link"):
        assert inspect(_shown(tag, "css-class", "x")).troubles == []


def test_the_parser_that_reads_the_result_is_not_ours() -> None:
    assert isinstance(parse(run_engine(document("<mj-text>x</mj-text>"))), etree._Element)
