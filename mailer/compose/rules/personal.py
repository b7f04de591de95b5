"""Personal text: nothing of one reader's on the web, nothing of another tool's left standing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailer.compose.rules.registry import Family, Found, Severity, rule
from mailer.compose.rules.view import View
from mailer.model.words import Slot, SlotKind

PERSONAL, ERROR, WARNING = Family.personal, Severity.error, Severity.warning
# One reader's: never on the web.
_OWN_URL = ("unsubscribe_url", "preferences_url", "reconfirm_url", "email")
_BUILT_IN = {*_OWN_URL, "web_url", "web_home", "list", "campaign"}
_DEFAULT = re.compile(r"\|\s*default(?:_web)?\b")
_LOOP = re.compile(r"for\s+(\w+)\s+in\b")
_NAME = re.compile(r"\w+")
# How other tools write what stands between two braces here.
_FOREIGN = re.compile(
    r"\*\|[A-Z_:0-9]+\|\*"  # Mailchimp
    r"|%%[A-Za-z_]{2,40}%%|%[A-Z_]{3,40}%"  # Salesforce; ActiveCampaign
    r"|\[\[[A-Za-z_ .]{2,40}\]\]|<<[A-Za-z_ ]{2,40}>>|«[A-Za-z]+_[A-Za-z_]+»"  # Word
    r"|(?<!\{)\{(?:first|last|full|sub|recipient|contact|user)[A-Za-z_. ]{0,30}\}(?!\})"
    r"|(?<!\{)\{\$[a-z_.]+\}|\$\{[A-Za-z_.]+\}|@@[A-Za-z_]+@@",
)
_CODE = re.compile(r"`[^`\n]*`")


@rule(
    "web-personal",
    PERSONAL,
    ERROR,
    "The web version is everybody's, and nothing in it may be one reader's.",
    silenceable=False,
)
def web_personal(view: View) -> Iterator[Found]:
    for slot, name in _web_values(view):
        if name in _OWN_URL:
            yield Found(
                f"`{{{{ {slot.source} }}}}` is one reader's and would stand on the web.",
                slot.line or None,
                'Give that element the class "mail-only", or the value a `default`.',
                slot.file,
            )


@rule(
    "web-default",
    PERSONAL,
    ERROR,
    "On the web a field shows its default, and one without any leaves a gap.",
    silenceable=False,
)
def web_default(view: View) -> Iterator[Found]:
    loops = {
        name
        for slot in view.composed.rendition.slots
        if (found := _LOOP.match(slot.source)) and (name := found.group(1))
    }
    for slot, name in _web_values(view):
        if name not in _BUILT_IN | loops:
            yield Found(
                f"`{{{{ {slot.source} }}}}` has nothing to show in the web version.",
                slot.line or None,
                'Write `| default("…")` behind it.',
                slot.file,
            )


def _web_values(view: View) -> Iterator[tuple[Slot, str]]:
    for slot in view.slots(view.composed.rendition.web_html):
        if slot.kind is SlotKind.value and not _DEFAULT.search(slot.source):
            yield slot, (_NAME.match(slot.source) or [""])[0]


@rule(
    "merge-foreign",
    PERSONAL,
    ERROR,
    "The merge tags of another tool would be sent as they stand.",
)
def merge_foreign(view: View) -> Iterator[Found]:
    source = _CODE.sub(lambda each: " " * len(each.group()), view.composed.source)
    for tag in dict.fromkeys(found.group() for found in _FOREIGN.finditer(source)):
        yield Found(
            f"`{tag}` looks like the merge tag of another tool.",
            view.exact_line(tag),
            'Write `{{ first_name | default("reader") }}`; code goes between backticks.',
        )


@rule(
    "merge-greeting",
    PERSONAL,
    WARNING,
    "“Dear ,” is what somebody without a name gets.",
)
def merge_greeting(view: View) -> Iterator[Found]:
    for slot in view.composed.rendition.slots:
        if slot.kind is SlotKind.value and re.search(r"default\(\s*([\"'])\s*\1", slot.source):
            name = (_NAME.match(slot.source) or [""])[0]
            if "name" in name:
                yield Found(
                    f"`{{{{ {slot.source} }}}}` leaves a gap for who has no {name}.",
                    slot.line or None,
                    'Give it a word, such as `default("reader")`.',
                    slot.file,
                )
