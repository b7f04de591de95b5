"""Freezes an audience: one delivery for each person, with what the mail reads of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mailer.contacts.masking import mask_address
from mailer.errors import InputError
from mailer.message.compiled import CompiledMessage
from mailer.message.values import MergeError
from mailer.model.words import Slot
from mailer.store import audience
from mailer.store.database import Database

_EXAMPLES = 3  # people named, masked, in a fault about a missing value
_REMEMBERED = 200_000  # combinations of values that were found good


@dataclass(frozen=True, slots=True)
class Frozen:
    """How many get it, in each variant, and how many were left out for each reason."""

    audience: int
    by_variant: Sequence[int]
    excluded: Mapping[str, int]
    lanes: Sequence[tuple[str, int]]  # providers with their people, in the order of positions


def freeze_audience(
    campaign_id: int,
    variants: Sequence[int],
    letters: Sequence[CompiledMessage],
    choose: Callable[[str | None], int],
    *,
    db: Database,
    selection: audience.Selection,
    lane_of: Mapping[str, str],
) -> Frozen:
    """Writes the audience of a campaign that is being planned.

    1. Read everybody on the list, settle who is left out and why, put the rest in order.
    2. Evaluate each slot for each combination of values, so that a send can't fail on one.
    3. Write deliveries and snapshots, in slices.

    ``variants`` are rows' ids, ``letters`` what they hold; ``choose`` says which of them a language
    gets; ``lane_of`` names the lane of a domain. Raises InputError when somebody lacks a value
    that the mail needs.
    """
    names = sorted({name for letter in letters for name in letter.names})
    with audience.gathered(db, selection, names, lane_of) as crowd:
        variant_of = {language: choose(language) for language in crowd.languages}
        gaps = _Gaps(letters)
        for values in crowd.values():
            gaps.look(variant_of[values.language], values)
        gaps.complain()
        crowd.write(campaign_id, variants, variant_of)
    by_variant = [0] * len(variants)
    for language, people in crowd.languages.items():
        by_variant[variant_of[language]] += people
    return Frozen(crowd.size, by_variant, crowd.excluded, crowd.lanes)


class _Gaps:
    """Collects, for each slot, how many people lack its value, and a few of them masked."""

    def __init__(self, letters: Sequence[CompiledMessage]) -> None:
        self._letters = letters
        self._good: set[tuple[int, str]] = set()
        self._found: dict[tuple[Slot, str], tuple[MergeError, int, list[str]]] = {}

    def look(self, variant: int, values: audience.Values) -> None:
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
            who = f"{many:,} people, such as {', '.join(examples)}" if many > 1 else examples[0]
            hint = (
                'Add `| default("…")`, or plan with --blank-ok.'
                if error.reason == "empty"
                else None
            )
            faults.append(replace(error.fault, message=f"{error.fault.message} ({who})", hint=hint))
        raise InputError(faults)
