"""Writes the blocks' sections of layouts/newsroom/README.md; a test holds the page to it.

::

    python -m tests.layout_pages
"""

from __future__ import annotations

from pathlib import Path

from mailer.adapters.folders import open_folder
from mailer.compose.describing import page_of
from mailer.compose.layout import Layout, load_layout

NEWSROOM = Path(__file__).parents[1] / "layouts" / "newsroom"
PAGE = NEWSROOM / "README.md"
# In the order in which editions usually have them; what is new comes last.
ORDER = (
    "banner", "alert", "text", "story", "columns", "column", "event", "video", "quote", "figure",
    "gallery", "picture", "table", "promo", "publication", "divider", "digest", "actions", "button",
    "share", "sponsor", "contacts",
)  # fmt: skip


def render_page(layout: Layout) -> str:
    """Returns the page: its head as it is, and a section for each block."""
    head = PAGE.read_text("utf-8").split("\n## `", 1)[0].rstrip() + "\n"
    names = [*ORDER, *sorted(set(layout.blocks) - set(ORDER))]
    return "\n".join([head, *(page_of(layout.blocks[name], layout.blocks) for name in names)])


if __name__ == "__main__":
    PAGE.write_text(render_page(load_layout(open_folder(NEWSROOM), name="newsroom")), "utf-8")
