"""Each envelope says, by tokens that we signed, whose mail a report would be about."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.message.links import read_message_id, read_verp
from mailer.store.database import Database
from tests.sending import KEYS, plan_letters, send
from tests.smtpd import Mail, Smtpd, say

OFFERS = ("8BITMIME", "SIZE 10000000", "ENHANCEDSTATUSCODES", "DSN")


def name_of(mail: Mail) -> str:
    options = dict(word.partition("=")[::2] for word in mail.options.split())
    assert options["RET"] == "HDRS"
    return options["ENVID"]


@pytest.mark.parametrize("return_path", ["bounces+{token}@example.org", "news@example.org"])
def test_every_envelope_has_a_name_that_leads_back(
    db: Database, tmp_path: Path, return_path: str
) -> None:
    campaign = plan_letters(db, 6, return_path=return_path)
    with Smtpd(offers=OFFERS).at("rcpt", say("450 4.2.0 Later"), nth=2) as server:
        send(db, campaign, tmp_path, server.port)
        send(db, campaign, tmp_path, server.port, retry_after=(0,))
    found = []
    for mail in server.accepted:
        name = name_of(mail)
        link = read_verp(KEYS, name) if "{token}" in return_path else read_message_id(KEYS, name)
        assert link is not None
        header = read_message_id(KEYS, mail.message_id)
        assert header is not None
        assert (link.campaign, link.subscriber) == (campaign, header.subscriber)
        original = f"ORCPT=rfc822;{mail.recipients[0].replace('+', '+2B')}"
        assert mail.recipient_options == f"NOTIFY=FAILURE,DELAY {original}"
        found.append(link.subscriber)

    assert len(set(found)) == 6
    assert len({mail.message_id for mail in server.accepted}) == 6
    assert len({mail.sender for mail in server.accepted}) == (6 if "{" in return_path else 1)
