"""Confirmation, welcome and goodbye stand before the same judges as every other mail."""

from __future__ import annotations

from pathlib import Path

from mailer.model.words import ServiceMail
from tests.layouts.test_service_mails import rendered
from tests.peers.test_html import FOR_MAIL, FOR_OUTLOOK, judge
from tests.peers.test_pages import FOR_MAIL as NOT_A_PAGE
from tests.peers.test_pages import barriers, visit
from tests.peers.test_spamassassin import ALLOWED
from tests.peers.test_spamassassin import judge as judge_spam


def test_no_judge_finds_a_fault_in_a_service_mail(tmp_path: Path) -> None:
    mails = {
        f"{kind}-{language}": rendered(kind, language)
        for kind in ServiceMail
        for language in ("en", "fr")
    }
    pages = [tmp_path / f"{name}.html" for name in mails]
    messages = [tmp_path / f"{name}.eml" for name in mails]
    for mail, page, message in zip(mails.values(), pages, messages, strict=True):
        page.write_text(mail.html, "utf-8")
        message.write_bytes(mail.message)
    found = visit(
        tmp_path / "profile",
        *({"name": page.stem, "url": page.as_uri(), "off": list(NOT_A_PAGE)} for page in pages),
    )
    scores = judge_spam(tmp_path, *messages)

    assert judge(pages, FOR_MAIL | FOR_OUTLOOK) == [[] for _ in pages]
    assert barriers(found) == []
    assert [sorted(rules - set(ALLOWED)) for _, rules in scores] == [[] for _ in messages]
    assert max(score for score, _ in scores) <= 0
