"""What a page says of itself is kept beside it, also for campaigns from before the archive."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from alembic import command
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from mailer.compose.page_facts import LONGEST, page_facts
from mailer.store import archive, migrations
from mailer.store.database import Database
from tests import builders

OCTOBER = datetime(2026, 10, 1, tzinfo=UTC)
PAGE = """<!doctype html><html lang="en"><head><title>Boats &amp; quays</title>
<meta name="robots" content="noindex"><style>.x{color:red}</style></head>
<body><nav><a href="/x">Deutsch</a></nav><p>The <b>ferry</b>
sails</p><script>no()</script></body></html>"""


def test_a_page_tells_its_title_and_what_a_reader_sees() -> None:
    facts = page_facts(PAGE)

    assert (facts.title, facts.description, facts.picture) == ("Boats & quays", "", "")
    assert facts.text == "The ferry sails"


@given(st.text())
@settings(max_examples=60)
def test_no_page_is_too_odd(page: str) -> None:
    assert len(page_facts(page).text) <= LONGEST


def test_an_upgrade_reads_the_pages_that_are_there(db: Database) -> None:
    list_id = builders.make_list(db)
    migration = migrations._config()
    with db.engine.connect() as connection:
        migration.attributes["connection"] = connection
        connection.commit()
        command.downgrade(migration, "0012")
        connection.execute(
            text(
                "INSERT INTO campaign (slug, issue, folder, content_hash, list_id, state, subject,"
                " web_key, frozen, planned_at, stopped_because, wire_seconds) VALUES ('boats',"
                " 'boats', '.', '', :list, 'finished', 'S', 'key', '{}', :now, '', 0)"
            ),
            {"list": list_id, "now": OCTOBER if not db.on_sqlite else "2026-10-01 00:00:00"},
        )
        connection.execute(
            text(
                "INSERT INTO variant (campaign_id, language, compiled, web_page)"
                " SELECT id, 'en', '', :page FROM campaign"
            ),
            {"page": PAGE},
        )
        connection.commit()
    migrations.upgrade(db)
    with db.read() as connection:
        row = connection.execute(text("SELECT * FROM variant")).one()

    assert (row.title, row.web_page, row.corrected_page) == ("Boats & quays", PAGE, None)
    assert "FERRY SAILS" in row.words
    migrations.require_current(db)


def test_editions_come_in_the_order_and_the_language_asked_for(db: Database) -> None:
    list_id = builders.make_list(db)
    pages = {"en": builders.issue_page("Boats"), "pt-BR": builders.issue_page("Barcos")}
    two = builders.make_sent(db, list_id, "two", OCTOBER, pages=pages)
    one = builders.make_sent(db, list_id, "one", OCTOBER + timedelta(1), "One")
    with db.read() as connection:
        sent = archive.sendings(connection, list_id)
        found = archive.editions(connection, [two.id, one.id], ["fr", "pt"])

        assert archive.editions(connection, []) == []
    assert [number for number, _ in sent] == [one.id, two.id]
    assert [(each.title, each.language) for each in found] == [("Barcos", "pt-BR"), ("One", "en")]
    assert found[0].languages == ("en", "pt-BR")
    assert found[0].sent_at == found[0].changed_at == OCTOBER


def test_a_correction_changes_what_is_shown_and_found_and_keeps_what_was_sent(
    db: Database,
) -> None:
    made = builders.make_sent(db, builders.make_list(db), "boats", OCTOBER, "Boots")
    later = OCTOBER + timedelta(3)
    with db.write() as connection:
        archive.correct(connection, made.id, later, "Boats", {"en": builders.issue_page("Boats")})
    with db.read() as connection:
        (edition,) = archive.editions(connection, [made.id])
        (note,) = archive.notes(connection, made.id)
        row = connection.execute(text("SELECT web_page, corrected_page FROM variant")).one()

    assert (edition.title, edition.sent_at, edition.changed_at) == ("Boats", OCTOBER, later)
    assert (note.at, note.text) == (later, "Boats")
    assert "Boots" in row.web_page
    assert "Boats" in row.corrected_page
