"""Sets single blocks in a language and direction of their own, inside of an issue in another.

Their templates see that language as the issue's. Around them a layout has settled things for the
whole mail: defaults of MJML's elements, and rules of its style sheet. Both are worked out once more
for the other direction, and used for those blocks alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass

from lxml import etree

from mailer.compose.inline import MARK, inline_styles

_DEFAULTS = re.compile(r"<mj-attributes>(.*?)</mj-attributes>", re.DOTALL)
_ELEMENT = re.compile(r"<(mj-[a-z-]+)((?:[^<>\"']|\"[^\"]*\"|'[^']*')*?)/?>")
_ATTRIBUTE = re.compile(r"([a-z-]+)=(\"[^\"]*\"|'[^']*')")


@dataclass(frozen=True, slots=True)
class Speech:
    """The language and direction of a block."""

    lang: str
    dir: str


def other_defaults(ours: str, theirs: str) -> dict[str, dict[str, str]]:
    """Returns which defaults of which elements differ between two documents of one layout."""
    before, after = _defaults(ours), _defaults(theirs)
    return {
        tag: changed
        for tag, attributes in after.items()
        if (changed := {k: v for k, v in attributes.items() if before.get(tag, {}).get(k) != v})
    }


def _defaults(document: str) -> dict[str, dict[str, str]]:
    found = _DEFAULTS.search(document)
    if found is None:
        return {}
    return {each[1]: dict(_ATTRIBUTE.findall(each[2])) for each in _ELEMENT.finditer(found[1])}


def turned(piece: str, defaults: Mapping[str, Mapping[str, str]]) -> str:
    """Returns a block's MJML with defaults written out wherever it does not say otherwise."""

    def fill(found: re.Match[str]) -> str:
        said = dict(_ATTRIBUTE.findall(found[2]))
        more = "".join(f" {k}={v}" for k, v in defaults.get(found[1], {}).items() if k not in said)
        at = found.start(2) - found.start()
        return f"{found.group()[:at]}{more}{found.group()[at:]}"

    return _ELEMENT.sub(fill, piece)


def taken_out(
    root: etree._Element, markers: Mapping[str, Speech]
) -> list[tuple[etree._Element, etree._Element, Speech]]:
    """Names the language of each marked block, and puts a placeholder where it stands.

    ``markers`` are the comments before the blocks; ``/`` and the same stands behind them. Returns
    placeholder, block, and what it speaks.
    """
    found = []
    for opening in [each for each in root.iter(etree.Comment) if (each.text or "") in markers]:
        speech = markers[opening.text or ""]
        for element in list(_until(opening, f"/{opening.text}")):
            element.set("lang", speech.lang)
            element.set("dir", speech.dir)
            place = etree.Element("div")
            place.tail, element.tail = element.tail, None
            parent = element.getparent()
            if parent is not None:
                parent.replace(element, place)
                found.append((place, element, speech))
    for comment in list(root.iter(etree.Comment)):
        if (comment.text or "").removeprefix("/") in markers:
            _drop(comment)
    return found


def put_back(
    taken: list[tuple[etree._Element, etree._Element, Speech]],
    css_for: Callable[[Speech], str],
) -> None:
    """Inlines the rules of each block's own direction, and puts it where it was."""
    for place, element, speech in taken:
        around = element
        parent = place.getparent()
        for above in place.iterancestors():
            if above.tag == "html":
                break
            shell = etree.Element(str(above.tag), dict(above.attrib.items()))
            shell.append(around)
            around = shell
        root = etree.Element("html")
        style = etree.SubElement(etree.SubElement(root, "head"), "style", type="text/css")
        style.text = MARK + css_for(speech)
        root.append(around)
        inline_styles(root)
        if parent is not None:
            element.tail = copy(place.tail)
            parent.replace(place, element)


def _until(opening: etree._Element, end: str) -> Iterator[etree._Element]:
    for each in opening.itersiblings():
        if isinstance(each.tag, str):
            yield each
        elif each.text == end:
            return


def _drop(node: etree._Element) -> None:
    parent, before = node.getparent(), node.getprevious()
    if parent is None:
        return
    if before is not None:
        before.tail = (before.tail or "") + (node.tail or "")
    else:
        parent.text = (parent.text or "") + (node.tail or "")
    parent.remove(node)
