"""Accessibility: what those need who hear a mail, enlarge it, or can't see its pictures."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from mailer.compose.languages import direction as direction_of
from mailer.compose.rules.registry import Family, Found, Severity, rule
from mailer.compose.rules.view import View, squeezed

ACCESS, ERROR, WARNING = Family.accessibility, Severity.error, Severity.warning
LONGEST_ALT = 300
# Words that say nothing about the page, by themselves; in the languages of the shipped layouts.
_VAGUE = frozenset(
    ("click here", "here", "click", "link", "this link", "this", "more info",
     "ici", "cliquez ici", "cliquer ici", "lien", "ce lien",
     "aquí", "haga clic aquí", "clic aquí", "pulse aquí", "enlace",
     "hier", "hier klicken", "klicken sie hier", "klick hier", "link hier",
     "aqui", "clique aqui", "здесь", "нажмите здесь", "тут", "ссылка",
     "这里", "点击这里", "点此", "点击此处", "هنا", "اضغط هنا", "انقر هنا")
)  # fmt: skip
_FILE_NAME = re.compile(
    r"(?:img|dsc|image|photo|picture|bild|foto|screenshot)?[\s_-]*\d*\.?"
    r"(?:jpe?g|png|gif|webp|svg|tiff?)?",
    re.IGNORECASE,
)
_ANY_FILE = re.compile(r"\S+\.(?:jpe?g|png|gif|webp|svg|tiff?)", re.IGNORECASE)


@rule(
    "language",
    ACCESS,
    ERROR,
    "A screen reader reads in the language that a document names (WCAG 2.2, 3.1.1).",
    silenceable=False,
)
def language(view: View) -> Iterator[Found]:
    front = view.composed.front
    if view.root.get("lang") != front.lang or view.root.get("dir") != front.dir:
        yield Found(
            "The layout does not set the issue's language and direction.",
            hint='Write `<mjml lang="{{ issue.lang }}" dir="{{ issue.dir }}">` in layout.mjml.',
        )


@rule(
    "language-body",
    ACCESS,
    WARNING,
    "Mail programs on the web drop the html element, and its language with it.",
)
def language_body(view: View) -> Iterator[Found]:
    front = view.composed.front
    if not any(
        each.get("lang") == front.lang and each.get("dir") == front.dir
        for each in (view.body, *view.body.iterchildren("div", "table"))
    ):
        yield Found(
            "No element inside of the body names language and direction.",
            hint="Let one element hold the whole mail, with `lang` and `dir`.",
        )


@rule(
    "direction",
    ACCESS,
    WARNING,
    "Text in a right-to-left language is hard to read when its lines begin at the left.",
)
def direction(view: View) -> Iterator[Found]:
    front = view.composed.front
    wanted = direction_of(front.lang)
    if front.dir != wanted:
        yield Found(
            f"The language `{front.lang}` is written {wanted}, and the issue says `{front.dir}`.",
            front.line("dir"),
            f"Write `dir: {wanted}`, or leave it out.",
        )


@rule(
    "alt-text",
    ACCESS,
    ERROR,
    "Who does not see a picture hears its alternative text, or nothing (WCAG 2.2, 1.1.1).",
    silenceable=False,
)
def alt_text(view: View) -> Iterator[Found]:
    for image in view.root.iter("img"):
        if image.get("alt") is None:
            yield Found(
                f"The picture {image.get('src', '')[-60:]} has no alternative text.",
                hint='Write alt="…", or alt="" when it is decoration.',
            )


@rule("alt-words", ACCESS, WARNING, "A file's name or the word “picture” says nothing of it.")
def alt_words(view: View) -> Iterator[Found]:
    for image in view.root.iter("img"):
        alt = squeezed(image.get("alt") or "")
        if alt and (_FILE_NAME.fullmatch(alt) or _ANY_FILE.fullmatch(alt)):
            yield Found(
                f"The alternative text `{alt[:60]}` does not say what the picture shows.",
                view.line(f"alt: {alt}") or view.line(alt),
                "Say it as you would on the phone.",
            )
        elif len(alt) > LONGEST_ALT:
            yield Found(
                f"The alternative text `{alt[:40]}…` has {len(alt)} characters.",
                view.line(alt),
                "One or two sentences are listened to; put the rest into the text.",
            )


@rule(
    "picture-missing",
    ACCESS,
    ERROR,
    "A picture without an address is a broken frame.",
    silenceable=False,
)
def picture_missing(view: View) -> Iterator[Found]:
    for image in view.root.iter("img"):
        if not image.get("src"):
            yield Found(
                f"A picture has no address (alternative text: {image.get('alt') or 'none'}).",
                hint="The layout must give it a `src`; the engine has few icons.",
            )


@rule(
    "heading-order",
    ACCESS,
    WARNING,
    "Who listens goes from heading to heading, and a level left out sounds like a part left out"
    " (WCAG 2.2, 1.3.1).",
)
def heading_order(view: View) -> Iterator[Found]:
    level = 0
    for element in view.root.iter("h1", "h2", "h3", "h4", "h5", "h6"):
        now = int(str(element.tag)[1])
        text = squeezed("".join(element.itertext()))
        if level and now > level + 1:
            yield Found(
                f"The heading `{text[:60]}` is of level {now}, after one of level {level}.",
                view.line(f"{'#' * now} {text}") or view.line(text),
                f"Make it level {level + 1}.",
            )
        level = now


@rule("heading-one", ACCESS, WARNING, "The first level is the edition's own name, once.")
def heading_one(view: View) -> Iterator[Found]:
    first = [squeezed("".join(each.itertext())) for each in view.root.iter("h1")]
    for text in first[1:]:
        yield Found(
            f"The heading `{text[:60]}` is of the first level, as `{first[0][:40]}` is.",
            view.line(f"# {text}") or view.line(text),
            "Write `##` instead of `#`.",
        )


@rule(
    "heading-empty", ACCESS, WARNING, "Without words a heading is read as “heading”, and no more."
)
def heading_empty(view: View) -> Iterator[Found]:
    for element in view.root.iter("h1", "h2", "h3", "h4", "h5", "h6"):
        alts = [image.get("alt") for image in element.iter("img") if image.get("alt")]
        if not alts and not "".join(element.itertext()).strip():
            yield Found(f"An `{element.tag!s}` has no words.", hint="Leave the element out.")


@rule(
    "link-text",
    ACCESS,
    ERROR,
    "Who listens to the list of links hears their words alone (WCAG 2.2, 2.4.4).",
)
def link_text(view: View) -> Iterator[Found]:
    for link, href, label in view.links:
        alternatives = [image.get("alt") or "" for image in link.iter("img")]
        if not label and not any(alternatives):
            yield Found(
                f"The link to {view.shown(href)[:80]} has no text.",
                view.exact_line(href),
                "Say where it leads.",
            )
        elif view.bare(label).strip(" .»›→").casefold() in _VAGUE:
            yield Found(
                f"The link text `{label[:40]}` does not say where it leads.",
                view.exact_line(f"[{label}]"),
                "Let the words name the page.",
                severity=WARNING,
            )


@rule(
    "link-repeats",
    ACCESS,
    WARNING,
    "Links with the same words and different targets can't be told apart in a list of links.",
)
def link_repeats(view: View) -> Iterator[Found]:
    targets: dict[str, dict[str, None]] = defaultdict(dict)
    written: dict[str, str] = {}
    for link, href, label in view.links:
        words = label.casefold().strip(" .»›→")
        # Share links are told apart by the story that they stand under; a screen reader says both.
        if words and not link.get("aria-label") and not view.begins_personal(href):
            targets[words].setdefault(href)
            written.setdefault(words, label)
    for words, hrefs in targets.items():
        if len(hrefs) > 1:
            yield Found(
                f"{len(hrefs)} links say `{written[words][:40]}` and lead to different pages.",
                view.exact_line(list(hrefs)[1]),
                "Let each name its page.",
            )


@rule(
    "table-role",
    ACCESS,
    ERROR,
    "A screen reader announces rows and columns of a table that only holds the layout together.",
)
def table_role(view: View) -> Iterator[Found]:
    for table in view.root.iter("table"):
        if table.get("role") in ("presentation", "none"):
            if table.find(".//th") is not None and not _nested(table):
                yield Found(
                    "A table with headings is marked as layout: "
                    f"`{squeezed(''.join(table.itertext()))[:40]}`.",
                    hint='Take off role="presentation".',
                )
        elif table.find(".//th") is None:
            text = squeezed("".join(table.itertext()))
            yield Found(
                f"A table has neither headings nor the role of layout: `{text[:40]}`.",
                view.line(text[:40]),
                'Write role="presentation", or give it `th`.',
            )


def _nested(table: object) -> bool:
    """Says whether the headings are those of a table inside of this one."""
    return any(True for inner in table.iterdescendants("table") if inner.find(".//th") is not None)  # type: ignore[attr-defined]


@rule(
    "text-size",
    ACCESS,
    WARNING,
    "Text below 13 px is hard to read on a phone, and iPhones enlarge it on their own terms.",
)
def text_size(view: View) -> Iterator[Found]:
    told: set[float] = set()
    for run in view.runs:
        size = run.look.size
        if not run.look.hidden and 2 <= size < 13 and size not in told:
            told.add(size)
            yield Found(
                f"Text of {size:.4g} px: `{squeezed(run.text)[:40]}`.",
                view.line(squeezed(run.text)),
                "Make it 14 px or more in the layout.",
            )


@rule("zoom", ACCESS, ERROR, "Many readers enlarge what they read (WCAG 2.2, 1.4.4).")
def zoom(view: View) -> Iterator[Found]:
    for meta in view.root.iter("meta"):
        content = (meta.get("content") or "").replace(" ", "").lower()
        if meta.get("name") == "viewport" and re.search(
            r"user-scalable=(?:no|0)|maximum-scale=[01](?:\.\d+)?(?:,|$)", content
        ):
            yield Found("The layout forbids enlarging.", hint="Take it out of the viewport meta.")
