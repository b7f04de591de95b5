"""Looks at a composed issue as a reader's mail program would, and says what is wrong with it.

Each rule has a name that stays. An error stops a plan; a warning deserves a look.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree

from mailer.compose.compose import Composed
from mailer.compose.inline import parse
from mailer.compose.links import trouble_with
from mailer.errors import Fault
from mailer.model.words import Slot, SlotKind

# Gmail shows a mail's first 102 kB and hides the rest, the unsubscribe link among it.
CLIPPED_AT, CLOSE_TO_CLIPPED = 102_000, 90_000
LONGEST_SUBJECT = 78  # RFC 5322 section 2.1.1 for a line; list views show 40 to 70
LONGEST_PREHEADER = 150
_VAGUE = {"click here", "here", "click", "link", "this link", "this", "more info"}
_OWN_URL = ("unsubscribe_url", "preferences_url", "email")  # one reader's: never on the web
_BUILT_IN = {*_OWN_URL, "web_url", "web_home", "list", "campaign"}
_DEFAULT = re.compile(r"\|\s*default(?:_web)?\b")
_LOOP = re.compile(r"for\s+(\w+)\s+in\b")
_NAME = re.compile(r"\w+")
_CSS_URL = re.compile(r"url\(\s*[\"']?([^\"')]+)", re.IGNORECASE)
_OUTLOOK_URL = re.compile(r"<v:(?:fill|image)\b[^>]*\bsrc=\"([^\"]*)\"", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Findings:
    """What ``check`` found."""

    errors: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.errors


def check(composed: Composed) -> Findings:
    """Applies every rule to a composed issue; nothing is rendered and nothing is fetched."""
    return _Check(composed).run()


@dataclass(slots=True)
class _Check:
    composed: Composed
    errors: list[Fault] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)
    known: dict[str, Slot] = field(init=False)
    pattern: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        self.known = {slot.sentinel: slot for slot in self.composed.rendition.slots}
        self.pattern = re.compile("|".join(map(re.escape, self.known)) or r"(?!)")

    def run(self) -> Findings:
        root = parse(self.composed.rendition.html)
        self._front()
        self._frame(root)
        self._pictures(root)
        self._links(root)
        self._headings(root)
        self._footer(root)
        self._loads(root)
        self._web()
        self._size()
        self.warnings[:0] = self.composed.warnings
        return Findings(tuple(self.errors), tuple(self.warnings))

    # Where and how to tell ---------------------------------------------------------------

    def _tell(
        self, into: list[Fault], rule: str, message: str, line: int | None, hint: str = ""
    ) -> None:
        into.append(Fault(message, self.composed.where, line, hint or None, rule=rule))

    def _line(self, fragment: str) -> int | None:
        """Returns the first line of the issue that holds a text; None if the layout wrote it."""
        at = self.composed.source.find(fragment) if fragment else -1
        return self.composed.source.count("\n", 0, at) + 1 if at >= 0 else None

    def _slots(self, text: str) -> list[Slot]:
        """Returns the slots that stand in a text, in order, each once."""
        return [self.known[each] for each in dict.fromkeys(self.pattern.findall(text))]

    def _bare(self, text: str) -> str:
        return self.pattern.sub("", text)

    # Rules -------------------------------------------------------------------------------

    def _front(self) -> None:
        front = self.composed.front
        subject, preheader = self._bare(front.subject).strip(), self._bare(front.preheader).strip()
        if len(subject) > LONGEST_SUBJECT:
            self._tell(
                self.warnings,
                "subject-length",
                f"The subject has {len(subject)} characters; most readers see 40 to 70.",
                front.line("subject"),
                "Put what matters first, or shorten it.",
            )
        if not front.preheader:
            self._tell(
                self.warnings,
                "preheader-missing",
                "There is no preheader: mail programs will show the first words they find.",
                front.line("preheader"),
                "Write `preheader: …`, one sentence that adds to the subject.",
            )
        elif preheader == subject:
            self._tell(
                self.warnings,
                "preheader-repeats",
                "The preheader repeats the subject.",
                front.line("preheader"),
                "Say something more.",
            )
        elif len(preheader) > LONGEST_PREHEADER:
            self._tell(
                self.warnings,
                "preheader-length",
                f"The preheader has {len(preheader)} characters and will be cut.",
                front.line("preheader"),
                f"At most {LONGEST_PREHEADER} are shown anywhere.",
            )

    def _frame(self, root: etree._Element) -> None:
        """WCAG 2.2 criteria 2.4.2 (title), 3.1.1 (language)."""
        front = self.composed.front
        if root.get("lang") != front.lang or root.get("dir") != front.dir:
            self._tell(
                self.errors,
                "language",
                "The layout does not set the issue's language and direction.",
                None,
                'Write `<mjml lang="{{ issue.lang }}" dir="{{ issue.dir }}">` in layout.mjml.',
            )
        if not (root.findtext("head/title") or "").strip():
            self._tell(
                self.errors,
                "title",
                "The mail has no title.",
                None,
                "Write `<mj-title>{{ issue.title }}</mj-title>` in layout.mjml.",
            )

    def _pictures(self, root: etree._Element) -> None:
        for image in root.iter("img"):
            if image.get("alt") is None:
                self._tell(
                    self.errors,
                    "alt-text",
                    f"The picture {image.get('src', '')[-60:]} has no alternative text.",
                    None,
                    'Write alt="…", or alt="" when it is decoration.',
                )
            if not image.get("src"):
                self._tell(
                    self.errors,
                    "picture-missing",
                    f"A picture has no address (alternative text: {image.get('alt') or 'none'}).",
                    None,
                    "The layout must give it a `src`; the engine has few icons.",
                )

    def _links(self, root: etree._Element) -> None:
        seen: set[str] = set()
        for link in root.iter("a"):
            href = link.get("href") or ""
            label = " ".join("".join(link.itertext()).split())
            if href not in seen:
                seen.add(href)
                self._address(href)
            alternatives = [image.get("alt") or "" for image in link.iter("img")]
            if not label and not any(alternatives):
                self._tell(
                    self.errors,
                    "link-text",
                    f"The link to {href[:80]} has no text.",
                    self._line(href),
                    "Say where it leads.",
                )
            elif self._bare(label).strip(" .»›→").casefold() in _VAGUE:
                self._tell(
                    self.warnings,
                    "link-text",
                    f"The link text `{label[:40]}` does not say where it leads.",
                    self._line(f"[{label}]"),
                    "Let the words name the page.",
                )

    def _address(self, href: str) -> None:
        first = next(iter(self._slots(href)), None)
        tags = "".join(s.sentinel for s in self._slots(href) if s.kind is SlotKind.tag)
        if tags or (first is not None and href.startswith(first.sentinel)):
            return  # known only per person
        trouble = trouble_with(href)
        if trouble:
            self._tell(self.errors, "link-address", trouble, self._line(href), "Write it whole.")
        elif href.lower().startswith("http:") and not self._own(href):
            self._tell(
                self.warnings,
                "link-https",
                f"The link to {href[:80]} is not encrypted.",
                self._line(href),
                "Use https:// if the site has it.",
            )

    def _own(self, href: str) -> bool:
        """Says whether a link leads to our own site, whose address has a check of its own."""
        site = self.composed.brand.site_url
        return bool(site) and href.startswith(f"{site}/")

    def _headings(self, root: etree._Element) -> None:
        """WCAG 2.2 criterion 1.3.1: levels are not jumped over on the way down."""
        level = 0
        for element in root.iter("h1", "h2", "h3", "h4", "h5", "h6"):
            now = int(str(element.tag)[1])
            if level and now > level + 1:
                text = " ".join("".join(element.itertext()).split())
                self._tell(
                    self.warnings,
                    "heading-order",
                    f"The heading `{text[:60]}` is of level {now}, after one of level {level}.",
                    self._line(text),
                    f"Make it level {level + 1}.",
                )
            level = now

    def _footer(self, root: etree._Element) -> None:
        rendition, brand = self.composed.rendition, self.composed.brand
        leave = [slot.sentinel for slot in rendition.slots if slot.source == "unsubscribe_url"]
        hrefs = " ".join(link.get("href") or "" for link in root.iter("a"))
        for part, text in (("HTML", hrefs), ("text", rendition.text)):
            if not any(sentinel in text for sentinel in leave):
                self._tell(
                    self.errors,
                    "unsubscribe-link",
                    f"The {part} part has no unsubscribe link.",
                    None,
                    "The layout's footer must show {{ unsubscribe_url }}.",
                )
        web = [slot.sentinel for slot in rendition.slots if slot.source == "web_url"]
        if not any(sentinel in hrefs for sentinel in web):
            self._tell(
                self.warnings,
                "web-link",
                "Nothing leads to the web version.",
                None,
                "The layout should link to {{ web_url }} near the top.",
            )
        if not brand.postal_address.strip():
            self._tell(
                self.warnings,
                "postal-address",
                "No postal address is set; a real send will be refused.",
                None,
                "Set MAILER_POSTAL_ADDRESS.",
            )
            return
        for part, text in (("HTML", "".join(root.itertext())), ("text", rendition.text)):
            if _squeezed(brand.postal_address) not in _squeezed(text):
                self._tell(
                    self.errors,
                    "postal-address",
                    f"The {part} part does not show the postal address.",
                    None,
                    "The layout's footer must show {{ postal_address }}.",
                )

    def _loads(self, root: etree._Element) -> None:
        """No mail of ours makes a reader's program call on somebody else."""
        for url in sorted(set(_loaded(root)) - self.composed.picture_urls):
            if url.startswith(("data:", "cid:", "#")):
                continue
            if self.composed.brand.site_url and url.startswith(self.composed.brand.site_url):
                continue
            self._tell(
                self.errors,
                "third-party",
                f"The mail loads {url[:100]} from elsewhere.",
                self._line(url),
                "Put the file into the issue's folder.",
            )

    def _web(self) -> None:
        """The web version is everybody's: nothing in it may be one reader's."""
        web = self.composed.rendition.web_html
        loops = {
            name
            for slot in self.composed.rendition.slots
            if (found := _LOOP.match(slot.source)) and (name := found.group(1))
        }
        for slot in self._slots(web):
            if slot.kind is not SlotKind.value:
                continue
            name = (_NAME.match(slot.source) or [""])[0]
            if name in _OWN_URL and not _DEFAULT.search(slot.source):
                self._at_slot(
                    "web-personal",
                    f"`{{{{ {slot.source} }}}}` is one reader's and would stand on the web.",
                    slot,
                    'Give that element the class "mail-only", or the value a `default`.',
                )
            elif name not in _BUILT_IN | loops and not _DEFAULT.search(slot.source):
                self._at_slot(
                    "web-default",
                    f"`{{{{ {slot.source} }}}}` has nothing to show in the web version.",
                    slot,
                    'Write `| default("…")` behind it.',
                )

    def _at_slot(self, rule: str, message: str, slot: Slot, hint: str) -> None:
        self.errors.append(Fault(message, slot.file, slot.line or None, hint, rule=rule))

    def _size(self) -> None:
        size = len(self.composed.rendition.html.encode())
        if size > CLIPPED_AT:
            self._tell(
                self.errors,
                "html-size",
                f"The HTML part has {size / 1000:.0f} kB; Gmail hides what comes after 102 kB.",
                None,
                "Shorten the issue, or move stories to the web.",
            )
        elif size > CLOSE_TO_CLIPPED:
            self._tell(
                self.warnings,
                "html-size",
                f"The HTML part has {size / 1000:.0f} kB; Gmail hides what comes after 102 kB.",
                None,
                "Leave room for personal text.",
            )


def _squeezed(text: str) -> str:
    return " ".join(text.replace(",", " ").split()).casefold()


def _loaded(root: etree._Element) -> Iterator[str]:
    """Yields every address that a mail program loads by itself."""
    for element in root.iter(etree.Element):
        for name in ("src", "background", "poster"):
            if element.get(name):
                yield str(element.get(name))
        if element.tag == "link" and element.get("href"):
            yield str(element.get("href"))
        for entry in (element.get("srcset") or "").split(","):
            if entry.split():
                yield entry.split()[0]
        yield from _CSS_URL.findall(element.get("style") or "")
        if element.tag == "style":
            yield from _CSS_URL.findall(element.text or "")
    for comment in root.iter(etree.Comment):
        yield from _OUTLOOK_URL.findall(comment.text or "")
