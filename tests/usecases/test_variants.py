"""One campaign in several languages: each person gets theirs, and one report tells of all."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import httpx2
import pytest

from mailer.adapters.inbox import Inbox
from mailer.web.server import serving
from mailer.wiring import open_mailer
from mailer.wiring.demo import DemoInbox
from tests.command_line import done, mailer, make_workspace
from tests.postgres import TEMPLATE, Server

ENGLISH = """\
---
subject: The harbour for {{ first_name | default("you") }}
preheader: It opens on Monday
contact: desk@example.org
---
Good morning, {{ first_name | default("reader") }}. The harbour is open.
"""
ARABIC = """\
---
subject: الميناء
preheader: يفتح يوم الاثنين
---
صباح الخير يا {{ city | default("أهل المدينة") }}. الميناء مفتوح.
"""
PEOPLE = """\
email,first_name,city,language
anna@example.org,Anna,Porto,en-GB
bilal@example.org,Bilal,القاهرة,ar-EG
carla@example.org,Carla,Porto,ca
dora@example.org,Dora,Oslo,no
emil@example.org,,,
"""


@dataclass(frozen=True)
class Desk:
    workspace: Path
    inbox: Inbox
    site: str

    @property
    def issue(self) -> Path:
        return self.workspace / "data/issues/harbour"

    def run(self, *words: str) -> dict[str, object]:
        answer = done(self.workspace, *words)
        assert isinstance(answer, dict)
        return answer

    def plan(self) -> dict[str, object]:
        return self.run("campaigns", "plan", str(self.issue), "--list", "coast")

    @contextmanager
    def reader(self) -> Iterator[httpx2.Client]:
        """A browser, while the site runs."""
        port = int(self.site.rpartition(":")[2])
        with open_mailer(self.workspace) as opened, serving(opened, port=port):
            yield httpx2.Client()


@pytest.fixture(params=["sqlite", "postgresql"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    settings: dict[str, object] = {}
    name = f"variants_{abs(hash(str(tmp_path)))}"
    if request.param == "postgresql":
        server: Server = request.getfixturevalue("postgresql")
        settings["database_url"] = server.make(name, TEMPLATE)
    with Inbox() as inbox:
        site = f"http://127.0.0.1:{DemoInbox.free_port()}"
        workspace = make_workspace(
            tmp_path / "news", smtp_port=inbox.port, site_url=site, **settings
        )
        found = Desk(workspace, inbox, site)
        found.issue.mkdir(parents=True)
        (found.issue / "issue.md").write_text(ENGLISH, "utf-8")
        (found.issue / "issue.ar.md").write_text(ARABIC, "utf-8")
        (workspace / "people.csv").write_text(PEOPLE, "utf-8")
        people = str(workspace / "people.csv")
        found.run("import", people, "--list", "coast", "--create-list", "--keep-columns")
        yield found
    if request.param == "postgresql":
        server.drop(name)


def mails(inbox: Inbox) -> dict[str, EmailMessage]:
    return {
        each.recipients[0]: email.message_from_bytes(each.data, policy=email.policy.default)
        for each in inbox.messages
    }


def plain(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def test_an_arabic_and_an_english_reader_each_get_theirs_from_one_campaign(desk: Desk) -> None:
    planned = desk.plan()
    sent = desk.run("campaigns", "send", str(planned["slug"]), "--yes")

    assert (planned["variants"], planned["audience"]) == (2, 5)
    assert planned["languages"] == {"en": 4, "ar": 1}
    assert (sent["state"], sent["accepted"]) == ("finished", 5)
    told = [(v["language"], v["audience"], v["accepted"], v["subject"]) for v in sent["variants"]]  # type: ignore[attr-defined]  # a list of objects
    assert told == [
        ("en", 4, 4, 'The harbour for {{ first_name | default("you") }}'),
        ("ar", 1, 1, "الميناء"),
    ]
    got = mails(desk.inbox)
    assert {name: mail["Subject"] for name, mail in got.items()} == {
        "anna@example.org": "The harbour for Anna",
        "bilal@example.org": "الميناء",
        "carla@example.org": "The harbour for Carla",
        "dora@example.org": "The harbour for Dora",
        "emil@example.org": "The harbour for you",
    }
    assert "صباح الخير يا القاهرة" in plain(got["bilal@example.org"])
    assert "Good morning, reader." in plain(got["emil@example.org"])
    html = got["bilal@example.org"].get_body(("html",))
    assert html is not None
    assert 'dir="rtl"' in html.get_content()[:200]

    web = str(sent["web_url"])
    assert f"{web}/ar" in plain(got["bilal@example.org"])
    assert f"{web}/en" in plain(got["anna@example.org"])
    with desk.reader() as reader:
        pages = {end: reader.get(web + end) for end in ("", "/en", "/ar", "/AR", "/fr")}
    assert [page.status_code for page in pages.values()] == [200, 200, 200, 200, 404]
    assert pages[""].text == pages["/en"].text != pages["/ar"].text == pages["/AR"].text
    assert pages["/ar"].headers["content-language"] == "ar"
    assert f'href="{web}/ar"' in pages["/en"].text
    assert f'href="{web}/en"' in pages["/ar"].text


def test_a_variant_may_also_be_for_other_languages(desk: Desk) -> None:
    also = ENGLISH.replace("contact:", "also_for: ar\ncontact:")
    (desk.issue / "issue.md").write_text(also, "utf-8")
    (desk.issue / "issue.ar.md").unlink()
    french = ENGLISH.replace("contact:", "lang: fr\nalso_for: ca no\ncontact:")
    (desk.issue / "issue.fr.md").write_text(french, "utf-8")

    assert desk.plan()["languages"] == {"en": 3, "fr": 2}


def test_a_value_is_only_missed_by_those_whose_language_reads_it(desk: Desk) -> None:
    (desk.issue / "issue.ar.md").write_text(
        ARABIC.replace("{{ city | default(", "{{ city | default_web("), "utf-8"
    )
    assert desk.plan()["variants"] == 2  # emil has no city, and gets English
    (desk.issue / "issue.md").write_text(
        ENGLISH.replace("first_name | default(", "first_name | default_web("), "utf-8"
    )

    refused = mailer(
        desk.workspace, "campaigns", "plan", str(desk.issue), "--list", "coast", "--again"
    )

    assert refused.status == 3
    assert "issue.md:2" in refused.err
    assert "(e…@e….org)" in refused.err  # emil; bilal has no use for the English text


def test_a_change_in_any_language_stops_the_send(desk: Desk) -> None:
    planned = desk.plan()
    (desk.issue / "issue.ar.md").write_text(ARABIC.replace("مفتوح", "مغلق"), "utf-8")
    (desk.issue / "issue.fr.md").write_text(ENGLISH.replace("---\nGood", "---\nBon"), "utf-8")
    refused = mailer(desk.workspace, "campaigns", "send", str(planned["slug"]), "--yes")

    assert refused.status == 3
    assert "issue.ar.md: -صباح" in refused.err
    assert "issue.ar.md: +صباح" in refused.err
    assert "issue.fr.md: +subject" in refused.err
    assert desk.inbox.messages == []
    sent = desk.run("campaigns", "send", str(planned["slug"]), "--yes", "--frozen")
    assert sent["accepted"] == 5


def test_check_names_the_file_and_two_files_in_one_language_are_refused(desk: Desk) -> None:
    (desk.issue / "issue.ar.md").write_text(ARABIC + "\n::: nonsense\n:::\n", "utf-8")
    found = mailer(desk.workspace, "--json", "issues", "check", str(desk.issue))
    only = mailer(desk.workspace, "--json", "issues", "check", str(desk.issue), "--lang", "en")
    there = [(Path(e["file"]).name, e["line"]) for e in found.document["errors"]]

    assert (found.status, there) == (1, [("issue.ar.md", 7)])
    assert (only.status, only.document["errors"]) == (0, [])
    assert mailer(desk.workspace, "issues", "check", str(desk.issue), "--lang", "fr").status == 4

    (desk.issue / "issue.ar.md").write_text(ARABIC, "utf-8")
    (desk.issue / "issue.en.md").write_text(ENGLISH, "utf-8")
    twins = mailer(desk.workspace, "--json", "issues", "check", str(desk.issue / "issue.ar.md"))
    assert [e["message"] for e in twins.document["errors"]] == [
        "issue.md is in the language `en` already. Give each file its own `lang`."
    ]


def test_render_and_test_show_every_language_or_one(desk: Desk) -> None:
    out = desk.workspace / "look"
    rendered = desk.run("issues", "render", str(desk.issue), "--out", str(out))
    assert [each["language"] for each in rendered["variants"]] == ["en", "ar"]  # type: ignore[attr-defined]  # a list of objects
    assert sorted(file.name for file in out.glob("*.*")) == [
        "email.ar.html",
        "email.ar.txt",
        "email.html",
        "email.txt",
        "message.ar.eml",
        "message.eml",
        "web.ar.html",
        "web.html",
    ]
    theirs = desk.workspace / "theirs"
    words = ("--out", str(theirs), "--as", "bilal@example.org")
    desk.run("issues", "render", str(desk.issue), *words)
    assert "صباح الخير يا القاهرة" in (theirs / "email.txt").read_text("utf-8")

    to = ("--to", "officer@example.org")
    both = done(desk.workspace, "issues", "test", str(desk.issue), *to)
    one = done(desk.workspace, "issues", "test", str(desk.issue), *to, "--lang", "ar")
    plan = str(desk.plan()["slug"])
    frozen = done(desk.workspace, "campaigns", "test", plan, *to)
    assert [c["language"] for c in (*both, *one, *frozen)] == ["en", "ar", "ar", "en", "ar"]
    found = [
        email.message_from_bytes(each.data, policy=email.policy.default)
        for each in desk.inbox.messages
    ]
    assert sorted({str(mail["Subject"]) for mail in found}) == [
        "[Test] The harbour for Anna",
        "[Test] The harbour for you",
        "[Test] الميناء",
    ]
    arabic = plain(found[1] if "الميناء" in found[1]["Subject"] else found[0])
    web = next(word for word in arabic.split() if word.startswith(f"{desk.site}/w/"))
    assert web.endswith("/ar")
    with desk.reader() as reader:
        assert reader.get(web).headers["content-language"] == "ar"
        assert reader.get(web.removesuffix("ar") + "en").headers["content-language"] == "en"
