"""Sends the site's own mails beside its pages, so that no page waits for a mail server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from structlog.typing import FilteringBoundLogger

from mailer.usecases.deliver_service_mail import Delivered, keep_delivering
from mailer.web.log import tell_fault
from mailer.wiring import Mailer

_STOP_WITHIN = 5.0  # seconds; a mail on its way then goes out again later, as the same one
_REST = 60.0  # seconds after a fault of our own


@contextmanager
def posting(mailer: Mailer, log: FilteringBoundLogger) -> Iterator[None]:
    """Sends what waits, in a thread of its own, while the block runs.

    Several processes may do so. Where no mail can be written, nothing waits and nothing is done.
    """
    if not mailer.can_write:
        yield
        return
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    def tell(done: Delivered) -> None:
        if done.trouble:
            log.warning("service mails wait", why=done.trouble, count=done.put_off)
        else:
            log.info("service mails", accepted=done.accepted, put_off=done.put_off)

    async def post() -> None:
        while not stop.is_set():
            try:
                await keep_delivering(mailer.postbox, stop, tell=tell)
            except Exception as error:  # a fault of ours must not end all mails of this process
                tell_fault(log, "service mails failed", error)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), _REST)

    def run() -> None:
        try:
            loop.run_until_complete(post())
        finally:
            loop.close()

    thread = threading.Thread(target=run, name="postman", daemon=True)
    thread.start()
    try:
        yield
    finally:
        if thread.is_alive():
            loop.call_soon_threadsafe(stop.set)
        thread.join(timeout=_STOP_WITHIN)
