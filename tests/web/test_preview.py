"""The preview's pages: on this machine alone, no script in the mail, every look, every view."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from starlette.testclient import TestClient

from mailer.usecases.preview_issue import IssuePreview
from mailer.web.preview import make_preview
from mailer.wiring import open_mailer
from mailer.wiring.files import shipped_examples
from tests.command_line import done, make_workspace
from tests.previewing import previewing

KEY = "k" * 22


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample edition in two languages, and the sample people."""
    made = make_workspace(
        tmp_path_factory.mktemp("preview") / "news", site_url="https://news.marren.example.org"
    )
    shutil.copytree(shipped_examples() / "issues/tide-table", made / "data/issues/tide")
    contacts = str(shipped_examples() / "contacts.csv")
    done(made, "import", contacts, "--list", "coast", "--create-list", "--map", "city=city")
    return made


@pytest.fixture(scope="module")
def browser(workspace: Path) -> Iterator[TestClient]:
    with open_mailer(workspace) as mailer:
        shown = IssuePreview(
            lambda: mailer.issue(workspace / "data/issues/tide"),
            list_name="coast",
            db=mailer.db,
            layouts=mailer.layout,
            brand=mailer.brand,
            keys=mailer.keys,
            clock=mailer.clock,
            sending=mailer.sending_policy,
        )
        app = make_preview(
            shown,
            name="tide",
            changes=lambda: mailer.changes(workspace / "data/issues/tide", every=1),
            key=KEY,
        )
        with TestClient(app, base_url=f"http://127.0.0.1:8026/{KEY}/") as client:
            yield client


@pytest.mark.parametrize("host", ["127.0.0.1:8026", "localhost:9000", "[::1]:8026", "LOCALHOST"])
def test_this_machine_is_answered(browser: TestClient, host: str) -> None:
    assert browser.get("", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8026", "", "10.0.0.1"],
)
def test_a_name_that_a_stranger_leads_here_is_refused(browser: TestClient, host: str) -> None:
    answer = browser.get("", headers={"Host": host})

    assert answer.status_code == 421
    assert "tide" not in answer.text.lower()


@pytest.mark.parametrize("path", ["/", f"/{KEY[:-1]}/", f"/{'j' * 22}/", f"/{KEY}/nothing", "/é/"])
def test_without_the_key_there_is_nothing(browser: TestClient, path: str) -> None:
    assert browser.get(f"http://127.0.0.1:8026{path}").status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_changed(browser: TestClient, method: str) -> None:
    assert browser.request(method, "").status_code == 405


def test_the_page_runs_our_own_script_alone_and_the_mail_none(browser: TestClient) -> None:
    page, mail = browser.get(""), browser.get("mail")
    script = browser.get("static/preview.js")

    assert "script-src 'self';" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    assert re.findall(r"<script\b[^>]*>|\son\w+=|\sstyle=", page.text) == [
        '<script src="static/preview.js" defer>'
    ]
    assert script.headers["content-type"].startswith("text/javascript")
    policy = mail.headers["content-security-policy"]
    assert "script-src" not in policy
    assert policy.startswith("default-src 'none';")
    assert "allow-scripts" not in policy + page.text
    assert page.headers["x-frame-options"] == "DENY"


def test_the_mail_is_seen_under_either_subject(browser: TestClient, workspace: Path) -> None:
    file = workspace / "data/issues/tide/issue.md"
    before = file.read_text("utf-8")
    file.write_text(before.replace("\nsubject:", "\nsubject_b: Or the boats\nsubject:", 1), "utf-8")
    try:
        first, second = browser.get("").text, browser.get("?subject=b").text
        sources = [browser.get(f"?view=source{word}").text for word in ("", "&subject=b")]
        messages = [browser.get(f"message.eml{word}").text for word in ("", "?subject=b")]
    finally:
        file.write_text(before, "utf-8")

    assert "Shown here is a" in first
    assert 'show b</a>: <strong dir="auto">Or the boats' in first
    assert "Shown here is b" in second
    assert ["Subject: Or the boats" in each for each in sources] == [False, True]
    assert ["Subject: Or the boats" in each for each in messages] == [False, True]
    assert browser.get("?subject=c").status_code == 404
    assert "Shown here" not in browser.get("").text


def test_pictures_come_from_the_preview_and_not_from_the_site(browser: TestClient) -> None:
    mail = browser.get("mail").text
    sources = set(re.findall(r'src="([^"]+)"', mail))
    pictures = {source: browser.get(source) for source in sources}

    assert len(sources) > 5
    assert {each.status_code for each in pictures.values()} == {200}
    assert all(each.headers["content-type"].startswith("image/") for each in pictures.values())
    assert browser.get(f"i/{'0' * 32}.png").status_code == 404


def test_looks_change_the_copy_that_is_shown(browser: TestClient) -> None:
    light, dark = browser.get("mail").text, browser.get("mail?colours=dark").text
    inverted, bare = browser.get("mail?colours=inverted").text, browser.get("mail?styles=off").text
    off = browser.get("mail?images=off").text

    assert "prefers-color-scheme" not in light + dark + inverted
    assert ("@media (max-width: 0)" in light, "@media (min-width: 0)" in dark) == (True, True)
    assert "filter:invert(1)" in inverted
    assert "<style" not in bare
    assert "img-src 'none'" in off
    assert "img-src 'none'" not in light


def test_a_view_for_everything(browser: TestClient) -> None:
    text = browser.get("?view=text&as=longest").text
    headers = browser.get("?view=headers").text
    source = browser.get("?view=source").text
    raw = browser.get("message.eml")
    arabic = browser.get("web?lang=ar").text

    assert "Maximiliane-Ægidia" in text
    assert "coast &lt;coast.news.marren.example.org&gt;" in headers
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in source
    assert raw.content.count(b"\r\n") > 100
    assert raw.headers["content-disposition"] == 'attachment; filename="message.eml"'
    assert 'dir="rtl"' in arabic[:300]
    assert [browser.get(f"?{query}").status_code for query in ("view=x", "colours=x")] == [404] * 2


def test_people_are_found_by_a_part_of_what_is_known(browser: TestClient) -> None:
    many = browser.get("?as=example.org").text
    hostile = browser.get("?as=%3Cscript%3Ealert(1)%3C/script%3E").text

    assert 1 < many.count('<li><a href="?as=') <= 20
    assert "Nobody on file has" in hostile
    assert "<script>alert" not in hostile


def test_a_save_reloads_the_page_and_a_mistake_is_shown_until_it_is_corrected(
    workspace: Path,
) -> None:
    folder = workspace / "data/issues/written"
    shutil.copytree(shipped_examples() / "issues/tide-table", folder)
    good = (folder / "issue.md").read_text("utf-8")
    with (
        previewing(workspace, str(folder), "--list", "coast") as address,
        httpx2.Client(base_url=address, timeout=20) as client,
        client.stream("GET", "events") as events,
    ):
        lines = events.iter_lines()
        before = client.get("").text
        assert next(line for line in lines if line) == "retry: 1000"
        (folder / "issue.md").write_text(good.replace("::: promo", "::: promos"), "utf-8")
        assert next(line for line in lines if line.startswith("event")) == "event: saved"
        broken = client.get("")
        mail = client.get("mail")
        (folder / "issue.md").write_text(good.replace("three weeks", "Zanzibar"), "utf-8")
        assert next(line for line in lines if line.startswith("event")) == "event: saved"
        after = client.get("").text
        text = client.get("?view=text").text

    assert "Nothing is wrong with it" in before
    assert broken.status_code == 200
    assert re.search(r"issue\.md:\d+</code> .*promos", broken.text)
    assert mail.status_code == 404
    assert "Nothing is wrong with it" in after
    assert "Zanzibar" in text
