"""What everybody may see: web versions, pictures, the style sheet, and whether all is well."""

from __future__ import annotations

import gzip
import re
from collections.abc import Collection, Sequence
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Scope

from mailer.errors import MailerError
from mailer.usecases.check_health import check_health
from mailer.usecases.check_site import answer_probe
from mailer.usecases.list_mended import list_mended
from mailer.usecases.say_day import say_day
from mailer.usecases.show_picture import show_picture
from mailer.usecases.show_web_version import ShownPage, show_web_version
from mailer.web.frame import framed
from mailer.web.frozen import FrozenPage, FrozenPages, Kept, WithdrawnError, takes_gzip
from mailer.web.headers import FILE_POLICY, Headers
from mailer.web.pages import Pages
from mailer.web.places import Served
from mailer.web.wishes import looked
from mailer.wiring import Mailer

_KINDS = {
    "gif": "image/gif",
    "ics": "text/calendar",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
}
_PICTURE = re.compile(rf"[0-9a-f]{{32}}\.({'|'.join(_KINDS)})").fullmatch
_KEY = re.compile(r"[A-Za-z0-9_-]{8,128}").fullmatch
_LANGUAGE = re.compile(r"[A-Za-z0-9-]{1,35}").fullmatch
_FOR_EVER = "public, max-age=31536000, immutable"


class PublicPages:
    """The pages that are the same for everybody."""

    def __init__(self, mailer: Mailer, pages: Pages, headers: Headers) -> None:
        self._mailer = mailer
        self._pages = pages
        public = mailer.settings.site_url
        self._places = Served(public, urlsplit(public).path)
        self._headers = headers
        self._frozen = FrozenPages(self._look, headers, mailer.kept_pages)

    def routes(self, prefix: str) -> Sequence[Route]:
        return (
            Route(prefix + "/w/{key}", self.web_version),
            Route(prefix + "/w/{key}/{language}", self.web_version),
            Route(prefix + "/i/{name}", self.picture),
            Route(prefix + "/static/{name}", self.asset),
            Route(prefix + "/healthz", self.health),
            Route(prefix + "/probe/{token}", self.probe),
        )

    async def web_version(self, request: Request) -> Response:
        key, language = request.path_params["key"], request.path_params.get("language")
        if not _KEY(key) or (language is not None and not _LANGUAGE(language)):
            raise HTTPException(404)
        try:
            if request.url.query:
                as_sent = request.query_params.get("as") == "sent"
                page = await looked(self._look, key, language, as_sent=as_sent)
                kept = Kept(page, self._headers)
            else:
                kept = await self._frozen.get(key, language)
        except WithdrawnError as error:
            return self._withdrawn(request, error.language)
        return _page(kept, request.scope)

    def ready(self, path: str, scope: Scope) -> Response | None:
        """The page at ``key`` or ``key/language`` if it may be shown without asking for it."""
        if scope["query_string"]:
            return None
        key, _, language = path.partition("/")
        kept = self._frozen.fresh(key, language if "/" in path else None)
        return None if kept is None else _page(kept, scope)

    def sweep(self) -> int:
        """Removes the copies of pages that are not to be shown any more; returns how many.

        Raises MailerError while the database is away.
        """
        return self._frozen.sweep(list_mended(db=self._mailer.db))

    def _look(self, key: str, language: str | None, *, as_sent: bool = False) -> FrozenPage:
        db, clock = self._mailer.db, self._mailer.clock
        shown = show_web_version(key, language, db=db, clock=clock, as_sent=as_sent)
        return self._frozen_page(shown, in_archive=False)

    def frozen(self, request: Request, shown: ShownPage, *, in_archive: bool) -> Response:
        """A frozen page, or the sentence that it is withdrawn (410)."""
        try:
            page = self._frozen_page(shown, in_archive=in_archive)
        except WithdrawnError as error:
            return self._withdrawn(request, error.language)
        return _page(Kept(page, self._headers), request.scope)

    def _withdrawn(self, request: Request, of_the_page: str) -> Response:
        language = self._pages.language(request, of_the_page)
        said = {"Content-Language": language.code}
        return self._pages.page("message", language, status=410, headers=said, name="withdrawn")

    def _frozen_page(self, shown: ShownPage, *, in_archive: bool) -> FrozenPage:
        page, standing = shown.page, shown.standing
        if shown.withdrawn:
            raise WithdrawnError(page.language)
        listed = standing is not None and standing.listed and not shown.as_sent
        html = self._framed(shown, in_archive=in_archive)
        return FrozenPage(html, page.language, draft=page.draft, listed=listed)

    def _framed(self, shown: ShownPage, *, in_archive: bool) -> str:
        language = self._pages.catalogue.choose(shown.page.language)
        zone = self._mailer.settings.time_zone
        return framed(
            shown,
            pages=self._pages,
            places=self._places,
            language=language,
            day_of=lambda moment: say_day(moment, language.code, zone=zone),
            in_archive=in_archive,
        )

    async def picture(self, request: Request) -> Response:
        """A picture, or a calendar entry; its name holds the hash of its content, for ever."""
        name = request.path_params["name"]
        match = _PICTURE(name)
        if match is None:
            raise HTTPException(404)
        data = await run_in_threadpool(show_picture, name, db=self._mailer.db)
        headers = {
            "Cache-Control": _FOR_EVER,
            "Content-Security-Policy": FILE_POLICY,
            "Cross-Origin-Resource-Policy": "cross-origin",  # mail programs show it on their pages
            "ETag": _tag(name),
        }
        if match[1] == "ics":  # a program opens it, under a name that people can read
            headers["Content-Disposition"] = 'attachment; filename="event.ics"'
        if _unchanged(request, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        return Response(data, media_type=_KINDS[match[1]], headers=headers)

    async def asset(self, request: Request) -> Response:
        asset = self._pages.assets.get(request.path_params["name"])
        if asset is None:
            raise HTTPException(404)
        zipped = takes_gzip(request.headers.get("accept-encoding", ""))
        tags = (_tag(asset.name), _tag(f"{asset.name}-gzip"))
        headers = {
            "Cache-Control": _FOR_EVER,
            "Content-Security-Policy": FILE_POLICY,
            "ETag": tags[zipped],
            "Vary": "Accept-Encoding",
        }
        if _known(request.headers.get("if-none-match", ""), tags):
            return Response(status_code=304, headers=headers)
        if zipped:
            headers["Content-Encoding"] = "gzip"
        data = _zipped(asset.data) if zipped else asset.data
        return Response(data, media_type=asset.media, headers=headers)

    async def health(self, request: Request) -> Response:
        """For whoever watches the server: 200 while the database answers, else 503."""
        try:
            await looked(check_health, db=self._mailer.db)
        except MailerError:
            return JSONResponse({"ok": False, "database": "does not answer"}, 503)
        return JSONResponse({"ok": True})

    async def probe(self, request: Request) -> Response:
        """Names the database to whoever holds a signed probe: the sender, before its first mail."""
        identity = await run_in_threadpool(
            answer_probe,
            request.path_params["token"],
            db=self._mailer.db,
            keys=self._mailer.keys,
            clock=self._mailer.clock,
        )
        return PlainTextResponse(identity, headers={"Cache-Control": "no-store"})


def kind_of_file(name: str) -> str | None:
    """The media type of a content-addressed file; None when its name is none."""
    match = _PICTURE(name)
    return _KINDS[match[1]] if match else None


def _page(kept: Kept, scope: Scope) -> Response:
    """A web version, compressed for who takes it so; or a word that they have it already."""
    wishes: dict[bytes, bytes] = dict(scope["headers"])
    zipped = takes_gzip(wishes.get(b"accept-encoding", b"").decode("latin-1"))
    known = wishes.get(b"if-none-match")
    return kept.answer(
        zipped=zipped, unchanged=known is not None and _known(known.decode("latin-1"), kept.tags)
    )


@lru_cache(maxsize=32)
def _zipped(data: bytes) -> bytes:
    return gzip.compress(data, 9, mtime=0)


def _tag(name: str) -> str:
    return f'"{name}"'


def _unchanged(request: Request, tag: str) -> bool:
    return _known(request.headers.get("if-none-match", ""), (tag,))


def _known(given: str, tags: Collection[str]) -> bool:
    """Whether the browser has this already (RFC 9110 section 13.1.2, weak comparison)."""
    known = {each.strip().removeprefix("W/") for each in given.split(",")}
    return not known.isdisjoint(tags) or given.strip() == "*"
