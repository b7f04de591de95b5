"""Checks an issue as it would be sent, and says what is wrong with it and where."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from mailer.compose.check import Finding, Findings, Letter, Support, check, link_targets
from mailer.compose.compose import Composed
from mailer.compose.reading import Brand
from mailer.compose.rules.audiences import DATED, EVERYONE, Audience, read_audience
from mailer.compose.rules.registry import as_finding
from mailer.errors import Fault, InputError
from mailer.message import merge
from mailer.message.compiled import Letterhead, compile_message
from mailer.message.longest import longest_reader, longest_values, widths
from mailer.message.mailbox import HeaderError, Mailbox, parse_mailbox
from mailer.model.words import FieldKind, Trail
from mailer.ports import Folder, LinkFollower
from mailer.usecases.compose_issue import IssueFolder, compose_from_folder

MOST_LINKS = 300  # that are followed; an issue with more is a sitemap


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check found. ``variants`` are the issue's languages, the default first.

    There is none when the issue can't even be rendered.

    ``findings`` holds all of them, each with rule, severity, message, file, line, why and hint;
    those that the author silenced carry the reason, and are neither errors nor warnings.
    """

    findings: Sequence[Finding]
    variants: Sequence[Composed]
    support: Sequence[Support] = ()  # what a part of the audience's mail programs lack
    audience: str = EVERYONE.name
    support_dated: str = DATED
    html_bytes: int = 0  # for the reader with the longest values
    followed: int = 0  # links
    seconds: Sequence[Composed] = ()  # the languages that have a second subject, under it

    @property
    def errors(self) -> Sequence[Finding]:
        return Findings(tuple(self.findings)).errors

    @property
    def warnings(self) -> Sequence[Finding]:
        return Findings(tuple(self.findings)).warnings

    @property
    def silenced(self) -> Sequence[Finding]:
        return Findings(tuple(self.findings)).silenced

    @property
    def ok(self) -> bool:
        return not self.errors


def check_issue(
    issue: IssueFolder,
    *,
    layouts: Callable[[str], Folder],
    brand: Brand,
    fields: Mapping[str, FieldKind],
    audience: str | None = None,
    follower: LinkFollower | None = None,
    language: str | None = None,
) -> CheckReport:
    """Composes and checks every language; faults are gathered, never raised one by one.

    ``fields`` are the workspace's: a merge expression that reads another name is an error.
    ``audience`` names whose mail programs count, or gives their shares; None is everyone.
    ``follower`` is given when links are to be followed over the network.

    With ``language``, only that one is looked at; NotFoundError when the issue is not written in
    it. Raises InputError for an audience that can't be read.
    """
    programs = read_audience(audience) if audience else EVERYONE
    try:
        variants = compose_from_folder(issue, layouts=layouts, brand=brand, language=language)
    except InputError as error:
        return CheckReport(tuple(map(as_finding, error.faults)), (), audience=programs.name)
    trails: Mapping[str, Trail] | None = None
    if follower is not None:
        urls = dict.fromkeys(url for each in variants for url in link_targets(each))
        trails = follower.follow(list(urls)[:MOST_LINKS])
    checked = [
        check_composed(each, fields=fields, brand=brand, audience=programs, trails=trails)
        for each in variants
    ]
    found = [finding for each in checked for finding in each.findings]
    seconds: Sequence[Composed] = ()
    if any(each.front.subject_b for each in variants):
        seconds = compose_from_folder(
            issue, layouts=layouts, brand=brand, language=language, second=True
        )
        for each in seconds:  # all but the subject was looked at above
            other = check_composed(each, fields=fields, brand=brand, audience=programs)
            line = each.front.line("subject_b")
            found += [one for one in other.findings if one.line == line]
    return CheckReport(
        tuple(dict.fromkeys(found)),
        tuple(each.placed() for each in variants),
        checked[0].support,
        programs.name,
        html_bytes=max(each.html_bytes for each in checked),
        followed=len(trails or ()),
        seconds=tuple(each.placed() for each in seconds),
    )


def check_composed(
    composed: Composed,
    *,
    fields: Mapping[str, FieldKind],
    brand: Brand,
    audience: Audience = EVERYONE,
    trails: Mapping[str, Trail] | None = None,
) -> Findings:
    """Checks what was composed already, before its slots are ``placed``; nothing is read here."""
    rendition = composed.rendition
    faults: list[Fault] = list(merge.check(rendition.slots, fields, language=rendition.language))
    if not faults:
        faults += merge.check_web(rendition.slots, rendition.web_html, language=rendition.language)
    letter = None
    if not faults:
        try:
            letter = _letter(composed, fields, brand)
        except InputError as error:
            faults += error.faults
    found = check(composed, letter=letter, audience=audience, trails=trails, faults=faults)
    placed = tuple(_placed(each, composed) for each in found.findings)
    return replace(found, findings=placed)


def _placed(finding: Finding, composed: Composed) -> Finding:
    """The finding with the author's file and line, where a snippet was put into the issue."""
    return as_finding(composed.origins.placed(finding))


def _letter(composed: Composed, fields: Mapping[str, FieldKind], brand: Brand) -> Letter:
    """The mail of the reader with the longest values, as the campaign would make it.

    Raises InputError when the message can't be compiled.
    """
    try:
        sender = parse_mailbox(composed.front.sender or "sender@example.org")
    except HeaderError:
        sender = Mailbox("", "sender@example.org")  # a plan tells it, with the setting's name
    compiled = compile_message(
        composed.rendition,
        Letterhead(
            sender=sender,
            seed=composed.rendition.language,
            list_name=brand.organisation,
            list_id="list.example.org",
            campaign="campaign",
            web_url=f"{brand.site_url}/w/{'A' * 22}",
        ),
        fields=fields,
        blank_ok=True,
    )
    values = longest_values(compiled.kinds)
    person = longest_reader(brand.site_url or "https://example.org")
    if compiled.errors(values):
        values = {}  # a long text is no address, for one; then every default applies
    parts = compiled.parts(values, person)
    return Letter(
        parts.subject,
        parts.preheader,
        parts.html,
        parts.text,
        compiled.merge(values, person),
        widths(compiled, values, person),
    )
