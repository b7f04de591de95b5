"""Turns the database drivers' errors into sentences for people."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy.exc import DBAPIError

from mailer.errors import BusyError, MailerError, SettingsError, StoppedError


@contextmanager
def translated(shown: str) -> Iterator[None]:
    """Turns the driver's errors into ours, cause kept. What we do not know is not disguised."""
    try:
        yield
    except (sqlite3.Error, psycopg.Error, DBAPIError) as error:
        ours = in_our_words(error, shown)
        if ours is None:
            raise
        raise ours from error


def in_our_words(error: BaseException | None, shown: str) -> MailerError | None:
    """What we say instead of an error of the driver, or of the engine; None if we do not know."""
    if isinstance(error, DBAPIError):
        error = error.orig
    if isinstance(error, sqlite3.Error):
        return _translate_sqlite(str(error).strip(), shown)
    if isinstance(error, psycopg.Error):
        return _translate_postgresql(error, shown)
    return None


def _translate_postgresql(error: psycopg.Error, shown: str) -> MailerError | None:
    if not isinstance(error, psycopg.OperationalError):
        return None
    if isinstance(error, psycopg.errors.DiskFull):
        return _full(shown)
    said = str(error).strip()
    first = said.splitlines()[0] if said else "no answer"
    return StoppedError(
        f"The database {shown} does not answer: {first}.",
        hint="Nothing was lost. Check MAILER_DATABASE_URL and the server, and run it again.",
    )


def _translate_sqlite(said: str, shown: str) -> MailerError | None:
    if "locked" in said or "busy" in said:
        return BusyError(
            f"The database {shown} is locked by another program.",
            hint="Nothing was changed. Wait until it is done, and run this again.",
        )
    if "readonly" in said:
        return SettingsError(
            f"The database {shown} is read-only for this user.",
            hint="Give yourself the right to write the file and its folder.",
        )
    if "unable to open" in said:
        return SettingsError(
            f"The database {shown} can't be opened.",
            hint="Does its folder exist? `mailer init` makes a workspace.",
        )
    if "not a database" in said or "malformed" in said or "no such table" in said:
        return SettingsError(
            f"{shown} is not a database of mailer, or it is damaged.",
            hint="Restore it from a backup, or set MAILER_DATABASE_URL.",
        )
    if "full" in said or "disk I/O" in said:
        return _full(shown)
    return None


def _full(shown: str) -> MailerError:
    return StoppedError(
        f"The disk of the database {shown} is full or failing.",
        hint="What was committed is safe. Make room and run this again.",
    )
