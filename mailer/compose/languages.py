"""Language tags: which way a language is written, what it calls itself, and who gets which.

Tags are those of RFC 5646; looking one up goes from the long tag to the short (RFC 4647 section
3.4), and ends at the default.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

WELL_FORMED = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*\Z")  # RFC 5646 section 2.1
_RTL = {"ar", "arc", "ckb", "dv", "fa", "he", "ku", "ps", "sd", "ug", "ur", "yi"}
_RTL_SCRIPTS = {"arab", "hebr", "thaa", "nkoo", "syrc"}
_LTR_SCRIPTS = {"latn", "cyrl"}  # Kurdish or Uzbek in Latin letters, say
# What the speakers call it, for the link to an edition in their language.
_NAMES = {
    "ar": "العربية", "bg": "български", "bn": "বাংলা", "ca": "català", "cs": "čeština",
    "da": "dansk", "de": "Deutsch", "el": "Ελληνικά", "en": "English", "es": "español",
    "et": "eesti", "eu": "euskara", "fa": "فارسی", "fi": "suomi", "fr": "français",
    "ga": "Gaeilge", "gl": "galego", "he": "עברית", "hi": "हिन्दी", "hr": "hrvatski",
    "hu": "magyar", "hy": "հայերեն", "id": "Indonesia", "is": "íslenska", "it": "italiano",
    "ja": "日本語", "ka": "ქართული", "ko": "한국어", "lt": "lietuvių", "lv": "latviešu",
    "mk": "македонски", "mt": "Malti", "nb": "norsk", "nl": "Nederlands", "nn": "nynorsk",
    "no": "norsk", "pl": "polski", "ps": "پښتو", "pt": "português", "ro": "română",
    "ru": "русский", "sk": "slovenčina", "sl": "slovenščina", "sq": "shqip", "sr": "српски",
    "sv": "svenska", "sw": "Kiswahili", "th": "ไทย", "tr": "Türkçe", "uk": "українська",
    "ur": "اردو", "vi": "Tiếng Việt", "zh": "中文", "zh-hans": "简体中文", "zh-hant": "繁體中文",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Offered:
    """A language in which an issue is offered. ``also_for`` are further tags that it serves."""

    tag: str
    also_for: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What the language calls itself; its tag when that is not known here."""
        return next((_NAMES[each] for each in lookups(self.tag) if each in _NAMES), self.tag)

    @property
    def dir(self) -> str:
        return direction(self.tag)


def direction(tag: str) -> str:
    """Returns ``rtl`` or ``ltr``: by the script that the tag names, else by the language."""
    parts = tag.lower().split("-")
    if _LTR_SCRIPTS.intersection(parts[1:]):
        return "ltr"
    return "rtl" if parts[0] in _RTL or _RTL_SCRIPTS.intersection(parts[1:]) else "ltr"


def lookups(tag: str) -> Iterator[str]:
    """Yields a tag in small letters, then what is left of it from the right, part by part."""
    parts = tag.lower().replace("_", "-").split("-")
    for end in range(len(parts), 0, -1):
        if end == 1 or len(parts[end - 1]) > 1:  # a single letter only announces what follows
            yield "-".join(parts[:end])


def choose(wanted: str | None, offered: Sequence[Offered]) -> int:
    """Returns the number of what a reader of a language gets.

    The same tag; the tag shortened from the right; one that says it is also for that
    language; one in another form of the same language; else the first, which is the default.
    """
    if not wanted:
        return 0
    tags = list(lookups(wanted))
    for tag in tags:
        for number, one in enumerate(offered):
            if one.tag.lower() == tag:
                return number
    for tag in tags:
        for number, one in enumerate(offered):
            if tag in (each.lower() for each in one.also_for):
                return number
    for number, one in enumerate(offered):
        if one.tag.lower().split("-")[0] == tags[-1]:
            return number
    return 0
