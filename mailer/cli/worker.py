"""``mailer worker``: a loop in the foreground that sees to what waits."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailer.cli import screen, sending

if TYPE_CHECKING:
    from pathlib import Path

    from mailer.usecases.deliver_service_mail import Delivered
    from mailer.usecases.run_worker import Told
    from mailer.wiring import Mailer

_MOST = 16
_POSTED_WITHIN = 25.0  # seconds, for service mails that are on their way
_RESTART_AFTER = 1.0  # seconds, when one of several has died


def register(app: typer.Typer) -> None:
    app.command("worker")(worker)


def worker(
    processes: Annotated[
        int,
        typer.Option(metavar="N", min=1, max=_MOST, help="So many campaigns at once, at most."),
    ] = 1,
) -> None:
    """Start scheduled campaigns and finish deferred people, until stopped."""
    with screen.opened() as mailer:
        mailer.require_sendable()
        if processes == 1:
            _work(mailer)
            return
    _supervise(processes)


def _work(mailer: Mailer) -> None:
    import asyncio

    asyncio.run(_run(mailer))


async def _run(mailer: Mailer, parent: int | None = None) -> None:
    import asyncio
    import os
    import signal

    from mailer.usecases.deliver_service_mail import keep_delivering
    from mailer.usecases.run_worker import Worker

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if parent is not None:

        async def end_with_parent() -> None:
            while os.getppid() == parent and not stop.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), 1)
            stop.set()

        watching = asyncio.create_task(end_with_parent())  # noqa: F841, RUF006  held until the end
    _tell_line(mailer, "ready", "", "The worker is alive. Ctrl-C stops it.")
    work = Worker(
        db=mailer.db,
        clock=mailer.clock,
        folder=mailer.runs,
        retry_after=mailer.settings.retry_after,
        send=sending.for_worker(mailer),
        require_approval=sending.approval(mailer),
        tell=lambda told: _tell(mailer, told),
    )
    posting = None
    if mailer.can_write and mailer.keys_if_any is not None:
        waiting = keep_delivering(mailer.postbox, stop, tell=lambda done: _tell_post(mailer, done))
        posting = asyncio.create_task(waiting)
    await work.run(stop)
    if posting is not None:
        with suppress(TimeoutError):
            await asyncio.wait_for(posting, _POSTED_WITHIN)
    _tell_line(mailer, "stopped", "", "The worker has stopped.")


def _tell_post(mailer: Mailer, done: Delivered) -> None:
    words = f"{done.accepted:,} sent, {done.put_off:,} put off. {done.trouble}".rstrip()
    _tell_line(mailer, "service", "", words, screen.plain(done))


def _tell(mailer: Mailer, told: Told) -> None:
    words = told.words
    counts = screen.plain(told.report.counts) if told.report is not None else {}
    if counts:
        left = told.report.counts.left if told.report is not None else 0
        words = (
            f"{counts['accepted']:,} of {counts['audience']:,} accepted, {left:,} left to try."
            f" {words}".rstrip()
        )
    _tell_line(mailer, told.event, told.campaign, words, counts)


def _tell_line(
    mailer: Mailer, event: str, campaign: str, words: str, counts: dict[str, Any] | None = None
) -> None:
    """One line for people, or one JSON object a line."""
    moment = mailer.clock.now()
    if screen.as_json():
        row = {"at": moment, "event": event, "campaign": campaign, "words": words}
        screen.stream([{**row, **(counts or {})}])
    else:
        local = moment.astimezone(mailer.settings.time_zone)
        name = f"{campaign}: " if campaign else ""
        screen.note(f"{local:%Y-%m-%d %H:%M:%S} {event:8} {name}{words}")


def _supervise(processes: int) -> None:
    """Keeps so many workers alive; each ends when this process is asked to, or dies."""
    import multiprocessing
    import signal
    import threading

    spawn = multiprocessing.get_context("spawn")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())

    def start() -> Any:
        child = spawn.Process(target=_child, args=(screen.mode(), _parent()), daemon=False)
        child.start()
        return child

    children = [start() for _ in range(processes)]
    while not stop.wait(_RESTART_AFTER):
        for place, child in enumerate(children):
            if not child.is_alive():
                screen.note(f"Worker {child.pid} has ended with {child.exitcode}; another begins.")
                children[place] = start()
    for child in children:
        child.terminate()
    for child in children:
        child.join()


def _parent() -> int:
    import os

    return os.getpid()


def _child(mode: tuple[bool, bool, bool, Path], parent: int) -> None:
    import asyncio

    as_json, quiet, verbose, workspace = mode
    screen.configure(as_json=as_json, quiet=quiet, verbose=verbose, workspace=workspace)
    with screen.opened() as mailer:
        asyncio.run(_run(mailer, parent))
