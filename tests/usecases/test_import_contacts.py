"""An import merges a contact file into a list, counts every row, and brings nobody back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from mailer.contacts.flags import Flag
from mailer.contacts.table import read_csv
from mailer.errors import BusyError, InputError, NotFoundError, StoppedError
from mailer.model.words import STATUS_RANK, SubscriptionStatus
from mailer.ports import DomainsAsked, Rejected
from mailer.store import arrivals, batches
from mailer.store.database import Database
from mailer.usecases.import_contacts import ImportReport, import_contacts
from mailer.usecases.show_subscriber import show_subscriber
from mailer.usecases.suppress_address import suppress_address
from mailer.usecases.unsubscribe_subscriber import unsubscribe_subscriber
from tests.builders import dump
from tests.fakes import FakeClock


@dataclass
class Basket:
    """Fulfils ``ports.Rejects`` in memory."""

    columns: Sequence[str] = ()
    rows: list[list[str]] = field(default_factory=list)
    finished: bool = False

    def begin(self, columns: Sequence[str], form: str, delimiter: str | None) -> None:
        self.columns = (*columns, "mailer_reason", "mailer_line")

    def add(self, reject: Rejected) -> None:
        self.rows.append([*reject.cells, reject.reason, str(reject.line), *reject.beyond])

    def finish(self) -> str | None:
        self.finished = True
        return "rejects.csv" if self.rows else None

    def discard(self) -> None:
        if not self.finished:
            self.rows.clear()


def import_text(
    db: Database,
    clock: FakeClock,
    content: str,
    *,
    digest: str = "",
    rejects: Basket | None = None,
    **options: Any,
) -> ImportReport:
    table = read_csv(content.splitlines(keepends=True), file="people.csv")
    if digest:
        from dataclasses import replace

        table = replace(table, digest=digest)
    chosen: dict[str, Any] = {"list_name": "news", "create_list": True} | options
    return import_contacts(table, db=db, clock=clock, rejects=rejects or Basket(), **chosen)


def counts(report: ImportReport) -> tuple[int, int, int, int, int, int]:
    """added, updated, unchanged, rejected, suppressed, duplicates"""
    six = (
        report.added,
        report.updated,
        report.unchanged,
        report.rejected,
        report.suppressed,
        report.duplicates,
    )
    assert sum(six) == report.rows
    return six


PEOPLE = """email,first_name,language
Anna@Example.org,Anna,fr
bob@example.org,Bob,
céline@example.org,Céline,de
"""


def test_adds_people_with_fields_and_consent(db: Database, clock: FakeClock) -> None:
    report = import_text(db, clock, PEOPLE, consent="I agree.")

    assert counts(report) == (3, 0, 0, 0, 0, 0)
    anna = show_subscriber("anna@EXAMPLE.org", db=db)
    assert anna.address == "Anna@example.org"
    assert anna.fields == {"first_name": "Anna"}
    assert anna.language == "fr"
    assert [("news", "active", clock.now())] == [(x.name, x.status, x.since) for x in anna.lists]
    [proof] = anna.consents
    assert ("news", "import", "people.csv", report.batch, "I agree.", clock.now()) == (
        proof.list,
        proof.source,
        proof.detail,
        proof.batch,
        proof.wording,
        proof.at,
    )
    assert not anna.suppressed


def test_the_same_file_twice_changes_nothing(db: Database, clock: FakeClock) -> None:
    import_text(db, clock, PEOPLE, consent="I agree.")
    before = {k: v for k, v in dump(db).items() if k not in ("batch", "sqlite_sequence")}
    clock.advance(timedelta(days=1))

    report = import_text(db, clock, PEOPLE, consent="I agree.")

    assert counts(report) == (0, 0, 3, 0, 0, 0)
    assert before == {k: v for k, v in dump(db).items() if k not in ("batch", "sqlite_sequence")}


def test_fields_change_and_empty_cells_change_nothing(db: Database, clock: FakeClock) -> None:
    import_text(db, clock, "email,first_name,last_name\na@x.org,Ann,Lee\nb@x.org,Bob,Low\n")

    report = import_text(
        db, clock, "email,first_name,last_name,language\na@x.org,Anne,,fr\nb@x.org,,Low,\n"
    )

    assert counts(report) == (0, 1, 1, 0, 0, 0)
    ann = show_subscriber("a@x.org", db=db)
    assert (ann.fields, ann.language) == ({"first_name": "Anne", "last_name": "Lee"}, "fr")


def test_empty_cells_clear_only_when_told_to(db: Database, clock: FakeClock) -> None:
    import_text(db, clock, "email,first_name,last_name\na@x.org,Ann,Lee\n")

    report = import_text(
        db,
        clock,
        "email,first_name,last_name\na@x.org,,Lee\nnew@x.org,,\n",
        empty_clears=True,
    )

    assert counts(report) == (1, 1, 0, 0, 0, 0)
    assert show_subscriber("a@x.org", db=db).fields == {"last_name": "Lee"}
    assert show_subscriber("new@x.org", db=db).fields == {}


def test_rows_of_one_address_are_folded(db: Database, clock: FakeClock) -> None:
    report = import_text(
        db,
        clock,
        "email,first_name,city,status\n"
        "Ann@x.org,Ann,Rome,\n"
        "b@x.org,Bob,,\n"
        "ann@X.org,Anne,,pending\n"
        "ANN@x.org,,Oslo,active\n",
        keep_columns=True,
    )

    assert counts(report) == (2, 0, 0, 0, 0, 2)
    ann = show_subscriber("ann@x.org", db=db)
    assert ann.address == "Ann@x.org"
    assert ann.fields == {"first_name": "Anne", "city": "Oslo"}
    assert [each.status for each in ann.lists] == ["pending"]


def test_other_capitals_of_somebody_known_are_told(db: Database, clock: FakeClock) -> None:
    import_text(db, clock, "email\nAnn.Lee@x.org\nbob@x.org\n")

    dry = import_text(db, clock, "email\nann.lee@x.org\nBOB@X.org\nbob@x.org\n", dry_run=True)
    done = import_text(db, clock, "email\nann.lee@x.org\nbob@x.org\n")
    same = import_text(db, clock, "email\nAnn.Lee@X.ORG\nbob@x.org\n")

    told = "known with other capitals and keep"
    assert any(f"2 people are {told} that spelling: ann" in each for each in dry.warnings)
    assert done.warnings == (f"1 person is {told}s that spelling: ann.lee@x.org as Ann.Lee@x.org.",)
    assert same.warnings == ()
    assert counts(done) == (0, 0, 2, 0, 0, 0)
    assert show_subscriber("ann.lee@x.org", db=db).address == "Ann.Lee@x.org"


def test_a_long_run_of_one_address_is_folded(
    db: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailer.store.doubles.AT_ONCE", 3)
    rows = "".join(f"{'AaBb'[i % 4]}@x.org,name {i}\n" for i in range(23))

    report = import_text(db, clock, "email,first_name\n" + rows)

    assert counts(report) == (2, 0, 0, 0, 0, 21)
    assert show_subscriber("a@x.org", db=db).fields == {"first_name": "name 21"}
    assert show_subscriber("b@x.org", db=db).fields == {"first_name": "name 22"}


@pytest.mark.parametrize("status", ["unsubscribed", "bounced", "complained"])
def test_nobody_is_raised(db: Database, clock: FakeClock, status: str) -> None:
    import_text(db, clock, f"email,status\na@x.org,{status}\n")

    report = import_text(db, clock, "email,status,first_name\nA@x.org,active,Ann\n")

    assert counts(report) == (0, 1, 0, 0, 0, 0)
    ann = show_subscriber("a@x.org", db=db)
    assert ([status], {"first_name": "Ann"}) == ([x.status for x in ann.lists], ann.fields)
    assert list(ann.consents) == []


def test_who_left_stays_away(db: Database, clock: FakeClock) -> None:
    import_text(db, clock, PEOPLE)
    unsubscribe_subscriber("anna@example.org", db=db, clock=clock, list_name="news")

    report = import_text(db, clock, PEOPLE, consent="New words.")

    assert counts(report) == (0, 2, 1, 0, 0, 0)
    anna = show_subscriber("anna@example.org", db=db)
    assert [each.status for each in anna.lists] == ["unsubscribed"]
    assert [proof.wording for proof in anna.consents] == [None]


def test_a_status_only_lowers(db: Database, clock: FakeClock) -> None:
    for old in SubscriptionStatus:
        for new in SubscriptionStatus:
            list_name = f"{old}-{new}"
            import_text(db, clock, f"email,status\na@x.org,{old}\n", list_name=list_name)

            import_text(db, clock, f"email,status\na@x.org,{new}\n", list_name=list_name)

    stands = {each.name: each.status for each in show_subscriber("a@x.org", db=db).lists}
    assert {
        f"{old}-{new}": max(old, new, key=lambda status: STATUS_RANK[status])
        for old in SubscriptionStatus
        for new in SubscriptionStatus
    } == stands


def test_pending_for_newcomers_does_not_unconfirm(db: Database, clock: FakeClock) -> None:
    import_text(db, clock, "email\na@x.org\n")

    report = import_text(db, clock, "email\na@x.org\nb@x.org\n", status=SubscriptionStatus.pending)

    assert counts(report) == (1, 0, 1, 0, 0, 0)
    assert [each.status for each in show_subscriber("a@x.org", db=db).lists] == ["active"]
    assert [each.status for each in show_subscriber("b@x.org", db=db).lists] == ["pending"]


def test_a_file_of_leavers_lowers(db: Database, clock: FakeClock) -> None:
    import_text(db, clock, "email\na@x.org\n")

    report = import_text(db, clock, "email\na@x.org\n", status=SubscriptionStatus.unsubscribed)

    assert counts(report) == (0, 1, 0, 0, 0, 0)
    assert [each.status for each in show_subscriber("a@x.org", db=db).lists] == ["unsubscribed"]


def test_the_suppressed_are_kept_out(db: Database, clock: FakeClock) -> None:
    import_text(db, clock, "email\nknown@x.org\n", list_name="other")
    suppress_address("KNOWN@x.org", db=db, clock=clock)
    suppress_address("unknown@x.org", db=db, clock=clock)

    report = import_text(db, clock, "email,first_name\nknown@x.org,K\nUnknown@x.org,U\na@x.org,A\n")

    assert counts(report) == (1, 0, 0, 0, 2, 0)
    known = show_subscriber("known@x.org", db=db)
    assert ([x.name for x in known.lists], known.fields, known.suppressed) == (["other"], {}, True)
    with db.read() as connection:
        found = connection.execute(text("SELECT address FROM subscriber ORDER BY 1")).scalars()
        assert list(found) == ["a@x.org", "known@x.org"]


def test_somebody_of_another_list_is_added_and_updated(db: Database, clock: FakeClock) -> None:
    import_text(db, clock, "email,first_name\na@x.org,Ann\n", list_name="other")

    report = import_text(db, clock, "email,last_name\na@x.org,Lee\n")

    assert counts(report) == (1, 0, 0, 0, 0, 0)
    ann = show_subscriber("a@x.org", db=db)
    assert ann.fields == {"first_name": "Ann", "last_name": "Lee"}
    assert [each.name for each in ann.lists] == ["news", "other"]


def test_new_words_are_recorded_for_who_is_on_the_list(db: Database, clock: FakeClock) -> None:
    import_text(db, clock, "email\na@x.org\n")

    report = import_text(db, clock, "email\na@x.org\n", consent="I agree.")

    assert counts(report) == (0, 1, 0, 0, 0, 0)
    assert [p.wording for p in show_subscriber("a@x.org", db=db).consents] == [None, "I agree."]


def test_rejects_are_named_and_the_rest_goes_on(db: Database, clock: FakeClock) -> None:
    basket = Basket()

    report = import_text(
        db,
        clock,
        "email,city,status,language\n"
        "a@x.org,Rome,,\n"
        "not an address,Bern,,\n"
        "b@x.org; c@x.org,,,\n"
        "d@x.org,,nonsense,\n"
        "e@x.org,,,gibberish!\n"
        "f@x.org,,,en,too,many\n"
        " , ,,\n"
        "g@x.org\n",
        rejects=basket,
        keep_columns=True,
    )

    assert counts(report) == (2, 0, 0, 5, 0, 0)
    assert report.rejects_file == "rejects.csv"
    assert basket.columns == ("email", "city", "status", "language", "mailer_reason", "mailer_line")
    assert basket.rows[0] == ["not an address", "Bern", "", "", "“not an address” has no @.", "3"]
    assert "b@x.org and c@x.org" in basket.rows[1][4]
    assert "nonsense" in basket.rows[2][4]
    assert "gibberish!" in basket.rows[3][4]
    assert basket.rows[4][:4] == ["f@x.org", "", "", "en"]
    assert basket.rows[4][5:] == ["7", "too", "many"]
    assert [reject.line for reject in report.rejects] == [3, 4, 5, 6, 7]


def test_a_dry_run_counts_the_same_and_writes_nothing(db: Database, clock: FakeClock) -> None:
    import_text(db, clock, PEOPLE)
    suppress_address("new@x.org", db=db, clock=clock)
    unsubscribe_subscriber("bob@example.org", db=db, clock=clock)
    more = (
        "email,first_name,status\nanna@example.org,Anouk,\nbob@example.org,Bob,\nnew@x.org,N,\n"
        "CÉLINE@example.org,Céline,bounced\nd@x.org,,\nd@x.org,,\nbad,,\n"
    )
    before = dump(db)
    basket = Basket()

    rehearsed = import_text(db, clock, more, dry_run=True, consent="Words.", rejects=basket)

    assert before == dump(db)
    assert basket.rows == []
    assert (rehearsed.batch, rehearsed.dry_run, rehearsed.rejects_file) == (None, True, None)
    real = import_text(db, clock, more, consent="Words.")
    assert counts(rehearsed) == counts(real)
    assert counts(real) == (1, 2, 1, 1, 1, 1)


def test_a_dry_run_into_a_list_that_is_not_there(db: Database, clock: FakeClock) -> None:
    before = dump(db)

    report = import_text(db, clock, PEOPLE, dry_run=True)

    assert counts(report) == (3, 0, 0, 0, 0, 0)
    assert before == dump(db)


def test_trouble_at_the_end_of_the_file_changes_nothing(db: Database, clock: FakeClock) -> None:
    before = dump(db)

    with pytest.raises(InputError, match=r"people\.csv:3: A quote opens here"):
        import_text(db, clock, 'email\na@x.org\n"b@x.org\n')

    assert before == dump(db)


def test_an_unknown_list_is_refused(db: Database, clock: FakeClock) -> None:
    import_text(db, clock, PEOPLE)

    with pytest.raises(NotFoundError, match=r"“nws”.*“news”.*--create-list"):
        import_text(db, clock, PEOPLE, list_name="nws", create_list=False)


class NameServers:
    """Fulfils ``ports.DomainCheck``: one domain is deaf, of another nothing is known."""

    def ask(self, domains: Sequence[str]) -> DomainsAsked:
        if not domains:
            raise StoppedError("The name system does not answer.")
        return DomainsAsked({"deaf.example": "no such domain"}, ["silent.example"])


def test_domains_are_asked_about_on_request(db: Database, clock: FakeClock) -> None:
    people = "email\na@deaf.example\nb@deaf.example\nc@silent.example\nd@x.org\n"

    report = import_text(db, clock, people, mail_servers=NameServers())
    with pytest.raises(StoppedError, match="does not answer"):
        import_text(db, clock, "email\n", list_name="other", mail_servers=NameServers())

    assert counts(report) == (4, 0, 0, 0, 0, 0)
    assert report.flags == (
        Flag("no_mail_server", 2, ("deaf.example (no such domain)",)),
        Flag("not_checked", 1, ("silent.example",)),
    )
    with db.read() as connection:
        assert connection.execute(text("SELECT name FROM list")).scalars().all() == ["news"]


def test_unrecognised_columns_are_left_out_and_listed(db: Database, clock: FakeClock) -> None:
    content = "E-Mail;Ville;Prénom\na@x.org;Rome;Ann\n"

    report = import_text(db, clock, content)

    assert [(x.column, x.option) for x in report.ignored] == [("Ville", "--map 'Ville=ville'")]
    assert (report.delimiter, report.fields) == ("semicolon", ("first_name",))
    kept = import_text(db, clock, content, maps=["Ville=city"])
    assert kept.ignored == ()
    assert show_subscriber("a@x.org", db=db).fields == {"first_name": "Ann", "city": "Rome"}


def test_events_tell_what_happened(db: Database, clock: FakeClock) -> None:
    import_text(db, clock, "email,status\na@x.org,\nb@x.org,bounced\n")
    import_text(db, clock, "email,status,first_name\na@x.org,complained,\nb@x.org,,Bob\n")
    with db.read() as connection:
        rows = connection.execute(
            text(
                "SELECT p.key, e.kind, e.actor, e.batch_id FROM event e"
                " JOIN subscriber p ON p.id = e.subscriber_id ORDER BY e.id"
            )
        ).all()

    assert [tuple(row) for row in rows] == [
        ("a@x.org", "subscribed", "operator", 1),
        ("b@x.org", "bounced", "operator", 1),
        ("a@x.org", "complained", "operator", 2),
        ("b@x.org", "changed", "operator", 2),
    ]


def many(n: int) -> str:
    return "email,first_name\n" + "".join(f"p{i * 7919 % n}@x.org,Name {i}\n" for i in range(n))


class Interrupted(BaseException):
    """As if the process had been killed."""


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST_SLICE", "SMALLEST", "LARGEST"):
        monkeypatch.setattr(arrivals, name, 10)


def interrupted(db: Database, clock: FakeClock, content: str, after: int) -> None:
    def stop(phase: str, done: int, total: int | None) -> None:
        if phase == "writing" and done >= after:
            raise Interrupted

    with pytest.raises(Interrupted):
        import_text(db, clock, content, digest="same", progress=stop)
    with db.write() as connection:  # and its process is gone
        connection.execute(
            text("UPDATE batch SET owner = replace(owner, ' ' || :pid, ' 2147483646')"),
            {"pid": __import__("os").getpid()},
        )


@pytest.mark.usefixtures("small_slices")
def test_a_killed_import_is_completed_by_the_same_import(db: Database, clock: FakeClock) -> None:
    interrupted(db, clock, many(100), after=40)

    report = import_text(db, clock, many(100), digest="same")

    assert counts(report) == (100, 0, 0, 0, 0, 0)
    assert report.batch == 1
    with db.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM consent")).scalar_one() == 100
        assert connection.execute(text("SELECT count(*) FROM event")).scalar_one() == 100
        assert list(connection.execute(text("SELECT state FROM batch")).scalars()) == ["done"]


@pytest.mark.usefixtures("small_slices")
def test_another_import_says_which_one_was_stopped(db: Database, clock: FakeClock) -> None:
    interrupted(db, clock, many(100), after=40)

    other = import_text(db, clock, "email\nz@x.org\n", digest="other")

    assert other.warnings == (
        "Import 1 (people.csv into “news”) was stopped after 40 people: run it again to"
        " complete it.",
    )
    again = import_text(db, clock, "email\ny@x.org\n", digest="third")
    assert again.warnings == ()
    completed = import_text(db, clock, many(100), digest="same")
    assert (completed.batch, counts(completed)) == (1, (100, 0, 0, 0, 0, 0))


@pytest.mark.usefixtures("small_slices")
def test_the_same_import_twice_at_once_is_refused(db: Database, clock: FakeClock) -> None:
    def again(phase: str, done: int, total: int | None) -> None:
        if phase == "writing":
            with pytest.raises(BusyError, match="very same import is running"):
                import_text(db, clock, many(30), digest="same")

    report = import_text(db, clock, many(30), digest="same", progress=again)

    assert counts(report) == (30, 0, 0, 0, 0, 0)


@pytest.mark.usefixtures("small_slices")
def test_who_is_overtaken_stops(db: Database, clock: FakeClock) -> None:
    def overtake(phase: str, done: int, total: int | None) -> None:
        if phase == "writing" and done == 10:
            with db.write() as connection:
                connection.execute(text("UPDATE batch SET taken = taken + 1"))

    with pytest.raises(StoppedError, match="taken import 1 over"):
        import_text(db, clock, many(30), digest="same", progress=overtake)

    with db.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM subscriber")).scalar_one() == 10


@pytest.mark.usefixtures("small_slices")
def test_batches_of_the_living_are_left_alone(db: Database, clock: FakeClock) -> None:
    def look(phase: str, done: int, total: int | None) -> None:
        if phase == "writing":
            with db.write() as connection:
                assert list(batches.settle_dead(connection)) == []

    import_text(db, clock, many(30), progress=look)


def test_an_archived_list_takes_nobody(db: Database, clock: FakeClock) -> None:
    import_text(db, clock, PEOPLE)
    with db.write() as connection:
        connection.execute(text("UPDATE list SET archived_at = created_at"))

    with pytest.raises(InputError, match="archived"):
        import_text(db, clock, PEOPLE)


def test_an_id_is_never_given_out_again(db: Database, clock: FakeClock) -> None:
    """A link in an old mail must not come to mean somebody else."""
    import_text(db, clock, "email\na@x.org\nb@x.org\n")
    with db.write() as connection:
        gone = connection.execute(text("SELECT max(id) FROM subscriber")).scalar_one()
        connection.execute(text("DELETE FROM subscription WHERE subscriber_id = :id"), {"id": gone})
        connection.execute(text("DELETE FROM subscriber WHERE id = :id"), {"id": gone})

    import_text(db, clock, "email\nc@x.org\n")

    with db.read() as connection:
        new = connection.execute(text("SELECT id FROM subscriber WHERE key = 'c@x.org'"))
        assert new.scalar_one() > gone


def test_whoever_is_suppressed_on_this_list_alone_is_kept_off_it(
    db: Database, clock: FakeClock
) -> None:
    import_text(db, clock, "email\na@x.org\n", list_name="club")
    with db.write() as connection:
        hashed = connection.execute(text("SELECT suppression_hash FROM subscriber")).scalar_one()
        connection.execute(
            text(
                "INSERT INTO list_suppression (list_id, hash, reason, at)"
                " SELECT 1, :hash, 'complaint', created_at FROM subscriber"
            ),
            {"hash": hashed},
        )

    assert import_text(db, clock, "email\na@x.org\n", list_name="club").suppressed == 1
    assert import_text(db, clock, "email\na@x.org\n", list_name="news").added == 1
