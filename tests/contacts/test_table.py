"""A table goes by its headings; a bad row carries its reason, a broken file is refused by line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.contacts import table as tables
from mailer.contacts.table import Row, Table, read_csv, read_sheet
from mailer.errors import InputError


def read(content: str, **options: object) -> Table:
    lines = io.StringIO(content, newline="")
    return read_csv(lines, file="people.csv", **options)  # type: ignore[arg-type]  # as typed


def rows(content: str, **options: object) -> list[tuple[int, list[str]]]:
    found = list(read(content, **options).rows)
    assert [row.fault for row in found] == [None] * len(found)
    return [(row.line, row.cells) for row in found]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_detects_the_delimiter(delimiter: str) -> None:
    content = "name|email|note\nAnna|a@x.org|x\n".replace("|", delimiter)

    assert read(content).delimiter == delimiter
    assert read(content).columns == ("name", "email", "note")


def test_detects_the_delimiter_by_what_makes_sense() -> None:
    assert read("email\na@x.org\n").delimiter == ","
    assert read("Notes, longer; E-Mail\nx, y; a@x.org\n").delimiter == ";"
    assert read("one;two\n1,5;2,5\n1,7;2,7\n").delimiter == ";"


def test_the_delimiter_can_be_forced() -> None:
    assert read("a,b;email\n", delimiter=",").columns == ("a", "b;email")
    assert read("sep=|\r\na,b|email\r\n").columns == ("a,b", "email")
    assert rows("sep=;\nemail\na@x.org\n") == [(3, ["a@x.org"])]


def test_reads_quotes_line_breaks_and_blank_lines() -> None:
    content = (
        '\ufeffemail,note\r\n\r\na@x.org,"two\r\nlines, ""quoted"""\r\n\r\n,\r\nb@x.org,5" pipe\r\n'
    )

    assert rows(content) == [
        (3, ["a@x.org", 'two\r\nlines, "quoted"']),
        (7, ["b@x.org", '5" pipe']),
    ]
    assert read(content).columns == ("email", "note")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_reads_every_kind_of_line_end(end: str) -> None:
    assert rows(end.join(["email,city", "a@x.org,Rome", "b@x.org,Oslo"])) == [
        (2, ["a@x.org", "Rome"]),
        (3, ["b@x.org", "Oslo"]),
    ]


def test_pads_short_rows_and_forgives_trailing_delimiters() -> None:
    assert rows("email,a,b,,\nx@x.org\ny@x.org,1,2,,,\n") == [
        (2, ["x@x.org", "", ""]),
        (3, ["y@x.org", "1", "2"]),
    ]


def test_a_row_with_too_many_cells_is_refused_alone() -> None:
    found = list(read("email,city\na@x.org,Rome,Italy\nb@x.org,Oslo\n").rows)

    assert found[0].line == 2
    assert "3 cells and the heading 2" in (found[0].fault or "")
    assert found[0].cells == ["a@x.org", "Rome", "Italy"]
    assert found[1] == Row(3, ["b@x.org", "Oslo"])


def test_a_stray_quote_is_refused_alone() -> None:
    found = list(read('email,city\na@x.org,"Ro"me\nb@x.org,Oslo\n').rows)

    assert "quote" in (found[0].fault or "")
    assert (found[0].line, found[0].cells) == (2, ["a@x.org", "Rome"])
    assert found[1] == Row(3, ["b@x.org", "Oslo"])


def test_a_huge_cell_is_refused_alone() -> None:
    found = list(read(f"email,city\na@x.org,{'x' * 200_000}\nb@x.org,Oslo\n").rows)

    assert "longer than 131,072" in (found[0].fault or "")
    assert found[1] == Row(3, ["b@x.org", "Oslo"])


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('email,city\na@x.org,Rome\nb@x.org,"Oslo\nc@x.org,Bern\n', 3),
        ('email,city\na@x.org,"Ro\nme"\nb@x.org,"Oslo\nc@x.org,Bern\n', 4),
        ('email,city\na@x.org,"Rome\nb@x.org,"Oslo"\nc@x.org,"Bern"\n', 2),
        ('email,a,b\na@x.org,"two\nlines","open\nand on\n', 3),
        ('email,city\na@x.org,"Oslo', 2),
        ('"email,city\na@x.org,Rome\n', 1),
        ('email,city\na@x.org,"' + "x\n" * 200_000, 2),
    ],
)
def test_a_quote_that_never_closes_is_named_by_its_line(content: str, line: int) -> None:
    with pytest.raises(InputError) as caught:
        list(read(content).rows)

    [fault] = caught.value.faults
    assert (fault.file, fault.line) == ("people.csv", line)
    assert "quote opens here" in fault.message


def test_a_record_without_end_is_not_read_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "RECORD_LINES", 100)
    taken = 0

    def endless() -> Iterator[str]:
        nonlocal taken
        yield 'email,"a\n'
        while True:
            taken += 1
            yield 'x","y\n'

    with pytest.raises(InputError, match="quote opens here"):
        read_csv(endless(), file="people.csv")

    assert taken < 1000 + tables.BLOCK


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no rows"),
        ("\n\n \n", "no rows|no heading"),
        ("a@x.org,Anna\nb@x.org,Bob\n", "holds an address.*heading"),
        ("Anna <a@x.org>\n", "holds an address"),
        ("email,city,City,city\n", r"2 columns are called “city” \(columns 2, 4\)"),
        ('email,"ci"ty\n', "quote"),
    ],
)
def test_headings_that_cannot_be_used(content: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read(content)


def test_the_heading_row_can_be_told() -> None:
    content = "Members 2026\n\nemail,city\na@x.org,Rome\n"

    assert read(content, header_row=3).columns == ("email", "city")
    assert rows(content, header_row=3) == [(4, ["a@x.org", "Rome"])]
    with pytest.raises(InputError, match="heading in row 9"):
        read(content, header_row=9)


def test_nul_bytes_stay_in_their_row() -> None:
    assert rows("email,city\na@x.org,R\0me\nb@x.org,Oslo\n") == [
        (2, ["a@x.org", "R\0me"]),
        (3, ["b@x.org", "Oslo"]),
    ]


def test_ten_thousand_columns() -> None:
    wide = "email," + ",".join(f"c{i}" for i in range(10_000))

    [(line, cells)] = rows(f"{wide}\na@x.org{',1' * 10_000}\n")

    assert (line, len(cells)) == (2, 10_001)


def test_a_sheet_is_a_table_too() -> None:
    sheet = [Row(1, ["email", "city", ""]), Row(2, ["a@x.org", "Rome", ""]), Row(3, ["", "", ""])]

    table = read_sheet(sheet, file="people.xlsx")

    assert (table.columns, table.delimiter) == (("email", "city"), None)
    assert list(table.rows) == [Row(2, ["a@x.org", "Rome"])]


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@given(
    st.lists(st.lists(cells, min_size=3, max_size=3), max_size=8),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_reads_back_what_was_written(written: list[list[str]], delimiter: str, end: str) -> None:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerow(["email", "b", "c"])
    writer.writerows(written)

    found = list(read(buffer.getvalue(), delimiter=delimiter).rows)

    assert [row.cells for row in found] == [row for row in written if any(row)]
    assert all(row.fault is None for row in found)


@given(st.text('a,"\n;', max_size=60))
def test_any_text_is_read_or_refused(content: str) -> None:
    try:
        table = read("email,b\n" + content)
        found = list(table.rows)
    except InputError as error:
        refused = error.faults
    else:
        refused = ()

    if refused:
        assert (refused[0].file, bool(refused[0].line)) == ("people.csv", True)
        return
    assert all(row.fault or len(row.cells) == len(table.columns) for row in found)
    assert [row.line for row in found] == sorted(row.line for row in found)


@given(st.text('a,"\n;', max_size=60), st.integers(0, 12))
def test_where_the_text_is_cut_into_blocks_does_not_show(content: str, size: int) -> None:
    def told() -> object:
        try:
            return list(read("email,b\n" + content).rows)
        except InputError as error:
            return error.faults

    in_one = told()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "BLOCK", size)
        in_blocks = told()

    assert in_blocks == in_one
