"""An issue and a layout become mail, text and web version, and faults are told with their lines."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from html.parser import HTMLParser
from itertools import product

import jinja2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailer.compose.compose import Composed, compose_issue
from mailer.compose.inline import parse
from mailer.compose.layout import Layout
from mailer.compose.reading import read_heading
from mailer.errors import Fault, InputError
from mailer.model.words import Rendition, Slot, SlotKind

Load = Callable[[dict[str, str]], Layout]
Faults = Callable[..., list[Fault]]
Compose = Callable[..., Composed]

ISSUE = """---
subject: News for {{ first_name | default("readers") }}
preheader: What is new at the quay
layout: tiny
lang: en
date: 2026-11-24
contact: desk@example.org
---
Dear {{ first_name | default("reader") }},

{% if city == "Geneva" %}
Only in **Geneva**.
{% endif %}

::: story picture=boat.png alt="Boats at the quay" wide when='city == "Geneva"'
headline: The *new* [quay](https://example.org/quay)
links: [Read more](https://example.org/?a=1&b=2) | [Watch](https://example.org/watch)
share: facebook, mail

Port City – A paragraph with a [link](https://example.org/a).

- one
- {% if vip %}two{% else %}three{% endif %}
:::

::: digest headline="In the news"

- One thing. *The Paper*
- Another. [Source](https://example.org/s)
:::
"""


def slot(rendition: Rendition, source: str) -> Slot:
    return next(each for each in rendition.slots if each.source == source)


def test_an_issue_becomes_mail_text_and_web_version(compose: Compose) -> None:
    done = compose(ISSUE)

    rendition = done.rendition
    root = parse(rendition.html)
    assert (root.get("lang"), root.get("dir")) == ("en", "ltr")
    assert rendition.subject == f"News for {rendition.slots[0].sentinel}"
    assert root.findtext("head/title") == rendition.subject
    assert [each.text for each in root.iter("h2")] == ["The ", "In the news"]
    (image,) = root.iter("img")
    assert image.get("alt") == "Boats at the quay"
    assert image.get("src") == f"https://news.example.org/i/{rendition.pictures[0].name}"
    assert (rendition.pictures[0].width, rendition.pictures[0].height) == (60, 30)
    assert (done.front.sender, done.front.reply_to) == (
        "Harbour Trust <news@example.org>",
        "desk@example.org",
    )
    assert rendition.web_html.startswith("<!doctype html>")
    assert "noindex" in rendition.web_html
    assert "Unable to see images" in rendition.html
    assert "Unable to see images" not in rendition.web_html


def test_the_text_part_is_written_from_the_same_blocks(compose: Compose) -> None:
    rendition = compose(ISSUE).rendition

    text = rendition.text
    for each in rendition.slots:
        text = text.replace(each.sentinel, f"«{each.source}»")
    assert text == (
        'News for «first_name | default("readers")»\n'
        "24 November 2026\n"
        "\n"
        'Dear «first_name | default("reader")»,\n'
        "\n"
        '«if city == "Geneva"»\n'
        "Only in Geneva.\n"
        "\n"
        "«endif»\n"
        '«if city == "Geneva"»\n'
        "The new quay [1]\n"
        "\n"
        "Port City – A paragraph with a link [2].\n"
        "\n"
        "- one\n"
        "- «if vip»two«else»three«endif»\n"
        "[1] https://example.org/quay\n"
        "[2] https://example.org/a\n"
        "Read more: https://example.org/?a=1&b=2\n"
        "Watch: https://example.org/watch\n"
        "\n"
        "«endif»\n"
        "In the news\n"
        "\n"
        "- One thing. The Paper\n"
        "- Another. Source [3]\n"
        "[3] https://example.org/s\n"
        "\n"
        "--\n"
        "Harbour Trust\n"
        "1 Quay Street, Port City\n"
        "Unsubscribe: «unsubscribe_url»\n"
        "Open in a browser: «web_url»\n"
    )


def test_slots_keep_source_kind_and_line(compose: Compose) -> None:
    rendition = compose(ISSUE).rendition

    told = [(each.kind, each.source, each.file, each.line) for each in rendition.slots[:6]]
    assert told == [
        (SlotKind.value, 'first_name | default("readers")', "issue.md", 2),
        (SlotKind.value, 'first_name | default("reader")', "issue.md", 9),
        (SlotKind.tag, 'if city == "Geneva"', "issue.md", 11),
        (SlotKind.tag, "endif", "issue.md", 13),
        (SlotKind.tag, "if vip", "issue.md", 23),
        (SlotKind.tag, "else", "issue.md", 23),
    ]
    opens = slot(rendition, 'if city == "Geneva"')
    assert f"<!--{opens.sentinel}-->" in rendition.html
    when = [each for each in rendition.slots if each.line == 15]
    assert [each.source for each in when] == ['if city == "Geneva"', "endif"]
    assert slot(rendition, "unsubscribe_url").file == "layouts/tiny/layout.mjml"


def test_slots_that_stand_nowhere_are_not_handed_on(compose: Compose) -> None:
    rendition = compose("Hello").rendition

    assert {each.source for each in rendition.slots} == {"unsubscribe_url", "web_url", "email"}


def test_composing_twice_gives_the_same(compose: Compose) -> None:
    assert compose(ISSUE) == compose(ISSUE)


@pytest.mark.parametrize("ending", ["\r\n", "\r"])
def test_line_ends_and_a_byte_order_mark_change_nothing(compose: Compose, ending: str) -> None:
    assert compose("\ufeff" + ISSUE.replace("\n", ending)).rendition == compose(ISSUE).rendition


# Every branch is whole, in every client ---------------------------------------------------


class Balance(HTMLParser):
    """Holds that every element closes where it should; a parser that is not ours or lxml's."""

    VOID = ("area", "base", "br", "col", "hr", "img", "input", "link", "meta")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> at {self.getpos()}")


def outlook(html: str) -> str:
    """Returns what Outlook reads: its own parts, without those that are hidden from it."""
    html = re.sub(r"<!--\[if !mso\]><!-->.*?<!--<!\[endif\]-->", "", html, flags=re.DOTALL)
    return re.sub(r"<!--\[if [^\]]*\]>(.*?)<!\[endif\]-->", r"\1", html, flags=re.DOTALL)


def branches(rendition: Rendition, html: str) -> list[str]:
    """Returns the HTML for each way that its conditions may fall out."""
    opened = [each for each in rendition.slots if each.source.startswith("if ")]
    results = []
    for choice in product("01", repeat=len(opened)):
        source = html
        for each in rendition.slots:
            shown = "x" if each.kind is SlotKind.value else f"{{% {each.source} %}}"
            if each in opened:
                shown = f"{{% if {choice[opened.index(each)]} %}}"
            source = source.replace(f"<!--{each.sentinel}-->", shown)
            source = source.replace(each.sentinel, shown)
        results.append(jinja2.Template(source).render())
    return results


def test_every_branch_is_balanced_with_and_without_outlook(compose: Compose) -> None:
    rendition = compose(ISSUE).rendition

    shown = branches(rendition, rendition.html)
    assert len(set(shown)) == 6  # a condition stands inside a block that has one
    for view in [*shown, *map(outlook, shown), *branches(rendition, rendition.web_html)]:
        balance = Balance()
        balance.feed(view)
        assert (balance.wrong, balance.open) == ([], [])
        assert "<!--q" not in view


def test_a_condition_takes_the_block_and_its_outlook_table(compose: Compose) -> None:
    rendition = compose(
        "::: story headline=One when='a'\n:::\n\n::: story headline=Two\n:::"
    ).rendition

    without, with_it = branches(rendition, rendition.html)
    assert ("One" in without, "One" in with_it) == (False, True)
    assert without.count("<!--[if") == with_it.count("<!--[if") - 6
    assert without.count("mso") < with_it.count("mso")


def test_a_condition_inside_a_wrapper_is_a_fault(
    compose: Compose, layout_with: Load, tiny: Layout, faults_of: Faults
) -> None:
    """The engine would put the comment inside an Outlook comment, whose end it would be."""
    wrapped = tiny.document.text.replace("{{ blocks }}", "<mj-wrapper>{{ blocks }}</mj-wrapper>")
    layout = layout_with({"layout.mjml": wrapped})

    compose("::: story headline=One\n:::", layout=layout)
    (fault,) = faults_of(compose, "Hi\n\n::: story headline=One when=a\n:::", layout=layout)

    assert (fault.file, fault.line) == ("issue.md", 7)
    assert "<mj-wrapper>" in fault.message


def test_what_is_for_the_web_only_is_not_in_the_mail(
    compose: Compose, layout_with: Load, tiny: Layout
) -> None:
    more = tiny.document.text.replace(
        "{{ blocks }}",
        '{{ blocks }}<mj-section css-class="web-only"><mj-column><mj-text>On the web</mj-text>'
        "</mj-column></mj-section>",
    )

    rendition = compose("Hello", layout=layout_with({"layout.mjml": more})).rendition

    assert "On the web" not in rendition.html
    assert "web-only" not in rendition.html
    assert "On the web" in rendition.web_html
    assert "Unable to see images" not in rendition.web_html


# Faults -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "line", "says"),
    [
        ("::: stroy headline=x\n:::", 5, "no block `stroy`. Did you mean `story`?"),
        ("::: story\nheadlin: x\n:::", 6, "takes no `headlin`. Did you mean `headline`?"),
        ("\n::: story\n:::", 6, "needs `headline`"),
        ("::: story headline=\n:::", 5, "needs `headline`"),
        ("::: story headline=x style=led\n:::", 5, "Did you mean `lead`?"),
        ("::: story headline=x wide=maybe\n:::", 5, "`yes` or `no`"),
        ("::: story headline\n:::", 5, "`headline` needs a value"),
        ("::: story headline=x\nshare: facebok\n:::", 6, "Did you mean `facebook`?"),
        ("::: story headline=x\nurl: example.org\n:::", 6, "no whole address"),
        ("::: story headline=x\nurl: javascript:x\n:::", 6, "can't be `javascript:`"),
        ("::: story headline=x\nlinks: Read more\n:::", 6, "is a row of links"),
        ("::: story headline=x\nlinks: [a](https://e.org) and\n:::", 6, "`and` is none"),
        ("::: story headline=x\nlinks: [a](b)\n:::", 6, "no whole address"),
        ("::: story headline=x picture=bot.png alt=x\n:::", 5, "Did you mean `boat.png`?"),
        ("::: story headline=x picture=boat.png\n:::", 5, "has no `alt`"),
        ("::: story headline=x picture=boat.png\nalt:\n:::", 5, "has no `alt`"),
        ("::: story headline=x picture={{ a }} alt=x\n:::", 5, "can't hold personal text"),
        ('::: story headline="{% if a %}x"\n:::', 5, "does not close in the option `headline`"),
        ("::: story headline=x\nalt: {% if a %}x\n:::", 6, "does not close in the option `alt`"),
        ("::: story headline=x when=\n:::", 5, "`when` is a condition without braces"),
        ("::: story headline=x when='{{ a }}'\n:::", 5, "`when` is a condition without braces"),
        ("::: story headline=x when='a %} b'\n:::", 5, "`%}` closes nothing"),
        ("::: digest headline=x\n\nText\n:::", 7, "holds one list and nothing else"),
        ("::: digest headline=x\n\n- a\n\nText\n:::", 9, "holds one list and nothing else"),
        (":::: story headline=x\n::: text\n:::\n::::", 6, "holds text, not blocks"),
        ("{% if a %}\n::: story headline=x\n:::\n{% endif %}", 5, "`::: story when='…'`"),
        ("a {{ b", 5, "never closes"),
        ("[a](b)", 5, "no whole address"),
        ("::: story headline=x\n\nText\n\n[a](b)\n:::", 9, "no whole address"),
    ],
)
def test_each_fault_names_the_author_s_line(
    body: str, line: int, says: str, compose: Compose, faults_of: Faults
) -> None:
    faults = faults_of(compose, body)

    assert says in " ".join(map(str, faults))
    assert faults[0].line == line
    assert {fault.file for fault in faults} == {"issue.md"}


def test_one_condition_around_a_block_is_one_mistake(compose: Compose, faults_of: Faults) -> None:
    faults = faults_of(compose, "{% if a %}\n\n::: story headline=x\n:::\n\n{% endif %}")

    assert [fault.line for fault in faults] == [5]


@pytest.mark.parametrize("key", ["layout", "contact", "from", "reply_to", "title"])
def test_personal_text_stands_where_it_can_be_filled_in(
    key: str, compose: Compose, tiny: Layout, faults_of: Faults
) -> None:
    faults = faults_of(compose, f"---\nsubject: x\n{key}: {{{{ a }}}}\n---\n")

    assert (faults[0].line, faults[0].message) == (3, f"`{key}` can't hold personal text.")


def test_a_condition_in_the_subject_closes_there(compose: Compose, faults_of: Faults) -> None:
    compose("---\nsubject: A{% if b %}c{% endif %}\n---\n")
    (fault,) = faults_of(compose, "---\nsubject: A{% if b %}c\n---\n")

    assert (fault.line, fault.rule) == (2, "personal-text")


def test_all_faults_are_told_together_in_order(compose: Compose, faults_of: Faults) -> None:
    faults = faults_of(
        compose,
        "---\nsubjekt: x\nlang: e!\n---\n{{ a\n\n::: stroy\n:::\n\n[a](b)\n\n::: story\n",
    )

    assert [fault.line for fault in faults] == [1, 2, 3, 5, 7, 10, 12, 12]


def test_a_decorative_picture_needs_no_words(compose: Compose) -> None:
    html = compose("::: story headline=x picture=boat.png decorative\n:::").rendition.html

    assert [image.get("alt") for image in parse(html).iter("img")] == [""]


def test_the_layout_is_loaded_by_the_name_in_the_front_matter(
    compose: Compose, tiny: Layout, faults_of: Faults
) -> None:
    asked: list[str] = []

    def load(name: str) -> Layout:
        asked.append(name)
        if name != "tiny":
            raise InputError(f"There is no layout `{name}`.")
        return tiny

    compose(ISSUE, layout=load)
    faults = faults_of(compose, "---\nsubject: x\nlayout: tyni\n---\n{{ a", layout=load)

    assert asked == ["tiny", "tyni"]
    assert [(fault.file, fault.line) for fault in faults] == [("issue.md", 5), ("issue.md", 3)]
    assert read_heading("no front matter", where="issue.md").layout == "newsroom"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0",
        "---",
        "\ud800",
        "---\nsubject: x\n---\n" + "\n".join(f"{':' * n} story" for n in range(2003, 2, -1)),
        "---\nsubject: x\n---\n" + ">" * 5000,
        "---\nsubject: x\n---\n" + "[" * 20_000,
        "---\nsubject: x\n---\n" + "{{ " * 100_000,
        "---\nsubject: x\n---\n" + "{% if a %}" * 5000,
        "---\nsubject: " + "[" * 5000 + "\n---\n",
        "x" * 3_000_000,
        "---\nsubject: x\n---\n" + "- " * 5000 + "a",
        "---\nsubject: x\n---\n" + "\n".join("  " * n + "- a" for n in range(300)),
        "---\nsubject: x\n---\n" + "*" * 100_000 + "a" + "*" * 100_000,
        "---\nsubject: x\n---\n" + "*_" * 10_000 + "a" + "_*" * 10_000,
        "---\nsubject: x\n---\n" + "*a " * 2_000 + "b" + " c*" * 2_000,
    ],
    ids=range(16),
)
def test_hostile_input_is_composed_or_refused_in_bounded_time(compose: Compose, text: str) -> None:
    started = time.monotonic()

    with suppress(InputError):
        compose(text)
    assert time.monotonic() - started < 60  # each takes well under a second


# Any text arrives -------------------------------------------------------------------------

CONTENT = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="{}%#"), max_size=30
)


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(CONTENT)
def test_any_text_in_an_attribute_arrives_unchanged(compose: Compose, text: str) -> None:
    inside = f"a{text}"
    quoted = inside.replace("\\", "\\\\").replace('"', '\\"')

    done = compose(f'::: story picture=boat.png headline=x alt="{quoted}"\n:::', lang="sw")

    for html in (done.rendition.html, done.rendition.web_html):
        assert [image.get("alt") for image in parse(html).iter("img")] == [inside]


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(CONTENT)
def test_any_text_in_title_option_and_paragraph_arrives_unchanged(
    compose: Compose, text: str
) -> None:
    inside = f"a{text}b"
    yaml = (
        inside.replace("\\", "\\\\").replace('"', '\\"').replace("\u2028", "").replace("\u2029", "")
    )
    escaped = re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", inside)
    quoted = inside.replace("\\", "\\\\").replace('"', '\\"')

    rendition = compose(
        f'---\nsubject: "{yaml}"\nlang: sw\n---\n{escaped}\n\n'
        f'::: digest headline="{quoted}"\n\n- x\n:::'
    ).rendition

    root = parse(rendition.html)
    subject = inside.replace("\u2028", "").replace("\u2029", "")
    assert rendition.subject == subject
    assert root.findtext("head/title") == subject
    assert root.xpath("string(//div[@role='article']/@aria-label)") == subject
    assert inside in ["".join(each.itertext()) for each in root.iter("p")]
    assert inside in ["".join(each.itertext()) for each in root.iter("h2")]


def test_this_room_brings_no_database_with_it() -> None:
    code = "import mailer.compose.check, sys; print('sqlalchemy' in sys.modules)"

    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout == "False\n"


def test_thirty_stories_are_one_document(tiny: Layout, compose: Compose) -> None:
    body = "::: story picture=boat.png alt=x\nheadline: Story\n\nText\n:::\n\n" * 30

    rendition = compose(body).rendition

    assert len(list(parse(rendition.html).iter("h2"))) == 30
    assert len(rendition.pictures) == 1


def test_the_function_can_be_called_with_plain_values_only(tiny: Layout) -> None:
    done = compose_issue(
        "---\nsubject: x\n---\nHello",
        where="issue.md",
        read_picture=lambda name: b"",
        layout=tiny,
        picture_url=lambda name: name,
    )

    assert "Hello" in done.rendition.text


def test_a_soft_line_break_between_two_links_stays_a_blank(compose: Compose) -> None:
    text = "---\nsubject: Links\nlayout: tiny\n---\n"
    text += "[one](https://example.org/1)\n[two](https://example.org/2)\n"
    rendition = compose(text).rendition

    assert "one two" in "".join(parse(rendition.html).itertext())
