"""html-validate finds no fault in mail, web version and pages, but for what mail needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx2

from tests.peers.conftest import Town
from tests.peers.programs import run_node

# What a page of the web would do otherwise, and a mail can't.
FOR_MAIL = {
    "no-inline-style": "several mail programs drop style sheets",
    "no-deprecated-attr": "Outlook for Windows lays out by attributes of tables",
    "prefer-native-element": "mail programs know div better than article and main",
    "no-redundant-role": "without its role VoiceOver takes a list without bullets for none",
    "doctype-style": "lower case is as good (HTML Standard, section 13.1.1)",
}
FOR_OUTLOOK = {"no-conditional-comment": "how Outlook for Windows is spoken to"}
FOR_PAGES = {"doctype-style": FOR_MAIL["doctype-style"]}
# The engine writes it on each picture; browsers take it for nothing said.
_MJML = 'Attribute "height" has invalid value "auto"'


def judge(files: Sequence[Path], off: Mapping[str, str]) -> list[list[Mapping[str, Any]]]:
    """Returns for each file what html-validate's own recommendations say, without these rules."""
    given = {"files": [str(file) for file in files], "rules": dict.fromkeys(off, "off")}
    found: list[list[Mapping[str, Any]]] = run_node(
        "validate.cjs", given, seconds=60, needs=["html-validate"]
    )
    return [[each for each in messages if each["message"] != _MJML] for messages in found]


def test_the_mail_has_no_fault(rendered: Mapping[str, Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.html"  # without this one the judge could be asleep
    page = (rendered["english"] / "email.html").read_text("utf-8")
    broken.write_text(page.replace("</h1>", "</h2>", 1).replace(' alt="', ' old="', 1), "utf-8")
    files = [folder / "email.html" for folder in rendered.values()]
    *ours, faults = judge([*files, broken], FOR_MAIL | FOR_OUTLOOK)

    assert {"close-order"} <= {each["rule"] for each in faults}
    assert ours == [[] for _ in files]


def test_the_web_version_has_no_fault_and_nothing_for_outlook(
    rendered: Mapping[str, Path],
) -> None:
    files = [folder / "web.html" for folder in rendered.values()]

    assert judge(files, FOR_MAIL) == [[] for _ in files]


def test_the_readers_pages_have_no_fault(town: Town, tmp_path: Path) -> None:
    received = town.mails["english", "anna@example.org"]
    links = {
        f"{kind}-{language}": f"{link}?lang={language}"
        for kind, link in {
            "unsubscribe": received.link("u"),
            "preferences": received.link("p"),
            "nothing": f"{town.site}/u/nothing",
        }.items()
        for language in ("en", "fr")
    }
    files = [tmp_path / f"{name}.html" for name in links]
    for file, link in zip(files, links.values(), strict=True):
        file.write_text(httpx2.get(link).text, "utf-8")

    assert judge(files, FOR_PAGES) == [[] for _ in files]
