"""Changes where the links of a letter lead: UTM parameters, and redirects that count clicks.

Only addresses that are the same for every reader are touched. One that holds a person's value
stays as it is, because a signature for each person and link would cost more than the count is
worth; so does whatever leads to the site itself, such as the links to leave.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape, unescape
from urllib.parse import urlsplit

from mailer.message.click_links import LONGEST
from mailer.message.contexts import Context, Hole, Segment, as_url
from mailer.message.mailbox import HeaderError, encode_domain
from mailer.message.quoted import SOFT_BREAK
from mailer.message.utm import Utm
from mailer.model.words import Slot, SlotKind

# The names under which a letter asks for the reader's mark, plain and with the soft break that
# follows it in quoted-printable: no field has capitals.
MARK_NAME = "READER_MARK"
MARK_QUOTED = "READER_MARK_QUOTED"
MARK_SLOT = Slot("", SlotKind.value, MARK_NAME, "", 0)
_ELEMENT = re.compile(r"<(?:a|area|v:[a-z]+)\s", re.IGNORECASE).match
_ATTRIBUTE = re.compile(r"""([^\s"'<>/=]+)\s*=\s*("[^"]*"|'[^']*')""")
_IN_TEXT = re.compile(r"https?://[^\s<>\"]+")
_CLOSING = ".,;:!?)]'»”"
_MOST = 65_535  # links that a campaign can number


def marked(mark: str) -> dict[str, str]:
    """What a letter with measured links needs beside its reader's values."""
    return {MARK_NAME: mark, MARK_QUOTED: mark + SOFT_BREAK}


@dataclass(frozen=True, slots=True)
class Clicks:
    """How links are measured. ``sign`` makes the token of a number and a target.

    ``marked``: behind each link stands who reads it. ``numbers`` collects the campaign's targets.
    """

    sign: Callable[[int, str], str]
    marked: bool = False
    numbers: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Retarget:
    """Leads the constant links of one letter elsewhere."""

    site_url: str
    utm: Utm = field(default_factory=Utm)
    clicks: Clicks | None = None
    untouched: Sequence[str] = ()  # how addresses begin that stay as they are: share pages
    _known: dict[str, str] = field(default_factory=dict)  # address as written → where it leads now

    def tag(self, tag: str) -> list[Segment]:
        """A tag in which no slot stands, with its address changed."""
        if _ELEMENT(tag) is None:
            return [tag]
        for found in _ATTRIBUTE.finditer(tag):
            if found[1].lower() == "href":
                address = unescape(found[2][1:-1]).strip()
                new = self._lead(address)
                if new == address:
                    return [tag]
                before, after = tag[: found.start(2)] + '"', '"' + tag[found.end(2) :]
                return self._pieces(before, escape(new), after, new)
        return [tag]

    def text(self, segments: Sequence[Segment]) -> list[Segment]:
        """A text part, in which the addresses stand that the HTML part leads to."""
        changed: list[Segment] = []
        for number, piece in enumerate(segments):
            if isinstance(piece, Hole):
                changed.append(piece)
                continue
            before = number > 0 and _is_value(segments[number - 1])
            behind = number + 1 < len(segments) and _is_value(segments[number + 1])
            at = 0
            for found in _IN_TEXT.finditer(piece):
                personal = (behind and found.end() == len(piece)) or (before and not found.start())
                address = "" if personal else self._in_html(found.group())
                if address and self._known[address] != address:
                    new = self._known[address]
                    changed += self._pieces(piece[at : found.start()], new, "", new)
                    at = found.start() + len(address)
            changed.append(piece[at:])
        return changed

    def _in_html(self, words: str) -> str:
        """The address at the beginning of such words that the HTML part has, too."""
        for address in (words, words.rstrip(_CLOSING)):
            if address in self._known:
                return address
        return ""

    def _pieces(self, before: str, new: str, after: str, address: str) -> list[Segment]:
        marked = self.clicks is not None and self.clicks.marked
        if not marked or not address.startswith(f"{self.site_url}/l/"):
            return [before + new + after]
        return [f"{before}{new}.", Hole(MARK_SLOT, Context.url_part), after]

    def _lead(self, address: str) -> str:
        if address not in self._known:
            self._known[address] = self._where(address)
        return self._known[address]

    def _where(self, address: str) -> str:
        url = plain_address(address)
        if url is None or self._ours(url):
            return address
        url = self.utm.add(url)
        clicks = self.clicks
        if clicks is None or len(url) > LONGEST or len(clicks.numbers) >= _MOST:
            # What needs no change keeps the author's spelling.
            return address if url == plain_address(address) else url
        number = clicks.numbers.setdefault(url, len(clicks.numbers) + 1)
        return f"{self.site_url}/l/{clicks.sign(number, url)}"

    def _ours(self, url: str) -> bool:
        site = self.site_url
        if url == site or url.startswith((f"{site}/", f"{site}?", f"{site}#")):
            return True
        return any(url.startswith(beginning) for beginning in self.untouched)


def plain_address(address: str) -> str | None:
    """A web address in ASCII, as a header can hold it; None for anything else."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return None
    scheme = parts.scheme.lower()
    if scheme not in ("http", "https") or not host or "\\" in address:
        return None
    if any(character <= " " or character == "\x7f" for character in address):
        return None
    if address.isascii():
        return scheme + address[len(scheme) :]
    try:
        ascii_host = host if host.isascii() else encode_domain(host)
    except HeaderError:
        return None
    netloc = parts.netloc.lower().replace(host, ascii_host) if host != ascii_host else parts.netloc
    if not netloc.isascii():
        return None
    return as_url(parts._replace(scheme=scheme, netloc=netloc).geturl())


def _is_value(piece: Segment) -> bool:
    return isinstance(piece, Hole) and piece.slot.kind is SlotKind.value
