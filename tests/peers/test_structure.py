"""Four readers agree on what a rendered edition is made of: Python, Perl, and two of JavaScript."""

from __future__ import annotations

import email
import email.policy
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.peers.conftest import STARTERS
from tests.peers.programs import node_packages, program, run

JUDGES = Path(__file__).parent.parent / "message"


def by_python(file: Path) -> dict[str, Any]:
    """Read with every defect an error."""
    mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.strict)
    kinds = [part.get_content_type() for part in mail.walk()]
    assert kinds == ["multipart/alternative", "text/plain", "text/html"]
    text, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    for part in (text, html):
        assert part.get_content_charset() == "utf-8"
        assert part.get_content_disposition() is None
    return {
        "subject": mail["Subject"],
        "parts": 2,
        "text": text.get_content(),
        "html": html.get_content(),
    }


def by_perl(files: list[Path]) -> list[dict[str, Any]]:
    printed = run([program("perl"), JUDGES / "judge.pl", *files], seconds=60)
    found: list[dict[str, Any]] = json.loads(printed)
    return found


def by_node(files: list[Path]) -> dict[str, list[dict[str, Any]]]:
    packages = node_packages("postal-mime", "mailparser")
    printed = run(
        [program("node"), JUDGES / "judge.cjs", *files],
        seconds=60,
        environment={"PEERS_NODE_MODULES": str(packages)},
    )
    found: dict[str, list[dict[str, Any]]] = json.loads(printed)
    return found


@pytest.fixture(scope="module")
def readings(rendered: Mapping[str, Path]) -> Mapping[str, list[dict[str, Any]]]:
    files = [folder / "message.eml" for folder in rendered.values()]
    return {"perl": by_perl(files), **by_node(files)}


@pytest.mark.parametrize("reader", ["perl", "postal-mime", "mailparser"])
def test_another_reader_finds_the_same(
    rendered: Mapping[str, Path], readings: Mapping[str, list[dict[str, Any]]], reader: str
) -> None:
    for folder, found in zip(rendered.values(), readings[reader], strict=True):
        ours = by_python(folder / "message.eml")
        for name in ("subject", "parts"):
            assert found[name] == ours[name]
        for name in ("text", "html"):
            theirs = found[name].replace("\r\n", "\n").rstrip("\n")
            assert theirs == ours[name].replace("\r\n", "\n").rstrip("\n")


def test_the_final_bytes_load_nothing_but_our_own_pictures(rendered: Mapping[str, Path]) -> None:
    for folder in rendered.values():
        page = by_python(folder / "message.eml")["html"]
        loaded = re.findall(
            r"""(?:\bsrc|\bsrcset|\bbackground|\bposter)\s*=\s*["']([^"']+)|url\(\s*["']?([^"')]+)""",
            page,
        )

        assert len(loaded) > 3 or folder.name in STARTERS  # a letter needs no picture
        assert [
            address
            for found in loaded
            for address in found
            if address and not address.startswith("https://news.marren.example.org/i/")
        ] == []
        assert not re.search(r"@import|@font-face|<(?:link|script|iframe|object|base)\b", page)
