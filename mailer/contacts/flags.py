"""What is odd about an address that is otherwise fine: told in the report, never held against it.

* a domain that looks like a misspelt one of a large provider (``gmial.com``);
* a role (``info@``, ``postmaster@``): several people read it, and nobody of them may have agreed;
* a disposable domain, whose mailboxes last for minutes; of a misspelt one only the slip is told.

Sources: role names from RFC 2142 sections 3 to 7 and those that mailing services commonly refuse;
disposable domains from a data file, which names its source and date; providers by hand,
November 2026.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

_ROLES = """
    abuse noc security postmaster hostmaster usenet news webmaster www uucp ftp
    info marketing sales support
    admin administrator billing contact enquiries feedback help helpdesk hello hr jobs
    legal mail mailer-daemon no-reply noreply office orders press privacy root service spam
    team undisclosed-recipients unsubscribe
    kontakt buero redaktion presse contato contacto prensa accueil bureau presse redazione
"""
# Where many people have their mail. A domain one slip away from one of these, and none of them
# itself, is likely to be a slip.
_PROVIDERS = """
    gmail.com googlemail.com yahoo.com yahoo.co.uk yahoo.fr yahoo.de yahoo.it yahoo.es
    yahoo.com.br yahoo.co.jp yahoo.co.in ymail.com rocketmail.com hotmail.com hotmail.co.uk
    hotmail.fr hotmail.de hotmail.it hotmail.es outlook.com outlook.fr outlook.de outlook.es
    live.com live.fr live.de live.nl live.co.uk msn.com icloud.com me.com mac.com aol.com
    gmx.de gmx.net gmx.at gmx.ch gmx.com gmx.fr web.de t-online.de freenet.de posteo.de
    mailbox.org proton.me protonmail.com pm.me orange.fr wanadoo.fr free.fr laposte.net sfr.fr
    libero.it virgilio.it tin.it alice.it bluewin.ch comcast.net verizon.net att.net sbcglobal.net
    btinternet.com mail.ru yandex.ru yandex.com bk.ru list.ru inbox.ru rambler.ru wp.pl o2.pl
    onet.pl interia.pl seznam.cz ukr.net qq.com 163.com 126.com sina.com naver.com daum.net
    hanmail.net uol.com.br bol.com.br terra.com.br fastmail.com fastmail.fm zoho.com mail.com
    email.com hey.com
"""
ROLES = frozenset(_ROLES.split())
PROVIDERS = frozenset(_PROVIDERS.split())
# Real domains that stand one slip away from a provider's.
_REAL = frozenset(
    {"mail.de", "email.de", "web.at", "pm.de", "msn.de", "live.it", "gmx.it", "gmx.eu"}
)
_LONG = 8  # letters; in a shorter name one slip makes too many real names


class Oddity(NamedTuple):
    """What is odd about a domain: the one that was probably meant, and whether it is disposable."""

    meant: str | None = None
    disposable: bool = False


def oddities(disposable: Collection[str]) -> Callable[[str], Oddity | None]:
    """Makes the function that tells what is odd about a domain in lower-case A-labels, or None."""

    @lru_cache(maxsize=65_536)
    def odd(domain: str) -> Oddity | None:
        if domain in PROVIDERS:
            return None
        meant = None
        if domain not in _REAL:
            near = {provider for provider in PROVIDERS if _one_slip(domain, provider)}
            meant = min(near) if len(near) == 1 else None
        parts = domain.split(".")
        short_lived = any(".".join(parts[at:]) in disposable for at in range(len(parts) - 1))
        return Oddity(meant, short_lived) if meant or short_lived else None

    return odd


def is_role(local: str) -> bool:
    """Whether a local part names a role; what follows a ``+`` does not count."""
    if local.islower() and "+" not in local:
        return local in ROLES
    return local.partition("+")[0].lower() in ROLES


def _one_slip(typed: str, meant: str) -> bool:
    """Whether one letter is wrong, missing, too many, or two have changed places."""
    if len(meant) < _LONG or abs(len(typed) - len(meant)) > 1 or typed == meant:
        return False
    start = 0
    shorter = min(len(typed), len(meant))
    while start < shorter and typed[start] == meant[start]:
        start += 1
    rest, wanted = typed[start:], meant[start:]
    if len(typed) == len(meant):
        swapped = len(rest) > 1 and rest[1::-1] == wanted[:2] and rest[2:] == wanted[2:]
        return swapped or rest[1:] == wanted[1:]
    longer, other = (rest, wanted) if len(rest) > len(wanted) else (wanted, rest)
    return longer[1:] == other


EXAMPLES = 5  # of each kind of flag


@dataclass(frozen=True, slots=True)
class Flag:
    """One thing that is odd about some addresses: how many, and the first few.

    ``flag`` is ``typo``, ``role``, ``disposable``, ``smtputf8`` (only mail servers with that
    extension can take it, RFC 6531), ``no_mail_server`` or ``not_checked`` (no name server
    answered for its domain).
    """

    flag: str
    people: int
    examples: tuple[str, ...]


class FlagTally:
    """Counts what is odd about addresses as they pass; ``domains`` only when they are wanted."""

    def __init__(self, disposable: Collection[str], *, keep_domains: bool = False) -> None:
        self._odd = oddities(disposable)
        self._found: dict[str, tuple[int, tuple[str, ...]]] = {}
        self.domains: dict[str, int] | None = {} if keep_domains else None

    def see(self, address: str) -> None:
        """Looks at one address whose domain is in lower-case A-labels."""
        local, _, domain = address.rpartition("@")
        odd = self._odd(domain)
        if odd is not None:
            if odd.meant:
                self.add("typo", f"{address} (meant {odd.meant}?)")
            else:  # a slip that somebody registered says nothing of whom the person meant
                self.add("disposable", address)
        if is_role(local):
            self.add("role", address)
        if not local.isascii():
            self.add("smtputf8", address)
        if self.domains is not None:
            self.domains[domain] = self.domains.get(domain, 0) + 1

    def add(self, flag: str, example: str, people: int = 1) -> None:
        count, examples = self._found.get(flag, (0, ()))
        if len(examples) < EXAMPLES:
            examples = (*examples, example)
        self._found[flag] = (count + people, examples)

    def flags(self) -> tuple[Flag, ...]:
        return tuple(Flag(flag, *found) for flag, found in sorted(self._found.items()))
