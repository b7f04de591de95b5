"""Puts around a frozen web version what is the site's: its address, corrections, where to go on.

The frozen page itself stays as it is, byte for byte, between these additions.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mailer.usecases.browse_archive import Edition
from mailer.usecases.show_web_version import ShownPage
from mailer.web.catalogue import Language
from mailer.web.pages import Pages
from mailer.web.places import Places, issue_path, list_path, web_path

_ROBOTS = '<meta name="robots" content="noindex">'
# A value between quotes may hold a `>`: libxml2 does not escape it.
_BODY = re.compile(r"""<body(?:[^>"']|"[^"]*"|'[^']*')*>""")


@dataclass(frozen=True, slots=True)
class Corrected:
    """A correction as the page tells it."""

    day: str
    moment: str  # for programs
    text: str


def framed(
    shown: ShownPage,
    *,
    pages: Pages,
    places: Places,
    language: Language,
    day_of: Callable[[datetime], str],
    in_archive: bool,
    written: bool = False,
) -> str:
    """The whole page. ``in_archive``: it lies there, so it leads on to other issues.

    ``day_of`` says a day in the words of the page's language.
    """
    standing, page = shown.standing, shown.page
    if standing is None:
        return page.html
    archived = issue_path(standing.list_slug, standing.slug, page.language, standing.languages)
    plain = web_path(standing.web_key, page.language, standing.languages)
    own = archived if in_archive else plain
    values: dict[str, Any] = {
        "standing": standing,
        "title_of_list": standing.list_title,
        "address": places.public(archived if standing.listed else plain),
        "listed": standing.listed and not shown.as_sent,
        "atom": places.file(f"{list_path(standing.list_slug)}/feed.xml"),
        "json": places.file(f"{list_path(standing.list_slug)}/feed.json"),
        "sheet": places.file(f"static/{pages.frame_sheet.name}"),
        "notes": [
            Corrected(day_of(each.at), each.at.isoformat(timespec="seconds"), each.text)
            for each in shown.notes
        ],
        "sent": places.as_sent(own) if page.corrected and not shown.as_sent else "",
        "shown": places.page(own),
        "as_sent": shown.as_sent and page.corrected,
        "in_archive": in_archive,
        "home": places.page(list_path(standing.list_slug)),
        "earlier": _to(shown.earlier, standing.list_slug, places),
        "later": _to(shown.later, standing.list_slug, places),
        "written": written,
    }
    html = page.html
    if values["listed"]:
        html = html.replace(_ROBOTS, "", 1)
    head = pages.render("frame_head", language, **values).strip()
    bar = pages.render("frame", language, **values).strip()
    return _put(html, head, bar)


def _to(edition: Edition | None, shelf: str, places: Places) -> tuple[str, Edition] | None:
    if edition is None:
        return None
    path = issue_path(shelf, edition.slug, edition.language, edition.languages)
    return places.page(path), edition


def _put(html: str, head: str, bar: str) -> str:
    """Puts the additions at the head's end and at the body's beginning, where there are such."""
    before, end, after = html.partition("</head>")
    if not end:
        return _below(html, bar)
    return f"{before}{head}{end}{_below(after, bar)}"


def _below(html: str, bar: str) -> str:
    found = _BODY.search(html)
    if not bar or found is None:
        return bar + html
    return html[: found.end()] + bar + html[found.end() :]
