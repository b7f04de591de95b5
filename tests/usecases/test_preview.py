"""What a preview shows of a person's mail is what a send sends to them, byte for byte."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from mailer.adapters.inbox import Inbox
from mailer.errors import NotFoundError
from mailer.message.links import Purpose, Tokens
from mailer.usecases.preview_issue import LONGEST, IssuePreview, Wish
from mailer.usecases.preview_recipient import preview_recipient
from mailer.usecases.send_campaign import send_campaign
from mailer.wiring import Mailer, open_mailer
from tests.command_line import done, make_workspace
from tests.fakes import FakeClock
from tests.postgres import TEMPLATE, Server

ENGLISH = """\
---
subject: The harbour for {{ first_name | default("you") }}
preheader: It opens on Monday
contact: desk@example.org
reply_to: desk@example.org
---
Good morning, {{ first_name | default("reader") }}. [The harbour](https://example.org/a) is open.

A line that is long enough for a soft break: {{ city | default("the coast") }}, and
{{ email | default("you") }}, and on.
"""
ARABIC = """\
---
subject: الميناء
preheader: يفتح يوم الاثنين
---
صباح الخير يا {{ city | default("أهل المدينة") }}. الميناء مفتوح.
"""
PEOPLE = """\
email,first_name,city,language
anna@example.org,Anna,Porto,en-GB
bilal@example.org,Bilal,القاهرة,ar-EG
élise@example.org,Élise,Sète,fr
emil@example.org,,,
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Mailer, Inbox]]:
    """A workspace that signs, an issue in two languages, four people, a server that takes all."""
    settings: dict[str, object] = {}
    if request.param == "postgresql":
        server: Server = request.getfixturevalue("postgresql")
        settings["database_url"] = server.make("preview", TEMPLATE)
    with Inbox() as inbox:
        workspace = make_workspace(
            tmp_path / "news",
            smtp_port=inbox.port,
            site_url="http://127.0.0.1:8025",
            **settings,
        )
        made = done(workspace, "keys", "new", "s1")
        with (workspace / ".env").open("a") as file:
            file.writelines(f"{line}\n" for line in made["settings"])
            file.write("MAILER_CFBL_ADDRESS=fbl@marren.example.org\n")
        folder = workspace / "data/issues/harbour"
        folder.mkdir(parents=True)
        (folder / "issue.md").write_text(ENGLISH, "utf-8")
        (folder / "issue.ar.md").write_text(ARABIC, "utf-8")
        (workspace / "people.csv").write_text(PEOPLE, "utf-8")
        people = str(workspace / "people.csv")
        done(workspace, "import", people, "--list", "coast", "--create-list", "--keep-columns")
        with open_mailer(workspace) as opened:
            yield replace(opened, clock=FakeClock()), inbox
    if request.param == "postgresql":
        server.drop("preview")


def look_at(mailer: Mailer, list_name: str | None = "coast") -> IssuePreview:
    return IssuePreview(
        lambda: mailer.issue(mailer.workspace / "data/issues/harbour"),
        list_name=list_name,
        db=mailer.db,
        layouts=mailer.layout,
        brand=mailer.brand,
        keys=mailer.keys_if_any,
        clock=mailer.clock,
        sending=mailer.sending_policy,
    )


def plan(mailer: Mailer) -> None:
    folder = str(mailer.workspace / "data/issues/harbour")
    done(mailer.workspace, "campaigns", "plan", folder, "--list", "coast")


def send(mailer: Mailer, inbox: Inbox) -> dict[str, bytes]:
    asyncio.run(
        send_campaign(
            "harbour",
            db=mailer.db,
            transport=mailer.transport,
            keys=mailer.keys,
            clock=mailer.clock,
            folder=mailer.runs,
            pace=mailer.pace,
            retry_after=(60,),
            expires_after=3600,
            max_wait=0,
            signing=mailer.signing,
        )
    )
    return {each.recipients[0]: each.data for each in inbox.messages}


def test_the_preview_of_a_planned_recipient_is_what_is_sent(desk: tuple[Mailer, Inbox]) -> None:
    mailer, inbox = desk
    plan(mailer)
    preview = look_at(mailer)
    names = ("anna@example.org", "bilal@example.org", "élise@example.org", "emil@example.org")
    shown = {name: preview.show(Wish(name, campaign="harbour")) for name in names}
    sent = send(mailer, inbox)

    assert set(sent) == set(names)
    assert {name: each.message for name, each in shown.items()} == sent
    assert all(b"DKIM-Signature: " in each and b"CFBL-Address: " in each for each in sent.values())
    assert (shown[names[0]].language, shown[names[1]].language) == ("en", "ar")
    assert shown[names[0]].subject == "The harbour for Anna"
    # What the mail knew of people is forgotten once they got it.
    with pytest.raises(NotFoundError, match="is not waiting"):
        preview_recipient(
            "harbour",
            address="anna@example.org",
            db=mailer.db,
            keys=mailer.keys,
            clock=mailer.clock,
        )


def test_another_moment_gives_another_mail(desk: tuple[Mailer, Inbox]) -> None:
    """The comparison of bytes can fail: the date is part of them."""
    mailer, inbox = desk
    plan(mailer)
    shown = look_at(mailer).show(Wish("anna@example.org", campaign="harbour"))
    later = FakeClock()
    later.time = later.time.replace(hour=10)
    sent = send(replace(mailer, clock=later), inbox)

    assert shown.message != sent["anna@example.org"]
    assert "its date is that of the moment" in shown.settled


def test_before_a_plan_only_date_and_tokens_are_others(desk: tuple[Mailer, Inbox]) -> None:
    mailer, inbox = desk
    unsigned = replace(mailer, settings=mailer.settings.model_copy(update={"dkim_domain": None}))
    shown = look_at(unsigned).show(Wish("anna@example.org"))
    plan(mailer)
    sent = send(mailer, inbox)["anna@example.org"]
    sent = re.sub(rb"DKIM-Signature: .*?\r\n(?!\s)", b"", sent, flags=re.DOTALL)
    with mailer.db.read() as connection:
        anna = connection.execute(
            text("SELECT id FROM subscriber WHERE address = 'anna@example.org'")
        ).scalar_one()
        web_key = connection.execute(text("SELECT web_key FROM campaign")).scalar_one()
    ours, theirs = (
        (Tokens(mailer.keys, campaign, mailer.keys.key_id), person)
        for campaign, person in ((0, 0), (1, anna))
    )
    pairs = [(b"A" * 22, str(web_key).encode())]
    for purpose in (Purpose.unsubscribe, Purpose.preferences):
        pairs.append(
            (ours[0].link(purpose, ours[1]).encode(), theirs[0].link(purpose, theirs[1]).encode())
        )
    left = (each.of(who)[2].encode() for each, who in (ours, theirs))
    pairs.append((next(left), next(left)))

    assert len(shown.message) == len(sent)
    assert shown.message != sent
    # A soft break may fall into a token, so both are compared with the breaks taken out.
    expected, actual = (each.replace(b"=\r\n", b"") for each in (shown.message, sent))
    for stand_in, token in pairs:
        assert stand_in in expected
        assert len(stand_in) == len(token)
        expected = expected.replace(stand_in, token)
    assert expected == actual


def test_everybody_can_be_looked_at_as(desk: tuple[Mailer, Inbox]) -> None:
    preview = look_at(desk[0])
    nobody, longest = preview.show(Wish()), preview.show(Wish(LONGEST))
    some, none = preview.show(Wish("example.org")), preview.show(Wish("nowhere"))
    one = preview.show(Wish("Port"))

    assert "Good morning, reader." in nobody.text
    assert nobody.address == "reader@example.org"
    assert "Maximiliane-Ægidia" in longest.subject
    assert len(longest.html) > len(nobody.html)
    assert {each.address for each in some.found} == {
        *("anna@example.org", "bilal@example.org", "élise@example.org", "emil@example.org")
    }
    assert (none.found, str(none.faults[0])) == (
        [],
        "Nobody on file has “nowhere” in their address or fields.",
    )
    assert one.address == "anna@example.org"
    assert "Good morning, Anna." in one.text
    assert preview.show(Wish(language="ar")).subject == "الميناء"


def test_a_broken_issue_shows_its_faults_and_recovers(desk: tuple[Mailer, Inbox]) -> None:
    mailer, _ = desk
    file = mailer.workspace / "data/issues/harbour/issue.md"
    preview = look_at(mailer)
    before = preview.show(Wish())
    file.write_text(ENGLISH + "\n::: stori\n:::\n", "utf-8")
    broken = preview.show(Wish())
    file.write_bytes(b"\xff\xfe\x00")
    worse = preview.show(Wish())
    file.unlink()
    gone = preview.show(Wish())
    file.write_text(ENGLISH, "utf-8")

    assert before.report.ok
    assert [(fault.line, "stori" in fault.message) for fault in broken.faults] == [(12, True)]
    assert broken.message == b""
    assert "not UTF-8" in worse.faults[0].message
    assert "no file `issue.md`" in gone.faults[0].message
    assert preview.show(Wish()).message == before.message
