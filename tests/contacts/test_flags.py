"""Odd addresses are flagged, with the domain that was probably meant, and ordinary ones are not."""

from __future__ import annotations

import pytest

from mailer.adapters.word_lists import disposable_domains
from mailer.contacts.flags import PROVIDERS, Flag, FlagTally, Oddity, is_role, oddities

odd = oddities({"throwaway.example"})


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("gmial.com", "gmail.com"),
        ("gmai.com", "gmail.com"),
        ("gmaill.com", "gmail.com"),
        ("gmail.con", "gmail.com"),
        ("hotmial.com", "hotmail.com"),
        ("outlok.com", "outlook.com"),
        ("yahooo.com", "yahoo.com"),
        ("protonmial.com", "protonmail.com"),
    ],
)
def test_a_slip_is_seen(typed: str, meant: str) -> None:
    assert odd(typed) == Oddity(meant, False)


@pytest.mark.parametrize(
    "domain", [*sorted(PROVIDERS), "example.org", "gmx.it", "mail.de", "me.uk"]
)
def test_a_good_domain_is_not_odd(domain: str) -> None:
    assert odd(domain) is None


def test_a_short_lived_domain_is_odd_with_its_sub_domains() -> None:
    assert odd("throwaway.example") == odd("x.throwaway.example") == Oddity(None, True)
    assert {"mailinator.com", "guerrillamail.com"} <= disposable_domains()
    assert disposable_domains() & PROVIDERS == set()


@pytest.mark.parametrize(
    ("local", "role"), [("info", True), ("Postmaster", True), ("sales+x", True), ("anna", False)]
)
def test_roles(local: str, role: bool) -> None:
    assert is_role(local) is role


def test_flags_are_counted_with_a_few_examples() -> None:
    tally = FlagTally(frozenset(), keep_domains=True)
    for n in range(7):
        tally.see(f"p{n}@gmial.com")
    tally.see("info@example.org")
    tally.see("zoë@example.org")

    assert tally.flags() == (
        Flag("role", 1, ("info@example.org",)),
        Flag("smtputf8", 1, ("zoë@example.org",)),
        Flag("typo", 7, tuple(f"p{n}@gmial.com (meant gmail.com?)" for n in range(5))),
    )
    assert tally.domains == {"gmial.com": 7, "example.org": 2}


def test_of_a_misspelt_domain_only_the_slip_is_told() -> None:
    tally = FlagTally({"gmial.com", "throwaway.example"})
    for address in ("a@gmial.com", "b@throwaway.example"):
        tally.see(address)

    assert "gmial.com" in disposable_domains()
    assert tally.flags() == (
        Flag("disposable", 1, ("b@throwaway.example",)),
        Flag("typo", 1, ("a@gmial.com (meant gmail.com?)",)),
    )
