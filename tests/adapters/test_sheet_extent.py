"""A sheet that reaches too far is refused with its far cell's name, before room is made for it."""

from __future__ import annotations

import io
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.adapters import sheet_extent
from mailer.adapters.contact_files import open_contacts
from mailer.adapters.sheet_extent import letters, measure, number
from mailer.errors import InputError
from tests.adapters.workbook_maker import ods, xlsx


def changed(path: Path, content: bytes, member: str, old: str, new: str) -> Path:
    """Writes a workbook in one of whose parts a text is another."""
    with (
        zipfile.ZipFile(io.BytesIO(content)) as source,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for entry in source.namelist():
            text = source.read(entry).decode()
            assert entry != member or old in text
            target.writestr(entry, text.replace(old, new) if entry == member else text)
    return path


def book(path: Path, cells: str, sheet: int = 1) -> Path:
    content = xlsx({"People": [["email"], ["a@x.org"]], "Other": [["email"], ["b@x.org"]]})
    member = f"xl/worksheets/sheet{sheet}.xml"
    return changed(path, content, member, "</sheetData>", f"{cells}</sheetData>")


def read(path: Path, sheet: str | None = None) -> list[list[str]]:
    with open_contacts(path, sheet=sheet) as table:
        return [row.cells for row in table.rows]


@pytest.mark.parametrize(
    ("cells", "far"),
    [
        ('<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>', "cell XFD1048576: 16,384 col"),
        ("<row r='1048576'><c s='1' r='XFD1048576'><v>1</v></c></row>", "cell XFD1048576"),
        ('<row r="3"><c r="ALM3"><v>1</v></c></row>', "cell ALM3: 1,001 columns"),
        (
            '<row r="3"><c r="Z3"><v>1</v></c></row><row r="1048576"><c><v>1</v></c></row>',
            "cell A1048576: 1,048,576 rows of 26 columns",
        ),
        (f'<row r="3">{"<c><v>1</v></c>" * 1001}</row>', "cell ALM3"),
    ],
    ids=["corner", "other quotes", "right", "bottom", "no references"],
)
def test_a_far_cell_is_named(tmp_path: Path, cells: str, far: str) -> None:
    with pytest.raises(InputError, match=far):
        read(book(tmp_path / "people.xlsx", cells))


def test_only_the_sheet_that_is_read_counts(tmp_path: Path) -> None:
    path = book(tmp_path / "p.xlsx", '<row r="3"><c r="XFD1048576"><v>1</v></c></row>', sheet=2)

    assert read(path) == [["a@x.org"]]
    with pytest.raises(InputError, match="XFD1048576"):
        read(path, sheet="Other")


def test_a_far_cell_with_only_a_style_does_no_harm(tmp_path: Path) -> None:
    path = book(tmp_path / "p.xlsx", '<row r="1048576"><c r="XFD1048576" s="1"/></row>')

    assert read(path)[0][0] == "a@x.org"


def test_an_open_document_may_not_reach_too_far_either(tmp_path: Path) -> None:
    old = '<table:table-cell office:value-type="string"><text:p>a@x.org'
    new = old.replace("office:", 'table:number-columns-repeated="16384" office:')
    content = ods("People", [["email"], ["a@x.org"]])

    with pytest.raises(InputError, match="cell XFD2"):
        read(changed(tmp_path / "p.ods", content, "content.xml", old, new))


def test_repeated_rows_count(tmp_path: Path) -> None:
    content = ods("People", [["email"] * 26])
    new = '<table:table-row table:number-rows-repeated="1048576">'
    path = changed(tmp_path / "p.ods", content, "content.xml", "<table:table-row>", new)

    with pytest.raises(InputError, match="1,048,576 rows of 26 columns"):
        read(path)


@given(st.integers(1, 1 << 20))
def test_columns_have_names(column: int) -> None:
    assert number(letters(column).encode()) == column


@given(st.lists(st.tuples(st.integers(1, 99), st.integers(1, 99)), min_size=1), st.integers(1, 60))
def test_no_cell_is_lost_between_two_pieces(cells: list[tuple[int, int]], piece: int) -> None:
    xml = "".join(f'<c s="1" r="{letters(x)}{y}"><v>{x}</v></c>' for x, y in cells).encode()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sheet_extent, "_PIECE", piece)
        extent = measure(io.BytesIO(xml))

    assert extent.columns == max(x for x, _ in cells)
    assert extent.rows == max(y for _, y in cells)


@pytest.mark.parametrize("part", [b"<c ", b'<c "', b"<c '\"", b"<row", b'<c r="A1" ', b"<row a='"])
def test_monstrous_xml_is_measured_in_bounded_time(part: bytes) -> None:
    started = time.monotonic()

    assert measure(io.BytesIO(part * (3_000_000 // len(part)))).rows == 0
    assert time.monotonic() - started < 10  # each takes a fraction of a second
