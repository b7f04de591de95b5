"""Composes the issue that lies in a folder, in each of its languages, with the layout it names."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache, cached_property, partial
from typing import TypeVar

from mailer import __version__
from mailer.compose.compose import Composed, Front, Variants, compose_issue
from mailer.compose.languages import Offered, choose, lookups
from mailer.compose.layout import Layout, LayoutFiles, load_layout, stack
from mailer.compose.reading import Brand, read_heading
from mailer.errors import Fault, InputError, NotFoundError
from mailer.ports import Folder

ISSUE_FILE = "issue.md"
T = TypeVar("T")
SNIPPETS = "workspace/snippets/"  # before the names of borrowed files, among a plan's files
# Any name that looks like a language of the issue, so that a wrong tag is told and not left out.
VARIANT_FILE = re.compile(r"issue\.([^./]+)\.md\Z")


@dataclass(frozen=True, slots=True)
class IssueFolder:
    """An issue: its name and its files."""

    name: str
    files: Folder
    path: str
    snippets: Folder | None = None  # the workspace's


@dataclass(frozen=True, slots=True)
class Sheet:
    """One language of an issue, as far as its front matter tells."""

    file: str
    text: str
    where: str
    front: Front
    variants: Variants

    @property
    def offered(self) -> Offered:
        return Offered(self.front.lang, self.front.also_for)


def compose_from_folder(
    issue: IssueFolder,
    *,
    layouts: Callable[[str], Folder],
    brand: Brand,
    language: str | None = None,
    second: bool = False,
) -> tuple[Composed, ...]:
    """Renders every language of the issue once, for everybody; that of ``issue.md`` comes first.

    With ``language``, only that one; with ``second``, those that have a second subject, under it.
    Raises InputError with every fault that was found, each with
    file and line, and NotFoundError when the issue is not written in ``language``.
    """

    @cache
    def loaded(name: str) -> Layout:
        return load_layout(stack(name, layouts), name=name, whole=False)

    faults: list[Fault] = []
    sheets = read_sheets(issue, brand, faults)
    composed = []
    if second:
        sheets = [
            replace(each, variants=replace(each.variants, second=True))
            for each in sheets
            if each.front.subject_b
        ]
    for sheet in sheets if language is None else [_in(language, sheets)]:
        compose = partial(_compose_sheet, sheet, issue, loaded, brand)
        try:
            composed.append(steered(compose, sheet.front.layout, layouts))
        except InputError as error:
            faults += error.faults
    if faults:
        raise InputError(dict.fromkeys(faults))
    return tuple(composed)


def _compose_sheet(
    sheet: Sheet, issue: IssueFolder, layout: Callable[[str], Layout], brand: Brand
) -> Composed:
    shelf = _Shelf(issue, sheet.front.lang)
    done = compose_issue(
        sheet.text,
        where=sheet.where,
        read_picture=shelf.picture,
        layout=layout,
        picture_url=lambda name: f"{brand.site_url}/i/{name}",
        brand=brand,
        variants=sheet.variants,
        read_snippet=shelf.snippet,
    )
    return replace(done, borrowed=frozenset(shelf.borrowed))


def steered(compose: Callable[[], T], layout: str, layouts: Callable[[str], Folder]) -> T:
    """Composes within the bounds of the layout's folder: a template may loop for ever."""
    try:
        folders = stack(layout, layouts).folders
    except InputError:
        return compose()  # which tells it, with the issue's line
    for folder in folders:  # what it extends may be foreign, too
        compose = partial(folder.steer, compose)
    return compose()


class _Shelf:
    """Finds what an issue names: in its own folder, else among the workspace's snippets."""

    def __init__(self, issue: IssueFolder, language: str) -> None:
        self._own = issue.files
        self._snippets = issue.snippets
        self._language = language
        self.borrowed: set[str] = set()  # names in the workspace's snippets

    def picture(self, name: str) -> bytes:
        """Raises InputError."""
        if name not in self._own_names and name in self._snippet_names and self._snippets:
            self.borrowed.add(name)
            return self._snippets.data(name)
        return self._own.data(name)

    def snippet(self, name: str) -> tuple[str, str]:
        """The snippet in the issue's language if there is one; its suffix may be left out.

        Raises InputError when there is none. A name that climbs is that of no file here.
        """
        stem, dot, suffix = name.rpartition(".")
        if not dot or "/" in suffix:
            stem, suffix = name, "md"
        tags = [self._language, *lookups(self._language)]
        for wanted in (*(f"{stem}.{tag}.{suffix}" for tag in tags), f"{stem}.{suffix}"):
            if wanted in self._own_names:
                return self._own.text(wanted), self._own.where(wanted)
            if self._snippets is not None and wanted in self._snippet_names:
                self.borrowed.add(wanted)
                return self._snippets.text(wanted), self._snippets.where(wanted)
        known = {each for each in self._own_names | self._snippet_names if each.endswith(".md")}
        near = get_close_matches(f"{stem}.{suffix}"[:200], sorted(known - {ISSUE_FILE}), n=1)
        hint = (
            f"Did you mean `{near[0]}`?"
            if near
            else ("A snippet lies in the issue's folder, or in `snippets` of the workspace.")
        )
        raise InputError(f"There is no snippet `{name[:200]}`.", hint=hint)

    @cached_property
    def _own_names(self) -> frozenset[str]:
        return frozenset(self._own.names())

    @cached_property
    def _snippet_names(self) -> frozenset[str]:
        return frozenset(self._snippets.names() if self._snippets is not None else ())


def read_sheets(issue: IssueFolder, brand: Brand, faults: list[Fault]) -> Sequence[Sheet]:
    """The languages of an issue, ``issue.md`` first; two files in one language are a fault."""
    found: list[Sheet] = []
    shared: Mapping[str, str] = {}
    for file, tag in _files(issue.files):
        text, where = issue.files.text(file), issue.files.where(file)
        variants = Variants(tag, shared)
        front = read_heading(text, where=where, brand=brand, variants=variants)
        shared = shared or front.shared
        twin = next((one for one in found if one.front.lang.lower() == front.lang.lower()), None)
        if twin is None:
            found.append(Sheet(file, text, where, front, variants))
        else:
            message = f"{twin.file} is in the language `{front.lang}` already."
            hint = "Give each file its own `lang`."
            faults.append(Fault(message, where, front.line("lang"), hint, rule="languages"))
    return [
        Sheet(
            one.file,
            one.text,
            one.where,
            one.front,
            Variants(
                one.variants.language,
                one.variants.shared,
                tuple(each.offered for each in found if each is not one),
            ),
        )
        for one in found
    ]


def _files(files: Folder) -> Iterator[tuple[str, str | None]]:
    yield ISSUE_FILE, None
    for name in files.names():
        if found := VARIANT_FILE.match(name):
            yield name, found[1]


def _in(language: str, sheets: Sequence[Sheet]) -> Sheet:
    for sheet in sheets:
        if sheet.front.lang.lower() == language.lower():
            return sheet
    known = ", ".join(sheet.front.lang for sheet in sheets)
    raise NotFoundError(
        f"The issue is not written in `{language[:40]}`.", hint=f"It is in {known}."
    )


def variant_for(language: str | None, composed: Sequence[Composed]) -> int:
    """The number of the variant that a reader of a language gets."""
    return choose(language, [one.offered for one in composed])


def web_address(home: str, composed: Composed) -> str:
    """The web version's address: with its language when the issue has several."""
    return f"{home}/{composed.front.lang}" if composed.others else home


def sources(issue: IssueFolder) -> dict[str, str]:
    """The text of the issue in each of its languages, by the file's name."""
    return {file: issue.files.text(file) for file, _ in _files(issue.files)}


def file_hashes(
    issue: IssueFolder,
    *,
    layouts: Callable[[str], Folder],
    default_layout: str = "",
    borrowed: Iterable[str] = (),
) -> dict[str, str]:
    """A hash of each file that goes into the mail: the issue's own, and its layouts'.

    ``borrowed`` are the files that it takes from the workspace's snippets; one that is gone has
    no hash.
    """
    brand = Brand(layout=default_layout)
    names = {sheet.front.layout for sheet in read_sheets(issue, brand, [])}
    folders: dict[str, LayoutFiles] = {"": issue.files}
    for name in sorted(names):
        own, *extended = stack(name, layouts).folders
        folders[f"layouts/{name}/"] = own
        for number, each in enumerate(extended, start=1):
            folders[f"layouts/{name}/extended-{number}/"] = each
    files = [
        (prefix, folder, name) for prefix, folder in folders.items() for name in folder.names()
    ]
    if issue.snippets is not None:
        there = set(issue.snippets.names())
        files += [(SNIPPETS, issue.snippets, name) for name in sorted(there.intersection(borrowed))]
    return {
        prefix + name: hashlib.sha256(folder.data(name)).hexdigest()[:32]
        for prefix, folder, name in files
    }


def content_hash(files: Mapping[str, str]) -> str:
    """One hash of all of them, and of the program's version."""
    parts = [__version__, *(f"{name}\0{files[name]}" for name in sorted(files))]
    return hashlib.sha256("\0\0".join(parts).encode()).hexdigest()
