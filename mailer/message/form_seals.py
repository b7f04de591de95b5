"""The seals of a sign-up form: when it was shown with which words, and a puzzle to be solved.

Both travel to a stranger and back, so that the site need not remember who looks at a page.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from mailer.message.seals import Seals, fingerprint

FASTEST = timedelta(seconds=2)  # that a person needs to type an address and to press a button
SLOWEST = timedelta(hours=24)  # a page may lie open over night
SOLVED_WITHIN = timedelta(hours=1)
_FORM = "sign-up form"
_PUZZLE = "sign-up puzzle"


@dataclass(frozen=True, slots=True)
class Puzzle:
    """Work for the visitor's program: find the number that, behind the salt, has this SHA-256.

    The fields are those of ALTCHA's protocol, version 1; the script that solves it is ours.
    """

    algorithm: str
    challenge: str
    maxnumber: int
    salt: str
    signature: str


def stamp(slug: str, wording: str, *, now: datetime, seals: Seals) -> str:
    """Says when a form was shown, of which list, with which words."""
    said = f"{int(now.timestamp())}.{fingerprint(wording)}"
    return f"{said}.{seals.seal(_FORM, f'{slug} {said}')}"


def is_timely(given: str, slug: str, wording: str, *, now: datetime, seals: Seals) -> bool:
    """Whether a stamp is ours, of this list and these words, and neither too fresh nor too old."""
    said, _, tag = given.rpartition(".")
    moment, _, words = said.partition(".")
    if not _is_number(moment, 12) or words != fingerprint(wording):
        return False
    if not seals.genuine(_FORM, f"{slug} {said}", tag):
        return False
    return FASTEST <= now - datetime.fromtimestamp(int(moment), UTC) <= SLOWEST


def make_puzzle(
    slug: str, most: int, *, number: int, nonce: str, now: datetime, seals: Seals
) -> Puzzle:
    """Makes the puzzle whose answer is ``number``, of 0 to ``most``; it ends in an hour."""
    ends = int((now + SOLVED_WITHIN).timestamp())
    salt = f"{nonce}?expires={ends}&list={slug}&"
    challenge = sha256(f"{salt}{number}".encode()).hexdigest()
    return Puzzle("SHA-256", challenge, most, salt, seals.seal(_PUZZLE, f"{challenge} {salt}"))


def is_solved(
    challenge: str,
    salt: str,
    signature: str,
    number: str,
    slug: str,
    *,
    now: datetime,
    seals: Seals,
) -> bool:
    """Whether this answers a puzzle of ours for this list whose time is not over."""
    if not _is_number(number, 9) or not seals.genuine(_PUZZLE, f"{challenge} {salt}", signature):
        return False
    said = dict(part.partition("=")[::2] for part in salt.partition("?")[2].split("&"))
    if said["list"] != slug or now.timestamp() > int(said["expires"]):
        return False
    return sha256(f"{salt}{number}".encode()).hexdigest() == challenge


def _is_number(text: str, most: int) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= most
