"""The tags of MJML 4.18 that our engine renders: where each may stand and what it takes.

The engine checks nothing of this: it copies unknown tags, drops unknown attributes, and takes
any parent. Attributes that it accepts without effect are left out here, so that a layout's
author hears of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tag:
    """One MJML element."""

    parents: frozenset[str]
    attributes: frozenset[str]
    html: bool = False  # holds HTML, not MJML


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PADDING = "padding padding-top padding-right padding-bottom padding-left"
_BORDERS = "border border-top border-right border-bottom border-left"
_FONT = "font-family font-size font-style font-weight color line-height"
_TEXT = f"{_FONT} letter-spacing text-decoration text-transform"
_BACKGROUND = (
    "background-color background-url background-repeat background-size background-position"
    " background-position-x background-position-y"
)
_IN_COLUMN = _words("mj-column mj-hero")
_IN_BODY = _words("mj-body mj-wrapper")
_INNER = f"{_PADDING} container-background-color align"
_SECTION = f"{_BACKGROUND} {_BORDERS} border-radius direction full-width {_PADDING} text-align"


def _tag(parents: str | frozenset[str], attributes: str = "", *, html: bool = False) -> Tag:
    where = _words(parents) if isinstance(parents, str) else parents
    return Tag(where, _words(attributes), html)


TAGS: Mapping[str, Tag] = {
    "mjml": _tag("", "lang dir"),
    "mj-head": _tag("mjml"),
    "mj-body": _tag("mjml", "width background-color css-class"),
    # Head
    "mj-attributes": _tag("mj-head"),
    "mj-all": _tag("mj-attributes"),
    "mj-class": _tag("mj-attributes", "name"),
    "mj-breakpoint": _tag("mj-head", "width"),
    "mj-font": _tag("mj-head", "name href"),
    "mj-preview": _tag("mj-head", html=True),
    "mj-style": _tag("mj-head", html=True),
    "mj-title": _tag("mj-head", html=True),
    "mj-raw": _tag(
        "mj-head mj-body mj-wrapper mj-section mj-group mj-column mj-hero", "position", html=True
    ),
    # Frame
    "mj-wrapper": _tag("mj-body", _SECTION),
    "mj-section": _tag(_IN_BODY, _SECTION),
    "mj-group": _tag("mj-section", "width vertical-align background-color direction"),
    "mj-column": _tag(
        "mj-section mj-group",
        f"background-color {_BORDERS} border-radius width vertical-align direction {_PADDING}"
        " inner-background-color inner-border inner-border-top inner-border-right"
        " inner-border-bottom inner-border-left inner-border-radius",
    ),
    "mj-hero": _tag(
        _IN_BODY,
        f"width height background-color background-url background-position background-width"
        f" background-height {_PADDING}"
        " inner-background-color inner-padding inner-padding-top inner-padding-right"
        " inner-padding-bottom inner-padding-left vertical-align",
    ),
    # Content
    "mj-accordion": _tag(
        _IN_COLUMN,
        f"{_PADDING} container-background-color border font-family icon-align icon-height"
        " icon-width icon-position icon-unwrapped-alt icon-unwrapped-url icon-wrapped-alt"
        " icon-wrapped-url",
    ),
    "mj-accordion-element": _tag(
        "mj-accordion",
        "background-color border font-family icon-align icon-height icon-width icon-position"
        " icon-unwrapped-alt icon-unwrapped-url icon-wrapped-alt icon-wrapped-url",
    ),
    "mj-accordion-title": _tag(
        "mj-accordion-element",
        f"background-color color font-family font-size {_PADDING}",
        html=True,
    ),
    "mj-accordion-text": _tag(
        "mj-accordion-element",
        f"background-color color font-family font-size font-weight letter-spacing line-height"
        f" {_PADDING}",
        html=True,
    ),
    "mj-button": _tag(
        _IN_COLUMN,
        f"{_INNER} {_BORDERS} {_TEXT} background-color border-radius height width href rel target"
        " name inner-padding text-align vertical-align",
        html=True,
    ),
    "mj-carousel": _tag(
        _IN_COLUMN,
        f"{_INNER} border-radius icon-width left-icon right-icon tb-border tb-border-radius"
        " tb-hover-border-color tb-selected-border-color tb-width thumbnails",
    ),
    "mj-carousel-image": _tag(
        "mj-carousel", "alt href rel src target thumbnails-src title border-radius"
    ),
    "mj-divider": _tag(_IN_COLUMN, f"{_INNER} border-color border-style border-width width"),
    "mj-image": _tag(
        _IN_COLUMN,
        f"{_INNER} alt border border-left border-right border-radius"
        " fluid-on-mobile font-size height max-height href name rel src srcset target title usemap"
        " width",
    ),
    "mj-navbar": _tag(
        _IN_COLUMN,
        "align base-url hamburger ico-align ico-close ico-color ico-font-family ico-font-size"
        " ico-line-height ico-open ico-padding ico-padding-bottom ico-padding-left"
        f" ico-padding-right ico-padding-top ico-text-decoration ico-text-transform {_PADDING}",
    ),
    "mj-navbar-link": _tag("mj-navbar", f"{_TEXT} href name rel target {_PADDING}", html=True),
    "mj-social": _tag(
        _IN_COLUMN,
        f"{_INNER} {_FONT} border-radius icon-height icon-padding icon-size inner-padding mode"
        " text-decoration text-padding",
    ),
    "mj-social-element": _tag(
        "mj-social",
        f"align alt background-color border-radius {_FONT} href icon-height icon-padding"
        f" icon-size name {_PADDING} rel src target text-decoration text-padding title"
        " vertical-align",
        html=True,
    ),
    "mj-spacer": _tag(_IN_COLUMN, f"{_PADDING} container-background-color height"),
    "mj-table": _tag(
        _IN_COLUMN,
        f"{_INNER} border cellpadding cellspacing color font-family font-size line-height"
        " table-layout width",
        html=True,
    ),
    "mj-text": _tag(_IN_COLUMN, f"{_INNER} {_TEXT} height", html=True),
}
ANYWHERE = _words("css-class mj-class")
# Why some tags of MJML itself can't be used with us.
REFUSED: Mapping[str, str] = {
    "mj-include": "A layout includes with Jinja2: `{% include … %}`.",
    "mj-html-attributes": "The engine does not know it; write the attribute itself in mj-text.",
    "mj-selector": "The engine does not know it; write the attribute itself in mj-text.",
    "mj-font": "No mail of ours loads a font from elsewhere; name a system font.",
}
_ICON = "Without it the engine takes a picture from somebody else's server."
# What must be said, and why: the engine fills in something bad, or nothing.
NEEDED: Mapping[str, Mapping[str, str]] = {
    "mj-image": {
        "alt": 'Write what it shows, or `alt=""` when it is decoration.',
        "src": "A picture has an address.",
    },
    "mj-carousel": dict.fromkeys(("left-icon", "right-icon"), _ICON),
    "mj-carousel-image": {"alt": "Write what it shows.", "src": "A picture has an address."},
    "mj-accordion": dict.fromkeys(("icon-wrapped-url", "icon-unwrapped-url"), _ICON),
    "mj-social-element": {"src": _ICON},
}
# With these names the engine puts its own share link around `href`.
SHARING = _words("facebook twitter x google pinterest linkedin tumblr xing")
