"""Mail programs: features that a notable part of the audience can't show, by Can I Email."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mailer.compose.rules.audiences import Affected
from mailer.compose.rules.registry import Family, Found, Severity, rule
from mailer.compose.rules.view import View

NOTABLE = 0.10  # of the audience
_NO_STYLE = "the mail is complete without its style block"
_LIGHT = "the light colours are shown, which hold when they are inverted, too"
# What a reader has instead, where the layouts take care of it, or where nothing is lost.
FALLS_BACK = {
    "css-at-media": _NO_STYLE,
    "css-at-media-hover": _NO_STYLE,
    "css-at-media-prefers-color-scheme": _LIGHT,
    "css-at-media-prefers-reduced-motion": "nothing moves in it",
    "css-at-supports": _NO_STYLE,
    "css-border-radius": "corners are square",
    "css-border-spacing": "it is written beside cellspacing, which they know",
    "css-box-shadow": "there is no shadow",
    "css-color-scheme": _LIGHT,
    "css-comments": _NO_STYLE,
    "css-cursor": "the pointer looks as usual",
    "css-hyphens": "words are not divided",
    "css-important": "rules that need it stand in the style block",
    "css-max-height": "it helps to hide the preheader; mso-hide does it there",
    "css-opacity": "it helps to hide the preheader; the rest of its style does it there",
    "css-outline": "it takes off a frame that they don't draw",
    "css-overflow": "it helps to hide the preheader; mso-hide does it there",
    "css-overflow-wrap": "long words stick out",
    "css-text-shadow": "there is no shadow",
    "css-transition": "nothing moves",
    "css-user-select": "text can be selected as usual",
    "css-word-break": "long words stick out",
    "css-word-wrap": "long words stick out",
    "html-aria-label": "the words of the link itself are read",
    "html-aria-hidden": "a little more is read aloud",
    "html-bdi": "the direction of the text around it holds",
    "html-body": "a wrapper inside has its colours",
    "html-meta-color-scheme": _LIGHT,
    "html-srcset": "the picture of `src` is shown",
    "html-style": _NO_STYLE,
    "html-target": "the program decides where links open",
}


@dataclass(frozen=True, slots=True)
class Support:
    """One feature that not all of the audience has, and what the others see instead."""

    feature: str
    affected: Affected
    instead: str  # nothing when the mail does not take care of it

    @property
    def page(self) -> str:
        """Where Can I Email says more."""
        return f"https://www.caniemail.com/features/{self.feature}/"


def support_of(view: View) -> list[Support]:
    """Returns every feature that a part of the audience lacks, the largest part first."""
    found = []
    for feature, use in view.uses.items():
        affected = view.audience.affected(feature)
        if affected.without:
            found.append(Support(feature, affected, _instead(feature, guarded=use.guarded)))
    return sorted(found, key=lambda each: (-each.affected.without, each.feature))


def _instead(feature: str, *, guarded: bool) -> str:
    if feature in FALLS_BACK:
        return FALLS_BACK[feature]
    if feature.startswith(("css-selector-", "css-pseudo-")):
        return _NO_STYLE
    return "it is asked for only where it is known" if guarded else ""


@rule(
    "client-support",
    Family.clients,
    Severity.warning,
    "What a mail program does not know, it leaves out or shows wrong.",
)
def client_support(view: View) -> Iterator[Found]:
    for each in support_of(view):
        if not each.instead and each.affected.without >= NOTABLE:
            names = ", ".join(each.affected.programs[:4])
            more = len(each.affected.programs) - 4
            yield Found(
                f"`{each.feature}` is unknown to {each.affected.without:.0%} of the audience"
                f" ({names}{f' and {more} more' if more > 0 else ''}).",
                hint=f"See {each.page}",
            )


@rule(
    "picture-format",
    Family.clients,
    Severity.error,
    "A picture that a mail program can't read is an empty frame.",
)
def picture_format(view: View) -> Iterator[Found]:
    for image in view.root.iter("img"):
        source = (image.get("src") or "").split("?")[0].lower()
        if source.startswith("data:"):
            yield Found(
                f"The picture `{(image.get('alt') or '')[:40]}` is written into the mail itself;"
                " Gmail shows none of those.",
                hint="Put the file into the issue's folder.",
            )
        elif source.endswith((".svg", ".webp", ".avif", ".heic", ".tif", ".tiff", ".bmp")):
            yield Found(
                f"The picture {source[-60:]} is of a kind that several programs can't show.",
                hint="Use JPEG, PNG or GIF.",
            )


@rule(
    "css-dropped",
    Family.clients,
    Severity.warning,
    "Gmail drops a whole style when it meets one of these.",
)
def css_dropped(view: View) -> Iterator[Found]:
    for element in view.body.iter():
        style = element.get("style") or "" if isinstance(element.tag, str) else ""
        if "rgb(" in style and "/" in style.partition("rgb(")[2].partition(")")[0]:
            yield Found(
                f"`{style[:60]}` writes a colour as `rgb(0 0 0 / 50%)`.",
                hint="Write `#rrggbb`.",
            )
