"""Keeps mails as files instead of sending them: the wish ``ports.Transport``, on the disk.

A mail's name in the spool is its Message-ID, which is the same at each attempt. So whatever a
killed process left behind is found again by the next one, and nothing is kept twice.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import re
from asyncio import Future
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from mailer.adapters.maildir import Maildir
from mailer.adapters.mbox import Mbox
from mailer.adapters.spooled import Spooled
from mailer.errors import InputError, WireError
from mailer.model.words import Reply, Stage
from mailer.smtp.envelope import prepare
from mailer.smtp.events import Answered
from mailer.smtp.exchange import Observer, Outgoing, Source
from mailer.smtp.replies import Features

T = TypeVar("T")
BATCH = 64  # mails that are made durable together: a wait for the disk each, and one for all
FORMS = ("maildir", "mbox")

# What a file takes: everything. BDAT's form of a text is the one without stuffed dots.
_FEATURES = Features(eightbitmime=True, smtputf8=True, chunking=True)
_MESSAGE_ID = re.compile(rb"^Message-ID:\s*<([^<>\s]+)>\s*$", re.IGNORECASE | re.MULTILINE)


class Box(Protocol):
    """A place that keeps mails. Its methods wait for the disk, and raise OSError."""

    def open(self) -> None:
        """Makes it ready, and repairs what a killed process left half done."""

    def keep(self, mails: Sequence[Spooled]) -> None:
        """Makes all of them durable, but those that it has already."""

    def withdraw(self, mails: Sequence[Spooled]) -> None:
        """Takes out again what the last ``keep`` brought, from some mail of it to its end."""

    def close(self) -> None: ...


@dataclass(slots=True)
class SpoolTransport:
    """Keeps every mail in a Maildir or an mbox. ``place`` is how people know it.

    A mail is answered for when its file, its name and its folder have reached the disk. It has its
    name before it is ``started``, so that a process that is killed in between leaves nobody in
    doubt: to the ledger the mail was not started, and the next run finds it in the spool.
    """

    box: Box
    place: str

    async def run(self, source: Source, observer: Observer) -> None:
        """Keeps mails until ``source.finished``; see ``ports.Transport``.

        Raises WireError when the disk is full or the spool can't be written any more. Cancelling
        waits for the mails that are being written.
        """
        try:
            await _finished(self.box.open)
            try:
                while not source.finished:
                    mails = self._take(source, observer)
                    if mails:
                        await self._keep(mails, observer)
                    else:
                        await source.changed()
            finally:
                await _finished(self.box.close)
        except OSError as error:
            raise WireError(
                f"The spool {self.place} can't be written: {reason(error)}.",
                hint="Run the same command again when it can; nothing is kept there twice.",
            ) from error

    def _take(self, source: Source, observer: Observer) -> list[Spooled]:
        mails: list[Spooled] = []
        while len(mails) < BATCH and (outgoing := source.take()) is not None:
            try:
                mail = spooled(outgoing)
            except BaseException:
                for each in mails:
                    observer.returned(each.key, Stage.data, "our side failed")
                observer.returned(outgoing.key, Stage.data, "our side failed")
                raise
            if isinstance(mail, Answered):
                observer.answered(*mail)
            else:
                mails.append(mail)
        return mails

    async def _keep(self, mails: list[Spooled], observer: Observer) -> None:
        waiting = {mail.key for mail in mails}
        why = "the run was stopped"

        def answer(mail: Spooled) -> None:
            waiting.discard(mail.key)
            reply = Reply(250, f"2.0.0 Kept as {mail.name}", "2.0.0")
            observer.answered(mail.key, Stage.dot, reply)

        try:
            await _finished(partial(self.box.keep, mails))
            done = 0
            for mail in mails:
                # Asked and answered in one breath: who is killed here leaves one in doubt at most.
                if not observer.started(mail.key):
                    await _finished(partial(self.box.withdraw, mails[done:]))
                    break
                answer(mail)
                done += 1
            for mail in mails[done + 1 :]:
                if observer.started(mail.key):
                    await _finished(partial(self.box.keep, [mail]))
                    answer(mail)
        except OSError as error:
            why = f"the spool can't be written: {reason(error)}"
            raise
        finally:
            for mail in mails:
                if mail.key in waiting:
                    # Not about this envelope: the next run may try it freely.
                    observer.returned(mail.key, Stage.session, why)


def open_spool(where: str) -> SpoolTransport:
    """The spool that ``maildir:PATH`` or ``mbox:PATH`` names. Nothing is written yet.

    Raises InputError when it names none, or something else lies at the path.
    """
    form, colon, path = where.partition(":")
    if not colon or form not in FORMS or not path or "\0" in path:
        raise InputError(
            f"“{where}” names no spool.", hint="Write maildir:PATH or mbox:PATH, such as mbox:out."
        )
    try:
        place = Path(path).expanduser()
        _require_reachable(place.absolute())
        box: Box = Maildir(place) if form == "maildir" else Mbox(place)
    except (OSError, RuntimeError) as error:  # the latter for a ~ that nobody's home is
        raise InputError(f"{path} can't be used as a spool: {reason(error)}.") from error
    return SpoolTransport(box, where)


def spooled(outgoing: Outgoing) -> Spooled | Answered:
    """One mail as a spool keeps it; or the answer to what no server would be sent either."""
    ready = prepare(outgoing, _FEATURES)
    if isinstance(ready, Answered):
        return ready
    text = ready.text[len(ready.text) - ready.chunk :]
    found = _MESSAGE_ID.search(text, 0, text.find(b"\r\n\r\n") + 2)
    name = found[1].decode("utf-8", "replace") if found else hashlib.sha256(text).hexdigest()
    content = text.replace(b"\r\n", b"\n")
    return Spooled(outgoing.key, name, outgoing.sender, outgoing.recipient, content)


def reason(error: BaseException) -> str:
    """The system's word for what went wrong, without the path that stands beside it anyway."""
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _require_reachable(place: Path) -> None:
    """Raises OSError when nothing can be made at the place."""
    try:
        place.stat()
    except FileNotFoundError:
        above = next(each for each in place.parents if each.exists())
        if not above.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"{above} is no folder") from None
        if not os.access(above, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, f"{above} is not for us to write into") from None


async def _finished(work: Callable[[], T]) -> T:
    """Does work on a thread. Cancelled, it waits for the end of the work all the same."""
    doing: Future[T] = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        await asyncio.wait({doing})
        doing.exception()
        raise
