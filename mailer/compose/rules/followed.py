"""Followed links: what came of it when somebody asked the network, which is only on demand."""

from __future__ import annotations

from collections.abc import Iterator

from mailer.compose.rules.links import web_links
from mailer.compose.rules.registry import Family, Found, Severity, rule
from mailer.compose.rules.view import View
from mailer.model.words import Trail

MANY = 2  # redirects
# What a server says to machines, and often not to readers.
_SHY = (401, 403, 405, 406, 409, 418, 425, 429, 451, 501, 999)


def targets(view: View) -> list[str]:
    """Returns every web address that is the same for everybody, each once, for a follower."""
    return list(dict.fromkeys(href for href, _, _ in web_links(view) if not view.slots(href)))


def _trails(view: View) -> Iterator[tuple[str, Trail]]:
    for url in targets(view) if view.trails else []:
        trail = (view.trails or {}).get(url)
        if trail is not None:
            yield url, trail


@rule("link-dead", Family.links, Severity.error, "Readers who meet a missing page don't come back.")
def link_dead(view: View) -> Iterator[Found]:
    for url, trail in _trails(view):
        if trail.refused:
            continue
        gone = trail.status in (404, 410)
        if gone or (trail.status == 0 and trail.trouble) or trail.status >= 500:
            said = f"answers {trail.status}" if trail.status else trail.trouble
            yield Found(
                f"The link to {url[:80]} is dead: {said}.",
                view.exact_line(url),
                "Correct it, or take it out.",
                severity=Severity.error if gone or not trail.status else Severity.warning,
            )


@rule(
    "link-unsure",
    Family.links,
    Severity.warning,
    "Some sites don't answer machines; a person has to look.",
)
def link_unsure(view: View) -> Iterator[Found]:
    for url, trail in _trails(view):
        if trail.status in _SHY or (400 <= trail.status < 500 and trail.status not in (404, 410)):
            yield Found(
                f"The link to {url[:80]} answers {trail.status} to a machine.",
                view.exact_line(url),
                "Open it yourself.",
            )


@rule(
    "link-private",
    Family.links,
    Severity.error,
    "A page on a private network opens for nobody outside of it.",
)
def link_private(view: View) -> Iterator[Found]:
    for url, trail in _trails(view):
        if trail.refused:
            yield Found(
                f"The link to {url[:80]} was not followed: {trail.trouble}.",
                view.exact_line(url),
                "Link to a page that everybody can open.",
            )


@rule(
    "link-redirects",
    Family.links,
    Severity.warning,
    "Each redirect costs a reader time, and one of them will break one day.",
)
def link_redirects(view: View) -> Iterator[Found]:
    for url, trail in _trails(view):
        if trail.redirects >= MANY and not trail.refused:
            yield Found(
                f"The link to {url[:80]} is redirected {trail.redirects} times,"
                f" in the end to {trail.end[:80]}.",
                view.exact_line(url),
                "Write the address where it ends.",
            )
