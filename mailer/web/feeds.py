"""The feeds of the archive: Atom (RFC 4287) and JSON Feed 1.1 (https://jsonfeed.org/version/1.1).

Ids are made of the database's identity and the campaign's number, so they stay when the site moves
or a title changes; dates are those of the sending, and of the last correction.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lxml import etree

from mailer.usecases.browse_archive import Edition

ATOM = "application/atom+xml"
JSON = "application/feed+json"
_ATOM = "http://www.w3.org/2005/Atom"
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
# What XML 1.0 has no place for (section 2.2): most controls, lone surrogates, two noncharacters.
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Feed:
    """What both forms say. ``name`` is what its id is made of, and stays as it is."""

    name: str
    identity: str  # of the database
    title: str
    description: str
    author: str
    language: str
    home: str  # absolute addresses
    atom: str
    json: str
    since: datetime  # its date while it is empty
    entries: Sequence[Edition]
    address_of: Callable[[Edition], str]
    spoken: str = ""  # the language that all entries are in, where the feed is of one
    rather: str = ""  # the Atom feed to follow instead, which says the same

    @property
    def changed_at(self) -> datetime:
        return max((each.changed_at for each in self.entries), default=self.since)

    def entry_id(self, each: Edition) -> str:
        """In a feed of one language an entry is that text, else it is the campaign."""
        return self.id_of(f"campaign {each.campaign_id} {self.spoken}".rstrip())

    def id_of(self, what: str) -> str:
        """A name for ever (RFC 9562, version 5)."""
        space = uuid.UUID(bytes=bytes.fromhex(self.identity.zfill(32)[:32]))
        return uuid.uuid5(space, what).urn


def atom_feed(feed: Feed) -> bytes:
    """The feed as Atom."""
    root = etree.Element(f"{{{_ATOM}}}feed", nsmap={None: _ATOM})
    if feed.language:
        root.set(_LANG, feed.language)
    _say(root, "id", feed.id_of(feed.name))
    _say(root, "title", feed.title)
    if feed.description:
        _say(root, "subtitle", feed.description)
    _say(root, "updated", _instant(feed.changed_at))
    etree.SubElement(root, f"{{{_ATOM}}}link", rel="self", type=ATOM, href=feed.atom)
    etree.SubElement(root, f"{{{_ATOM}}}link", rel="alternate", type="text/html", href=feed.home)
    if feed.rather:
        etree.SubElement(root, f"{{{_ATOM}}}link", rel="canonical", type=ATOM, href=feed.rather)
    _say(etree.SubElement(root, f"{{{_ATOM}}}author"), "name", feed.author)
    for each in feed.entries:
        entry = etree.SubElement(root, f"{{{_ATOM}}}entry")
        entry.set(_LANG, each.language)
        _say(entry, "id", feed.entry_id(each))
        _say(entry, "title", each.title)
        _say(entry, "published", _instant(each.sent_at))
        _say(entry, "updated", _instant(each.changed_at))
        etree.SubElement(
            entry, f"{{{_ATOM}}}link", rel="alternate", type="text/html", href=feed.address_of(each)
        )
        if each.description:
            _say(entry, "summary", each.description)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True))


def json_feed(feed: Feed) -> bytes:
    """The feed as JSON Feed 1.1."""
    document: dict[str, Any] = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": feed.title,
        "home_page_url": feed.home,
        "feed_url": feed.json,
        "authors": [{"name": feed.author}],
        "items": [_item(feed, each) for each in feed.entries],
    }
    document |= {
        key: value
        for key, value in (("description", feed.description), ("language", feed.language))
        if value
    }
    return json.dumps(document, ensure_ascii=False, indent=1).encode("utf-8", "replace")


def _item(feed: Feed, each: Edition) -> dict[str, Any]:
    item = {
        "id": feed.entry_id(each),
        "url": feed.address_of(each),
        "title": each.title,
        "content_text": each.description or each.title,
        "date_published": _instant(each.sent_at),
        "date_modified": _instant(each.changed_at),
        "language": each.language,
    }
    return item | ({"image": each.picture} if each.picture else {})


def _say(parent: etree._Element, name: str, text: str) -> None:
    etree.SubElement(parent, f"{{{_ATOM}}}{name}").text = _UNFIT.sub(" ", text)


def _instant(moment: datetime) -> str:
    """RFC 3339, UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
