"""Which mail programs an audience reads with, and which share of it a feature leaves out.

The shares of the audiences here are round assumptions, not measurements: who knows the own readers
says so with ``--audience "gmail=40, outlook.windows=30, apple-mail=30"``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from mailer.compose.names import did_you_mean
from mailer.compose.rules.can_i_email import CLIENTS, DATED, SUPPORT
from mailer.errors import InputError

__all__ = ["AUDIENCES", "DATED", "EVERYONE", "Affected", "Audience", "read_audience"]

_FAMILIES = {
    "aol": "AOL",
    "apple-mail": "Apple Mail",
    "gmail": "Gmail",
    "gmx": "GMX",
    "hey": "HEY",
    "laposte": "LaPoste.net",
    "mail-ru": "Mail.ru",
    "outlook": "Outlook",
    "protonmail": "Proton Mail",
    "samsung-email": "Samsung Email",
    "sfr": "SFR",
    "thunderbird": "Thunderbird",
    "web-de": "WEB.DE",
    "yahoo": "Yahoo",
}
_PLATFORMS = {
    "android": "Android",
    "desktop-webmail": "on the web",
    "ios": "iOS",
    "macos": "macOS",
    "mobile-webmail": "on a phone's web",
    "outlook-com": "on the web",
    "windows": "Windows",
    "windows-mail": "Windows Mail",
}


@dataclass(frozen=True, slots=True)
class Affected:
    """Whom a feature does not reach: shares from 0 to 1, and the programs by name."""

    without: float
    partly: float
    programs: tuple[str, ...]  # those without it


@dataclass(frozen=True)
class Audience:
    """A name, and shares of mail programs; they are weights, and need not add up to anything."""

    name: str
    shares: Mapping[str, float]

    @cached_property
    def _total(self) -> float:
        return sum(self.shares.values())

    def affected(self, feature: str) -> Affected:
        """Returns who of this audience has a feature not, or only partly; unknown counts as had."""
        letters = dict(zip(CLIENTS, SUPPORT[feature], strict=True))
        without = [client for client in self.shares if letters[client] == "n"]
        partly = [client for client in self.shares if letters[client] == "a"]
        return Affected(
            sum(self.shares[each] for each in without) / self._total,
            sum(self.shares[each] for each in partly) / self._total,
            tuple(program_name(each) for each in sorted(without, key=self._weight)),
        )

    def _weight(self, client: str) -> tuple[float, str]:
        return -self.shares[client], client


def program_name(client: str) -> str:
    """Returns a program's name for people: ``outlook.windows`` is Outlook Windows."""
    family, platform = client.split(".")
    return f"{_FAMILIES.get(family, family)} {_PLATFORMS[platform]}"


def _spread(shares: Mapping[str, float]) -> dict[str, float]:
    """Gives each program of a family an equal part of the family's share."""
    spread: dict[str, float] = {}
    for name, share in shares.items():
        members = [each for each in CLIENTS if each == name or each.startswith(f"{name}.")]
        # Windows Mail was switched off at the end of 2024; it counts only when it is named.
        members = [each for each in members if each != "outlook.windows-mail" or each == name]
        for each in members:
            spread[each] = spread.get(each, 0) + share / len(members)
    return spread


AUDIENCES = {
    "everyone": Audience(
        "everyone",
        _spread({"apple-mail": 45, "gmail": 30, "outlook": 12, "yahoo": 5, "samsung-email": 3,
                 "thunderbird": 2, "aol": 1, "gmx": 1, "web-de": 1}),
    ),
    "offices": Audience(
        "offices",
        _spread({"outlook.windows": 35, "outlook.outlook-com": 20, "outlook.ios": 8,
                 "outlook.android": 5, "outlook.macos": 5, "gmail": 15, "apple-mail": 10,
                 "thunderbird": 2}),
    ),
    "phones": Audience(
        "phones",
        _spread({"apple-mail.ios": 45, "gmail.android": 25, "gmail.ios": 12, "outlook.ios": 5,
                 "outlook.android": 4, "samsung-email": 5, "yahoo.ios": 2, "yahoo.android": 2}),
    ),
}  # fmt: skip
EVERYONE = AUDIENCES["everyone"]


def read_audience(text: str) -> Audience:
    """Returns a named audience, or one written as ``program=share, …``. Raises InputError.

    A program is one of Can I Email's (``outlook.windows``), or a family (``gmail``), whose programs
    then have equal parts.
    """
    if "=" not in text:
        known = AUDIENCES.get(text.strip())
        if known is None:
            raise InputError(
                f"There is no audience `{text}`.",
                hint=did_you_mean(text, AUDIENCES, kind="audiences")
                + " Or write shares: `gmail=40, outlook.windows=60`.",
            )
        return known
    families = sorted({each.split(".")[0] for each in CLIENTS})
    shares: dict[str, float] = {}
    for piece in text.split(","):
        name, _, share = (each.strip() for each in piece.partition("="))
        if name not in families and name not in CLIENTS:
            raise InputError(
                f"`{name}` is no mail program that Can I Email knows.",
                hint=did_you_mean(name, [*families, *CLIENTS], kind="programs"),
            )
        try:
            shares[name] = float(share.rstrip("% "))
        except ValueError:
            shares[name] = -1
        if not 0 < shares[name] < 1e9:
            raise InputError(f"`{share}` is no share.", hint=f"Write `{name}=30`.")
    return Audience("your own", _spread(shares))
