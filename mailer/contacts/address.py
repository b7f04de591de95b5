"""Parses e-mail addresses: the one strict gate through which every address enters.

Accepted is what RFC 5321 section 4.1.2 calls a dot-string before the ``@`` (with RFC 6531's
letters beyond ASCII) and a domain with at least one dot after it. Refused with a reason: several
addresses in one cell, comments, routes, IP literals, dotless and reserved domains, trailing dots,
control characters. Quoted local parts are refused too: hardly any mailbox has one, and ``"a"@x``
beside ``a@x`` would be two people with one mailbox.

Most of a contact file takes the fast path: one pattern for the local part, and a cache that asks
the validator once per domain. A property test holds it equal to the validator.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from email_validator import EmailNotValidError, validate_email

LOCAL_LIMIT = 64  # octets, RFC 5321 section 4.5.3.1.1
ADDRESS_LIMIT = 254  # octets: a path of 256 less its angle brackets, section 4.5.3.1.3

_ATOM = r"[A-Za-z0-9_!#$%&'*+\-/=?^`{|}~]+"
_PLAIN = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@([A-Za-z0-9.\-]+)").fullmatch
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad"  # what spreadsheets and web pages leave behind
_EDGES = " \t\r\n\v\f\u00a0\u2007\u202f\u3000" + _INVISIBLE
_SEPARATORS = re.compile(r"[\s,;|/]+")


class AddressError(ValueError):
    """An address that can't be used; its text is one sentence for people."""


class Address(NamedTuple):
    """A parsed address.

    ``address`` is what mail goes to: the local part as typed (NFC), the domain as A-labels.
    ``key`` is the identity of a person: NFC, case-folded, the domain as A-labels.
    ``shown`` has the domain as people read it.
    """

    address: str
    key: str
    shown: str
    smtputf8: bool = False  # only servers that offer SMTPUTF8 can carry it (RFC 6531)
    warnings: tuple[str, ...] = ()


def parse_address(raw: str) -> Address:
    """Parses one bare address; white space around it is ignored. Raises AddressError."""
    match = _PLAIN(raw)
    if match is not None:
        local, domain = match.groups()
        if "xn--" not in domain and len(local) <= LOCAL_LIMIT and len(raw) <= ADDRESS_LIMIT:
            ascii_domain = _ascii_domain(domain.lower())
            if ascii_domain is not None:
                address = f"{local}@{ascii_domain}"
                return Address(address, address.lower(), address)
    return _parse_slowly(raw.strip(_EDGES))


def plain_address(cell: str) -> tuple[str, str] | None:
    """Address and key of a cell that holds a plain ASCII address and nothing else, else None.

    What ``parse_address(clean_cell(cell))`` would say of it, in a third of the time.
    """
    match = _PLAIN(cell)
    if match is None or len(cell) > ADDRESS_LIMIT:
        return None
    local, domain = match.groups()
    if len(local) > LOCAL_LIMIT or local[0] == "'" or "xn--" in domain:
        return None
    known = _ascii_domain(domain.lower())
    if known is None:
        return None
    address = f"{local}@{known}"
    return address, address.lower()


def clean_cell(cell: str) -> str:
    """Takes off what spreadsheets and mail programs put around an address in a cell.

    White space of any kind, ``mailto:``, ``Name <a@b>``, quotes around the whole, a trailing comma
    or semicolon. Raises AddressError, naming them, when the cell holds several addresses.
    """
    text = cell.strip(_EDGES)
    if text[:7].lower() == "mailto:":
        text = text[7:].partition("?")[0]
    if text.endswith(">") and "<" in text:
        text = _inside_brackets(text)
    text = text.strip(_EDGES).rstrip(",;").rstrip(_EDGES)
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1].strip(_EDGES)
    if text.count("@") > 1:
        _refuse_several(text)
    return text


def identity(address: str) -> str:
    """The key of a person for an address whose domain is in A-labels already.

    Canonical caseless matching (Unicode, definition D145), composed again.
    """
    if address.isascii():
        return address.lower()
    folded = unicodedata.normalize("NFD", address).casefold()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", folded).casefold())


@lru_cache(maxsize=65_536)
def _ascii_domain(domain: str) -> str | None:
    """The A-label form of a lower-case ASCII domain, or None when the validator refuses it."""
    try:
        return validate_email(f"a@{domain}", strict=True, check_deliverability=False).ascii_domain
    except EmailNotValidError:
        return None


def _parse_slowly(text: str) -> Address:
    _refuse_known_mistakes(text)
    local, _, domain = text.rpartition("@")
    # RFC 6532 section 3.1: compare and store composed. The validator composes too, but it also
    # puts names such as Postmaster into lower case, and mail goes to the address as typed.
    local = unicodedata.normalize("NFC", local)
    try:
        checked = validate_email(f"{local}@{domain}", strict=True, check_deliverability=False)
    except EmailNotValidError as error:
        raise AddressError(f"“{_excerpt(text)}” is not an address: {error}") from error
    if checked.ascii_domain is None or checked.domain is None:
        raise AddressError(f"“{_excerpt(text)}” has no usable domain.")
    address = f"{local}@{checked.ascii_domain}"
    warnings: tuple[str, ...] = ()
    if not local.isascii():
        warnings = (f"“{address}” reaches only mail servers that offer SMTPUTF8.",)
    return Address(
        address=address,
        key=identity(address),
        shown=f"{local}@{checked.domain}",
        smtputf8=not local.isascii(),
        warnings=warnings,
    )


def _refuse_known_mistakes(text: str) -> None:
    """Raises AddressError with a plainer sentence than a grammar can give."""
    shown = _excerpt(text)
    if not text:
        raise AddressError("The address is empty.")
    if _CONTROL.search(text):
        raise AddressError(f"“{shown}” holds a control character or a line break.")
    if text.count("@") > 1 and not text.startswith('"'):
        _refuse_several(text)
    if "@" not in text:
        raise AddressError(f"“{shown}” has no @.")
    local, _, domain = text.rpartition("@")
    if local.startswith('"') or local.endswith('"'):
        raise AddressError(f"“{shown}” has a quoted part before the @, which is not supported.")
    if not local or not domain:
        raise AddressError(f"“{shown}” has nothing {'after' if local else 'before'} the @.")
    if "(" in text or ")" in text:
        raise AddressError(f"“{shown}” holds a comment in parentheses.")
    if domain.startswith("["):
        raise AddressError(f"“{shown}” has an IP address instead of a domain.")
    if domain.endswith("."):
        raise AddressError(f"“{shown}” ends in a dot.")
    if "." not in domain and "。" not in domain:
        raise AddressError(f"“{shown}” has a domain without a dot.")


def _refuse_several(text: str) -> None:
    found = [part.strip("<>\"'()") for part in _SEPARATORS.split(text) if "@" in part]
    if len(found) > 1:
        named = " and ".join(_excerpt(part) for part in found[:3])
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise AddressError(f"There are several addresses here ({named}{more}): give each a row.")
    raise AddressError(f"“{_excerpt(text)}” has more than one @.")


def _inside_brackets(text: str) -> str:
    """The address of ``Name <a@b>``; the text as it is when more than that one is in it."""
    name, _, inside = text[:-1].rpartition("<")
    name = name.strip(_EDGES + "'\"")
    if "@" in name and name.casefold() != inside.strip(_EDGES).casefold():
        return text
    return inside


def _excerpt(text: str) -> str:
    """At most sixty printable characters, for messages."""
    visible = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:60])
    return visible + ("…" if len(text) > 60 else "")
