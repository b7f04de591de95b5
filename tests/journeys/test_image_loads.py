"""A campaign that counts image loads: one picture, in the mails of who agreed, and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from email import message_from_bytes, policy
from typing import Any

import pytest
from sqlalchemy import text

from mailer.message.image_loads import PICTURE, read_load
from mailer.model.measuring import ClickMode, LoadMode
from mailer.usecases.export_person import export_person
from mailer.usecases.report_image_loads import report_image_loads
from tests import builders
from tests.command_line import mailer as command
from tests.journeys.test_clicks import BROWSER, SITE, Desk, _gone, desk, led, without_log

__all__ = ["desk"]  # the same workspace

AGENTS = {
    "Mozilla/5.0": "ahead",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0": "ahead",
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0"
    " (via ggpht.com GoogleImageProxy)": "proxy",
    "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html": "proxy",
    "Barracuda Sentinel (EE)": "agent",
    "": "agent",
}


def send(desk: Desk, loads: str, clicks: ClickMode = ClickMode.off) -> Mapping[str, Any]:
    """Plans and sends; each person's mail as a parser reads it. An hour goes by."""
    mails = desk.send(clicks, "--image-loads", loads)
    desk.clock.advance(timedelta(hours=1))
    return mails


def pictures(mail: Any) -> list[str]:
    """The paths of the counted pictures of a mail; every part of it is looked through."""
    html, plain = mail.get_body(("html",)).get_content(), mail.get_body(("plain",)).get_content()
    assert "/load/" not in plain
    found = re.findall(rf'<img [^>]*?src="{SITE}(/load/[^"]+)"', html)
    assert len(found) == html.count("/load/")
    return found


def rows(desk: Desk) -> list[tuple[Any, ...]]:
    with desk.mailer.db.read() as connection:
        found = connection.execute(
            text("SELECT subscriber_id, network, verdict FROM image_load ORDER BY id")
        )
        return [tuple(row) for row in found]


def test_totals_have_one_address_and_set_machines_apart(desk: Desk) -> None:
    mails = send(desk, "totals")
    (picture,) = pictures(mails["anna@example.org"])
    keys = desk.mailer.keys

    assert {path for mail in mails.values() for path in pictures(mail)} == {picture}
    assert led(mails["anna@example.org"]) == []  # links stay direct
    assert read_load(keys, picture.removeprefix("/load/")) is not None
    page = mails["anna@example.org"].get_body(("html",)).get_content()
    assert re.search(r"<img [^>]*/load/[^>]*></body>", page)
    before = without_log(desk, "image_load")
    with desk.open_site() as client:
        for agent in AGENTS:
            desk.clock.advance(timedelta(minutes=5))
            client.get(picture, headers={"User-Agent": agent})
        desk.clock.advance(timedelta(minutes=5))
        client.head(picture, headers=BROWSER)
        client.get(picture, headers={**BROWSER, "Sec-Purpose": "prefetch"})
        answer = client.get(picture, headers=BROWSER)
        client.get(picture, headers=BROWSER)  # again at once, as programs do
        assert desk.flush(client)

    assert (answer.status_code, answer.content) == (200, PICTURE)
    assert answer.headers["content-type"] == "image/gif"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert "set-cookie" not in answer.headers
    assert "etag" not in answer.headers
    assert without_log(desk, "image_load") == before
    assert [row[2] for row in rows(desk)] == [*AGENTS.values(), "", "repeat"]
    assert [row[1] is None for row in rows(desk)] == [True] * 4 + [False] * 4
    assert {row[0] for row in rows(desk)} == {None}
    report = report_image_loads("boats", db=desk.mailer.db, rules_dated="today")
    assert (report.mode, report.raw, report.filtered) == (LoadMode.totals, 8, 1)
    assert report.left_out == {"agent": 2, "ahead": 2, "proxy": 2, "repeat": 1}
    assert (report.people, report.measured) == (None, None)


def test_people_are_counted_who_agreed_and_only_as_long_as_they_do(desk: Desk) -> None:
    mails = send(desk, "people", ClickMode.people)
    anna = mails["anna@example.org"]
    (picture,) = pictures(anna)
    export: Any = {"db": desk.mailer.db, "clock": desk.clock, "leftovers": desk.mailer.leftovers}

    assert len(led(anna)) == 3
    assert led(anna)[0].partition(".")[2] == picture.partition(".")[2]  # one mark a reader
    for address in ("bilal@example.org", "chen@example.org"):
        assert pictures(mails[address]) == []
        assert led(mails[address]) == []
    with desk.open_site() as client:
        client.get(picture, headers=BROWSER)
        client.get(led(anna)[0], headers=BROWSER)
        assert desk.flush(client)
        report = desk.run("campaigns", "report", "boats")
        assert report["image_loads"] == {
            "mode": "people",
            "note": "Unreliable: machines load pictures of mails that nobody reads, and many"
            " readers load none.",
            "raw": 1,
            "filtered": 1,
            "left_out": {},
            "rules_dated": report["clicks"]["rules_dated"],
            "people": 1,
            "measured_people": 1,
        }
        assert (report["clicks"]["raw"], report["clicks"]["filtered"]) == (1, 1)
        held = export_person("anna@example.org", **export)
        assert [each.campaign for each in held.image_loads] == ["boats"]
        page = desk.path / "anna.html"
        desk.run("subscribers", "export", "anna@example.org", "--out", str(page))
        assert "<h2>Image loads</h2>" in page.read_text("utf-8")

        desk.run("subscribers", "edit", "anna@example.org", "--tracking", "no")
        assert client.get(picture, headers=BROWSER).content == PICTURE
        assert desk.flush(client)

    assert [row[0] for row in rows(desk)] == [None]
    assert export_person("anna@example.org", **export).image_loads == []


def test_who_joins_later_has_the_picture_by_their_own_yes(desk: Desk) -> None:
    send(desk, "people")
    for address in ("dora@example.org", "emil@example.org"):
        desk.run("subscribers", "add", address, "--list", "coast")
    desk.run("subscribers", "edit", "dora@example.org", "--tracking", "yes")
    desk.run("campaigns", "send", "boats", "--yes", "--to-missing")
    mails = {
        mail.recipients[0]: message_from_bytes(mail.data, policy=policy.default)
        for mail in desk.inbox.messages
    }

    assert [len(pictures(mails[f"{name}@example.org"])) for name in ("dora", "emil")] == [1, 0]


def test_erasing_takes_image_loads_along(desk: Desk) -> None:
    (picture,) = pictures(send(desk, "people")["anna@example.org"])
    with desk.open_site() as client:
        client.get(picture, headers=BROWSER)
        assert desk.flush(client)
        assert len(rows(desk)) == 1
        desk.run("subscribers", "erase", "anna@example.org", "--yes")
        assert rows(desk) == []
        assert client.get(picture, headers=BROWSER).content == PICTURE
        assert desk.flush(client)

    assert rows(desk) == []


def test_no_copy_page_or_preview_has_the_picture(desk: Desk) -> None:
    issue = desk.path / "data/issues/boats/issue.md"
    words = issue.read_text("utf-8").replace("utm: yes", "utm: yes\nimage_loads: totals")
    issue.write_text(words, "utf-8")
    out = desk.path / "out"
    desk.run("issues", "render", str(issue), "--out", str(out))
    desk.run("issues", "test", str(issue), "--to", "me@example.org")
    planned = desk.run("campaigns", "plan", str(issue), "--list", "coast")
    desk.run("campaigns", "test", "boats", "--to", "me@example.org")
    desk.run("campaigns", "send", "boats", "--yes")
    web = planned_page(desk)
    site = desk.path / "public"
    desk.run("site", "build", str(site))
    copies = [m for m in desk.inbox.messages if m.recipients[0] == "me@example.org"]
    sent = [m for m in desk.inbox.messages if m.recipients[0] != "me@example.org"]

    assert planned["image_loads"] == "totals"
    assert desk.run("campaigns", "show", "boats")["image_loads"] == "totals"
    assert all("/load/" not in file.read_text("utf-8") for file in out.glob("*.html"))
    assert len(copies) == 2
    assert all(
        pictures(message_from_bytes(each.data, policy=policy.default)) == [] for each in copies
    )
    assert "/load/" not in web
    assert all("/load/" not in file.read_text("utf-8") for file in site.rglob("*.html"))
    assert all(
        len(pictures(message_from_bytes(each.data, policy=policy.default))) == 1 for each in sent
    )
    assert len(sent) == 3


def planned_page(desk: Desk) -> str:
    with desk.mailer.db.read() as connection:
        page = connection.execute(text("SELECT web_page FROM variant")).scalar_one()
    return str(page)


@pytest.mark.parametrize(("loads", "clicks"), [("totals", "people"), ("people", "totals")])
def test_totals_and_people_do_not_mix(desk: Desk, loads: str, clicks: str) -> None:
    issue = str(desk.path / "data/issues/boats")
    before = builders.dump(desk.mailer.db)
    refused = command(
        desk.path, "campaigns", "plan", issue, "--list", "coast",
        "--image-loads", loads, "--clicks", clicks,
    )  # fmt: skip

    assert refused.status == 3
    assert f"Clicks are to be measured by {clicks}, and image loads by {loads}." in refused.err
    assert builders.dump(desk.mailer.db) == before


def test_the_report_says_that_the_number_tells_little(desk: Desk) -> None:
    issue = str(desk.path / "data/issues/boats")
    planned = command(
        desk.path, "campaigns", "plan", issue, "--list", "coast", "--image-loads", "people"
    ).out
    words = command(desk.path, "campaigns", "report", "boats").out

    assert "Image loads are counted, of 1 person who agreed." in planned
    assert "Image loads (people)" in words
    assert "Unreliable: machines load pictures of mails that nobody reads" in words
    assert "raw, machines with it" in words
    assert not re.search(r"\bopen(s|ed|\s+rate)\b", words)


def test_a_campaign_without_it_has_no_picture_and_no_word_of_it(desk: Desk) -> None:
    mails = send(desk, "off", ClickMode.totals)

    assert [pictures(mail) for mail in mails.values()] == [[], [], []]
    assert "Image loads" not in command(desk.path, "campaigns", "report", "boats").out
    assert desk.run("campaigns", "report", "boats")["image_loads"] == {"mode": "off"}


def test_the_picture_comes_without_a_database(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    (picture,) = pictures(send(desk, "totals")["anna@example.org"])
    with desk.open_site() as client:
        with monkeypatch.context() as broken:
            broken.setattr(desk.mailer.db.writer, "submit", _gone)
            assert client.get(picture, headers=BROWSER).content == PICTURE
            assert not desk.flush(client)
        assert rows(desk) == []
        assert desk.flush(client)

    assert len(rows(desk)) == 1
