"""Makes the bytes of one transaction, and refuses what must never be written."""

from __future__ import annotations

import re

from mailer.model.words import Reply, Stage
from mailer.smtp.events import Answered
from mailer.smtp.exchange import Outgoing
from mailer.smtp.replies import Features
from mailer.smtp.text import Text, stuff

MAX_ADDRESS = 254  # RFC 5321 section 4.5.3.1.3: a path has 256 octets, two of them brackets

_DATA = b"DATA\r\n"
# A path as it is, and xtext as well.
_PLAIN = re.compile(rf"[!-*,-;?-~]{{1,{MAX_ADDRESS}}}").fullmatch
_NOT_XTEXT = re.compile(r"[^!-*,-<>-~]")
_NOT_QCHAR = re.compile(r"[^!-*,-<>-\[\]-~]")
_CONTROLS = frozenset(map(chr, [*range(0x21), *range(0x7F, 0xA1), 0x2028, 0x2029, *b"<>"]))


class Prepared:
    """One transaction's bytes, and how far the server has followed it."""

    __slots__ = ("chunk", "commands", "key", "mail_ok", "rcpt_ok", "text", "told")

    def __init__(self, key: int, commands: bytes, text: bytes, chunk: int = 0) -> None:
        self.key = key
        self.commands = commands  # MAIL, RCPT and DATA, a line each
        self.text = text  # dot-stuffed, with the final dot; or BDAT and its one chunk
        self.chunk = chunk  # the octets of the chunk; 0: by DATA
        self.mail_ok = False
        self.rcpt_ok = False
        self.told = False  # its final answer is out

    def by_data(self) -> Prepared:
        """The same transaction for a server that offers BDAT and does not know it."""
        text = self.text[len(self.text) - self.chunk :]
        return Prepared(self.key, self.commands + b"DATA\r\n", stuff(text))

    @property
    def stage(self) -> Stage:
        """The first command that the server has not said yes to."""
        if not self.mail_ok:
            return Stage.mail
        return Stage.data if self.rcpt_ok else Stage.rcpt


def prepare(outgoing: Outgoing, features: Features) -> Prepared | Answered:
    """Renders one envelope for a server with these features.

    What can't go there is answered here, with a reply of our own, before any byte is written:

    ==========  ==========  =====================================================
    ``mail``    553 5.1.7   the sender's address is not fit for a command
    ``rcpt``    553 5.1.3   the recipient's address is not fit for a command
    both        553 5.6.7   a non-ASCII address without ``smtputf8``
    ``mail``    553 5.6.7   SMTPUTF8 is needed and the server does not offer it
    ``mail``    552 5.3.4   the message is larger than the announced SIZE
    ``mail``    554 5.6.3   8-bit text and the server does not offer 8BITMIME
    ``data``    554 5.6.0   the text has a bare CR or LF, a NUL, or no CRLF at its end
    ==========  ==========  =====================================================
    """
    sender, recipient, utf8 = outgoing.sender, outgoing.recipient, outgoing.smtputf8
    if sender and (fault := _address_fault(sender, utf8)):
        return _refuse(outgoing, Stage.mail, 553, fault, "The sender's address")
    plain = _PLAIN(recipient) is not None  # nearly always, and then nothing more is asked of it
    if not plain and (fault := _address_fault(recipient, utf8) if recipient else "5.1.3"):
        return _refuse(outgoing, Stage.rcpt, 553, fault, "The recipient's address")
    if utf8 and not features.smtputf8:
        return _refuse(outgoing, Stage.mail, 553, "5.6.7", "The server")

    text = outgoing.text or Text(outgoing.render())
    size, limit, options = text.size, features.size, ""
    if not text.clean:
        return _refuse(outgoing, Stage.data, 554, "5.6.0", "The message")
    if limit is not None:
        if 0 < limit < size:
            return _too_large(outgoing, size, limit)
        options = f" SIZE={size}"
    if not text.ascii:
        if not features.eightbitmime:
            return _refuse(outgoing, Stage.mail, 554, "5.6.3", "The message")
        options += " BODY=8BITMIME"
    if utf8:
        options += " SMTPUTF8"
    notify = ""
    if features.dsn:
        # A report names this mail, and holds our headers but not the whole text.
        options += " RET=HDRS"
        if outgoing.envelope_id:
            options += f" ENVID={xtext(outgoing.envelope_id)}"
        original = f"rfc822;{recipient}" if plain else original_recipient(recipient)
        notify = f" NOTIFY=FAILURE,DELAY ORCPT={original}"
    envelope = f"MAIL FROM:<{sender}>{options}\r\nRCPT TO:<{recipient}>{notify}\r\n"
    if features.chunking and not features.pipelining:
        # One round trip less where each command waits. With PIPELINING nothing would be gained.
        chunk = b"BDAT %d LAST\r\n%b" % (size, outgoing.render())
        return Prepared(outgoing.key, envelope.encode(), chunk, size)
    return Prepared(outgoing.key, envelope.encode() + _DATA, text.stuffed)


def xtext(text: str) -> str:
    """Printable ASCII as a parameter may hold it (RFC 3461 section 4)."""
    if text.isascii() and text.isalnum():  # as what we make up ourselves
        return text
    return _NOT_XTEXT.sub(lambda found: f"+{ord(found[0]):02X}", text)


def original_recipient(address: str) -> str:
    """The value of ORCPT: as xtext, or as RFC 6533 section 3 has it beyond ASCII."""
    if address.isascii():
        return f"rfc822;{xtext(address)}"
    escaped = _NOT_QCHAR.sub(lambda found: f"\\x{{{ord(found[0]):X}}}", address)
    return f"utf-8;{escaped}"


def _address_fault(address: str, utf8: bool) -> str:
    """Returns the status code that says what is wrong with an address, or nothing.

    These are the rules of a command line, not of an address: no control character, no blank and
    no bracket gets through, so nothing can end the path or the line early.
    """
    if len(address) > MAX_ADDRESS:
        return "5.1.3"
    if address.isascii():
        plain = address.isprintable() and " " not in address
        return "" if plain and "<" not in address and ">" not in address else "5.1.3"
    if not utf8:
        return "5.6.7"
    try:
        size = len(address.encode())
    except UnicodeEncodeError:  # half of a surrogate pair
        return "5.1.3"
    return "" if size <= MAX_ADDRESS and _CONTROLS.isdisjoint(address) else "5.1.3"


_SENTENCES = {
    "5.1.3": "is empty, too long or has characters that no mail command may carry",
    "5.1.7": "is too long or has characters that no mail command may carry",
    "5.6.0": "has a line that does not end in CRLF, or a NUL, and was not sent",
    "5.6.3": "has 8-bit text, and the server does not offer 8BITMIME",
    "5.6.7": "has non-ASCII characters, and the envelope does not ask for SMTPUTF8",
}


def _refuse(outgoing: Outgoing, stage: Stage, code: int, status: str, what: str) -> Answered:
    if stage is Stage.mail and status == "5.1.3":
        status = "5.1.7"  # the same fault of a sender (RFC 3463 section 3.2)
    sentence = _SENTENCES[status]
    if what == "The server":
        sentence = "does not offer SMTPUTF8, which this address needs"
    return Answered(outgoing.key, stage, Reply(code, f"{status} {what} {sentence}", status))


def _too_large(outgoing: Outgoing, size: int, limit: int) -> Answered:
    text = f"5.3.4 The message has {size} bytes and the server takes at most {limit}"
    return Answered(outgoing.key, Stage.mail, Reply(552, text, "5.3.4"))
