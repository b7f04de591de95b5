"""Parsers that we did not write read our messages as they were meant: Python's, Perl's, Node's.

The two packages for Node are looked for in the folder that ``PEERS_NODE_MODULES`` names.
"""

from __future__ import annotations

import dataclasses
import email
import email.policy
import hashlib
import json
import os
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import lxml.html
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.message.compiled import CompiledMessage, compile_message
from mailer.message.mailbox import Mailbox
from mailer.model.words import Picture
from tests.message.letters import FIELDS, LETTERHEAD, ZOE, letter, rendition

HERE = Path(__file__).parent
VALUES = [
    "Zoë",
    "plain",
    "世界 世界",
    "🙂" * 40,
    "a, b; <c@d.example> \"e\" 'f' & (g)",
    "=?utf-8?q?Bcc=3A_x?=",
    "=?",
    "?=",
    "_ = . From",
    ".From x",
    "e\u0301 \u202b\u05d0\u202c",
    "{{ 1 }} {% x %} {# y #}",
    "w" * 300,
    "Ünï " * 40,
    "\u00a0nbsp\u00a0",
]


def write(folder: Path, value: str, number: int) -> Path:
    scripts = ("Hello {0}\n", "Здравствуйте, дорогие читатели, {0}\n")
    body = scripts[number % 2].format("{{ first_name }}")
    letterhead = dataclasses.replace(LETTERHEAD, sender=Mailbox(value, "news@example.org"))
    message = letter(
        letterhead=letterhead, subject="{{ first_name }}", text=body, html=f"<p>{body}</p>\n"
    )
    file = folder / f"{number}.eml"
    file.write_bytes(message.merge({"first_name": value}, ZOE))
    return file


@pytest.fixture(scope="module")
def messages(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("messages")
    return [
        (value, write(folder, value, number)) for number, value in enumerate(VALUES + VALUES[::-1])
    ]


def body_of(value: str, number: int) -> str:
    return f"{('Hello', 'Здравствуйте, дорогие читатели,')[number % 2]} {value}\n"


def text_in(html: str) -> str:
    return str(lxml.html.fromstring(f"<div>{html}</div>").text_content())


def test_the_standard_library_reads_them(messages: list[tuple[str, Path]]) -> None:
    for number, (value, file) in enumerate(messages):
        found = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        text, html = (part.get_payload(decode=True) for part in list(found.walk())[1:])

        assert isinstance(text, bytes)
        assert isinstance(html, bytes)
        assert text.decode().replace("\r\n", "\n") == body_of(value, number)
        assert text_in(html.decode()).replace("\r\n", "\n") == body_of(value, number) + "\n"
        assert not found.defects


def test_perl_reads_them(messages: list[tuple[str, Path]]) -> None:
    perl = shutil.which("perl")
    if perl is None:
        pytest.skip("perl is not installed: ./scripts/peers installs it")
    files = [str(file) for _, file in messages]
    printed = subprocess.run(
        [perl, str(HERE / "judge.pl"), *files], capture_output=True, check=True, timeout=60
    ).stdout

    for number, ((value, _), found) in enumerate(zip(messages, json.loads(printed), strict=True)):
        assert found["parts"] == 2
        assert found["text"] == body_of(value, number)
        assert text_in(found["html"]) == body_of(value, number) + "\n"
        assert found["subject"] == value.strip(" ")
        name = found["from"].removesuffix(" <news@example.org>")
        assert name.strip('"').replace('\\"', '"') == value.strip(" ")


def test_two_parsers_of_node_read_them(messages: list[tuple[str, Path]]) -> None:
    node, packages = shutil.which("node"), os.environ.get("PEERS_NODE_MODULES", "")
    if node is None or not (Path(packages) / "mailparser").is_dir():
        pytest.skip("postal-mime and mailparser are not installed: ./scripts/peers installs them")
    files = [str(file) for _, file in messages]
    printed = subprocess.run(
        [node, str(HERE / "judge.cjs"), *files], capture_output=True, check=True, timeout=60
    ).stdout

    for parser, read in json.loads(printed).items():
        for number, ((value, _), found) in enumerate(zip(messages, read, strict=True)):
            told = f"{parser}, message {number}"
            assert found["parts"] == 2, told
            assert found["text"].rstrip("\r\n") == body_of(value, number).rstrip("\n"), told
            assert text_in(found["html"]).strip("\r\n") == body_of(value, number).strip("\n"), told
            assert found["subject"] == value.strip(" "), told
            assert found["name"] == value.strip(" "), told
            assert found["address"] == "news@example.org", told
            assert found["to"] == ["zoe@example.net"], told


def with_pictures(folder: Path) -> tuple[Path, list[list[str]]]:
    """A message with two pictures inside, and how they should be read: id and digest."""
    pictures = tuple(
        Picture(f"{kind * 32}.png", kind.encode() * (2_000 + number), 1, 1)
        for number, kind in enumerate("ab")
    )
    html = "".join(f'<img alt="{{{{ first_name }}}}" src="cid:{p.content_id}">' for p in pictures)
    made = dataclasses.replace(
        rendition(text="Hello\n", html=f"<p>Hello</p>{html}\n"),
        pictures=pictures,
        embedded=tuple(p.name for p in pictures),
    )
    compiled = compile_message(made, LETTERHEAD, fields=FIELDS, blank_ok=True)
    values = {"first_name": "Zoë"}
    message = compiled.merge(values, ZOE)
    assert CompiledMessage.load(compiled.dump()).merge(values, ZOE) == message
    assert 'alt="Zoë"' in compiled.parts(values, ZOE).html
    file = folder / "pictures.eml"
    file.write_bytes(message)
    return file, [[f"<{p.content_id}>", hashlib.sha256(p.data).hexdigest()] for p in pictures]


def test_pictures_inside_of_a_message_belong_to_its_html(tmp_path: Path) -> None:
    file, pictures = with_pictures(tmp_path)
    found: Any = email.message_from_bytes(file.read_bytes(), policy=email.policy.strict)
    kinds = [part.get_content_type() for part in found.walk()]
    html, *inside = found.get_payload()[1].get_payload()

    assert kinds == [
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
        "image/png",
    ]
    assert [
        [part["Content-ID"], hashlib.sha256(part.get_payload(decode=True)).hexdigest()]
        for part in inside
    ] == pictures
    assert all(f"cid:{cid.strip('<>')}" in html.get_content() for cid, _ in pictures)
    assert max(map(len, file.read_bytes().split(b"\r\n"))) <= 78
    assert not any(part.defects for part in found.walk())


def test_perl_finds_the_pictures_inside(tmp_path: Path) -> None:
    perl = shutil.which("perl")
    if perl is None:
        pytest.skip("perl is not installed: ./scripts/peers installs it")
    file, pictures = with_pictures(tmp_path)
    printed = subprocess.run(
        [perl, str(HERE / "judge.pl"), str(file)], capture_output=True, check=True, timeout=60
    ).stdout

    (found,) = json.loads(printed)
    assert (found["parts"], found["pictures"]) == (2, pictures)
    assert 'alt="Zoë"' in found["html"]


def test_two_parsers_of_node_find_the_pictures_inside(tmp_path: Path) -> None:
    node, packages = shutil.which("node"), os.environ.get("PEERS_NODE_MODULES", "")
    if node is None or not (Path(packages) / "mailparser").is_dir():
        pytest.skip("postal-mime and mailparser are not installed: ./scripts/peers installs them")
    file, pictures = with_pictures(tmp_path)
    printed = subprocess.run(
        [node, str(HERE / "judge.cjs"), str(file)], capture_output=True, check=True, timeout=60
    ).stdout

    for parser, (found,) in json.loads(printed).items():
        assert found["pictures"] == pictures, parser
        assert found["text"].strip() == "Hello", parser


class Reader(HTMLParser):
    """Collects what a second parser of HTML sees."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


hostile = st.text(
    st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60
) | st.lists(
    st.sampled_from(
        ["<", ">", '"', "'", "&", "&amp;", "</p>", "<script>", "-->", "javascript:", "=", " ", "%",
         "%41", "#", "?", "/", "\\", "é", "onload=", "{{", "@", "`"]
    ),
    min_size=1,
).map("".join)  # fmt: skip
PAGE = (
    "<p title=\"t {{ city }}\" class='{{ city }}'>{{ city }}</p>"
    '<a href="https://x.example/a?c={{ city }}&amp;d=1">x</a>'
)


@given(hostile.filter(str.strip))
def test_a_hostile_value_stays_in_its_place(value: str) -> None:
    html = letter(html=PAGE).parts({"city": value}).html
    for page in (html, f"<!DOCTYPE html><html><body>{html}</body></html>"):
        found = Reader(page)
        tags = [(tag, attrs) for tag, attrs in found.tags if tag not in ("html", "body")]

        assert [tag for tag, _ in tags] == ["p", "a"]
        assert tags[0][1] == {"title": f"t {value}", "class": value}
        assert found.text == f"{value}x"
        href = tags[1][1]["href"] or ""
        assert parse_qs(urlsplit(href).query, keep_blank_values=True, errors="strict") == {
            "c": [value],
            "d": ["1"],
        }
    paragraph = lxml.html.fromstring(f"<div>{html}</div>")[0]
    assert paragraph.get("title") == f"t {value}"
    assert paragraph.text_content() == value


@given(hostile)
def test_a_whole_url_keeps_its_scheme_and_its_place(rest: str) -> None:
    url = f"https://x.example/{rest}"
    html = letter(html='<a href="{{ website }}" id="end">x</a>').parts({"website": url}).html
    ((tag, attributes),) = Reader(html).tags
    href = attributes["href"] or ""

    assert (tag, attributes["id"]) == ("a", "end")
    assert href.startswith("https://x.example/")
    assert href.isascii()
    assert not set(href) & set(" \"'<>\\^`{|}\n") - {"'"}
    assert unquote(href) == unquote(url.strip())


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        " javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "//evil.example",
        "/path",
        "example.org",
        "https:example.org",
        "https://",
        "https:///x",
        "\u0001javascript:x",
        "file:///etc/passwd",
    ],
)
def test_a_url_of_another_scheme_is_told_at_plan_time(url: str) -> None:
    message = letter(html='<a href="{{ website }}">x</a>')

    assert [error.reason for error in message.errors({"website": url})] == ["unsafe_url"]


@pytest.mark.parametrize(
    "url", ["https://a.example", "HTTP://a.example", "mailto:a@b.example", "tel:+41220000000"]
)
def test_these_schemes_are_allowed(url: str) -> None:
    html = letter(html='<a href="{{ website }}">x</a>').parts({"website": url}).html

    assert Reader(html).tags == [("a", {"href": url})]


def test_an_mso_comment_is_not_ended_by_a_value() -> None:
    html = letter(
        html='<!--[if mso]><v:rect href="{{ website }}" alt="{{ city }}"/>{{ city }}<![endif]-->x'
    ).parts({"website": "https://x.example/-->", "city": "--> <![endif]--> --!>"})

    assert html.html.count("-->") == 1
    assert Reader(html.html).text == "x"
