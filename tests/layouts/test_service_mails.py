"""Confirmation, welcome and goodbye: in the reader's language, in the brand, to one person."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from lxml import html as lxml_html

from mailer.adapters.folders import open_folder
from mailer.errors import InputError
from mailer.model.words import ServiceMail
from mailer.usecases.render_service_mail import (
    Occasion,
    RenderedServiceMail,
    render_service_mail,
)
from tests.layouts.conftest import BRAND, ROOT

LEADS = {
    ServiceMail.confirmation: "https://news.example.org/c/abc",
    ServiceMail.welcome: "https://news.example.org/p/abc",
    ServiceMail.goodbye: "https://news.example.org/u/abc",
    ServiceMail.address_old: "https://news.example.org/c/abc/address",
    ServiceMail.address_new: "https://news.example.org/c/abc/address",
}


class Clock:
    def now(self) -> datetime:
        return datetime(2026, 11, 24, 12, tzinfo=UTC)


def rendered(kind: ServiceMail, language: str, title: str = "Coast & sea") -> RenderedServiceMail:
    return render_service_mail(
        kind,
        Occasion(title, LEADS[kind], 5, unsubscribe_url="https://news.example.org/u/xyz"),
        to="anna@example.org",
        language=language,
        message_id="service-1@news.example.org",
        layouts=lambda name: open_folder(ROOT / "layouts" / name),
        brand=BRAND,
        clock=Clock(),
    )


def read(mail: RenderedServiceMail) -> tuple[EmailMessage, str, str]:
    """The message as a reader that we did not write sees it: headers, text, HTML."""
    message = email.message_from_bytes(mail.message, policy=email.policy.default)
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    return message, text.get_content(), html.get_content()


EVERYWHERE = ("en", "fr", "ar", "de", "es", "ru", "zh")


@pytest.mark.parametrize(
    ("kind", "language"),
    [
        (kind, language)
        for kind in ServiceMail
        for language in (EVERYWHERE if kind is not ServiceMail.goodbye else ("en", "fr"))
    ],
)
def test_each_says_its_list_its_reader_and_where_it_leads(kind: ServiceMail, language: str) -> None:
    mail = rendered(kind, language)
    message, text, html = read(mail)
    page = lxml_html.fromstring(html)
    links = [str(link) for link in page.xpath("//a/@href")]

    assert "Coast & sea" in str(message["Subject"])
    assert message["To"] == "anna@example.org"
    assert mail.language == language
    assert page.get("lang") == language
    assert LEADS[kind] in links
    assert LEADS[kind] in text
    for part in (text, page.text_content()):
        assert "Coast & sea" in part
        assert "anna@example.org" in part
        assert "4 Lamp Quay, Port Elsin" in part
    assert not [name for name in message if name.startswith(("List-", "Precedence"))]
    assert message["Auto-Submitted"] == "auto-generated"


def test_a_confirmation_leads_to_one_place_only_and_says_how_long() -> None:
    _, text, html = read(rendered(ServiceMail.confirmation, "en"))
    links = {str(link) for link in lxml_html.fromstring(html).xpath("//a/@href")}

    assert links == {LEADS[ServiceMail.confirmation]}
    assert "5 days" in text


@pytest.mark.parametrize(
    ("wanted", "got"), [("fr-CA", "fr"), ("FR", "fr"), ("fi", "en"), ("", "en"), ("../x", "en")]
)
def test_a_language_without_words_gets_the_nearest(wanted: str, got: str) -> None:
    assert rendered(ServiceMail.welcome, wanted).language == got


def test_a_list_title_can_not_break_header_or_markup() -> None:
    with pytest.raises(InputError, match="which no header may"):
        rendered(ServiceMail.goodbye, "en", "Coast\r\nBcc: x@example.org")
    _, text, html = read(rendered(ServiceMail.goodbye, "en", "A <b> & c"))

    assert "A &lt;b&gt; &amp; c" in html
    assert "A <b> & c" in text


def test_a_layout_without_words_says_which_file_it_needs() -> None:
    with pytest.raises(InputError) as caught:
        render_service_mail(
            ServiceMail.welcome,
            Occasion("Coast", "https://news.example.org/p/abc"),
            to="anna@example.org",
            language="en",
            message_id="service-1@news.example.org",
            layouts=lambda name: open_folder(ROOT / "layouts" / name),
            brand=BRAND,
            clock=Clock(),
            layout="newsroom",
        )

    assert "mails/welcome.en.md" in str(caught.value)
