"""Compiles one language of an issue into the letter that a campaign sends, with its headers.

Plan, preview and render all make their letters here, so that none of them shows another mail.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from mailer.compose.compose import Composed
from mailer.compose.languages import Offered
from mailer.compose.links import SHARE_PAGES
from mailer.errors import InputError
from mailer.message.click_links import sign_target
from mailer.message.compiled import CompiledMessage, Letterhead, compile_message
from mailer.message.headers import feedback_words
from mailer.message.image_loads import CountedPicture, picture_address
from mailer.message.keys import aligned
from mailer.message.links import KeyRing
from mailer.message.mailbox import HeaderError, Mailbox, encode_domain, parse_mailbox
from mailer.message.retarget import Clicks, Retarget
from mailer.message.utm import Utm
from mailer.model.measuring import ClickMode, LoadMode, UtmWish
from mailer.model.words import FieldKind
from mailer.smtp.providers import lane_names
from mailer.usecases.compose_issue import IssueFolder, web_address
from mailer.usecases.sign_letters import Signing


@dataclass(frozen=True, slots=True)
class SendingPolicy:
    """What the workspace's settings say about sending; frozen with the campaign."""

    return_path: str  # may hold {token}
    site_url: str
    signing: Signing | None = None
    cfbl_address: str = ""  # complaints come here (RFC 9477)
    lane_of: Mapping[str, str] = field(default_factory=lambda: lane_names({}))  # by domain
    clicks: ClickMode = ClickMode.off
    image_loads: LoadMode = LoadMode.off
    utm: UtmWish = field(default_factory=UtmWish)
    utm_domains: Sequence[str] = ()  # the owner's; none: the domain of From

    def clicks_of(self, composed: Composed) -> ClickMode:
        """What is measured of an issue: as it says itself, else as the workspace does."""
        return composed.front.clicks or self.clicks

    def loads_of(self, composed: Composed) -> LoadMode:
        """Likewise, of its picture."""
        return composed.front.image_loads or self.image_loads


@dataclass(frozen=True, slots=True)
class Measuring:
    """How links and picture are signed; ``numbers`` collects the links, over all languages."""

    keys: KeyRing
    key_id: int
    campaign: int
    mode: ClickMode
    numbers: dict[str, int] = field(default_factory=dict)
    loads: LoadMode = LoadMode.off

    @property
    def anything(self) -> bool:
        return self.mode is not ClickMode.off or self.loads is not LoadMode.off

    @property
    def clicks(self) -> Clicks | None:
        if self.mode is ClickMode.off:
            return None

        def sign(number: int, target: str) -> str:
            return sign_target(self.keys, self.campaign, number, target, key_id=self.key_id)

        return Clicks(sign, self.mode is ClickMode.people, self.numbers)

    def picture(self, site_url: str) -> CountedPicture | None:
        if self.loads is LoadMode.off:
            return None
        address = picture_address(site_url, self.keys, self.campaign, self.key_id)
        return CountedPicture(address, self.loads is LoadMode.people)


@dataclass(frozen=True, slots=True)
class Addressed:
    """The list that a letter goes to, as its headers name it."""

    title: str
    slug: str


@dataclass(frozen=True, slots=True)
class Letter:
    """One language of the issue, compiled."""

    offered: Offered
    subject: str  # for people
    sender: Mailbox
    domain: str  # of From, as A-labels
    compiled: CompiledMessage


def compile_letter(
    composed: Composed,
    *,
    issue: IssueFolder,
    mailing_list: Addressed,
    web_home: str,
    fields: Mapping[str, FieldKind],
    blank_ok: bool,
    sending: SendingPolicy,
    measuring: Measuring | None = None,
) -> Letter:
    """One language as it goes to a list. Raises InputError when it can't be compiled.

    ``web_home`` is the web version's address without a language. ``blank_ok`` prints a field
    without a default as nothing where somebody has none. ``measuring`` leads links through the
    site, and adds the counted picture; without it there is neither.
    """
    sender, reply_to = _mailboxes(composed)
    domain = encode_domain(sender.address.rpartition("@")[2])
    compiled = compile_message(
        composed.rendition,
        Letterhead(
            sender=sender,
            reply_to=reply_to,
            seed=f"{issue.name} {composed.rendition.language}",
            list_name=mailing_list.title,
            list_id=list_id(mailing_list.slug, sending.site_url),
            campaign=issue.name,
            web_url=web_address(web_home, composed),
            web_home=web_home,
            feedback_id=feedback_words(issue.name, mailing_list.slug, domain),
            cfbl_address=_complaints(sending, domain),
        ),
        fields=fields,
        blank_ok=blank_ok,
        retarget=Retarget(
            sending.site_url,
            _utm(composed, issue, mailing_list, domain, sending),
            measuring.clicks if measuring is not None else None,
            SHARE_PAGES,
        ),
        picture=measuring.picture(sending.site_url) if measuring is not None else None,
    )
    return Letter(composed.offered, _subject(composed), sender, domain, compiled)


def _utm(
    composed: Composed,
    issue: IssueFolder,
    mailing_list: Addressed,
    domain: str,
    sending: SendingPolicy,
) -> Utm:
    """The issue's parameters over the workspace's, over what is plain from the campaign."""
    wish = composed.front.utm or sending.utm
    if not wish.on:
        return Utm()
    plain = {"source": mailing_list.slug, "medium": "email", "campaign": issue.name}
    values = {**plain, **sending.utm.values, **wish.values}
    return Utm(values, tuple(sending.utm_domains) or (domain,))


def _complaints(sending: SendingPolicy, domain: str) -> str:
    """Where complaints go. Raises InputError when nobody would believe the header (RFC 9477)."""
    address = sending.cfbl_address
    if address and not aligned(encode_domain(address.rpartition("@")[2]), domain):
        raise InputError(
            f"MAILER_CFBL_ADDRESS is {address} and From is at {domain}.",
            hint="Receivers believe an address of the same domain alone.",
        )
    return address


def _mailboxes(composed: Composed) -> tuple[Mailbox, Mailbox | None]:
    """From and Reply-To: the issue's, else the list's, else the settings'."""
    sender, reply_to = composed.front.sender, composed.front.reply_to
    if not sender:
        raise InputError(
            "Nobody is named as the sender.",
            hint="Set MAILER_FROM, or `from:` in the issue's front matter.",
        )
    try:
        return parse_mailbox(sender), parse_mailbox(reply_to) if reply_to else None
    except HeaderError as error:
        raise InputError(f"From or Reply-To can't be used: {error}") from None


def list_id(slug: str, site_url: str) -> str:
    """The List-Id of a list: stable as long as its slug and the site's host are (RFC 2919)."""
    host = urlsplit(site_url).hostname or "localhost"
    named = host.rpartition(".")[2].isalpha()
    return f"{slug}.{host}" if named else f"{slug}.localhost"


def _subject(composed: Composed) -> str:
    """The subject for people: slots as the author wrote them."""
    subject = composed.rendition.subject
    for slot in composed.rendition.slots:
        subject = subject.replace(slot.sentinel, f"{{{{ {slot.source.strip()} }}}}")
    return subject
