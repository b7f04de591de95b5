"""Before the first mail, readers' links are shown to lead to this very site."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailer.adapters.web_fetcher import WebFetcher
from mailer.errors import InputError
from mailer.ports import Fetched
from mailer.usecases.check_site import check_site
from mailer.web.server import serving
from mailer.wiring import Mailer, open_mailer
from mailer.wiring.demo import DemoInbox
from mailer.wiring.files import shipped_examples
from tests.command_line import done, mailer, make_workspace


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with one planned campaign."""
    site = f"http://127.0.0.1:{DemoInbox.free_port()}"
    workspace = make_workspace(tmp_path_factory.mktemp("site") / "news", site_url=site)
    examples = shipped_examples()
    shutil.copytree(examples / "issues/tide-table", workspace / "data/issues/tide-table")
    words = ("--list", "coast", "--create-list", "--keep-columns")
    done(workspace, "import", str(examples / "contacts.csv"), *words)
    done(
        workspace,
        "campaigns",
        "plan",
        str(workspace / "data/issues/tide-table"),
        "--list",
        "coast",
    )
    return workspace


@pytest.fixture
def opened(planned: Path) -> Iterator[Mailer]:
    with open_mailer(planned) as found:
        yield found


def _check(opened: Mailer, fetcher: object = None) -> None:
    check_site(
        "tide-table",
        db=opened.db,
        keys=opened.keys,
        clock=opened.clock,
        fetcher=fetcher or WebFetcher(),  # type: ignore[arg-type]  # a fake of the port
    )


def test_a_site_that_answers_is_ready(opened: Mailer) -> None:
    port = int(opened.settings.site_url.rpartition(":")[2])
    with serving(opened, port=port):
        _check(opened)


def test_a_site_that_is_down_is_told_by_page_and_without_tokens(opened: Mailer) -> None:
    with pytest.raises(InputError) as caught:
        _check(opened)

    said = str(caught.value)
    for what in ("The web version", "A picture", "The probe", "no answer", "--no-site-check"):
        assert what in said
    assert "/probe/…" in said


class OtherDatabase:
    """A site that shows everything as ours does, but belongs to another database."""

    def get(self, url: str) -> Fetched:
        real = WebFetcher().get(url)
        return Fetched(200, b"f" * 32, "") if "/probe/" in url else real


def test_the_site_of_another_database_is_found_out(opened: Mailer) -> None:
    port = int(opened.settings.site_url.rpartition(":")[2])
    with (
        serving(opened, port=port),
        pytest.raises(InputError, match=r"The probe at .*something else"),
    ):
        _check(opened, OtherDatabase())


def test_an_unsigned_probe_hears_nothing(opened: Mailer) -> None:
    port = int(opened.settings.site_url.rpartition(":")[2])
    with serving(opened, port=port) as address:
        answer = WebFetcher().get(f"{address}/probe/xyz")

    assert answer.status == 404


def test_an_issue_that_changed_since_the_plan_is_not_sent_unasked(
    planned: Path, tmp_path: Path
) -> None:
    workspace = Path(shutil.copytree(planned, tmp_path / "news"))
    issue = workspace / "data/issues/tide-table/issue.md"
    # The plan remembers where the folder was: move it along.
    assert mailer(workspace, "campaigns", "plan", str(issue), "--list", "coast").status == 0
    issue.write_text(issue.read_text("utf-8").replace("two metres higher", "higher"), "utf-8")
    (issue.parent / "net.jpg").write_bytes((issue.parent / "hills.jpg").read_bytes())

    result = mailer(workspace, "campaigns", "send", "tide-table-2", "--yes")

    assert result.status == 3
    assert "issue.md: -subject: Low Tavren goes home, two metres higher" in result.err
    assert "issue.md: +subject: Low Tavren goes home, higher" in result.err
    assert "net.jpg has changed" in result.err
    assert "--frozen" in result.err
    frozen = mailer(workspace, "campaigns", "send", "tide-table-2", "--yes", "--frozen")
    assert frozen.status == 75  # past that check: no mail server is there
