"""Postfix, Exim and OpenSMTPD take every mail, and deliver the very octets that a spool keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.model.words import Counts
from tests.bench.servers import compare


@pytest.mark.parametrize(
    ("server", "people"), [("postfix", 300), ("exim", 100), ("opensmtpd", 300)]
)
def test_every_mail_is_the_spool_s_octet_for_octet(
    server: str, people: int, tmp_path: Path
) -> None:
    """`./scripts/bench servers` does it with 10,000."""
    found = compare(server, people, tmp_path, patience=60)

    assert found.counts == Counts(audience=people, accepted=people)
    assert (found.delivered, found.identical, found.faults) == (people, people, [])
    assert {"received", "return-path"} <= found.above.keys()
    assert found.above.keys() <= {"received", "return-path", "delivered-to", "x-original-to"}
