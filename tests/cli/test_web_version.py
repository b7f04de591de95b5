"""The web version is the mail as it was planned, and stays so; officers say what the site shows."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from lxml import etree, html
from starlette.testclient import TestClient

from mailer.adapters.inbox import Inbox
from mailer.adapters.officer import login_name
from mailer.web.site import make_site
from mailer.wiring import open_mailer
from mailer.wiring.files import shipped_examples
from tests.command_line import done, mailer, make_workspace

SITE = "http://127.0.0.1:8025"
ISSUE = """\
---
subject: 'Boats for {{ first_name | default("everybody") }} & "all" <of> us'
preheader: 'Ferries, {{ city | default("wherever you are") }}'
%s---
Dear {{ first_name | default("reader") }}, the ferry sails on Monday
from {{ city | default("here") }}.

::: figure
picture: boats.png
alt: Boats
:::
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    made = make_workspace(tmp_path / "w")
    (made / "c.csv").write_text("email,first_name,city\nanna@example.org,Anna,Bern\n", "utf-8")
    people = str(made / "c.csv")
    done(made, "import", people, "--list", "coast", "--create-list", "--keep-columns")
    return made


def write(workspace: Path, name: str = "boats", front: str = "") -> str:
    folder = workspace / "data/issues" / name
    folder.mkdir(parents=True)
    (folder / "issue.md").write_text(ISSUE % front, "utf-8")
    picture = next((shipped_examples() / "issues/tide-table").glob("*.png"), None) or next(
        (shipped_examples() / "issues/tide-table").glob("*.jpg")
    )
    if picture.suffix == ".jpg":
        text = (folder / "issue.md").read_text("utf-8").replace("boats.png", "boats.jpg")
        (folder / "issue.md").write_text(text, "utf-8")
    shutil.copy(picture, folder / f"boats{picture.suffix}")
    return str(folder)


def sent(workspace: Path, issue: str, *words: str) -> Any:
    planned = done(workspace, "campaigns", "plan", issue, "--list", "coast", *words)
    with Inbox() as inbox:
        env = workspace / ".env"
        before = env.read_text("utf-8")
        env.write_text(f"{before}MAILER_SMTP_PORT={inbox.port}\n", "utf-8")
        done(workspace, "campaigns", "send", planned["slug"], "--yes")
        env.write_text(before, "utf-8")
    return planned


def shown(workspace: Path, path: str) -> tuple[int, str]:
    with open_mailer(workspace) as opened, TestClient(make_site(opened), base_url=SITE) as client:
        answer = client.get(path)
        return answer.status_code, answer.text


def key_of(workspace: Path, slug: str = "boats") -> str:
    address = str(done(workspace, "campaigns", "show", slug)["web_url"])
    return address.removeprefix(SITE)


def body(page: str) -> str:
    """What is seen, without what only mail programs or one reader are meant to see."""
    root = html.document_fromstring(page)
    for comment in list(root.iter(etree.Comment)):
        comment.drop_tree()
    for element in root.xpath("//*[contains(@class, 'mail-only')]"):
        row = element.getparent()
        element.drop_tree()
        if row.tag == "tr" and len(row) == 0:
            row.drop_tree()
    for element in root.xpath("//*[@role='article' or @role='main']"):
        for name in ("role", "aria-roledescription"):
            element.attrib.pop(name, None)
    (seen,) = root.xpath("body")
    return " ".join(etree.tostring(seen, encoding="utf-8").decode().split())


def test_it_is_the_mail_but_for_what_is_one_readers(workspace: Path, tmp_path: Path) -> None:
    issue = write(workspace)
    done(workspace, "issues", "render", issue, "--out", str(tmp_path / "out"))
    mail, web = (
        (tmp_path / "out" / name).read_text("utf-8") for name in ("email.html", "web.html")
    )

    assert body(mail) == body(web)
    assert "Dear reader, the ferry sails on Monday from here." in web
    assert "unsubscribe" in mail.lower()
    for word in ("unsubscribe", "[if mso", "<!--", "/u/", "/p/", "/x/", "<script", "mso-"):
        assert word not in re.sub(r"style=\"[^\"]*\"|<style.*?</style>", "", web, flags=re.DOTALL)
    assert all(int(each) > 1 for each in re.findall(r'<img[^>]*width="(\d+)"', web))


def test_a_link_to_it_shows_subject_preheader_and_first_picture(workspace: Path) -> None:
    sent(workspace, write(workspace))
    status, page = shown(workspace, key_of(workspace))
    (head,) = html.document_fromstring(page).xpath("head")
    told = {
        each.get("property") or each.get("name"): each.get("content") for each in head.iter("meta")
    }
    picture = re.findall(rf'src="({SITE}/i/[0-9a-f]{{32}}\.\w+)"', page)[0]

    assert status == 200
    assert told["og:title"] == "Boats for everybody & “all” <of> us"
    assert told["og:description"] == told["description"] == "Ferries, wherever you are"
    assert told["og:image"] == picture
    assert told["og:image:alt"] == "Boats"
    assert told["og:url"] == f"{SITE}/archive/coast/boats"
    assert told["og:type"] == "article"
    assert told["og:locale"] == "en"
    assert told["twitter:card"] == "summary_large_image"
    assert head.xpath("link[@rel='canonical']/@href") == [f"{SITE}/archive/coast/boats"]
    assert "@media print" in page
    assert "Anna" not in page
    assert "Bern" not in page


def test_nothing_that_is_changed_later_changes_it(workspace: Path) -> None:
    sent(workspace, write(workspace))
    path = key_of(workspace)
    before = shown(workspace, path)
    archived = shown(workspace, "/archive/coast")
    done(workspace, "subscribers", "edit", "anna@example.org", "--field", "first_name=Zoe")
    shutil.rmtree(workspace / "data/issues/boats")
    write(workspace)
    text = workspace / "data/issues/boats/issue.md"
    text.write_text(text.read_text("utf-8").replace("ferry", "balloon"), "utf-8")
    done(workspace, "layouts", "new", "house")
    (workspace / "layouts").joinpath("house").rename(workspace / "layouts/newsroom")
    with (workspace / ".env").open("a", encoding="utf-8") as file:
        file.write("MAILER_ORGANISATION=Somebody else\nMAILER_POSTAL_ADDRESS=Elsewhere\n")
    assert shown(workspace, "/archive/coast") != archived  # the change is one that pages show

    assert shown(workspace, path) == before
    assert "ferry" in before[1]


def test_an_issue_says_itself_that_it_is_for_no_archive(workspace: Path) -> None:
    sent(workspace, write(workspace, front="archive: no\n"))
    sent(workspace, write(workspace, "other"), "--no-archive")
    sent(workspace, write(workspace, "third"))

    assert "/archive/coast/third" in shown(workspace, "/archive/coast")[1]
    for slug in ("boats", "other"):
        assert f"/archive/coast/{slug}" not in shown(workspace, "/archive/coast")[1]
        assert shown(workspace, key_of(workspace, slug))[0] == 200
    done(workspace, "campaigns", "archive", "other", "--show")
    done(workspace, "campaigns", "archive", "third", "--hide")
    page = shown(workspace, "/archive/coast")[1]
    assert ("/archive/coast/other" in page, "/archive/coast/third" in page) == (True, False)


def test_a_wrong_word_for_the_archive_is_told(workspace: Path) -> None:
    issue = write(workspace, front="archive: nein\n")
    refused = mailer(workspace, "campaigns", "plan", issue, "--list", "coast")

    assert refused.status == 3
    assert "`archive` can't be `nein`" in refused.err


def test_a_campaign_is_withdrawn_and_restored_by_somebody_and_can_t_be_sent_meanwhile(
    workspace: Path,
) -> None:
    sent(workspace, write(workspace))
    path = key_of(workspace)
    given = ("--reason", "A name\nwas wrong", "--by", "Ruth")
    asked = mailer(workspace, "campaigns", "withdraw", "boats", *given)
    assert asked.status == 3
    assert shown(workspace, path)[0] == 200
    withdrawn = done(workspace, "campaigns", "withdraw", "boats", *given, "--yes")

    assert withdrawn["withdrawn_at"]
    assert shown(workspace, path)[0] == 410
    report = done(workspace, "campaigns", "show", "boats")
    assert report["withdrawn"] == "A name was wrong"
    assert "Withdrawn: A name was wrong" in mailer(workspace, "campaigns", "show", "boats").out
    resent = mailer(workspace, "campaigns", "retry", "boats")
    resent = mailer(workspace, "campaigns", "send", "boats", "--yes")
    assert resent.status == 3

    restored = done(workspace, "campaigns", "restore", "boats", "--by", "Noor")
    assert restored["withdrawn_at"] is None
    assert shown(workspace, path)[0] == 200
    assert mailer(workspace, "campaigns", "restore", "boats").status == 3
    with open_mailer(workspace) as opened, opened.db.read() as connection:
        events = connection.exec_driver_sql(
            "SELECT kind, actor, detail FROM event WHERE kind IN ('withdrawn', 'restored')"
            " ORDER BY id"
        ).all()
    assert [tuple(each) for each in events] == [
        ("withdrawn", f"operator {login_name()}", "by Ruth: A name was wrong"),
        ("restored", f"operator {login_name()}", "by Noor"),
    ]


def test_a_planned_campaign_that_is_withdrawn_is_not_sent(workspace: Path) -> None:
    planned = done(workspace, "campaigns", "plan", write(workspace), "--list", "coast")
    words = ("--reason", "Too early", "--yes")
    done(workspace, "campaigns", "withdraw", planned["slug"], *words)
    refused = mailer(workspace, "campaigns", "send", planned["slug"], "--yes")

    assert refused.status == 3
    assert "is withdrawn" in refused.err
    assert "mailer campaigns restore boats" in refused.err


def test_the_site_is_written_as_files(workspace: Path, tmp_path: Path) -> None:
    sent(workspace, write(workspace))
    out = tmp_path / "out"
    told = done(workspace, "site", "build", str(out), "--base-url", "https://x.example/y/")

    assert told["files"] == len(told["new"]) == 17
    assert {"archive/coast/feed.xml", "archive/coast/feed.json"} <= set(told["new"])
    assert "feed.en." not in " ".join(told["new"])  # the list is in English alone
    assert "archive/coast/boats/index.html" in told["new"]
    page = (out / "archive/coast/boats/index.html").read_text("utf-8")
    assert "Dear reader, the ferry sails" in page
    assert SITE not in page
    assert "https://x.example/y/archive/coast/boats/" in page
    picture = re.findall(r'src="([^"]+)"', page)[0]
    assert (out / "archive/coast/boats" / picture).is_file()
    again = mailer(workspace, "site", "build", str(out), "--base-url", "https://x.example/y")
    assert "0 new, 0 changed, 0 removed, 17 as they were" in again.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--base-url", "javascript:alert(1)"), "is no address of a site"),
        (("--base-url", "https://x.example/\"onload='"), "is no address of a site"),
    ],
)
def test_a_wrong_address_is_refused(
    workspace: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    refused = mailer(workspace, "site", "build", str(tmp_path / "out"), *words)

    assert refused.status == 3
    assert said in refused.err
    assert not (tmp_path / "out").exists()


def test_the_workspace_is_not_written_over(workspace: Path) -> None:
    refused = mailer(workspace, "site", "build", str(workspace))

    assert refused.status == 3
    assert "holds the workspace" in refused.err
    assert (workspace / ".env").is_file()


def test_a_correction_stands_dated_above_the_page_and_what_was_sent_can_be_read(
    workspace: Path, tmp_path: Path
) -> None:
    issue = write(workspace)
    sent(workspace, issue)
    path = key_of(workspace)
    before = shown(workspace, path)[1]
    note = 'It is <b>Tuesday</b> & "not" Monday'
    done(workspace, "campaigns", "correct", "boats", "--note", note, "--by", "Ruth")
    page = shown(workspace, path)[1]
    escaped = "It is &lt;b&gt;Tuesday&lt;/b&gt; &amp; &#34;not&#34; Monday"
    assert escaped in page
    assert re.search(r'<time datetime="20\d\d-[^"]+">\d+ \w+ 20\d\d</time>', page)
    assert "Monday\nfrom here" in page or "Monday from here" in page
    assert "as=sent" not in page  # nothing else was shown before

    text = Path(issue, "issue.md")
    text.write_text(text.read_text("utf-8").replace("Monday", "Tuesday"), "utf-8")
    words = ("--note", "The day was wrong", "--from", issue)
    told = done(workspace, "campaigns", "correct", "boats", *words)
    assert told["languages"] == ["en"]
    for address in (path, "/archive/coast/boats"):
        page = shown(workspace, address)[1]
        assert "sails on Tuesday" in page
        assert page.index("The day was wrong") < page.index(escaped)
        assert f'href="{address}?as=sent"' in page
        original = shown(workspace, f"{address}?as=sent")[1]
        assert "sails on Monday" in original
        assert "This is what was sent" in original
        assert 'content="noindex"' in original
    body_of = re.compile(r"<body.*?>(?:<aside.*?</aside>)?(.*)</body>", re.DOTALL)
    kept, was = body_of.search(shown(workspace, f"{path}?as=sent")[1]), body_of.search(before)
    assert kept is not None
    assert was is not None
    assert kept[1] == was[1]
    feed = shown(workspace, "/archive/coast/feed.json")[1]
    assert feed.count('"date_modified"') == 1
    done(workspace, "site", "build", str(tmp_path / "out"))
    files = tmp_path / "out/archive/coast/boats"
    assert "sails on Tuesday" in (files / "index.html").read_text("utf-8")
    assert 'href="as-sent/"' in (files / "index.html").read_text("utf-8")
    assert "sails on Monday" in (files / "as-sent/index.html").read_text("utf-8")


def test_a_correction_in_a_language_that_was_not_sent_is_refused(workspace: Path) -> None:
    sent(workspace, write(workspace))
    other = write(workspace, "other", "lang: de\n")
    words = ("--note", "Deutsch", "--from", other)
    refused = mailer(workspace, "campaigns", "correct", "boats", *words)
    empty = mailer(workspace, "campaigns", "correct", "boats", "--note", " ")

    assert (refused.status, empty.status) == (3, 3)
    assert "was not sent in de" in refused.err
    assert "needs its note" in empty.err
    assert "mailer-note" not in shown(workspace, key_of(workspace))[1]
