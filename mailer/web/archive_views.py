"""Renders the pages and the feeds of the archive, for the site that is served and for one in files.

``places`` says how a page names the others; nothing else differs between the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from mailer.usecases.browse_archive import Edition, Front, ListView, month_of
from mailer.usecases.say_day import say_day
from mailer.web.catalogue import Language
from mailer.web.feeds import Feed
from mailer.web.pages import Pages
from mailer.web.places import Places, feed_path, issue_path, list_path, month_path
from mailer.wiring import Mailer

ALL = "archive"  # the name of the feed of all lists


class ArchiveViews:
    """What the archive shows, as text."""

    def __init__(self, mailer: Mailer, pages: Pages) -> None:
        self._pages = pages
        self._zone = mailer.settings.time_zone
        self._organisation = mailer.settings.organisation or ""
        self._sign_up = f"{mailer.settings.site_url}/s" if mailer.can_write else ""

    def front(self, front: Front, language: Language, places: Places, **values: Any) -> str:
        """Every list that has something to read."""
        return self._render(
            "archive",
            language,
            places,
            shelves=[
                {
                    "title": shelf.title,
                    "language": shelf.language,
                    "description": shelf.description,
                    "url": places.page(list_path(shelf.slug)),
                    "count": count,
                    "newest": self._told(newest, shelf.slug, language, places) if newest else None,
                }
                for shelf, newest, count in front.shelves
            ],
            feeds=self._feeds(ALL, places),
            canonical=places.public("archive"),
            **values,
        )

    def shelf(self, view: ListView, language: Language, places: Places, **values: Any) -> str:
        """The newest issues of a list, one month's, or what a search found."""
        slug = view.shelf.slug
        home = list_path(slug)
        return self._render(
            "archive_list",
            language,
            places,
            view=view,
            issues=[self._told(each, slug, language, places) for each in view.issues],
            home=places.page(home),
            index=places.page(f"{home}/months"),
            sign_up=f"{self._sign_up}/{quote(slug)}{places.asked}" if self._sign_up else "",
            months=self._months(view, language, places),
            month=self._month(view.month, language) if view.month else "",
            earlier=self._way(view.earlier, slug, language, places),
            later=self._way(view.later, slug, language, places),
            feeds=self._feeds(home, places, view.languages),
            canonical=places.public(month_path(slug, view.month) if view.month else home),
            **values,
        )

    def index(self, view: ListView, language: Language, places: Places, **values: Any) -> str:
        """Every issue of a list by month; written as files, a small script searches it."""
        slug = view.shelf.slug
        groups: dict[str, list[dict[str, Any]]] = {}
        for each in view.issues:
            month = month_of(each.sent_at, self._zone)
            groups.setdefault(month, []).append(self._told(each, slug, language, places))
        return self._render(
            "archive_index",
            language,
            places,
            view=view,
            groups=[(self._month(month, language), month, told) for month, told in groups.items()],
            home=places.page(list_path(slug)),
            script=places.file(f"static/{self._pages.search_script.name}"),
            feeds=self._feeds(list_path(slug), places, view.languages),
            canonical=places.public(f"{list_path(slug)}/months"),
            **values,
        )

    def withdrawn(self, language: Language, places: Places) -> str:
        """The page of an issue that was taken back, for a site in files."""
        return self._render("message", language, places, name="withdrawn", written=True)

    def feed(self, view: ListView, identity: str, places: Places) -> Feed:
        """The feed of one list, or of what was sent in one of its languages."""
        home, shelf, spoken = list_path(view.shelf.slug), view.shelf, view.language
        # Of a list in one language, that language's feed is nowhere offered, and has an answer.
        rather = bool(spoken) and len(view.languages) == 1
        return Feed(
            name=f"list {shelf.id} {spoken}" if spoken else f"list {shelf.id}",
            spoken=spoken,
            rather=places.public_file(feed_path(home, "xml")) if rather else "",
            identity=identity,
            title=f"{shelf.title} ({self._name(spoken)})" if spoken else shelf.title,
            description=shelf.description,
            author=self._organisation or shelf.title,
            language=spoken or shelf.language,
            home=places.public(home),
            atom=places.public_file(feed_path(home, "xml", spoken)),
            json=places.public_file(feed_path(home, "json", spoken)),
            since=shelf.created_at,
            entries=view.issues,
            address_of=lambda each: _public(each, shelf.slug, places),
        )

    def whole_feed(
        self,
        front: Front,
        entries: Sequence[Edition],
        language: Language,
        identity: str,
        places: Places,
    ) -> Feed:
        """The feed of all lists together."""
        slugs = {shelf.id: shelf.slug for shelf, _, _ in front.shelves}
        epoch = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
        return Feed(
            name=ALL,
            identity=identity,
            title=self._organisation or language.plain("archive.title"),
            description="",
            author=self._organisation or language.plain("archive.title"),
            language="",
            home=places.public("archive"),
            atom=places.public_file("archive/feed.xml"),
            json=places.public_file("archive/feed.json"),
            since=min((shelf.created_at for shelf, _, _ in front.shelves), default=epoch),
            entries=entries,
            address_of=lambda each: _public(each, slugs[each.list_id], places),
        )

    def _render(self, template: str, language: Language, places: Places, **values: Any) -> str:
        shown = {"static": places.file("static") + "/", "front": places.page("archive")} | values
        return self._pages.render(template, language, **shown)

    def _told(
        self, each: Edition, shelf: str, language: Language, places: Places
    ) -> dict[str, Any]:
        def to(spoken: str) -> str:
            return places.issue(issue_path(shelf, each.slug, spoken, each.languages))

        return {
            "title": each.title,
            "description": each.description,
            "language": each.language,
            "words": each.words,
            "day": say_day(each.sent_at, language.code, zone=self._zone),
            "moment": each.sent_at.isoformat(timespec="seconds"),
            "url": to(each.language),
            "also": [
                (
                    spoken,
                    self._name(spoken),
                    to(spoken),
                )
                for spoken in each.languages
                if spoken != each.language
            ],
        }

    def _months(
        self, view: ListView, language: Language, places: Places
    ) -> list[tuple[str, list[dict[str, Any]]]]:
        """Every month by year, the newest first."""
        years: dict[str, list[dict[str, Any]]] = {}
        for month, count in view.months.items():
            told = {
                "name": language.plain(f"months.m{month[5:]}"),
                "full": self._month(month, language),
                "url": places.page(month_path(view.shelf.slug, month)),
                "count": count,
                "current": month == view.month,
            }
            years.setdefault(month[:4], []).append(told)
        return list(years.items())

    def _month(self, month: str, language: Language) -> str:
        name = language.plain(f"months.m{month[5:]}")
        return language.plain("archive.month", month=name, year=month[:4])

    def _way(
        self, month: str, slug: str, language: Language, places: Places
    ) -> tuple[str, str] | None:
        if not month:
            return None
        return places.page(month_path(slug, month)), self._month(month, language)

    def _name(self, tag: str) -> str:
        """A language's own name where the site speaks it, else its tag."""
        known = self._pages.catalogue.languages.get(tag.lower())
        return known.name if known is not None else tag

    def _feeds(self, home: str, places: Places, languages: Sequence[str] = ()) -> dict[str, Any]:
        """Where the feeds lie; those of single languages where there are several."""

        def of(language: str = "") -> dict[str, str]:
            return {
                "atom": places.file(feed_path(home, "xml", language)),
                "json": places.file(feed_path(home, "json", language)),
            }

        several = languages if len(languages) > 1 else ()
        return {**of(), "spoken": [(each, self._name(each), of(each)) for each in several]}


def _public(each: Edition, shelf: str, places: Places) -> str:
    return places.public(issue_path(shelf, each.slug, each.language, each.languages))
