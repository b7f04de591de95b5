"""The text part: it is there, says what the HTML says, and can be read as it is."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailer.compose.links import share
from mailer.compose.rules.registry import Family, Found, Severity, rule
from mailer.compose.rules.view import View

TEXT, ERROR, WARNING = Family.text, Severity.error, Severity.warning
LEAST = 0.5  # of the words of the HTML part
WIDEST = 78  # RFC 5322 section 2.1.1
_WORD = re.compile(r"\w{2,}")
_MARKUP = re.compile(
    r"</?(?:p|br|div|span|td|tr|table|a|strong|em|b|i|h[1-6])\b[^>]*>|&[a-z]{2,8};"
)
_SHARED = tuple(
    share(network, "-").partition("?")[0]
    for network in ("facebook", "x", "linkedin", "whatsapp", "telegram")
)


def _words(view: View) -> set[str]:
    text = view.bare(" ".join(r.text for r in view.runs if not r.alt and not r.look.hidden))
    return {each.casefold() for each in _WORD.findall(text)}


@rule(
    "text-short",
    TEXT,
    WARNING,
    "Watches, terminals and filters read the text part; filters compare it with the HTML.",
)
def text_short(view: View) -> Iterator[Found]:
    wanted = _words(view)
    text = view.bare(view.composed.rendition.text)
    there = {each.casefold() for each in _WORD.findall(text)}
    share_there = len(wanted & there) / len(wanted) if wanted else 1.0
    if not text.strip():
        yield Found("There is no text part.", hint="layout.txt writes it.", severity=ERROR)
    elif share_there < LEAST:
        yield Found(
            f"The text part has {share_there:.0%} of the words of the HTML part.",
            hint="Let layout.txt and the blocks' texts say the same.",
        )


@rule("text-links", TEXT, WARNING, "Who reads the text part wants to go to the same pages.")
def text_links(view: View) -> Iterator[Found]:
    text = view.composed.rendition.text
    for href in dict.fromkeys(href for _, href, _ in view.links):
        if view.slots(href) or _is_share(href):
            continue
        web = href.lower().startswith(("https:", "http:")) and not view.begins_personal(href)
        if web and not href.startswith(_SHARED) and "/share" not in href and href not in text:
            yield Found(
                f"The text part has no link to {view.shown(href)[:80]}.",
                view.exact_line(href),
                "Let the block's text show it.",
            )


def _is_share(href: str) -> bool:
    """Links of a share row carry the shared page in their query; the text part has it already."""
    return "https%3A%2F%2F" in href or "?url=" in href or "&url=" in href


@rule("text-width", TEXT, WARNING, "Some programs show long lines as they are, or cut them.")
def text_width(view: View) -> Iterator[Found]:
    for line in view.composed.rendition.text.split("\n"):
        if len(line) <= WIDEST:
            continue
        bare = view.bare(line)
        longest = max((len(word) for word in bare.split()), default=0)
        if len(bare) > WIDEST and longest < WIDEST - 10:
            yield Found(
                f"A line of the text part has {len(bare)} characters: `{bare[:40]}`.",
                view.line(bare.strip(" -*>")[:60]),
                "Let the layout wrap it at 72.",
            )
            return


@rule("text-markup", TEXT, WARNING, "Tags and entities are not for reading.")
def text_markup(view: View) -> Iterator[Found]:
    for found in _MARKUP.finditer(view.composed.rendition.text):
        if found.group() in view.composed.source:
            continue  # the author writes about HTML
        yield Found(
            f"The text part holds the markup `{found.group()[:40]}`.",
            hint="The block's text template must not escape.",
        )
        return
