"""A weekly habit: the last edition's frame is carried over, and a reviewer reads the changes."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.adapters.folders import open_folder
from mailer.compose.comparing import compare_texts, marked
from mailer.compose.frame import carry_over, next_date
from mailer.compose.layout import Layout, load_layout
from mailer.wiring.files import shipped_examples
from tests.command_line import done, mailer, make_workspace

LAYOUTS = shipped_examples().parents[1] / "layouts"
HEAD = "---\nsubject: Boats are back\npreheader: A quay again\ncontact: desk@example.org\n---\n"


BLOCKS = load_layout(open_folder(LAYOUTS / "newsroom"), name="newsroom", whole=False).blocks


@pytest.fixture(scope="module")
def newsroom() -> Layout:
    return load_layout(open_folder(LAYOUTS / "newsroom"), name="newsroom")


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    made = make_workspace(tmp_path / "news", site_url="https://news.marren.example.org")
    shutil.copytree(shipped_examples() / "issues/tide-table", made / "data/issues/week-1")
    contacts = str(shipped_examples() / "contacts.csv")
    done(made, "import", contacts, "--list", "coast", "--create-list", "--map", "city=city")
    return made


def checked(workspace: Path, name: str) -> Any:
    answer = mailer(workspace, "--json", "issues", "check", str(workspace / "data/issues" / name))
    return answer.document


def test_the_next_edition_has_the_frame_of_the_last_and_none_of_its_news(workspace: Path) -> None:
    folder = workspace / "data/issues/week-2"
    (workspace / "data/issues/week-1/issue.md").write_text(
        (workspace / "data/issues/week-1/issue.md").read_text("utf-8")
        + "\n::: sponsor picture=ferry.jpg url=https://example.org/fund\nalt: The Harbour Fund\n\n"
        + "The fund pays for the boats.\n:::\n\n::: event title=Opening start=2026-11-28\n:::\n",
        "utf-8",
    )
    done(workspace, "issues", "new", "week-2", "--from", "week-1")
    found = checked(workspace, "week-2")
    text = (folder / "issue.md").read_text("utf-8")
    arabic = (folder / "issue.ar.md").read_text("utf-8")

    assert found["errors"] == []
    assert {each["rule"] for each in found["warnings"]} == {"hint-left"}
    assert text.count("\n::: story") == 4
    assert "style: lead" in text
    assert "share: facebook x linkedin mail" in text
    assert "::: digest\ntitle: The coast in the news\n" in text
    assert "**Amara Dzeyn**, Port Elsin (English, French)\\\n" in text
    assert "The fund pays for the boats." in text
    assert 'Good morning, {{ first_name | default("reader") }}.' in text
    assert "\n::: " in arabic
    for news in ("two metres", "Nine apprentices", "Where the Water Goes", "city ==", "[^"):
        assert news not in text
    files = {file.name for file in folder.iterdir()}
    assert files == {"issue.md", "issue.ar.md", "placeholder.jpg", "ferry.jpg"}
    # Whole weeks later, today or after it, and the event as many.
    before = date.fromisoformat("2026-11-24")
    day = date.fromisoformat(text.split("\ndate: ")[1][:10])
    assert (day > before, (day - before).days % 7) == (True, 0)
    assert f"start: {date(2026, 11, 28) + (day - before)}" in text


def test_an_edition_that_passes_the_check_can_be_carried_on_again(workspace: Path) -> None:
    for name, previous in (("week-2", "week-1"), ("week-3", "week-2")):
        done(workspace, "issues", "new", name, "--from", previous)
    for layout in ("letter", "announcement"):
        done(workspace, "issues", "new", layout, "--layout", layout)
        done(workspace, "issues", "new", f"{layout}-2", "--from", layout)

    for name in ("week-3", "letter-2", "announcement-2"):
        assert checked(workspace, name)["errors"] == []


def test_every_block_can_be_carried_over(workspace: Path, newsroom: Layout) -> None:
    """The examples of all blocks of newsroom in one edition, which still passes afterwards."""
    outer = [kind for kind in newsroom.blocks.values() if not kind.inside]
    folder = workspace / "data/issues/all"
    folder.mkdir()
    for file in ("net", "harbour", "ferry", "cover"):
        shutil.copy(shipped_examples() / "issues/tide-table/net.jpg", folder / f"{file}.jpg")
    text = HEAD + "\n".join(kind.example for kind in outer)
    (folder / "issue.md").write_text(text, "utf-8")
    done(workspace, "issues", "new", "all-2", "--from", "all")
    found = checked(workspace, "all-2")
    carried = (workspace / "data/issues/all-2/issue.md").read_text("utf-8")

    assert found["errors"] == []
    for kind in outer:
        if kind.name != "text":
            assert f":: {kind.name}" in carried, kind.name


def test_what_can_not_be_carried_over_is_said(workspace: Path) -> None:
    file = workspace / "data/issues/week-1/issue.md"
    file.write_text(HEAD + "::: stori\n:::\n", "utf-8")
    unknown = mailer(workspace, "issues", "new", "week-2", "--from", "week-1")
    both = mailer(workspace, "issues", "new", "week-2", "--from", "week-1", "--layout", "letter")
    twice = mailer(workspace, "issues", "new", "week-1", "--from", "week-1")
    nobody = mailer(workspace, "issues", "new", "week-2", "--from", "week-0")

    assert (unknown.status, "issue.md:6: The layout has no block `stori`" in unknown.err) == (
        3,
        True,
    )
    assert (both.status, twice.status, nobody.status) == (2, 3, 3)
    assert not (workspace / "data/issues/week-2").exists()


@pytest.mark.parametrize(
    ("previous", "today", "expected"),
    [
        (None, "2026-11-24", "2026-11-24"),
        ("2026-11-24", "2026-11-24", "2026-12-01"),
        ("2026-11-24", "2026-11-20", "2026-12-01"),
        ("2026-11-24", "2026-12-01", "2026-12-01"),
        ("2026-11-24", "2026-12-02", "2026-12-08"),
    ],
)
def test_the_date_moves_by_whole_weeks(previous: str | None, today: str, expected: str) -> None:
    before = date.fromisoformat(previous) if previous else None

    assert next_date(before, date.fromisoformat(today)).isoformat() == expected


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=80))
def test_any_line_of_an_author_is_emptied(line: str) -> None:
    news = f"zebra {line.replace(':', ' ')} zebra"
    text = f"{HEAD}::: story\nheadline: {news}\n\n{news}\n:::\n"
    day = date(2026, 12, 1)

    assert "zebra" not in carry_over(text, "issue.md", BLOCKS, day=day, moved=timedelta(7)).text


# ---- issues diff


def test_a_reviewer_reads_what_changed_in_words(workspace: Path) -> None:
    old, new = (workspace / "data/issues" / name for name in ("week-1", "edited"))
    shutil.copytree(old, new)
    text = (new / "issue.md").read_text("utf-8")
    text = text.replace("goes home, two metres", "came home, three metres", 1)
    text = text.replace("cut from their footings", "cut from their piles")
    text = text.replace("style=compact picture=school-boat.jpg", "style=left picture=net.jpg")
    start, end = text.index("::: promo"), text.index("::: story style=left")
    promo, text = text[start:end], text[:start] + text[end:]
    alert = '::: alert title="New"\nThe quay is closed.\n:::\n\n'
    text = text.replace("::: contacts", promo + alert + "::: contacts")
    (new / "issue.md").write_text(text, "utf-8")
    (new / "issue.ar.md").unlink()
    (new / "hills.jpg").write_bytes((new / "ferry.jpg").read_bytes())
    told = mailer(workspace, "issues", "diff", "week-1", "edited").out
    found = done(workspace, "issues", "diff", "week-1", "edited")
    same = mailer(workspace, "issues", "diff", "week-1", "week-1")

    assert "Low Tavren [-goes-]{+came+} home, [-two-]{+three+} metres higher" in told
    assert "cut from their [-footings-]{+piles+}" in told
    changes = [
        (each["how"], each["what"].partition(" ")[0], each["field"])
        for each in found["files"][0]["changes"]
    ]
    assert changes == [
        ("changed", "subject", ""),
        ("changed", "story", "text"),
        ("changed", "story", "style"),
        ("changed", "story", "picture"),
        ("moved", "promo", ""),
        ("added", "alert", ""),
    ]
    files = {each["file"]: each["how"] for each in found["files"]}
    assert files == {"issue.md": "changed", "issue.ar.md": "removed", "hills.jpg": "changed"}
    assert (same.status, same.out) == (0, "Nothing has changed.\n")


COUNT = ("one", "two", "three", "four", "five", "six")
WORDS = st.lists(st.sampled_from(COUNT), max_size=30).map(" ".join)


@given(WORDS, WORDS)
def test_marks_tell_every_word_that_came_or_went(before: str, after: str) -> None:
    shown = marked(before, after)
    came = " ".join(piece.split("+}")[0] for piece in shown.split("{+")[1:])
    went = " ".join(piece.split("-]")[0] for piece in shown.split("[-")[1:])

    assert set(after.split()) - set(before.split()) <= set(came.split())
    assert set(before.split()) - set(after.split()) <= set(went.split())
    assert ("{+" in shown or "[-" in shown) == (before.split() != after.split())


@given(st.lists(st.sampled_from(["::: divider\n:::", "Hello there.", "::: quote name=A\nB\n:::"])))
def test_a_text_is_the_same_as_itself(parts: list[str]) -> None:
    text = HEAD + "\n\n".join(parts)

    assert compare_texts(text, text, where="a", where_after="b") == []
