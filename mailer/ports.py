"""What the use cases ask of the outside world. Each wish has an adapter, and a fake in tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol, TypeVar

from mailer.message.keys import SigningKey
from mailer.model.words import Trail
from mailer.smtp.exchange import Observer, Outgoing, Source

__all__ = [
    "Clock",
    "DomainCheck",
    "DomainsAsked",
    "Fetched",
    "Fetcher",
    "FirstFiles",
    "Folder",
    "KeyFiles",
    "Leftovers",
    "LinkFollower",
    "NewFolder",
    "Observer",
    "Outgoing",
    "Rejected",
    "Rejects",
    "Source",
    "Transport",
]
T = TypeVar("T")


class Clock(Protocol):
    """The time of day, always aware and in UTC."""

    def now(self) -> datetime: ...


class Transport(Protocol):
    """Carries envelopes to a mail server."""

    async def run(self, source: Source, observer: Observer) -> None:
        """Sends until ``source.finished``; then every key has had exactly one final observation.

        ``answered``, ``returned`` and ``lost`` are final. Raises WireError when the server can't be
        reached, or refuses greeting, TLS or AUTH; every key that was taken has been ``returned``
        or ``lost`` before it raises.
        """


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a web address answered; status 0, and why, when nothing came."""

    status: int
    body: bytes
    trouble: str


class Fetcher(Protocol):
    """Fetches web pages."""

    def get(self, url: str) -> Fetched:
        """Never raises for trouble on the way: that is part of the answer."""


class KeyFiles(Protocol):
    """The private keys that sign mails, by domain and selector."""

    def place(self, domain: str, selector: str) -> str:
        """Where a key lies or would lie, for people."""

    def load(self, domain: str, selector: str) -> Sequence[SigningKey]:
        """The keys of a selector. Raises SettingsError in a sentence when they can't be used."""

    def create(self, domain: str, selector: str, *, ed25519_too: bool) -> str:
        """Makes a key, readable for its owner alone. Raises InputError when there is one."""

    def selectors(self, domain: str) -> Sequence[str]:
        """The selectors of a domain whose keys are here, the newest first."""

    def remove(self, domain: str, selector: str) -> None:
        """Removes a key that nothing signs with any more."""


class LinkFollower(Protocol):
    """Finds out where links lead."""

    def follow(self, urls: Sequence[str]) -> Mapping[str, Trail]:
        """Asks for each address once, within a bounded time; never raises for trouble on the way.

        What is not on the public internet is never asked.
        """


class DomainsAsked(NamedTuple):
    """The domains that certainly take no mail, each with why; and those without an answer."""

    deaf: Mapping[str, str]
    silent: Sequence[str]


class DomainCheck(Protocol):
    """Asks the name system whether domains take mail."""

    def ask(self, domains: Sequence[str]) -> DomainsAsked:
        """Asks about each domain. Raises StoppedError when nobody answers at all."""


class FirstFiles(Protocol):
    """The files that make a folder a workspace."""

    def write(self, name: str, text: str, *, private: bool = False) -> bool:
        """Writes a file that is not there yet; returns whether it did."""

    def append(self, name: str, text: str) -> None:
        """Adds text to the end of a file."""

    def names_variable(self, name: str, variable: str) -> bool:
        """Whether a file of settings gives this variable a value."""


class NewFolder(Protocol):
    """A place where folders with files can be made."""

    def create(self, name: str, contents: Mapping[str, bytes]) -> str:
        """Makes the folder whole or not at all; returns its path for people.

        Raises InputError when it exists already or can't be written.
        """


@dataclass(frozen=True, slots=True)
class Rejected:
    """A refused row: its cells under the columns, what exceeds them, and the text of the file."""

    cells: Sequence[str]
    reason: str
    line: int
    beyond: Sequence[str] = ()
    raw: str = ""


class Rejects(Protocol):
    """Where the rows go that an import refuses."""

    def begin(self, columns: Sequence[str], form: str, delimiter: str | None) -> None:
        """Names the columns and the form of the file, before the first row."""

    def add(self, reject: Rejected) -> None:
        """Adds one row. Raises StoppedError when the disk is full."""

    def finish(self) -> str | None:
        """Completes the file; its path for people, or None when nothing was refused."""

    def discard(self) -> None:
        """Takes away what was not finished. After ``finish`` it does nothing."""


class Leftovers(Protocol):
    """Files about people that earlier imports left in the workspace."""

    def forget(self, mentions: Callable[[str], bool]) -> Sequence[str]:
        """Takes every row that mentions somebody out; returns the files that were changed."""

    def mentioning(self, mentions: Callable[[str], bool]) -> Sequence[str]:
        """The files that mention somebody."""

    def older_than(self, moment: datetime) -> Sequence[str]:
        """The files that were last written before a moment."""

    def remove(self, names: Sequence[str]) -> None:
        """Removes these files."""


class Folder(Protocol):
    """The files of one issue or one layout. Names are relative, with forward slashes."""

    def text(self, name: str) -> str:
        """Raises InputError when missing, not UTF-8, too large, or outside of the folder."""

    def data(self, name: str) -> bytes:
        """Raises InputError likewise."""

    def names(self, under: str = "") -> Sequence[str]:
        """Every file's name, sorted."""

    def where(self, name: str) -> str:
        """The path to show to a person."""

    def steer(self, call: Callable[[], T]) -> T:
        """Runs a call that these files steer, as templates do; returns its result.

        Files that did not come with the program are bounded in time and memory: raises InputError.
        """
