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
    """What a check found. ``variants`` are the issue's languages, the default first.

    There is none when the issue can't even be rendered.
    """

    errors: Sequence[Fault]
    warnings: Sequence[Fault]
    variants: Sequence[Composed]

    @property
    def ok(self) -> bool:
        return not self.errors


def check_issue(
    issue: IssueFolder,
    *,
    layouts: Callable[[str], Folder],
    brand: Brand,
    fields: Mapping[str, FieldKind],
    language: str | None = None,
) -> CheckReport:
    """Composes and checks every language; faults are gathered, never raised one by one.

    ``fields`` are the workspace's: a merge expression that reads another name is an error. With
    ``language``, only that one is looked at; NotFoundError when the issue is not written in it.
    """
    try:
        variants = compose_from_folder(issue, layouts=layouts, brand=brand, language=language)
    except InputError as error:
        return CheckReport(error.faults, (), ())
    errors: list[Fault] = []
    warnings: list[Fault] = []
    placed: list[Composed] = []
    for written in variants:
        findings = check(written)
        composed = written.placed()
        placed.append(composed)
        rendition = composed.rendition
        wrong = list(merge.check(rendition.slots, fields, language=rendition.language))
        if not wrong:
            document = rendition.web_html
            wrong = merge.check_web(rendition.slots, document, language=rendition.language)
        place = written.origins.placed
        errors += [*wrong, *map(place, findings.errors)]
        warnings += map(place, (*composed.warnings, *findings.warnings))
    return CheckReport(tuple(errors), tuple(dict.fromkeys(warnings)), placed)
