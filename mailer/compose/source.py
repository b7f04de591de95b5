"""Reads ``issue.md``: front matter, then a body, each fault with its line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from mailer.compose.carrying import HOSTED, WAYS
from mailer.compose.languages import WELL_FORMED, direction
from mailer.compose.names import did_you_mean
from mailer.errors import Fault
from mailer.model.measuring import ClickMode, LoadMode, UtmWish

LONGEST_ISSUE = 500_000  # characters; a thick book has as many
LONGEST_FRONT = 32_000
KEYS = (
    "subject",
    "subject_b",
    "preheader",
    "layout",
    "lang",
    "dir",
    "date",
    "contact",
    "from",
    "reply_to",
    "title",
    "also_for",
    "images",
    "archive",
    "clicks",
    "image_loads",
    "utm",
    "silence",
)
# What a language variant takes from issue.md when it does not say it itself.
_SHARED = (
    "layout",
    "date",
    "contact",
    "from",
    "reply_to",
    "images",
    "clicks",
    "image_loads",
    "utm",
)
_YES_NO = ("yes", "no")
# Everything below U+0020 but tab and line feed, DEL, the C1 controls, and lone surrogates.
_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_FENCE = re.compile(r"---[ \t]*\Z")
# ruamel.yaml puts its patterns off to the first text: 5 ms, one of them for what is not ASCII.
YAML(typ="safe", pure=True).compose("\N{BULLET}: 1")


@dataclass(frozen=True, slots=True)
class Silence:
    """Why an author lets a rule of ``issues check`` be, and where that is written."""

    reason: str
    line: int


@dataclass(frozen=True, slots=True)
class Front:
    """The front matter of an issue. Personal expressions still stand as sentinels."""

    subject: str
    subject_b: str = ""  # of a test between two; empty: there is none
    preheader: str = ""
    layout: str = "newsroom"
    lang: str = "en"
    dir: str = "ltr"
    date: date | None = None
    contact: str = ""
    sender: str = ""  # `from`, which is a word of Python
    reply_to: str = ""
    title: str = ""
    images: str = HOSTED
    archive: bool = True  # whether the site's archive may show it
    clicks: ClickMode | None = None  # what is measured of its links; None: as the settings say
    image_loads: LoadMode | None = None  # likewise, of its picture
    utm: UtmWish | None = None  # likewise
    also_for: tuple[str, ...] = ()  # languages whose readers get this variant, too
    written: Mapping[str, str] = field(default_factory=dict)  # every value as the author wrote it
    silence: Mapping[str, Silence] = field(default_factory=dict)  # by the rule's name
    lines: Mapping[str, int] = field(default_factory=dict)

    def line(self, key: str) -> int:
        """Returns the line on which a key stands; 1 when it is not there."""
        return self.lines.get(key, 1)

    @property
    def shared(self) -> Mapping[str, str]:
        """What the other languages of the issue take over from this one."""
        return {key: self.written[key] for key in _SHARED if self.written.get(key)}


@dataclass(frozen=True, slots=True)
class Split:
    """The two halves of an issue as text, each with the number of its first line."""

    front: str
    front_line: int
    body: str
    body_line: int


def clean(text: str, where: str, faults: list[Fault]) -> str:
    """Takes off a byte-order mark, makes every line end LF, and reports what no mail may hold."""
    if len(text) > LONGEST_ISSUE:
        faults.append(
            Fault(f"The issue is too long; at most {LONGEST_ISSUE} characters are read.", where, 1)
        )
        return ""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    for found in _UNFIT.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        faults.append(
            Fault(
                f"There is a character that no mail can hold (U+{ord(found.group()):04X}).",
                where,
                line,
                "Delete it; it is invisible in most editors.",
            )
        )
        if len(faults) >= 20:
            break
    return _UNFIT.sub(" ", text)


def split(text: str, where: str, faults: list[Fault]) -> Split:
    """Cuts an issue into front matter and body."""
    lines = text.split("\n")
    start = next((n for n, line in enumerate(lines) if line.strip()), None)
    if start is None or not _FENCE.match(lines[start]):
        faults.append(
            Fault(
                "An issue begins with its front matter between two lines of `---`.",
                where,
                1,
                "Write `---`, then `subject: …`, then `---`.",
            )
        )
        return Split("", 1, text, 1)
    for number in range(start + 1, len(lines)):
        if _FENCE.match(lines[number]):
            front = "\n".join(lines[start + 1 : number])
            body = "\n".join(lines[number + 1 :])
            return Split(front, start + 2, body, number + 2)
    faults.append(
        Fault("The front matter never ends.", where, start + 1, "Close it with a line of `---`.")
    )
    return Split("", start + 2, "", start + 2)


def read_front(
    text: str,
    numbers: tuple[int, ...],
    where: str,
    faults: list[Fault],
    *,
    language: str | None = None,
    defaults: Mapping[str, str] | None = None,
) -> Front:
    """Reads the front matter; ``numbers`` gives the author's line for each line of ``text``.

    ``language`` is what the file's name says, if it says one; ``defaults`` are the values that
    stand in for what this front matter leaves out.
    """
    values: dict[str, str] = {}
    lines: dict[str, int] = {}
    before = len(faults)
    silence: dict[str, Silence] = {}
    pairs = yaml_pairs(text, numbers, where, faults)
    if not pairs and len(faults) > before:
        return Front(subject="")  # one fault is enough: nothing could be read
    for key, value, line in pairs:
        if key not in KEYS:
            faults.append(
                Fault(
                    f"`{key}` is no key of an issue.",
                    where,
                    line,
                    did_you_mean(key, KEYS, kind="keys"),
                )
            )
        elif key == "silence":
            silence = _silences(value, line, numbers, where, faults)
            lines[key] = line
        elif not isinstance(value, ScalarNode):
            faults.append(Fault(f"`{key}` takes one line of text.", where, line))
        else:
            values[key] = "" if str(value.tag).endswith(":null") else value.value.strip()
            lines[key] = line
    written = values.get("lang", "")
    if language and written and written.lower() != language.lower():
        faults.append(
            Fault(
                f"The file's name says `{language}`, and its `lang` is `{written[:40]}`.",
                where,
                lines["lang"],
                f"Call the file `issue.{written[:40]}.md`, or write `lang: {language}`.",
            )
        )
    named = {"lang": language} if language else {}
    filled = {"lang": "en"}
    for each in (defaults or {}, named, values):  # a key without a value says nothing
        filled |= {key: value for key, value in each.items() if value}
    return replace(_front(filled, lines, where, faults), silence=silence)


def _silences(
    node: Node, line: int, numbers: tuple[int, ...], where: str, faults: list[Fault]
) -> dict[str, Silence]:
    """Reads ``silence:``, a rule's name and a reason on each line; each needs its reason."""
    if not isinstance(node, MappingNode):
        hint = "Write a line `  rule-name: the reason` under it for each rule."
        faults.append(Fault("`silence` takes rules, each with its reason.", where, line, hint))
        return {}
    found: dict[str, Silence] = {}
    for name, reason in node.value:
        at = numbers[min(name.start_mark.line, len(numbers) - 1)] if numbers else line
        words = reason.value.strip() if isinstance(reason, ScalarNode) else ""
        if not words or str(reason.tag).endswith(":null"):
            faults.append(
                Fault(
                    f"`{name.value}` is silenced without a reason.",
                    where,
                    at,
                    "Say behind the colon why, for whoever reads it next.",
                )
            )
        elif name.value in found:
            faults.append(Fault(f"`{name.value}` is silenced twice.", where, at))
        else:
            found[str(name.value)] = Silence(" ".join(words.split()), at)
    return found


def _front(values: dict[str, str], lines: dict[str, int], where: str, faults: list[Fault]) -> Front:
    for key, value in values.items():
        if "\n" in value:
            faults.append(Fault(f"`{key}` must be one line.", where, lines[key]))
            values[key] = value.replace("\n", " ")
    if not values.get("subject"):
        faults.append(
            Fault(
                "The issue has no subject.", where, lines.get("subject", 1), "Write `subject: …`."
            )
        )
    language = values["lang"]
    if not _is_language(language, lines.get("lang"), where, faults):
        language = "en"
    side = values.get("dir") or direction(language)
    if side not in ("ltr", "rtl"):
        faults.append(Fault(f"`dir` is `ltr` or `rtl`, not `{side}`.", where, lines.get("dir")))
        side = "ltr"
    also = values.get("also_for", "").replace(",", " ").split()
    return Front(
        subject=values.get("subject", ""),
        subject_b=values.get("subject_b", ""),
        preheader=values.get("preheader", ""),
        layout=values.get("layout") or "newsroom",
        lang=language,
        dir=side,
        date=_day(values.get("date", ""), lines.get("date"), where, faults),
        contact=values.get("contact", ""),
        sender=values.get("from", ""),
        reply_to=values.get("reply_to", ""),
        title=values.get("title", ""),
        images=_among("images", WAYS, values, lines, where, faults),
        archive=_among("archive", _YES_NO, values, lines, where, faults) == "yes",
        clicks=ClickMode(_among("clicks", tuple(ClickMode), values, lines, where, faults))
        if values.get("clicks")
        else None,
        image_loads=LoadMode(_among("image_loads", tuple(LoadMode), values, lines, where, faults))
        if values.get("image_loads")
        else None,
        utm=_utm(values.get("utm", ""), lines.get("utm"), where, faults),
        also_for=tuple(
            tag for tag in also if _is_language(tag, lines.get("also_for"), where, faults)
        ),
        written=values,
        lines=lines,
    )


def _among(
    key: str,
    known: tuple[str, ...],
    values: Mapping[str, str],
    lines: Mapping[str, int],
    where: str,
    faults: list[Fault],
) -> str:
    """The value of a key that takes one of a few words; the first is the default."""
    value = values.get(key) or known[0]
    if value in known:
        return value
    shown = f"`{key}` can't be `{value[:40]}`."
    faults.append(Fault(shown, where, lines.get(key), did_you_mean(value, known, kind="values")))
    return known[0]


def _utm(value: str, line: int | None, where: str, faults: list[Fault]) -> UtmWish | None:
    if not value:
        return None
    try:
        return UtmWish.parse(value)
    except ValueError as accepted:
        faults.append(Fault(f"`utm` can't be `{value[:60]}`.", where, line, f"Write {accepted}."))
        return None


def _is_language(tag: str, line: int | None, where: str, faults: list[Fault]) -> bool:
    if WELL_FORMED.match(tag):
        return True
    hint = "Write a tag such as `en`, `fr` or `pt-BR`."
    faults.append(Fault(f"`{tag[:40]}` is no language.", where, line, hint))
    return False


def _day(value: str, line: int | None, where: str, faults: list[Fault]) -> date | None:
    if not value:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        faults.append(Fault(f"`{value}` is no date.", where, line, "Write it as 2026-11-24."))
        return None


def yaml_pairs(
    text: str, numbers: tuple[int, ...], where: str, faults: list[Fault]
) -> list[tuple[str, Node, int]]:
    """Reads a YAML 1.2 mapping as nodes, so that every value keeps its line and its spelling."""

    def line_of(mark_line: int) -> int:
        return numbers[min(mark_line, len(numbers) - 1)] if numbers else 1

    if len(text) > LONGEST_FRONT:
        faults.append(Fault("This YAML is too long.", where, line_of(0)))
        return []
    try:
        root = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = (error.problem or "it can't be read").strip()
        faults.append(
            Fault(
                f"The YAML can't be read: {problem}.",
                where,
                line_of(mark.line if mark else 0),
                "Put a value that holds `: ` or begins with a sign between quotes.",
            )
        )
        return []
    except (YAMLError, RecursionError, ValueError) as error:
        faults.append(Fault(f"The YAML can't be read ({type(error).__name__}).", where, line_of(0)))
        return []
    if root is None:
        return []
    if not isinstance(root, MappingNode):
        faults.append(
            Fault(
                "A list of `key: value` lines is expected here.",
                where,
                line_of(root.start_mark.line),
            )
        )
        return []
    pairs: list[tuple[str, Node, int]] = []
    seen: dict[str, int] = {}
    for key_node, value in root.value:
        line = line_of(key_node.start_mark.line)
        if not isinstance(key_node, ScalarNode):
            faults.append(Fault("A key must be one word.", where, line))
            continue
        key = str(key_node.value)
        if key in seen:
            faults.append(Fault(f"`{key}` stands twice; first on line {seen[key]}.", where, line))
            continue
        seen[key] = line
        pairs.append((key, value, line))
    return pairs
