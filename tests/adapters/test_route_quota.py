"""A route has its messages of the day: others take over, and the count outlives the process."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import text

from mailer.adapters.route_quota import StoredQuota
from mailer.adapters.routes import RoutesTransport, Way
from mailer.errors import SettingsError
from mailer.settings import load_settings, route_oauth
from mailer.settings.sending import load_plan
from mailer.smtp.opening import OpeningError
from mailer.store.database import Database
from tests.adapters.test_routes import QUICK, FakeRoute
from tests.command_line import make_workspace
from tests.wire import Outbox

TODAY = date(2026, 11, 24)


def quota(db: Database, per_day: int, name: str = "relay", day: date = TODAY) -> StoredQuota:
    return StoredQuota(db, name, per_day, lambda: day)


def counted(db: Database) -> list[tuple[str, str, int]]:
    with db.read() as connection:
        found = connection.execute(text("SELECT day, route, messages FROM route_day ORDER BY 1, 2"))
        return [(row[0], row[1], row[2]) for row in found]


def send(outbox: Outbox, *ways: Way) -> list[str]:
    notes: list[str] = []
    routes = RoutesTransport(ways, notes.append, QUICK)
    asyncio.run(asyncio.wait_for(routes.run(outbox, outbox), 20))
    return notes


def test_the_others_take_over_when_a_day_is_used_up(db: Database) -> None:
    small, large = FakeRoute(), FakeRoute()
    outbox = Outbox(60, again=True)

    notes = send(
        outbox, Way("small", small, weight=1, quota=quota(db, 7)), Way("large", large, weight=1)
    )

    assert (len(small.carried), len(large.carried)) == (7, 53)
    assert len(outbox.accepted) == 60
    assert notes == ["Route small has had its messages of the day."]
    assert counted(db) == [("2026-11-24", "relay", 7)]


def test_a_backup_takes_over_too(db: Database) -> None:
    small, backup = FakeRoute(), FakeRoute()

    send(
        Outbox(20, again=True),
        Way("small", small, quota=quota(db, 5)),
        Way("backup", backup, backup=True),
    )

    assert (len(small.carried), len(backup.carried)) == (5, 15)


def test_when_every_route_is_used_up_the_run_stops_and_another_day_goes_on(db: Database) -> None:
    one, two = FakeRoute(), FakeRoute()
    outbox = Outbox(30, again=True)
    with pytest.raises(OpeningError, match="messages of the day") as caught:
        send(outbox, Way("one", one, quota=quota(db, 4)), Way("two", two, quota=quota(db, 6, "b")))
    assert caught.value.temporary  # so a worker tries again
    assert (len(one.carried), len(two.carried)) == (4, 6)
    assert not outbox.in_hand

    with pytest.raises(OpeningError):  # another process, on the same day
        send(outbox, Way("one", one, quota=quota(db, 4)), Way("two", two, quota=quota(db, 6, "b")))
    assert len(outbox.accepted) == 10
    tomorrow = date(2026, 11, 25)
    send(outbox, Way("one", one, quota=quota(db, 40, day=tomorrow)))
    assert len(outbox.accepted) == 30


def test_what_a_killed_process_had_aside_is_lost_for_the_day_and_no_more(db: Database) -> None:
    killed = quota(db, 1000)  # ten at a time
    assert [killed.take() for _ in range(3)] == [True] * 3

    after = quota(db, 1000)
    given = 0
    while after.take():
        given += 1
    assert given == 990


def test_what_is_given_back_can_be_taken_again(db: Database) -> None:
    held = quota(db, 1)
    assert (held.take(), held.take()) == (True, False)
    held.back()
    held.close()

    assert counted(db) == [("2026-11-24", "relay", 0)]
    assert quota(db, 1).take()


ROUTE = """\
[[routes]]
name = "office"
host = "smtp.example.org"
username = "news@example.org"
auth = "oauth2"
oauth_token_url = "https://login.example.org/token"
client_id = "mailer"
scope = "send"
per_day = 5000
"""


def test_a_route_signs_in_with_a_token_of_its_own(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "w")
    (workspace / "mailer.toml").write_text(ROUTE, "utf-8")
    load_settings(workspace)
    (route,) = load_plan(workspace).routes
    with pytest.raises(SettingsError, match="MAILER_SMTP_CLIENT_SECRET_OFFICE is not set"):
        route_oauth(workspace, route)
    with (workspace / ".env").open("a", encoding="utf-8") as file:
        file.write("MAILER_SMTP_CLIENT_SECRET_OFFICE=hush\n")

    load_settings(workspace)  # knows the variable
    assert route.per_day == 5000
    assert route_oauth(workspace, route) == {
        "url": "https://login.example.org/token",
        "client_id": "mailer",
        "client_secret": "hush",
        "refresh_token": "",
        "scope": "send",
    }
    (workspace / "mailer.toml").write_text(ROUTE.replace("https:", "http:"), "utf-8")
    with pytest.raises(SettingsError, match="an https address"):
        load_plan(workspace)
    (workspace / "mailer.toml").write_text(ROUTE.replace('client_id = "mailer"\n', ""), "utf-8")
    with pytest.raises(SettingsError, match="office lacks client_id for oauth2"):
        load_plan(workspace)
