"""Lays out every look of a rendered issue as pages, for pictures that a reviewer can turn over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from mailer.compose.looks import LOOKS, PLAIN, looked_at
from mailer.model.words import Picture
from mailer.usecases.render_issue import Rendered

WIDTHS = (320, 600)
WEB_WIDTHS = (320, 1280)
PICTURES = "pictures/"


@dataclass(frozen=True, slots=True)
class PageToShow:
    """One page, and how wide the screen is that shows it; its pictures lie under PICTURES."""

    name: str  # of the picture, without its ending
    html: str
    width: int


def picture_issue(rendered: Sequence[Rendered]) -> Iterator[PageToShow]:
    """The views of the preview: each look at each width, the web version, the text part.

    A second language has its tag in the names.
    """
    for number, one in enumerate(rendered):
        mark = f"-{one.language}" if number else ""
        for look in LOOKS:
            page = _with_pictures(one.html, one)
            page = looked_at(page, look, picture=lambda name: PICTURES + name)
            for width in WIDTHS:
                end = f"-{look.name}" if look.name else ""
                yield PageToShow(f"mail{mark}-{width}{end}", page, width)
        web = looked_at(_with_pictures(one.web_page, one), PLAIN, picture=lambda name: name)
        for width in WEB_WIDTHS:
            yield PageToShow(f"web{mark}-{width}", web, width)
        yield PageToShow(f"text{mark}", _text_page(one), 720)


def _with_pictures(html: str, one: Rendered) -> str:
    for file in one.served:
        html = html.replace(f"{one.site_url}/i/{file.name}", PICTURES + file.name)
        if isinstance(file, Picture):
            html = html.replace(f"cid:{file.content_id}", PICTURES + file.name)
    return html


def _text_page(one: Rendered) -> str:
    """The text part in the letters of a terminal, each line in its own direction."""
    style = "body{margin:24px;background:#fff;color:#222}div{min-height:1.5em;white-space:pre-wrap}"
    lines = "".join(f'<div dir="auto">{escape(line)}</div>' for line in one.text.split("\n"))
    return (
        f'<!doctype html><html lang="{one.language}"><head><meta charset="utf-8">'
        f"<style>{style}body{{font:15px/1.5 monospace}}</style></head><body>{lines}</body></html>"
    )
