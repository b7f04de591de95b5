"""What is wrong with an issue's files ends in a sentence with file and line, soon, and no crash."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from tests.command_line import done, mailer, make_workspace

pytestmark = pytest.mark.timeout(60)  # bounded: each takes about a second
HEAD = "---\nsubject: Boats\npreheader: They are back\n---\n"
STORY = "::: story picture={}\nalt: A boat\nheadline: Boats\n\nBack.\n:::\n"


@dataclass(frozen=True)
class Desk:
    workspace: Path

    @property
    def issue(self) -> Path:
        return self.workspace / "data/issues/boats"

    def write(self, name: str, data: str | bytes) -> None:
        path = self.issue / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())

    def errors(self) -> list[tuple[str, int | None, str]]:
        """File, line and message of each error that ``issues check`` tells."""
        found = mailer(self.workspace, "--json", "issues", "check", str(self.issue))
        assert found.status in (0, 1), found.out + found.err
        return [
            (Path(e["file"]).name if e["file"] else "", e["line"], e["message"])
            for e in found.document["errors"]
        ]


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_workspace(tmp_path_factory.mktemp("office") / "news")


@pytest.fixture
def desk(office: Path) -> Desk:
    found = Desk(office)
    for path in sorted(office.glob("data/issues/boats/**/*"), reverse=True):
        path.unlink()
    return found


def png_bomb() -> bytes:
    """A PNG of a few kilobytes that unfolds to 60,000 × 60,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(7_501) * 1_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("huge.jpg", b"\xff\xd8" + b"\0" * 40_000_000, "It is too large; at most 25 MB are read."),
        ("bomb.png", png_bomb(), "The picture `bomb.png` has more than 50 megapixels."),
        (
            "script.svg",
            b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
            "The picture `script.svg` is an SVG, which mail programs do not show.",
        ),
        ("empty.png", b"", "The picture `empty.png` is empty."),
        ("text.png", b"hello", "`text.png` is no picture that mail programs show."),
    ],
)
def test_a_picture_that_can_not_be_shipped_is_told_at_its_line(
    desk: Desk, name: str, data: bytes, told: str
) -> None:
    desk.write("issue.md", HEAD + "Hello.\n\n" + STORY.format(name))
    desk.write(name, data)

    ((file, line, message),) = desk.errors()

    assert (file, line) == ("issue.md", 7)
    assert message.startswith(told)


@pytest.mark.parametrize("name", ["../../secret.png", "/etc/passwd", "..\\secret.png", "link.png"])
def test_no_picture_is_read_from_outside(desk: Desk, name: str) -> None:
    out = BytesIO()
    Image.new("RGB", (40, 20)).save(out, "PNG")
    (desk.workspace / "data/secret.png").write_bytes(out.getvalue())
    desk.write("issue.md", HEAD + STORY.format(name))
    (desk.issue / "link.png").symlink_to(desk.workspace / "data/secret.png")

    ((file, line, message),) = desk.errors()

    assert (file, line) == ("issue.md", 5)
    assert "no name of a file in this folder" in message or "leads out of the folder" in message


@pytest.mark.parametrize("name", ["../../.env", "/etc/hostname", "..\\x", "link", "issue.md"])
def test_nothing_is_included_from_outside(desk: Desk, name: str) -> None:
    desk.write("issue.md", f"{HEAD}::: include {name}\n:::\n")
    (desk.issue / "link.md").symlink_to(desk.workspace / ".env")

    ((file, line, message),) = desk.errors()

    assert (file, line) == ("issue.md", 5)
    assert "There is no snippet" in message or "round in a circle" in message


def test_a_circle_of_includes_is_told_with_the_way_round(desk: Desk) -> None:
    desk.write("issue.md", f"{HEAD}Hello.\n\n::: include one\n:::\n")
    desk.write("one.md", "One\n\n::: include two\n:::\n")
    desk.write("two.md", "::: include one\n:::\n")

    ((file, line, message),) = desk.errors()

    assert (file, line) == ("two.md", 1)
    assert "goes round in a circle" in message
    assert "issue.md:7, then" in message


def test_front_matter_is_strict(desk: Desk) -> None:
    desk.write("issue.md", "---\nsubject: a\nlang: en\nsubject: b\n---\nHello.\n")
    assert desk.errors()[0] == ("issue.md", 4, "`subject` stands twice; first on line 2.")

    desk.write("issue.md", "---\nsubject: [a, b]\n---\nHello.\n")
    assert ("issue.md", 2, "`subject` takes one line of text.") in desk.errors()

    desk.write("issue.md", "---\nsubject: a\nsubjekt: b\n---\nHello.\n")
    assert desk.errors()[0][:2] == ("issue.md", 3)


def test_line_ends_and_a_byte_order_mark_change_nothing(desk: Desk) -> None:
    text = HEAD + "Hello.\n\n::: nonsense\n:::\n"
    for written in (text, "\ufeff" + text, text.replace("\n", "\r\n"), text.replace("\n", "\r")):
        desk.write("issue.md", written)

        assert [each[:2] for each in desk.errors()] == [("issue.md", 7)]


def test_characters_that_no_mail_can_hold_are_told_with_their_line(desk: Desk) -> None:
    desk.write("issue.md", HEAD + "Hello.\n\nBad\0 here\n")
    assert [each[:2] for each in desk.errors()] == [("issue.md", 7)]

    desk.write("issue.md", HEAD.encode() + b"Hello.\n\nlone \xed\xa0\x80 surrogate\n")
    assert desk.errors() == [
        ("issue.md", 7, "The file is not UTF-8 text. Save it as UTF-8 in your editor.")
    ]


def test_snippets_of_the_workspace_serve_every_issue_and_their_changes_stop_a_send(
    desk: Desk,
) -> None:
    shared = desk.workspace / "snippets"
    shared.mkdir(exist_ok=True)
    (shared / "desk.md").write_text("Write to the English desk.\n", "utf-8")
    (shared / "desk.ar.md").write_text("اكتبوا إلى المكتب.\n", "utf-8")
    (shared / "other.md").write_text("Nobody includes this.\n", "utf-8")
    include = "::: include desk\n:::\n"
    desk.write("issue.md", HEAD + "Hello.\n\n" + include)
    desk.write("issue.ar.md", HEAD + "أهلا.\n\n" + include)
    out = desk.workspace / "out"
    done(desk.workspace, "issues", "render", str(desk.issue), "--out", str(out))
    assert "Write to the English desk." in (out / "email.txt").read_text("utf-8")
    assert "اكتبوا إلى المكتب." in (out / "email.ar.txt").read_text("utf-8")

    done(desk.workspace, "lists", "add", "coast")
    planned = done(desk.workspace, "campaigns", "plan", str(desk.issue), "--list", "coast")
    (shared / "other.md").write_text("Changed, and still nobody does.\n", "utf-8")
    assert mailer(desk.workspace, "campaigns", "send", planned["slug"], "--yes").status == 0
    planned = done(desk.workspace, "campaigns", "plan", str(desk.issue), "--list", "coast")
    (shared / "desk.md").write_text("Write to nobody.\n", "utf-8")
    refused = mailer(desk.workspace, "campaigns", "send", planned["slug"], "--yes")

    assert refused.status == 3
    assert "workspace/snippets/desk.md has changed" in refused.err
