"""Keeps web versions ready to be sent: a link in a million mails is opened in one hour.

A page is frozen at plan time, so what is kept is right until its campaign is taken back or mended.
That must be seen soon: whatever is older than a second is asked for again before it is shown. So
there is one look into the database a second for a page, however many readers there are, and no
word between processes. Whatever the database says is shown a second later at most.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from starlette.responses import Response

from mailer.errors import MailerError, NotFoundError
from mailer.web.headers import WEB_VERSION_POLICY, Headers
from mailer.web.wishes import looked

_MOST = 256 * 1024 * 1024  # octets of pages in files, at most
_OLDEST = 180 * 86_400.0  # seconds that a page lies there since it was put there
_UNFINISHED = 3600.0  # seconds; what is not whole by then was left by one that was killed
_AWAY = 5.0  # seconds until a database that is away is asked again
FRESH = 1.0  # seconds that a page is shown without asking again
_KEPT = 64 * 1024 * 1024  # octets of pages in memory, at most


class Ready(Response):
    """An answer whose headers were put together before."""

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self.status_code = status
        self.raw_headers = headers
        self.body = body
        self.background = None


@dataclass(frozen=True, slots=True)
class FrozenPage:
    """A web version as it is shown: complete, in one language."""

    html: str
    language: str
    draft: bool  # a test copy's: it expires
    listed: bool  # search engines may show it


class WithdrawnError(Exception):
    """The page is not to be shown any more; carries its language."""

    def __init__(self, language: str) -> None:
        super().__init__("withdrawn")
        self.language = language


class Kept:
    """A page as it goes out. No letter of it is personal, so compressing it tells nothing."""

    __slots__ = ("_answers", "_headers", "_plain", "_tag", "checked", "page", "taken")

    def __init__(self, page: FrozenPage, headers: Headers, taken: float | None = None) -> None:
        self.page = page
        self.checked = 0.0  # by the monotonic clock
        self.taken = time.time() if taken is None else taken  # from the database, by the wall clock
        self._headers = headers
        self._plain = page.html.encode()
        self._tag = hashlib.sha256(self._plain).hexdigest()[:32]
        self._answers: dict[tuple[bool, bool], Ready] = {}

    @property
    def tags(self) -> tuple[str, str]:
        """The ETag of the plain page and of the compressed one."""
        return f'"{self._tag}"', f'"{self._tag}-gzip"'

    @property
    def size(self) -> int:
        return 3 * len(self._plain)

    def answer(self, *, zipped: bool, unchanged: bool) -> Ready:
        ready = self._answers.get((zipped, unchanged))
        if ready is None:
            ready = self._answers[zipped, unchanged] = self._make(zipped, unchanged)
        return ready

    def _make(self, zipped: bool, unchanged: bool) -> Ready:
        page = self.page
        said = {
            # It may be withdrawn one day, so caches ask again after five minutes.
            "Cache-Control": "no-store" if page.draft else "public, max-age=300",
            "Content-Language": page.language,
            "Content-Security-Policy": WEB_VERSION_POLICY,
            "ETag": self.tags[zipped],
            "Vary": "Accept-Encoding",
            "X-Robots-Tag": "all" if page.listed else "noindex, nofollow",
        }
        if unchanged:
            return Ready(304, self._headers.complete(_raw(said)), b"")
        body = gzip.compress(self._plain, 6, mtime=0) if zipped else self._plain
        said |= {"Content-Type": "text/html; charset=utf-8", "Content-Length": str(len(body))}
        if zipped:
            said["Content-Encoding"] = "gzip"
        return Ready(200, self._headers.complete(_raw(said)), body)


def _raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]


def takes_gzip(accepted: str) -> bool:
    """Whether an ``Accept-Encoding`` header names gzip and does not rule it out (RFC 9110)."""
    for part in accepted.lower().split(","):
        name, _, weight = part.partition(";")
        if name.strip() == "gzip":
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


class PageFiles:
    """The pages as files, for a site that starts, or forgot them, while the database is away.

    A file is named by the hashes of its page's key and language, and dated when it was put there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, key: str, language: str | None, page: FrozenPage) -> None:
        """Writes a page in one piece. Where that can't be, there is just no copy."""
        file = self._file(key, language)
        part = file.with_suffix(f".{os.getpid()}")
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(asdict(page)), "utf-8")
            part.replace(file)

    def find(self, key: str, language: str | None) -> FrozenPage | None:
        try:
            return FrozenPage(**json.loads(self._file(key, language).read_text("utf-8")))
        except (OSError, ValueError, TypeError):  # the latter two: not as this program writes it
            return None

    def taken(self, key: str, language: str | None) -> float:
        """When the page was put there; 0 when it was not."""
        try:
            return self._file(key, language).stat().st_mtime
        except OSError:
            return 0.0

    def sweep(self, mended: Mapping[str, float], now: float) -> int:
        """Removes what is not to be shown any more, too old, or too much; returns how many files.

        ``mended`` says by key when a page was withdrawn or corrected. Processes may sweep beside
        each other.
        """
        dated = sorted(self._all(), key=lambda each: each[1], reverse=True)  # the newest first
        stale = {_short(key): at for key, at in mended.items()}
        size = gone = 0
        for file, date, length in dated:
            whole = file.suffix == ".json"
            size += length
            if (
                size > _MOST
                or now - date > (_OLDEST if whole else _UNFINISHED)
                or stale.get(file.name.partition("-")[0], 0.0) >= date
            ):
                with suppress(OSError):
                    file.unlink(missing_ok=True)
                    gone += 1
        return gone

    def _all(self) -> Iterator[tuple[Path, float, int]]:
        with suppress(OSError):
            for file in self._folder.iterdir():
                found = file.stat()
                yield file, found.st_mtime, found.st_size

    def forget(self, key: str, language: str | None) -> None:
        with suppress(OSError):
            self._file(key, language).unlink(missing_ok=True)

    def _file(self, key: str, language: str | None) -> Path:
        return self._folder / f"{_short(key)}-{_short(language or '')[:8]}.json"


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:40]


class FrozenPages:
    """Web versions by key and language, the least used ones forgotten first."""

    def __init__(
        self, show: Callable[[str, str | None], FrozenPage], headers: Headers, folder: Path
    ) -> None:
        self._show = show
        self._headers = headers
        self._on_disk = PageFiles(folder)
        self._mended: Mapping[str, float] = {}
        self._kept: OrderedDict[tuple[str, str | None], Kept] = OrderedDict()
        self._size = 0
        self._asked: dict[tuple[str, str | None], asyncio.Task[Kept]] = {}

    def sweep(self, mended: Mapping[str, float]) -> int:
        """Sees that no page is shown from memory or a file that was mended since; see PageFiles.

        For another thread than the loop's.
        """
        self._mended = mended
        return self._on_disk.sweep(mended, time.time())

    def fresh(self, key: str, language: str | None) -> Kept | None:
        """What may be shown without asking."""
        kept = self._kept.get((key, language))
        if kept is None or time.monotonic() - kept.checked > FRESH:
            return None
        self._kept.move_to_end((key, language))
        return kept

    async def get(self, key: str, language: str | None) -> Kept:
        """The page; asked for once, however many want it. Raises what the database said."""
        kept = self.fresh(key, language)
        if kept is not None:
            return kept
        asked = self._asked.get((key, language))
        if asked is None:
            asked = asyncio.create_task(self._ask(key, language))
            self._asked[key, language] = asked
            asked.add_done_callback(lambda _: self._asked.pop((key, language), None))
        return await asyncio.shield(asked)

    async def _ask(self, key: str, language: str | None) -> Kept:
        began = time.monotonic()
        known = self._kept.get((key, language))
        try:
            kept = await looked(self._look, key, language, known)
        except (NotFoundError, WithdrawnError):
            self._forget((key, language))
            self._on_disk.forget(key, language)
            raise
        except MailerError:  # the database is away, and what was frozen is as it was
            stale = known or await asyncio.to_thread(self._from_disk, key, language)
            if stale is None or stale.taken <= self._mended.get(key, 0.0):
                raise
            stale.checked = time.monotonic() + _AWAY - FRESH
            self._keep((key, language), stale)
            return stale
        kept.checked = began
        if kept is not known and not kept.page.draft:  # a draft expires, so it is not kept
            self._keep((key, language), kept)
        return kept

    def _from_disk(self, key: str, language: str | None) -> Kept | None:
        taken, page = self._on_disk.taken(key, language), self._on_disk.find(key, language)
        return None if page is None else Kept(page, self._headers, taken)

    def _look(self, key: str, language: str | None, known: Kept | None) -> Kept:
        page = self._show(key, language)
        if known is not None and known.page == page:
            return known
        if not page.draft:
            self._on_disk.keep(key, language, page)
        return Kept(page, self._headers)

    def _keep(self, name: tuple[str, str | None], kept: Kept) -> None:
        self._forget(name)
        self._kept[name] = kept
        self._size += kept.size
        while self._size > _KEPT and len(self._kept) > 1:
            self._forget(next(iter(self._kept)))

    def _forget(self, name: tuple[str, str | None]) -> None:
        gone = self._kept.pop(name, None)
        if gone is not None:
            self._size -= gone.size
