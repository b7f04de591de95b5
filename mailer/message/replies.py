"""Says what a server's reply means for one delivery, by where it came and what it says.

Three rules stand above the table in ``known_replies``. Only a reply about the reader's own address
blames the reader. Before the address is named (greeting, TLS, AUTH, MAIL) a refusal is about us
and finalises nobody. A 552 at RCPT counts as a 452 (RFC 5321 section 4.5.3.1.10).

Two cases are decided here, because the standards leave them open. A policy code at RCPT that no
row explains (``550 5.7.1``) defers that one reader and does not stop the run: it may be that
reader's own filter, and whoever runs the campaign counts such refusals in a row. A 5yz after the
text without code or known words is a refusal of this text (``rejected_content``) that blames the
message, never the reader: a server that has read it will not read it otherwise tomorrow
(RFC 5321 section 4.2.1), and ``retry`` brings those readers back.
"""

from __future__ import annotations

import re

from mailer.message.known_replies import BEFORE_RCPT, FROM_RCPT_ON, Effect, Known, suspension
from mailer.model.words import Blame, DeliveryState, Outcome, Reply, Stage

ACCEPTED = Outcome(DeliveryState.accepted, "accepted", Blame.infrastructure)
_NAMED = frozenset({Stage.rcpt, Stage.data, Stage.dot})
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\b")


def classify(stage: Stage, reply: Reply) -> Outcome:
    """Returns what a reply means. A positive reply means something at the dot only."""
    if stage is Stage.dot and reply.positive:
        return ACCEPTED
    if not 400 <= reply.code < 600:
        return _deferred("protocol", Blame.infrastructure)
    if stage is Stage.mail and reply.enhanced in _NEEDS_SMTPUTF8:
        # Our own wire says it before MAIL: this reader's address needs what the server lacks.
        return Outcome(DeliveryState.refused, "eai_unsupported", Blame.infrastructure)
    if stage not in _NAMED:
        return _about_us(stage, reply)
    known = _look_up(reply, FROM_RCPT_ON)
    if known is None:
        return _unknown(stage, reply)
    by_code = known.effect is Effect.by_code and known.reason != "no_such_user"
    if stage is Stage.rcpt and reply.code == 552 and by_code:
        return _deferred(known.reason, known.blame)
    if stage is Stage.rcpt and known.reason == "policy":
        return _deferred(known.reason, known.blame)
    return _outcome(known, reply)


def _look_up(reply: Reply, table: tuple[Known, ...]) -> Known | None:
    line = _line(reply)
    return next((known for known in table if known.pattern.search(line)), None)


def _line(reply: Reply) -> str:
    """``code enhanced text`` in lower case: what the tables' patterns look at."""
    text = reply.text.strip().lower()
    enhanced = reply.enhanced
    if not enhanced and (found := _ENHANCED.match(text)):
        enhanced = found.group()
    return f"{reply.code} {enhanced} {text.removeprefix(enhanced).strip()}"


def _outcome(known: Known, reply: Reply) -> Outcome:
    stops = known.effect is Effect.stop or (
        known.effect is Effect.stop_on_5yz and not reply.temporary
    )
    if stops or reply.temporary or known.effect is Effect.wait:
        suspend = suspension(_line(reply)) if known.blame is Blame.rate else 0
        return Outcome(DeliveryState.deferred, known.reason, known.blame, stops, suspend)
    return Outcome(DeliveryState.refused, known.reason, known.blame)


def _about_us(stage: Stage, reply: Reply) -> Outcome:
    """Before any reader is named: 4yz waits, 5yz stops the run; nobody is blamed for it."""
    reason, blame = _BEFORE[stage]
    known = _look_up(reply, BEFORE_RCPT)
    if known is not None and known.blame is not Blame.recipient and stage is not Stage.auth:
        stops = known.effect is Effect.stop or not reply.temporary
        return _deferred(known.reason, known.blame, stops_run=stops)
    return _deferred(reason, blame, stops_run=not reply.temporary)


_NEEDS_SMTPUTF8 = ("5.6.7", "5.6.9")  # RFC 6531 section 3.2, and its registry of codes
_BEFORE = {
    Stage.connect: ("server_unavailable", Blame.infrastructure),
    Stage.greeting: ("server_unavailable", Blame.infrastructure),
    Stage.ehlo: ("server_unavailable", Blame.infrastructure),
    Stage.session: ("server_unavailable", Blame.infrastructure),
    Stage.starttls: ("tls_failed", Blame.configuration),
    Stage.auth: ("sign_in_failed", Blame.configuration),
    Stage.mail: ("sender_rejected", Blame.configuration),
}


def _unknown(stage: Stage, reply: Reply) -> Outcome:
    """A code without enhanced status, and words that nobody knows."""
    if reply.temporary:
        reason = "server_unavailable" if reply.code == 421 else "try_later"
        return _deferred(reason, Blame.infrastructure)
    if stage is Stage.rcpt and reply.code == 552:
        return _deferred("one_at_a_time", Blame.infrastructure)
    if stage is Stage.rcpt:
        return Outcome(DeliveryState.refused, "rejected", Blame.recipient)
    if stage is Stage.data:  # the text is not known yet, and the reader was accepted: it is us
        return _deferred("rejected", Blame.configuration, stops_run=True)
    return Outcome(DeliveryState.refused, "rejected_content", Blame.message)


def _deferred(reason: str, blame: Blame, *, stops_run: bool = False) -> Outcome:
    return Outcome(DeliveryState.deferred, reason, blame, stops_run)
