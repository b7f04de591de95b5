"""Links: whole, honest, and what they look like."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

import idna
from lxml import etree

from mailer.compose.compose import BUILT_IN
from mailer.compose.links import trouble_with
from mailer.compose.rules.registry import Family, Found, Severity, rule
from mailer.compose.rules.view import View
from mailer.model.measuring import ClickMode

LINKS, ERROR, WARNING = Family.links, Severity.error, Severity.warning
_SHORTENERS = frozenset(
    ("adf.ly", "bit.do", "bit.ly", "bl.ink", "buff.ly", "cutt.ly", "dlvr.it", "fb.me", "goo.gl",
     "is.gd", "lnkd.in", "ow.ly", "rb.gy", "rebrand.ly", "s.id", "shorturl.at", "t.co", "t.ly",
     "tiny.cc", "tinyurl.com", "v.gd", "x.gd")
)  # fmt: skip
# Scripts that are written together; any other two in one label are a disguise (UTS 39).
_TOGETHER = (
    {"LATIN", "HAN", "HIRAGANA", "KATAKANA"},
    {"LATIN", "HAN", "BOPOMOFO"},
    {"LATIN", "HAN", "HANGUL"},
)
_SCRIPTS = {"CJK": "HAN", "IDEOGRAPHIC": "HAN"}
_LOOKS_LIKE_HOST = re.compile(
    r"(?:(https?)://)?((?:[^\W_](?:[\w-]*[^\W_])?\.)+[^\W\d_]{2,})(?::\d+)?(?:[/?#]\S*)?", re.I
)
# Endings of files that are countries' too: `notes.md` names no host.
_FILES = frozenset(("cc", "md", "pl", "ps", "py", "rs", "sh", "so", "tex", "zip", "mov", "js"))
_MAILBOX = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_CSS_URL = re.compile(r"url\(\s*[\"']?([^\"')]+)", re.IGNORECASE)
_OUTLOOK_URL = re.compile(r"<v:(?:fill|image)\b[^>]*\bsrc=\"([^\"]*)\"", re.IGNORECASE)


def web_links(view: View) -> Iterator[tuple[str, str, SplitResult]]:
    """Yields address, words and parts of every web link whose host is the same for everybody."""
    for _, href, label in view.links:
        if view.begins_personal(href) or not href.lower().startswith(("http:", "https:")):
            continue
        try:
            parts = urlsplit(href)
            if parts.hostname:
                yield href, label, parts
        except ValueError:
            continue  # `link-address` tells it


def _once(view: View) -> Iterator[tuple[str, str, SplitResult]]:
    seen: set[str] = set()
    for href, label, parts in web_links(view):
        if href not in seen:
            seen.add(href)
            yield href, label, parts


def _own(view: View, href: str) -> bool:
    """Says whether a link leads to our own site, whose address has a check of its own."""
    site = view.composed.brand.site_url
    return bool(site) and href.startswith(f"{site}/")


@rule(
    "link-address",
    LINKS,
    ERROR,
    "In a mail there is no page that a shortened address could be completed from.",
    silenceable=False,
)
def link_address(view: View) -> Iterator[Found]:
    for href in dict.fromkeys(href for _, href, _ in view.links):
        if view.begins_personal(href):
            continue  # known only per person; the message checks it then
        trouble = trouble_with(href)
        if trouble:
            yield Found(trouble, view.exact_line(href), "Write it whole.")


@rule("link-https", LINKS, WARNING, "Browsers warn of pages that are not encrypted.")
def link_https(view: View) -> Iterator[Found]:
    for href, _, parts in _once(view):
        if parts.scheme.lower() == "http" and not _own(view, href):
            yield Found(
                f"The link to {href[:80]} is not encrypted.",
                view.exact_line(href),
                "Use https:// if the site has it.",
            )


@rule(
    "link-shortener",
    LINKS,
    WARNING,
    "Shortened links hide where they lead; filters and careful readers distrust them.",
)
def link_shortener(view: View) -> Iterator[Found]:
    for href, _, parts in _once(view):
        host = (parts.hostname or "").removeprefix("www.")
        if host in _SHORTENERS:
            yield Found(
                f"The link to {href[:80]} goes through the shortener {host}.",
                view.exact_line(href),
                "Write the address that it stands for.",
            )


@rule("link-ip", LINKS, ERROR, "Honest sites have names; spam filters count a bare address.")
def link_ip(view: View) -> Iterator[Found]:
    for href, _, parts in _once(view):
        host = parts.hostname or ""
        if _is_number(host) and not _own(view, href):
            yield Found(
                f"The link to {href[:80]} names a machine by its number.",
                view.exact_line(href),
                "Write the site's name.",
            )


@rule(
    "link-port",
    LINKS,
    WARNING,
    "Company networks block unusual ports, and spam filters count them.",
)
def link_port(view: View) -> Iterator[Found]:
    for href, _, parts in _once(view):
        try:
            port = parts.port
        except ValueError:
            port = 0
        if port not in (None, 80, 443) and not _own(view, href):
            yield Found(f"The link to {href[:80]} uses an unusual port.", view.exact_line(href))


@rule(
    "link-sign-in",
    LINKS,
    ERROR,
    "What stands before an @ in an address is not the site; that is how readers are deceived.",
)
def link_sign_in(view: View) -> Iterator[Found]:
    for href, _, parts in _once(view):
        if "@" in parts.netloc:
            yield Found(
                f"The link to {href[:80]} holds a name before an `@`,"
                f" and leads to {parts.hostname}.",
                view.exact_line(href),
                "Take out what stands before the `@`.",
            )


@rule(
    "link-mixed-script",
    LINKS,
    ERROR,
    "Letters of several alphabets in one name are how a site is imitated.",
)
def link_mixed_script(view: View) -> Iterator[Found]:
    for href, _, parts in _once(view):
        for label in (parts.hostname or "").split("."):
            scripts = _scripts(label)
            if len(scripts) > 1 and not any(scripts <= each for each in _TOGETHER):
                mixed = " and ".join(sorted(each.title() for each in scripts))
                yield Found(
                    f"The host of {href[:80]} mixes {mixed} letters.",
                    view.exact_line(href),
                    "Type its name anew; one of its letters only looks right.",
                )
                break


@rule(
    "link-mismatch",
    LINKS,
    ERROR,
    "Words that name one site and lead to another are what mail programs warn of as phishing.",
)
def link_mismatch(view: View) -> Iterator[Found]:
    for _, href, label in view.links:
        if view.begins_personal(href) or not label:
            continue
        words = view.bare(label).strip(" .,;:()<>›»→")
        if href.lower().startswith("mailto:"):
            there = href[7:].partition("?")[0].casefold()
            if len(words) < 300 and _MAILBOX.fullmatch(words) and words.casefold() != there:
                yield _mismatch(view, label, words, there, href)
            continue
        named = _named_host(words)
        try:
            there = _plain_host(urlsplit(href).hostname or "")
        except ValueError:
            continue
        if named and there and not _akin(named, there):
            yield _mismatch(view, label, named, there, href)


@rule(
    "link-unmeasured",
    LINKS,
    WARNING,
    "A link that differs per person would need a signature for each of them, so it stays direct.",
)
def link_unmeasured(view: View) -> Iterator[Found]:
    composed = view.composed
    if (composed.front.clicks or composed.brand.clicks) is ClickMode.off:
        return
    for href in dict.fromkeys(href for _, href, _ in view.links):
        own = [each for each in view.slots(href) if each.source.strip() not in BUILT_IN]
        if own and not href.lower().startswith(("mailto:", "tel:")):
            yield Found(
                f"Clicks on {view.shown(href)[:80]} are not measured: it holds personal text.",
                own[0].line,
                "Put the personal text beside the link, if its clicks are to count.",
            )


@rule(
    "third-party",
    LINKS,
    ERROR,
    "Whatever a mail loads from elsewhere tells others who reads it, and when.",
)
def third_party(view: View) -> Iterator[Found]:
    site = view.composed.brand.site_url
    for url in sorted(set(_loaded(view.root)) - view.composed.picture_urls):
        if url.startswith(("data:", "cid:", "#")) or (site and url.startswith(site)):
            continue
        yield Found(
            f"The mail loads {url[:100]} from elsewhere.",
            view.exact_line(url),
            "Put the file into the issue's folder.",
        )


def _mismatch(view: View, label: str, named: str, there: str, href: str) -> Found:
    return Found(
        f"The link says `{named[:60]}` and leads to {there[:60]}.",
        view.line(label) or view.exact_line(href),
        "Let the words say what the page is about.",
    )


def _named_host(words: str) -> str:
    found = _LOOKS_LIKE_HOST.fullmatch(words) if len(words) < 300 and "." in words else None
    if not found:
        return ""
    host = _plain_host(found.group(2))
    bare = not found.group(1) and not host.startswith("www.") and words.count("/") == 0
    if bare and host.rpartition(".")[2] in _FILES:
        return ""
    return host


def _plain_host(host: str) -> str:
    """Returns a host's name in one form: lower case, as people read it."""
    host = host.lower().rstrip(".")
    try:
        return idna.decode(host) if "xn--" in host else host
    except idna.IDNAError:
        return host


def _akin(one: str, other: str) -> bool:
    one, other = one.removeprefix("www."), other.removeprefix("www.")
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")


def _is_number(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return bool(re.fullmatch(r"(?:0x[0-9a-f]+|\d+)(?:\.(?:0x[0-9a-f]+|\d+))*", host, re.I))
    return True


def _scripts(label: str) -> set[str]:
    """Returns the scripts of a label's letters, by the first word of each letter's name."""
    label = _plain_host(label)
    if label.isascii():
        return set()
    words = {
        unicodedata.name(each, "UNKNOWN").split(" ")[0].split("-")[0]
        for each in label
        if each.isalpha()
    }
    return {_SCRIPTS.get(word, word) for word in words}


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
