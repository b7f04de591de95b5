"""Freezes an audience: one delivery for each person, with what the mail reads of them."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mailer.compose.rules.size import CLIPPED_AT, CLOSE_TO_CLIPPED
from mailer.contacts.masking import mask_address
from mailer.errors import Fault, InputError
from mailer.message.click_links import MARK
from mailer.message.compiled import CompiledMessage
from mailer.message.longest import longest_reader
from mailer.message.retarget import marked
from mailer.message.values import MergeError
from mailer.model.shown import headcount
from mailer.model.words import Slot
from mailer.store.audience import Selection
from mailer.store.crowd import Draw, Joining, Values, gathered
from mailer.store.database import Database

_EXAMPLES = 3  # people named, masked, in a fault about a missing value
_LONGEST = 8  # readers a variant who are measured: those with the longest values
_MARKED = marked("A" * MARK)  # behind each link of a letter that is measured by person
_REMEMBERED = 200_000  # combinations of values that were found good


@dataclass(frozen=True, slots=True)
class Longest:
    """The reader whose HTML part is the longest of a variant."""

    html_bytes: int
    example: str  # the address, masked

    @property
    def is_cut(self) -> bool:
        """Whether Gmail hides the end of it."""
        return self.html_bytes > CLIPPED_AT

    def fault(self, where: str = "") -> Fault | None:
        """What to say of its size, when it comes close to what Gmail shows, or goes beyond."""
        if self.html_bytes <= CLOSE_TO_CLIPPED:
            return None
        return Fault(
            f"The HTML part has {self.html_bytes / 1000:.0f} kB for {self.example};"
            " Gmail hides what comes after 102 kB.",
            where,
            hint="Shorten the issue, or the values that it shows; or move stories to the web.",
            rule="html-size",
        )


@dataclass(frozen=True, slots=True)
class Frozen:
    """How many get it, in each variant, and how many were left out for each reason.

    ``longest`` has one entry a variant, None where nobody gets it.
    """

    audience: int
    by_variant: Sequence[int]
    excluded: Mapping[str, int]
    lanes: Sequence[tuple[str, int]]  # providers with their people, in the order of positions
    held: int = 0  # so many of them, the last ones, wait for a choice between two subjects
    longest: Sequence[Longest | None] = ()


def freeze_audience(
    campaign_id: int,
    variants: Sequence[int],
    letters: Sequence[CompiledMessage],
    choose: Callable[[str | None], int],
    *,
    db: Database,
    selection: Selection,
    lane_of: Mapping[str, str],
    site_url: str,
    draw: Draw | None = None,
    behind: int = 0,
    joining: Callable[[Sequence[tuple[str, int]]], Joining] | None = None,
    measured: Sequence[CompiledMessage] = (),
    by_person: bool = False,
    allow: Callable[[Sequence[Longest | None]], None] = lambda longest: None,
) -> Frozen:
    """Writes the audience of a campaign that is being planned.

    With a ``draw``, the second half of ``variants`` and ``letters`` has the second subject.

    1. Read everybody on the list, settle who is left out and why, put the rest in order.
    2. Evaluate each slot for each combination of values, so that a send can't fail on one, and
       measure the letters of those with the longest.
    3. Write deliveries and snapshots, in slices.

    ``variants`` are rows' ids, ``letters`` what they hold; ``choose`` says which of them a language
    gets; ``lane_of`` names the lane of a domain. Of a campaign that is there already, ``behind`` is
    its last position, and ``joining`` makes of the lanes what each slice does beside. ``measured``
    are the measured letters, ``by_person`` says that only who agreed gets them. ``allow`` is given
    the longest letters before anything is written, and may raise.
    Raises InputError when somebody lacks a value that the mail needs.
    """
    languages = len(variants) // 2 if draw is not None else len(variants)
    with gathered(db, selection, names_in(letters), lane_of, draw, measured=by_person) as crowd:
        variant_of = {language: choose(language) for language in crowd.languages}
        longest = examine(
            crowd.values(),
            letters,
            variant_of,
            measured=measured or letters,
            site_url=site_url,
            second=languages if draw is not None else 0,
        )
        allow(longest)
        with_each = joining(crowd.lanes) if joining is not None else None
        crowd.write(
            campaign_id,
            variants[:languages],
            variant_of,
            seconds=variants[languages:],
            behind=behind,
            joining=with_each,
        )
    by_variant = [0] * languages
    for language, people in crowd.languages.items():
        by_variant[variant_of[language]] += people
    return Frozen(
        crowd.size, by_variant, crowd.excluded, crowd.lanes, crowd.held, longest[:languages]
    )


def names_in(letters: Sequence[CompiledMessage]) -> Sequence[str]:
    """The fields that they read."""
    return sorted({name for letter in letters for name in letter.names})


def examine(
    people: Iterable[Values],
    letters: Sequence[CompiledMessage],
    variant_of: Mapping[str | None, int],
    *,
    measured: Sequence[CompiledMessage],
    site_url: str,
    second: int = 0,
) -> Sequence[Longest | None]:
    """Evaluates every letter that people would get; returns the longest of each variant.

    ``second`` is how far behind a letter its twin with the second subject stands, 0 without one.
    Raises InputError when somebody lacks a value that the mail needs.
    """
    gaps, sizes = _Gaps(letters), _Sizes(measured)
    for values in people:
        number = variant_of[values.language]
        gaps.look(number, values)
        sizes.look(number, values)
        if second:  # by now nobody knows who will get which subject
            gaps.look(number + second, values)
    gaps.complain()
    return sizes.measure(site_url)


class _Sizes:
    """Keeps, for each variant, the readers with the longest values, and measures their letters."""

    def __init__(self, letters: Sequence[CompiledMessage]) -> None:
        self._letters = letters
        self._kept: list[list[tuple[int, str, str]]] = [[] for _ in letters]

    def look(self, variant: int, values: Values) -> None:
        kept = self._kept[variant]
        one = (len(values.fields), values.fields, values.example)
        if len(kept) < _LONGEST:
            heapq.heappush(kept, one)
        elif one[0] > kept[0][0]:
            heapq.heapreplace(kept, one)

    def measure(self, site_url: str) -> list[Longest | None]:
        """The longest HTML part of each variant, after everything was filled in.

        The address and the links of a reader have some octets more or less; these are long ones.
        """
        person = longest_reader(site_url)
        found: list[Longest | None] = []
        for letter, kept in zip(self._letters, self._kept, strict=True):
            measured = [
                Longest(
                    len(letter.parts({**json.loads(fields), **_MARKED}, person).html.encode()),
                    mask_address(example),
                )
                for _, fields, example in kept
            ]
            found.append(max(measured, key=lambda each: each.html_bytes, default=None))
        return found


class _Gaps:
    """Collects, for each slot, how many people lack its value, and a few of them masked."""

    def __init__(self, letters: Sequence[CompiledMessage]) -> None:
        self._letters = letters
        self._good: set[tuple[int, str]] = set()
        self._found: dict[tuple[Slot, str], tuple[MergeError, int, list[str]]] = {}

    def look(self, variant: int, values: Values) -> None:
        known = (variant, values.fields)
        if known in self._good:
            return
        fields: Mapping[str, Any] = json.loads(values.fields)
        errors = self._letters[variant].errors(fields)
        if not errors and len(self._good) < _REMEMBERED:
            self._good.add(known)
        for error in errors:
            place = (error.slot, error.reason)
            _, many, examples = self._found.get(place, (error, 0, []))
            if len(examples) < _EXAMPLES:
                examples.append(mask_address(values.example))
            self._found[place] = (error, many + values.people, examples)

    def complain(self) -> None:
        """Raises InputError with one fault a slot."""
        if not self._found:
            return
        faults = []
        for error, many, examples in self._found.values():
            who = f"{headcount(many)}, such as {', '.join(examples)}" if many > 1 else examples[0]
            hint = (
                'Add `| default("…")`, or plan with --blank-ok.'
                if error.reason == "empty"
                else None
            )
            faults.append(replace(error.fault, message=f"{error.fault.message} ({who})", hint=hint))
        raise InputError(faults)
