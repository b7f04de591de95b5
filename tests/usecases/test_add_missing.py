"""Who came onto the list after the plan is added once, and nobody who left comes back by it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from mailer.adapters.clock import SystemClock
from mailer.adapters.inbox import Inbox
from mailer.errors import BusyError, InputError
from mailer.model.words import CampaignState, Counts, SubscriptionStatus
from mailer.smtp.providers import lane_names
from mailer.store import crowd as crowds
from mailer.store import runs
from mailer.store.database import Database
from mailer.store.ledger import campaign_state, counts
from mailer.usecases.add_missing import add_missing, count_missing
from mailer.usecases.send_campaign import Schedule
from mailer.usecases.stop_campaign import cancel_campaign
from tests.builders import make_list, make_subscriber, subscribe, suppress
from tests.sending import plan_for, send

CLOCK = SystemClock()
RETRY = (120,)
FROZEN: dict[str, Any] = {"variants": [{"language": "en"}]}


def people(db: Database, list_id: int, *names: str) -> list[int]:
    found = [make_subscriber(db, name if "@" in name else f"{name}@example.org") for name in names]
    for person in found:
        subscribe(db, person, list_id)
    return found


def add(db: Database, campaign: int, folder: Path) -> int:
    found = add_missing(
        campaign,
        db=db,
        clock=CLOCK,
        folder=folder,
        retry_after=RETRY,
        lane_of=lane_names({}),
    )
    return found.added


def stand(db: Database, campaign: int) -> tuple[Counts, CampaignState]:
    with db.read() as connection:
        return counts(connection, campaign), campaign_state(connection, campaign)


def sent_to(inbox: Inbox) -> Sequence[str]:
    return sorted(mail.recipients[0].partition("@")[0] for mail in inbox.messages)


def test_newcomers_are_added_once_and_sent(db: Database, tmp_path: Path) -> None:
    list_id = make_list(db)
    first = people(db, list_id, "anna", "ben@gmail.com")
    addresses = dict(zip(first, ["anna@example.org", "ben@gmail.com"], strict=True))
    campaign = plan_for(db, addresses, list_id, lanes=[("other", 1), ("gmail", 1)], **FROZEN)
    with Inbox() as inbox:
        send(db, campaign, tmp_path, inbox.port)
    people(db, list_id, "carl", "dora@gmail.com", "emil@gmail.com")
    suppressed = people(db, list_id, "fay")
    suppress(db, "fay@example.org")
    waits = make_subscriber(db, "gil@example.org")
    subscribe(db, waits, list_id, SubscriptionStatus.pending)

    found = count_missing(campaign, db=db, clock=CLOCK)
    assert (found.added, found.excluded) == (3, {"pending": 1, "suppressed": 1})
    assert add(db, campaign, tmp_path) == 3
    assert stand(db, campaign) == (
        Counts(audience=5, accepted=2, planned=3),
        CampaignState.paused,
    )
    assert add(db, campaign, tmp_path) == 0
    with Inbox() as inbox:
        report = send(db, campaign, tmp_path, inbox.port)
        assert sent_to(inbox) == ["carl", "dora", "emil"]

    assert suppressed
    assert (report.counts, report.state) == (
        Counts(audience=5, accepted=5),
        CampaignState.finished,
    )
    with db.read() as connection:
        assert connection.execute(text("SELECT added FROM campaign")).scalar_one() == 3


def test_who_was_skipped_for_leaving_is_not_brought_back(db: Database, tmp_path: Path) -> None:
    """Not even after they came back to the list: this campaign had its word from them."""
    list_id = make_list(db)
    anna, ben = people(db, list_id, "anna", "ben")
    campaign = plan_for(db, {anna: "anna@example.org", ben: "ben@example.org"}, list_id, **FROZEN)
    with db.write() as connection:
        left = "UPDATE subscription SET status = :s WHERE subscriber_id = :p"
        connection.execute(text(left), {"s": "unsubscribed", "p": ben})
    with Inbox() as inbox:
        report = send(db, campaign, tmp_path, inbox.port)
        assert sent_to(inbox) == ["anna"]
    assert report.counts == Counts(audience=2, accepted=1, skipped=1)
    with db.write() as connection:
        connection.execute(text(left), {"s": "active", "p": ben})

    assert add(db, campaign, tmp_path) == 0
    assert stand(db, campaign)[0] == report.counts


def test_the_plans_exclusions_hold(db: Database, tmp_path: Path) -> None:
    list_id, staff = make_list(db), make_list(db, "staff")
    (anna,) = people(db, list_id, "anna")
    selection: dict[str, Any] = {
        "selection": {
            "segment": None,
            "excluded_segments": [],
            "excluded_lists": ["staff"],
            "not_in": [],
            "frequency_cap": "1/30",
            "time_zone": "Europe/Zurich",
        }
    }
    other = plan_for(db, {anna: "anna@example.org"}, list_id, slug="other", **FROZEN)
    campaign = plan_for(db, {}, list_id, **FROZEN, **selection)
    with Inbox() as inbox:
        send(db, other, tmp_path, inbox.port)
    ben, _ = people(db, list_id, "ben", "carl")
    subscribe(db, ben, staff)

    found = count_missing(campaign, db=db, clock=CLOCK)

    assert (found.added, found.excluded) == (1, {"excluded_list": 1, "frequency_cap": 1})


def test_a_cancelled_campaign_and_one_that_is_being_sent_take_nobody(
    db: Database, tmp_path: Path
) -> None:
    list_id = make_list(db)
    (anna,) = people(db, list_id, "anna")
    campaign = plan_for(db, {anna: "anna@example.org"}, list_id, **FROZEN)
    people(db, list_id, "ben")
    judge = Schedule(RETRY, CLOCK).judge
    begun = runs.begin(db, campaign, folder=tmp_path, slots=5, now=CLOCK.now(), judge=judge)
    with pytest.raises(BusyError, match="being sent by another process"):
        add(db, campaign, tmp_path)
    begun.recorder.close(remove=True)
    cancel_campaign(campaign, db=db, clock=CLOCK, folder=tmp_path, retry_after=RETRY)

    with pytest.raises(InputError, match="is cancelled: nobody is added"):
        add(db, campaign, tmp_path)
    assert stand(db, campaign)[0] == Counts(audience=1, skipped=1)


def test_a_process_that_dies_half_way_leaves_the_counts_exact_and_the_rest_missing(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowds, "SLICE", 4)
    list_id = make_list(db)
    (anna,) = people(db, list_id, "anna")
    campaign = plan_for(db, {anna: "anna@example.org"}, list_id, **FROZEN)
    people(db, list_id, *(f"p{n}@{d}" for n in range(5) for d in ("gmail.com", "example.org")))
    original = crowds.Crowd._slices

    def dies(crowd: crowds.Crowd) -> Any:
        for number, each in enumerate(original(crowd)):
            if number == 2:
                raise RuntimeError("killed")
            yield each

    monkeypatch.setattr(crowds.Crowd, "_slices", dies)
    with pytest.raises(RuntimeError, match="killed"):
        add(db, campaign, tmp_path)
    half, _ = stand(db, campaign)
    assert (half.audience, half.planned) == (9, 9)
    monkeypatch.setattr(crowds.Crowd, "_slices", original)

    assert add(db, campaign, tmp_path) == 2
    with Inbox() as inbox:
        report = send(db, campaign, tmp_path, inbox.port)
        assert len(set(sent_to(inbox))) == 6  # five names at two domains, and Anna
        assert len(inbox.messages) == 11
    assert report.counts == Counts(audience=11, accepted=11)
