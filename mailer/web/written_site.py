"""The public site as files: the archive, web versions, feeds, pictures. Any host can serve it.

A page is a folder with an ``index.html``; links are relative, so it works below any path. What only
a server can do is not in it: unsubscribing, preferences, signing up.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Container, Iterator, Sequence
from typing import Any
from urllib.parse import quote

from mailer.usecases.browse_archive import (
    Edition,
    show_feed,
    show_front,
    show_index,
    show_list,
    show_month,
    show_whole_feed,
)
from mailer.usecases.list_pages import list_pages
from mailer.usecases.say_day import say_day
from mailer.usecases.show_picture import show_picture
from mailer.usecases.show_web_version import ShownPage, show_archived, show_web_version
from mailer.web.archive_views import ArchiveViews
from mailer.web.catalogue import Language
from mailer.web.feeds import atom_feed, json_feed
from mailer.web.frame import framed
from mailer.web.pages import Pages
from mailer.web.places import Written, feed_path, issue_path, list_path, month_path, web_path
from mailer.wiring import Mailer

File = tuple[str, bytes]
_PICTURE = r"/i/([0-9a-f]{32}\.[a-z]+)"


def written_site(
    mailer: Mailer,
    *,
    base_url: str,
    language: str = "",
    unlisted: bool = False,
    before: Container[str] = (),
) -> Iterator[File]:
    """Yields every file of the site: its path, with slashes, and its bytes. The same each time.

    ``base_url`` is where it will be found, for feeds and canonical addresses. A list's pages are in
    its own language, unless ``language`` says otherwise; the front page is in that, else English.
    ``unlisted`` adds the web versions that no page leads to. ``before`` are the files that an
    earlier call wrote: whoever follows a feed there goes on finding it.
    """
    return _Writer(mailer, base_url.rstrip("/"), language, unlisted, before).files()


class _Writer:
    def __init__(
        self, mailer: Mailer, base: str, language: str, unlisted: bool, before: Container[str]
    ) -> None:
        settings = mailer.settings
        self._mailer = mailer
        self._base = base
        self._wanted = language
        self._unlisted = unlisted
        self._before = before
        self._pages = Pages(
            organisation=settings.organisation or "",
            postal_address=settings.postal_address or "",
            prefix="",
            look=mailer.look,
        )
        self._views = ArchiveViews(mailer, self._pages)

    def files(self) -> Iterator[File]:
        for asset in (*self._pages.assets.values(), self._pages.search_script):
            yield f"static/{asset.name}", asset.data
        yield from self._fronts()
        front = show_front(db=self._mailer.db, languages=self._languages)
        for shelf, _, _ in front.shelves:
            yield from self._shelf(shelf.slug)
        standings, pictures = list_pages(db=self._mailer.db, unlisted=self._unlisted)
        for standing in standings:
            for spoken in standing.languages:
                shown = self._web_version(standing.web_key, spoken)
                yield from self._issue(shown, in_archive=False)
                if standing.listed:
                    yield from self._issue(
                        self._archived(standing.list_slug, standing.slug, spoken), in_archive=True
                    )
        for name in pictures:
            yield f"i/{name}", show_picture(name, db=self._mailer.db)

    @property
    def _languages(self) -> Sequence[str]:
        return [self._wanted] if self._wanted else []

    def _speaks(self, *of_the_list: str) -> Language:
        return self._pages.catalogue.choose(self._wanted, *of_the_list)

    def _at(self, path: str) -> Written:
        return Written(self._base, path)

    def _told(self, entries: Sequence[Edition]) -> list[Edition]:
        """What feeds name, with pictures at the address of where they will be."""
        return [
            dataclasses.replace(
                each,
                picture=re.sub(rf"^https?://.*{_PICTURE}$", rf"{self._base}/i/\1", each.picture),
            )
            for each in entries
        ]

    def _fronts(self) -> Iterator[File]:
        language = self._speaks()
        front, entries, identity = show_whole_feed(db=self._mailer.db)
        told = show_front(db=self._mailer.db, languages=self._languages)
        for path in ("", "archive"):
            yield _page(path, self._views.front(told, language, self._at(path), written=True))
        feed = self._views.whole_feed(
            front, self._told(entries), language, identity, self._at("archive")
        )
        yield "archive/feed.xml", atom_feed(feed)
        yield "archive/feed.json", json_feed(feed)

    def _shelf(self, slug: str) -> Iterator[File]:
        ports: dict[str, Any] = {"db": self._mailer.db, "zone": self._mailer.settings.time_zone}
        home = list_path(slug)
        view = show_list(slug, languages=self._languages, **ports)
        language = self._speaks(view.shelf.language)
        yield _page(home, self._views.shelf(view, language, self._at(home), written=True))
        index = show_index(slug, languages=self._languages, words=True, **ports)
        path = f"{home}/months"
        yield _page(path, self._views.index(index, language, self._at(path), written=True))
        for month in view.months:
            path = month_path(slug, month)
            told = show_month(slug, month, languages=self._languages, **ports)
            yield _page(path, self._views.shelf(told, language, self._at(path), written=True))
        several = len(view.languages) > 1  # else a language's feed is the list's once more
        for spoken in ("", *view.languages):
            if spoken and not several and feed_path(home, "xml", spoken) not in self._before:
                continue
            newest, identity = show_feed(slug, language=spoken, **ports)
            told = dataclasses.replace(newest, issues=self._told(newest.issues))
            feed = self._views.feed(told, identity, self._at(home))
            yield feed_path(home, "xml", spoken), atom_feed(feed)
            yield feed_path(home, "json", spoken), json_feed(feed)

    def _web_version(self, key: str, spoken: str, *, as_sent: bool = False) -> ShownPage:
        db, clock = self._mailer.db, self._mailer.clock
        return show_web_version(key, spoken, db=db, clock=clock, as_sent=as_sent)

    def _archived(self, shelf: str, slug: str, spoken: str, *, as_sent: bool = False) -> ShownPage:
        return show_archived(shelf, slug, spoken, db=self._mailer.db, as_sent=as_sent)

    def _issue(self, shown: ShownPage, *, in_archive: bool) -> Iterator[File]:
        """A page under each address that it has: with its language, and for the default without."""
        standing, spoken = shown.standing, shown.page.language
        assert standing is not None  # noqa: S101  # a campaign's page, no test copy's
        if in_archive:
            short = issue_path(standing.list_slug, standing.slug, spoken, standing.languages)
            long = f"archive/{standing.list_slug}/{standing.slug}/{spoken}"
        else:
            short = web_path(standing.web_key, spoken, standing.languages)
            long = f"w/{standing.web_key}/{spoken}"
        for path in dict.fromkeys((short, long)):
            yield _page(path, self._framed(shown, path, in_archive=in_archive))
        if shown.page.corrected and not shown.withdrawn:
            sent = (
                self._archived(standing.list_slug, standing.slug, spoken, as_sent=True)
                if in_archive
                else self._web_version(standing.web_key, spoken, as_sent=True)
            )
            path = f"{short}/as-sent"
            yield _page(path, self._framed(sent, path, in_archive=in_archive))

    def _framed(self, shown: ShownPage, path: str, *, in_archive: bool) -> str:
        language = self._pages.catalogue.choose(shown.page.language)
        places = self._at(path)
        if shown.withdrawn:
            return self._views.withdrawn(language, places)
        zone = self._mailer.settings.time_zone
        html = framed(
            shown,
            pages=self._pages,
            places=places,
            language=language,
            day_of=lambda moment: say_day(moment, language.code, zone=zone),
            in_archive=in_archive,
            written=True,
        )
        return self._moved(html, shown, places, in_archive=in_archive)

    def _moved(self, html: str, shown: ShownPage, places: Written, *, in_archive: bool) -> str:
        """The page with its addresses on this site made relative, or those of where it will be."""
        standing = shown.standing
        assert standing is not None  # noqa: S101  # likewise
        if not standing.site_url:
            return html  # nothing was frozen that names the site
        site, key = re.escape(standing.site_url), re.escape(standing.web_key)
        spoken = {each.lower(): each for each in standing.languages}

        def issue(found: re.Match[str]) -> str:
            language = spoken.get((found[1] or standing.languages[0]).lower(), "")
            if not language:
                return found[0]
            if in_archive:
                path = issue_path(standing.list_slug, standing.slug, language, standing.languages)
            else:
                path = web_path(standing.web_key, language, standing.languages)
            return places.page(path)

        html = re.sub(rf'(content="){site}{_PICTURE}', rf"\g<1>{self._base}/i/\2", html)
        html = re.sub(site + _PICTURE, lambda found: places.file(f"i/{found[1]}"), html)
        html = re.sub(rf"""{site}/w/{key}(?:/([A-Za-z0-9-]+))?(?=["'])""", issue, html)
        # What share links carry inside of another address.
        return html.replace(quote(standing.site_url, safe=""), quote(self._base, safe=""))


def _page(path: str, html: str) -> File:
    return (f"{path}/index.html" if path else "index.html"), html.encode("utf-8", "replace")
