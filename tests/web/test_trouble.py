"""With the database gone for good, pages ask to come back, and nobody sees a traceback."""

from __future__ import annotations

import pytest

from mailer.store.database import Database
from tests import postgres
from tests.web.conftest import Site, Story


@pytest.fixture
def broken(site: Site, story: Story, request: pytest.FixtureRequest) -> Site:
    """The database is gone: its file is rubbish, its server does not know it."""
    _break(site.db, request)
    return site


def _break(db: Database, request: pytest.FixtureRequest) -> None:
    db.engine.dispose()
    if db.on_sqlite:
        from pathlib import Path

        assert db.url.database is not None
        file = Path(db.url.database)
        for part in (file, Path(f"{file}-wal"), Path(f"{file}-shm")):
            part.unlink(missing_ok=True)
        file.write_bytes(b"this was a database once" * 100)
        return
    server: postgres.Server = request.getfixturevalue("postgresql")
    assert db.url.database is not None
    server.drop(db.url.database)


def test_every_page_says_so_without_details(broken: Site, story: Story) -> None:
    name = str(broken.db.url.database)
    for path in (story.preferences, f"/w/{story.campaign.web_key}"):
        answer = broken.client.get(path)
        assert answer.status_code == 503
        assert name not in answer.text
    assert "event=unavailable" in broken.log.getvalue()
    assert "Traceback" not in broken.log.getvalue()


def test_health_says_that_the_database_does_not_answer(broken: Site) -> None:
    answer = broken.client.get("/healthz")

    assert (answer.status_code, answer.json()["ok"]) == (503, False)


def test_a_wrong_link_is_still_a_404(broken: Site) -> None:
    assert broken.client.get("/u/wrong").status_code == 404
