"""The npm package caniemail and ``issues check`` say the same of a mail, or it is explained why."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mailer.compose.inline import parse
from mailer.compose.rules.can_i_email import CLIENTS, SUPPORT
from mailer.compose.rules.features import used_features
from mailer.compose.rules.stylesheet import sheets_of
from tests.peers.programs import run_node

# Programs that this version of the package has no name for, so that it never speaks of them.
UNNAMED = ("free-fr.", "gmx.", "ionos-1and1.", "laposte.android", "laposte.ios", "rainloop.",
           "outlook.outlook-com", "t-online-de.", "thunderbird.windows", "web-de.",
           "wp-pl.")  # fmt: skip
NAMED = [client for client in CLIENTS if not client.startswith(UNNAMED)]
# What one of the two does not look for; the rest of the differences is explained by the data.
OURS_ALONE = {
    "css-at-media-prefers-color-scheme": "it knows @media as such, not what is asked there",
    "css-color-scheme": "it looks for the property by another name",
    "css-max-height": "it does not look at every property",
    "css-selector-grouping": "it is given selectors apart already",
    "css-selector-id": "it does not look inside of @media",
    "css-text-align": "it does not look at every property",
    "html-meta-color-scheme": "it looks for the element by another name",
}
ITS_ALONE = {
    "css-selector-chaining": "it takes `div.a` for two classes on one element",
    "css-transform": "it takes text-transform for transform",
    "css-word-spacing": "we leave out `normal`, which sets back what is so already",
}


def judge(files: list[Path]) -> Any:
    given = {"files": [str(file) for file in files], "clients": NAMED}
    return run_node("clients.cjs", given, seconds=60, needs=["caniemail"])


def ours(file: Path, client: str, letter: str) -> set[str]:
    root = parse(file.read_text("utf-8"))
    at = CLIENTS.index(client)
    return {name for name in used_features(root, sheets_of(root)) if SUPPORT[name][at] == letter}


def unexplained(file: Path, said: Any, letters: Mapping[str, list[str]]) -> list[str]:
    """Every difference that neither the tables nor the data explain."""
    left = []
    for client in NAMED:
        for letter, key in (("n", "errors"), ("a", "warnings")):
            theirs = set(said[key].get(client, []))
            for name in sorted(ours(file, client, letter) ^ theirs):
                newest, by_text = letters.get(f"{name} {client}", ["", ""])
                mine = SUPPORT[name][CLIENTS.index(client)]
                older = newest != mine  # its data is eight months older
                sorted_as_text = by_text != newest  # it takes 2021 for newer than 16.80
                unknown = by_text == "u"  # it counts unknown as partly
                table = ITS_ALONE if name in theirs else OURS_ALONE
                if not (older or sorted_as_text or unknown or name in table):
                    left.append(f"{name} {client} {letter}")
    return left


def test_both_see_a_feature_that_nobody_could_miss(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        '<html><body><p style="display:grid"><video></video></p></body></html>', "utf-8"
    )
    (said,) = judge([page])["found"]
    client = "outlook.windows"
    seen = {"css-display-grid", "html-video"}

    assert seen <= set(said["errors"][client])
    assert seen <= ours(page, client, "n")


@pytest.mark.parametrize("edition", ["english", "arabic"])
def test_every_difference_is_explained(edition: str, rendered: Mapping[str, Path]) -> None:
    file = rendered[edition] / "email.html"
    answer = judge([file])

    assert unexplained(file, answer["found"][0], answer["letters"]) == []
