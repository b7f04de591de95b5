"""A reader takes a break, asks for fewer mails, says why they left: each is undone as easily."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.message.links import Purpose, make
from mailer.store.database import one
from mailer.usecases.give_reason import LONGEST
from mailer.usecases.take_break import months_later
from tests import builders
from tests.web.conftest import Site, Story


def column(site: Site, statement: str) -> object:
    with site.db.read() as connection:
        return one(connection, statement)


def paused_until(site: Site) -> datetime | None:
    found = column(site, "SELECT paused_until FROM subscription")
    return None if found is None else datetime.fromtimestamp(int(str(found)) / 1000, UTC)


@pytest.mark.parametrize("months", [1, 3, 6])
def test_a_break_lasts_so_many_months_and_ends_by_itself(
    site: Site, story: Story, months: int
) -> None:
    asked = {"action": "pause", "months": str(months)}
    answer = site.client.post(story.unsubscribe, data=asked)

    assert (answer.status_code, answer.headers["location"]) == (303, "?done=pause")
    until = months_later(site.mailer.clock.now(), months)
    assert paused_until(site) == until
    assert builders.status_of(site.db, story.anna, story.list_id) == "active"
    page = site.client.get(story.unsubscribe).text
    assert "You are taking a break" in page
    assert f"{until.day} {until:%B %Y}" in page
    assert "Stop all mail" in page
    shown = site.client.get(story.preferences).text
    assert f"A break until <bdi>{until.day} {until:%B %Y}</bdi>" in shown
    site.mailer.clock.advance(until - site.mailer.clock.now())  # type: ignore[attr-defined]
    assert "Unsubscribe from" in site.client.get(story.unsubscribe).text
    assert "A break until" not in site.client.get(story.preferences).text


def test_a_break_is_ended_by_hand_on_either_page(site: Site, story: Story) -> None:
    pause = {"action": "pause", "months": "3", "list": "harbour"}
    resume = {"action": "resume", "list": "harbour"}
    for path, words in (
        (story.unsubscribe, "Welcome back"),
        (story.preferences, "Done: you get <bdi>Harbour News</bdi> again."),
    ):
        site.client.post(path, data=pause)
        assert paused_until(site) is not None
        back = site.client.post(path, data=resume).headers["location"]
        assert paused_until(site) is None
        assert words in site.client.get(path + back).text
        site.client.post(path, data=resume)  # twice does no harm

    kinds = [kind for kind, *_ in builders.events(site.db, story.anna)]
    assert kinds == ["paused", "resumed", "paused", "resumed"]


def test_leaving_and_coming_back_within_a_break(site: Site, story: Story) -> None:
    site.client.post(story.unsubscribe, data={"action": "pause", "months": "6"})
    site.client.post(story.unsubscribe, data={"action": "leave"})
    assert "You are unsubscribed" in site.client.get(story.unsubscribe).text
    site.client.post(story.unsubscribe, data={"action": "undo"})
    assert paused_until(site) is not None  # an undo puts them back where they were
    site.client.post(story.preferences, data={"action": "leave", "list": "harbour"})
    site.client.post(story.preferences, data={"action": "rejoin", "list": "harbour"})

    assert paused_until(site) is None  # whoever subscribes anew wants mail


def test_a_break_is_nothing_for_who_does_not_get_the_list(site: Site, story: Story) -> None:
    site.client.post(story.unsubscribe, data={"action": "leave"})
    site.client.post(story.unsubscribe, data={"action": "pause", "months": "1"})

    assert paused_until(site) is None


def test_fewer_mails_are_asked_for_and_taken_back(site: Site, story: Story) -> None:
    for path in (story.unsubscribe, story.preferences):
        for frequency, days, words in (
            ("month", 27, "One mail a month at most"),
            ("every", None, "Everything, as it comes"),
        ):
            asked = {"action": "fewer", "frequency": frequency}
            answer = site.client.post(path, data=asked)
            assert answer.headers["location"] == "?done=fewer"
            assert column(site, "SELECT fewer_days FROM subscriber") == days
            page = site.client.get(path + answer.headers["location"]).text
            assert f"Saved: {words}." in page
            assert f'value="{frequency}" checked' in page
            assert page.count(" checked") == 1

    details = [detail for *_, detail in builders.events(site.db, story.anna)]
    assert details == ["frequency month", "frequency every"] * 2


@pytest.mark.parametrize(
    ("given_words", "kept"),
    [
        ({"reason": "too_many"}, "too_many"),
        ({"reason": "other", "words": " The\r\nfont \x00 is small "}, "other: The font is small"),
        ({"words": "Only this"}, "other: Only this"),
        ({"reason": "too_many", "words": "x" * 900}, f"too_many: {'x' * LONGEST}"),
    ],
)
def test_a_reason_is_kept_once(
    site: Site, story: Story, given_words: dict[str, str], kept: str
) -> None:
    site.client.post(story.unsubscribe, data={"action": "leave"})
    assert "Would you tell us why?" in site.client.get(story.unsubscribe).text
    for _ in range(2):
        site.client.post(story.unsubscribe, data={"action": "reason", **given_words})

    told = [event for event in builders.events(site.db, story.anna) if event[0] == "reason"]
    assert told == [("reason", "reader", story.list_id, kept)]
    page = site.client.get(story.unsubscribe).text
    assert "Thank you for telling us." in page
    assert "Would you tell us why?" not in page
    assert "Was that a mistake?" in page


def test_nobody_has_to_say_why_and_who_did_not_leave_can_not(site: Site, story: Story) -> None:
    site.client.post(story.unsubscribe, data={"action": "reason", "reason": "too_many"})
    assert builders.events(site.db, story.anna) == []
    site.client.post(story.unsubscribe, data={"action": "everything"})
    before = builders.dump(site.db)
    for nothing in ({}, {"reason": "", "words": " \n "}):
        answer = site.client.post(story.unsubscribe, data={"action": "reason", **nothing})
        assert answer.status_code == 303

    assert builders.dump(site.db) == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"action": "pause"},
        {"action": "pause", "months": "2"},
        {"action": "pause", "months": "-1"},
        {"action": "pause", "months": "9" * 99},
        {"action": "fewer"},
        {"action": "fewer", "frequency": "never"},
        {"action": "reason", "reason": "spam'--"},
    ],
)
def test_what_no_button_sends_is_not_understood(
    site: Site, story: Story, wrong: dict[str, str]
) -> None:
    site.client.post(story.unsubscribe, data={"action": "leave"})
    before = builders.dump(site.db)
    for path in (story.unsubscribe, story.preferences):
        posted = site.client.post(path, data={"list": "harbour", **wrong})
        assert posted.status_code == 400

    assert builders.dump(site.db) == before


def test_a_test_copy_grants_no_wish_and_says_so(site: Site, story: Story) -> None:
    expires = site.mailer.clock.now() + timedelta(days=7)
    token = make(site.mailer.keys, Purpose.test, story.campaign.id, story.anna, expires=expires)
    before = builders.dump(site.db)
    for action in (
        {"action": "pause", "months": "1"},
        {"action": "resume"},
        {"action": "fewer", "frequency": "week"},
        {"action": "reason", "reason": "other"},
    ):
        for room in ("u", "p"):
            if (room, action["action"]) == ("p", "reason"):
                continue
            posted = site.client.post(f"/{room}/{token}", data={"list": "harbour", **action})
            assert posted.status_code == 303
            page = site.client.get(f"/{room}/{token}{posted.headers['location']}").text
            assert "This is a test copy" in page

    assert "nothing was changed" in site.client.get(f"/u/{token}?done=pause").text
    assert builders.dump(site.db) == before


@given(st.datetimes(timezones=st.just(UTC)), st.sampled_from([1, 3, 6]))
def test_months_are_the_calendars(moment: datetime, months: int) -> None:
    if moment.year == 9999:
        return
    later = months_later(moment, months)

    assert (later.year * 12 + later.month) - (moment.year * 12 + moment.month) == months
    assert later.day == moment.day or later.day >= 28
    assert later.timetz() == moment.timetz()
