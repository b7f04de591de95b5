"""Reads and writes mailboxes strictly: nothing is guessed, and nothing slips into a header."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import idna


class HeaderError(ValueError):
    """Something that can't stand in a header; its text is a sentence for people."""


class NonAsciiLocalPartError(HeaderError):
    """An address that only SMTPUTF8 can carry (RFC 6531): refused here, and no suppression."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A display name, which may be empty, and an address."""

    display: str
    address: str

    def __str__(self) -> str:
        return f"{self.display} <{self.address}>" if self.display else self.address


_REFUSED = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ATEXT = r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+"
_LOCAL = re.compile(rf"{_ATEXT}(?:\.{_ATEXT})*").fullmatch
_QUOTED_LOCAL = re.compile(r'"(?:[ !#-\[\]-~]|\\[ -~])+"').fullmatch
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*").fullmatch
_ANGLED = re.compile(r'(?P<display>"(?:[^"\\]|\\.)*"|[^"<>]*?)\s*<(?P<address>[^<>]+)>').fullmatch
_SPECIALS = re.compile(r'[()<>\[\]:;@\\,"]')  # RFC 5322 section 3.2.3, but for the dot


def checked(text: str, what: str) -> str:
    """Returns the text when it may stand in a header, and raises HeaderError otherwise.

    Refused are CR, LF, NUL and every other control character, the Unicode line and paragraph
    separators, which some software takes for line ends, and lone surrogates.
    """
    found = _REFUSED.search(text)
    if found is not None:
        raise HeaderError(f"{what} holds a control character (U+{ord(found.group()):04X}).")
    return text


def encode_address(address: str) -> str:
    """Returns an address as it stands in a header or envelope: the domain as A-labels.

    Raises HeaderError when it is no address, NonAsciiLocalPartError when only SMTPUTF8 can carry
    it. The local part is never changed.
    """
    local, at, domain = checked(address, "An address").rpartition("@")
    if not at or not local or not domain:
        raise HeaderError(f"“{address}” is not an address.")
    if not local.isascii():
        raise NonAsciiLocalPartError(f"“{address}” has letters beyond ASCII before the @.")
    if not (_LOCAL(local) or _QUOTED_LOCAL(local)) or len(local) > 64:
        raise HeaderError(
            f"“{address}” is not an address: what stands before the @ is not allowed."
        )
    encoded = f"{local}@{encode_domain(domain)}"
    if len(encoded) > 254:  # RFC 5321 section 4.5.3.1.3: a path is 256 with its brackets
        raise HeaderError(f"“{address}” is longer than an address may be.")
    return encoded


@lru_cache(maxsize=1024)
def encode_domain(domain: str) -> str:
    """Returns a domain as A-labels (IDNA 2008, mapped by UTS 46). Raises HeaderError."""
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True, std3_rules=True).decode()
        except idna.IDNAError as error:
            raise HeaderError(f"“{domain}” is not a domain: {error}.") from error
    if not _DOMAIN(domain) or len(domain) > 253:
        raise HeaderError(f"“{domain}” is not a domain.")
    return domain


def parse_mailbox(text: str) -> Mailbox:
    """Parses one mailbox of a setting: ``a@b``, ``Name <a@b>`` or ``"Name, Inc." <a@b>``.

    Raises HeaderError. A name with a comma or another special character must be in quotes, because
    without them it would be several mailboxes; comments and groups are refused.
    """
    text = checked(text, "A mailbox").strip(" ")
    found = _ANGLED(text)
    if found is None:
        if " " in text or _SPECIALS.search(text.replace("@", "", 1)):
            raise HeaderError(f"“{text}” is not one mailbox; write it as Name <name@example.org>.")
        encode_address(text)
        return Mailbox("", text)
    display, address = found["display"].strip(" "), found["address"]
    if display.startswith('"'):
        display = re.sub(r"\\(.)", r"\1", display[1:-1]).strip(" ")
    elif _SPECIALS.search(display):
        raise HeaderError(f"The name in “{text}” has a special character; put it in quotes.")
    encode_address(address)
    return Mailbox(display, address)
