"""A database that hangs keeps no reader waiting, and loses no wish to leave."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from anyio import to_thread
from starlette.concurrency import run_in_threadpool

from mailer.usecases.unsubscribe_reader import Step
from mailer.web import one_click, readers, wishes
from mailer.web.one_click import OneClickDesk, keep
from tests import builders
from tests.web.conftest import Site, Story

LONG = 20.0  # seconds; by then a test has failed


@pytest.fixture
def hanging() -> Iterator[threading.Event]:
    """What a thread waits for as long as the test runs."""
    event = threading.Event()
    yield event
    event.set()


def test_who_comes_after_a_post_that_got_no_answer_is_kept_as_well(
    site: Site, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_click, "ANSWER_WITHIN", 0.05)
    monkeypatch.setattr(one_click, "unsubscribe_readers", lambda *_, **__: Future())
    token = story.unsubscribe.removeprefix("/u/")

    async def posts() -> list[object]:
        desk = OneClickDesk(site.mailer)
        return [await asyncio.wait_for(desk.leave(token), LONG) for _ in range(3)]

    assert asyncio.run(posts()) == [None] * 3
    assert len(site.mailer.letterbox.waiting()) == 3


def test_a_wish_is_kept_while_every_thread_waits_for_the_database(
    site: Site, story: Story, hanging: threading.Event
) -> None:
    token = story.unsubscribe.removeprefix("/u/")

    async def post() -> None:
        to_thread.current_default_thread_limiter().total_tokens = 1
        looking = asyncio.create_task(run_in_threadpool(hanging.wait))
        await asyncio.sleep(0)
        await asyncio.wait_for(keep(site.mailer, token, Step.leave), LONG)
        hanging.set()
        await looking

    asyncio.run(post())
    assert len(site.mailer.letterbox.waiting()) == 1


def test_pages_do_not_wait_for_it(
    site: Site, story: Story, monkeypatch: pytest.MonkeyPatch, hanging: threading.Event
) -> None:
    page = f"/w/{story.campaign.web_key}"
    assert site.client.get(page).text == builders.PAGE
    monkeypatch.setattr(wishes, "LOOK_WITHIN", 0.05)

    def hangs(*_: Any, **__: Any) -> None:
        hanging.wait(LONG)

    monkeypatch.setattr(readers, "show_unsubscribe", hangs)
    monkeypatch.setattr("mailer.web.public.show_web_version", hangs)
    monkeypatch.setattr("mailer.web.public.check_health", hangs)

    leave = site.client.get(story.unsubscribe)
    assert (leave.status_code, 'value="leave"' in leave.text) == (200, True)
    assert site.client.get(page).text == builders.PAGE
    assert site.client.get("/healthz").status_code == 503
