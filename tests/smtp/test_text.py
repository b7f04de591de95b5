"""A message's bytes are held to the rules of DATA once, before any server is known."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from mailer.smtp.text import Text

lines = st.sampled_from(
    [b"\r\n", b"\r", b"\n", b".", b"..", b"a", b"\0", b"\x0b", b"\x85", b"\x1c"]
)


@given(st.lists(lines, max_size=12).map(b"".join))
@example(b"\r\n")
def test_clean_means_that_each_line_ends_in_crlf_and_nothing_else_does(text: bytes) -> None:
    stray = re.search(rb"\r(?!\n)|(?<!\r)\n|\0", text)

    assert Text(text).clean == (stray is None and text.endswith(b"\r\n"))


@given(st.lists(st.sampled_from([b".", b"..", b"a", b"", b".a"]), min_size=1, max_size=8))
def test_stuffed_text_has_one_end_and_is_undone_by_the_receiver(content: list[bytes]) -> None:
    text = b"".join(line + b"\r\n" for line in content)
    sent = Text(text).stuffed

    assert (b"\r\n" + sent).find(b"\r\n.\r\n") == len(sent) - 3
    undone = [line[1:] if line[:1] == b"." else line for line in sent[:-3].split(b"\r\n")]
    assert b"\r\n".join(undone) == text
