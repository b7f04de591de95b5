"""The web version is the mail without what is Outlook's and what is one reader's."""

from __future__ import annotations

from mailer.compose.inline import parse, serialise
from mailer.compose.web import web_version, with_class

PAGE = (
    "<html><head><title>x</title></head><body><!--[if mso]><table><![endif]-->"
    '<div class="a mail-only">gone</div> kept <p>y<!--q1z-->z<!-- note --></p>'
    "<!--[if !mso]><!--><b>shown</b><!--<![endif]-->"
    '<table><tbody><tr><td class="mail-only">gone</td></tr><tr><td>kept</td></tr></tbody></table>'
    '<p class="not-mail-only">kept</p></body></html>'
)


def web() -> str:
    return serialise(web_version(parse(PAGE), is_sentinel=frozenset({"q1z"})))


def test_comments_go_and_sentinels_stay() -> None:
    assert web().count("<!--") == 1
    assert "<p>y<!--q1z-->z</p>" in web()
    assert "<b>shown</b>" in web()


def test_what_is_for_the_mail_only_goes_with_its_row() -> None:
    assert "gone" not in web()
    assert web().count("<tr>") == 1
    assert " kept " in web()
    assert '<p class="not-mail-only">kept</p>' in web()


def test_no_robot_keeps_it_and_no_site_learns_where_a_reader_came_from() -> None:
    assert '<meta name="robots" content="noindex">' in web()
    assert '<meta name="referrer" content="no-referrer">' in web()


def test_the_main_landmark_is_the_mail_and_not_the_hidden_preheader_before_it() -> None:
    """As the engine writes them: a preview, then an article that is called an email."""
    body = (
        '<div style="display:none">In short</div>'
        '<div role="article" aria-roledescription="email" aria-label="Boats">All of it</div>'
    )
    page = web_version(parse(f"<html><body>{body}</body></html>"), is_sentinel=frozenset())

    assert serialise(page).count('role="main"') == 1
    assert '<div role="main" aria-label="Boats">All of it</div>' in serialise(page)


def test_the_mail_itself_is_left_as_it_is() -> None:
    root = parse(PAGE)
    before = serialise(root)

    web_version(root, is_sentinel=frozenset())

    assert serialise(root) == before
    assert len(with_class(root, "mail-only")) == 2
