"""Lays out the header block: what is the same for every reader, and what is each one's own.

The constant lines are written once and judged once, with a stand-in reader. What changes per
reader is held to narrow patterns without CR and LF, so the block around it can't change.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mailer.message import headers
from mailer.message.mailbox import (
    HeaderError,
    Mailbox,
    NonAsciiLocalPartError,
    encode_address,
    encode_domain,
)


@dataclass(frozen=True, slots=True)
class Letterhead:
    """What every reader of a variant gets alike. Everything in it is frozen with the campaign.

    ``bulk`` writes List-Id, List-Unsubscribe with its one-click line, Precedence, Feedback-ID and
    CFBL-Address; service mail and copies of an issue leave them out. ``automatic`` says that no
    person wrote it (RFC 3834 section 5), so that no vacation notice answers. ``mark`` stands before
    the subject of a test copy.
    """

    sender: Mailbox
    seed: str  # of the MIME boundary: one for each variant
    reply_to: Mailbox | None = None
    list_name: str = ""
    list_id: str = ""  # such as news.example.org
    campaign: str = ""
    web_url: str = ""
    web_home: str = ""  # the same without a language, if that is another address
    feedback_id: str = ""
    cfbl_address: str = ""  # complaints come here as ARF (RFC 9477); counts only when signed
    bulk: bool = True
    automatic: bool = False
    mark: str = ""


@dataclass(slots=True)  # not frozen: made for every mail, and that costs a microsecond
class PersonHeaders:
    """What one reader's headers say.

    ``to`` is the address with its domain as A-labels, ``message_id`` has no brackets, ``date`` is
    what ``headers.format_date`` returns. ``email`` is the address as people read it.
    """

    to: str
    message_id: str
    date: str
    unsubscribe_url: str = ""
    preferences_url: str = ""
    reconfirm_url: str = ""
    unsubscribe_mailto: str = ""  # mailto:…, optional
    email: str = ""


# The reader for whom nothing is known: plan checks values with it, and the gate its block.
STAND_IN = PersonHeaders(
    to="reader@example.org",
    message_id="0@example.org",
    date="Thu, 01 Jan 1970 00:00:00 +0000",
    unsubscribe_url="https://example.org/u/0",
    preferences_url="https://example.org/p/0",
    reconfirm_url="https://example.org/c/0",
    unsubscribe_mailto="mailto:leave@example.org",
)

_ADDRESS = re.compile(
    r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"
).fullmatch
# Letters, digits and marks of any script beside atext; no white space, no specials, no controls.
_LOCAL_UTF8 = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*").fullmatch
_MESSAGE_ID = re.compile(
    r"[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*@[A-Za-z0-9.-]+", re.ASCII
).fullmatch
_DATE = re.compile(
    r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", re.ASCII
).fullmatch
# No white space, no comma and no bracket (RFC 2369 section 2).
_WEB = re.compile(r"https?://[!-+\--;=?-~]{1,900}").fullmatch
_MAILTO = re.compile(r"mailto:[!-+\--;=?-~]{1,900}").fullmatch


@dataclass(frozen=True, slots=True)
class Head:
    """The constant lines of a header block. ``subject`` is empty when each reader has an own."""

    sender: str
    subject: str
    list_id: str
    tail: str
    bulk: bool
    cfbl: bool = False

    def block(self, person: PersonHeaders, subject: str, *, checked: bool = False) -> str:
        """Returns one reader's header block without the blank line. Raises HeaderError.

        The address is always looked at. All else need not be, when it is ``checked``: tokens of
        ours, and around them what ``check`` has passed.
        """
        to, name = person.to, person.message_id
        if len(to) > 254 or not _ADDRESS(to):
            to = _header_address(to)
        if not checked:
            self.check(person)
        leave = ""
        if self.bulk:
            if person.unsubscribe_mailto:
                leave = f",\r\n <{person.unsubscribe_mailto}>"
            leave = f"List-Unsubscribe: <{person.unsubscribe_url}>{leave}\r\n"
        if self.cfbl:  # which mail it was: the signed token that stands in Message-ID, too
            leave += f"CFBL-Feedback-ID: {name.partition('@')[0]}\r\n"
        return (
            f"Date: {person.date}\r\n{self.sender}To: {to}\r\n{subject}"
            f"Message-ID: <{name}>\r\n{self.list_id}{leave}{self.tail}"
        )

    def check(self, person: PersonHeaders) -> None:
        """Raises HeaderError for what a header block can't hold, but for the address."""
        if len(person.message_id) > 500 or not _MESSAGE_ID(person.message_id):
            raise HeaderError(f"“{person.message_id}” can't be a Message-ID.")
        if not _DATE(person.date):
            raise HeaderError(f"“{person.date}” can't be a Date.")
        if not self.bulk:
            return
        # One web address, then at most one mailbox (RFC 8058 section 3.1).
        if not _WEB(person.unsubscribe_url):
            raise HeaderError(f"“{person.unsubscribe_url}” can't be an unsubscribe link.")
        if person.unsubscribe_mailto and not _MAILTO(person.unsubscribe_mailto):
            raise HeaderError(f"“{person.unsubscribe_mailto}” can't be an unsubscribe mailbox.")


def can_stand(address: str) -> bool:
    """Whether a mail can be written to an address: the grammar of headers is narrower than ours.

    Nor one whose local part looks like an encoded word (RFC 2047 section 2): some programs decode
    it although section 5 forbids it, and then write to somebody else.
    """
    if "=?" in address:
        return False
    try:
        _header_address(address)
    except HeaderError:
        return False
    return True


def _header_address(address: str) -> str:
    """The address as its header has it. Raises HeaderError.

    A local part beyond ASCII stands as UTF-8 (RFC 6532 section 3.2); such a message travels by
    SMTPUTF8 only, and a server without it refuses the envelope for this one person.
    """
    try:
        return encode_address(address)
    except NonAsciiLocalPartError:
        local, _, domain = address.rpartition("@")
        if len(local.encode()) > 64 or not _LOCAL_UTF8(local):
            raise HeaderError(f"“{address}” can't stand in a header.") from None
        return f"{local}@{encode_domain(domain)}"


def lay_out(letterhead: Letterhead, subject: str | None, content_type: str) -> Head:
    """Writes the constant lines; ``subject`` is None when it has slots. Raises HeaderError."""
    sender = headers.mailbox("From", letterhead.sender)
    if letterhead.reply_to is not None:
        sender += headers.mailbox("Reply-To", letterhead.reply_to)
    list_id = tail = ""
    if letterhead.bulk:
        if letterhead.list_id:
            list_id = headers.list_id(letterhead.list_name, letterhead.list_id)
        tail = headers.structured("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
        if letterhead.feedback_id:
            tail += headers.feedback_id(letterhead.feedback_id)
        if letterhead.cfbl_address:
            address = encode_address(letterhead.cfbl_address)
            tail += headers.structured("CFBL-Address", f"{address}; report=arf")
        tail += headers.structured("Precedence", "bulk")
    if letterhead.automatic:
        tail += headers.structured("Auto-Submitted", "auto-generated")
    tail += headers.structured("MIME-Version", "1.0")
    tail += headers.structured("Content-Type", content_type)
    line = "" if subject is None else subject_line(letterhead.mark, subject)
    cfbl = letterhead.bulk and bool(letterhead.cfbl_address)
    head = Head(sender, line, list_id, tail, letterhead.bulk, cfbl)
    headers.gate(head.block(STAND_IN, line or "Subject: -\r\n").encode())
    return head


def subject_line(mark: str, text: str) -> str:
    """Writes the subject, encoded as a whole when it must be. Raises HeaderError."""
    return headers.unstructured("Subject", f"{mark} {text}" if mark else text)
