"""Finds an address in a text, however it is written there."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from contextlib import suppress

import idna

from mailer.contacts.address import Address


def mentions(address: Address) -> Callable[[str], bool]:
    """Makes the test whether a text holds this address, in any case, with either form of domain.

    It is not part of a longer address: ``anna@x.org`` is not in ``joanna@x.org``.
    """
    local, _, domain = address.key.rpartition("@")
    spellings = {f"{local}@{domain}", address.shown.casefold()}
    with suppress(idna.IDNAError):
        spellings.add(f"{local}@{idna.decode(domain)}")

    def found(text: str) -> bool:
        folded = unicodedata.normalize("NFC", text).casefold()
        return any(_whole(folded, spelling) for spelling in spellings)

    return found


def _whole(text: str, wanted: str) -> bool:
    at = text.find(wanted)
    while at >= 0:
        before = text[at - 1 : at]
        after = text[at + len(wanted) : at + len(wanted) + 2]
        joined = before.isalnum() or before in tuple("._-+%")
        longer = (
            after[:1].isalnum() or after[:1] == "-" or (after[:1] == "." and after[1:].isalnum())
        )
        if not joined and not longer:
            return True
        at = text.find(wanted, at + 1)
    return False
