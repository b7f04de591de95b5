"""Structure and law: what every mail must say, and what a list shows of it."""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import parseaddr

from mailer.compose.rules.boxes import BLOCKS
from mailer.compose.rules.registry import Family, Found, Severity, rule
from mailer.compose.rules.view import View, squeezed
from mailer.model.shown import counted

LONGEST_SUBJECT = 78  # RFC 5322 section 2.1.1 for a line; list views show 40 to 70
LONGEST_PREHEADER = 150
STRUCTURE, ERROR, WARNING = Family.structure, Severity.error, Severity.warning
# Their owners publish DMARC policies that others' servers hold: mail from elsewhere is refused.
_FREE_MAIL = frozenset(
    ("aol.com", "gmail.com", "googlemail.com", "gmx.de", "gmx.net", "hotmail.com", "icloud.com",
     "live.com", "mail.ru", "me.com", "msn.com", "outlook.com", "proton.me", "protonmail.com",
     "web.de", "yahoo.com", "yahoo.fr", "ymail.com")
)  # fmt: skip
_NOBODY = ("noreply", "no-reply", "no_reply", "donotreply", "do-not-reply")


@rule(
    "subject-length",
    STRUCTURE,
    WARNING,
    "A list of mails shows the first 40 to 70 characters of a subject.",
)
def subject_length(view: View) -> Iterator[Found]:
    subject = view.bare(view.composed.front.subject).strip()
    if view.letter is not None:
        subject = view.letter.subject.strip()
    if len(subject) > LONGEST_SUBJECT:
        yield Found(
            f"The subject has {counted(len(subject), 'character')}; most readers see 40 to 70.",
            view.composed.front.line("subject"),
            "Put what matters first, or shorten it.",
        )


@rule(
    "preheader-missing",
    STRUCTURE,
    WARNING,
    "Without one, mail programs show the first words that they find, such as a technical line.",
)
def preheader_missing(view: View) -> Iterator[Found]:
    if not view.composed.front.preheader:
        yield Found(
            "There is no preheader: mail programs will show the first words they find.",
            view.composed.front.line("preheader"),
            "Write `preheader: …`, one sentence that adds to the subject.",
        )


@rule(
    "preheader-repeats",
    STRUCTURE,
    WARNING,
    "It stands beside the subject, and the same words twice say nothing new.",
)
def preheader_repeats(view: View) -> Iterator[Found]:
    front = view.composed.front
    subject, preheader = view.bare(front.subject).strip(), view.bare(front.preheader).strip()
    if preheader and preheader.casefold() == subject.casefold():
        yield Found(
            "The preheader repeats the subject.", front.line("preheader"), "Say something more."
        )


@rule(
    "preheader-length",
    STRUCTURE,
    WARNING,
    "Mail programs cut a preheader after 40 to 150 characters.",
)
def preheader_length(view: View) -> Iterator[Found]:
    preheader = view.bare(view.composed.front.preheader).strip()
    if view.letter is not None:
        preheader = view.letter.preheader.strip()
    if len(preheader) > LONGEST_PREHEADER:
        yield Found(
            f"The preheader has {counted(len(preheader), 'character')} and will be cut.",
            view.composed.front.line("preheader"),
            f"At most {LONGEST_PREHEADER} are shown anywhere.",
        )


@rule(
    "title",
    STRUCTURE,
    ERROR,
    "Screen readers say a document's title first (WCAG 2.2, 2.4.2).",
    silenceable=False,
)
def title(view: View) -> Iterator[Found]:
    if not (view.root.findtext("head/title") or "").strip():
        yield Found(
            "The mail has no title.",
            hint="Write `<mj-title>{{ issue.title }}</mj-title>` in layout.mjml.",
        )


@rule(
    "unsubscribe-link",
    STRUCTURE,
    ERROR,
    "Law asks for a way to leave in every mail (CAN-SPAM, CASL, ePrivacy directive article 13).",
    silenceable=False,
)
def unsubscribe_link(view: View) -> Iterator[Found]:
    rendition = view.composed.rendition
    leave = [slot.sentinel for slot in rendition.slots if slot.source == "unsubscribe_url"]
    hrefs = " ".join(href for _, href, _ in view.links)
    for part, text in (("HTML", hrefs), ("text", rendition.text)):
        if not any(sentinel in text for sentinel in leave):
            yield Found(
                f"The {part} part has no unsubscribe link.",
                hint="The layout's footer must show {{ unsubscribe_url }}.",
            )


@rule(
    "unsubscribe-hidden",
    STRUCTURE,
    ERROR,
    "A way to leave that nobody sees is none, in law and in the eyes of mail providers.",
    silenceable=False,
)
def unsubscribe_hidden(view: View) -> Iterator[Found]:
    slots = view.composed.rendition.slots
    leave = [slot.sentinel for slot in slots if slot.source == "unsubscribe_url"]
    elements = [link for link, href, _ in view.links if any(each in href for each in leave)]
    inside = {id(each) for link in elements for each in link.iter()}
    runs = [run for run in view.runs if id(run.element) in inside]
    if elements and all(run.look.hidden or run.look.size < 9 for run in runs):
        how = next((run.look.hidden for run in runs if run.look.hidden), "text too small to read")
        yield Found(f"The unsubscribe link can't be seen ({how}).", hint="Show it in the footer.")


@rule(
    "web-link",
    STRUCTURE,
    WARNING,
    "Who can't see the mail as it was meant needs a way to the page.",
)
def web_link(view: View) -> Iterator[Found]:
    web = [each.sentinel for each in view.composed.rendition.slots if each.source == "web_url"]
    if not any(sentinel in href for _, href, _ in view.links for sentinel in web):
        yield Found(
            "Nothing leads to the web version.",
            hint="The layout should link to {{ web_url }} near the top.",
        )


@rule(
    "web-link-sentence",
    STRUCTURE,
    WARNING,
    "A link of one word such as “here” is hard to hit, and says nothing when it is read alone.",
)
def web_link_sentence(view: View) -> Iterator[Found]:
    web = [each.sentinel for each in view.composed.rendition.slots if each.source == "web_url"]
    for link, href, label in view.links:
        if href not in web:
            continue
        block = next((each for each in link.iterancestors() if each.tag in BLOCKS), link)
        around = squeezed("".join(block.itertext()))
        if label and around != label and len(around) < 200:
            yield Found(
                f"Only `{label[:40]}` of the line `{around[:80]}` leads to the web version.",
                hint="Make the whole sentence the link.",
            )
        return  # later ones are share links and the like


@rule(
    "postal-address",
    STRUCTURE,
    ERROR,
    "Law asks for a postal address in commercial mail (CAN-SPAM section 5, CASL section 6).",
    silenceable=False,
)
def postal_address(view: View) -> Iterator[Found]:
    wanted = view.composed.brand.postal_address
    if not wanted.strip():
        yield Found(
            "No postal address is set; a real send will be refused.",
            hint="Set MAILER_POSTAL_ADDRESS.",
            severity=WARNING,
        )
        return
    html = "".join(view.root.itertext())
    for part, text in (("HTML", html), ("text", view.composed.rendition.text)):
        if _loose(wanted) not in _loose(text):
            yield Found(
                f"The {part} part does not show the postal address.",
                hint="The layout's footer must show {{ postal_address }}.",
            )


@rule("sender-missing", STRUCTURE, WARNING, "A plan needs a From; the list may have one, too.")
def sender_missing(view: View) -> Iterator[Found]:
    if not view.composed.front.sender:
        yield Found(
            "Nobody is named as the sender, unless the list has one.",
            view.composed.front.line("from"),
            "Set MAILER_FROM, or write `from: Name <address>`.",
        )


@rule(
    "sender-domain",
    STRUCTURE,
    ERROR,
    "Providers refuse mail in the name of a domain that did not sign it (DMARC, RFC 9989).",
    silenceable=False,
)
def sender_domain(view: View) -> Iterator[Found]:
    domain = parseaddr(view.composed.front.sender)[1].rpartition("@")[2].lower().rstrip(".")
    line = view.composed.front.line("from")
    if domain in _FREE_MAIL:
        yield Found(
            f"The sender is at {domain}, whose owner lets nobody else send in its name.",
            line,
            "Send from a domain of your own.",
        )
    elif domain and ("." not in domain or domain.endswith((".local", ".localhost", ".internal"))):
        yield Found(
            f"The sender's domain {domain} exists on this network alone.",
            line,
            "Send from a domain of your own.",
            severity=WARNING,
        )


@rule(
    "sender-no-reply",
    STRUCTURE,
    WARNING,
    "Readers answer newsletters, and an answer is the best sign that a mail is wanted.",
)
def sender_no_reply(view: View) -> Iterator[Found]:
    front = view.composed.front
    address = parseaddr(front.reply_to or front.sender)[1]
    if address.partition("@")[0].lower() in _NOBODY:
        yield Found(
            f"Answers go to {address}, which nobody reads.",
            front.line("reply_to" if front.reply_to else "from"),
            "Write `reply_to:` with an address that somebody reads.",
        )


def _loose(text: str) -> str:
    return squeezed(text.replace(",", " ")).casefold()
