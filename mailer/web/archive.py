"""The archive of public lists, for everybody: pages by month, a search, and feeds."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from mailer.usecases.browse_archive import (
    show_feed,
    show_front,
    show_index,
    show_list,
    show_month,
    show_whole_feed,
)
from mailer.usecases.show_web_version import show_archived
from mailer.web.archive_views import ArchiveViews
from mailer.web.catalogue import Language
from mailer.web.feeds import ATOM, JSON, Feed, atom_feed, json_feed
from mailer.web.pages import Pages
from mailer.web.places import Served
from mailer.web.public import PublicPages
from mailer.wiring import Mailer

_SLUG = re.compile(r"[^/\x00-\x1f]{1,200}").fullmatch
_MONTH = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])").fullmatch
_LANGUAGE = re.compile(r"[A-Za-z0-9-]{1,35}").fullmatch
_FOR_A_WHILE = "public, max-age=300"
_LONGEST_QUERY = 200


class ArchivePages:
    """Pages that anybody may find, keep and copy."""

    def __init__(self, mailer: Mailer, pages: Pages, public: PublicPages) -> None:
        self._mailer = mailer
        self._pages = pages
        self._public = public
        self._views = ArchiveViews(mailer, pages)
        address = mailer.settings.site_url
        self._places = Served(address, urlsplit(address).path)
        self._ports: dict[str, Any] = {"db": mailer.db, "zone": mailer.settings.time_zone}

    def routes(self, prefix: str) -> Sequence[Route]:
        home = prefix + "/archive"
        return (
            Route(home, self.front),
            Route(home + "/feed.xml", self.feed),
            Route(home + "/feed.json", self.feed),
            Route(home + "/{shelf}", self.shelf),
            Route(home + "/{shelf}/feed.xml", self.feed),
            Route(home + "/{shelf}/feed.json", self.feed),
            Route(home + "/{shelf}/feed.{language}.xml", self.feed),
            Route(home + "/{shelf}/feed.{language}.json", self.feed),
            Route(home + "/{shelf}/months", self.index),
            Route(home + "/{shelf}/{slug}", self.issue),
            Route(home + "/{shelf}/{slug}/{language}", self.month_or_issue),
        )

    def _at(self, request: Request, language: Language) -> Served:
        """Where pages are, for one who asked for a language: links keep it."""
        asked = f"?lang={language.code}" if request.query_params.get("lang") else ""
        return dataclasses.replace(self._places, asked=asked)

    async def front(self, request: Request) -> Response:
        front = await run_in_threadpool(show_front, db=self._mailer.db, languages=_asked(request))
        language = self._pages.language(request)
        html = self._views.front(
            front, language, self._at(request, language), others=self._pages.others(language)
        )
        return _page(html, language)

    async def shelf(self, request: Request) -> Response:
        """The newest issues, or with ``?q=`` what a search finds."""
        search = request.query_params.get("q", "")[:_LONGEST_QUERY].replace("\0", " ")
        view = await run_in_threadpool(
            show_list, _shelf(request), search=search, languages=_asked(request), **self._ports
        )
        language = self._pages.language(request, view.shelf.language)
        places, others = self._at(request, language), self._pages.others(language)
        html = self._views.shelf(view, language, places, others=others)
        return _page(html, language, found=not view.search)

    async def index(self, request: Request) -> Response:
        view = await run_in_threadpool(
            show_index, _shelf(request), languages=_asked(request), **self._ports
        )
        language = self._pages.language(request, view.shelf.language)
        places, others = self._at(request, language), self._pages.others(language)
        html = self._views.index(view, language, places, others=others)
        return _page(html, language)

    async def month_or_issue(self, request: Request) -> Response:
        """``/months/2026-11``, or an issue in one of its languages."""
        last = request.path_params["language"]
        if request.path_params["slug"] == "months" and _MONTH(last):
            return await self._month(request, last)
        if not _LANGUAGE(last):
            raise HTTPException(404)
        return await self.issue(request)

    async def _month(self, request: Request, month: str) -> Response:
        view = await run_in_threadpool(
            show_month, _shelf(request), month, languages=_asked(request), **self._ports
        )
        language = self._pages.language(request, view.shelf.language)
        places, others = self._at(request, language), self._pages.others(language)
        html = self._views.shelf(view, language, places, others=others)
        return _page(html, language)

    async def issue(self, request: Request) -> Response:
        slug = request.path_params["slug"]
        if not _SLUG(slug):
            raise HTTPException(404)
        shown = await run_in_threadpool(
            show_archived,
            _shelf(request),
            slug,
            request.path_params.get("language"),
            db=self._mailer.db,
            as_sent=request.query_params.get("as") == "sent",
        )
        return self._public.frozen(request, shown, in_archive=True)

    async def feed(self, request: Request) -> Response:
        """Atom or JSON, of one list, in one language or as it comes, or of all."""
        feed = await run_in_threadpool(self._feed, request)
        atom = request.url.path.endswith(".xml")
        headers = {
            "Cache-Control": _FOR_A_WHILE,
            "Last-Modified": _http_date(feed.changed_at),
            "X-Robots-Tag": "all",
        }
        if feed.rather:  # RFC 6596
            instead = feed.rather if atom else feed.rather.removesuffix(".xml") + ".json"
            headers["Link"] = f'<{instead}>; rel="canonical"'
        data = atom_feed(feed) if atom else json_feed(feed)
        kind = f"{ATOM if atom else JSON}; charset=utf-8"
        return Response(data, media_type=kind, headers=headers)

    def _feed(self, request: Request) -> Feed:
        if "shelf" in request.path_params:
            language = request.path_params.get("language", "")
            if language and not _LANGUAGE(language):
                raise HTTPException(404)
            view, identity = show_feed(_shelf(request), language=language, **self._ports)
            return self._views.feed(view, identity, self._places)
        front, entries, identity = show_whole_feed(db=self._mailer.db)
        language = self._pages.catalogue.choose()
        return self._views.whole_feed(front, entries, language, identity, self._places)


def _shelf(request: Request) -> str:
    slug = str(request.path_params["shelf"])
    if not _SLUG(slug):
        raise HTTPException(404)
    return slug


def _asked(request: Request) -> list[str]:
    """The language that was asked for in the address; issues are told in it where they can be."""
    asked = request.query_params.get("lang", "")
    return [asked] if _LANGUAGE(asked) else []


def _page(html: str, language: Language, *, found: bool = True) -> Response:
    """A page of the archive. What a search finds is not for search engines to keep."""
    return HTMLResponse(
        html,
        headers={
            "Cache-Control": _FOR_A_WHILE,
            "Content-Language": language.code,
            "Vary": "Accept-Language",
            "X-Robots-Tag": "all" if found else "noindex, follow",
        },
    )


def _http_date(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC), usegmt=True)
