"""A worker that is killed in a scheduled campaign loses nobody: another one finishes it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from mailer.adapters.clock import SystemClock
from mailer.cli.main import run
from mailer.settings import without_environment
from mailer.store.database import Database
from mailer.usecases.schedule_campaign import schedule_campaign
from tests import postgres
from tests.journeys.counting import Joined
from tests.journeys.scene import Scene, scene
from tests.journeys.sender import wait_until

PEOPLE = 600
ROOT = Path(__file__).parents[2]


def _work(folder: Path) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    with without_environment():
        os._exit(run(["-C", str(folder), "worker"]))


def start(folder: Path) -> Any:
    """A worker in a process of its own, forked from one that has imported everything."""
    process = multiprocessing.get_context("forkserver").Process(target=_work, args=(folder,))
    process.start()
    return process


def one(db: Database, statement: str) -> Any:
    with db.read() as connection:
        return connection.execute(text(statement)).scalar()


def await_workers(db: Database, number: int) -> None:
    assert wait_until(lambda: one(db, "SELECT count(*) FROM worker") == number)


def schedule_soon(db: Database) -> None:
    """Has a worker send it in a moment, as ``send --at`` does."""
    clock = SystemClock()
    start_at = clock.now() + timedelta(seconds=0.3)
    schedule_campaign("crowd", start_at=start_at, not_after=None, db=db, clock=clock)


def killed_and_finished(stage: Scene, kills: int) -> Joined:
    """Kills one worker after another in mid-campaign; the last one finishes it."""
    with (stage.folder / ".env").open("a", encoding="utf-8") as file:
        file.write("MAILER_SMTP_RATE=800\n")
    with stage.open() as db:
        for number in range(kills):
            worker = start(stage.folder)
            await_workers(db, 1)
            if not number:
                schedule_soon(db)
            goal = PEOPLE // (kills + 1) * (number + 1)
            assert wait_until(lambda goal=goal: len(stage.server.accepted) >= goal)
            os.kill(worker.pid, signal.SIGKILL)
            worker.join()
            assert one(db, "SELECT state FROM campaign") == "sending"
            with db.write() as connection:
                connection.execute(text("DELETE FROM worker"))
        last = start(stage.folder)
        assert wait_until(lambda: one(db, "SELECT state FROM campaign") == "finished")
        last.terminate()
        last.join()
        assert last.exitcode == 0
        await_workers(db, 0)
    return stage.count()


def judge(joined: Joined) -> None:
    assert joined.wrong == []
    assert (joined.counts.audience, joined.counts.left) == (PEOPLE, 0)
    assert joined.counts.refused == PEOPLE // 100
    assert joined.most_unknown <= 4  # one for each connection


def test_kill_9_on_sqlite() -> None:
    with scene(people=PEOPLE, seed=1) as stage:
        judge(killed_and_finished(stage, 3))


def test_kill_9_on_postgresql(postgresql: postgres.Server) -> None:
    url = postgresql.make("worker")
    try:
        with scene(people=PEOPLE, seed=2, url=url) as stage:
            judge(killed_and_finished(stage, 2))
    finally:
        postgresql.drop("worker")


def test_two_workers_send_a_campaign_once_and_end_together() -> None:
    with scene(people=49, seed=3) as stage, stage.open() as db:
        words = [sys.executable, "-m", "mailer", "-C", str(stage.folder), "worker"]
        several = subprocess.Popen([*words, "--processes", "2"], stderr=subprocess.PIPE, cwd=ROOT)
        await_workers(db, 2)
        schedule_soon(db)
        assert wait_until(lambda: one(db, "SELECT state FROM campaign") == "finished")
        several.send_signal(signal.SIGTERM)
        _, said = several.communicate(timeout=120)

        assert several.returncode == 0, said.decode()
        assert (stage.count().wrong, stage.count().texts) == ([], 49)
        await_workers(db, 0)
        assert one(db, "SELECT count(*) FROM run") == 1
