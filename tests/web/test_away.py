"""While the database is away, frozen pages are shown and wishes to leave kept and carried out."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from mailer.errors import StoppedError
from mailer.message.links import Purpose
from mailer.store.database import Database
from mailer.store.letterbox import KeptWish, Letterbox
from mailer.usecases.keep_departures import CarriedOut, keep_departures
from mailer.usecases.unsubscribe_reader import Step
from mailer.web import one_click
from tests import builders, postgres
from tests.web.conftest import Site, Story

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
KEPT = "You will be unsubscribed. Our database does not answer right now"

_HOUR = timedelta(hours=1)


@pytest.fixture
def away(site: Site, request: pytest.FixtureRequest) -> Callable[[], object]:
    """Takes the database away while a block runs: its file, or its name at the server."""

    @contextmanager
    def gone() -> Iterator[None]:
        name = site.db.url.database
        assert name is not None
        if site.db.on_sqlite:
            with site.db.write() as connection:
                connection.execute(text("SELECT 1"))
            Path(name).rename(f"{name}-aside")
            yield
            Path(f"{name}-aside").rename(name)
            return
        server: postgres.Server = request.getfixturevalue("postgresql")
        site.db.engine.dispose()
        server.rename(name, f"{name}_aside")
        yield
        server.rename(f"{name}_aside", name)

    return gone


def _waiting(site: Site) -> list[Path]:
    return site.mailer.letterbox.waiting()


@pytest.mark.parametrize("data", [ONE_CLICK, {"action": "leave"}, {"action": "everything"}])
def test_a_wish_is_kept_and_carried_out_when_the_database_is_back(
    site: Site, story: Story, away: Callable[[], object], data: dict[str, str]
) -> None:
    at = site.mailer.clock.now()
    with away():  # type: ignore[attr-defined]
        answer = site.client.post(story.unsubscribe, data=data)
        assert (answer.status_code, KEPT in answer.text) == (200, True)
        (kept,) = _waiting(site)
        assert "anna" not in kept.read_text()
        assert kept.stat().st_mode & 0o077 == 0
        with pytest.raises(StoppedError):
            site.mailer.carry_out_departures()
        assert _waiting(site) == [kept]
    site.mailer.clock.advance(_HOUR)  # type: ignore[attr-defined]  # the tests' clock
    assert builders.status_of(site.db, story.anna, story.list_id) == "active"

    assert site.mailer.carry_out_departures().wishes == 1
    assert builders.status_of(site.db, story.anna, story.list_id) == "unsubscribed"
    assert _waiting(site) == []
    with site.db.read() as connection:
        events = connection.execute(text("SELECT at, actor FROM event WHERE list_id IS NOT NULL"))
        assert [(str(at)[:19], "reader")] == [(str(row.at)[:19], row.actor) for row in events]


def test_who_subscribed_again_meanwhile_stays(
    site: Site, story: Story, away: Callable[[], object]
) -> None:
    with away():  # type: ignore[attr-defined]
        site.client.post(story.unsubscribe, data=ONE_CLICK)
    site.mailer.clock.advance(_HOUR)  # type: ignore[attr-defined]  # the tests' clock
    for action in ("leave", "undo"):
        assert site.client.post(story.unsubscribe, data={"action": action}).status_code == 303

    assert site.mailer.carry_out_departures().wishes == 1
    assert builders.status_of(site.db, story.anna, story.list_id) == "active"


def test_what_is_damaged_or_not_known_keeps_nobody_else_waiting(
    site: Site, story: Story, away: Callable[[], object]
) -> None:
    with away():  # type: ignore[attr-defined]
        site.client.post(story.unsubscribe, data=ONE_CLICK)
        (kept,) = _waiting(site)
        lost = "/u/" + site.token(Purpose.unsubscribe, story.campaign.id + 7, story.anna)
        assert KEPT in site.client.post(lost, data=ONE_CLICK).text
    (kept.parent / "00-torn.jsonl").write_text(kept.read_text() + '{"token": "EQ')
    (kept.parent / "01-bytes.jsonl").write_bytes(b"\xff\xfe\x00")
    (kept.parent / "02-odd.jsonl").write_text('[]\n{"token": 1}\n')
    (kept.parent / "03-empty.jsonl").write_text("")

    assert site.mailer.carry_out_departures() == CarriedOut(2, aside=5)
    assert builders.status_of(site.db, story.anna, story.list_id) == "unsubscribed"
    assert _waiting(site) == []
    assert len(list(kept.parent.glob("*.aside"))) == 5
    assert site.mailer.carry_out_departures() == CarriedOut()


def test_a_file_that_may_not_be_read_stops_who_would_mail(site: Site, story: Story) -> None:
    folder = site.mailer.workspace / "data" / "letterbox"
    (folder / "00.jsonl").mkdir(parents=True)  # root may read any file, and no folder as one

    with pytest.raises(StoppedError, match="can't be read"):
        site.mailer.carry_out_departures()


def test_a_folder_that_may_not_be_looked_into_stops_who_would_mail(
    site: Site, story: Story
) -> None:
    """Else what waits in it is passed by in silence, and somebody who left gets a mail."""
    folder = site.mailer.workspace / "data" / "letterbox"
    folder.parent.mkdir(exist_ok=True)
    folder.write_text("")  # root may look into any folder, and into no file

    with pytest.raises(StoppedError, match="holds unsubscribes and can't be read"):
        site.mailer.carry_out_departures()


@pytest.mark.parametrize(
    ("data", "folder", "file"), [(0o755, 0o700, 0o600), (0o770, 0o2770, 0o660)]
)
def test_what_is_kept_is_as_private_as_the_workspace(
    tmp_path: Path, data: int, folder: int, file: int
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(data)
    Letterbox(tmp_path / "data/letterbox").keep([KeptWish("x", "list", datetime.now(UTC))])

    (kept,) = (tmp_path / "data/letterbox").iterdir()
    assert stat.S_IMODE(kept.parent.stat().st_mode) == folder
    assert stat.S_IMODE(kept.stat().st_mode) == file


def test_a_disk_that_is_full_leaves_no_pieces(
    site: Site, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StoppedError, match="No space left"):
        keep_departures(
            [(story.unsubscribe, Step.leave, site.mailer.clock.now())],
            letterbox=site.mailer.letterbox,
        )

    assert list((site.mailer.workspace / "data" / "letterbox").iterdir()) == []


def test_a_page_with_a_button_is_there_and_an_undo_asks_to_come_back(
    site: Site, story: Story, away: Callable[[], object]
) -> None:
    with away():  # type: ignore[attr-defined]
        page = site.client.get(story.unsubscribe)
        undo = site.client.post(story.unsubscribe, data={"action": "undo"})
        forged = [
            site.client.request(
                method, "/u/" + "A" * 36, data=ONE_CLICK if method == "POST" else {}
            )
            for method in ("GET", "POST")
        ]

    assert (page.status_code, undo.status_code) == (200, 503)
    assert '<button class="primary" name="action" value="leave">' in page.text
    assert "anna" not in page.text
    assert [answer.status_code for answer in forged] == [404, 404]
    assert _waiting(site) == []


def test_a_web_version_is_shown_from_memory_and_by_a_site_that_has_just_started(
    site: Site, open_site: Callable[..., Site], story: Story, away: Callable[[], object]
) -> None:
    path = f"/w/{story.campaign.web_key}"
    assert site.client.get(path).text == builders.PAGE
    with away():  # type: ignore[attr-defined]
        for client in (site.client, open_site().client):
            answer = client.get(path)
            assert (answer.status_code, answer.text) == (200, builders.PAGE)
        assert site.client.get("/w/never-asked-for").status_code == 503


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
def test_a_database_that_is_locked_keeps_nobody_waiting(
    site: Site, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_click, "ANSWER_WITHIN", 0.2)
    other = sqlite3.connect(str(site.db.url.database), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    answer = site.client.post(story.unsubscribe, data=ONE_CLICK)
    other.execute("ROLLBACK")
    other.close()

    assert (answer.status_code, KEPT in answer.text) == (200, True)
    assert len(_waiting(site)) == 1
    site.mailer.carry_out_departures()
    assert builders.status_of(site.db, story.anna, story.list_id) == "unsubscribed"


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
def test_without_room_for_a_wish_nobody_is_told_that_it_is_kept(
    site: Site, story: Story, away: Callable[[], object]
) -> None:
    box = site.mailer.workspace / "data"
    box.write_text("a file stands where the folder would be")
    with away():  # type: ignore[attr-defined]
        answer = site.client.post(story.unsubscribe, data=ONE_CLICK)

    assert answer.status_code == 503


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
def test_a_file_that_another_took_the_place_of_is_opened_anew(db: Database) -> None:
    builders.make_list(db, "before")
    name = str(db.url.database)
    Path(name).rename(f"{name}-old")
    Path(name).write_bytes(Path(f"{name}-old").read_bytes())
    with db.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM list")).scalar() is not None
