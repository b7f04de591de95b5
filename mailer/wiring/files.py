"""Files for people: what a command reads, and what it writes."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from mailer.adapters import people_files, site_folder
from mailer.adapters.browser import browser
from mailer.adapters.contact_files import open_contacts
from mailer.adapters.outgoing_files import whole_file, write_csv
from mailer.adapters.shipped import shipped
from mailer.adapters.site_folder import WrittenSite
from mailer.adapters.workspace import known_layouts, write_files
from mailer.contacts.table import Table
from mailer.model.words import Picture
from mailer.usecases.picture_issue import PICTURES, picture_issue
from mailer.usecases.render_issue import Rendered


def shipped_examples() -> Path:
    """Where the sample contacts and the sample edition lie."""
    return shipped("examples")


def layout_names(workspace: Path) -> list[tuple[str, bool]]:
    """Every layout that can be used; of each, whether it is the workspace's own."""
    return known_layouts(workspace)


def write_rendered(folder: Path, rendered: Sequence[Rendered]) -> list[str]:
    """Writes what readers would get, the first language under the plain names.

    Under a second subject only the message is written: its parts are the first one's.

    The pages show the pictures that lie beside them.
    """
    contents: dict[str, bytes] = {}
    served: dict[str, bytes] = {}
    for number, one in enumerate(rendered):
        mark = f".{one.language}" if number else ""
        pages = {
            f"email{mark}.html": one.html,
            f"email{mark}.txt": one.text,
            f"web{mark}.html": one.web_page,
        }
        for name, text in pages.items():
            for file in one.served:
                shown = f"pictures/{file.name}"
                text = text.replace(f"{one.site_url}/i/{file.name}", shown)
                if isinstance(file, Picture):
                    text = text.replace(f"cid:{file.content_id}", shown)
            contents[name] = text.encode("utf-8")
        contents[f"message{mark}.eml"] = one.message
        if one.second is not None:
            contents[f"message{mark}.b.eml"] = one.second.message
        served |= {f"pictures/{file.name}": file.data for file in one.served}
    return write_files(folder, {**contents, **served})


def write_site(folder: Path, files: Iterable[tuple[str, bytes]], *, workspace: Path) -> WrittenSite:
    """Writes a site into a folder that is put in its place as a whole.

    Raises InputError or StoppedError when that can't be.
    """
    return site_folder.write_site(folder, files, spare=workspace)


def site_before(folder: Path) -> frozenset[str]:
    """What an earlier call of ``write_site`` wrote there. Raises InputError."""
    return site_folder.written_before(folder)


def write_pictures(folder: Path, rendered: Sequence[Rendered]) -> list[str]:
    """Takes pictures of every view with this machine's Chromium; returns their paths.

    Raises InputError when there is none, StoppedError when it fails.
    """
    written: list[str] = []
    with tempfile.TemporaryDirectory(prefix="mailer-pages-") as place, browser() as opened:
        served = {f"{PICTURES}{file.name}": file.data for one in rendered for file in one.served}
        write_files(Path(place), served)
        for page in picture_issue(rendered):
            write_files(Path(place), {"page.html": page.html.encode("utf-8")})
            shot = opened.picture(Path(place) / "page.html", width=page.width)
            written += write_files(folder, {f"{page.name}.png": shot})
    return written


def contact_file(
    path: str,
    *,
    encoding: str | None,
    delimiter: str | None,
    sheet: str | None,
    header_row: int,
    form: str | None = None,
) -> AbstractContextManager[Table]:
    """A contact file as a table, or ``-`` for standard input. Raises InputError."""
    return open_contacts(
        path,
        encoding=encoding,
        delimiter=delimiter,
        sheet=sheet,
        header_row=header_row,
        form=form,
        stdin=sys.stdin.buffer,
    )


def write_rows(path: Path | None, rows: Iterable[Sequence[str]]) -> int:
    """Writes rows as CSV into a file, or to standard output; returns how many, less the headings.

    Raises InputError or StoppedError when the file can't be written.
    """
    if path is None:
        return write_csv(sys.stdout, rows)
    with whole_file(path, encoding="utf-8-sig") as file:  # without a mark, Excel reads it wrongly
        return write_csv(file, rows)


def write_text(path: Path, text: str) -> None:
    """Writes a text that only its owner may read. Raises InputError or StoppedError."""
    with whole_file(path) as file:
        file.write(text)


def write_people(
    path: Path | None, format: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> int:
    """Writes people into a file, or to standard output; returns how many.

    Raises InputError or StoppedError when the file can't be written.
    """
    return people_files.write_people(path, format, columns, rows, stdout=sys.stdout)
