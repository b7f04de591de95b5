"""Begins the change to a new key; the present one stays as long as something signs with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailer.errors import InputError
from mailer.ports import Clock
from mailer.store.database import Database
from mailer.usecases.make_key import MadeKey, described, free_selector
from mailer.usecases.show_keys import users_of_keys
from mailer.usecases.sign_letters import Signing


@dataclass(frozen=True, slots=True)
class Rotation:
    """``next`` is to be published; ``made`` is false when an earlier call made it already.

    ``current`` goes on signing until the settings name the next one. ``retired`` were removed:
    their records can be emptied.
    """

    current: str
    next: MadeKey
    made: bool
    retired: Sequence[str]


def rotate_key(selector: str | None, *, signing: Signing, db: Database, clock: Clock) -> Rotation:
    """Makes the next key and removes those before the present one.

    1. Find the present key; refuse when nothing is signed yet.
    2. A key that is newer than the present one is the next one already: tell it again.
    3. Remove older keys with which no unfinished campaign was planned.
    4. Make the next key, of the same kinds as the present one.

    Two selectors are left: the present one and the next. Raises InputError or SettingsError.
    """
    domain, current, files = signing.domain, signing.selector, signing.files
    if not domain:
        raise InputError(
            "Nothing is signed with DKIM yet, so there is no key to change.",
            hint="`mailer keys new` makes the first one.",
        )
    kinds = [key.algorithm for key in files.load(domain, current)]
    selectors = files.selectors(domain)
    newer = selectors[: selectors.index(current)]
    older = selectors[selectors.index(current) + 1 :]
    if newer:
        told = described(domain, newer[0], files.place(domain, newer[0]), files)
        return Rotation(current, told, False, ())
    used = users_of_keys(domain, db)
    retired = [each for each in older if each not in used]
    kept = [each for each in older if each in used]
    if kept:
        raise InputError(
            f"The key {kept[0]} is older than the present one and still signs for"
            f" {', '.join(used[kept[0]])}.",
            hint="Finish or cancel that first: two selectors at a time are enough.",
        )
    name = selector or free_selector(domain, files=files, clock=clock)
    file = files.create(domain, name, ed25519_too="ed25519-sha256" in kinds)
    for each in retired:
        files.remove(domain, each)
    return Rotation(current, described(domain, name, file, files), True, retired)
