"""A domain counts as deaf only when the name system says so for certain."""

from __future__ import annotations

from typing import Any, cast

import pytest
from dns.exception import Timeout
from dns.resolver import NXDOMAIN, NoAnswer, NoResolverConfiguration, Resolver

from mailer.adapters.domain_check import AT_ONCE, TOGETHER, MailServers
from mailer.errors import StoppedError
from mailer.ports import DomainsAsked


class Record:
    def __init__(self, exchange: str) -> None:
        self.exchange = exchange


class FakeResolver:
    """Answers from a table: domain → kind → answer, or what is raised."""

    def __init__(self, table: dict[str, dict[str, Any]]) -> None:
        self.table = table

    def resolve(self, domain: str, kind: str, lifetime: float) -> Any:
        answer = self.table[domain].get(kind, NoAnswer)
        if isinstance(answer, type):
            raise answer()
        return answer


def servers(table: dict[str, dict[str, Any]]) -> MailServers:
    return MailServers(cast(Resolver, FakeResolver(table)))


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ({"MX": [Record("mx.example.")]}, None),
        ({"MX": [Record(".")]}, "it takes no mail (RFC 7505)"),
        ({"A": ["192.0.2.1"]}, None),
        ({"AAAA": ["2001:db8::1"]}, None),
        ({}, "it has neither a mail server nor an address"),
        ({"MX": NXDOMAIN}, "there is no such domain"),
    ],
)
def test_answers(answers: dict[str, Any], why: str | None) -> None:
    found = servers({"a.example": answers}).ask(["a.example"])

    assert found == DomainsAsked({"a.example": why} if why else {}, [])


def test_what_is_not_answered_is_told_and_held_against_nobody() -> None:
    found = servers({"a.example": {"MX": Timeout}, "b.example": {"MX": NXDOMAIN}})

    assert found.ask(["a.example", "b.example"]) == DomainsAsked(
        {"b.example": "there is no such domain"}, ["a.example"]
    )


def test_a_network_that_goes_away_is_not_waited_for_a_thousand_times() -> None:
    here = [f"{n}.here.example" for n in range(AT_ONCE)]
    away = [f"{n}.away.example" for n in range(TOGETHER)]
    never = ["never.example"]  # a question about it would be a KeyError
    table = {name: {"MX": [Record("mx.example.")]} for name in here}

    found = servers(table | {name: {"MX": Timeout} for name in away}).ask([*here, *away, *never])

    assert found == DomainsAsked({}, [*away, *never])


def test_no_name_server_at_all_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def unconfigured() -> Resolver:
        raise NoResolverConfiguration

    with pytest.raises(StoppedError, match="The name system does not answer"):
        servers({"a.example": {"MX": Timeout}}).ask(["a.example"])
    monkeypatch.setattr("dns.resolver.get_default_resolver", unconfigured)
    with pytest.raises(StoppedError, match="without --check-mx"):
        MailServers().ask(["a.example"])


def test_nobody_to_ask_about_is_no_error() -> None:
    assert servers({}).ask([]) == DomainsAsked({}, [])
