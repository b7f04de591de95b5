"""The words about measuring: what is counted of a campaign's links and of its picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class ClickMode(StrEnum):
    """What is measured of the links of a campaign."""

    off = "off"  # nothing: links lead where they say
    totals = "totals"  # how often each link was followed, by nobody in particular
    people = "people"  # by whom, of those who said yes to being tracked; nothing of the others


class LoadMode(StrEnum):
    """What is counted of a campaign's picture of one pixel. It never tells who read a mail."""

    off = "off"  # nothing: no mail has such a picture
    totals = "totals"  # how often it was loaded, by nobody in particular
    people = "people"  # from whose mails, of those who said yes to being tracked


def by_person(frozen: Mapping[str, Any]) -> bool:
    """Whether a frozen campaign measures people: then only who agreed gets the measured letter."""
    return frozen.get("clicks") == ClickMode.people or frozen.get("image_loads") == LoadMode.people


@dataclass(frozen=True, slots=True)
class Measured:
    """What was counted of a campaign, with machines and without.

    ``raw`` is everything, ``filtered`` what is left without what the rules take for machines.
    ``people`` are different readers from whose mails the filtered came, and ``measured`` how many
    of the audience say yes to being measured now; both are None where nobody is named.
    """

    mode: ClickMode | LoadMode
    raw: int = 0
    filtered: int = 0
    people: int | None = None
    measured: int | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)  # verdict → how many
    rules_dated: str = ""


UTM_NAMES = ("source", "medium", "campaign", "content", "term")


@dataclass(frozen=True, slots=True)
class UtmWish:
    """Whether links to the owner's domains get UTM parameters, and what is known of them."""

    on: bool = False
    values: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> UtmWish:
        """Reads ``yes``, ``no``, or pairs such as ``source=harbour, campaign=spring``.

        Raises ValueError, whose text says what is accepted.
        """
        text = text.strip()
        if text in ("yes", "no"):
            return cls(text == "yes")
        pairs = [each.partition("=") for each in text.split(",")]
        found = {name.strip().lower(): words.strip() for name, _, words in pairs}
        if not all(name in UTM_NAMES and words for name, words in found.items()):
            raise ValueError(f"yes, no, or pairs such as source=harbour, of {', '.join(UTM_NAMES)}")
        return cls(True, found)


class ClickVerdict(StrEnum):
    """Why a click, or an image load, is taken for a machine's."""

    agent = "agent"  # the program names itself, or names nothing at all
    network = "network"  # it came from a range that a scanner's owner publishes
    early = "early"  # before the mail could have been read
    burst = "burst"  # several links of one mail within seconds
    repeat = "repeat"  # the same link of one mail again, faster than a second look
    crowd = "crowd"  # the mails of many readers, from one network at one time
    ahead = "ahead"  # of pictures: a mail program that loads every one, whoever reads or not
    proxy = "proxy"  # of pictures: a mailbox provider's machine, in a reader's place or ahead
