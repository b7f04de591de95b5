"""Size: what Gmail cuts off, what it drops, and what takes long on a phone."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailer.compose.rules.registry import Family, Found, Severity, rule
from mailer.compose.rules.view import View
from mailer.model.words import Slot, SlotKind

# Gmail shows a mail's first 102 kB and hides the rest, the unsubscribe link among it.
CLIPPED_AT, CLOSE_TO_CLIPPED = 102_000, 90_000
STYLE_DROPPED_AT, STYLE_CLOSE = 16_000, 8_000  # octets of one block; Can I Email, html-style
HEAVY_PICTURE, HEAVY_PICTURES = 300_000, 2_500_000
_TURNS = 8  # of a loop over a list, when nobody says how long it is
_UNKNOWN = 40  # octets of a value of which nothing is known


@rule(
    "html-size",
    Family.size,
    Severity.error,
    "Gmail hides what comes after 102 kB, the way to leave among it.",
)
def html_size(view: View) -> Iterator[Found]:
    size = longest_html(view)
    if size > CLOSE_TO_CLIPPED:
        personal = " for the reader with the longest values" if view.known else ""
        yield Found(
            f"The HTML part has {size / 1000:.0f} kB{personal};"
            " Gmail hides what comes after 102 kB.",
            hint="Shorten the issue, or move stories to the web.",
            severity=Severity.error if size > CLIPPED_AT else Severity.warning,
        )


def longest_html(view: View) -> int:
    """Returns how many octets the HTML part can have: every value the longest, every condition
    decided for its longest branch.
    """
    html = view.composed.rendition.html
    if not view.known:
        return len(html.encode())
    widths = view.letter.widths if view.letter is not None else {}
    # What is open: the octets of the branch so far, of the longest branch before it, and a factor.
    opened: list[list[int]] = [[0, 0, 1]]
    pieces = re.split(f"({view.pattern.pattern})", html)
    for number, piece in enumerate(pieces):
        slot = view.known[piece] if number % 2 else None
        if slot is None:
            opened[-1][0] += len(piece.encode())
        elif slot.kind is SlotKind.value:
            opened[-1][0] += widths.get(slot.sentinel, _UNKNOWN)
        else:
            if pieces[number - 1].endswith("<!--"):
                opened[-1][0] -= len("<!---->")  # its comment goes with it
            _step(slot, opened)
    return sum(max(now, before) * turns for now, before, turns in opened)


def _step(slot: Slot, opened: list[list[int]]) -> None:
    word = (slot.source.split() or [""])[0]
    if word in ("if", "for"):
        opened.append([0, 0, _TURNS if word == "for" else 1])
    elif word in ("elif", "else"):
        now, before, _ = opened[-1]
        opened[-1][:2] = [0, max(now, before)]
    elif word in ("endif", "endfor") and len(opened) > 1:
        now, before, turns = opened.pop()
        opened[-1][0] += max(now, before) * turns


@rule(
    "style-size",
    Family.size,
    Severity.error,
    "Gmail drops a style block of more than 16 kB whole.",
)
def style_size(view: View) -> Iterator[Found]:
    for sheet in view.sheets:
        size = len(sheet.css.encode())
        if size > STYLE_CLOSE:
            yield Found(
                f"A style block has {size / 1000:.1f} kB; Gmail drops one of more than 16 kB.",
                hint="Shorten media.css of the layout.",
                severity=Severity.error if size > STYLE_DROPPED_AT else Severity.warning,
            )


@rule(
    "style-place",
    Family.size,
    Severity.warning,
    "Gmail reads style blocks in the head alone.",
)
def style_place(view: View) -> Iterator[Found]:
    for sheet in view.sheets:
        if not sheet.in_head:
            yield Found(
                f"A style block stands in the body: `{sheet.css.strip()[:40]}`.",
                hint="Put it into media.css of the layout.",
            )


@rule(
    "picture-weight",
    Family.size,
    Severity.warning,
    "Readers pay for heavy pictures with time, and some with money.",
)
def picture_weight(view: View) -> Iterator[Found]:
    pictures = view.composed.rendition.pictures
    for picture in pictures:
        if len(picture.data) > HEAVY_PICTURE:
            alts = [
                image.get("alt") or ""
                for image in view.root.iter("img")
                if (image.get("src") or "").endswith(picture.name)
            ]
            alt = alts[0] if alts else ""
            yield Found(
                f"The picture `{alt[:60] or picture.name}` weighs {len(picture.data) / 1000:.0f}"
                f" kB; {HEAVY_PICTURE // 1000} are enough for its size.",
                view.line(alt) if alt else None,
                "Save it with a lower quality, or as JPEG instead of PNG.",
            )
    total = sum(len(picture.data) for picture in pictures)
    if total > HEAVY_PICTURES:
        yield Found(
            f"The pictures weigh {total / 1_000_000:.1f} MB together.",
            hint="Show fewer, or smaller ones.",
        )
