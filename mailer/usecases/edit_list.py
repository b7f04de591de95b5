"""Changes a list's settings; its slug stays, because mail programs know the list by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailer.errors import InputError
from mailer.message.mailbox import HeaderError, parse_mailbox
from mailer.store import people
from mailer.store.database import Database
from mailer.usecases.show_lists import ShownList, show_lists

EDITABLE = frozenset({"title", "description", "public", "sender", "reply_to", "layout", "language"})


def edit_list(name: str, changes: Mapping[str, Any], *, db: Database) -> ShownList:
    """Changes what ``changes`` names (see EDITABLE) and returns the list as it is now.

    Raises NotFoundError for an unknown list, InputError for what can't be changed.
    """
    for unknown in sorted(set(changes) - EDITABLE):
        raise InputError(
            f"“{unknown}” of a list can't be changed.",
            hint=f"These can: {', '.join(sorted(EDITABLE))}.",
        )
    if "title" in changes and not str(changes["title"]).strip():
        raise InputError("A list needs a title: readers see it.")
    for option, key in (("--from", "sender"), ("--reply-to", "reply_to")):
        _refuse_unfit(option, str(changes.get(key) or ""))
    with db.write() as connection:
        found = people.find_list(connection, name)
        if changes:
            people.update_list(connection, found.id, changes)
    return show_lists(name, db=db)[0]


def _refuse_unfit(option: str, mailbox: str) -> None:
    try:
        if mailbox:
            parse_mailbox(mailbox)
    except HeaderError as error:
        raise InputError(f"{option} can't be used: {error}") from None
