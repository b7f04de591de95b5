"""What a reader typed can't steer the officer's terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mailer.cli import screen

TYPED = "a\x1b]0;title\x07\x1b[31mb\x9b2J\u202ec"


def test_control_characters_are_shown_and_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    screen.configure(as_json=False, quiet=False, verbose=False, workspace=Path())
    screen.say(f"note = {TYPED}\n\tnext")
    screen.note(TYPED)
    screen.complain(TYPED)
    out, err = capsys.readouterr()

    assert out == "note = a\ufffd]0;title\ufffd\ufffd[31mb\ufffd2J\ufffdc\n\tnext\n"
    assert err.count("\ufffd") == 10


def test_json_says_them_all_as_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    screen.configure(as_json=True, quiet=False, verbose=False, workspace=Path())
    screen.result({"note": TYPED})
    screen.stream([{"note": TYPED}])
    screen.configure(as_json=False, quiet=False, verbose=False, workspace=Path())
    out, _ = capsys.readouterr()

    assert not set(out) & {"\x1b", "\x07", "\x9b"}
    assert json.loads(out.partition("}\n")[0] + "}") == {"note": TYPED}
