"""Pages that are kept for when the database is away are swept: mended ones, old ones, too many."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mailer.errors import SettingsError, StoppedError
from mailer.store import archive
from mailer.usecases.list_mended import list_mended
from mailer.usecases.withdraw_campaign import withdraw_campaign
from mailer.web import frozen
from mailer.web.front import Front
from mailer.web.frozen import FrozenPage, PageFiles
from mailer.web.log import make_log
from mailer.web.server import _Chores
from tests import postgres
from tests.web.conftest import Site, Story

DAY = 86_400.0


def _keep(folder: Path, name: str, *, age: float = 0.0, size: int = 10) -> None:
    PageFiles(folder).keep(name, None, FrozenPage("x" * size, "en", draft=False, listed=False))
    then = time.time() - age
    os.utime(PageFiles(folder)._file(name, None), (then, then))


def _kept(folder: Path, *names: str) -> list[str]:
    return [name for name in names if PageFiles(folder).find(name, None)]


def test_the_old_go_and_the_new_stay(tmp_path: Path) -> None:
    _keep(tmp_path, "old", age=181 * DAY)
    _keep(tmp_path, "new", age=179 * DAY)

    assert PageFiles(tmp_path).sweep({}, time.time()) == 1
    assert _kept(tmp_path, "old", "new") == ["new"]


def test_of_too_many_the_newest_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frozen, "_MOST", 2_500)
    for number in range(5):
        _keep(tmp_path, f"page {number}", age=number * 60.0, size=1_000)

    assert PageFiles(tmp_path).sweep({}, time.time()) == 3
    assert _kept(tmp_path, *(f"page {n}" for n in range(5))) == ["page 0", "page 1"]


def test_what_was_never_finished_goes_and_what_is_being_written_stays(tmp_path: Path) -> None:
    for name, age in (("left.123", 2 * 3600.0), ("now.124", 1.0)):
        (tmp_path / name).write_text("{")
        os.utime(tmp_path / name, (time.time() - age,) * 2)

    assert PageFiles(tmp_path).sweep({}, time.time()) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["now.124"]


def test_a_folder_that_is_not_there_is_swept(tmp_path: Path) -> None:
    assert PageFiles(tmp_path / "none").sweep({"x": 1.0}, time.time()) == 0


def test_a_file_that_is_damaged_is_no_page(tmp_path: Path) -> None:
    _keep(tmp_path, "page")
    for text in ("", "{", "[]", '{"html": 1}', "\udc80"):
        PageFiles(tmp_path)._file("page", None).write_text(text, "utf-8", "surrogateescape")
        assert PageFiles(tmp_path).find("page", None) is None


def _mend(site: Site, how: str, campaign: int) -> None:
    now = datetime.now(UTC)  # files are dated by this machine's clock
    if how == "corrected":
        with site.db.write() as connection:
            archive.correct(connection, campaign, now, "It is Tuesday, not Monday.", {})
        return

    class Now:
        def now(self) -> datetime:
            return now

    withdraw_campaign(campaign, reason="A name", by="Anna", db=site.db, clock=Now())


@pytest.mark.parametrize("how", ["withdrawn", "corrected"])
def test_a_page_that_was_mended_is_not_shown_while_the_database_is_away(
    site: Site,
    open_site: Callable[..., Site],
    story: Story,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    path = f"/w/{story.campaign.web_key}"
    other = open_site()  # as another process has it, in its memory
    for each in (site, other):
        assert each.client.get(path).status_code == 200
    folder = site.mailer.kept_pages
    assert len(list(folder.iterdir())) == 1
    assert list_mended(db=site.db) == {}
    _mend(site, how, story.campaign.id)
    assert list(list_mended(db=site.db)) == [story.campaign.web_key]
    assert _front(site).sweep() == 1
    assert list(folder.iterdir()) == []
    assert _front(other).sweep() == 0  # it knows, although the file was gone

    def away(*_: Any, **__: Any) -> None:
        raise StoppedError("The database does not answer.")

    monkeypatch.setattr("mailer.web.public.show_web_version", away)
    for each in (site, other, open_site()):
        assert each.client.get(path).status_code == 503


def test_a_corrected_page_is_kept_again(site: Site, story: Story) -> None:
    path = f"/w/{story.campaign.web_key}"
    _mend(site, "corrected", story.campaign.id)
    assert "Tuesday" in site.client.get(path).text
    _front(site).sweep()

    assert len(list(site.mailer.kept_pages.iterdir())) == 1


def _front(site: Site) -> Front:
    assert isinstance(site.client.app, Front)
    return site.client.app


@pytest.mark.parametrize("db", ["postgresql"], indirect=True)
def test_a_process_ends_when_another_database_comes_back(
    site: Site, postgresql: postgres.Server
) -> None:
    name = str(site.db.url.database)
    log = io.StringIO()
    chores = _Chores(site.mailer, _front(site), make_log(log))
    site.db.engine.dispose()
    postgresql.rename(name, f"{name}_aside")
    chores.begin()
    assert "event=database_away" in log.getvalue()
    assert chores() is True  # still away
    postgresql.make(name)  # an empty one
    try:
        assert chores() is False
        assert isinstance(chores.refused, SettingsError)
    finally:
        site.db.engine.dispose()
        postgresql.drop(name)
        postgresql.rename(f"{name}_aside", name)
    assert chores() is True
