"""axe-core finds no barrier in the archive, and Chromium asks nobody else for anything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import text

from mailer.store import archive
from tests import builders
from tests.peers.conftest import Town
from tests.peers.test_pages import barriers, forbidden, statuses, strangers, visit


def test_the_archive_has_no_barrier_and_loads_nothing_from_elsewhere(
    town: Town, tmp_path: Path
) -> None:
    shelf = builders.make_list(
        town.db, "quays", title="Quays and Ferries", description="What sails, every Friday."
    )
    now = datetime.now(UTC)
    for number in range(6):
        page = builders.issue_page(f"Ferries of week {number}", about="What sails, and when.")
        builders.make_sent(
            town.db, shelf, f"ferries-{number}", now - timedelta(20 * number), pages={"en": page}
        )
    pages = {
        "en": builders.issue_page("Boats", body="<h1>Boats</h1>"),
        "ar": builders.issue_page(
            "قوارب عند الرصيف", lang="ar", about="ما يبحر اليوم", body="<h1>قوارب</h1>"
        ),
    }
    made = builders.make_sent(town.db, shelf, "boats", now, pages=pages)
    gone = builders.make_sent(town.db, shelf, "gone", now, "Gone", withdrawn_at=now)
    with town.db.write() as connection:
        archive.correct(connection, made.id, now, "It is Tuesday, not Monday.", {})
        names = connection.execute(
            text(
                "SELECT l.slug, c.slug FROM campaign c JOIN list l ON l.id = c.list_id"
                " WHERE c.started_at IS NOT NULL AND c.slug NOT IN ('boats', 'gone')"
                " AND l.slug <> 'quays' ORDER BY c.id"
            )
        ).all()
    home, quays = f"{town.site}/archive", f"{town.site}/archive/quays"
    month = f"{now - timedelta(60):%Y-%m}"
    found = visit(
        tmp_path,
        {"name": "archive", "url": home},
        {"name": "archive ar", "url": f"{home}?lang=ar"},
        {"name": "list", "url": quays},
        {"name": "list ar", "url": f"{quays}?lang=ar"},
        {"name": "month", "url": f"{quays}/months/{month}"},
        {"name": "month ar", "url": f"{quays}/months/{month}?lang=ar"},
        {"name": "index", "url": f"{quays}/months"},
        {"name": "index ar", "url": f"{quays}/months?lang=ar"},
        {"name": "search", "url": quays},
        {"name": "found", "first": [["fill", "#q", "boats"]], "click": ".search button"},
        {"name": "corrected", "url": f"{quays}/boats"},
        {"name": "corrected ar", "url": f"{quays}/boats/ar"},
        *({"name": f"real {slug}", "url": f"{home}/{one}/{slug}"} for one, slug in names[:2]),
        {"name": "withdrawn", "url": f"{town.site}/w/{gone.web_key}"},
    )

    assert statuses(found) == [200] * (len(found) - 1) + [410]
    assert barriers(found) == []
    assert strangers(found, town.site) == []
    assert forbidden(found) == []
    assert found["list ar"]["direction"] == "rtl"
    assert "Boats" in found["found"]["text"]
    assert "Ferries" not in found["found"]["text"].replace("Quays and Ferries", "")
    assert "Corrected on" in found["corrected"]["text"]
