"""Folds the staged rows of one person into one row.

Of each field the last value counts, of the status the lowest, of the spelling the first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, Connection, text

AT_ONCE = 5_000  # pairs
EXAMPLES = 5  # of addresses that differ in case

_PAIRS = text(
    "SELECT a.n AS n, a.address AS address, a.language AS language, a.rank AS rank,"
    " a.ceiling AS ceiling, a.fields AS fields, b.language AS later_language,"
    " b.address AS later_address, b.rank AS later_rank, b.ceiling AS later_ceiling,"
    " b.fields AS later_fields"
    " FROM arrival a JOIN arrival b ON b.n = a.n + 1"
    " WHERE b.key = a.key AND a.n > :behind ORDER BY a.n LIMIT :limit"
).columns(fields=JSON(), later_fields=JSON())


@dataclass(frozen=True, slots=True)
class Folded:
    """How many rows went into others; how many of them spelt the address otherwise, and some."""

    rows: int = 0
    variants: int = 0
    examples: tuple[str, ...] = ()


def fold_doubles(connection: Connection, as_fields: str) -> Folded:
    """Folds every run of rows with one key into its last row.

    Rows are in the order of key and file, numbered without gaps, so doubles are neighbours.
    A run longer than what is read at once is folded step by step.
    """
    update = text(
        "UPDATE arrival SET address = :address, language = :language, rank = :rank,"
        f" ceiling = :ceiling, fields = {as_fields} WHERE n = :n"
    )
    folded, behind, variants = 0, 0, 0
    examples: tuple[str, ...] = ()
    while True:
        with connection.begin():
            pairs = connection.execute(_PAIRS, {"behind": behind, "limit": AT_ONCE}).all()
            if not pairs:
                return Folded(folded, variants, examples)
            runs: list[dict[str, Any]] = []
            for pair in pairs:
                run = runs[-1] if runs and runs[-1]["n"] == pair.n else _begun(pair)
                if not runs or run is not runs[-1]:
                    runs.append(run)
                if pair.later_address != run["address"]:
                    variants += 1
                    if len(examples) < EXAMPLES:
                        examples += (f"{pair.later_address} as {run['address']}",)
                _fold(run, pair)
            connection.execute(update, [run | {"fields": _json(run["fields"])} for run in runs])
            connection.execute(
                text("DELETE FROM arrival WHERE n = :n"), [{"n": pair.n} for pair in pairs]
            )
        folded += len(pairs)
        behind = pairs[-1].n


def _begun(pair: Any) -> dict[str, Any]:
    return {
        "n": pair.n,
        "address": pair.address,
        "language": pair.language,
        "rank": pair.rank,
        "ceiling": pair.ceiling,
        "fields": pair.fields,
    }


def _fold(run: dict[str, Any], pair: Any) -> None:
    """Lays the later row of a pair over what the run holds."""
    run["n"] = pair.n + 1
    run["language"] = pair.later_language or run["language"]
    run["rank"] = max(run["rank"], pair.later_rank)
    run["ceiling"] = max(run["ceiling"], pair.later_ceiling)
    run["fields"] = laid_over(run["fields"], pair.later_fields)


def laid_over(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    """The last value of each field; an empty cell (null) takes no value away within one file."""
    told = {name: value for name, value in later.items() if value is not None}
    return {**later, **earlier, **told}


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
