"""Asks the name system which domains take mail: MX, the null MX, else an address (RFC 5321 5.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dns.resolver import Resolver

AT_ONCE = 20  # questions
PATIENCE = 5.0  # seconds for one domain


class MailServers:
    """Looks domains up, many at once. What has no clear answer counts as not known."""

    def __init__(self, resolver: Resolver | None = None) -> None:
        self._resolver = resolver

    def deaf(self, domains: Sequence[str]) -> Mapping[str, str]:
        """The domains that certainly take no mail, each with why."""
        from dns.resolver import get_default_resolver

        resolver = self._resolver or get_default_resolver()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = pool.map(lambda domain: _deaf(resolver, domain), domains)
            return {domain: why for domain, why in zip(domains, answers, strict=True) if why}


def _deaf(resolver: Resolver, domain: str) -> str | None:
    from dns.exception import DNSException
    from dns.resolver import NXDOMAIN, NoAnswer

    for kind in ("MX", "A", "AAAA"):
        try:
            answer = resolver.resolve(domain, kind, lifetime=PATIENCE)
        except NXDOMAIN:
            return "there is no such domain"
        except NoAnswer:
            continue
        except (DNSException, OSError):  # no clear answer is no reason to doubt a person
            return None
        if kind == "MX" and all(str(record.exchange) == "." for record in answer):
            return "it takes no mail (RFC 7505)"
        return None
    return "it has neither a mail server nor an address"
