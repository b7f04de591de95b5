"""Compiles the letters of a measured campaign once more: measured links, counted picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mailer.compose.compose import Composed
from mailer.message.compiled import CompiledMessage
from mailer.model.words import FieldKind
from mailer.store import clicks
from mailer.store.database import Database
from mailer.usecases.compile_letter import Addressed, Measuring, SendingPolicy, compile_letter
from mailer.usecases.compose_issue import IssueFolder


def measure_letters(
    variants: Sequence[int],
    composed: Sequence[Composed],
    measuring: Measuring,
    *,
    issue: IssueFolder,
    mailing_list: Addressed,
    web_home: str,
    fields: Mapping[str, FieldKind],
    blank_ok: bool,
    sending: SendingPolicy,
    db: Database,
) -> Sequence[CompiledMessage]:
    """Makes the measured letter of each variant, and keeps it with the list of its links.

    The campaign's number stands in the links, so its row must be there. Without measuring there
    are none, and nothing is kept.
    """
    if not measuring.anything:
        return ()
    letters = [
        compile_letter(
            each,
            issue=issue,
            mailing_list=mailing_list,
            web_home=web_home,
            fields=fields,
            blank_ok=blank_ok,
            sending=sending,
            measuring=measuring,
        ).compiled
        for each in composed
    ]
    dumped = {variant: each.dump() for variant, each in zip(variants, letters, strict=True)}
    clicks.keep(db, measuring.campaign, dumped, measuring.numbers)
    return letters
