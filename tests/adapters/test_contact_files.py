"""Contact files open in whatever encoding and format they come, or are refused with what to do."""

from __future__ import annotations

import io
import os
import threading
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.adapters.contact_files import open_contacts
from mailer.adapters.text_survey import survey
from mailer.adapters.workbooks import cell_text
from mailer.contacts.table import Row
from mailer.errors import InputError, StoppedError
from tests.adapters.workbook_maker import DATE, ods, xlsx

WORKBOOKS = Path(__file__).parents[1] / "samples" / "workbooks"

CONTENT = "email,Ville\na@x.org,Genève\nb@x.org,Zoë\n"


def cells(path: Path | str, **options: object) -> list[list[str]]:
    with open_contacts(path, **options) as table:  # type: ignore[arg-type]  # as typed
        return [list(table.columns), *(row.cells for row in table.rows)]


def written(folder: Path, data: bytes, name: str = "people.csv") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


EXPECTED = [["email", "Ville"], ["a@x.org", "Genève"], ["b@x.org", "Zoë"]]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
def test_tells_the_encoding(tmp_path: Path, encoding: str) -> None:
    assert cells(written(tmp_path, CONTENT.encode(encoding))) == EXPECTED


@pytest.mark.parametrize("encoding", ["cp850", "iso-8859-15", "utf-16-le", "mac_roman"])
def test_reads_the_encoding_that_is_asked_for(tmp_path: Path, encoding: str) -> None:
    path = written(tmp_path, CONTENT.encode(encoding))

    assert cells(path, encoding=encoding) == EXPECTED


def test_shows_a_sample_of_what_it_took_for_cp1252(tmp_path: Path) -> None:
    with open_contacts(written(tmp_path, CONTENT.encode("cp1252"))) as table:
        assert table.encoding == "cp1252"
        [warning] = table.warnings

    assert "“Genève”, “Zoë”" in warning
    assert "--encoding" in warning


def test_valid_utf8_wins_over_what_was_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, CONTENT.encode())

    assert cells(path, encoding="cp1252") == EXPECTED
    with open_contacts(path, encoding="cp1252") as table:
        assert "--encoding cp1252 was not used" in table.warnings[0]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (CONTENT.encode() + "c@x.org,Zoë\n".encode("cp1252"), ":4: This line is not UTF-8, though"),
        ((CONTENT + "c@x.org,é").encode()[:-1], ":4: The file ends in the middle of a character"),
        (CONTENT.encode("utf-16")[:-1], "The file ends in the middle of a character"),
        (b"email,city\na@x.org,\x81\n", ":2: This line is not cp1252"),
        (bytes(range(256)) * 40, "not a text file"),
        (b"%PDF-1.7\n...", "it is a PDF"),
        (b"PK\x03\x04....", "a workbook or another zip"),
        (b"\x1f\x8b\x08....", "compressed"),
        (b"email," + b"x" * (18 << 20), "longer than 16 MB"),
    ],
)
def test_refuses_what_is_no_sound_text(tmp_path: Path, data: bytes, said: str) -> None:
    path = written(tmp_path, data)

    with pytest.raises(InputError) as caught:
        cells(path)

    [fault] = caught.value.faults
    assert said in str(fault)
    assert fault.file == str(path)


def test_a_western_file_may_end_in_a_letter_that_begins_a_character(tmp_path: Path) -> None:
    path = written(tmp_path, "email,Ville\na@x.org,Santé".encode("cp1252"))

    assert cells(path)[1] == ["a@x.org", "Santé"]


def test_says_the_line_that_is_not_as_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, b"email,city\na@x.org,R\xf8me\nb@x.org,\x81\n")

    with pytest.raises(InputError, match=r":2: This line is not ascii"):
        cells(path, encoding="ascii")
    with pytest.raises(InputError, match="--encoding klingon is not known"):
        cells(path, encoding="klingon")
    with pytest.raises(InputError, match="--encoding hex is not known"):
        cells(path, encoding="hex")


def test_refuses_what_is_no_file(tmp_path: Path) -> None:
    secret = written(tmp_path, b"email\n", "secret.csv")
    secret.chmod(0)

    for path, said in [
        (tmp_path / "none.csv", "no such file"),
        (tmp_path, "This is a folder"),
        (Path("/dev/zero"), "a device"),
    ]:
        with pytest.raises(InputError, match=said):
            cells(path)
    if os.geteuid() != 0:
        with pytest.raises(InputError, match="may not read"):
            cells(secret)


def test_reads_standard_input() -> None:
    with open_contacts("-", stdin=io.BytesIO(CONTENT.encode())) as table:
        assert table.file == "standard input"
        assert [row.cells for row in table.rows] == EXPECTED[1:]


def test_reads_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(CONTENT.encode(),))
    writer.start()

    assert cells(pipe) == EXPECTED
    writer.join()


def test_a_full_disk_stops_the_copy_of_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(28, "No space left on device")

    with pytest.raises(StoppedError, match="no room"), open_contacts("-", stdin=Full()):
        pass


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, CONTENT.encode() + b"x@x.org,Bern\n" * 200_000)  # many blocks

    with open_contacts(path) as table:
        first = next(table.rows)
        with path.open("ab") as more:
            more.write(b"c@x.org,Bern\n")
        assert first.cells == ["a@x.org", "Genève"]
        with pytest.raises(InputError, match="changed while it was read"):
            list(table.rows)


def test_a_row_of_ten_megabytes_stays_within_the_memory_of_an_import(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    path.write_text("email,name\na@x.org,Ann\nb@x.org," + "x y@z," * 1_700_000 + "\nc@x.org,Cy\n")
    tracemalloc.start()
    try:
        with open_contacts(path) as table:
            addresses = [row.cells[0] for row in table.rows]
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert addresses[0] == "a@x.org"
    assert addresses[-1] == "c@x.org"
    assert most < 200_000_000


def test_delimiters_by_name(tmp_path: Path) -> None:
    path = written(tmp_path, b"email\tcity, country\na@x.org\tRome, Italy\n")

    assert cells(path, delimiter="tab") == [["email", "city, country"], ["a@x.org", "Rome, Italy"]]
    with pytest.raises(InputError, match="can't be a delimiter"):
        cells(path, delimiter="::")
    with pytest.raises(InputError, match="counts from 1"):
        cells(path, header_row=0)


def test_the_digest_is_of_the_bytes(tmp_path: Path) -> None:
    with open_contacts(written(tmp_path, CONTENT.encode())) as one:
        pass
    with open_contacts("-", stdin=io.BytesIO(CONTENT.encode())) as other:
        pass

    assert one.digest == other.digest
    assert len(one.digest) == 64


BOOK: dict[str, list[list[str | float | bool]]] = {
    "Members": [
        ["email", "phone", "since", "paid", "share"],
        ["a@x.org", 41_22_345.0, DATE + 45000, True, 0.5],
        ["b@x.org", "0041", "", False, ""],
    ],
    "Old": [["email"], ["z@x.org"]],
}


def test_reads_the_first_sheet_of_a_workbook(tmp_path: Path) -> None:
    path = written(tmp_path, xlsx(BOOK), "people.xlsx")

    assert cells(path) == [
        ["email", "phone", "since", "paid", "share"],
        ["a@x.org", "4122345", "2023-03-15", "TRUE", "0.5"],
        ["b@x.org", "0041", "", "FALSE", ""],
    ]
    with open_contacts(path) as table:
        assert "“Members”" in table.warnings[0]
        assert "--sheet" in table.warnings[0]


def test_reads_the_sheet_that_is_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, xlsx(BOOK), "people.xlsx")

    assert cells(path, sheet="Old") == [["email"], ["z@x.org"]]
    with pytest.raises(InputError, match=r"no sheet “New”.*“Members”, “Old”"):
        cells(path, sheet="New")


def test_lines_and_heading_rows_count_as_the_workbook_shows_them(tmp_path: Path) -> None:
    path = written(
        tmp_path, xlsx({"S": [[], [], ["Members"], ["email"], ["a@x.org"]]}), "people.xlsx"
    )

    with open_contacts(path, header_row=4) as table:
        assert [(row.line, row.cells) for row in table.rows] == [(5, ["a@x.org"])]


def test_reads_open_document(tmp_path: Path) -> None:
    path = written(tmp_path, ods("Leute", EXPECTED), "people.ods")

    assert cells(path) == EXPECTED


@pytest.mark.parametrize("suffix", ["xls", "xlsx", "ods"])
def test_reads_what_other_programs_write(suffix: str) -> None:
    """The same sheet, written by xlwt, openpyxl and odfpy, with a merged title above it."""
    with open_contacts(WORKBOOKS / f"people.{suffix}") as table:
        rows = list(table.rows)

    assert table.columns == ("E-mail", "First name", "Ville", "born", "points", "member", "Zip")
    assert rows == [
        Row(3, ["eva@example.org", "Eva", "Genève", "1990-12-24", "12.5", "TRUE", "007"]),
        Row(4, ["mailto:finn@example.org", "Finn", "Oslo", "1991-02-03", "3", "FALSE", "0150"]),
        Row(5, ["Gina <gina@example.org>", "Gi\u00a0na", *[""] * 5]),
        Row(6, ["nobody", "", "", "", "many", "", ""]),
    ]
    assert "“Box office 2026” was skipped" in table.warnings[0]


def test_refuses_what_is_no_workbook(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"can't be read as a workbook.*Save it as CSV"):
        cells(written(tmp_path, b"email\na@x.org\n", "people.xlsx"))
    with pytest.raises(InputError, match="no such file"):
        cells(tmp_path / "none.xlsx")
    with pytest.raises(InputError, match="no rows"):
        cells(written(tmp_path, xlsx({"S": []}), "empty.xlsx"))


def test_refuses_a_zip_bomb(tmp_path: Path) -> None:
    path = tmp_path / "bomb.xlsx"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as entry,
    ):
        for _ in range(1100):
            entry.write(bytes(1 << 20))

    assert path.stat().st_size < 4 << 20
    with pytest.raises(InputError, match="unpacks to 1,1"):
        cells(path)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_keep_their_value(number: float) -> None:
    assert float(cell_text(number)) == number


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_whatever_is_utf8_is_read_as_utf8(content: str) -> None:
    data = content.encode()
    try:
        found = survey(io.BytesIO(data), "f")
    except InputError as error:
        said = str(error)
        assert "not a text file" in said or "workbook" in said
        return

    assert data.decode(found.encoding) == content.removeprefix("\ufeff")
