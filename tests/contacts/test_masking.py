"""A masked address tells its owner which one is meant, and nobody else much."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.contacts.masking import mask_address


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("anna@example.org", "a…@e….org"),
        ("a@b.example", "a…@b….example"),
        ("Anna.Maria+news@mail.example.co.uk", "A…@m….uk"),
        ("lena@xn--bcher-kva.example", "l…@b….example"),
        ("i@xn--e1afmkfd.xn--p1ai", "i…@п….рф"),
        ("é@example.org", "é…@e….org"),
        ("x@xn--broken-.example", "x…@x….example"),
    ],
)
def test_an_address_keeps_two_letters_and_its_last_label(address: str, masked: str) -> None:
    assert mask_address(address) == masked


@given(st.text(max_size=30), st.text(max_size=30))
def test_masking_never_fails_and_never_shows_more(local: str, domain: str) -> None:
    masked = mask_address(f"{local}@{domain}.org")

    assert masked.count("…") >= 2
    assert masked.endswith(".org")
