"""A layout whose colours can't be read does not load; the fault names the token's line."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mailer.compose.layout import Layout, stack
from mailer.compose.theme import contrast
from mailer.errors import Fault, InputError
from tests.compose.conftest import Files

Load = Callable[[dict[str, str]], Layout]
Faults = Callable[..., list[Fault]]

GOOD = """paper: "#ffffff"
ink: "#222222"
button: "#0b5263"
on_button: "#ffffff"
dark:
  paper: "#111111"
  ink: "#eeeeee"
  button: "#93d3e3"
  on_button: "#111111"
"""


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("#000", "#ffffff", 21.0), ("#777777", "#fff", 4.48), ("#fff", "#fff", 1.0)],
)
def test_contrast_is_what_wcag_says(one: str, other: str, ratio: float) -> None:
    assert contrast(one, other) == pytest.approx(ratio, abs=0.01)


def test_a_theme_that_can_be_read_loads(layout_with: Load) -> None:
    layout = layout_with({"theme.yaml": GOOD + "pairs: {ink: button}\n".replace("button", "paper")})

    assert layout.theme["ink"] == "#222222"
    assert "pairs" not in layout.theme


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ('ink: "#222222"', 'ink: "#999999"', 2, "`ink` on `paper` has a contrast of 2.8:1"),
        ('on_button: "#ffffff"', 'on_button: "#5b8d99"', 4, "`on_button` on `button`"),
        ('ink: "#eeeeee"', 'ink: "#333333"', 7, "In the dark scheme, `ink` on `paper`"),
        ('ink: "#222222"', "ink: darkblue", 2, "`ink` is no colour in the light scheme"),
        ('  ink: "#eeeeee"\n', "", 2, "`ink` is no colour in the dark scheme"),
    ],
)
def test_a_pair_that_can_not_be_read_is_an_error_with_its_line(
    old: str, new: str, line: int, said: str, layout_with: Load, faults_of: Faults
) -> None:
    text = GOOD.replace(old, new, 1)
    faults = faults_of(layout_with, {"theme.yaml": text})

    assert text != GOOD
    assert [(fault.file, fault.line) for fault in faults] == [("layouts/tiny/theme.yaml", line)]
    assert said in faults[0].message
    assert faults[0].rule == "contrast"


def test_further_pairs_are_held_too(layout_with: Load, faults_of: Faults) -> None:
    theme = GOOD + 'hint: "#aaaaaa"\npairs: {hint: paper}\n'
    faults = faults_of(layout_with, {"theme.yaml": theme})

    assert {fault.line for fault in faults} == {10}
    assert "`hint` on `paper`" in faults[0].message


def test_a_layout_takes_from_another_what_it_has_not(layout_with: Load) -> None:
    own = Files({})
    own.files = {"theme.yaml": 'extends: tiny\nink: "#00ff00"\n', "style.css": "p { margin: 0; }"}
    found = stack("own", {"own": own, "tiny": Files({})}.__getitem__)

    assert found.names() == Files({}).names()
    assert found.text("layout.mjml") == Files({}).text("layout.mjml")
    assert found.text("style.css") == "p { margin: 0; }"


@pytest.mark.parametrize("circle", ["own", "other"])
def test_layouts_that_extend_each_other_are_an_error_with_the_line(circle: str) -> None:
    def files(base: str) -> Files:
        found = Files({})
        found.files = {"theme.yaml": f"a: b\nextends: {base}\n"}
        return found

    layouts = {"own": files(circle), "other": files("own")}
    with pytest.raises(InputError) as caught:
        stack("own", layouts.__getitem__)
    (fault,) = caught.value.faults

    assert fault.line == 2
    assert "own → " in fault.message
