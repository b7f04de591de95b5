"""Changes a list's settings; its slug stays, because mail programs know the list by it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mailer.contacts.headings import language_tag
from mailer.errors import Fault, InputError
from mailer.message.mailbox import HeaderError, parse_mailbox
from mailer.model.words import OptIn
from mailer.store import people
from mailer.store.database import Database
from mailer.usecases.show_lists import ShownList, show_lists

EDITABLE = frozenset(
    {
        *("title", "description", "public", "sender", "reply_to", "layout", "language", "opt_in"),
        *("wording", "welcome"),
    }
)
WORDING_LIMIT = 1_000  # characters
_CLEARABLE = ("sender", "reply_to", "layout", "language")  # empty: no default of the list's own


def edit_list(
    name: str,
    changes: Mapping[str, Any],
    *,
    db: Database,
    layouts: Callable[[str], object] | None = None,
) -> ShownList:
    """Changes what ``changes`` names (see EDITABLE) and returns the list as it is now.

    An empty sender, reply_to, layout or language takes the list's own default away.
    Raises NotFoundError for an unknown list, InputError for what can't be changed.
    """
    checked = check_settings(changes, layouts=layouts)
    with db.write() as connection:
        found = people.find_list(connection, name)
        if checked:
            people.update_list(connection, found.id, checked)
    return show_lists(name, db=db)[0]


def check_settings(
    settings: Mapping[str, Any], *, layouts: Callable[[str], object] | None = None
) -> dict[str, Any]:
    """The settings of a list as they are stored. Raises InputError naming every one that is wrong.

    ``layouts`` finds a layout by name and raises InputError for one that is not there.
    """
    faults = [
        Fault(
            f"“{unknown}” of a list can't be changed.",
            hint=f"These can: {', '.join(sorted(EDITABLE))}.",
        )
        for unknown in sorted(set(settings) - EDITABLE)
    ]
    stored = dict(settings)
    for key in _CLEARABLE:
        if key in stored:
            stored[key] = stored[key] or None
    if "title" in stored and not str(stored["title"]).strip():
        faults.append(Fault("A list needs a title: readers see it."))
    if "wording" in stored:
        stored["wording"] = " ".join(str(stored["wording"]).split())
        if len(stored["wording"]) > WORDING_LIMIT:
            faults.append(Fault(f"A wording has {WORDING_LIMIT:,} characters at most."))
    for option, key in (("--from", "sender"), ("--reply-to", "reply_to")):
        faults += _mailbox_faults(option, stored.get(key))
    if stored.get("language") is not None:
        tag = language_tag(stored["language"])
        if tag is None:
            said = stored["language"]
            faults.append(Fault(f"“{said}” is no language tag such as en, fr or pt-BR."))
        stored["language"] = tag
    if "opt_in" in stored and stored["opt_in"] not in list(OptIn):
        faults.append(Fault(f"“{stored['opt_in']}” is neither single nor double opt-in."))
    if stored.get("layout") is not None and layouts is not None:
        try:
            layouts(stored["layout"])
        except InputError as error:
            faults += error.faults
    if faults:
        raise InputError(faults)
    return stored


def _mailbox_faults(option: str, mailbox: str | None) -> list[Fault]:
    try:
        if mailbox:
            parse_mailbox(mailbox)
    except HeaderError as error:
        return [Fault(f"{option} can't be used: {error}")]
    return []
