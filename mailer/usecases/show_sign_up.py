"""Shows the sign-up form of a public list, and seals the moment at which it was shown."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta

from mailer.errors import NotFoundError
from mailer.message.form_seals import Puzzle, make_puzzle, stamp
from mailer.message.seals import Seals
from mailer.model.words import OptIn
from mailer.ports import Clock
from mailer.store import sign_ups
from mailer.store.database import Database

HEAD_START = timedelta(seconds=2)  # of a form that has the address in it already


@dataclass(frozen=True, slots=True)
class SignUpForm:
    """A list as strangers see it. ``wording`` is its own words of consent, or empty."""

    list: str  # the slug
    title: str
    description: str
    language: str  # the list's own, or empty
    opt_in: OptIn
    wording: str


@dataclass(frozen=True, slots=True)
class SealedForm:
    """What a form carries there and back."""

    stamp: str
    puzzle: Puzzle | None


def show_sign_up(slug: str, *, db: Database) -> SignUpForm:
    """Reads the form of a list. Raises NotFoundError for a list that is private or archived."""
    with db.read() as connection:
        found = sign_ups.open_list(connection, slug)
    if found is None:
        raise NotFoundError("There is no such page.")
    return SignUpForm(
        found.slug,
        found.title,
        found.description,
        found.language or "",
        OptIn(found.opt_in),
        found.wording,
    )


def seal_form(
    slug: str,
    wording: str,
    *,
    seals: Seals,
    clock: Clock,
    puzzle: int = 0,
    filled_in: bool = False,
) -> SealedForm:
    """Seals the moment, the list and the words for one showing of its form.

    ``puzzle`` is how many hashes a visitor's program has to try at most; 0: there is none.
    """
    now = clock.now()
    made = None
    if puzzle:
        number = secrets.randbelow(puzzle + 1)
        made = make_puzzle(
            slug, puzzle, number=number, nonce=secrets.token_hex(12), now=now, seals=seals
        )
    shown = now - HEAD_START if filled_in else now
    return SealedForm(stamp(slug, wording, now=shown, seals=seals), made)
