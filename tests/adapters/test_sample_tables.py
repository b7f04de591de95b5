"""Odd tables, each a file with what must be read from it stated beside it, are read as stated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mailer.adapters.contact_files import open_contacts
from mailer.contacts.table import Row
from mailer.errors import InputError

SAMPLES = Path(__file__).parents[1] / "samples" / "tables"
TABLES = sorted(file for file in SAMPLES.iterdir() if file.suffix in (".csv", ".tsv"))


def told(row: Row, stated: dict[str, Any]) -> dict[str, Any]:
    """A row in the words of the samples; of a reason, the part that is stated."""
    found: dict[str, Any] = {"line": row.line, "cells": row.cells}
    if row.fault is not None:
        part = stated.get("fault", row.fault)
        found["fault"] = part if part in row.fault else row.fault
    return found


@pytest.mark.parametrize("file", TABLES, ids=lambda file: file.stem)
def test_a_table_is_read_as_stated(file: Path) -> None:
    stated = json.loads(file.with_suffix(".json").read_text("utf-8"))
    if "refused" in stated:
        with pytest.raises(InputError) as caught, open_contacts(file) as table:
            list(table.rows)

        [fault] = caught.value.faults
        assert (fault.file, fault.line) == (str(file), stated["refused"]["line"])
        assert stated["refused"]["fault"] in fault.message
        return
    with open_contacts(file) as table:
        rows = list(table.rows)

    assert table.encoding == stated["encoding"]
    assert table.delimiter == stated["delimiter"]
    assert list(table.columns) == stated["columns"]
    assert len(rows) == len(stated["rows"])
    assert [told(row, said) for row, said in zip(rows, stated["rows"], strict=True)] == stated[
        "rows"
    ]


def test_every_table_has_its_result_and_every_result_its_table() -> None:
    results = {file.stem for file in SAMPLES.glob("*.json")}

    assert [file.stem for file in TABLES] == sorted(results)
    assert len(TABLES) > 20
