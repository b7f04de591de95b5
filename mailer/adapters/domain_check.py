"""Asks the name system which domains take mail: MX, the null MX, else an address (RFC 5321 5.1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from mailer.errors import StoppedError
from mailer.ports import DomainsAsked

if TYPE_CHECKING:
    from dns.resolver import Resolver

AT_ONCE = 20  # questions
TOGETHER = 100  # domains: when not one of so many is answered, nobody is there who would
PATIENCE = 5.0  # seconds for one domain
_SILENT = "no answer"


class MailServers:
    """Looks domains up, many at once. What has no clear answer counts as not known."""

    def __init__(self, resolver: Resolver | None = None) -> None:
        self._resolver = resolver

    def ask(self, domains: Sequence[str]) -> DomainsAsked:
        """Asks about each, until nobody answers any more; the rest are silent then.

        Raises StoppedError when the name system answers nothing from the beginning.
        """
        deaf: dict[str, str] = {}
        silent: list[str] = []
        resolver = self._resolver or _own_resolver()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for start, some in _together(domains):
                answers = list(pool.map(lambda domain: _deaf(resolver, domain), some))
                told = dict(zip(some, answers, strict=True))
                deaf |= {domain: why for domain, why in told.items() if why and why != _SILENT}
                silent += [domain for domain, why in told.items() if why == _SILENT]
                if set(answers) != {_SILENT}:
                    continue
                if not start:
                    raise _nobody_answers()
                silent += domains[start + len(some) :]
                break
        return DomainsAsked(deaf, silent)


def _together(domains: Sequence[str]) -> Iterator[tuple[int, Sequence[str]]]:
    """The domains in parts, with where each begins: a small one first, which tells soonest."""
    start, size = 0, AT_ONCE
    while some := domains[start : start + size]:
        yield start, some
        start, size = start + size, TOGETHER


def _own_resolver() -> Resolver:
    from dns.resolver import NoResolverConfiguration, get_default_resolver

    try:
        return get_default_resolver()
    except NoResolverConfiguration as error:
        raise _nobody_answers() from error


def _nobody_answers() -> StoppedError:
    return StoppedError(
        "The name system does not answer, so no domain can be checked.",
        hint="Nothing was imported. Run this again when the network is there, or without"
        " --check-mx.",
    )


def _deaf(resolver: Resolver, domain: str) -> str | None:
    """Why a domain takes no mail, ``_SILENT``, or None when it does."""
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
            return _SILENT
        if kind == "MX" and all(str(record.exchange) == "." for record in answer):
            return "it takes no mail (RFC 7505)"
        return None
    return "it has neither a mail server nor an address"
