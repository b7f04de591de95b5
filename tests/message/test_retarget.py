"""Constant links of a measured letter lead through the site, and no others."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.message.click_links import LONGEST, read_click, sign_target
from mailer.message.compiled import CompiledMessage, compile_message
from mailer.message.links import KeyRing, Tokens
from mailer.message.retarget import MARK_NAME, Clicks, Retarget, plain_address
from mailer.message.retarget import marked as reader
from mailer.message.utm import Utm
from tests.message.letters import FIELDS, LETTERHEAD, ZOE, rendition

RING = KeyRing(bytes(range(32)))
SITE = "https://news.example.org"
SHOP = "https://shop.example.org/boats?a=1&b=2"
HTML = f"""<p><a style="x" href="{SHOP.replace("&", "&amp;")}" title="a>b">Boats</a>
<a href="https://fish.example.net/">Fish</a> <a href="{SITE}/w/abc">Web</a>
<a href="{{{{ unsubscribe_url }}}}">Leave</a> <a
 href="https://example.org/?c={{{{ city }}}}">Yours</a>
<a href="mailto:a@example.org">Write</a> <a href="tel:+4122">Call</a> <a href="#top">Top</a>
<a href="https://share.example/?u=x">Share</a><img src="{SITE}/i/a.png" href="{SHOP}">
<!--[if mso]><v:rect href="https://fish.example.net/"></v:rect><![endif]--></p>
"""
TEXT = f"""Boats ({SHOP}), fish: https://fish.example.net/.
Yours: https://example.org/?c={{{{ city }}}} and {{{{ unsubscribe_url }}}}
Only here: https://only.example.net/
"""
VALUES = {"city": "Geneva"}


def clicks(*, marked: bool = False) -> Clicks:
    return Clicks(lambda number, url: sign_target(RING, 7, number, url), marked)


def letter(retarget: Retarget, html: str = HTML, text: str = TEXT) -> CompiledMessage:
    made = rendition(html=html, text=text, web_html=html)
    return compile_message(made, LETTERHEAD, fields=FIELDS, blank_ok=True, retarget=retarget)


def targets(html: str) -> list[str]:
    found = []
    for href in re.findall(r'(?:<a|<v:rect)[^>]*?\shref="([^"]*)"', html):
        click = read_click(RING, href.removeprefix(f"{SITE}/l/")) if "/l/" in href else None
        found.append(f"→ {click.target}" if click else href)
    return found


def test_html_and_text_lead_through_the_site_where_links_are_constant() -> None:
    parts = letter(Retarget(SITE, clicks=clicks(), untouched=["https://share.example/"])).parts(
        VALUES, ZOE
    )

    assert targets(parts.html) == [
        f"→ {SHOP}",
        "→ https://fish.example.net/",
        f"{SITE}/w/abc",
        ZOE.unsubscribe_url,
        "https://example.org/?c=Geneva",
        "mailto:a@example.org",
        "tel:+4122",
        "#top",
        "https://share.example/?u=x",
        "→ https://fish.example.net/",
    ]
    led = re.findall(rf"{SITE}/l/([\w-]+)", parts.text)
    assert [click.target for token in led if (click := read_click(RING, token))] == [
        SHOP,
        "https://fish.example.net/",
    ]
    assert "https://example.org/?c=Geneva and" in parts.text
    assert "https://only.example.net/" in parts.text
    assert f"/l/{led[0]})," in parts.text


def test_the_web_version_keeps_direct_links() -> None:
    page = letter(Retarget(SITE, Utm({"source": "x"}, ["example.net"]), clicks())).web_page()

    assert "/l/" not in page
    assert "utm_" not in page
    assert SHOP.replace("&", "&amp;") in page


def test_by_person_every_link_ends_with_the_readers_mark() -> None:
    compiled = letter(Retarget(SITE, clicks=clicks(marked=True)))
    compiled = CompiledMessage.load(compiled.dump())
    mark = Tokens(RING, 7, RING.key_id).mark(42)
    parts = compiled.parts({**VALUES, **reader(mark)}, ZOE)

    links = re.findall(rf"{SITE}/l/([\w.-]+[\w-])", parts.html + parts.text)
    assert len(links) == 6
    assert {click and click.subscriber for click in (read_click(RING, t) for t in links)} == {42}
    assert MARK_NAME not in compiled.names


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 400), min_size=1, max_size=6), st.booleans())
def test_the_message_stays_whole_wherever_its_lines_break(lengths: list[int], marked: bool) -> None:
    """Another parser reads the same links; lines stay within 76 columns."""
    urls = [f"https://fish.example.net/{'a=.' * n}{i}" for i, n in enumerate(lengths)]
    html = "".join(
        f'<p>{"x" * n}<a href="{u}">{u}</a></p>\n' for n, u in zip(lengths, urls, strict=True)
    )
    compiled = letter(Retarget(SITE, clicks=clicks(marked=marked)), html, "\n".join(urls))
    mark = Tokens(RING, 7, RING.key_id).mark(42)
    data = compiled.merge(reader(mark), ZOE)
    parsed: Any = message_from_bytes(data, policy=policy.default)

    assert max(len(line) for line in data.partition(b"\r\n\r\n")[2].split(b"\r\n")) <= 76
    seen = parsed.get_body(("html",)).get_content()
    led = [read_click(RING, t) for t in re.findall(rf'href="{SITE}/l/([^"]+)"', seen)]
    expected = [url if len(url) <= LONGEST else None for url in urls]
    assert [c.target for c in led if c] == [url for url in expected if url]
    assert all(c and c.subscriber == (42 if marked else None) for c in led)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.org/a", "https://example.org/a?utm_source=a%20b&utm_medium=email"),
        (
            "https://shop.example.org/?x=1#f",
            "https://shop.example.org/?x=1&utm_source=a%20b&utm_medium=email#f",
        ),
        ("https://example.org/?", "https://example.org/?utm_source=a%20b&utm_medium=email"),
        ("https://example.org/?utm_source=mine", None),
        ("https://example.org/?a=1&UTM_term=", None),
        ("https://example.org/file?X-Amz-Signature=00", None),
        ("https://notexample.org/", None),
        ("https://example.org.example.net/", None),
        ("https://[broken/", None),
    ],
)
def test_utm_parameters_join_links_of_the_owners_domains_once(
    url: str, expected: str | None
) -> None:
    utm = Utm({"medium": "email", "source": "a b"}, ["example.org"])

    assert utm.add(url) == (expected or url)
    assert utm.add(utm.add(url)) == (expected or url)


def test_utm_works_without_measuring_and_leaves_our_own_pages() -> None:
    html = f'<a href="{SITE}/w/abc">W</a> <a href="https://shop.example.org/?a=1">S</a>'
    parts = letter(
        Retarget(SITE, Utm({"source": "harbour"}, ["example.org"])),
        html,
        "https://shop.example.org/?a=1 ok",
    ).parts(VALUES, ZOE)

    assert f'href="{SITE}/w/abc"' in parts.html
    assert 'href="https://shop.example.org/?a=1&amp;utm_source=harbour"' in parts.html
    assert parts.text == "https://shop.example.org/?a=1&utm_source=harbour ok"


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("HTTPS://Example.org/A", "https://Example.org/A"),
        ("https://bücher.example/ü?q=ö", "https://xn--bcher-kva.example/%C3%BC?q=%C3%B6"),
        ("https://example.org\\@example.net", None),
        ("https://example.org/a b", None),
        ("ftp://example.org/", None),
        ("https://", None),
        ("https://[::1", None),
    ],
)
def test_an_address_is_plain_ascii_or_stays_as_it_is(written: str, plain: str | None) -> None:
    assert plain_address(written) == plain
