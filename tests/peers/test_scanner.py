"""A scanner that opens every link of a mail in a browser, scripts on, changes nothing."""

from __future__ import annotations

from pathlib import Path

import httpx2

from tests import builders
from tests.peers.conftest import Town
from tests.peers.programs import program, run_node


def test_looking_changes_nothing_and_the_same_link_then_acts(town: Town, tmp_path: Path) -> None:
    received = town.mails["english", "dov@example.org"]
    ours = {link for link in received.links if link.startswith(f"{town.site}/")}
    assert {link.removeprefix(town.site)[:3] for link in ours} == {"/w/", "/u/", "/p/"}
    assert len(received.links) > 20
    before = builders.dump(town.db)

    asked = run_node(
        "scan.cjs",
        {
            "chromium": str(program("chromium")),
            "profile": str(tmp_path),
            "links": received.links,
        },
        seconds=120,
        needs=["playwright-core"],
    )

    for method in ("HEAD", "GET"):
        answers = {each["url"]: each["status"] for each in asked if each["method"] == method}
        assert set(received.links) <= set(answers)
        assert {link for link, status in answers.items() if status == 200} >= ours
        further = {link for link in answers if link not in received.links}
        assert any(link.endswith("?lang=fr") for link in further)  # it went on from the pages
        assert {answers[link] for link in further} == {200}
    assert builders.dump(town.db) == before

    answer = httpx2.post(received.leave, data={"List-Unsubscribe": "One-Click"})
    after = builders.dump(town.db)
    assert answer.status_code == 200
    assert {name for name in after if after[name] != before[name]} >= {"subscription", "event"}
