"""Any text of an author or a reader arrives as it was, as strangers' parsers read the message.

From Markdown through the engine, the inliner and the encoder to the bytes on the wire, and back
with postal-mime and htmlparser2, which live in a process of their own.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailer.compose.compose import compose_issue
from mailer.compose.layout import load_layout
from mailer.compose.reading import Brand
from mailer.message.compiled import compile_message
from tests.compose.conftest import Files, picture_bytes
from tests.message.letters import FIELDS, LETTERHEAD, ZOE
from tests.peers.programs import node_packages, program

# What an author writes: no braces (they are ours), no control, no half of a surrogate pair.
AUTHOR = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="{}%#\u2028\u2029"),
    max_size=30,
)
READER = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=40)
BLOCK = """{#
what: A paragraph.
body: markdown
options:
  note: {type: text}
#}
<mj-section><mj-column><mj-text><h2>Dear {{ note }}</h2>{{ body }}
<p><a title="{{ note }}" href="https://example.org/?q={{ note | urlencode }}">x</a></p>
</mj-text></mj-column></mj-section>
{# text #}
{{ note }}
{{ body }}
"""
Read = Callable[[bytes], dict[str, Any]]


@pytest.fixture(scope="module")
def read() -> Iterator[Read]:
    node, packages = program("node"), node_packages("postal-mime", "htmlparser2", "domutils")
    child = subprocess.Popen(
        [node, str(Path(__file__).parent / "listen.cjs")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PEERS_NODE_MODULES": str(packages)},
    )
    assert child.stdin is not None
    assert child.stdout is not None
    into, out = child.stdin, child.stdout

    def ask(message: bytes) -> dict[str, Any]:
        into.write(base64.b64encode(message) + b"\n")
        into.flush()
        found: dict[str, Any] = json.loads(out.readline())
        return found

    with child:
        yield ask
        into.close()


@pytest.fixture(scope="module")
def write() -> Callable[[str, str], bytes]:
    layout = load_layout(Files({"blocks/note.mjml": BLOCK}), name="tiny")

    def run(issue: str, reader: str) -> bytes:
        composed = compose_issue(
            issue,
            where="issue.md",
            read_picture=lambda name: picture_bytes(),
            layout=layout,
            picture_url=lambda name: f"https://news.example.org/i/{name}",
            brand=Brand("Trust", "1 Quay", "https://news.example.org", "news@example.org"),
        )
        message = compile_message(composed.rendition, LETTERHEAD, fields=FIELDS)
        return message.merge({"first_name": reader}, ZOE)

    return run


def quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(AUTHOR, READER)
def test_any_text_in_any_place_arrives_unchanged(
    read: Read, write: Callable[[str, str], bytes], author: str, reader: str
) -> None:
    inside = f"a{author}b"
    escaped = re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", inside)
    name = '{{ first_name | default("x") }}'

    found = read(
        write(
            f'---\nsubject: "{quoted(inside)} {name}"\npreheader: p\nlayout: tiny\nlang: sw\n---\n'
            f"{escaped}\n\nDear {name}.\n\n"
            f'::: note note="{quoted(inside)}"\n{name}\n:::\n\n'
            f'::: story picture=boat.png headline=x alt="{quoted(inside)}"\n:::\n',
            reader,
        )
    )

    assert found["doctype"].lower() == "<!doctype html>"
    assert found["subject"] == f"{inside} {reader}".strip(" ")
    assert found["alt"] == [inside]
    assert found["titles"] == [inside]
    assert f"https://example.org/?q={quote(inside, safe=chr(47))}" in found["links"]
    assert f"Dear {inside}" in found["headings"]
    assert inside in found["paragraphs"]
    assert f"Dear {reader}." in found["paragraphs"]
    assert reader in found["paragraphs"]
    text = found["text"].replace("\u200e", "").replace("\u200f", "")
    for each in (f"Dear {reader}.", inside):
        plain = each.replace("\u200e", "").replace("\u200f", "")
        assert re.sub(r"\s", "", plain) in re.sub(r"\s", "", text)
