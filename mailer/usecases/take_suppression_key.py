"""Has a new database make its suppression hashes with the key of another one."""

from __future__ import annotations

import re

from mailer.contacts.suppression import key_fingerprint
from mailer.errors import InputError
from mailer.store import suppressions
from mailer.store.database import Database

_KEY = re.compile(r"[0-9a-f]{64}").fullmatch


def take_suppression_key(text: str, *, db: Database) -> str:
    """Takes the key over and returns its fingerprint; with the key that is there nothing changes.

    Every hash is made with the key, so only a database without people and suppressions takes one.
    Raises InputError for any other, and for a text that is no key.
    """
    key = text.strip().lower()
    if not _KEY(key):
        raise InputError(
            "This is no key of suppressions.",
            hint="`mailer suppressions key --out FILE` writes one, in the other workspace.",
        )
    with db.write() as connection:
        if suppressions.secret(connection) != key and not suppressions.replace_secret(
            connection, key
        ):
            raise InputError(
                "This database holds people or suppressions, whose hashes are made with its own"
                " key.",
                hint="Only a new database takes another key: do it before the first import.",
            )
    return key_fingerprint(bytes.fromhex(key))
