"""Spam filters: what their rules count against a mail, in its headers, its MIME and its HTML.

The rules follow those of SpamAssassin 4 (named in each function), which the tests run as a peer.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from email.parser import BytesHeaderParser
from email.utils import parseaddr

from mailer.compose.rules.registry import Family, Found, Severity, rule
from mailer.compose.rules.view import View, squeezed
from mailer.model.shown import counted

FILTERS, ERROR, WARNING = Family.filters, Severity.error, Severity.warning
_SHOUTS = re.compile(r"[!?$€£]{2,}|!\s*$")
_REPLY = re.compile(r"\s*(?:re|fwd?|aw|wg|tr|rv)\s*:", re.IGNORECASE)
_MAILBOX = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+\.[\w.-]+")
_ACTIVE = ("script", "form", "iframe", "object", "embed", "base", "frame", "applet")
WORDS_PER_PICTURE = 10
LONGEST_LINE = 998  # octets; RFC 5322 section 2.1.1
_ONCE = ("From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type")


@rule(
    "subject-capitals",
    FILTERS,
    WARNING,
    "A subject in capitals is read as shouting, by people and filters (SUBJ_ALL_CAPS).",
)
def subject_capitals(view: View) -> Iterator[Found]:
    subject = view.bare(view.composed.front.subject)
    letters = [each for each in subject if each.isalpha() and each.lower() != each.upper()]
    loud = sum(each.isupper() for each in letters)
    if len(letters) >= 10 and loud > 0.7 * len(letters):
        yield Found(
            f"The subject is in capitals: `{subject[:60]}`.",
            view.composed.front.line("subject"),
            "Write it as a sentence.",
        )


@rule(
    "subject-marks",
    FILTERS,
    WARNING,
    "Rows of marks and pictures in a subject are the habit of spam.",
)
def subject_marks(view: View) -> Iterator[Found]:
    subject = view.bare(view.composed.front.subject)
    symbols = [each for each in subject if unicodedata.category(each) == "So"]
    found = _SHOUTS.search(subject)
    if found or len(symbols) > 2:
        marks = found.group() if found else "".join(symbols)
        yield Found(
            f"The subject shouts with `{marks.strip()}`.",
            view.composed.front.line("subject"),
            "Let the words do it.",
        )


@rule(
    "subject-reply",
    FILTERS,
    ERROR,
    "A first mail that pretends to be an answer deceives (CAN-SPAM, section 5(a)(2)).",
)
def subject_reply(view: View) -> Iterator[Found]:
    subject = view.composed.front.subject
    found = _REPLY.match(subject)
    if found:
        yield Found(
            f"The subject begins with `{found.group().strip()}`, as if it were an answer.",
            view.composed.front.line("subject"),
            "Take it out.",
        )


@rule(
    "sender-name",
    FILTERS,
    WARNING,
    "Readers look for a name; one that is an address of another domain is a sign of fraud"
    " (FROMNAME_DIFFERS).",
)
def sender_name(view: View) -> Iterator[Found]:
    name, address = parseaddr(view.composed.front.sender)
    line = view.composed.front.line("from")
    inside = _MAILBOX.search(name)
    if address and not name.strip():
        yield Found(
            f"The sender {address} has no name.",
            line,
            "Write `from: Name <address>`, or set MAILER_FROM.",
        )
    elif inside and inside.group().casefold() != address.casefold():
        yield Found(
            f"The sender's name holds the address {inside.group()}, and is not {address}.",
            line,
            "Write a name.",
            severity=ERROR,
        )


@rule(
    "active-content",
    FILTERS,
    ERROR,
    "Mail programs strip programs and forms from a mail, and filters refuse it.",
    silenceable=False,
)
def active_content(view: View) -> Iterator[Found]:
    for element in view.root.iter():
        if not isinstance(element.tag, str):
            continue
        if element.tag in _ACTIVE or (element.tag == "link" and element.get("rel") == "stylesheet"):
            yield Found(f"The layout writes `<{element.tag}>`.", hint="Take it out.")
        if element.tag == "meta" and element.get("http-equiv", "").strip().lower() == "refresh":
            # No content policy holds it back: readers of the web version would be led away.
            yield Found('The layout writes `<meta http-equiv="refresh">`.', hint="Take it out.")
        handlers = [str(name) for name in element.keys() if str(name).startswith("on")]  # noqa: SIM118  # an element is no mapping
        if handlers:
            yield Found(f"The layout writes `{handlers[0]}=` on `<{element.tag}>`.")


@rule(
    "picture-only",
    FILTERS,
    WARNING,
    "A mail of pictures with few words is empty when pictures are off (HTML_IMAGE_ONLY).",
)
def picture_only(view: View) -> Iterator[Found]:
    pictures = [
        image
        for image in view.root.iter("img")
        if not (image.get("width") or "999").isdigit() or int(image.get("width") or 999) > 60
    ]
    visible = " ".join(r.text for r in view.runs if not r.alt and not r.look.hidden)
    words = len(view.bare(visible).split())
    if pictures and words < WORDS_PER_PICTURE * len(pictures):
        yield Found(
            f"There are {counted(words, 'word')} to {counted(len(pictures), 'picture')}.",
            hint=f"Say in the text what matters; {WORDS_PER_PICTURE} words a picture are few.",
        )


@rule(
    "title-subject",
    FILTERS,
    WARNING,
    "Screen readers and browsers say the title; one that is left over is another mail's.",
)
def title_default(view: View) -> Iterator[Found]:
    title = squeezed(view.root.findtext("head/title") or "").casefold()
    if title in ("untitled", "untitled document", "title", "newsletter", "email", "document"):
        yield Found(f"The title is `{title}`.", hint="Let it be the edition's.")


@rule(
    "message-headers",
    FILTERS,
    ERROR,
    "A header that is missing, double or broken is what filters look at first (MISSING_*,"
    " RFC 5322 section 3.6).",
    silenceable=False,
)
def message_headers(view: View) -> Iterator[Found]:
    if view.letter is None:
        return
    head = view.letter.message.partition(b"\r\n\r\n")[0]
    fields = BytesHeaderParser().parsebytes(head + b"\r\n\r\n")
    for name in _ONCE:
        many = len(fields.get_all(name) or [])
        if many != 1:
            yield Found(f"The message has {many} headers `{name}`, and needs one.")
    for name in ("List-Unsubscribe", "List-Unsubscribe-Post"):
        if name not in fields:
            yield Found(f"The message has no `{name}` (RFC 8058).")
    if b"\n" in head.replace(b"\r\n", b""):
        yield Found("A header ends without CR LF.")
    if max(map(len, head.split(b"\r\n"))) > LONGEST_LINE:
        yield Found(f"A header line has more than {LONGEST_LINE} octets.")


@rule(
    "message-mime",
    FILTERS,
    ERROR,
    "Parts in the wrong order, or lines that are too long, are shown wrong or refused (MIME_*,"
    " RFC 2046 section 5.1.4).",
    silenceable=False,
)
def message_mime(view: View) -> Iterator[Found]:
    if view.letter is None:
        return
    message = view.letter.message
    text, html = message.find(b"Content-Type: text/plain"), message.find(b"Content-Type: text/html")
    if not 0 < text < html:
        yield Found("The message has no text part before its HTML part.")
    if message.count(b'charset="utf-8"') < 2:
        yield Found("A part does not name its character set.")
    if any(len(line) > LONGEST_LINE for line in message.split(b"\r\n")):
        yield Found(f"A line has more than {LONGEST_LINE} octets.")
    if b"\x00" in message:
        yield Found("The message holds a NUL.")
