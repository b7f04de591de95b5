"""Reads a layout's brand tokens, and holds each pair of colours to the contrast that text needs.

Some names are spoken for: ``ink``, ``quiet``, ``accent`` and ``link`` are text on each of the
grounds ``paper``, ``tint`` and ``desk``; ``on_x`` is text on ``x``; the group ``dark`` has the
same names again; ``pairs`` names further ones, as ``text: ground ground``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml.nodes import MappingNode, ScalarNode

from mailer.compose.source import yaml_pairs
from mailer.compose.templates import Source
from mailer.errors import Fault

TEXTS = ("ink", "quiet", "accent", "link")
GROUNDS = ("paper", "tint", "desk")
LEAST = 4.5  # WCAG 2.2, success criterion 1.4.3
_COLOUR = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})\Z")

Place = tuple[str, int]  # a file and a line in it


@dataclass(slots=True)
class Theme:
    """Brand tokens, and where each stands: ``places["dark", "ink"]``."""

    tokens: dict[str, Any] = field(default_factory=dict)
    pairs: dict[str, list[str]] = field(default_factory=dict)
    places: dict[tuple[str, ...], Place] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pair:
    """A colour of text on a colour of ground; ``ratio`` is None when one is no colour."""

    scheme: str  # light or dark
    text: str
    ground: str
    ratio: float | None


def read_theme(sources: Sequence[Source], faults: list[Fault]) -> Theme:
    """Reads brand tokens, the layout's own last; they may be grouped one level deep."""
    theme = Theme()
    for source in sources:
        numbers = tuple(range(1, source.text.count("\n") + 2))
        for key, node, line in yaml_pairs(source.text, numbers, source.file, faults):
            theme.places[(key,)] = (source.file, line)
            if key == "extends":
                continue
            if isinstance(node, ScalarNode):
                theme.tokens[key] = _token(node)
            elif isinstance(node, MappingNode) and all(
                isinstance(value, ScalarNode) for _, value in node.value
            ):
                group = {str(name.value): _token(value) for name, value in node.value}
                for name, _ in node.value:
                    at = numbers[min(name.start_mark.line, len(numbers) - 1)]
                    theme.places[key, str(name.value)] = (source.file, at)
                before = theme.tokens.get(key)
                theme.tokens[key] = {**before, **group} if isinstance(before, dict) else group
            else:
                message = f"`{key}` is a token, or a group of tokens."
                faults.append(Fault(message, source.file, line, rule="layout"))
    declared = theme.tokens.pop("pairs", {})
    if isinstance(declared, dict):
        theme.pairs = {text: str(grounds).split() for text, grounds in declared.items()}
    _check(theme, faults)
    return theme


def pairs_of(theme: Theme) -> list[Pair]:
    """Returns every pair of text and ground, in light and, if there is one, in dark."""
    tokens = theme.tokens
    found = [
        (text, ground) for text in TEXTS for ground in GROUNDS if {text, ground} <= set(tokens)
    ]
    found += [(name, name[3:]) for name in tokens if name.startswith("on_") and name[3:] in tokens]
    found += [(text, ground) for text, grounds in theme.pairs.items() for ground in grounds]
    schemes: list[tuple[str, Mapping[str, Any]]] = [("light", tokens)]
    if isinstance(tokens.get("dark"), dict):
        schemes.append(("dark", tokens["dark"]))
    return [
        Pair(name, text, ground, contrast(str(scheme.get(text)), str(scheme.get(ground))))
        for name, scheme in schemes
        for text, ground in dict.fromkeys(found)
    ]


def contrast(text: str, ground: str) -> float | None:
    """Returns WCAG 2.2's ratio of two colours such as ``#20262b``; None when one is no colour."""
    if not (_COLOUR.match(text) and _COLOUR.match(ground)):
        return None
    bright, dark = sorted((luminance(text), luminance(ground)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    """Returns the relative luminance of ``#rgb`` or ``#rrggbb`` (WCAG 2.2, section 4)."""
    digits = colour[1:] if len(colour) == 7 else "".join(each * 2 for each in colour[1:])
    parts = (int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4))
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _check(theme: Theme, faults: list[Fault]) -> None:
    for pair in pairs_of(theme):
        keys = [pair.text, pair.ground]
        path = [(key,) if pair.scheme == "light" else ("dark", key) for key in keys]
        scheme = theme.tokens if pair.scheme == "light" else theme.tokens["dark"]
        for key, place in zip(keys, path, strict=True):
            if not _COLOUR.match(str(scheme.get(key))):
                _tell(
                    theme,
                    [place, (key,), (pair.scheme,), ("pairs", pair.text)],
                    f"`{key}` is no colour in the {pair.scheme} scheme.",
                    f'Write `{key}: "#rrggbb"`.',
                    faults,
                )
        if pair.ratio is not None and pair.ratio < LEAST:
            way = ("darker", "lighter") if pair.scheme == "light" else ("lighter", "darker")
            _tell(
                theme,
                path,
                f"In the {pair.scheme} scheme, `{pair.text}` on `{pair.ground}` has a contrast of"
                f" {int(pair.ratio * 10) / 10}:1; text needs {LEAST}:1.",
                f"Make `{pair.text}` {way[0]} or `{pair.ground}` {way[1]}.",
                faults,
            )


def _tell(
    theme: Theme,
    paths: Iterable[tuple[str, ...]],
    message: str,
    hint: str,
    faults: list[Fault],
) -> None:
    """Tells a fault where the layout's own file, which was read last, says the token."""
    places = [theme.places[path] for path in paths if path in theme.places]
    own = list(theme.places.values())[-1][0] if theme.places else ""
    file, line = next((each for each in places if each[0] == own), places[0] if places else ("", 1))
    fault = Fault(message, file, line, hint, rule="contrast")
    if fault not in faults:
        faults.append(fault)


def _token(node: ScalarNode) -> str | int | bool:
    """Returns a whole number as a number, so that templates can count; all else as spelled."""
    value = str(node.value)
    if str(node.tag).endswith(":int") and value.isdecimal():
        return int(value)
    if str(node.tag).endswith(":bool"):
        return value.lower() == "true"
    return value
