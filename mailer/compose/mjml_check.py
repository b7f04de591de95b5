"""Checks rendered MJML before the engine sees it: well-formed, not too deep, known words."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html.entities import html5
from xml.parsers import expat  # it stops at a document type, so no entity can unfold

from mailer.compose.mjml_values import trouble_with
from mailer.compose.mjml_words import ANYWHERE, NEEDED, REFUSED, SHARING, TAGS
from mailer.compose.names import did_you_mean

# The engine recurses: about 1,800 levels kill the process, and no mail needs 60.
DEEPEST = 60
_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]*);")
_XML_ENTITIES = {"amp", "lt", "gt", "quot", "apos"}
_TAG = re.compile(rb"""<(?:[^<>"']|"[^"]*"|'[^']*')*>""")
_EVERY = frozenset().union(*(tag.attributes for tag in TAGS.values()))
_MOST = 50  # troubles; then the rest is not read
_COMMENT = re.compile(r"<!--(.*?)-->", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong with rendered MJML, at an offset in characters."""

    offset: int
    message: str
    hint: str | None = None


@dataclass(slots=True)
class Marked:
    """An element with a class that is told apart: where it begins and ends, in characters."""

    start: int
    end: int
    classes: frozenset[str]


@dataclass(slots=True)
class Inspection:
    """What one pass over rendered MJML found."""

    troubles: list[Trouble] = field(default_factory=list)
    comments: list[tuple[int, str, str]] = field(default_factory=list)  # offset, text, parent
    elements: list[Marked] = field(default_factory=list)


def named_entities(text: str) -> str:
    """Writes HTML's named entities as characters, because XML knows only five."""

    def character(found: re.Match[str]) -> str:
        name = found.group(1)
        return found.group() if name in _XML_ENTITIES else html5.get(f"{name};", found.group())

    return _ENTITY.sub(character, text)


def strip_comments(text: str, keep: Callable[[str], bool]) -> str:
    """Takes out the comments of the layout's author; conditional ones and ``keep`` stay."""

    def judged(found: re.Match[str]) -> str:
        inside = found.group(1)
        return found.group() if inside.lstrip().startswith("[if") or keep(inside) else ""

    return _COMMENT.sub(judged, text)


def inspect(text: str, *, told_apart: frozenset[str] = frozenset()) -> Inspection:
    """Reads rendered MJML once; elements with a class of ``told_apart`` are listed."""
    return _Inspector(text, told_apart).run()


class _Inspector:
    def __init__(self, text: str, told_apart: frozenset[str]) -> None:
        self.data = text.encode("utf-8", "surrogatepass")
        self.ascii = len(self.data) == len(text)
        self.reached = (0, 0)  # the last place that was asked for: bytes, characters
        self.told_apart = told_apart
        self.found = Inspection()
        self.open: list[str] = []
        self.defaults: dict[str, set[str]] = {}  # what mj-attributes says, by tag
        self.seen_body = False
        self.marked: list[Marked | None] = []
        self.parser = expat.ParserCreate("utf-8")
        self.parser.ordered_attributes = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CommentHandler = self.comment
        self.parser.CharacterDataHandler = self.characters
        self.parser.StartCdataSectionHandler = self.cdata
        self.parser.ProcessingInstructionHandler = self.instruction
        self.parser.StartDoctypeDeclHandler = self.doctype

    def run(self) -> Inspection:
        try:
            self.parser.Parse(self.data, True)
            if not self.seen_body:
                self._tell("There is no `<mj-body>`.", "It holds what is shown.", 0)
        except expat.ExpatError as error:
            if not self.found.troubles or self.parser.ErrorByteIndex >= 0:
                self._broken(error)
        except _Enough:
            pass
        return self.found

    def _broken(self, error: expat.ExpatError) -> None:
        message = expat.ErrorString(error.code) or "it can't be read"
        hint = None
        if message == "mismatched tag" and self.open:
            message = f"`<{self.open[-1]}>` is not closed before this tag"
            hint = "Close every tag; write `<br />` and `<img … />`."
        elif message == "not well-formed (invalid token)":
            hint = "A `<` or `&` that is text is written `&lt;` or `&amp;`."
        self._tell(f"The MJML is not well-formed: {message}.", hint, self.parser.ErrorByteIndex)

    def _tell(self, message: str, hint: str | None = None, at: int | None = None) -> None:
        at = self.parser.CurrentByteIndex if at is None else at
        self.found.troubles.append(Trouble(self._characters_before(at), message, hint))
        if len(self.found.troubles) >= _MOST:
            raise _Enough

    def _characters_before(self, index: int) -> int:
        """Counts characters up to a byte; on from the last place, or the work would be square."""
        if self.ascii:
            return index
        if index < self.reached[0]:
            self.reached = (0, 0)
        start, count = self.reached
        count += len(self.data[start:index].decode("utf-8", "replace"))
        self.reached = (index, count)
        return count

    def start(self, name: str, attributes: list[str]) -> None:
        parent = self.open[-1] if self.open else ""
        said = dict(zip(attributes[::2], attributes[1::2], strict=True))
        if name.startswith("mj"):
            self._mjml(name, parent, said)
        elif parent in TAGS and not TAGS[parent].html:
            self._tell(
                f"`<{name}>` can't stand in `<{parent}>`.",
                "HTML stands in mj-text, mj-table or mj-raw.",
            )
        elif not self.open:
            self._tell(f"The document begins with `<{name}>`.", "It must be `<mjml>`.")
        self.open.append(name)
        if len(self.open) > DEEPEST:
            self._tell(f"Elements are nested deeper than {DEEPEST} levels.", "Flatten them.")
            raise _Enough
        classes = frozenset(f"{said.get('css-class', '')} {said.get('class', '')}".split())
        apart = classes & self.told_apart
        mark = None
        if apart:
            at = self.parser.CurrentByteIndex
            tag = _TAG.match(self.data, at)
            mark = Marked(self._characters_before(at), 0, apart)
            self.found.elements.append(mark)
            if tag is not None and tag.group().endswith(b"/>"):
                mark.end = self._characters_before(tag.end())
        self.marked.append(mark)

    def end(self, name: str) -> None:
        self.open.pop()
        mark = self.marked.pop()
        if mark is not None and not mark.end:
            closing = _TAG.match(self.data, self.parser.CurrentByteIndex)
            mark.end = self._characters_before(closing.end() if closing else len(self.data))

    def _mjml(self, name: str, parent: str, said: dict[str, str]) -> None:
        if name in REFUSED:
            self._tell(f"`<{name}>` can't be used.", REFUSED[name])
            return
        inside_html = any(each in TAGS and TAGS[each].html for each in self.open)
        if parent == "mj-attributes":
            self.defaults.setdefault(name, set()).update(said)
        if parent == "mj-attributes" and name in ("mj-all", "mj-class"):
            self._attributes(name, _EVERY | TAGS[name].attributes, said)
            return
        if parent == "mj-attributes" and name in TAGS:
            self._attributes(name, TAGS[name].attributes | ANYWHERE, said)
            return
        if name not in TAGS:
            self._tell(f"MJML has no `<{name}>`.", did_you_mean(name, TAGS, kind="tags"))
            return
        tag = TAGS[name]
        first = name == "mjml" and not parent
        if not first and (inside_html or parent not in tag.parents):
            allowed = ", ".join(sorted(tag.parents))
            self._tell(
                f"`<{name}>` can't stand in `<{parent or 'nothing'}>`.",
                f"It stands in {allowed}." if allowed else "It begins the document.",
            )
        self._attributes(name, tag.attributes | ANYWHERE, said)
        self._needs(name, said)
        self.seen_body |= name == "mj-body"

    def _attributes(self, name: str, known: frozenset[str], said: dict[str, str]) -> None:
        for attribute, value in said.items():
            if attribute not in known:
                hint = did_you_mean(attribute, known, kind="attributes")
                self._tell(f"`<{name}>` takes no `{attribute}`.", hint, self._place(attribute))
            elif trouble := trouble_with(name, attribute, value):
                self._tell(f"`<{name}>`: {trouble[0]}", trouble[1], self._place(attribute))

    def _needs(self, name: str, said: dict[str, str]) -> None:
        """Asks for what the engine would fill in by itself: other people's pictures, or nothing."""
        given = said.keys() | self.defaults.get(name, set()) | self.defaults.get("mj-all", set())
        for attribute, why in NEEDED.get(name, {}).items():
            if attribute not in given and "mj-class" not in said:
                self._tell(f"`<{name}>` needs `{attribute}`.", why)
        if name == "mj-social-element" and said.get("name") in SHARING:
            self._tell(
                f"The engine makes a share link of `href` for the name `{said['name']}`.",
                f"Write `{said['name']}-noshare`, or leave `name` out.",
                self._place("name"),
            )

    def _place(self, attribute: str) -> int:
        """Returns where an attribute of the present tag begins, in bytes."""
        at = self.parser.CurrentByteIndex
        tag = _TAG.match(self.data, at)
        pattern = rb"\s" + re.escape(attribute.encode()) + rb"\s*="
        found = re.compile(pattern).search(self.data, at, tag.end() if tag else at)
        return found.start() + 1 if found else at

    def characters(self, text: str) -> None:
        parent = self.open[-1] if self.open else ""
        if text.strip() and parent in TAGS and not TAGS[parent].html:
            blanks = text[: len(text) - len(text.lstrip())]
            self._tell(
                f"There is text in `<{parent}>`, where no text is shown.",
                "Put it into mj-text.",
                self.parser.CurrentByteIndex + len(blanks.encode()),
            )

    def comment(self, text: str) -> None:
        at = self._characters_before(self.parser.CurrentByteIndex)
        self.found.comments.append((at, text, self.open[-1] if self.open else ""))

    def cdata(self) -> None:
        self._tell("CDATA can't be used.", "Write the text with `&lt;` and `&amp;`.")

    def instruction(self, target: str, data: str) -> None:
        self._tell(f"`<?{target}` can't be used.", "Delete it.")

    def doctype(self, *_: object) -> None:
        self._tell("A document type can't be used.", "Begin with `<mjml>`.")
        raise _Enough


class _Enough(Exception):  # noqa: N818  # it stops the parser, it is no error
    """Stops reading."""
