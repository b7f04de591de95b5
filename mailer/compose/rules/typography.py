"""Typography: small things that careful readers see, judged on the text as it will be read."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailer.compose.rules.boxes import Run
from mailer.compose.rules.registry import Family, Found, Severity, rule
from mailer.compose.rules.view import View, squeezed

TYPOGRAPHY, WARNING = Family.typography, Severity.warning
_CODE = frozenset(("code", "pre", "kbd", "samp"))
_AROUND = 18  # characters shown on each side
_DOUBLE = re.compile(r"(?<=\S)[ \u00a0]{2,}(?=\S)")
_STRAIGHT = re.compile(r"(?<!\d)[\"']|(?<=[^\W\d])'")
_WORD = re.compile(r"\S+")  # one try for each word: a long one must not cost its square
# A thin or full no-break space belongs before ; : ! ? » % and after « in French.
_FRENCH = re.compile(r"(?<=\w) (?=[;:!?»%](?:\s|$|[.,)]))|« (?=\w)|(?<=[^\W\d_])(?=[;!?»])|«(?=\w)")
_FRENCH_BLANKS = re.compile(r" (?=[;:!?»%](?:\s|$|[.,)]))|« (?=\w)")
_DOTS = re.compile(r"(?<!\.)\.\.\.(?!\.)")
_HYPHEN = re.compile(r"(?<=\w) - (?=\w)|(?<=\w)--(?=\w)")
_BEFORE = re.compile(r"(?<=\w) [,.;!?](?=\s|$)")
_DASHES = "-–—―"
# LOW TAVREN, 24 November The boats … — a place in capitals, perhaps a day, and no dash.
_PLACE = re.compile(
    r"(?P<place>[A-ZÀ-Þ][A-ZÀ-Þ'’.-]+(?: [A-ZÀ-Þ][A-ZÀ-Þ'’.-]+)*)"
    r"(?:, \d{1,2} \w+| \(\d{1,2} \w+\)|, \w+ \d{1,2})?[,:]? "
    r"(?:The|A|An|In|On|At|After|As|When|More|Nearly|This|That|For|From|It|Its|Le|La|Les|Un|Une|"
    r"Der|Die|Das|El|Los|Las)\b"
)


def _texts(view: View) -> Iterator[tuple[Run, str]]:
    """Yields what is read as a text: no code, no addresses, no alternative texts."""
    for run in view.runs:
        if not run.alt and not run.look.hidden and run.element.tag not in _CODE:
            yield run, _without_addresses(run.text)


def _without_addresses(text: str) -> str:
    """Returns a text of the same length in which addresses hold no marks."""
    if "://" not in text and "@" not in text and "www." not in text:
        return text
    return _WORD.sub(
        lambda each: "x" * len(each.group()) if _is_address(each.group()) else each.group(), text
    )


def _is_address(word: str) -> bool:
    return "://" in word or "@" in word or "www." in word


def _seen(view: View, pattern: re.Pattern[str], message: str, hint: str) -> Iterator[Found]:
    told: set[str] = set()
    for run, text in _texts(view):
        for found in pattern.finditer(text):
            start = max(0, found.start() - _AROUND)
            around = run.text[start : found.end() + _AROUND]
            shown = view.shown(around).strip().replace("\u00a0", " ")
            if shown not in told and "\n" not in found.group():
                told.add(shown)
                yield Found(
                    message.format(shown),
                    view.line(_whole_words(run.text, start, found.end())),
                    hint,
                )


def _whole_words(text: str, start: int, end: int) -> str:
    """Widens a place to whole words, so that it can be looked for in the source."""
    start = text.rfind(" ", 0, start) + 1
    stop = text.find(" ", end + _AROUND)
    return text[start : stop if stop >= 0 else len(text)].split("\n")[0]


@rule("double-space", TYPOGRAPHY, WARNING, "Two blanks leave a hole in the line.")
def double_space(view: View) -> Iterator[Found]:
    yield from _seen(view, _DOUBLE, "There are two blanks in `{}`.", "Delete one.")


@rule(
    "straight-quotes",
    TYPOGRAPHY,
    WARNING,
    "Straight quotes are a typewriter's; each language has its own.",
)
def straight_quotes(view: View) -> Iterator[Found]:
    yield from _seen(
        view, _STRAIGHT, "There is a straight quote in `{}`.", "Write “…”, «…», „…“ or ’."
    )


@rule(
    "french-spaces",
    TYPOGRAPHY,
    WARNING,
    "In French a no-break space keeps ; : ! ? » with the word before them.",
)
def french_spaces(view: View) -> Iterator[Found]:
    language = view.composed.front.lang.lower()
    if language.split("-")[0] != "fr":
        return
    # Switzerland and Canada write several of them without a space: there only a wrong one is told.
    pattern = _FRENCH_BLANKS if language in ("fr-ch", "fr-ca") else _FRENCH
    yield from _seen(
        view, pattern, "A no-break space is missing in `{}`.", "Write U+202F or U+00A0 there."
    )


@rule("three-dots", TYPOGRAPHY, WARNING, "An ellipsis is one sign, and does not break.")
def three_dots(view: View) -> Iterator[Found]:
    yield from _seen(view, _DOTS, "There are three dots in `{}`.", "Write `…`.")


@rule("hyphen-dash", TYPOGRAPHY, WARNING, "A hyphen joins words; a dash sets them apart.")
def hyphen_dash(view: View) -> Iterator[Found]:
    yield from _seen(view, _HYPHEN, "A hyphen stands for a dash in `{}`.", "Write `–`.")


@rule("space-before", TYPOGRAPHY, WARNING, "A blank before a comma or stop is a slip.")
def space_before(view: View) -> Iterator[Found]:
    if view.composed.front.lang.split("-")[0].lower() != "fr":
        yield from _seen(view, _BEFORE, "A blank stands before a mark in `{}`.", "Delete it.")


@rule(
    "dateline-dash",
    TYPOGRAPHY,
    WARNING,
    "A dash sets the place apart from the story; without it they read as one sentence.",
)
def dateline_dash(view: View) -> Iterator[Found]:
    begun: set[int] = set()
    for run, _ in _texts(view):
        text = squeezed(run.text)
        first = id(run.block) not in begun
        begun.add(id(run.block))
        if "dateline" in (run.element.get("class") or "").split():
            after = (run.element.tail or "").strip()
            if after and after[0] not in _DASHES + "—":
                yield Found(
                    f"No dash follows the dateline `{text[:40]}`.",
                    view.line(f"dateline: {text}") or view.line(text),
                    "The layout writes it behind the place.",
                )
            elif text[-1:] in _DASHES:
                yield Found(
                    f"Two dashes follow the dateline `{text[:40]}`.",
                    view.line(f"dateline: {text}") or view.line(text),
                    "Leave yours out; the layout writes one.",
                )
        elif first and run.block.tag == "p" and (found := _PLACE.match(text)):
            yield Found(
                f"No dash follows the dateline `{found.group('place')}`.",
                view.line(text),
                "Write `–` behind the place and the day, or use the option `dateline`.",
            )
