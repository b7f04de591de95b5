"""A workspace, a receiver and a crowd: the stage on which senders meet trouble.

Every hundredth person does not exist; every fiftieth text is turned away once.
"""

from __future__ import annotations

import functools
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from mailer.adapters.key_files import KeyFolder
from mailer.store import migrations
from mailer.store.database import Database, database_url
from mailer.usecases.sign_letters import Signing
from tests.crowd import make_crowd
from tests.journeys.counting import Joined, Watch, join
from tests.journeys.sender import Sender, Tricks, wait_until
from tests.sending import SITE, plan_for
from tests.smtpd import Smtpd, say

SQLITE = "sqlite:///mailer.db"
DOMAIN, SELECTOR = "example.org", "m1"


@dataclass
class Scene:
    """One campaign and what troubles it. ``chance`` chooses moments, not secrets."""

    folder: Path
    people: int
    chance: Random
    server: Smtpd
    url: str = SQLITE
    connections: int = 4
    window: int = 200
    signed: bool = False
    lanes: bool = False  # three providers take turns
    apart: bool = False  # the ledger has a process of its own, however few people there are
    statuses: list[int] = field(default_factory=list)  # of the senders, in their order
    watch: Watch | None = None

    def prepare(self) -> None:
        """Plans the campaign and writes the settings."""
        signing = {"dkim_domain": DOMAIN, "dkim_selector": SELECTOR} if self.signed else {}
        write_settings(
            self.folder,
            self.url,
            self.server.port,
            smtp_connections=self.connections,
            window=self.window,
            **signing,
        )
        if self.url == SQLITE:
            ready = _planned(self.people, self.signed, self.lanes)
            shutil.copytree(ready, self.folder, dirs_exist_ok=True)
            return
        with self.open() as db:
            migrations.upgrade(db)
            _plan(db, self.people, None, lanes=self.lanes)

    def open(self) -> Database:
        return Database(database_url(self.url, self.folder))

    @contextmanager
    def watched(self) -> Iterator[Watch]:
        """The counts are read all the while."""
        with self.open() as db, Watch(db, self.window) as self.watch:
            yield self.watch

    @contextmanager
    def unwatched(self) -> Iterator[None]:
        """Nobody has the database open."""
        with self.watch.blind() if self.watch else nullcontext():
            yield

    # What a trouble is made of.

    def send(self, tricks: Tricks | None = None) -> Sender:
        return Sender(self.folder, replace(tricks or Tricks(), apart=self.apart))

    def moment(self, among: int = 1) -> int:
        """How many texts the receiver will have seen when it happens; ``among`` such to come."""
        seen = len(self.server.accepted)
        return seen + self.chance.randint(1, max(1, (self.people - seen) // among))

    def await_moment(self, sender: Sender, seen: int) -> bool:
        """Waits until the receiver has seen so many; False when the sender was done before."""
        server = self.server
        wait_until(lambda: len(server.accepted) >= seen or not sender.running)
        return sender.running

    def over(self, sender: Sender) -> int:
        """Waits for a sender's end; returns and notes its status."""
        self.statuses.append(sender.wait())
        return self.statuses[-1]

    def finish(self, tricks: Tricks | None = None, *, tries: int = 3) -> None:
        """Sends until nobody is left to try."""
        for _ in range(tries):
            sender = self.send(tricks)
            if self.over(sender) in (0, 1):
                return
            if "is finished; there is nothing to send" in sender.said:
                return  # the one before was killed after its last commit: the count will tell
            if self.statuses[-1] != 75:
                raise AssertionError(f"send ended with {self.statuses[-1]}: {sender.said}")
        raise AssertionError(f"send did not finish: {self.statuses}; {sender.said}")

    def revive_server(self) -> None:
        """Another receiver on the same port, with the same log."""
        self.server = self.server.successor().__enter__()

    def count(self) -> Joined:
        with self.open() as db:
            return join(db, self.server.accepted)


@contextmanager
def scene(
    folder: Path | None = None, *, people: int, seed: int, **changes: object
) -> Iterator[Scene]:
    """A stage that is taken down at the end."""
    with tempfile.TemporaryDirectory(prefix="mailer-trouble-") as temporary:
        server = Smtpd().__enter__()
        server.at("rcpt", say("550 5.1.1 No such user"), holding=b"00@")
        for number in range(50, people, 50):
            server.at("dot", say("451 4.3.0 Later"), nth=number)
        stage = Scene(
            folder or Path(temporary),
            people,
            Random(seed),
            server,
            **changes,  # type: ignore[arg-type]  # as the fields say
        )
        try:
            stage.prepare()
            yield stage
        finally:
            stage.server.stop()


def make_workspace(folder: Path, people: int, url: str, port: int) -> Database:
    """A workspace with a planned campaign for so many people."""
    write_settings(folder, url, port, smtp_connections=4)
    db = Database(database_url(url, folder))
    migrations.upgrade(db)
    _plan(db, people, None)
    return db


def write_settings(folder: Path, url: str, port: int, **more: object) -> None:
    values = {
        "secret_key": bytes(range(32)).hex(),
        "database_url": url,
        "site_url": SITE,
        "organisation": "Tidewater",
        "postal_address": "3 Quay St",
        "smtp_host": "127.0.0.1",
        "smtp_port": port,
        "smtp_security": "none",
        "retry_after": "1s",
        **more,
    }
    lines = [f"MAILER_{name.upper()}={value}\n" for name, value in values.items()]
    (folder / ".env").write_text("".join(lines), "utf-8")


@functools.cache
def _planned(people: int, signed: bool, lanes: bool) -> Path:
    """A folder with a planned campaign; planning takes longer than a small send."""
    kept = tempfile.TemporaryDirectory(prefix="mailer-planned-")
    _kept.append(kept)
    folder = Path(kept.name)
    signing = None
    if signed:
        signing = Signing(KeyFolder(folder / "data/keys"), DOMAIN, SELECTOR)
        signing.files.create(DOMAIN, SELECTOR, ed25519_too=False)
    with Database(database_url(SQLITE, folder)) as db:
        migrations.upgrade(db)
        _plan(db, people, signing, lanes=lanes)
    return folder


_kept: list[tempfile.TemporaryDirectory[str]] = []  # until the process ends


def _plan(db: Database, people: int, signing: Signing | None, *, lanes: bool = False) -> None:
    list_id, crowd = make_crowd(db, people)
    shares = [("gmail", people // 2), ("gmx", people // 3)]
    rest = people - sum(each for _, each in shares)
    plan_for(
        db,
        crowd,
        list_id,
        slug="crowd",
        dkim=signing.freeze() if signing else None,
        lanes=[("other", rest), *shares] if lanes else (),
    )


def since(begun: float) -> float:
    """Seconds since then."""
    return round(time.monotonic() - begun, 1)
