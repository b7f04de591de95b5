"""The thread that sends the site's mails outlives a fault, and its log names nobody."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Callable
from typing import Any

import pytest

from mailer.web import postman
from mailer.web.log import make_log
from mailer.web.postman import posting
from tests.web.conftest import Site


def test_a_fault_is_told_without_an_address_and_the_mails_go_on(
    open_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = open_site(smtp_host="127.0.0.1", mail_from="News <news@example.org>")
    again = threading.Event()
    rounds: list[str] = []

    async def deliver(_post: Any, stop: asyncio.Event, **_: Any) -> None:
        rounds.append("round")
        if len(rounds) == 1:
            raise ValueError("anna@example.org")
        again.set()
        await stop.wait()

    monkeypatch.setattr(postman, "keep_delivering", deliver)
    monkeypatch.setattr(postman, "_REST", 0.01)
    out = io.StringIO()
    with posting(site.mailer, make_log(out)):
        assert again.wait(10)

    assert "error=ValueError where=test_postman.py:" in out.getvalue()
    assert "anna" not in out.getvalue()
