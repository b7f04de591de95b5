"""Makes a key that signs mails with DKIM, and says what to publish."""

from __future__ import annotations

from dataclasses import dataclass

from mailer.errors import InputError
from mailer.message.keys import is_domain, is_selector
from mailer.ports import Clock, KeyFiles
from mailer.usecases.show_keys import ShownKey, shown


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A new key. ``settings`` are the lines for ``.env``, once the records are published."""

    domain: str
    selector: str
    file: str
    keys: tuple[ShownKey, ...]
    settings: tuple[str, ...]


def make_key(
    domain: str,
    selector: str | None,
    *,
    ed25519: bool,
    files: KeyFiles,
    clock: Clock,
) -> MadeKey:
    """Writes a new key, readable for its owner alone. Nothing signs with it yet.

    Without a selector it is named by the month, such as ``m202611``, then ``m202611b``.
    Raises InputError when the selector can't be one or has a key already.
    """
    if not domain:
        raise InputError(
            "For which domain is the key?", hint="Say --domain example.org, or set MAILER_FROM."
        )
    if not is_domain(domain):
        raise InputError(f"“{domain}” is not a domain such as example.org; beyond ASCII, as xn--….")
    selector = selector or free_selector(domain, files=files, clock=clock)
    if not is_selector(selector):
        raise InputError(
            f"“{selector}” can't be a selector: letters, digits and hyphens, such as m202611."
        )
    file = files.create(domain, selector, ed25519_too=ed25519)
    return described(domain, selector, file, files)


def described(domain: str, selector: str, file: str, files: KeyFiles) -> MadeKey:
    """What is to be told about a key that was made."""
    keys = tuple(shown(key, domain) for key in files.load(domain, selector))
    settings = (f"MAILER_DKIM_DOMAIN={domain}", f"MAILER_DKIM_SELECTOR={selector}")
    return MadeKey(domain, selector, file, keys, settings)


def free_selector(domain: str, *, files: KeyFiles, clock: Clock) -> str:
    """A selector that has no key yet, named by the month."""
    month = f"{clock.now():m%Y%m}"
    taken = set(files.selectors(domain))
    letters = "bcdefghijklmnopqrstuvwxyz"
    for name in (month, *(month + letter for letter in letters)):
        if name not in taken:
            return name
    raise InputError("There are 26 keys of this month already.", hint="Name the selector yourself.")
