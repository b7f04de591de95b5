"""Segments from the command line: added, counted, explained, planned with, and frozen."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from mailer.wiring import open_mailer
from mailer.wiring.files import shipped_examples
from tests.command_line import done, mailer, make_workspace

CONTACTS = """\
email;first_name;city;status
anna@example.org;Anna;Geneva;
bruno@example.net;Bruno;GENEVA;
carla@example.org;Carla;Porto;
dora@example.org;Dora;;
emil@example.org;Emil;Geneva;unsubscribed
"""
PRESS = "email\nbruno@example.net\n"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Five people on a list, one of them on another too, and an issue."""
    folder = make_workspace(tmp_path / "w")
    (folder / "contacts.csv").write_text(CONTACTS, "utf-8")
    (folder / "press.csv").write_text(PRESS, "utf-8")
    for name in ("contacts", "press"):
        file = str(folder / f"{name}.csv")
        done(folder, "import", file, "--list", name, "--create-list", "--keep-columns")
    shutil.copytree(shipped_examples() / "issues/tide-table", folder / "data/issues/tide-table")
    return folder


def plan(workspace: Path, *words: str) -> Any:
    issue = str(workspace / "data/issues/tide-table")
    return done(workspace, "campaigns", "plan", issue, "--list", "contacts", "--blank-ok", *words)


def test_a_segment_is_added_shown_tried_changed_archived_and_removed(workspace: Path) -> None:
    added = done(workspace, "segments", "add", "geneva", 'city = "geneva"')
    assert (added["people"], added["rule"]) == (3, 'city = "geneva"')

    counted = done(workspace, "segments", "count", "geneva", "--list", "contacts")
    assert (counted["people"], counted["of"]) == (2, 4)
    tried = done(workspace, "segments", "count", "--rule", "city is empty")
    assert (tried["people"], tried["of"]) == (1, 5)

    edited = done(workspace, "segments", "edit", "geneva", 'city starts with "gen" or tag("x")')
    assert edited["people"] == 3
    assert edited["doubts"] == ["Nobody has the tag “x” now."]
    done(workspace, "segments", "add", "rest", 'not segment("geneva")')
    assert done(workspace, "segments", "show", "geneva")["used_by"] == ["rest"]
    assert [each["people"] for each in done(workspace, "segments", "show")] == [3, 2]

    used = mailer(workspace, "segments", "remove", "geneva", "--yes")
    assert (used.status, "stands in the rule of “rest”" in used.err) == (3, True)
    done(workspace, "segments", "archive", "rest")
    issue = str(workspace / "data/issues/tide-table")
    words = ("campaigns", "plan", issue, "--list", "contacts", "--segment", "rest")
    archived = mailer(workspace, *words)
    assert (archived.status, "is archived" in archived.err) == (3, True)
    done(workspace, "segments", "remove", "rest", "--yes")
    assert [each["name"] for each in done(workspace, "segments", "show")] == ["geneva"]


def test_a_wrong_rule_is_refused_with_its_place_and_changes_nothing(workspace: Path) -> None:
    wrong = mailer(workspace, "segments", "add", "x", 'city = "A" and ctiy = "B"')

    assert wrong.status == 3
    assert wrong.err.splitlines() == [
        "Column 16: There is no field “ctiy”. Did you mean “city”?",
        '  city = "A" and ctiy = "B"',
        "                 ^^^^",
    ]
    assert done(workspace, "segments", "show") == []
    assert mailer(workspace, "segments", "count", "nobody").status == 4
    assert mailer(workspace, "segments", "count").status == 3


def test_text_that_looks_like_sql_is_text(workspace: Path) -> None:
    nasty = "x'; DROP TABLE subscriber; --"
    added = done(workspace, "segments", "add", nasty, f'city = "{nasty}" or city contains "%"')

    assert added["people"] == 0
    assert len(done(workspace, "subscribers", "find")) == 5


def test_a_plan_explains_everybody_whom_it_leaves_out(workspace: Path) -> None:
    done(workspace, "segments", "add", "geneva", 'city = "Geneva"')
    planned = plan(workspace, "--segment", "geneva", "--exclude", "press")

    assert planned["audience"] == 1
    assert planned["excluded"] == {"segment": 2, "excluded_list": 1, "unsubscribed": 1}
    with open_mailer(workspace) as opened, opened.db.read() as connection:
        frozen = json.loads(connection.execute(text("SELECT frozen FROM campaign")).scalar_one())[
            "selection"
        ]
    assert frozen["segment"]["rule"] == 'city = "Geneva"'
    assert len(frozen["segment"]["hash"]) == 64
    assert frozen["excluded_lists"] == ["press"]

    shown = done(workspace, "campaigns", "show", "tide-table")
    assert shown["segment"] == {"name": "geneva", "rule": 'city = "Geneva"'}


def test_a_plan_says_of_one_person_whether_and_why(workspace: Path) -> None:
    done(workspace, "segments", "add", "geneva", 'city = "Geneva" and not domain = "example.com"')
    done(workspace, "segments", "add", "ports", 'city = "Porto"')
    words = ("--segment", "geneva", "--exclude", "press", "--exclude", "ports", "--explain")

    anna = plan(workspace, *words, "anna@example.org")
    assert (anna["included"], anna["reasons"]) == (True, [])
    assert plan(workspace, *words, "bruno@example.net")["reasons"] == ["excluded_list"]
    carla = plan(workspace, *words, "carla@example.org")
    assert carla["reasons"] == ["segment", "excluded_segment"]
    assert carla["segments"][0]["decided"] == ['city = "Geneva"']
    assert plan(workspace, *words, "emil@example.org")["reasons"] == ["unsubscribed"]
    assert done(workspace, "campaigns", "show") == []

    said = mailer(
        workspace,
        *("campaigns", "plan", str(workspace / "data/issues/tide-table"), "--list", "contacts"),
        *words,
        "carla@example.org",
    ).out
    assert "carla@example.org does not get it." in said
    assert '✗ city = "Geneva"   (Porto)' in said
    assert 'in “ports”, decided by city = "Porto"' in said


def test_several_values_are_shown_as_people_write_them(workspace: Path) -> None:
    done(workspace, "fields", "add", "topics", "--kind", "list")
    done(workspace, "subscribers", "edit", "anna@example.org", "--field", "topics=tea;ice")
    done(workspace, "segments", "add", "tea", 'topics contains "tea"')

    told = mailer(workspace, "segments", "explain", "anna@example.org").out

    assert '✓ topics contains "tea"   (tea, ice)' in told


def test_a_plan_says_where_somebody_is_suppressed(workspace: Path) -> None:
    done(workspace, "suppressions", "add", "anna@example.org", "--list", "contacts")
    done(workspace, "suppressions", "add", "carla@example.org", "--list", "press")
    done(workspace, "suppressions", "add", "dora@example.org", "--reason", "asked by phone")
    words = ("campaigns", "plan", "tide-table", "--list", "contacts", "--explain")

    anna, carla, dora = (
        mailer(workspace, *words, f"{who}@example.org").out for who in ("anna", "carla", "dora")
    )

    assert "suppressed: is never to be mailed on “contacts” (operator)" in anna
    assert "suppressed: is never to be mailed on any list (asked by phone)" in dora
    assert carla == "carla@example.org gets it.\n"
    assert plan(workspace)["excluded"] == {"suppressed": 2, "unsubscribed": 1}


def test_one_person_is_explained_for_every_segment(workspace: Path) -> None:
    done(workspace, "segments", "add", "geneva", 'city = "Geneva" or joined > yesterday')
    done(workspace, "segments", "add", "empty", 'city = "Nowhere"')
    found = done(workspace, "segments", "explain", "carla@example.org")
    marks = {each["segment"]: each["inside"] for each in found["segments"]}

    assert marks == {"geneva": True, "empty": False}
    assert mailer(workspace, "segments", "explain", "nobody@example.org").status == 4


def test_a_field_that_is_gone_is_told_where_the_segment_is_used(workspace: Path) -> None:
    done(workspace, "segments", "add", "geneva", 'city = "Geneva"')
    done(workspace, "segments", "add", "all", 'segment("geneva") or email is not empty')
    with open_mailer(workspace) as opened, opened.db.write() as connection:
        connection.execute(text("DELETE FROM field WHERE name = 'city'"))

    shown = {each["name"]: each["people"] for each in done(workspace, "segments", "show")}
    assert shown == {"all": None, "geneva": None}
    issue = str(workspace / "data/issues/tide-table")
    refused = mailer(
        workspace, "campaigns", "plan", issue, "--list", "contacts", "--segment", "all"
    )
    assert refused.status == 3
    assert "Segment “geneva”, column 1: There is no field “city”." in refused.err


def test_a_break_is_explained(workspace: Path) -> None:
    with open_mailer(workspace) as opened, opened.db.write() as connection:
        until = int(opened.clock.now().timestamp() * 1000) + 86_400_000
        connection.execute(
            text(
                "UPDATE subscription SET paused_until = :until WHERE subscriber_id ="
                " (SELECT id FROM subscriber WHERE address = 'carla@example.org')"
            ),
            {"until": until},
        )

    explained = plan(workspace, "--explain", "carla@example.org")
    assert (explained["included"], explained["reasons"]) == (False, ["paused"])
    issue = str(workspace / "data/issues/tide-table")
    words = ("campaigns", "plan", issue, "--list", "contacts", "--explain", "carla@example.org")
    assert "takes a break from the list" in mailer(workspace, *words).out
    assert "a break until" in mailer(workspace, "subscribers", "show", "carla@example.org").out


def test_a_cap_comes_from_the_settings_and_gives_way(workspace: Path) -> None:
    with (workspace / ".env").open("a", encoding="utf-8") as file:
        file.write("MAILER_FREQUENCY_CAP=1/7\n")
    plan(workspace)
    with open_mailer(workspace) as opened, opened.db.write() as connection:
        connection.execute(
            text("UPDATE delivery SET state = 'accepted', at = :at WHERE position = 1"),
            {"at": int(opened.clock.now().timestamp() * 1000)},
        )

    assert plan(workspace, "--again")["excluded"] == {"unsubscribed": 1, "frequency_cap": 1}
    assert plan(workspace, "--again", "--no-cap")["excluded"] == {"unsubscribed": 1}
    assert plan(workspace, "--again", "--cap", "2/30")["excluded"] == {"unsubscribed": 1}
    issue = str(workspace / "data/issues/tide-table")
    for wrong in ("0/7", "3", "3/0", "x/7"):
        words = ("campaigns", "plan", issue, "--list", "contacts", "--cap", wrong)
        assert mailer(workspace, *words).status == 3
