"""The breaker: stops a run when what the server says is about us or the list, not about one person.

It keeps count of answers and says in a sentence why the run should stop; and how often the server
hung up on one person, who must not hold up the others.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from mailer.model.words import Blame, DeliveryState, Outcome, Reply, Stage

_RECENT = 200  # answers; when most of them are no, something is wrong
_MOST_LOST = 10  # texts without an answer in one run, if that is more than one in twenty
_HANG_UPS = 3  # on one person's envelope, in one run, before that person is put off
_HANG_UP_WAIT = 8.0  # seconds, after the second
_SAME_REFUSALS = 10  # in a row, with one status: it is about us, not about ten people


@dataclass(slots=True)
class Breaker:
    """One run's count. ``heard`` and ``lost`` return the sentence to stop with, or an empty one."""

    accepted: int = 0  # since the last one that was not; added to, not told, for each mail
    _recent: deque[bool] = field(default_factory=lambda: deque(maxlen=_RECENT))
    _same: tuple[str, int] = ("", 0)
    _lost: int = 0
    _hung_up: dict[int, int] = field(default_factory=dict)

    def heard(self, stage: Stage, outcome: Outcome, reply: Reply) -> str:
        """One person's answer, which stops nothing by itself."""
        if self.accepted:
            self._recent.extend([True] * min(self.accepted, _RECENT))
            self._same = ("", 0)
            self.accepted = 0
        if outcome.state is DeliveryState.accepted:
            self.accepted = 1
            return ""
        self._recent.append(False)
        return self._same_again(stage, outcome, reply) or self._mostly_bad(reply)

    def hung_up(self, key: int) -> float | None:
        """The server hung up on one person's envelope: seconds until they are tried again.

        None when it has done so again and again: they are put off, and hold nobody else up.
        """
        times = self._hung_up[key] = self._hung_up.get(key, 0) + 1
        if times >= _HANG_UPS:
            return None
        return 0.0 if times == 1 else _HANG_UP_WAIT

    def lost(self, answers: int) -> str:
        """A text without an answer, beside so many that had one."""
        self._lost += 1
        if self._lost < _MOST_LOST or self._lost * 20 <= answers:
            return ""
        return (
            f"The server broke off after the text of {self._lost} mails;"
            " nobody knows whether they were taken."
        )

    def _same_again(self, stage: Stage, outcome: Outcome, reply: Reply) -> str:
        known = outcome.blame is Blame.recipient and outcome.reason != "rejected"
        about_one = known or reply.enhanced.startswith(("5.1.", "5.2."))
        if stage not in (Stage.rcpt, Stage.dot) or reply.code < 500 or about_one:
            return ""
        status = f"{reply.code} {reply.enhanced}"
        self._same = (status, self._same[1] + 1 if self._same[0] == status else 1)
        if self._same[1] < _SAME_REFUSALS:
            return ""
        return (
            f"{_SAME_REFUSALS} people in a row were refused with the same status; the last: {reply}"
        )

    def _mostly_bad(self, reply: Reply) -> str:
        bad = self._recent.count(False)
        if len(self._recent) < _RECENT or bad * 2 <= _RECENT:
            return ""
        return (
            f"Of the last {_RECENT} people, {bad} were refused or put off: something is wrong"
            f" with the list or with us. The last: {reply}"
        )
