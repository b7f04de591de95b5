"""A reply blames the reader only when it is about the reader, and our faults stop the run."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.message.replies import classify
from mailer.model.words import Blame, DeliveryState, Outcome, Reply, Stage

RCPT, DOT, DATA = Stage.rcpt, Stage.dot, Stage.data
SAMPLES = Path(__file__).parent.parent / "samples" / "replies.txt"


def samples() -> list[tuple[Stage, str, Outcome]]:
    found = []
    for line in SAMPLES.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        stages, state, reason, blame, reply = (part.strip() for part in line.split(" | "))
        word, *more = state.split()
        rest = sum(int(each) for each in more if each.isdigit())
        outcome = Outcome(DeliveryState(word), reason, Blame(blame), "stop" in more, rest)
        found += [(Stage(stage), reply, outcome) for stage in stages.split()]
    return found


def outcome(stage: Stage, line: str) -> Outcome:
    code, _, text = line.partition(" ")
    first = text.partition(" ")[0]
    enhanced = first if first.count(".") == 2 and first.replace(".", "").isdigit() else ""
    return classify(stage, Reply(int(code), text, enhanced))


@pytest.mark.parametrize(("stage", "line", "expected"), samples())
def test_what_a_reply_means(stage: Stage, line: str, expected: Outcome) -> None:
    assert outcome(stage, line) == expected


@pytest.mark.parametrize(
    ("stage", "reason", "blame"),
    [
        (Stage.connect, "server_unavailable", Blame.infrastructure),
        (Stage.greeting, "server_unavailable", Blame.infrastructure),
        (Stage.ehlo, "server_unavailable", Blame.infrastructure),
        (Stage.starttls, "tls_failed", Blame.configuration),
        (Stage.auth, "sign_in_failed", Blame.configuration),
        (Stage.mail, "sender_rejected", Blame.configuration),
        (Stage.session, "server_unavailable", Blame.infrastructure),
    ],
)
def test_before_a_reader_is_named_nobody_is_blamed(stage: Stage, reason: str, blame: Blame) -> None:
    for line in ("554 No", "550 5.1.1 User unknown", "550 No such user", "550 5.2.1 Disabled"):
        assert outcome(stage, line) == Outcome(DeliveryState.deferred, reason, blame, True)
    assert outcome(stage, "421 Later") == Outcome(DeliveryState.deferred, reason, blame)


@given(st.sampled_from(Stage), st.integers(100, 999), st.text(max_size=80), st.booleans())
def test_four_yz_never_refuses_and_only_the_dot_accepts(
    stage: Stage, code: int, text: str, enhanced: bool
) -> None:
    found = classify(stage, Reply(code, text, "5.1.1" if enhanced else ""))

    if found.state is DeliveryState.refused:
        assert 500 <= code < 600
        assert stage in (RCPT, DATA, DOT)
        assert not found.stops_run
    if found.state is DeliveryState.accepted:
        assert stage is DOT
        assert 200 <= code < 300
    if stage not in (RCPT, DATA, DOT):
        assert found.blame is not Blame.recipient
