"""The flight recorder remembers what was on the wire, and is believed only when it can be."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.model.words import Reply, Stage
from mailer.store import recorder
from mailer.store.recorder import Mark, Recorder

IDENTITY = "a" * 32
HASH = b"h" * 16


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "1-7.recorder"


def test_a_dead_run_is_read_back_mark_by_mark(file: Path) -> None:
    live = Recorder(file, identity=IDENTITY, run=7, slots=4)
    live.claim(1, 1)
    live.started(live.claim(2, 1), HASH)
    slot = live.claim(3, 2)
    live.started(slot, HASH)
    live.answered(slot, Stage.dot, Reply(250, "queued as 1A2B – schön", "2.0.0"))
    live.free(live.claim(4, 1))
    live.close(remove=False)

    seen = recorder.read(file, identity=IDENTITY, run=7)

    assert seen is not None
    assert {key: found.mark for key, found in seen.items()} == {
        (1, 1): Mark.claimed,
        (2, 1): Mark.started,
        (3, 2): Mark.answered,
    }
    assert seen[3, 2].reply == Reply(250, "queued as 1A2B – schön", "2.0.0")
    assert seen[3, 2].stage is Stage.dot
    assert seen[2, 1].message_hash == HASH


def test_a_slot_that_was_reused_tells_of_its_last_row_only(file: Path) -> None:
    live = Recorder(file, identity=IDENTITY, run=7, slots=1)
    slot = live.claim(1, 1)
    live.started(slot, HASH)
    live.answered(slot, Stage.dot, Reply(250, "ok"))
    live.free(slot)
    live.claim(2, 1)
    live.close(remove=False)

    seen = recorder.read(file, identity=IDENTITY, run=7)

    assert seen is not None
    assert [(key, found.mark) for key, found in seen.items()] == [((2, 1), Mark.claimed)]


@pytest.mark.parametrize(("identity", "run"), [("b" * 32, 7), (IDENTITY, 8)])
def test_another_database_or_run_is_not_believed(file: Path, identity: str, run: int) -> None:
    Recorder(file, identity=IDENTITY, run=7, slots=2).close(remove=False)

    assert recorder.read(file, identity=identity, run=run) is None


def test_another_boot_is_not_believed(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Recorder(file, identity=IDENTITY, run=7, slots=2).close(remove=False)
    assert recorder.read(file, identity=IDENTITY, run=7) is not None

    monkeypatch.setattr(recorder, "boot_id", lambda: "another boot")

    assert recorder.read(file, identity=IDENTITY, run=7) is None


@pytest.mark.parametrize("offset", [0, 30, 70, 256 + 8, 256 + 12, 256 + 48, 256 + 60])
def test_a_torn_record_discredits_the_whole_file(file: Path, offset: int) -> None:
    live = Recorder(file, identity=IDENTITY, run=7, slots=1)
    slot = live.claim(3, 2)
    live.started(slot, HASH)
    live.answered(slot, Stage.dot, Reply(250, "a sentence", "2.0.0"))
    live.close(remove=False)
    data = bytearray(file.read_bytes())
    data[offset] ^= 0xFF
    file.write_bytes(data)

    assert recorder.read(file, identity=IDENTITY, run=7) is None


def test_a_missing_or_short_file_is_not_believed(file: Path) -> None:
    assert recorder.read(file, identity=IDENTITY, run=7) is None
    live = Recorder(file, identity=IDENTITY, run=7, slots=2)
    live.close(remove=False)
    file.write_bytes(file.read_bytes()[:-1])

    assert recorder.read(file, identity=IDENTITY, run=7) is None


def test_the_lock_tells_a_live_owner_from_a_dead_one(file: Path) -> None:
    assert not recorder.alive(file)
    live = Recorder(file, identity=IDENTITY, run=7, slots=2)
    assert recorder.alive(file)

    live.close(remove=False)

    assert not recorder.alive(file)
