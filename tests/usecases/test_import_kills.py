"""Imports that are killed at random moments, and run again, equal an undisturbed one."""

from __future__ import annotations

from pathlib import Path

from tests.bench.import_kills import kill_imports


def test_killed_at_random(tmp_path: Path) -> None:
    hits = kill_imports(6, 1500, tmp_path)

    assert hits["before"] + hits["half-way"] == 6
