"""The sentences of the pages, one TOML file a language, and the choice of the language.

A language is complete or the tests fail, so a page never mixes two.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup, escape

FALLBACK = "en"
_FOLDER = Path(__file__).parent / "locales"


@dataclass(frozen=True, slots=True)
class Language:
    """One language: its own name, its direction, and its sentences by dotted name."""

    code: str
    name: str
    direction: str
    sentences: Mapping[str, str]

    def say(self, name: str, **values: str) -> Markup:
        """A sentence for a page. What comes from people is escaped, and isolated from its text.

        ``bdi`` keeps a Hebrew list title from turning an English sentence round.
        """
        isolated = {key: Markup("<bdi>{}</bdi>").format(value) for key, value in values.items()}
        return escape(self.sentences[name]).format(**isolated)

    def plain(self, name: str, **values: str) -> str:
        """A sentence without markup, for plain text and titles."""
        return self.sentences[name].format(**values)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every language that there is, by code."""

    languages: Mapping[str, Language]

    def choose(self, *wishes: str) -> Language:
        """The first language that is spoken here, of codes such as ``fr-CH`` in order of wish."""
        for wish in wishes:
            for code in (wish.lower(), wish.lower().partition("-")[0]):
                if code in self.languages:
                    return self.languages[code]
        return self.languages[FALLBACK]


def load_catalogue(folder: Path = _FOLDER) -> Catalogue:
    languages = (_load(file) for file in sorted(folder.glob("*.toml")))
    return Catalogue({language.code: language for language in languages})


def accepted(header: str) -> list[str]:
    """The codes of an ``Accept-Language`` header, best first (RFC 9110 section 12.5.4)."""
    weighted: list[tuple[float, str]] = []
    for part in header[:500].split(","):
        code, _, parameter = part.partition(";")
        weight = _weight(parameter)
        if code.strip() and weight > 0:
            weighted.append((weight, code.strip()))
    return [code for _, code in sorted(weighted, key=lambda pair: -pair[0])]


def _weight(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


def _load(file: Path) -> Language:
    parsed = tomllib.loads(file.read_text("utf-8"))
    return Language(file.stem, parsed.pop("name"), parsed.pop("direction"), dict(_flat(parsed)))


def _flat(table: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, str(value)
