"""A domain counts as deaf only when the name system says so for certain."""

from __future__ import annotations

from typing import Any, cast

import pytest
from dns.exception import Timeout
from dns.resolver import NXDOMAIN, NoAnswer, Resolver

from mailer.adapters.domain_check import MailServers


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


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ({"MX": [Record("mx.example.")]}, None),
        ({"MX": [Record(".")]}, "it takes no mail (RFC 7505)"),
        ({"A": ["192.0.2.1"]}, None),
        ({"AAAA": ["2001:db8::1"]}, None),
        ({}, "it has neither a mail server nor an address"),
        ({"MX": NXDOMAIN}, "there is no such domain"),
        ({"MX": Timeout}, None),
    ],
)
def test_answers(answers: dict[str, Any], why: str | None) -> None:
    resolver = cast(Resolver, FakeResolver({"a.example": answers}))

    assert MailServers(resolver).deaf(["a.example"]) == ({"a.example": why} if why else {})
