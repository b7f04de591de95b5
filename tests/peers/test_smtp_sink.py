"""What Postfix's smtp-sink saw is what our ledger says, however the sink behaves."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mailer.message.links import message_id
from mailer.model.words import CampaignState, Counts, DeliveryState
from mailer.store import campaigns, maintenance
from mailer.store.database import Database
from mailer.usecases.send_campaign import SendReport
from tests.crowd import make_crowd
from tests.peers.sinks import Dumped, sinking
from tests.sending import KEYS, plan_for, send

PEOPLE = 500
FEW = 60  # the breaker stops a run when most of two hundred are put off, some of them twice
on_sqlite = pytest.mark.parametrize("db", ["sqlite"], indirect=True)


def plan(db: Database, people: int = PEOPLE) -> tuple[int, dict[str, str]]:
    """A campaign for so many, and the Message-ID that belongs to each address."""
    list_id, crowd = make_crowd(db, people)
    campaign = plan_for(db, crowd, list_id)
    return campaign, {
        address: f"<{message_id(KEYS, campaign, subscriber, 'example.org')}>"
        for subscriber, address in crowd.items()
    }


def people(db: Database, campaign: int, state: DeliveryState) -> set[str]:
    with db.read() as connection:
        return {each.address for each in campaigns.recipients(connection, campaign, [state])}


def ids(texts: list[Dumped]) -> Counter[tuple[str, str]]:
    return Counter((each.recipient, each.message_id) for each in texts)


def once(addresses: set[str], expected: dict[str, str]) -> Counter[tuple[str, str]]:
    return Counter((address, expected[address]) for address in addresses)


def everything_adds_up(db: Database, report: SendReport, people: int = PEOPLE) -> None:
    assert report.counts.balanced
    assert report.counts.audience == people
    assert maintenance.faults(db) == []


def test_everybody_is_accepted_and_came_once(db: Database, tmp_path: Path) -> None:
    campaign, expected = plan(db)
    with sinking() as sink:
        report = send(db, campaign, tmp_path, sink.port)
        texts = sink.texts()

    assert report.state is CampaignState.finished
    assert report.counts == Counts(audience=PEOPLE, accepted=PEOPLE)
    assert ids(texts) == once(people(db, campaign, DeliveryState.accepted), expected)
    assert len({each.sender for each in texts}) == PEOPLE  # a return path for each
    everything_adds_up(db, report)


@on_sqlite
def test_a_sink_that_turns_every_text_away_for_now_gets_each_again_unchanged(
    db: Database, tmp_path: Path
) -> None:
    """``-r`` switches PIPELINING off too, so this is the wire in lock-step."""
    campaign, expected = plan(db, FEW)
    with sinking("-r", ".") as sink:
        # At the first refusals its pace falls to thirty a second: nobody comes due meanwhile.
        first = send(db, campaign, tmp_path, sink.port, retry_after=(4,))
        turned_away = sink.texts()
    assert first.state is CampaignState.paused
    assert first.counts == Counts(audience=FEW, deferred=FEW)
    assert set(ids(turned_away)) == set(expected.items())

    wait_for_the_last(first)
    with sinking() as sink:
        second = send(db, campaign, tmp_path, sink.port, retry_after=(1,), max_wait=10)
        taken = sink.texts()

    assert second.counts == Counts(audience=FEW, accepted=FEW)
    assert ids(taken) == once(set(expected), expected)
    assert {each.text for each in taken} == {each.text for each in turned_away}
    everything_adds_up(db, second, FEW)


def wait_for_the_last(report: SendReport) -> None:
    """The delay, give or take a tenth, has passed for everybody."""
    assert report.next_due is not None
    time.sleep(max(0.0, report.next_due / 1000 - time.time()))


@on_sqlite
def test_a_sink_that_hangs_up_at_every_dot_leaves_doubts_and_no_doubles(
    db: Database, tmp_path: Path
) -> None:
    campaign, expected = plan(db)
    with sinking("-q", ".") as sink:
        report = send(db, campaign, tmp_path, sink.port)
        texts = sink.texts()

    doubtful = people(db, campaign, DeliveryState.unknown)
    assert doubtful
    assert ids(texts) == once(doubtful, expected)
    assert report.counts.accepted == 0
    everything_adds_up(db, report)


@on_sqlite
def test_a_sink_that_hangs_up_before_the_text_leaves_nobody_in_doubt(
    db: Database, tmp_path: Path
) -> None:
    campaign, _ = plan(db)
    with sinking("-q", "DATA") as sink:
        report = send(db, campaign, tmp_path, sink.port)
        texts = sink.texts()

    assert texts == []
    assert report.state is CampaignState.paused
    assert report.counts == Counts(audience=PEOPLE, planned=PEOPLE)
    everything_adds_up(db, report)


@on_sqlite
def test_a_sink_that_ends_in_the_middle_and_comes_back_costs_two_doubts_at_most(
    db: Database, tmp_path: Path
) -> None:
    """It ends after 200 texts, with whatever was under way on the other connection."""
    campaign, expected = plan(db)
    with ThreadPoolExecutor() as threads, sinking("-M", "200") as sink:
        sending = threads.submit(send, db, campaign, tmp_path, sink.port)
        assert sink.process.wait(30) == 0
        before = sink.texts()
        with sinking(port=sink.port) as sink:
            report = sending.result(60)
            after = sink.texts()

    sure = people(db, campaign, DeliveryState.accepted)
    doubtful = people(db, campaign, DeliveryState.unknown)
    assert report.state is CampaignState.finished
    assert sure | doubtful == set(expected)
    assert len(doubtful) <= 2  # one text a connection
    assert len(before) == 200
    came = ids(before + after)
    assert set(came.values()) == {1}
    assert once(sure, expected) <= came <= once(set(expected), expected)
    everything_adds_up(db, report)
