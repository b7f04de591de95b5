"""Readers say what they like about themselves, take a copy of it all, and can have it erased."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import text

from mailer.contacts.values import FieldType
from mailer.message.links import KeyRing, Purpose, make
from mailer.model.words import FieldKind
from mailer.store import people
from mailer.store.database import one
from mailer.usecases.open_field import open_field
from tests import builders
from tests.web.conftest import Site, Story

ADDRESS = "Anna@Example.org"  # as a person types it


@pytest.fixture
def details(site: Site, story: Story) -> str:
    """The path of Anna's page; the owner opened fields of every kind, and kept one closed."""
    kinds = {
        "first_name": FieldType(),
        "town": FieldType(FieldKind.text, ("Geneva", "Bern")),
        "boats": FieldType(FieldKind.number),
        "born": FieldType(FieldKind.date),
        "sails": FieldType(FieldKind.yesno),
        "note": FieldType(),
    }
    with site.db.write() as connection:
        for name, kind in kinds.items():
            people.declare_field(connection, name, kind, builders.THEN)
        people.update_subscriber(connection, story.anna, {"fields": {"note": "Owes us a net"}})
    for name in kinds:
        if name != "note":
            open_field(name, db=site.db, label="Given name" if name == "first_name" else None)
    return f"{story.preferences}/details"


def fields_of(site: Site) -> object:
    with site.db.read() as connection:
        found = one(connection, "SELECT fields FROM subscriber")
    return json.loads(found) if isinstance(found, str) else found


def test_only_opened_fields_are_shown_and_changed(site: Site, details: str) -> None:
    page = site.client.get(details).text
    assert "Given name" in page
    assert "Boats" in page
    assert "Owes us" not in page
    posted = {
        "action": "fields",
        "field.first_name": "  Anna \r\n Maria ",
        "field.town": "Bern",
        "field.boats": "2.5",
        "field.born": "1990-02-03",
        "field.sails": "yes",
        "field.note": "Owes us nothing",
        "field.no_such": "x",
    }
    answer = site.client.post(details, data=posted)

    assert (answer.status_code, answer.headers["location"]) == (303, "?done=fields")
    kept = {
        "first_name": "Anna Maria",
        "town": "Bern",
        "boats": 2.5,
        "born": "1990-02-03",
        "sails": True,
        "note": "Owes us a net",
    }
    assert fields_of(site) == kept
    page = site.client.get(details + "?done=fields").text
    assert "Saved." in page
    assert 'value="Anna Maria"' in page
    assert '<option value="Bern" selected>' in page
    site.client.post(details, data={"action": "fields", "field.boats": " "})
    del kept["boats"]
    assert fields_of(site) == kept


def test_a_value_that_does_not_fit_is_told_beside_it_and_nothing_is_kept(
    site: Site, story: Story, details: str
) -> None:
    before = builders.dump(site.db)
    for name, wrong in (
        ("boats", "<b>many</b>"),
        ("born", "31.2.1990"),
        ("town", "Atlantis"),
        ("first_name", "x" * 201),
    ):
        posted = {"action": "fields", f"field.{name}": wrong, "field.sails": "yes"}
        answer = site.client.post(details, data=posted)
        assert answer.status_code == 422
        assert answer.text.count('aria-invalid="true"') == 1
        assert "Please look at this again" in answer.text
        assert "<b>many" not in answer.text

    assert builders.dump(site.db) == before
    assert builders.events(site.db, story.anna) == []


def test_a_language_is_chosen_and_the_pages_speak_it(
    site: Site, story: Story, details: str
) -> None:
    site.client.post(details, data={"action": "language", "language": "ar"})

    assert '<html lang="ar" dir="rtl">' in site.client.get(details).text
    assert '<html lang="ar" dir="rtl">' in site.client.get(story.preferences).text
    assert '<html lang="fr"' in site.client.get(story.preferences + "?lang=fr").text
    assert builders.events(site.db, story.anna) == [("changed", "reader", None, "language")]
    site.client.post(details, data={"action": "language", "language": ""})
    assert '<html lang="en"' in site.client.get(details).text
    refused = site.client.post(details, data={"action": "language", "language": "tlh"})
    assert refused.status_code == 400


def test_tracking_has_three_answers_and_each_is_kept_with_its_words(
    site: Site, details: str
) -> None:
    for answer in ("yes", "no", "unknown"):
        assert f'value="{answer}" checked' not in site.client.get(details).text or answer == "yes"
        site.client.post(details, data={"action": "tracking", "tracking": answer})
        site.client.post(details, data={"action": "tracking", "tracking": answer})
        assert f'value="{answer}" checked' in site.client.get(details).text

    with site.db.read() as connection:
        rows = connection.execute(
            text(
                "SELECT t.answer, t.source, w.text FROM tracking_consent t"
                " JOIN wording w ON w.id = t.wording_id ORDER BY t.id"
            )
        ).all()
    assert [(row[0], row[1]) for row in rows] == [
        ("yes", "form"),
        ("no", "form"),
        ("unknown", "form"),
    ]
    assert {row[2].partition("?")[0] for row in rows} == {"May we note what you read"}


def test_a_copy_of_everything_is_given_to_who_names_the_address(site: Site, details: str) -> None:
    before = builders.dump(site.db)
    given = site.client.post(details, data={"action": "download", "address": ADDRESS})

    assert given.status_code == 200
    assert given.headers["content-disposition"] == 'attachment; filename="my-data.json"'
    assert given.headers["cache-control"] == "no-store"
    held = given.json()
    assert held["address"] == "anna@example.org"
    assert held["fields"] == {"note": "Owes us a net"}
    assert [each["list"] for each in held["lists"]] == ["harbour"]
    for wrong in ("", "bruno@example.org", "anna", "anna@example.org\r\nx"):
        refused = site.client.post(details, data={"action": "download", "address": wrong})
        assert refused.status_code == 422
        assert "That is not the address" in refused.text
        assert "Owes us" not in refused.text
    assert builders.dump(site.db) == before


def test_erasing_needs_the_address_and_leaves_nothing_but_a_hash(
    site: Site, story: Story, details: str
) -> None:
    path = f"{story.preferences}/erase"
    assert "Erase everything about you?" in site.client.get(path).text
    before = builders.dump(site.db)
    for wrong in ("", "bruno@example.org"):
        refused = site.client.post(path, data={"action": "erase", "address": wrong})
        assert refused.status_code == 422
    assert site.client.post(path, data={"address": ADDRESS}).status_code == 400
    assert builders.dump(site.db) == before
    gone = site.client.post(path, data={"action": "erase", "address": ADDRESS})

    assert (gone.status_code, gone.headers["location"]) == (303, "?done=erase")
    after = builders.dump(site.db)
    assert after["subscriber"] == []
    assert after["subscription"] == []
    assert len(after["suppression"]) == 1
    assert "anna@" not in str(after).lower()
    for shown in (path, details, story.preferences, story.unsubscribe):
        assert "We do not know you any more" in site.client.get(shown).text
    assert site.client.post(path, data={"action": "erase", "address": ADDRESS}).status_code == 422


def test_no_other_token_opens_these_pages(site: Site, story: Story, details: str) -> None:
    before = builders.dump(site.db)
    campaign, anna = story.campaign.id, story.anna
    foreign = make(KeyRing(bytes(range(32))), Purpose.preferences, campaign, anna)
    good = story.preferences.removeprefix("/p/")
    tokens = [foreign, good[:-1], good + "A", good.swapcase()]
    tokens += [
        site.token(purpose, campaign, anna)
        for purpose in (Purpose.unsubscribe, Purpose.reconfirm, Purpose.bounce)
    ]
    for token in tokens:
        for page in ("details", "erase"):
            assert site.client.get(f"/p/{token}/{page}").status_code == 404
            for body in (
                {"action": "download", "address": ADDRESS},
                {"action": "erase", "address": ADDRESS},
                {"action": "language", "language": "fr"},
            ):
                posted = site.client.post(f"/p/{token}/{page}", data=body)
                assert posted.status_code in (400, 404)

    assert builders.dump(site.db) == before


def test_a_test_copy_has_no_data_and_changes_none(site: Site, story: Story) -> None:
    expires = site.mailer.clock.now() + timedelta(days=7)
    token = make(site.mailer.keys, Purpose.test, story.campaign.id, story.anna, expires=expires)
    before = builders.dump(site.db)
    for page in ("details", "erase"):
        shown = site.client.get(f"/p/{token}/{page}").text
        assert "This is a test copy" in shown
        assert "<form" not in shown
    for body in (
        {"action": "download", "address": ADDRESS},
        {"action": "language", "language": "fr"},
        {"action": "tracking", "tracking": "yes"},
    ):
        assert site.client.post(f"/p/{token}/details", data=body).status_code in (303, 422)
    site.client.post(f"/p/{token}/erase", data={"action": "erase", "address": ADDRESS})

    assert builders.dump(site.db) == before
