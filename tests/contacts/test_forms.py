"""vCards, JSON lines and plain lists of addresses are read as tables; faulty parts are rows too."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.contacts.address_lines import is_plain_list, read_address_lines
from mailer.contacts.json_lines import json_columns, read_json_lines
from mailer.contacts.vcards import read_vcards
from mailer.errors import InputError

CARDS = """BEGIN:VCARD\r
VERSION:4.0\r
FN:Dr. Anna Meyer\r
N:Meyer;Anna;;Dr.;\r
EMAIL;TYPE=work:work@example.org\r
item1.EMAIL;PREF=1;TYPE=home:anna@exam\r
 ple.org\r
ORG:Boats\\, Nets\\; Co;Harbour\r
ADR;TYPE=home:;;3 Quay St;Port Elsin;;1234;Norway\r
LANG:nb\r
NOTE:a\\nb:c\r
END:VCARD\r
BEGIN:VCARD
VERSION:2.1
N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;J=
=C3=B6rg
EMAIL;INTERNET;PREF:joerg@example.org
END:VCARD
BEGIN:VCARD
FN:Nobody
END:VCARD
stray
"""


def test_cards() -> None:
    rows = list(read_vcards(CARDS.splitlines(keepends=True), file="a.vcf").rows)

    assert [row.cells for row in rows[:2]] == [
        [
            *("anna@example.org", "Anna", "Meyer", "Dr. Anna Meyer"),
            *("Boats, Nets; Co", "Port Elsin", "Norway", "nb"),
        ],
        ["joerg@example.org", "Jörg", "Müller", "", "", "", "", ""],
    ]
    assert [(row.line, row.fault) for row in rows] == [
        (1, None),
        (13, None),
        (19, "The card has no address."),
        (22, "The line stands outside of a card."),
    ]


def test_a_card_that_never_ends_names_its_line() -> None:
    lines = ["BEGIN:VCARD\n", "END:VCARD\n", "BEGIN:VCARD\n", "FN:x\n", "BEGIN:VCARD\n"]

    with pytest.raises(InputError, match=r"a\.vcf:3: A card begins here and never ends"):
        list(read_vcards(lines, file="a.vcf").rows)


def test_json_lines() -> None:
    lines = [
        '{"email": "a@x.org", "n": 5, "ok": true, "tags": ["a", "b"], "none": null}\n',
        "\n",
        '{"email": "b@x.org", "fields": {"city": "Oslo", "email": "no"}}\n',
        '{"email": "c@x.org", "city": {"deep": 1}}\n',
        "[1]\n",
        '{"email"\n',
    ]
    columns = json_columns(lines, file="a.jsonl")
    rows = list(read_json_lines(lines, columns, file="a.jsonl").rows)

    assert columns == ("email", "n", "ok", "tags", "none", "city")
    assert [(row.line, row.cells, row.fault) for row in rows] == [
        (1, ["a@x.org", "5", "true", "a;b", "", ""], None),
        (3, ["b@x.org", "", "", "", "", "Oslo"], None),
        (4, ["c@x.org", *[""] * 5], "The value of “city” is an object or a list of them."),
        (5, [""] * 6, "The line is no JSON object."),
        (6, [""] * 6, "The line is not JSON."),
    ]
    with pytest.raises(InputError, match="No line holds a JSON object"):
        json_columns(["x\n"], file="a.jsonl")


@given(
    st.dictionaries(st.text(min_size=1), st.text(), min_size=1).filter(lambda d: "fields" not in d)
)
def test_an_object_of_texts_comes_back(told: dict[str, str]) -> None:
    line = json.dumps(told)
    columns = json_columns([line], file="x") if told else ()
    [row] = read_json_lines([line], columns, file="x").rows

    assert {name: told[name] for name in columns} == dict(zip(columns, row.cells, strict=True))


def test_plain_addresses() -> None:
    lines = ['"Meyer, Anna" <anna@x.org>, b@x.org; c@x.org\n', "\n", "bad\t# line 9: why\n"]
    table = read_address_lines(lines, file="a.txt")

    assert is_plain_list(lines)
    assert [(row.line, row.cells[0]) for row in table.rows] == [
        (1, '"Meyer, Anna" <anna@x.org>'),
        (1, "b@x.org"),
        (1, "c@x.org"),
        (3, "bad"),
    ]


@pytest.mark.parametrize("line", ["email,name\n", "a@x.org,Anna,Meyer\n", "Anna;a@x.org\n", "\n"])
def test_a_table_is_no_plain_list(line: str) -> None:
    assert not is_plain_list([line])
