"""The progress of a send: a line for people, and events for machines that hold to their schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_approval import refused
from tests.command_line import done, mailer, make_workspace
from tests.smtpd import Smtpd, say

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/events.schema.json").read_text("utf-8"))
TYPES: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "array": list,
    "object": dict,
}


def hold_to(schema: dict[str, Any], value: Any) -> None:
    """As much of JSON Schema as ours uses."""
    if "enum" in schema:
        assert value in schema["enum"]
        return
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    assert any(
        value is None if kind == "null" else isinstance(value, TYPES[kind]) for kind in kinds
    ), (schema, value)
    if isinstance(value, dict) and "properties" in schema:
        assert set(schema["required"]) <= set(value) <= set(schema["properties"])
        for name, each in value.items():
            hold_to(schema["properties"][name], each)
    for each in value if isinstance(value, list) else ():
        hold_to(schema["items"], each)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Twenty-four people, half of them at Gmail, twelve messages a second."""
    found = make_workspace(tmp_path / "w", smtp_port=1, smtp_rate=12)
    file = found / "c.csv"
    rows = (f"p{n}@{'gmail.com' if n % 2 else 'example.org'}\n" for n in range(24))
    file.write_text("email\n" + "".join(rows), "utf-8")
    done(found, "import", str(file), "--list", "coast", "--create-list")
    issue = found / "data/issues/short"
    issue.mkdir(parents=True)
    text = "---\nsubject: Boats\npreheader: Soon\ncontact: d@example.org\n---\nHello.\n"
    (issue / "issue.md").write_text(text, "utf-8")
    done(found, "campaigns", "plan", str(issue), "--list", "coast")
    return found


SEND = ("campaigns", "send", "short", "--yes", "--wait", "0")


def send(workspace: Path, *words: str) -> Any:
    with Smtpd() as server:
        server.at("rcpt", say("450 4.2.1 Try later"), holding=b"p1@gmail.com")
        server.at("rcpt", say("421 4.7.28 Unusual rate of mail"), holding=b"p23@gmail.com")
        with (workspace / ".env").open("a", encoding="utf-8") as file:
            file.write(f"MAILER_SMTP_PORT={server.port}\n")
        return mailer(workspace, *words)


def test_events_tell_everything_and_hold_to_their_schema(workspace: Path) -> None:
    file = workspace / "events.jsonl"
    result = send(workspace, "--json", *SEND, "--events", str(file))

    events = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    for each in events:
        hold_to(SCHEMA, each)
        counts = ("planned", "sending", "accepted", "deferred", "refused", "skipped", "unknown")
        assert each["audience"] == sum(each[name] for name in counts)
    kinds = [each["event"] for each in events]
    assert (kinds[0], kinds[-1]) == ("started", "paused")
    assert kinds.count("suspended") == 1
    assert "gmail wants to be left alone" in events[kinds.index("suspended")]["words"]
    last = [each for each in events if each["event"] == "progress"][-1]
    assert {each["name"]: each["people"] for each in last["providers"]} == {
        "gmail": 12,
        "other": 12,
    }
    assert last["per_second"] > 0
    told = [each["reasons"] for each in events if each["event"] == "progress"]
    assert any("gmail" in each for each in told)
    assert {key: result.document[key] for key in counts} == {key: events[-1][key] for key in counts}


def test_with_json_events_go_to_standard_error(workspace: Path) -> None:
    result = send(workspace, "--json", "--quiet", *SEND)

    assert result.document["audience"] == 24  # one document on standard output
    events = [json.loads(line) for line in result.err.splitlines() if line.startswith("{")]
    assert [events[0]["event"], events[-1]["event"]] == ["started", "paused"]


def test_a_line_for_people(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a pipe; here more often than every ten seconds."""
    from mailer.cli import screen

    monkeypatch.setattr(screen, "EVERY", 0.5)
    result = send(workspace, *SEND)

    lines = [line for line in result.err.splitlines() if " of 24" in line]
    assert any("a second" in line and "left" in line for line in lines)
    assert any("gmail" in line and "/12" in line and "other" in line for line in lines)


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_sent(workspace: Path) -> None:
    result = send(workspace, *SEND, "--events", "/nowhere/at/all")

    refused(result, "Events can't be written to")
