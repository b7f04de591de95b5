"""Turns the options that an author wrote into the values that a block's templates take."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from markdown_it.token import Token
from markupsafe import Markup

from mailer.compose.block_kinds import BlockKind, OptionKind
from mailer.compose.directives import Block, Option
from mailer.compose.lifting import Lifter, check_nesting
from mailer.compose.markdown import Markdown, trouble_with_lifted
from mailer.compose.moments import Moment, Zone, parse_moment, parse_zone, zone_names
from mailer.compose.names import did_you_mean, nearest
from mailer.compose.pictures import prepare
from mailer.compose.play_mark import with_play_mark
from mailer.compose.text import References, inline_text
from mailer.errors import Fault, InputError
from mailer.model.words import Picture, SiteFile

_YES, _NO = ("yes", "true", "on"), ("no", "false", "off")
_APART = re.compile(r"[,\s]+")


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture as a template sees it; width and height are the file's, in pixels."""

    url: str
    width: int
    height: int
    name: str


@dataclass(frozen=True, slots=True)
class Link:
    """One link of a row of links."""

    label: str  # Markup in the MJML part, plain in the text part
    url: str


@dataclass(slots=True)
class Values:
    """What the templates of one block get: the same options, once as markup, once as text."""

    markup: dict[str, Any] = field(default_factory=dict)
    text: dict[str, Any] = field(default_factory=dict)

    def both(self, name: str, value: Any) -> None:
        self.markup[name] = self.text[name] = value


class Gallery:
    """The pictures of one issue: each file is read and prepared once."""

    def __init__(
        self,
        read_picture: Callable[[str], bytes],
        picture_url: Callable[[str], str],
        read_art: Callable[[str], bytes] | None = None,
    ) -> None:
        self._read = read_picture
        self._read_art = read_art or read_picture
        self._url = picture_url
        self._done: dict[tuple[str, str, int, str], Picture] = {}
        self.pictures: dict[str, Picture] = {}
        self.files: dict[str, SiteFile] = {}

    def address(self, picture: Picture) -> str:
        """Returns where the site shows a picture."""
        return self._url(picture.name)

    def show(self, name: str, width: int, mark: str = "") -> Shown:
        """Returns a picture of the issue's folder; raises InputError."""
        return self._shown("issue", name, width, mark)

    def art(self, name: str, width: int) -> Shown:
        """Returns a picture of the layout's own; raises InputError."""
        return self._shown("layout", name, width, "")

    def keep(self, file: SiteFile) -> str:
        """Keeps a file that the site is to serve; returns its address."""
        self.files[file.name] = file
        return self._url(file.name)

    def _shown(self, place: str, name: str, width: int, mark: str) -> Shown:
        key = (place, name, width, mark)
        if key not in self._done:
            data = (self._read_art if place == "layout" else self._read)(name)
            picture = prepare(data, name=name, shown_width=width)
            self._done[key] = with_play_mark(picture) if mark else picture
        picture = self._done[key]
        self.pictures[picture.name] = picture
        return Shown(self._url(picture.name), picture.width, picture.height, picture.name)


class OptionReader:
    """Reads options block by block and gathers faults."""

    def __init__(
        self,
        markdown: Markdown,
        lifter: Lifter,
        references: References,
        gallery: Gallery,
        faults: list[Fault],
        language: str = "en",
    ) -> None:
        self.language = language
        self.markdown = markdown
        self.lifter = lifter
        self.references = references
        self.gallery = gallery
        self.faults = faults

    def read(self, block: Block, kind: BlockKind) -> Values:
        """Returns the values of a block's options; each unknown or wrong one is a fault."""
        values = Values()
        known = [*kind.options, "when", "lang", "dir"]
        decorative = any(each.type == "picture" for each in kind.options.values())
        if decorative:
            known.append("decorative")
        meant: set[str | None] = set()
        for name, option in block.options.items():
            if name not in known:
                meant.add(nearest(name, known))
                self._fault(
                    f"The block `{block.name}` takes no `{name}`.",
                    option.line,
                    did_you_mean(name, known, kind="options"),
                )
        for name, wanted in kind.options.items():
            written = block.options.get(name)
            if written is None and wanted.default is not None:
                written = Option(wanted.default, block.line)
            if written is None or (written.value == "" and wanted.type != "text"):
                if wanted.required and name not in meant:
                    self._fault(
                        f"The block `{block.name}` needs `{name}`.",
                        block.line,
                        f"Write a line `{name}: …` under it.",
                    )
                values.both(name, False if wanted.type == "flag" else None)
                continue
            self._value(values, wanted, written)
        if decorative:
            self._describe(values, block, kind)
        return values

    def _describe(self, values: Values, block: Block, kind: BlockKind) -> None:
        """Holds that every picture is described in words, or said to be decoration."""
        said = block.options.get("decorative")
        decorative = said is not None and said.value not in _NO
        values.both("decorative", decorative)
        for name, wanted in kind.options.items():
            if wanted.type != "picture" or name not in block.options:
                continue
            alt = kind.alt_of(name)
            written = block.options.get(alt) if alt else None
            if decorative:
                if alt:
                    values.both(alt, "")
            elif alt and (written is None or not (written.value or "").strip()):
                self._fault(
                    f"The picture of `{block.name}` has no `{alt}`.",
                    block.options[name].line,
                    f'Say in words what it shows: `{alt}="…"`; '
                    "or write `decorative` if it shows nothing that matters.",
                    rule="alt-text",
                )

    def _value(self, values: Values, wanted: OptionKind, written: Option) -> None:
        name, line = wanted.name, written.line
        if wanted.type == "flag":
            values.both(name, self._flag(name, written))
            return
        if written.value is None:
            self._fault(f"`{name}` needs a value.", line, f"Write `{name}=…`.")
            values.both(name, None)
            return
        value = written.value
        plain = wanted.fixed or wanted.type in ("picture", "words", "choice", "moment", "zone")
        if plain and self.lifter.found(value):
            self._fault(f"`{name}` can't hold personal text.", line, "Write it out.")
            values.both(name, None)
        elif wanted.type == "inline":
            parsed = self.markdown.parse_inline(value, line, place=f"the option `{name}`")
            values.markup[name] = Markup(self.markdown.html(parsed))  # noqa: S704  # our HTML
            values.text[name] = inline_text(_children(parsed.tokens), self.references)
        elif wanted.type == "links":
            self._links(values, name, value, line)
        elif wanted.type == "picture":
            values.both(name, self._picture(wanted, value, line))
        elif wanted.type == "words":
            values.both(name, self._words(wanted, value, line))
        elif wanted.type == "choice":
            values.both(name, self._choice(wanted, value, line))
        elif wanted.type in ("moment", "zone"):
            values.both(name, self._when(wanted, value, line))
        else:
            check_nesting(self.lifter.tags(value), self.faults, place=f"the option `{name}`")
            values.both(name, self.markdown.line(value) if wanted.type == "text" else value)
            if wanted.type == "url" and (trouble := trouble_with_lifted(value, self.lifter)):
                self._fault(trouble, line, "Write the whole address, with https:// in front.")

    def _flag(self, name: str, written: Option) -> bool:
        value = (written.value or "yes").strip().lower()
        if value not in _YES + _NO:
            self._fault(f"`{name}` is `yes` or `no`, not `{value[:40]}`.", written.line, "")
        return value in _YES

    def _picture(self, wanted: OptionKind, value: str, line: int) -> Shown | None:
        try:
            return self.gallery.show(value, wanted.width, wanted.mark)
        except InputError as error:
            self.faults += [
                Fault(each.message, self.lifter.where, line, each.hint, rule="pictures")
                for each in error.faults
            ]
            return None

    def _when(self, wanted: OptionKind, value: str, line: int) -> Moment | Zone | None:
        try:
            if wanted.type == "moment":
                return parse_moment(value, self.language)
            return parse_zone(value)
        except ValueError as error:
            hint = "Write `2026-12-04 18:00`, or the day alone."
            if wanted.type == "zone":
                near = nearest(value, zone_names())
                hint = f"Did you mean `{near}`?" if near else "Write a name such as Europe/Zurich."
            self._fault(f"`{wanted.name}`: {error}.", line, hint)
            return None

    def _words(self, wanted: OptionKind, value: str, line: int) -> list[str]:
        words = [each for each in _APART.split(value) if each]
        for word in words:
            if wanted.among and word not in wanted.among:
                self._not_among(wanted, word, line)
        return words

    def _choice(self, wanted: OptionKind, value: str, line: int) -> str:
        if value not in wanted.among:
            self._not_among(wanted, value, line)
        return value

    def _not_among(self, wanted: OptionKind, word: str, line: int) -> None:
        self._fault(
            f"`{wanted.name}` can't be `{word[:40]}`.",
            line,
            did_you_mean(word, wanted.among, kind="values"),
        )

    def _links(self, values: Values, name: str, value: str, line: int) -> None:
        """Reads ``[Read more](https://…) | [Watch](https://…)``."""
        parsed = self.markdown.parse_inline(value, line, place=f"the option `{name}`")
        tokens = _children(parsed.tokens)
        markup: list[Link] = []
        text: list[Link] = []
        rest = ""
        at = 0
        while at < len(tokens):
            token = tokens[at]
            if token.type != "link_open":
                rest += token.content or ("?" if token.nesting else "")
                at += 1
                continue
            end = next(n for n in range(at, len(tokens)) if tokens[n].type == "link_close")
            url = str(token.attrGet("href") or "")
            inside = tokens[at + 1 : end]
            html = Markup(self.markdown.html_of(_inline(inside)))  # noqa: S704  # our own HTML
            markup.append(Link(html, url))
            text.append(Link(inline_text(inside, self.references), url))
            at = end + 1
        left = self.lifter.bare(rest).replace("|", " ").strip()
        if left or not markup:
            self._fault(
                f"`{name}` is a row of links; `{(left or value)[:40]}` is none.",
                line,
                "Write `[Read more](https://…) | [Watch](https://…)`.",
            )
        values.markup[name], values.text[name] = markup, text

    def _fault(self, message: str, line: int, hint: str, *, rule: str = "blocks") -> None:
        self.faults.append(Fault(message, self.lifter.where, line, hint or None, rule=rule))


def _children(tokens: tuple[Token, ...]) -> list[Token]:
    return [child for token in tokens for child in token.children or []]


def _inline(children: list[Token]) -> list[Token]:
    holder = Token("inline", "", 0)
    holder.children = children
    return [holder]
