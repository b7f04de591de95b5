"""Composes an issue: Markdown with blocks and a layout in, one rendition out.

::

    issue.md ─▶ clean ─▶ lift ─▶ front matter + blocks ─▶ values ─▶ Jinja2 ─▶ MJML ─▶ HTML
                                                             └────▶ Jinja2 ─▶ text part

Everything is checked before anything is rendered, so that an author hears of all faults at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from lxml import etree
from markupsafe import Markup

from mailer.compose.calendar import Event, calendar_file
from mailer.compose.carrying import EMBEDDED, MOST_EMBEDDED, carried, embedded_in
from mailer.compose.css import troubles_of
from mailer.compose.dates import day_in_words
from mailer.compose.filling import Filled, Filler
from mailer.compose.inline import MARK, inline_styles, parse, serialise
from mailer.compose.languages import Offered
from mailer.compose.layout import Layout
from mailer.compose.mjml import (
    EngineError,
    locate,
    locate_engine,
    prepared,
    run_engine,
    without,
)
from mailer.compose.mjml_check import Inspection, inspect
from mailer.compose.moments import Moment, Zone
from mailer.compose.options import Gallery, Shown
from mailer.compose.reading import ALONE, NOBODY, Brand, Issue, Variants, read_issue
from mailer.compose.snippets import Origins, ReadSnippet, no_snippets
from mailer.compose.source import Front
from mailer.compose.speech import Speech, other_defaults, put_back, taken_out, turned
from mailer.compose.templates import MARKED, MARKUP, TEXT, Source
from mailer.compose.text import tidy
from mailer.compose.web import Card, web_version
from mailer.compose.wrapping import anchored
from mailer.errors import Fault, InputError
from mailer.model.words import Rendition, SlotKind

__all__ = ["Brand", "Composed", "Front", "Variants", "compose_issue"]

# What a layout's templates may say about the reader and the campaign; values, per person.
BUILT_IN = (
    "unsubscribe_url",
    "preferences_url",
    "reconfirm_url",
    "web_url",
    "web_home",
    "email",
    "list",
    "campaign",
)
NOWHERE = Origins("")


@dataclass(frozen=True, slots=True)
class Composed:
    """A composed issue: what was declared, what was rendered, and what deserves a look."""

    front: Front
    rendition: Rendition
    warnings: tuple[Fault, ...] = ()
    brand: Brand = NOBODY
    where: str = ""  # the issue's path, for people
    source: str = ""  # the issue as it was written, so that a finding can name its line
    picture_urls: frozenset[str] = frozenset()
    others: tuple[Offered, ...] = ()  # the other languages of the issue
    origins: Origins = NOWHERE  # of the lines of ``source``
    borrowed: frozenset[str] = frozenset()  # the files that it took from the workspace's snippets

    @property
    def offered(self) -> Offered:
        """The language that this is written in, and the readers that it is for."""
        return Offered(self.front.lang, self.front.also_for)

    def placed(self) -> Composed:
        """The same with the author's file and line for each slot, once checks are done with it.

        Until then lines are those of ``source``, in which snippets have been put.
        """
        slots = []
        for slot in self.rendition.slots:
            origin = self.origins.of(slot.line) if slot.file == self.where else None
            slots.append(replace(slot, file=origin.file, line=origin.line) if origin else slot)
        return replace(self, rendition=replace(self.rendition, slots=tuple(slots)))


def compose_issue(
    issue_text: str,
    *,
    where: str,
    read_picture: Callable[[str], bytes],
    layout: Layout | Callable[[str], Layout],
    picture_url: Callable[[str], str],
    brand: Brand = NOBODY,
    variants: Variants = ALONE,
    read_snippet: ReadSnippet = no_snippets,
) -> Composed:
    """Renders an issue once, for everybody; raises InputError with every fault that was found.

    ``where`` is the issue's path for people. ``read_picture`` gives the bytes of a file in the
    issue's folder, ``picture_url`` the address of a prepared picture by its content name.
    ``layout`` is a loaded layout, or loads the one that the front matter names. ``variants`` says
    which language this is, and which others there are. ``read_snippet`` gives the text of a
    snippet, and its path for people.
    """
    faults: list[Fault] = []
    issue = read_issue(issue_text, where, layout, brand, faults, variants, read_snippet)
    gallery = Gallery(read_picture, picture_url, issue.layout.picture)
    filled = Filler(issue, gallery, faults).fill()
    if faults:
        faults.sort(key=lambda fault: (fault.file or "", fault.line or 0))
        raise InputError(issue.origins.placed(each) for each in faults)
    try:
        rendition = _Renderer(issue, gallery, brand, variants.others).render(filled)
    except InputError as error:
        raise InputError(issue.origins.placed(each) for each in error.faults) from error
    return Composed(
        issue.front,
        rendition,
        brand=brand,
        where=where,
        source=issue.text,
        picture_urls=frozenset(picture_url(each.name) for each in rendition.pictures),
        others=variants.others,
        origins=issue.origins,
    )


class _Renderer:
    """Fills the templates of one issue, runs engine and inliner, and writes both parts."""

    def __init__(
        self, issue: Issue, gallery: Gallery, brand: Brand, others: tuple[Offered, ...]
    ) -> None:
        self.front = issue.front
        self.layout = issue.layout
        self.lifter = issue.lifter
        self.gallery = gallery
        self.others = others
        self.line = 0  # of the block that is being written
        self.markers: dict[str, Speech] = {}  # the comments around blocks in another language
        self.defaults: dict[Speech, dict[str, dict[str, str]]] = {}
        self.host = urlsplit(brand.site_url).hostname or ""
        self.built_in = {
            name: self.lifter.take(SlotKind.value, name, 0, file=self.layout.document.file)
            for name in BUILT_IN
        }
        self.common: dict[str, Any] = {
            **self.built_in,
            "t": self.layout.theme,
            "w": self.layout.words(issue.front.lang),
            "art": self._art,
            "calendar": self._calendar,
            "issue": {
                **_issue_values(issue.front),
                "languages": [
                    {
                        "tag": each.tag,
                        "dir": each.dir,
                        "name": each.name,
                        "url": f"{self.built_in['web_home']}/{each.tag}",
                    }
                    for each in others
                ],
            },
            "organisation": brand.organisation,
            "postal_address": brand.postal_address,
            "site_url": brand.site_url,
        }

    def render(self, filled: list[Filled]) -> Rendition:
        """Returns everything that a message and a web page are made of."""
        front = self.front
        mail, web = self._html(filled)
        text = self._text(filled)
        used = "\n".join((front.subject, front.preheader, mail, web, text))
        seen = {slot.sentinel: slot for slot in self.lifter.found(used)}
        pictures = tuple(self.gallery.pictures.values())
        return Rendition(
            subject=front.subject,
            preheader=front.preheader,
            html=mail,
            web_html=web,
            text=text,
            slots=tuple(slot for slot in self.lifter.slots.values() if slot.sentinel in seen),
            language=front.lang,
            direction=front.dir,
            pictures=pictures,
            embedded=embedded_in(mail, pictures),
            files=tuple(self.gallery.files.values()),
        )

    def _document(self, filled: list[Filled], how: str) -> str:
        """Returns the whole MJML document; ``how`` is MARKUP, or MARKED to find places."""
        templates = self.layout.templates
        pieces: list[str] = []
        for one in filled:
            piece = self._piece(one, how)
            if one.speech is not None:
                piece = self._spoken(piece, one.speech)
            if one.when is not None:
                piece = f"<!--{one.when[0].sentinel}-->{piece}<!--{one.when[1].sentinel}-->"
            pieces.append(piece)
        style = "\n".join(self._css(each, inlined=True) for each in self.layout.style_css)
        media = "\n".join(self._css(each, inlined=False) for each in self.layout.media_css)
        values = {
            **self.common,
            "blocks": Markup("\n".join(pieces)),  # noqa: S704  # each was rendered with escaping
            "style_css": Markup(MARK + style),  # noqa: S704  # the layout's own rules
            "media_css": Markup(media),  # noqa: S704  # likewise
        }
        return templates.render(self.layout.document, how, values)

    def _common(self, speech: Speech | None) -> dict[str, Any]:
        """What every template sees; to a block with its own language the issue speaks that."""
        if speech is None:
            return self.common
        issue = {**self.common["issue"], "lang": speech.lang, "dir": speech.dir}
        return {**self.common, "issue": issue, "w": self.layout.words(speech.lang)}

    def _spoken(self, piece: str, speech: Speech) -> str:
        """Returns a block's MJML in its own direction, between comments that name it."""
        if speech not in self.defaults:
            bare = {"blocks": "", "style_css": "", "media_css": ""}
            ours, theirs = (
                self.layout.templates.render(self.layout.document, MARKUP, {**each, **bare})
                for each in (self.common, self._common(speech))
            )
            self.defaults[speech] = other_defaults(ours, theirs)
        marker = f"{self.lifter.prefix}speech{len(self.markers) + 1}"
        self.markers[marker] = speech
        return f"<!--{marker}-->{turned(piece, self.defaults[speech])}<!--/{marker}-->"

    def _piece(self, one: Filled, how: str, around: Mapping[str, Any] | None = None) -> str:
        """Returns one block's template filled in, what it holds first."""
        own = one.values.text if how == TEXT else one.values.markup
        values = {**self._common(one.speech), "outer": None, **own, **(around or {})}
        held = []
        for position, child in enumerate(one.children):
            where = {"outer": values, "position": position, "count": len(one.children)}
            piece = self._piece(child, how, where)
            held.append(tidy(piece) if how == TEXT else Markup(piece))  # noqa: S704  # escaped
        if one.kind.body == "blocks":
            values["body"] = held
        source = one.kind.text if how == TEXT else one.kind.markup
        self.line = one.line
        return self.layout.templates.render(source, how, values)

    def _art(self, name: str, width: int = 600) -> Shown:
        """A picture of the layout's own, for its templates."""
        try:
            return self.gallery.art(name, width)
        except InputError as error:
            raise LookupError(error.faults[0].message.rstrip(".")) from error

    def _calendar(
        self,
        title: str,
        start: Moment,
        end: Moment | None = None,
        zone: Zone | None = None,
        place: str | None = None,
        url: str | None = None,
    ) -> str:
        """The address of a calendar file, for templates."""
        day = self.front.date
        event = Event(title, start, end, zone, place or "", url or "", self.host, day)
        try:
            return self.gallery.keep(calendar_file(event))
        except ValueError as error:
            where, line = self.lifter.where, self.line
            raise InputError(
                Fault(f"The calendar can't take this: {error}.", where, line)
            ) from error

    def _css(self, source: Source, *, inlined: bool, speech: Speech | None = None) -> str:
        """Returns a style sheet with its tokens filled in; raises InputError with the line."""
        templates = self.layout.templates
        css = templates.render(source, TEXT, self._common(speech))
        troubles = troubles_of(css, inlined=inlined)
        if troubles:
            text, places = templates.unmark(templates.render(source, MARKED, self.common))
            marked = troubles_of(text, inlined=inlined)
            offsets = [each.offset for each in marked] if len(marked) == len(troubles) else []
            lines = [place[1] if (place := places.at(each)) else None for each in offsets]
            lines += [None] * (len(troubles) - len(lines))
            raise InputError(
                Fault(each.message, source.file, line, each.hint, rule="layout")
                for each, line in zip(troubles, lines, strict=True)
            )
        return css

    def _html(self, filled: list[Filled]) -> tuple[str, str]:
        """Returns the mail's HTML and the web version's."""
        markup = prepared(self._document(filled, MARKUP), self._ours)
        found = inspect(markup)
        file = self.layout.document.file
        templates = self.layout.templates
        if found.troubles:
            marked = self._document(filled, MARKED)
            raise InputError(
                locate(marked, templates, self._ours, file)
                or [Fault(each.message, file, None, each.hint) for each in found.troubles]
            )
        self._check_conditions(filled, found)
        try:
            root = self._root(without(markup, "web-only"))
            page = self._root(markup) if "web-only" in markup else root
        except EngineError as error:
            marked = self._document(filled, MARKED)
            raise InputError(
                locate_engine(marked, templates, self._ours, file)
                or [Fault(f"The MJML engine can't render this: {error}.", file)]
            ) from error
        sentinels = frozenset(self.lifter.slots)
        languages = self.common["issue"]["languages"]
        card = Card(
            self.front.subject, self.front.preheader, self.front.lang, self.common["organisation"]
        )
        web = serialise(web_version(page, is_sentinel=sentinels, card=card, languages=languages))
        return self._carried(root), web

    def _carried(self, root: etree._Element) -> str:
        """Returns the mail's HTML with its pictures as the front matter wants them."""
        way, line = self.front.images, self.front.line("images")
        pictures = {self.gallery.address(each): each for each in self.gallery.pictures.values()}
        weight = sum(len(each.data) for each in pictures.values())
        if way == EMBEDDED and weight > MOST_EMBEDDED:
            raise InputError(
                Fault(
                    f"The pictures have {weight / 1e6:.1f} MB, too much to put into every mail.",
                    self.lifter.where,
                    line,
                    f"At most {MOST_EMBEDDED / 1e6:.0f} MB can be; the site can host them all.",
                    rule="pictures",
                )
            )
        return carried(root, way, pictures)

    def _root(self, markup: str) -> etree._Element:
        root = parse(run_engine(markup))
        spoken = taken_out(root, self.markers) if self.markers else []
        inline_styles(root)
        put_back(spoken, self._style_of)
        return root

    def _style_of(self, speech: Speech) -> str:
        sheets = (self._css(each, inlined=True, speech=speech) for each in self.layout.style_css)
        return "\n".join(sheets)

    def _ours(self, comment: str) -> bool:
        return comment in self.lifter.slots or comment.removeprefix("/") in self.markers

    def _check_conditions(self, filled: list[Filled], found: Inspection) -> None:
        """Refuses a condition where the engine would break it: inside of mj-wrapper."""
        parents = {comment: parent for _, comment, parent in found.comments}
        faults = [
            Fault(
                f"`when` can't be used here: the layout puts `{one.kind.name}` into"
                f" `<{parents[one.when[0].sentinel]}>`.",
                self.lifter.where,
                one.when[0].line,
                "Put the condition into the text, or take another layout.",
                rule="personal-text",
            )
            for one in filled
            if one.when is not None and parents.get(one.when[0].sentinel, "mj-body") != "mj-body"
        ]
        if faults:
            raise InputError(faults)

    def _text(self, filled: list[Filled]) -> str:
        templates = self.layout.templates
        blocks = ""
        for one in filled:
            piece = tidy(self._piece(one, TEXT))
            if not self.lifter.only_tags(piece.rstrip("\n").rpartition("\n")[2]):
                piece += "\n"
            if one.when is not None:  # a tag's line goes away whole, and the blank one stays
                piece = f"{one.when[0].sentinel}\n{piece}{one.when[1].sentinel}\n"
            blocks += piece
        values = {**self.common, "blocks": blocks.strip("\n")}
        text = tidy(templates.render(self.layout.text_document, TEXT, values))
        return "\n".join(
            line if self.lifter.only_tags(line) else anchored(line, self.front.dir)
            for line in text.split("\n")
        )


def _issue_values(front: Front) -> dict[str, str]:
    return {
        "subject": front.subject,
        "preheader": front.preheader,
        "title": front.title or front.subject,
        "lang": front.lang,
        "dir": front.dir,
        "date": day_in_words(front.date, front.lang) if front.date else "",
        "contact": front.contact,
    }
