"""Sign-up with a puzzle, in a browser: no barrier, nothing from elsewhere, light and dark."""

from __future__ import annotations

import email
import email.policy
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mailer.adapters.inbox import Inbox
from mailer.store.database import Database
from mailer.web.server import serving
from mailer.wiring import open_mailer
from mailer.wiring.demo import DemoInbox
from tests import builders
from tests.command_line import done, make_workspace
from tests.peers.test_pages import barriers, forbidden, statuses, strangers, visit

WORDS = {
    "en": ("Please look into your mailbox", "You are on the list", "e-mail address that we can"),
}


@dataclass(frozen=True)
class Quay:
    """A site that can write, with a list that asks first."""

    site: str
    inbox: Inbox
    db: Database

    def rest(self) -> None:
        """Waits until the site has noted that its mails were taken."""
        give_up = time.monotonic() + 30
        while builders.dump(self.db)["outbox"] and time.monotonic() < give_up:
            time.sleep(0.05)

    def link(self, count: int) -> str:
        """Where the mail of this number leads."""
        give_up = time.monotonic() + 30
        while len(self.inbox.messages) < count and time.monotonic() < give_up:
            time.sleep(0.05)
        mail = email.message_from_bytes(
            self.inbox.messages[count - 1].data, policy=email.policy.default
        )
        part = mail.get_body(("plain",))
        assert part is not None
        found = re.search(rf"{self.site}/c/[\w-]+", part.get_content())
        assert found is not None
        return found[0]


@pytest.fixture
def quay(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Quay]:
    port = DemoInbox.free_port()
    with Inbox() as inbox:
        workspace = make_workspace(
            tmp_path / "news",
            site_url=f"http://127.0.0.1:{port}",
            smtp_port=inbox.port,
            sign_up_puzzle=request.param,
        )
        about = ("--title", "Harbour News", "--description", "Boats, tides and the weather.")
        done(workspace, "lists", "add", "harbour", "--opt-in", "double", *about)
        with open_mailer(workspace) as opened, serving(opened, port=port) as site:
            yield Quay(site, inbox, opened.db)


@pytest.mark.parametrize(("quay", "code"), [(2000, "en")], indirect=["quay"])
def test_signing_up_has_no_barrier(quay: Quay, tmp_path: Path, code: str) -> None:
    page = f"{quay.site}/s/harbour?lang={code}"
    sent, welcome, wrong = WORDS[code]
    address = '[type="email"]'
    found = visit(
        tmp_path,
        {"name": f"{code} form", "url": page},
        {"name": f"{code} wrong", "first": [["fill", address, "a@localhost"],
                                            ["waitForTimeout", 2500]], "click": ".primary"},
        {"name": f"{code} sent", "first": [["fill", address, f"{code}@example.net"],
                                           ["waitForTimeout", 2500]], "click": ".primary"},
    )  # fmt: skip
    link = f"{quay.link(1)}?lang={code}"
    quay.rest()
    before = builders.dump(quay.db)
    found |= visit(tmp_path, {"name": f"{code} confirm", "url": link})
    assert builders.dump(quay.db) == before  # a browser that only looks, and runs scripts
    found |= visit(
        tmp_path,
        {"name": f"{code} asked", "url": link, "judged": False},
        {"name": f"{code} confirmed", "click": ".primary"},
    )

    assert statuses(found) == [200, 422, 200, 200, 200, 200]
    assert {each["direction"] for each in found.values()} == {"ltr"}
    assert barriers(found) == []
    assert strangers(found, quay.site) == []
    assert forbidden(found) == []
    assert wrong in found[f"{code} wrong"]["text"]
    assert sent in found[f"{code} sent"]["text"]
    assert welcome in found[f"{code} confirmed"]["text"]
    assert builders.dump(quay.db) != before
