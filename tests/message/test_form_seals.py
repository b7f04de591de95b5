"""What a form carries to a stranger and back can't be made, moved or kept for ever."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from mailer.message.form_seals import FASTEST, SLOWEST, is_solved, is_timely, make_puzzle, stamp
from mailer.message.seals import Seals

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
KEY, OLD = b"k" * 32, b"o" * 32
SEALS = Seals(KEY, OLD)
SHOWN = stamp("harbour", "Yes.", now=NOW, seals=SEALS)


def timely(given_stamp: str, after: timedelta, slug: str = "harbour", words: str = "Yes.") -> bool:
    return is_timely(given_stamp, slug, words, now=NOW + after, seals=SEALS)


def test_a_stamp_holds_from_the_fastest_hand_to_the_next_day() -> None:
    second = timedelta(seconds=1)
    moments = (timedelta(0), FASTEST - second, FASTEST, SLOWEST, SLOWEST + second, -second)
    found = [timely(SHOWN, after) for after in moments]

    assert found == [False, False, True, True, False, False]


def test_a_stamp_is_for_one_list_and_one_wording() -> None:
    assert timely(SHOWN, FASTEST)
    assert not timely(SHOWN, FASTEST, slug="tides")
    assert not timely(SHOWN, FASTEST, words="No.")


def test_an_earlier_secret_is_still_read_and_a_strangers_is_not() -> None:
    earlier = stamp("harbour", "Yes.", now=NOW, seals=Seals(OLD))
    strange = stamp("harbour", "Yes.", now=NOW, seals=Seals(b"s" * 32))

    assert timely(earlier, FASTEST)
    assert not timely(strange, FASTEST)


@given(st.text())
def test_no_other_text_is_a_stamp(text: str) -> None:
    assert timely(text, FASTEST) is (text == SHOWN)


@given(st.text(), st.text(), st.text(), st.text())
def test_no_other_texts_are_an_answer(challenge: str, salt: str, tag: str, number: str) -> None:
    assert not is_solved(challenge, salt, tag, number, "harbour", now=NOW, seals=SEALS)


@given(st.integers(0, 1000))
def test_the_number_alone_solves_the_puzzle(number: int) -> None:
    made = make_puzzle("harbour", 1000, number=number, nonce="aa", now=NOW, seals=SEALS)

    def solved(answer: str, slug: str = "harbour", after: timedelta = timedelta(0)) -> bool:
        return is_solved(
            made.challenge, made.salt, made.signature, answer, slug, now=NOW + after, seals=SEALS
        )

    assert solved(str(number))
    assert not solved(str(number + 1))
    assert not solved(str(number), "tides")
    assert not solved(str(number), after=timedelta(hours=1, seconds=1))


def test_uses_and_secrets_never_mix() -> None:
    text = "the same text"
    hashes = {SEALS.hash("a", text), SEALS.hash("b", text), Seals(OLD).hash("a", text)}

    assert len(hashes) == 3
    assert SEALS.genuine("a", text, SEALS.seal("a", text))
    assert not SEALS.genuine("b", text, SEALS.seal("a", text))
    assert "kkk" not in repr(SEALS)
