"""How a page names the others: on the site that is served, and in one that is written as files."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

# Names of the archive's own below a list.
_RESERVED = re.compile(r"months|feed(?:\.[^.]*)?\.(?:xml|json)").fullmatch


class Places(Protocol):
    """Makes addresses of paths such as ``archive/harbour``, which are not escaped."""

    @property
    def asked(self) -> str:
        """The end of a link that keeps the language which was asked for."""
        ...

    def page(self, path: str) -> str: ...

    def issue(self, path: str) -> str:
        """Of a page that has its own language, whatever the others are shown in."""
        ...

    def file(self, path: str) -> str: ...

    def public(self, path: str) -> str:
        """The absolute address of a page, the same from everywhere."""
        ...

    def public_file(self, path: str) -> str: ...

    def as_sent(self, path: str) -> str:
        """Of an issue that was corrected: the page with what was sent."""
        ...


@dataclass(frozen=True, slots=True)
class Served:
    """The site as it is served: addresses begin at its root. ``base`` is its public address."""

    base: str
    prefix: str  # the path of the public address, if it has one
    asked: str = ""

    def page(self, path: str) -> str:
        return self.file(path) + self.asked

    def file(self, path: str) -> str:
        return f"{self.prefix}/{quote(path)}"

    issue = file

    def public(self, path: str) -> str:
        return f"{self.base}/{quote(path)}"

    public_file = public

    def as_sent(self, path: str) -> str:
        return f"{self.issue(path)}?as=sent"


@dataclass(frozen=True, slots=True)
class Written:
    """The site as files: a page is a folder, and addresses are relative to the page's own.

    So it works below any path of any host. ``here`` is the folder of the page that names them.
    """

    base: str
    here: str

    @property
    def asked(self) -> str:
        return ""

    def page(self, path: str) -> str:
        return self.file(path) + "/"

    issue = page

    def file(self, path: str) -> str:
        return quote(posixpath.relpath(path, self.here or "."))

    def public(self, path: str) -> str:
        return f"{self.base}/{quote(path)}/" if path else f"{self.base}/"

    def public_file(self, path: str) -> str:
        return f"{self.base}/{quote(path)}"

    def as_sent(self, path: str) -> str:
        return self.page(f"{path}/as-sent")


def list_path(slug: str) -> str:
    return f"archive/{slug}"


def month_path(slug: str, month: str) -> str:
    return f"archive/{slug}/months/{month}"


def feed_path(home: str, form: str, language: str = "") -> str:
    """Where a feed of a list, or of all, lies; ``form`` is xml or json."""
    return f"{home}/feed.{language}.{form}" if language else f"{home}/feed.{form}"


def issue_path(shelf: str, slug: str, language: str, languages: tuple[str, ...]) -> str:
    """Where the archive shows an issue; the default language has the short address.

    One whose name is a word of the archive's own always tells its language.
    """
    home = f"archive/{shelf}/{slug}"
    if language.lower() == languages[0].lower() and not _RESERVED(slug):
        return home
    return f"{home}/{language}"


def web_path(key: str, language: str, languages: tuple[str, ...]) -> str:
    """Where the web version lies; the default language has the short address."""
    home = f"w/{key}"
    return home if language.lower() == languages[0].lower() else f"{home}/{language}"
