"""What servers say: enhanced status codes, and the texts of providers that mean something else.

A row is a pattern over ``code enhanced text`` in lower case, a word for the ledger, whom it
blames, and what follows. The first row that fits counts: what is about us stands before what is
about the reader, so that nobody is struck off for our fault, and texts stand before plain codes.
Sources: the providers' postmaster pages, RFC 3463 and the IANA registry of enhanced status codes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from mailer.model.words import Blame


class Effect(Enum):
    """What follows from a reply."""

    by_code = "4yz: try again; 5yz: refused for good"
    wait = "try again, whatever the code says"
    stop = "stop the run, finalise nobody"
    stop_on_5yz = "4yz: try again; 5yz: stop the run"


@dataclass(frozen=True, slots=True)
class Known:
    """One row: replies that look like ``pattern`` mean ``reason``."""

    pattern: re.Pattern[str]
    reason: str
    blame: Blame
    effect: Effect


_PERSON, _MESSAGE, _POLICY = Blame.recipient, Blame.message, Blame.policy
_SETUP, _RATE, _SERVER = Blame.configuration, Blame.rate, Blame.infrastructure
_CODE, _WAIT, _STOP, _STOP_5 = Effect.by_code, Effect.wait, Effect.stop, Effect.stop_on_5yz
_Row = tuple[str, str, Blame, Effect]

# About us: our address, our set-up, our text, our pace. Looked at first, at every stage.
_ABOUT_US: tuple[_Row, ...] = (
    # Gmail. A 451 means that DNS failed while DMARC was looked up: nothing of ours.
    (r"^451 4\.7\.26 ", "authentication", _SERVER, _WAIT),
    (r"^\d+ [45]\.7\.2[3-5] ", "sender_dns", _SETUP, _STOP),
    (r"^\d+ [45]\.7\.(?:2[67]|3[0-2]|40) ", "authentication", _SETUP, _STOP),
    (r"^\d+ [45]\.7\.29 ", "tls_required", _SETUP, _STOP),
    (r"^\d+ [45]\.7\.28 ", "rate", _RATE, _STOP_5),
    (r"^\d+ [45]\.4\.5 |sending (?:quota|limit)", "daily_limit", _RATE, _STOP_5),
    (
        r"^45\d 4\.5\.3 |^55\d 5\.5\.3 |multiple destination domains",
        "one_at_a_time",
        _SERVER,
        _WAIT,
    ),
    (r"^523 ", "protocol", _SETUP, _STOP),
    (r"rfc ?[25][38]22|duplicate headers?|encoded-word", "malformed", _MESSAGE, _STOP),
    (r"message-id header|multiple addresses in .{0,20}header", "malformed", _MESSAGE, _STOP),
    # Yahoo. TSS09 and TSS11 say "permanently", and mean the sending address, not the reader's.
    (r"\[(?:ip)?tss?\d\d\]", "rate", _RATE, _STOP_5),
    (r"\[bl\d\d\]", "blocked", _POLICY, _STOP_5),
    (r"\[ph\d\d\]", "content", _MESSAGE, _STOP_5),
    (r"^5\d\d 5\.7\.9 ", "authentication", _SETUP, _STOP),
    (r"max(?:imum)? messages? per connection", "rate", _RATE, _WAIT),
    # Outlook.com and Exchange Online.
    (r"\brp-00\d", "rate", _RATE, _WAIT),
    (r"\b(?:sc|dy|ou)-00\d", "blocked", _POLICY, _STOP_5),
    (r"5\.7\.515\b", "authentication", _SETUP, _STOP),
    (r"^5\d\d 5\.7\.(?:50[1-9]|51[0-3]|60[4-9]|7\d\d) ", "blocked", _POLICY, _STOP),
    # iCloud.
    (r"\[(?:hcm1|bs02)\]", "rate", _RATE, _WAIT),
    # Anybody.
    (r"\bgr[ae]y-?list", "greylisted", _POLICY, _WAIT),
    (
        r"relay(?:ing)? (?:access )?(?:is )?(?:denied|not (?:permitted|allowed)|prohibited)",
        "relaying_denied",
        _SETUP,
        _STOP,
    ),
    (r"(?:unable|not permitted|not allowed) to relay", "relaying_denied", _SETUP, _STOP),
    (
        r"authentication (?:is )?required|must (?:first )?(?:be )?authenticate",
        "sign_in_first",
        _SETUP,
        _STOP,
    ),
    (r"sender (?:address )?rejected|sender verify failed", "sender_rejected", _SETUP, _STOP_5),
    (r"to send as |sendasdenied|not owned by user", "sender_rejected", _SETUP, _STOP_5),
    (
        r"must issue a starttls|starttls (?:first|is required)|encryption required",
        "tls_required",
        _SETUP,
        _STOP,
    ),
    (r"spamhaus|spamcop|barracudacentral|\brbl\b|dnsbl|\bblack ?list", "blocked", _POLICY, _STOP_5),
    (r"client host .{1,80} (?:blocked|rejected)|banned sending ip", "blocked", _POLICY, _STOP_5),
    (r"\breputation\b", "reputation", _POLICY, _STOP_5),
    (
        r"unsolicited|(?:like|as|be|considered) spam\b|spam (?:message|content|detected)",
        "content",
        _MESSAGE,
        _STOP_5,
    ),
    (r"(?:contains|infected with) (?:a )?(?:virus|malware)", "content", _MESSAGE, _STOP_5),
)

# About the reader. Looked at only where the reader's address was named: RCPT and later.
_ABOUT_THE_READER: tuple[_Row, ...] = (
    # Said with 4yz and with 5yz: the text decides, not the code (Gmail 5.2.1).
    (
        r"receiving (?:e?mail|messages) (?:at a rate|too quickly)",
        "recipient_too_fast",
        _PERSON,
        _WAIT,
    ),
    (r"^\d+ 4\.2\.1 ", "recipient_too_fast", _PERSON, _WAIT),
    # Postfix with strict_7bit_headers says the second: only such an address puts 8 bits there.
    (
        r"^\d+ [45]\.6\.[79] |8-bit data in message header|smtputf8",
        *("eai_unsupported", _SERVER, _CODE),
    ),
    # A group that takes mail from inside only (Exchange): about this address, yet no bounce.
    (r"resolver\.rst\.|^5\d\d 5\.7\.(?:12[4-9]|13[3-6]|193) ", "not_allowed", _POLICY, _CODE),
    # Exchange Online answers 5.4.1 for an address that its directory does not know.
    (r"5\.4\.1 recipient address rejected", "no_such_user", _PERSON, _CODE),
    (r"no such (?:user|mailbox|recipient|address|person)", "no_such_user", _PERSON, _CODE),
    (r"unknown (?:user|recipient|mailbox|local.?part)", "no_such_user", _PERSON, _CODE),
    (
        r"(?<!your )(?:user|recipient|mailbox|account)(?: address)? (?:is )?"
        r"(?:unknown|not found|does not exist|doesn't exist)",
        *("no_such_user", _PERSON, _CODE),
    ),
    (r"account that you tried to reach does not exist", "no_such_user", _PERSON, _CODE),
    (r"doesn't have an? .{1,40} account|delivery error: dd", "no_such_user", _PERSON, _CODE),
    (
        r"invalid (?:recipient|mailbox)|no mailbox (?:here )?by that name",
        "no_such_user",
        _PERSON,
        _CODE,
    ),
    (
        r"(?<!your )(?:account|mailbox|user)(?: is| has been)? "
        r"(?:disabled|inactive|suspended|deactivated|not active|closed)",
        *("mailbox_disabled", _PERSON, _CODE),
    ),
    (r"over ?quota|mailbox (?:is )?full|out of storage", "mailbox_full", _PERSON, _CODE),
)

_ANYBODY: tuple[_Row, ...] = (
    (r"rate.?limit|throttl|too many (?:messages|connections|e?mails)", "rate", _RATE, _STOP_5),
    (r"^4.*(?:temporarily deferred|server (?:is )?busy)", "rate", _RATE, _WAIT),
    # Codes of RFC 3463. 5.1.7 and 5.1.8 are about the sender's address.
    (r"^\d+ [45]\.1\.[78] ", "sender_rejected", _SETUP, _STOP_5),
    (r"^\d+ [45]\.1\.(?:2|10) |^556 ", "no_such_domain", _PERSON, _CODE),
    (r"^\d+ [45]\.1\.3 ", "bad_address", _PERSON, _CODE),
    (r"^\d+ [45]\.1\.0 ", "rejected", _PERSON, _CODE),
    (r"^\d+ [45]\.1\.\d+ ", "no_such_user", _PERSON, _CODE),
    (r"^\d+ [45]\.2\.2 ", "mailbox_full", _PERSON, _CODE),
    (r"^\d+ 5\.2\.3 ", "message_too_large", _MESSAGE, _CODE),  # for this mailbox
    (r"^\d+ [45]\.2\.\d+ ", "mailbox_disabled", _PERSON, _CODE),
    (r"^\d+ [45]\.3\.4 ", "message_too_large", _MESSAGE, _STOP_5),
    (r"^\d+ [45]\.3\.\d+ ", "server_trouble", _SERVER, _WAIT),
    (r"^\d+ 5\.4\.(?:4|310) ", "no_such_domain", _PERSON, _CODE),
    (r"^\d+ [45]\.4\.\d+ ", "routing", _SERVER, _CODE),
    (r"^\d+ [45]\.5\.\d+ |^50[0234] |^555 ", "protocol", _SETUP, _STOP_5),
    (r"^\d+ [45]\.6\.\d+ ", "malformed", _MESSAGE, _STOP_5),
    (r"^\d+ 4\.7\.1 ", "greylisted", _POLICY, _WAIT),
    (r"^53[0458] ", "sign_in_first", _SETUP, _STOP),
    (r"^521 ", "server_unavailable", _SERVER, _STOP),  # RFC 7504: a host that takes no mail
    (r"^\d+ [45]\.7\.\d+ ", "policy", _POLICY, _STOP_5),
)


def _known(*tables: Iterable[_Row]) -> tuple[Known, ...]:
    return tuple(
        Known(re.compile(pattern), reason, blame, effect)
        for table in tables
        for pattern, reason, blame, effect in table
    )


BEFORE_RCPT = _known(_ABOUT_US, _ANYBODY)
FROM_RCPT_ON = _known(_ABOUT_US, _ABOUT_THE_READER, _ANYBODY)

# Providers that ask to be left alone, and for how many seconds. Sources: Google's page on 4.7.28
# (ten minutes at least), Yahoo's on TSS04 (two hours), Microsoft's on RP-001 to RP-003.
_SUSPENSIONS = [
    (re.compile(pattern), seconds)
    for pattern, seconds in (
        (r"^4\d\d 4\.7\.28 ", 600),
        (r"^5\d\d 5\.7\.28 ", 3_600),
        (r"\[(?:ip)?tss?04\]", 7_200),
        (r"\[(?:ip)?tss?\d\d\]", 3_600),
        (r"\brp-00\d", 900),
        (r"\[(?:hcm1|bs02)\]", 900),
        (
            r"^4.*(?:temporarily deferred|rate limited due to ip reputation|server (?:is )?busy)",
            600,
        ),
    )
]
LONGEST_SUSPENSION = max(seconds for _, seconds in _SUSPENSIONS)


def suspension(line: str) -> int:
    """How long a provider wants to be left alone, in seconds; 0 when it does not say so.

    ``line`` is ``code enhanced text`` in lower case.
    """
    return next((seconds for pattern, seconds in _SUSPENSIONS if pattern.search(line)), 0)
