"""Suppressions travel to a new database: it takes the key over first, then the hashes hold."""

from __future__ import annotations

import re
from pathlib import Path

from tests.command_line import done, mailer, make_workspace


def test_a_new_database_takes_key_and_hashes_over(tmp_path: Path) -> None:
    old, new = make_workspace(tmp_path / "old"), make_workspace(tmp_path / "new")
    hashes, key = str(tmp_path / "hashes.csv"), tmp_path / "key.txt"
    done(old, "lists", "add", "news")
    done(old, "suppressions", "add", "anna@x.org")
    done(old, "suppressions", "add", "ben@x.org", "--list", "news")
    done(old, "suppressions", "export", "--out", hashes)

    foreign = mailer(new, "suppressions", "import", hashes)
    written = mailer(old, "suppressions", "key", "--out", str(key))
    taken = mailer(new, "suppressions", "key", "--take", str(key))
    again = done(new, "suppressions", "key", "--take", str(key))
    early = done(new, "suppressions", "import", hashes)
    done(new, "lists", "add", "news")
    imported = done(new, "suppressions", "import", hashes)

    assert (foreign.status, "mailer suppressions key" in foreign.err) == (3, True)
    secret = key.read_text("utf-8").strip()
    assert re.fullmatch("[0-9a-f]{64}", secret)
    assert key.stat().st_mode & 0o077 == 0
    assert secret not in written.out + taken.out + str(again)
    assert again["key"] in written.out
    assert again["key"] in taken.out
    assert [each["reason"] for each in early["rejects"]] == [
        "There is no list “news”: `mailer lists add news` makes it."
    ]
    assert [imported[word] for word in ("added", "there", "rejected")] == [1, 1, 0]
    people = tmp_path / "people.csv"
    people.write_text("email\nAnna@x.org\nben@x.org\ncarl@x.org\n", "utf-8")
    report = done(new, "import", str(people), "--list", "news")
    assert (report["added"], report["suppressed"]) == (1, 2)


def test_a_key_is_taken_by_an_empty_database_alone(tmp_path: Path) -> None:
    old, new = make_workspace(tmp_path / "old"), make_workspace(tmp_path / "new")
    key, none = tmp_path / "key.txt", tmp_path / "none.txt"
    none.write_text("a" * 63, "utf-8")
    done(old, "suppressions", "key", "--out", str(key))
    own = tmp_path / "own.txt"
    done(new, "suppressions", "key", "--out", str(own))
    wrong = mailer(new, "suppressions", "key", "--take", str(none))
    done(new, "suppressions", "add", "anna@x.org")

    late = mailer(new, "suppressions", "key", "--take", str(key))
    same = mailer(new, "suppressions", "key", "--take", str(own))

    assert (wrong.status, "This is no key of suppressions." in wrong.err) == (3, True)
    assert (late.status, "before the first import" in late.err) == (3, True)
    assert same.status == 0
    assert done(new, "suppressions", "check", "anna@x.org")["suppressed"] is True
    assert mailer(new, "suppressions", "key").status == 3
    assert mailer(new, "suppressions", "key", "--take", str(tmp_path / "gone")).status == 2
