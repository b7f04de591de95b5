"""Shows the keys that sign mails, and the records to publish for them; never a private half."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailer.errors import InputError, SettingsError
from mailer.message.keys import SigningKey, is_domain, record, record_name, zone_line
from mailer.store import campaigns
from mailer.store.database import Database
from mailer.usecases.sign_letters import Signing


@dataclass(frozen=True, slots=True)
class ShownKey:
    """One record: where it stands, what it says, and the same as a line of a zone file."""

    selector: str
    algorithm: str
    bits: int
    name: str
    value: str
    zone: str


@dataclass(frozen=True, slots=True)
class ShownSelector:
    """One key file. ``use``: ``current``, ``campaigns`` (unfinished ones), or ``none``."""

    selector: str
    file: str
    use: str
    campaigns: Sequence[str]
    keys: Sequence[ShownKey]
    trouble: str = ""


def show_keys(domain: str, *, signing: Signing, db: Database) -> Sequence[ShownSelector]:
    """Every key of a domain, the newest first, and what signs with it. Raises InputError."""
    if not is_domain(domain):
        raise InputError("Keys of which domain?", hint="Say --domain example.org.")
    users = users_of_keys(domain, db)
    found = []
    for selector in signing.files.selectors(domain):
        keys: tuple[ShownKey, ...] = ()
        trouble = ""
        try:
            keys = tuple(shown(key, domain) for key in signing.files.load(domain, selector))
        except SettingsError as error:
            trouble = str(error)
        current = (domain, selector) == (signing.domain, signing.selector)
        names = users.get(selector, [])
        use = "current" if current else "campaigns" if names else "none"
        place = signing.files.place(domain, selector)
        found.append(ShownSelector(selector, place, use, names, keys, trouble))
    return found


def users_of_keys(domain: str, db: Database) -> dict[str, list[str]]:
    """Selector → the campaigns that were planned with it and are not over."""
    users: dict[str, list[str]] = {}
    with db.read() as connection:
        for slug, frozen in campaigns.unfinished(connection):
            dkim = frozen.get("dkim") or {}
            if dkim.get("domain") == domain:
                users.setdefault(dkim["selector"], []).append(slug)
    return users


def shown(key: SigningKey, domain: str) -> ShownKey:
    return ShownKey(
        key.selector,
        key.algorithm,
        key.bits,
        record_name(key, domain),
        record(key),
        zone_line(key, domain),
    )
