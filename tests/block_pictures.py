"""Takes the pictures of docs/writing.md: what each example of a block becomes, at 600 pixels.

They are made from the page's own Markdown and from the pictures of the sample edition::

    python -m tests.block_pictures

A test holds the page to having one beside every block.
"""

from __future__ import annotations

import io
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageChops

from mailer.adapters.browser import Browser, browser
from mailer.adapters.folders import open_folder
from mailer.compose.compose import compose_issue
from mailer.compose.layout import Layout, load_layout
from mailer.compose.looks import PLAIN, looked_at
from mailer.compose.reading import Brand

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "docs" / "writing.md"
PICTURES = ROOT / "docs" / "pictures"
SAMPLES = ROOT / "data" / "examples" / "issues" / "tide-table"
MOST = 40_000  # bytes of one picture
HEAD = "---\nsubject: Boats\npreheader: A quay\ntitle: The Tide Table\ndate: 2026-11-24\n---\n"
# What the page calls its pictures, and which of the samples stands for each.
STANDS_FOR = {
    "winter": "hills",
    "loft": "net",
    "dunes": "hills",
    "monday": "net",
    "wednesday": "harbour",
    "friday": "ferry",
    "fund": "coast-paper",
    "cover": "coast-paper",
}
HOSTED = "https://example.org/i/"
_FENCE = re.compile(r"^```markdown\n(.*?)^```\n(?:\n?!\[([^\]]*)\]\(([^)]+)\)\n)?", re.M | re.S)
_OPENS = re.compile(r"^:{3,} ([a-z_]+)", re.M)


@dataclass(frozen=True)
class Example:
    """One piece of the page's Markdown, the blocks in it, and the picture that stands after it."""

    text: str
    blocks: tuple[str, ...]
    alt: str
    picture: str
    name: str  # of the file that is its picture


def examples() -> Iterator[Example]:
    """Yields each example of a block on the page; an include has nothing of its own to show."""
    seen: Counter[str] = Counter()
    for found in _FENCE.finditer(GUIDE.read_text("utf-8")):
        blocks = tuple(dict.fromkeys(_OPENS.findall(found[1])))
        if blocks and blocks != ("include",):
            seen[blocks[0]] += 1
            again = f"-{seen[blocks[0]]}" if seen[blocks[0]] > 1 else ""
            name = f"{blocks[0]}{again}.png"
            yield Example(found[1], blocks, found[2] or "", found[3] or "", name)


def shot(text: str, layout: Layout, opened: Browser, place: Path) -> Image.Image:
    """The whole mail as a picture."""

    def read(name: str) -> bytes:
        plain = SAMPLES / name
        return (
            plain if plain.exists() else SAMPLES / f"{STANDS_FOR[Path(name).stem]}.jpg"
        ).read_bytes()

    composed = compose_issue(
        HEAD + text,
        where="issue.md",
        read_picture=read,
        layout=layout,
        picture_url=lambda name: HOSTED + name,
        brand=Brand("Marren Coast Network", "4 Lamp Quay, Port Elsin", "https://example.org"),
    )
    for file in composed.rendition.served:
        (place / file.name).write_bytes(file.data)
    page = place / "page.html"
    html = looked_at(composed.rendition.html, PLAIN, picture=lambda name: name)
    for slot in composed.rendition.slots:  # the same words in each, so that footers are alike
        html = html.replace(slot.sentinel, "coast")
    page.write_text(html.replace(HOSTED, ""), "utf-8")
    return Image.open(io.BytesIO(opened.picture(page, width=600))).convert("RGB")


def cut(wholes: Sequence[Image.Image], empty: Image.Image) -> Iterator[Image.Image]:
    """The rows of each mail that one without a block does not have.

    A fraction of a pixel may have moved the footer's lines, so the longest that was found counts.
    """
    foot = max(_same_rows(_turned(whole), _turned(empty)) for whole in wholes)
    for whole in wholes:
        yield whole.crop((0, max(0, _same_rows(whole, empty) - 2), 600, whole.height - foot))


def _turned(picture: Image.Image) -> Image.Image:
    return picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM)


def _same_rows(one: Image.Image, other: Image.Image) -> int:
    height = min(one.height, other.height)
    box = (0, 0, 600, height)
    found = ImageChops.difference(one.crop(box), other.crop(box)).getbbox()
    return found[1] if found else height


def small(picture: Image.Image) -> bytes:
    """A PNG of at most MOST bytes: fewer colours first, then fewer pixels."""
    for width, colours in ((480, 128), (480, 64), (420, 48), (360, 48), (360, 32), (300, 24)):
        height = round(picture.height * width / picture.width)
        less = picture.resize((width, height), Image.Resampling.LANCZOS)
        out = io.BytesIO()
        less.quantize(colours, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
        if out.tell() < MOST:
            return out.getvalue()
    raise ValueError("the picture does not become small enough")


def main() -> None:
    layout = load_layout(open_folder(ROOT / "layouts" / "newsroom"), name="newsroom")
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place, browser() as opened:
        empty = shot("", layout, opened, Path(place))
        wholes = [shot(each.text, layout, opened, Path(place)) for each in examples()]
    for example, picture in zip(examples(), cut(wholes, empty), strict=True):
        (PICTURES / example.name).write_bytes(small(picture))


if __name__ == "__main__":
    main()
