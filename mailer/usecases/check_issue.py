"""Checks an issue as it would be sent, and says what is wrong with it and where."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mailer.compose.check import check
from mailer.compose.compose import Composed
from mailer.compose.reading import Brand
from mailer.errors import Fault, InputError
from mailer.message import merge
from mailer.model.words import FieldKind
from mailer.ports import Folder
from mailer.usecases.compose_issue import IssueFolder, compose_from_folder


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check found. ``composed`` is None when the issue can't even be rendered."""

    errors: Sequence[Fault]
    warnings: Sequence[Fault]
    composed: Composed | None

    @property
    def ok(self) -> bool:
        return not self.errors


def check_issue(
    issue: IssueFolder,
    *,
    layouts: Callable[[str], Folder],
    brand: Brand,
    fields: Mapping[str, FieldKind],
) -> CheckReport:
    """Composes and checks; faults are gathered, never raised one by one.

    ``fields`` are the workspace's: a merge expression that reads another name is an error.
    """
    try:
        composed = compose_from_folder(issue, layouts=layouts, brand=brand)
    except InputError as error:
        return CheckReport(error.faults, (), None)
    rendition = composed.rendition
    errors = list(merge.check(rendition.slots, fields, language=rendition.language))
    if not errors:
        errors += merge.check_web(rendition.slots, rendition.web_html, language=rendition.language)
    findings = check(composed)
    return CheckReport(
        (*errors, *findings.errors), (*composed.warnings, *findings.warnings), composed
    )
