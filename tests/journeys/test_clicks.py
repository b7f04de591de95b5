"""A measured campaign from plan to report: who agreed is counted, the others are left alone."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from mailer.adapters.inbox import Inbox
from mailer.message.click_links import read_click
from mailer.model.measuring import ClickMode
from mailer.usecases.export_person import export_person
from mailer.usecases.preview_recipient import preview_recipient
from mailer.usecases.report_clicks import ClicksReport, report_clicks
from mailer.usecases.send_campaign import send_campaign
from mailer.web.site import make_site
from mailer.wiring import Mailer, open_mailer
from tests import builders
from tests.command_line import done, make_workspace
from tests.command_line import mailer as command
from tests.fakes import FakeClock
from tests.postgres import TEMPLATE, Server

ISSUE = """\
---
subject: Boats for {{ first_name | default("you") }}
preheader: It opens on Monday
contact: desk@example.org
utm: yes
---
[The harbour](https://harbour.example.net/a?b=1&c=2) is open, and so is
[our shop](https://shop.marren.example.org/). [Fish](https://fish.example.net/) of the day,
[yours](https://example.net/?c={{ city | default("x") }}).
"""
PEOPLE = """\
email,first_name,city
anna@example.org,Anna,Porto
bilal@example.org,Bilal,Sfax
chen@example.org,Chen,
"""
SITE = "https://news.example.org"
BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
SHOP = "https://shop.marren.example.org/?utm_source=coast&utm_medium=email&utm_campaign=boats"
FISH, HARBOUR = "https://fish.example.net/", "https://harbour.example.net/a?b=1&c=2"
NOW = FakeClock().now()


@dataclass
class Desk:
    """A workspace with three people, of whom Anna agreed to be measured, and its site."""

    mailer: Mailer
    inbox: Inbox
    clock: FakeClock
    path: Path

    def run(self, *words: str) -> Any:
        return done(self.path, *words)

    def send(self, mode: ClickMode, *words: str) -> Mapping[str, Any]:
        """Plans and sends; each person's mail as a parser reads it."""
        issue = str(self.path / "data/issues/boats")
        self.run("campaigns", "plan", issue, "--list", "coast", "--clicks", mode.value, *words)
        mailer = self.mailer
        asyncio.run(
            send_campaign(
                "boats",
                db=mailer.db,
                transport=mailer.transport,
                keys=mailer.keys,
                clock=self.clock,
                folder=mailer.runs,
                pace=mailer.pace,
                retry_after=(60,),
                expires_after=3600,
                max_wait=0,
                signing=mailer.signing,
            )
        )
        return {
            mail.recipients[0]: message_from_bytes(mail.data, policy=policy.default)
            for mail in self.inbox.messages
        }

    def open_site(self) -> TestClient:
        site = make_site(self.mailer)
        reader = ("192.0.2.7", 50_000)
        return TestClient(site, base_url=SITE, follow_redirects=False, client=reader)

    def flush(self, client: TestClient) -> bool:
        app: Any = client.app
        return bool(app.clicks.flush())

    def report(self) -> ClicksReport:
        return report_clicks("boats", db=self.mailer.db, rules_dated="")


@pytest.fixture(params=["sqlite", "postgresql"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    settings: dict[str, object] = {}
    if request.param == "postgresql":
        server: Server = request.getfixturevalue("postgresql")
        settings["database_url"] = server.make("clicks", TEMPLATE)
    with Inbox() as inbox:
        path = make_workspace(tmp_path / "w", smtp_port=inbox.port, site_url=SITE, **settings)
        if "preview" in request.node.name:  # making a key takes seconds
            with (path / ".env").open("a") as file:
                file.writelines(f"{line}\n" for line in done(path, "keys", "new", "s1")["settings"])
        (path / "data/issues/boats").mkdir(parents=True)
        (path / "data/issues/boats/issue.md").write_text(ISSUE, "utf-8")
        (path / "people.csv").write_text(PEOPLE, "utf-8")
        people = str(path / "people.csv")
        done(path, "import", people, "--list", "coast", "--create-list", "--keep-columns")
        done(path, "subscribers", "edit", "anna@example.org", "--tracking", "yes")
        done(path, "subscribers", "edit", "bilal@example.org", "--tracking", "no")
        clock = FakeClock()
        with open_mailer(path) as opened:
            yield Desk(replace(opened, clock=clock), inbox, clock, path)
    if request.param == "postgresql":
        server.drop("clicks")


def hrefs(mail: Any) -> list[str]:
    page = mail.get_body(("html",)).get_content()
    return [href.replace("&amp;", "&") for href in re.findall(r'<a [^>]*?href="([^"]+)"', page)]


def led(mail: Any) -> list[str]:
    """The paths of the measured links, once each."""
    found = [href.removeprefix(SITE) for href in hrefs(mail) if href.startswith(f"{SITE}/l/")]
    return list(dict.fromkeys(found))


def rows(desk: Desk) -> list[tuple[Any, ...]]:
    with desk.mailer.db.read() as connection:
        found = connection.execute(
            text("SELECT number, subscriber_id, verdict FROM link_click ORDER BY id")
        )
        return [tuple(row) for row in found]


def without_log(desk: Desk, log: str = "link_click") -> Any:
    return {k: v for k, v in builders.dump(desk.mailer.db).items() if k != log}


def test_totals_name_nobody_and_scanners_are_told_apart(desk: Desk) -> None:
    mails = desk.send(ClickMode.totals)
    links = led(mails["anna@example.org"])
    keys = desk.mailer.keys

    assert [read_click(keys, link.removeprefix("/l/")).target for link in links] == [  # type: ignore[union-attr]
        HARBOUR, SHOP, FISH,
    ]  # fmt: skip
    assert "https://example.net/?c=Porto" in hrefs(mails["anna@example.org"])
    assert led(mails["chen@example.org"]) == links  # the same for everybody
    before = without_log(desk)
    with desk.open_site() as client:
        for link in links:  # a gateway opens all, at once, as the mail comes in
            assert client.get(link, headers=BROWSER).status_code == 302
        desk.clock.advance(timedelta(minutes=10))
        for agent in ("Barracuda Sentinel (EE)", "", "curl/8.0"):
            client.get(links[0], headers={"User-Agent": agent})
        client.head(links[0], headers=BROWSER)
        client.get(links[0], headers={**BROWSER, "Sec-Purpose": "prefetch;prerender"})
        assert desk.flush(client)
        desk.clock.advance(timedelta(minutes=10))
        for link in links:  # a gateway that waits, behind the name of a browser
            client.get(link, headers=BROWSER)
        desk.clock.advance(timedelta(minutes=10))
        answer = client.get(links[1], headers=BROWSER)
        assert desk.flush(client)

    assert (answer.status_code, answer.headers["location"], answer.content) == (302, SHOP, b"")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in answer.headers
    assert without_log(desk) == before
    report = desk.report()
    assert (report.raw, report.filtered, report.people) == (10, 1, None)
    assert report.left_out == {"agent": 3, "burst": 3, "early": 3}
    assert {(each.url, each.raw, each.filtered) for each in report.links} == {
        (HARBOUR, 5, 0), (SHOP, 3, 1), (FISH, 2, 0),
    }  # fmt: skip
    assert {row[1] for row in rows(desk)} == {None}


def test_people_are_counted_who_agreed_and_only_as_long_as_they_do(desk: Desk) -> None:
    mails = desk.send(ClickMode.people)
    links = led(mails["anna@example.org"])
    export: Any = {"db": desk.mailer.db, "clock": desk.clock, "leftovers": desk.mailer.leftovers}

    assert len(links) == 3
    for address in ("bilal@example.org", "chen@example.org"):
        assert led(mails[address]) == []  # direct links: no and no answer are alike
        assert {HARBOUR, FISH} <= set(hrefs(mails[address]))
    desk.clock.advance(timedelta(hours=1))
    with desk.open_site() as client:
        client.get(links[0], headers=BROWSER)
        client.get(links[0], headers=BROWSER)
        assert desk.flush(client)
        report = desk.report()
        assert (report.raw, report.filtered, report.people, report.measured) == (2, 1, 1, 1)
        assert report.left_out == {"repeat": 1}
        assert [each.url for each in export_person("anna@example.org", **export).clicks] == [
            HARBOUR
        ] * 2
        page = desk.path / "anna.html"
        desk.run("subscribers", "export", "anna@example.org", "--out", str(page))
        assert page.read_text("utf-8").count("harbour.example.net/a?b=1&amp;c=2") == 2
        desk.run("segments", "add", "clicked", 'campaign("boats").clicked')
        assert desk.run("segments", "count", "clicked")["people"] == 1

        desk.run("subscribers", "edit", "anna@example.org", "--tracking", "no")
        assert client.get(links[1], headers=BROWSER).headers["location"] == SHOP
        assert desk.flush(client)

    assert [(row[0], row[1]) for row in rows(desk)] == [(1, None), (1, None)]
    assert export_person("anna@example.org", **export).clicks == []
    assert desk.run("segments", "count", "clicked")["people"] == 0


def test_erasing_takes_clicks_along(desk: Desk) -> None:
    link = led(desk.send(ClickMode.people)["anna@example.org"])[0]
    with desk.open_site() as client:
        client.get(link, headers=BROWSER)
        assert desk.flush(client)
        assert len(rows(desk)) == 1
        desk.run("subscribers", "erase", "anna@example.org", "--yes")
        assert rows(desk) == []
        assert client.get(link, headers=BROWSER).headers["location"] == HARBOUR  # for ever
        assert desk.flush(client)

    assert rows(desk) == []


@pytest.mark.parametrize("mode", [ClickMode.totals, ClickMode.people])
def test_the_preview_is_the_wire_byte_for_byte(desk: Desk, mode: ClickMode) -> None:
    issue = str(desk.path / "data/issues/boats")
    planned = desk.run("campaigns", "plan", issue, "--list", "coast", "--clicks", mode.value)
    shown = {
        address: preview_recipient(
            "boats",
            address=address,
            db=desk.mailer.db,
            keys=desk.mailer.keys,
            clock=desk.clock,
            signing=desk.mailer.signing,
        )
        for address in ("anna@example.org", "bilal@example.org", "chen@example.org")
    }
    rehearsed = desk.run("campaigns", "send", "boats", "--dry-run")

    agreed = 1 if mode is ClickMode.people else None
    assert (planned["measured_links"], planned["measured_people"]) == (3, agreed)
    assert (rehearsed["letters"], rehearsed["unsendable"]) == (3, 0)
    asyncio.run(
        send_campaign(
            "boats", db=desk.mailer.db, transport=desk.mailer.transport, keys=desk.mailer.keys,
            clock=desk.clock, folder=desk.mailer.runs, pace=desk.mailer.pace, retry_after=(60,),
            expires_after=3600, max_wait=0, signing=desk.mailer.signing,
        )
    )  # fmt: skip
    mails = {mail.recipients[0]: mail.data for mail in desk.inbox.messages}
    assert {address: mail.message for address, mail in shown.items()} == mails
    assert all(
        "/l/" not in mail.web_page and "utm_" not in mail.web_page for mail in shown.values()
    )


def test_a_test_copy_has_direct_links_and_report_prints_both_numbers(desk: Desk) -> None:
    desk.run("campaigns", "plan", str(desk.path / "data/issues/boats"), "--list", "coast",
             "--clicks", "totals")  # fmt: skip
    desk.run("campaigns", "test", "boats", "--to", "me@example.org")
    copy = message_from_bytes(desk.inbox.messages[0].data, policy=policy.default)
    words = command(desk.path, "campaigns", "report", "boats").out
    table = command(desk.path, "campaigns", "report", "boats", "--csv", "-").out
    document = desk.run("campaigns", "report", "boats")["clicks"]

    assert led(copy) == []
    assert "raw, machines with it" in words
    assert "filtered" in words
    assert table.splitlines()[:2] == ["number,url,raw,filtered,people", f"1,{HARBOUR},0,0,"]
    assert (document["mode"], document["raw"], len(document["links"])) == ("totals", 0, 3)


def test_the_redirect_works_without_a_database(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    link = led(desk.send(ClickMode.totals)["anna@example.org"])[0]
    with desk.open_site() as client:
        with monkeypatch.context() as broken:
            broken.setattr(desk.mailer.db.writer, "submit", _gone)
            assert client.get(link, headers=BROWSER).headers["location"] == HARBOUR
            assert not desk.flush(client)
        assert rows(desk) == []
        assert desk.flush(client)

    assert len(rows(desk)) == 1


def _gone(work: object) -> None:
    from mailer.errors import StoppedError

    raise StoppedError("The database does not answer.")


ARABIC = """\
---
subject: القوارب
preheader: يفتح
---
[الميناء](https://harbour.example.net/a?b=1&c=2) و[جديد](https://new.example.net/).
"""


def test_the_languages_of_a_campaign_count_one_link_together(desk: Desk) -> None:
    (desk.path / "data/issues/boats/issue.ar.md").write_text(ARABIC, "utf-8")
    desk.run("subscribers", "edit", "bilal@example.org", "--language", "ar")
    mails = desk.send(ClickMode.totals)
    keys = desk.mailer.keys
    found = {
        address: {
            click.target: click.number
            for link in led(mails[address])
            if (click := read_click(keys, link.removeprefix("/l/")))
        }
        for address in ("anna@example.org", "bilal@example.org")
    }

    assert found["bilal@example.org"][HARBOUR] == found["anna@example.org"][HARBOUR] == 1
    assert found["bilal@example.org"]["https://new.example.net/"] == 4
    assert [each.url for each in desk.report().links] == [
        HARBOUR, SHOP, FISH, "https://new.example.net/",
    ]  # fmt: skip


def test_who_joins_later_is_measured_by_their_own_yes(desk: Desk) -> None:
    desk.send(ClickMode.people)
    for address in ("dora@example.org", "emil@example.org"):
        desk.run("subscribers", "add", address, "--list", "coast")
    desk.run("subscribers", "edit", "dora@example.org", "--tracking", "yes")
    desk.run("campaigns", "send", "boats", "--yes", "--to-missing")
    mails = {
        mail.recipients[0]: message_from_bytes(mail.data, policy=policy.default)
        for mail in desk.inbox.messages
    }

    assert len(led(mails["dora@example.org"])) == 3
    assert led(mails["emil@example.org"]) == []
    assert led(mails["dora@example.org"]) != led(mails["anna@example.org"])


def test_a_plan_that_fails_leaves_no_links(desk: Desk) -> None:
    issue = desk.path / "data/issues/boats/issue.md"
    issue.write_text(ISSUE.replace(' | default("x")', ' | default_web("x")'), "utf-8")
    before = builders.dump(desk.mailer.db)
    plan = ("campaigns", "plan", str(issue), "--list", "coast", "--clicks", "people")
    refused = command(desk.path, *plan)

    assert refused.status == 3, refused.err
    assert "city" in refused.err
    assert builders.dump(desk.mailer.db) == before


def test_an_issue_says_what_is_measured_and_a_render_shows_it(desk: Desk) -> None:
    issue = desk.path / "data/issues/boats/issue.md"
    issue.write_text(ISSUE.replace("utm: yes", "utm: no\nclicks: totals"), "utf-8")
    out = desk.path / "out"
    desk.run("issues", "render", str(issue), "--out", str(out))
    checked = desk.run("issues", "check", str(issue))
    planned = desk.run("campaigns", "plan", str(issue), "--list", "coast")
    page = (out / "email.html").read_text("utf-8")
    tokens = re.findall(rf'href="{SITE}/l/([^"]+)"', page)

    assert [(c.campaign, c.target) for t in tokens if (c := read_click(desk.mailer.keys, t))] == [
        (0, HARBOUR), (0, "https://shop.marren.example.org/"), (0, FISH),
    ]  # fmt: skip
    assert "/l/" not in (out / "web.html").read_text("utf-8")
    assert [w["rule"] for w in checked["warnings"]].count("link-unmeasured") == 1
    assert (planned["clicks"], planned["measured_links"]) == ("totals", 3)
    assert desk.run("campaigns", "show", "boats")["clicks"] == "totals"
