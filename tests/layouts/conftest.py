"""What the tests of the shipped layouts share: the layout, the editions, and a way to compose."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree

from mailer.adapters.folders import open_folder
from mailer.compose.compose import Composed, compose_issue
from mailer.compose.inline import parse
from mailer.compose.layout import Layout, load_layout
from mailer.compose.reading import Brand

ROOT = Path(__file__).parent.parent.parent
NEWSROOM = ROOT / "layouts" / "newsroom"
TIDE_TABLE = ROOT / "data" / "examples" / "issues" / "tide-table"
PICTURES = "https://news.example.org/i/"
BRAND = Brand(
    organisation="Marren Coast Network",
    postal_address="4 Lamp Quay, Port Elsin",
    site_url="https://news.example.org",
    sender="The Tide Table <news@marren.example.org>",
    reply_to="editor@marren.example.org",
)
# Every edition that is shipped: the folder, and the file in it.
EDITIONS = {
    "english": (TIDE_TABLE, "issue.md"),
    "arabic": (TIDE_TABLE, "issue.ar.md"),
    "starter": (NEWSROOM / "starter", "issue.md"),
}


@pytest.fixture(scope="session")
def newsroom() -> Layout:
    return load_layout(open_folder(NEWSROOM), name="newsroom")


@pytest.fixture(scope="session")
def compose(newsroom: Layout) -> Callable[..., Composed]:
    """Composes a text with newsroom, as if it lay in a folder; ``picture`` stands for any file."""

    def run(text: str, *, folder: Path = TIDE_TABLE, picture: str | None = None) -> Composed:
        files = open_folder(folder)
        return compose_issue(
            text,
            where="issue.md",
            read_picture=lambda name: files.data(picture or name),
            layout=newsroom,
            picture_url=lambda name: PICTURES + name,
            brand=BRAND,
        )

    return run


def edition_text(name: str) -> str:
    folder, file = EDITIONS[name]
    return (folder / file).read_text(encoding="utf-8").replace("{today}", "2026-11-24")


@pytest.fixture(scope="session")
def editions(compose: Callable[..., Composed]) -> dict[str, Composed]:
    return {name: compose(edition_text(name), folder=EDITIONS[name][0]) for name in EDITIONS}


@pytest.fixture(params=sorted(EDITIONS))
def edition(request: pytest.FixtureRequest, editions: dict[str, Composed]) -> Composed:
    """Each shipped edition in turn."""
    return editions[request.param]


@pytest.fixture
def page(edition: Composed) -> etree._Element:
    """The edition's HTML as a tree."""
    return parse(edition.rendition.html)
