"""Sets quotation marks, dashes, ellipses and no-break spaces as each language wants them.

Quotation marks are those of CLDR (delimiters). Spaces in French are those of the Imprimerie
nationale's *Lexique des règles typographiques*: a narrow no-break space before ``; ! ?``, a whole
one before ``:`` and inside of guillemets. Code, addresses and merge expressions stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from mailer.compose.languages import lookups
from mailer.compose.lifting import Lifter

NO_BREAK, NARROW = "\u00a0", "\u202f"
_ENGLISH = ("“", "”", "‘", "’")
_GUILLEMETS = ("«", "»", "“", "”")
_LOW = ("„", "“", "‚", "‘")
_MARKS: dict[str, tuple[str, str, str, str]] = {
    **dict.fromkeys(("en", "nl", "pt", "tr", "vi", "id", "ko", "zh", "ga", "da", "hi"), _ENGLISH),
    **dict.fromkeys(("es-419", "es-mx", "es-us", "es-ar", "es-co"), _ENGLISH),
    **dict.fromkeys(("es", "it", "el", "ca", "gl", "eu", "ar", "pt-pt", "sq", "hy"), _GUILLEMETS),
    **dict.fromkeys(("de", "cs", "sk", "sl", "bg", "lt", "et", "is", "ka"), _LOW),
    **dict.fromkeys(("ru", "uk", "be"), ("«", "»", "„", "“")),
    **dict.fromkeys(("sv", "fi"), ("”", "”", "’", "’")),
    **dict.fromkeys(("pl", "ro"), ("„", "”", "«", "»")),
    **dict.fromkeys(("hr", "sr", "mk"), ("„", "”", "‚", "‘")),
    **dict.fromkeys(("nb", "nn", "no"), ("«", "»", "‘", "’")),
    **dict.fromkeys(("ja", "zh-hant"), ("「", "」", "『", "』")),
    **dict.fromkeys(("de-ch", "fa", "ur"), ("«", "»", "‹", "›")),
    "hu": ("„", "”", "»", "«"),
    "he": ("”", "”", "’", "’"),
    "fr": ("«" + NO_BREAK, NO_BREAK + "»", "“", "”"),
    "fr-ch": ("«" + NARROW, NARROW + "»", "‹" + NARROW, NARROW + "›"),
}
_LONG_DASH = ("ru", "uk", "be")  # set with a long dash where others have a short one
_PERCENT = (
    "bg",
    "cs",
    "da",
    "de",
    "es",
    "fi",
    "fr",
    "nb",
    "nn",
    "no",
    "ro",
    "ru",
    "sk",
    "sv",
    "uk",
)
_ADDRESS = re.compile(
    r"""(?:https?://|www\.|mailto:)[^\s"'«»“”<>()]+"""
    r"""|(?<![^\s"<>()@])[^\s"<>()@]{1,64}@[^\s"<>()]{1,255}"""
)
_MAY_HOLD_ADDRESS = re.compile(r"@|://|www\.|mailto:")
_HEBREW = re.compile(r"[\u05d0-\u05ea]")
_DASHES = (
    (re.compile(r"(?<=[^\s-])---(?=[^\s-])|(?<=\s)---(?=\s)"), "—"),
    (re.compile(r"(?<=[^\s-])--(?=[^\s-])|(?<=\s)--(?=\s)"), "–"),
    (re.compile(r"(?<=\S) - (?=\S)"), " – "),
)
_DOTS = re.compile(r"(?<!\.)\.\.\.(?!\.)")
_FRENCH = (
    (re.compile(r"(?<=[\w)\]»”’…%])[ \u00a0\u202f]*([;!?]+)(?=[\s)\]»”’\u00a0\u202f]|\Z)"), "thin"),
    (re.compile(r"(?<=[\w)\]»”’…%])[ \u00a0\u202f]*(:)(?=\s|\Z)"), "whole"),
    (re.compile(r"(?:\A|(?<=\s)) ([;!?])"), "thin"),
    (re.compile(r"\A (:)(?=\s|\Z)"), "whole"),
    (re.compile(r"(?<=\d)[ \u00a0]()(?=\d{3}(?!\d))"), "thin"),
)
_DEEPEST = 6  # quotations within one another
_FILLER = "\0"  # stands for what has no width


def speaks(language: str) -> bool:
    """Says whether the typographer knows a language; it leaves the others alone."""
    return any(tag in _MARKS for tag in lookups(language))


@lru_cache(maxsize=64)
def marks_of(language: str) -> tuple[str, str, str, str]:
    """Returns the outer and the inner quotation marks of a language, opening and closing."""
    return next((_MARKS[tag] for tag in lookups(language) if tag in _MARKS), _ENGLISH)


def typeset(text: str, language: str, lifter: Lifter | None = None) -> str:
    """Sets one line of plain text; tags that were lifted out of it have no width."""
    return _set([text], [text], language, lifter)[0] if speaks(language) else text


def rule(language: str) -> Callable[[StateCore], None]:
    """Returns the rule that sets every paragraph of a Markdown text."""

    def set_all(state: StateCore) -> None:
        lifter = state.env.get("lifter")
        for token in state.tokens:
            if token.type == "inline" and token.children:
                _set_tokens(token.children, language, lifter)

    return set_all


def _set_tokens(tokens: list[Token], language: str, lifter: Lifter | None) -> None:
    pieces = [token.content if token.type == "text" else "" for token in tokens]
    shadow = [_shadow(token) for token in tokens]
    for token, done in zip(tokens, _set(pieces, shadow, language, lifter), strict=True):
        if token.type == "text":
            token.content = done


def _shadow(token: Token) -> str:
    """What stands in the place of a token for those beside it."""
    if token.type == "text":
        return token.content
    if token.type in ("softbreak", "hardbreak"):
        return " "
    return "x" if token.content and token.nesting == 0 else ""


def _set(
    pieces: Sequence[str], shadow: Sequence[str], language: str, lifter: Lifter | None
) -> list[str]:
    """Sets pieces of one paragraph; a piece that is empty is only looked at, in its shadow."""
    quoted = _quotes(pieces, shadow, language, lifter)
    return [_spaces(piece, language) if piece else piece for piece in quoted]


def _quotes(
    pieces: Sequence[str], shadow: Sequence[str], language: str, lifter: Lifter | None
) -> list[str]:
    """Replaces straight quotation marks that pair, and apostrophes; its time is linear."""
    whole = "".join(shadow)
    if '"' not in whole and "'" not in whole:
        return list(pieces)
    seen = lifter.hollow(whole, _FILLER) if lifter is not None else whole
    before, after = _neighbours(seen)
    fixed = {at for found in _ADDRESS.finditer(whole) for at in range(*found.span())}
    written = _positions(pieces, shadow)
    done: dict[int, str] = {}
    pairs: list[tuple[int, int]] = []
    opened: list[tuple[str, int]] = []
    for at, sign in enumerate(whole):
        if sign not in "\"'" or at in fixed or at not in written:
            continue
        left, right = before[at], after[at]
        if _HEBREW.match(left) and _HEBREW.match(right):
            done[at] = "״" if sign == '"' else "׳"
            continue
        if sign == "'" and left.isalnum() and right.isalnum():
            done[at] = "’"
            continue
        opens = not right.isspace() and (left.isspace() or left in "([{–—-/«“‘„‚¿¡>\"'")
        closes = not left.isspace()
        match = next((n for n in range(len(opened) - 1, -1, -1) if opened[n][0] == sign), None)
        if closes and match is not None and not (opens and left in "\"'"):
            pairs.append((opened[match][1], at))
            del opened[match:]
        elif opens:
            opened = [*opened[1 - _DEEPEST :], (sign, at)]
    done |= _marked(pairs, whole, marks_of(language))
    for at, sign in enumerate(whole):
        alone = sign == "'" and at not in done and at not in fixed and at in written
        if alone and (before[at].isalnum() or after[at].isalnum()):
            done[at] = "’"
    return _rebuilt(pieces, shadow, done)


def _marked(
    pairs: Sequence[tuple[int, int]], whole: str, marks: tuple[str, str, str, str]
) -> dict[int, str]:
    """Gives each pair its marks: the outer for double signs, and in turn for those within."""
    done: dict[int, str] = {}
    around: list[tuple[str, int]] = []  # the pairs that are open here, and where they end
    for start, end in sorted(pairs):
        while around and around[-1][1] < start:
            around.pop()
        sign = whole[start]
        alike = sum(1 for each in around if each[0] == sign)
        inner = (sign == "'") != (alike % 2 == 1)
        done[start], done[end] = marks[2:] if inner else marks[:2]
        around.append((sign, end))
    return done


def _neighbours(seen: str) -> tuple[list[str], list[str]]:
    """For each place, the next character to the left and to the right that has a width."""
    before, after = [" "] * len(seen), [" "] * len(seen)
    last = " "
    for at, sign in enumerate(seen):
        before[at] = last
        last = last if sign == _FILLER else sign
    last = " "
    for at in range(len(seen) - 1, -1, -1):
        after[at] = last
        last = last if seen[at] == _FILLER else seen[at]
    return before, after


def _positions(pieces: Sequence[str], shadow: Sequence[str]) -> set[int]:
    """The places of the whole that may be changed."""
    found: set[int] = set()
    at = 0
    for piece, seen in zip(pieces, shadow, strict=True):
        if piece:
            found.update(range(at, at + len(seen)))
        at += len(seen)
    return found


def _rebuilt(pieces: Sequence[str], shadow: Sequence[str], done: dict[int, str]) -> list[str]:
    built = []
    at = 0
    for piece, seen in zip(pieces, shadow, strict=True):
        built.append("".join(done.get(at + n, sign) for n, sign in enumerate(piece)))
        at += len(seen)
    return built


def _spaces(text: str, language: str) -> str:
    """Sets dashes, ellipses and spaces between addresses, which stay."""
    if not _MAY_HOLD_ADDRESS.search(text):
        return _spaced(text, language)
    pieces: list[str] = []
    at = 0
    for found in _ADDRESS.finditer(text):
        pieces += [_spaced(text[at : found.start()], language), found.group()]
        at = found.end()
    return "".join([*pieces, _spaced(text[at:], language)])


def _spaced(text: str, language: str) -> str:
    tags = _tags(language)
    spoken = tags[-1]
    if "-" in text:
        for pattern, dash in _DASHES:
            text = pattern.sub(dash, text)
    if spoken in _LONG_DASH:
        text = text.replace(" – ", f"{NO_BREAK}— ").replace(" — ", f"{NO_BREAK}— ")
    elif spoken == "zh":
        text = text.replace("–", "——")
    if "..." in text:
        text = _DOTS.sub("……" if spoken == "zh" else "…", text)
    if spoken in _PERCENT:
        text = re.sub(r"(?<=\d) (?=[%‰€])", NO_BREAK, text)
    if spoken == "fr":
        text = _french(text, tags)
    return text


@lru_cache(maxsize=64)
def _tags(language: str) -> tuple[str, ...]:
    return tuple(lookups(language))


def _french(text: str, tags: Sequence[str]) -> str:
    narrow = "fr-ch" in tags
    whole = NARROW if narrow else NO_BREAK
    for number, (pattern, width) in enumerate(_FRENCH):
        if number == 0 and "fr-ca" in tags:
            continue  # set close in Canada
        space = NARROW if width == "thin" else whole
        text = pattern.sub(lambda found, space=space: space + found[1], text)  # type: ignore[misc]  # bound now
    text = re.sub(r"«[ \u00a0\u202f]*(?=\S)", f"«{whole}", text)
    return re.sub(r"(?<![ \u00a0\u202f])[ \u00a0\u202f]*»", f"{whole}»", text)
