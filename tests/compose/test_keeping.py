"""What was compiled once is taken over by the next process, if it is whole and of this program."""

from __future__ import annotations

import pytest

from mailer.compose import keeping
from mailer.compose.keeping import Kept


def never() -> object:
    raise AssertionError("this was made before")


def one_that_knows(made_of: tuple[object, ...], value: object) -> Kept:
    kept = Kept()
    kept.of(made_of, lambda: value)
    return kept


def test_a_later_process_makes_nothing_again() -> None:
    """Code comes back as code, and plain values as they were."""
    first = one_that_knows(("template",), compile("1 + 1", "story.mjml", "eval"))
    rules = ([((0, 0, 1, 1, 0, 3), "p.lead", "color:#123456")], [("a:hover", "color:red")])
    first.of(("rules", "p.lead {…}"), lambda: rules)
    later = Kept()

    assert later.unpack(first.pack())
    assert eval(later.of(("template",), never)) == 2
    assert later.of(("template",), never).co_filename == "story.mjml"
    assert later.of(("rules", "p.lead {…}"), never) == rules
    assert not later.grown


def test_another_text_is_made_anew() -> None:
    """A template that was edited has other code, and the pack grows."""
    later = Kept()
    later.unpack(one_that_knows(("old",), "old").pack())

    assert later.of(("new",), lambda: "new") == "new"
    assert later.grown


@pytest.mark.parametrize("harm", [slice(0, -1), slice(1, None), slice(0, 0), slice(0, 40)])
def test_a_torn_pack_is_not_believed(harm: slice) -> None:
    """A power cut in the middle of a write costs time, never the process."""
    pack = one_that_knows(("a",), "value").pack()

    assert Kept().unpack(pack)
    assert not Kept().unpack(pack[harm])


def test_every_changed_octet_is_noticed() -> None:
    """The seal covers all of it."""
    pack = bytearray(one_that_knows(("a",), "value").pack())
    for place in range(len(pack)):
        pack[place] ^= 1

        assert not Kept().unpack(bytes(pack))
        pack[place] ^= 1


def test_a_pack_of_another_version_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Code of another Python or Jinja2 would end the process."""
    pack = one_that_knows(("a",), "value").pack()
    monkeypatch.setattr(keeping, "_MADE_BY", b"1 another")

    assert not Kept().unpack(pack)


def test_what_is_kept_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """A preview that runs all day does not fill the memory."""
    monkeypatch.setattr(keeping, "MOST", 3)
    kept = Kept()
    for number in range(10):
        kept.of((number,), lambda number=number: number)  # type: ignore[misc]  # bound at once

    assert len(kept._packed) <= 3
