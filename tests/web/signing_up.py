"""A visitor who signs up: fills in the form as a browser does, and reads the mail that comes."""

from __future__ import annotations

import asyncio
import email
import email.policy
import html
import re
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

from httpx2 import Response

from mailer.adapters.inbox import Inbox
from mailer.usecases.deliver_service_mail import Delivered, deliver_service_mail
from tests.fakes import FakeClock
from tests.web.conftest import ORIGIN, Site

A_WHILE = timedelta(seconds=8)  # to read the page


def hidden(page: str) -> dict[str, str]:
    """The hidden fields of a form."""
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page)
    return {name: html.unescape(value) for name, value in found}


def sign_up(
    site: Site,
    address: str,
    clock: FakeClock,
    *,
    path: str = "/s/harbour",
    headers: dict[str, str] | None = None,
    **fields: str,
) -> Any:
    """Opens the form, waits a while, and posts it."""
    page = site.client.get(path, headers=headers or {})
    assert page.status_code == 200
    clock.advance(A_WHILE)
    data = {**hidden(page.text), "homepage": "", "address": address, **fields}
    answer: Response = site.client.post(path, data=data, headers=headers or {})
    return answer


def deliver(site: Site) -> Delivered:
    """One round of what the site does beside its pages."""
    return asyncio.run(deliver_service_mail(site.mailer.postbox))


def mail(inbox: Inbox, number: int = -1) -> EmailMessage:
    return email.message_from_bytes(inbox.messages[number].data, policy=email.policy.default)


def words(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def link(message: EmailMessage, room: str = "c") -> str:
    """The one link of this room, in both parts of a mail, as a path."""
    page = message.get_body(("html",))
    assert page is not None
    told = re.findall(rf"{ORIGIN}(/{room}/[\w-]+)", words(message) + page.get_content())
    (found,) = set(told)
    return str(found)
