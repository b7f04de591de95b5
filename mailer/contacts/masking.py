"""Masks an address where somebody else might look on: ``a…@e….org``."""

from __future__ import annotations

import idna


def mask_address(address: str) -> str:
    """Keeps the first letter of each side and the last label of the domain.

    Enough for the owner to know which of their addresses is meant, too little for anybody else.
    """
    local, _, domain = address.rpartition("@")
    head, dot, last = _readable(domain).rpartition(".")
    return f"{local[:1]}…@{head[:1]}…{dot}{last}"


def _readable(domain: str) -> str:
    try:
        return idna.decode(domain)
    except idna.IDNAError:
        return domain
