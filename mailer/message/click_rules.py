"""Tells a reader's click, or image load, from a machine's, as far as that can be told.

Mail gateways open every link of a mail before anybody reads it, and chat programs open a link to
show what is behind it. The rules are data (agents, networks, how many within how long); here stands
only how they are applied. They judge what was asked for and never a person.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from mailer.message.links import hkdf
from mailer.model.measuring import ClickVerdict

_V = ClickVerdict
_INSIDE = [
    ip_network(each)
    for each in (
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    )
]


@dataclass(frozen=True, slots=True)
class Seen:
    """One click of a campaign, as far as the rules look at it. ``at`` is in ms.

    An image load has the number 0.
    """

    id: int
    number: int
    at: int
    subscriber: int | None
    network: bytes | None
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class ClickRules:
    """The rules, with the day on which they were put together."""

    dated: str
    agents: re.Pattern[str]
    networks: Sequence[Any]  # of ipaddress
    early_seconds: int
    burst_links: int
    burst_seconds: int
    crowd_people: int
    crowd_seconds: int
    repeat_seconds: int
    ahead_exactly: frozenset[str]  # agents, in lower case
    ahead: re.Pattern[str]
    proxies: re.Pattern[str]

    @classmethod
    def read(cls, document: str) -> ClickRules:
        """Reads them from TOML. Raises ValueError for what is none."""
        found = tomllib.loads(document)
        several, pictures = found["several"], found["pictures"]
        return cls(
            dated=str(found["dated"]),
            agents=_any_of(found["agents"]["contain"]),
            networks=[ip_network(each) for known in found["networks"].values() for each in known],
            early_seconds=several["early_seconds"],
            burst_links=several["burst_links"],
            burst_seconds=several["burst_seconds"],
            crowd_people=several["crowd_people"],
            crowd_seconds=several["crowd_seconds"],
            repeat_seconds=several["repeat_seconds"],
            ahead_exactly=frozenset(each.lower() for each in pictures["ahead_exactly"]),
            ahead=_any_of(pictures["ahead_contain"]),
            proxies=_any_of(pictures["proxies_contain"]),
        )

    @property
    def horizon_ms(self) -> int:
        """How far apart two clicks may be that are judged together."""
        return max(self.burst_seconds, self.crowd_seconds) * 1000

    def judge(self, agent: str, ip: str, at: int, accepted_at: int | None) -> ClickVerdict | None:
        """Judges one click by itself; ``accepted_at`` is None where no mail has gone."""
        if not agent.strip() or self.agents.search(agent):
            return _V.agent
        address = _address(ip)
        if address is not None and any(address in network for network in self.networks):
            return _V.network
        if accepted_at is None or at < accepted_at + self.early_seconds * 1000:
            return _V.early
        return None

    def judge_load(
        self, agent: str, ip: str, at: int, accepted_at: int | None
    ) -> ClickVerdict | None:
        """Judges one load of the picture by itself, likewise."""
        if agent.strip().lower() in self.ahead_exactly or self.ahead.search(agent):
            return _V.ahead
        if self.proxies.search(agent):
            return _V.proxy
        return self.judge(agent, ip, at, accepted_at)

    def together(self, clicks: Iterable[Seen]) -> dict[int, ClickVerdict]:
        """Judges the clicks of one campaign together: id → verdict, of those that get one."""
        found: dict[int, ClickVerdict] = {}  # a later verdict takes the place of an earlier one
        ordered = sorted(clicks, key=lambda each: each.at)
        by_network = _groups(ordered, lambda each: each.network)
        mails = _groups(
            ordered, lambda each: each.network if each.subscriber is None else each.subscriber
        )
        for group in mails:
            last: dict[int, int] = {}  # link → when it was followed before
            for each in group:
                if each.at - last.get(each.number, -(10**15)) < self.repeat_seconds * 1000:
                    found[each.id] = _V.repeat
                last[each.number] = each.at
        for group in by_network:
            named = [each for each in group if each.subscriber is not None]
            for each in _dense(named, self.crowd_seconds, self.crowd_people, "subscriber"):
                found[each.id] = _V.crowd
        for group in mails:
            for each in _dense(group, self.burst_seconds, self.burst_links, "number"):
                found[each.id] = _V.burst
        return found


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(each) for each in words), re.IGNORECASE)


def _groups(clicks: Iterable[Seen], key: Any) -> Iterable[list[Seen]]:
    groups: dict[Hashable, list[Seen]] = {}
    for each in clicks:
        if key(each) is not None:
            groups.setdefault(key(each), []).append(each)
    return groups.values()


def _dense(clicks: Sequence[Seen], seconds: int, most: int, what: str) -> Iterable[Seen]:
    """Those that stand within some seconds of others with, together, that many different ones."""
    found: dict[int, Seen] = {}
    first = 0
    counts: dict[Any, int] = {}
    for last, each in enumerate(clicks):
        counts[getattr(each, what)] = counts.get(getattr(each, what), 0) + 1
        while each.at - clicks[first].at > seconds * 1000:
            gone = getattr(clicks[first], what)
            counts[gone] -= 1
            if not counts[gone]:
                del counts[gone]
            first += 1
        if len(counts) >= most:
            found.update((one.id, one) for one in clicks[first : last + 1])
    return found.values()


def _address(ip: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(ip.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


class Networks:
    """Makes of an address what is kept of it: a keyed hash of its network's prefix.

    The key is another each day and for each campaign, so nothing can be joined beyond them; and
    without the secret it can't be computed for all networks there are.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._keys: dict[tuple[int, str], bytes] = {}

    def hashed(self, ip: str, campaign: int, at: int) -> bytes | None:
        """Eight octets, from /24 or /48; None where no network of a reader is known.

        A loopback or private address is most likely a proxy that nobody has named as trusted: all
        readers would seem to be one.
        """
        address = _address(ip)
        if address is None or any(address in network for network in _INSIDE):
            return None
        day = datetime.fromtimestamp(at / 1000, UTC).date().isoformat()
        if len(self._keys) > 1000:
            self._keys.clear()
        key = self._keys.setdefault(
            (campaign, day), hkdf(self._secret, f"mailer click network {campaign} {day}")
        )
        width = 48 if isinstance(address, IPv6Address) else 24
        prefix = ip_network(f"{address}/{width}", strict=False)
        kind = b"6" if isinstance(prefix, IPv6Network) else b"4"
        octets = kind + prefix.network_address.packed
        return hashlib.blake2b(octets, key=key, digest_size=8).digest()
