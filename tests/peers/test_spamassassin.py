"""SpamAssassin finds nothing wrong with the make of our mail: it fires the rules named here."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.peers.programs import program, run

ALLOWED = {
    "NO_RECEIVED": "it was rendered, and has not travelled",
    "NO_RELAYS": "the same",
    "HTML_MESSAGE": "it has an HTML part, which costs nothing",
    "HTML_IMAGE_RATIO_08": "the sample has seven large pictures, which costs nothing (0.001)",
    "HTML_IMAGE_RATIO_04": "the sample with every block has fifteen pictures (0 points)",
    "MAILING_LIST_MULTI": "it looks like a mailing list's mail, which counts for it (-1)",
}
_STATUS = re.compile(
    r"^X-Spam-Status: \w+, score=(-?[\d.]+) required=[\d.]+ tests=([\w,\s]*?)\s+autolearn",
    re.MULTILINE,
)
# Its rules as shipped, its memory of earlier mail off, nothing from a network.
_OPTIONS = ("--test-mode", "--local", "--nocreate-prefs", "--cf=use_bayes 0")


@contextmanager
def leaves_no_folder() -> Iterator[None]:
    """Whatever HOME says, it makes an empty folder in its user's real one."""
    made = Path(pwd.getpwuid(os.geteuid()).pw_dir, ".spamassassin")
    there = made.exists()
    yield
    if made.exists() and not there:
        made.rmdir()


def judge(home: Path, *messages: Path) -> list[tuple[float, set[str]]]:
    """Returns score and rules for each message."""
    with leaves_no_folder():
        printed = run(
            [program("spamassassin"), *_OPTIONS, *messages],
            seconds=60,
            environment={"HOME": str(home), "LC_ALL": "C.UTF-8"},
        )
    found = _STATUS.findall(printed.decode("utf-8", "replace"))
    assert len(found) == len(messages), printed[:2000]
    return [(float(score), set(re.split(r"[,\s]+", tests))) for score, tests in found]


def test_no_rule_fires_that_is_not_named_with_its_reason(
    rendered: Mapping[str, Path], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.eml"  # without this one the judge could be asleep
    message = (rendered["english"] / "message.eml").read_bytes()
    broken.write_bytes(re.sub(rb"(?m)^(?:Date|Subject|MIME-Version): .*\r\n", b"", message))
    messages = [folder / "message.eml" for folder in rendered.values()]
    *ours, (_, faults) = judge(tmp_path, *messages, broken)

    assert {"MISSING_DATE", "MISSING_SUBJECT"} <= faults
    for name, (score, rules) in zip(rendered, ours, strict=True):
        unexplained = sorted(rules - set(ALLOWED))
        assert unexplained == [], f"{name}: score {score}, rules {sorted(rules)}"
        assert score <= 0, f"{name}: score {score}, rules {sorted(rules)}"
