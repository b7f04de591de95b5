"""The counted picture: its address says a campaign and perhaps a reader; nothing else passes."""

from __future__ import annotations

import pytest

from mailer.message.click_links import read_click, sign_target
from mailer.message.compiled import CompiledMessage, compile_message
from mailer.message.contexts import Hole
from mailer.message.image_loads import CountedPicture, Load, picture_address, read_load
from mailer.message.links import KeyRing, Purpose, Tokens, make
from mailer.message.retarget import marked
from tests.message.letters import FIELDS, LETTERHEAD, ZOE, rendition

OLD, NEW = bytes(range(32)), bytes(range(100, 132))
RING = KeyRing(OLD)
SITE = "https://news.example.org"
ADDRESS = picture_address(SITE, RING, 7, RING.key_id)
TOKEN = ADDRESS.removeprefix(f"{SITE}/load/")
MARK = Tokens(RING, 7, RING.key_id).mark(23)


def test_it_is_read_back_also_after_a_change_of_the_key() -> None:
    assert read_load(RING, TOKEN) == Load(7)
    assert read_load(RING, f"{TOKEN}.{MARK}") == Load(7, 23)
    assert read_load(KeyRing(NEW, OLD), f"{TOKEN}.{MARK}") == Load(7, 23)


@pytest.mark.parametrize(
    "path",
    [
        "",
        TOKEN[:-1],
        f"{TOKEN}A",
        f"{TOKEN}=",
        TOKEN.lower(),
        f"{TOKEN}.",
        f"{TOKEN}.{MARK[:-1]}",
        f"{TOKEN}.{MARK}.{MARK}",
        f"{TOKEN}.{Tokens(RING, 8, RING.key_id).mark(23)}",
        f"{TOKEN}.{Tokens(KeyRing(NEW), 7, KeyRing(NEW).key_id).mark(23)}",
        make(RING, Purpose.picture, 7, 23),  # a reader stands behind the dot or nowhere
        *(
            make(RING, purpose, 7, 0)
            for purpose in (Purpose.unsubscribe, Purpose.preferences, Purpose.reader, Purpose.click)
        ),
        sign_target(RING, 7, 1, "https://example.org/"),
    ],
)
def test_nothing_else_is_an_address_of_the_picture(path: str) -> None:
    assert read_load(RING, path) is None
    assert read_load(KeyRing(NEW), f"{TOKEN}.{MARK}") is None


def test_its_token_is_no_link() -> None:
    assert read_click(RING, TOKEN) is None
    assert read_click(RING, f"{TOKEN}.{MARK}") is None


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<html><body><p>Boats</p></body></html>", "<p>Boats</p>@</body></html>"),
        ("<body><p>Boats</p></BODY >", "<p>Boats</p>@</BODY >"),
        ("<body><p>&lt;/body&gt;</p></body><!-- </body> -->", "&lt;/body&gt;</p>@</body><!--"),
        ("<p>No body</p>", "<p>No body</p>@"),
    ],
)
@pytest.mark.parametrize("named", [False, True])
def test_it_is_the_last_thing_of_the_html_part_alone(
    html: str, expected: str, *, named: bool
) -> None:
    made = rendition(html=html, text="Boats", web_html=html)
    letter = compile_message(
        made, LETTERHEAD, fields=FIELDS, blank_ok=True, picture=CountedPicture(ADDRESS, named)
    )
    letter = CompiledMessage.load(letter.dump())
    parts = letter.parts(marked(MARK) if named else {}, ZOE)
    address = f"{ADDRESS}.{MARK}" if named else ADDRESS
    tag = f'<img src="{address}" width="1" height="1" alt="" style="display:block;border:0;">'

    assert expected.replace("@", tag) in parts.html
    assert parts.html.count("<img") == 1
    assert "load" not in parts.text + letter.web_page()
    assert not [piece for piece in letter.web if isinstance(piece, Hole)]
