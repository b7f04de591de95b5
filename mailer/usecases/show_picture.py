"""Shows a picture that a campaign uses, by its content-addressed name."""

from __future__ import annotations

from mailer.errors import NotFoundError
from mailer.store import site
from mailer.store.database import Database


def show_picture(name: str, *, db: Database) -> bytes:
    """Raises NotFoundError when no campaign ever used it."""
    with db.read() as connection:
        data = site.picture(connection, name)
    if data is None:
        raise NotFoundError("There is no such picture.")
    return data
