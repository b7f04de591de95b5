"""A test between two subjects, from the command line: part A, part B, and the rest the winner."""

from __future__ import annotations

import email
import email.policy
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from mailer.adapters.inbox import Inbox
from mailer.store import archive
from mailer.wiring import open_mailer
from tests.cli.test_approval import refused
from tests.command_line import done, mailer, make_workspace
from tests.postgres import TEMPLATE, Server

A, B = "Boats at the quay", "What came in, {{ first_name | default('reader') }}?"
ISSUE = f"""\
---
subject: {A}
subject_b: {B}
preheader: Soon
contact: desk@example.org
---
The harbour is open.
"""
PEOPLE = 20


@dataclass
class Desk:
    workspace: Path
    inbox: Inbox

    def run(self, *words: str) -> Any:
        return done(self.workspace, *words)

    def send(self, status: int = 75) -> Any:
        result = mailer(self.workspace, "--json", "campaigns", "send", "harbour", "--yes")
        assert result.status == status, result.err
        return result.document

    def plan(self, *words: str) -> Any:
        issue = str(self.workspace / "data/issues/harbour")
        return self.run("campaigns", "plan", issue, "--list", "coast", *words)

    def subjects(self) -> Counter[str]:
        policy = email.policy.default
        mails = [email.message_from_bytes(m.data, policy=policy) for m in self.inbox.messages]
        return Counter("A" if str(m["Subject"]) == A else "B" for m in mails)

    def write(self, statement: str, **values: object) -> None:
        with open_mailer(self.workspace) as opened, opened.db.write() as connection:
            connection.execute(text(statement), values)


@pytest.fixture(params=["sqlite", "postgresql"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    if request.param == "sqlite":
        with desk_with(tmp_path) as made:
            yield made
        return
    server: Server = request.getfixturevalue("postgresql")
    url = server.make("two_subjects", TEMPLATE)
    with desk_with(tmp_path, database_url=url) as made:
        yield made
    server.drop("two_subjects")


@contextmanager
def desk_with(folder: Path, **settings: Any) -> Iterator[Desk]:
    with Inbox() as inbox:
        workspace = make_workspace(folder / "w", smtp_port=inbox.port, **settings)
        rows = "".join(f"p{n}@example{n % 3}.org,Person {n}\n" for n in range(PEOPLE))
        file = workspace / "c.csv"
        file.write_text(f"email,first_name\n{rows}", "utf-8")
        words = ("--list", "coast", "--create-list", "--keep-columns")
        done(workspace, "import", str(file), *words)
        issue = workspace / "data/issues/harbour"
        issue.mkdir(parents=True)
        (issue / "issue.md").write_text(ISSUE, "utf-8")
        yield Desk(workspace, inbox)


def balanced(found: Any) -> bool:
    states = ("planned", "sending", "accepted", "deferred", "refused", "skipped", "unknown")
    return bool(found["audience"] == sum(found[state] for state in states))


def test_somebody_chooses_and_the_rest_gets_it(desk: Desk) -> None:
    planned = desk.plan("--split", "20%")
    assert (planned["split"]["each"], planned["split"]["rest"]) == (2, 16)
    refused(mailer(desk.workspace, "campaigns", "choose", "harbour", "b"), "got either subject yet")

    first = desk.send()
    assert desk.subjects() == {"A": 2, "B": 2}
    assert (first["accepted"], first["planned"], first["state"]) == (4, 16, "paused")
    assert balanced(first)
    assert "campaigns choose harbour a|b" in first["stopped_because"]
    assert desk.send() == first  # the rest waits, however often somebody sends

    refused(mailer(desk.workspace, "campaigns", "choose", "harbour", "c"), "is no subject of two")
    missing = mailer(desk.workspace, "campaigns", "send", "harbour", "--yes", "--to-missing")
    refused(missing, "waits for a choice")
    assert desk.run("campaigns", "choose", "harbour", "B")["chosen"] == "b"
    assert desk.run("campaigns", "choose", "harbour", "b")["chosen"] == "b"  # again: no harm
    refused(mailer(desk.workspace, "campaigns", "choose", "harbour", "a"), "is chosen already")

    last = desk.send(0)
    assert desk.subjects() == {"A": 2, "B": 18}
    assert (last["accepted"], last["split"]["chosen"]) == (20, "b")
    assert sorted(m.recipients[0] for m in desk.inbox.messages) == sorted(
        f"p{n}@example{n % 3}.org" for n in range(PEOPLE)
    )
    shown = mailer(desk.workspace, "campaigns", "report", "harbour").out
    assert f"subject a: {A}" in shown
    assert "chosen: b" in shown
    assert "en, subject b: 18 people – 18 accepted" in shown
    with open_mailer(desk.workspace) as opened, opened.db.read() as connection:
        (entry,) = archive.editions(connection, [1], ())
    assert (entry.title, entry.languages) == (A, ("en",))  # one page, whatever was tested


def test_newcomers_get_the_winner(desk: Desk) -> None:
    desk.plan("--split", "20%")
    desk.send()
    desk.run("campaigns", "choose", "harbour", "b")
    desk.send(0)
    file = desk.workspace / "more.csv"
    file.write_text("email,first_name\nlate@example.org,Late\n", "utf-8")
    desk.run("import", str(file), "--list", "coast")

    desk.run("campaigns", "send", "harbour", "--yes", "--to-missing")

    assert desk.subjects() == {"A": 2, "B": 19}


def test_a_time_is_shared_by_those_whom_the_send_reaches(tmp_path: Path) -> None:
    """Four of twenty get a subject now: one a second is enough for them, in the whole time."""
    with desk_with(tmp_path, smtp_rate=1) as desk:
        desk.plan("--split", "20%")
        words = ("campaigns", "send", "harbour", "--yes", "--over")
        refused(mailer(desk.workspace, *words, "2s"), "4 people in 2 s make 2.0 a second")
        begun = time.monotonic()
        first = mailer(desk.workspace, "--json", *words, "5s")
        lasted = time.monotonic() - begun
        assert (first.status, first.document["accepted"]) == (75, 4)
        assert lasted >= 3  # over twenty people it would be done in one

        desk.run("campaigns", "choose", "harbour", "b")
        refused(mailer(desk.workspace, *words, "5s"), "16 people in 5 s make 3.2 a second")


def test_a_rule_decides_when_its_time_has_come(desk: Desk) -> None:
    desk.plan("--split", "40%", "--winner", "unsubscribes", "--decide-after", "1h")
    first = desk.send()
    assert (first["accepted"], first["planned"]) == (8, 12)
    assert first["split"]["decide_at"] == first["next_try"]
    assert "the rest waits until" in mailer(desk.workspace, "campaigns", "show", "harbour").out
    leaver = (
        "INSERT INTO event (at, kind, actor, campaign_id, subscriber_id, detail)"
        " SELECT at, 'unsubscribed', 'reader', 1, (SELECT min(d.subscriber_id) FROM delivery d"
        " JOIN variant v ON v.id = d.variant_id WHERE v.version = 'a' AND d.state = 'accepted'), ''"
        " FROM event LIMIT 1"
    )
    desk.write(leaver)
    assert desk.send()["planned"] == 12  # it is not yet time

    desk.write("UPDATE lane SET resume_at = 1 WHERE held = 1")
    last = desk.send(0)

    assert last["split"]["measured"]["unsubscribes"]["a"] == {"counted": 1, "of": 4}
    assert (last["split"]["chosen"], last["accepted"]) == ("b", 20)
    assert desk.subjects() == {"A": 4, "B": 16}
    with open_mailer(desk.workspace) as opened, opened.db.read() as connection:
        query = "SELECT actor, detail FROM event WHERE kind = 'subject_chosen'"
        told = connection.execute(text(query)).one()
    assert tuple(told) == ("rule", "b, unsubscribes (a: 1 of 4, b: 0 of 4)")


def test_more_readers_who_follow_a_link_decide(desk: Desk) -> None:
    """Of those who agreed; a machine's click, and a picture that was loaded, decide nothing."""
    words = ("--split", "40%", "--winner", "clicks", "--decide-after", "1h")
    issue = str(desk.workspace / "data/issues/harbour")
    by_totals = mailer(
        desk.workspace, "campaigns", "plan", issue, "--list", "coast", *words, "--clicks", "totals"
    )
    refused(by_totals, "needs clicks by people, and here they are totals")
    for n in range(PEOPLE - 1):
        desk.run("subscribers", "edit", f"p{n}@example{n % 3}.org", "--tracking", "yes")
    planned = desk.plan(*words, "--clicks", "people", "--image-loads", "people")
    assert planned["split"]["rule"].startswith("more readers follow a link")
    assert any("clicks of about 4 people decide" in w["message"] for w in planned["warnings"])
    desk.send()
    clicked = (
        "INSERT INTO link_click (campaign_id, number, at, subscriber_id, verdict)"
        " SELECT 1, 1, 0, d.subscriber_id, :verdict FROM delivery d JOIN variant v"
        " ON v.id = d.variant_id WHERE v.version = :version AND d.state = 'accepted'"
        " AND EXISTS (SELECT 1 FROM tracking_consent t WHERE t.subscriber_id = d.subscriber_id)"
        " ORDER BY d.subscriber_id LIMIT :people"
    )
    desk.write(clicked, version="a", verdict="burst", people=4)
    desk.write(clicked, version="a", verdict="", people=1)
    desk.write(clicked, version="a", verdict="", people=1)  # the same reader once more
    desk.write(clicked, version="b", verdict="", people=2)
    loaded = clicked.replace("link_click", "image_load").replace("number, ", "")
    desk.write(loaded.replace("1, 1, 0", "1, 0"), version="a", verdict="", people=4)
    desk.write("UPDATE lane SET resume_at = 1 WHERE held = 1")
    last = desk.send(0)

    measured = last["split"]["measured"]["clicks"]
    assert (measured["a"]["counted"], measured["b"]["counted"]) == (1, 2)
    assert 3 <= measured["a"]["of"] <= 4
    assert (last["split"]["chosen"], last["accepted"]) == ("b", 20)
    assert desk.subjects() == {"A": 4, "B": 16}


def test_clicks_are_not_told_of_where_they_are_not_measured(desk: Desk) -> None:
    desk.plan("--split", "40%", "--clicks", "totals")

    assert set(desk.send()["split"]["measured"]) == {"unsubscribes", "refusals"}


def test_at_a_tie_the_first_subject_wins(desk: Desk) -> None:
    desk.plan("--split", "20%", "--winner", "refusals", "--decide-after", "1h")
    desk.send()
    desk.write("UPDATE lane SET resume_at = 1 WHERE held = 1")

    assert desk.send(0)["split"]["chosen"] == "a"
    assert desk.subjects() == {"A": 18, "B": 2}


def test_what_a_plan_refuses_and_warns_of(desk: Desk) -> None:
    words = ("campaigns", "plan", str(desk.workspace / "data/issues/harbour"), "--list", "coast")
    refused(mailer(desk.workspace, *words, "--split", "x"), "is no part of an audience")
    opens = mailer(desk.workspace, *words, "--split", "20%", "--winner", "opens")
    refused(opens, "is no rule for a winner")
    refused(mailer(desk.workspace, *words, "--winner", "refusals"), "--winner belongs to --split")
    plain = mailer(desk.workspace, *words)
    assert "`subject_b` is not used" in plain.err
    few = mailer(desk.workspace, *words, "--split", "50%")
    assert "only a large difference" in few.err
    issue = desk.workspace / "data/issues/harbour/issue.md"
    issue.write_text(ISSUE.replace(f"subject_b: {B}\n", ""), "utf-8")
    refused(mailer(desk.workspace, *words, "--split", "20%"), "There is no second subject to test")


def test_check_looks_at_both_subjects(desk: Desk) -> None:
    issue = desk.workspace / "data/issues/harbour/issue.md"
    issue.write_text(ISSUE.replace(B, "{{ frist_name | default('w') }}"), "utf-8")

    found = mailer(desk.workspace, "--json", "issues", "check", str(issue)).document

    assert [each["line"] for each in found["errors"]] == [3]
    assert "frist_name" in found["errors"][0]["message"]


def test_render_names_both_and_writes_the_message_of_each(desk: Desk, tmp_path: Path) -> None:
    out = tmp_path / "look"
    issue = str(desk.workspace / "data/issues/harbour")
    found = desk.run("issues", "render", issue, "--out", str(out))
    told = mailer(desk.workspace, "issues", "render", issue, "--out", str(out)).out

    b = "What came in, reader?"
    assert (found["subject"], found["subject_b"]) == (A, b)
    assert f"Subject a (en): {A}\nSubject b (en): {b}\n" in told
    mails = [
        email.message_from_bytes((out / name).read_bytes(), policy=email.policy.default)
        for name in ("message.eml", "message.b.eml")
    ]
    assert [str(each["Subject"]) for each in mails] == [A, b]
    assert A in (out / "email.html").read_text("utf-8")


def test_copies_of_both_subjects_go_out(desk: Desk) -> None:
    issue = str(desk.workspace / "data/issues/harbour")
    desk.run("issues", "test", issue, "--to", "me@example.org")

    subjects = [
        str(email.message_from_bytes(m.data, policy=email.policy.default)["Subject"])
        for m in desk.inbox.messages
    ]
    assert [A in subjects[0], "What came in" in subjects[1]] == [True, True]
