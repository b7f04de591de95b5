"""The mail of a list that asks again carries each reader's own link, and the plan knows it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from mailer.adapters.inbox import Inbox
from mailer.message.links import Purpose, read
from mailer.model.words import Slot, SlotKind
from mailer.store.database import Database
from tests.builders import make_list, make_subscriber, subscribe
from tests.sending import KEYS, LETTER, plan_for, send

ASKING = replace(
    LETTER,
    text=f"{LETTER.text}\nYes: zq2\n",
    slots=(*LETTER.slots, Slot("zq2", SlotKind.value, "reconfirm_url", "issue.md", 3)),
)


def test_each_reader_gets_their_own_link(db: Database, tmp_path: Path) -> None:
    list_id = make_list(db)
    person = make_subscriber(db)
    subscribe(db, person, list_id)
    campaign = plan_for(
        db, {person: "anna@example.org"}, list_id, rendition=ASKING, asks_again=True
    )

    with Inbox() as inbox:
        send(db, campaign, tmp_path, inbox.port)
        body = inbox.messages[0].data.replace(b"=\r\n", b"").decode()

    found = re.search(r"/c/([\w-]+)", body)
    assert found is not None
    link = read(KEYS, found[1], Purpose.reconfirm)
    assert link is not None
    assert (link.campaign, link.subscriber) == (campaign, person)
    assert read(KEYS, found[1], Purpose.unsubscribe) is None
