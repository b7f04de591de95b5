"""The example contacts are invented, and damaged in the ways in which real lists are."""

from __future__ import annotations

import csv

from tests.layouts.conftest import ROOT


def rows() -> list[dict[str, str]]:
    with (ROOT / "data" / "examples" / "contacts.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_nobody_real_can_be_reached() -> None:
    domains = {
        row["email"].rpartition("@")[2].strip().lower() for row in rows() if "@" in row["email"]
    }

    assert domains == {"example.org", "example.com", "example.net"}


def test_the_list_has_its_usual_damage() -> None:
    people = rows()
    addresses = [row["email"].strip().casefold() for row in people]
    names = " ".join(row["first_name"] + row["last_name"] for row in people)

    assert len(people) == 60
    assert len(addresses) - len(set(addresses)) == 2  # two people stand there twice
    assert sum(address.count("@") != 1 for address in addresses) == 3
    assert any(row["email"] != row["email"].strip() for row in people)
    assert any(row["email"].endswith("@EXAMPLE.COM") for row in people)
    assert {row["status"] for row in people} == {"active", "unsubscribed", "bounced"}
    assert any("\u0600" <= letter <= "\u06ff" for letter in names)
    assert any("\u4e00" <= letter <= "\u9fff" for letter in names)
    assert any("\u00c0" <= letter <= "\u017f" for letter in names)


def test_the_edition_has_something_personal_to_say() -> None:
    people = rows()

    assert sum(row["city"] == "Port Elsin" for row in people) >= 10
    assert any(not row["first_name"] for row in people)
