"""A spool keeps each mail once, durably, and as any mail program reads it."""

from __future__ import annotations

import asyncio
import errno
import io
import mailbox
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.adapters import maildir as maildir_module
from mailer.adapters import mbox as mbox_module
from mailer.adapters.maildir import file_name
from mailer.adapters.mbox import Mbox, entry, heads
from mailer.adapters.spool import open_spool
from mailer.adapters.spooled import Spooled, write_all
from mailer.errors import InputError, WireError
from mailer.model.words import Reply, Stage
from tests.wire import Outbox, letter

FORMS = ("maildir", "mbox")
TRICKY = b"From the quay\r\n>From afar\r\n>>From\r\nFrom: not\r\n.\r\n..\r\n\r\nFrom \r\n"


def keep(where: str, outbox: Outbox) -> None:
    asyncio.run(asyncio.wait_for(open_spool(where).run(outbox, outbox), 30))


def read(where: str) -> dict[str, bytes]:
    """Message-ID → the message with CRLF, as Python's own mail programs find it; never twice."""
    form, _, path = where.partition(":")
    box: mailbox.Mailbox[mailbox.Message]
    if form == "maildir":
        box = mailbox.Maildir(path, create=False)
    else:
        box = mailbox.mbox(path, create=False)
    found: dict[str, bytes] = {}
    for key in box.iterkeys():
        data = box.get_bytes(key)
        top, _, rest = data.partition(b"\nMessage-ID: ")
        assert top.startswith(b"Return-Path: <news@example.org>\nDelivered-To: r")
        identity = rest.partition(b"\n")[0].decode()
        assert identity not in found, f"{identity} is there twice"
        found[identity] = b"Message-ID: " + rest.replace(b"\n", b"\r\n")
    return found


def message_ids(file: BinaryIO) -> list[str]:
    """Of the mails in an mbox."""
    found = [re.findall(rb"^Message-ID: <(.*)>$", head, re.MULTILINE) for head in heads(file)]
    return [each.decode() for (each,) in found]


@pytest.mark.parametrize("form", FORMS)
def test_every_letter_is_kept_once_and_answered_for(form: str, tmp_path: Path) -> None:
    where = f"{form}:{tmp_path}/deep/er/box"
    outbox = Outbox(150)
    keep(where, outbox)

    assert outbox.accepted == list(range(1, 151))
    assert read(where) == {f"<{key}@example.org>": letter(key) for key in range(1, 151)}
    assert "Kept as 7@example.org" in str(outbox.finals[7].reply)


@pytest.mark.parametrize("form", FORMS)
def test_another_database_s_mail_of_the_same_message_id_is_kept_too(
    form: str, tmp_path: Path
) -> None:
    """A database that is restored, or begun anew with the same key, gives Message-IDs out again."""
    spool = open_spool(f"{form}:{tmp_path}/box").box
    ours, again, others, later = (
        Spooled(1, "1@x", "s@x", to, b"Message-ID: <1@x>\nDate: %b\n\nx\n" % date)
        for to, date in (
            ("r@x", b"Tue, 24 Nov 2026 09:00:00 +0000"),
            ("r@x", b"Tue, 24 Nov 2026 09:00:00 +0000"),
            ("other@x", b"Tue, 24 Nov 2026 09:00:00 +0000"),
            ("r@x", b"Tue, 24 Nov 2026 09:00:01 +0000"),
        )
    )
    for mail in (ours, again, others, later, ours, later):
        spool.open()
        spool.keep([mail])

    box: mailbox.Mailbox[mailbox.Message] = (
        mailbox.Maildir(str(tmp_path / "box"), create=False)
        if form == "maildir"
        else mailbox.mbox(str(tmp_path / "box"), create=False)
    )
    assert sorted((mail["Delivered-To"], mail["Date"][-8:-6]) for mail in box) == [
        ("other@x", "00"),
        ("r@x", "00"),
        ("r@x", "01"),
    ]


@pytest.mark.parametrize("form", FORMS)
def test_a_second_attempt_keeps_nothing_twice(form: str, tmp_path: Path) -> None:
    where = f"{form}:{tmp_path}/box"
    keep(where, Outbox(70))
    outbox = Outbox(90)
    keep(where, outbox)

    assert outbox.accepted == list(range(1, 91))
    assert len(read(where)) == 90


def test_what_a_mail_program_has_read_is_not_kept_again(tmp_path: Path) -> None:
    keep(f"maildir:{tmp_path}/box", Outbox(2))
    new = tmp_path / "box/new/1@example.org"
    new.rename(tmp_path / "box/cur/1@example.org:2,S")
    keep(f"maildir:{tmp_path}/box", Outbox(2))

    assert sorted(each.name for each in tmp_path.glob("box/*/*")) == [
        "1@example.org:2,S",
        "2@example.org",
    ]


@pytest.mark.parametrize("form", FORMS)
def test_lines_that_look_like_the_form_s_own_come_back_as_they_were(
    form: str, tmp_path: Path
) -> None:
    path = tmp_path / "box"
    keep(f"{form}:{path}", Outbox(3, body=lambda key: letter(key, TRICKY)))
    if form == "mbox":
        stored = path.read_bytes()
        texts = [unquoted(part) for part in stored.split(b"\n\nFrom news@")]
        assert len(mailbox.mbox(path)) == 3
    else:
        texts = [each.read_bytes() for each in path.glob("new/*")]

    assert len(texts) == 3
    assert all(TRICKY.replace(b"\r\n", b"\n").rstrip() in text for text in texts)


def unquoted(text: bytes) -> bytes:
    """Takes one ``>`` away where mboxrd has put one."""
    lines = text.split(b"\n")
    return b"\n".join(
        line[1:] if line.startswith(b">") and line.lstrip(b">").startswith(b"From ") else line
        for line in lines
    )


@settings(max_examples=200, deadline=None)
@given(
    bodies=st.lists(
        st.lists(st.sampled_from([b"From x", b">From ", b"", b">", b"a", b"Message-ID: <z@z>"])),
        min_size=1,
        max_size=4,
    )
)
def test_an_mbox_can_be_taken_apart_again(
    bodies: list[list[bytes]], tmp_path_factory: object
) -> None:
    contents = [
        b"Message-ID: <%d@x>\n\n" % n + b"".join(line + b"\n" for line in body)
        for n, body in enumerate(bodies)
    ]
    mails = [Spooled(n, f"{n}@x", "", "r@x", content) for n, content in enumerate(contents)]
    whole = b"".join(entry(mail, "Tue Nov 24 09:00:00 2026") for mail in mails)

    parts = (b"\n\n" + whole).split(b"\n\nFrom MAILER-DAEMON ")[1:]
    texts = [unquoted(part.partition(b"\n")[2]) for part in parts]
    assert [text.rstrip(b"\n") for text in texts] == [mail.headed.rstrip(b"\n") for mail in mails]
    assert message_ids(io.BytesIO(whole)) == [f"{n}@x" for n in range(len(bodies))]


@pytest.mark.parametrize("form", FORMS)
def test_what_is_not_to_be_sent_is_not_kept(form: str, tmp_path: Path) -> None:
    where = f"{form}:{tmp_path}/box"
    outbox = Outbox(5)
    outbox.withheld = {2, 4}
    keep(where, outbox)

    assert outbox.accepted == [1, 3, 5]
    assert [outbox.words(key) for key in (2, 4)] == ["returned session"] * 2
    assert sorted(read(where)) == [f"<{key}@example.org>" for key in (1, 3, 5)]


@pytest.mark.parametrize("form", FORMS)
def test_what_no_server_would_be_sent_is_not_kept_either(form: str, tmp_path: Path) -> None:
    outbox = Outbox(3, body=lambda key: letter(key) if key != 2 else b"Subject: x\n\nbare\r\n")
    outbox.recipients[3] = "a b@example.net"
    keep(f"{form}:{tmp_path}/box", outbox)

    assert outbox.accepted == [1]
    assert outbox.words(2) == "answered data 554"
    assert outbox.words(3) == "answered rcpt 553"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("failing", ["sync", "write_all"])
def test_a_disk_that_fails_answers_for_nobody(
    form: str, failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = f"{form}:{tmp_path}/box"
    module = maildir_module if form == "maildir" else mbox_module
    real, calls = getattr(module, failing), []

    def fail(*given: object) -> None:
        calls.append(given)
        if len(calls) > 3:
            if failing == "write_all":
                os.write(int(str(given[0])), b"half of it")
            raise OSError(errno.ENOSPC, "No space left on device")
        real(*given)

    monkeypatch.setattr(module, failing, fail)
    outbox = Outbox(100)
    with pytest.raises(WireError, match="No space left on device"):
        keep(where, outbox)

    assert not outbox.in_hand
    assert {final.what for final in outbox.finals.values()} <= {"returned", "answered"}
    monkeypatch.undo()
    again = Outbox(100)
    keep(where, again)
    assert again.accepted == list(range(1, 101))
    assert read(where) == {f"<{key}@example.org>": letter(key) for key in range(1, 101)}


@pytest.mark.parametrize("form", FORMS)
def test_a_cancelled_run_leaves_nobody_in_the_air(form: str, tmp_path: Path) -> None:
    where = f"{form}:{tmp_path}/box"
    run: asyncio.Task[None]

    class Cancelling(Outbox):
        def answered(self, key: int, stage: Stage, reply: Reply) -> None:
            super().answered(key, stage, reply)
            if key == 60:  # in the midst of the second batch
                asyncio.get_running_loop().call_soon(run.cancel)

    outbox = Cancelling(300)

    async def cancel() -> None:
        nonlocal run
        run = asyncio.create_task(open_spool(where).run(outbox, outbox))
        with pytest.raises(asyncio.CancelledError):
            await run

    asyncio.run(cancel())
    assert not outbox.in_hand
    kept = read(where)
    assert {f"<{key}@example.org>" for key in outbox.accepted} <= kept.keys()
    again = Outbox(300)
    keep(where, again)
    assert len(read(where)) == 300


_KILLED = """
import asyncio, sys
from mailer.adapters.spool import open_spool
from tests.wire import Outbox
class Telling(Outbox):
    def answered(self, key, stage, reply):
        super().answered(key, stage, reply)
        sys.stdout.write(f"{key}\\n"); sys.stdout.flush()
outbox = Telling(int(sys.argv[2]))
asyncio.run(open_spool(sys.argv[1]).run(outbox, outbox))
"""


@pytest.mark.parametrize("form", FORMS)
def test_kill_9_at_any_moment_loses_nothing_and_doubles_nothing(form: str, tmp_path: Path) -> None:
    where = f"{form}:{tmp_path}/box"
    people = 1500
    answered: set[str] = set()
    killed = 0
    for after in (1, 2, 3, 40, 200, 0):
        child = subprocess.Popen(
            [sys.executable, "-c", _KILLED, where, str(people)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        for heard, line in enumerate(child.stdout, 1):
            answered.add(f"<{line.strip()}@example.org>")
            if heard == after:
                time.sleep(0.001 * after % 0.007)
                child.send_signal(signal.SIGKILL)
        killed += child.wait() == -signal.SIGKILL
        found = read_whole(where)
        assert answered <= found

    assert killed >= 3
    assert read(where) == {f"<{key}@example.org>": letter(key) for key in range(1, people + 1)}


def read_whole(where: str) -> set[str]:
    """What is there whole, directly after a kill."""
    form, _, path = where.partition(":")
    if form == "maildir":
        return set(read(where))
    with Path(path).open("rb") as file:
        return {f"<{each}>" for each in message_ids(file)}


def test_a_broken_append_is_finished_by_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut at every byte: of the journal, then of the mbox."""
    path = tmp_path / "box"
    one, two = (
        Spooled(n, f"{n}@x", "s@x", "r@x", b"Message-ID: <%d@x>\n\nx\n" % n) for n in (1, 2)
    )
    box = Mbox(path, clock=lambda: 0)
    box.open()
    box.keep([one])
    before = path.read_bytes()
    journals: list[bytes] = []

    def note(handle: int, data: bytes) -> None:
        write_all(handle, data)
        if (tmp_path / "box.journal").exists():
            journals.append((tmp_path / "box.journal").read_bytes())

    monkeypatch.setattr(mbox_module, "write_all", note)
    box.keep([two])
    monkeypatch.undo()
    after, journal = path.read_bytes(), journals[-1]

    assert after.startswith(before)
    for cut in range(len(journal) + 1):
        path.write_bytes(before)
        (tmp_path / "box.journal").write_bytes(journal[:cut])
        Mbox(path).open()
        assert path.read_bytes() == (after if cut == len(journal) else before)
        assert not (tmp_path / "box.journal").exists()
    for cut in range(len(before), len(after) + 1):
        path.write_bytes(after[:cut])
        (tmp_path / "box.journal").write_bytes(journal)
        Mbox(path).open()
        assert path.read_bytes() == after
    path.write_bytes(before + b"From another@program Thu Jan  1 00:00:00 1970\n\n")
    (tmp_path / "box.journal").write_bytes(journal)
    with pytest.raises(OSError, match="changed"):
        Mbox(path).open()


def test_a_mail_behind_another_program_s_begins_on_its_own_line(tmp_path: Path) -> None:
    path = tmp_path / "box"
    path.write_bytes(b"From a@b Thu Jan  1 00:00:00 1970\nSubject: old\n\nno line end")
    keep(f"mbox:{path}", Outbox(1))

    assert [mail["Subject"] for mail in mailbox.mbox(path)] == ["old", "1"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "name",
    ["with blank", "ünï/cødé", "-rf", "a:b", "%s%n", "'\"$(x)`", "new\nline", "\udcff\udcfe"],
)
def test_ugly_paths_are_paths(form: str, name: str, tmp_path: Path) -> None:
    outbox = Outbox(2)
    keep(f"{form}:{tmp_path}/{name}", outbox)

    assert outbox.accepted == [1, 2]
    assert (tmp_path / name).exists()


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ("out", "names no spool"),
        ("mh:out", "names no spool"),
        ("mbox:", "names no spool"),
        ("mbox:a\0b", "names no spool"),
        ("maildir:{}/file", "folder of other things|Not a directory|no folder"),
        ("maildir:{}/full", "folder of other things"),
        ("maildir:{}/file/box", "no folder|Not a directory"),
        ("mbox:{}/full", "no plain file"),
        ("mbox:{}/file", "not an mbox"),
        ("mbox:{}/loop", "symbolic links"),
        ("mbox:{}/" + "n" * 300, "too long"),
        ("mbox:~nobodyhere/x", "home directory"),
    ],
)
def test_what_is_no_spool_is_refused_before_anything_is_written(
    where: str, why: str, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/thesis.odt").write_text("precious")
    (tmp_path / "file").write_text("precious")
    (tmp_path / "loop").symlink_to("loop")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=why):
        open_spool(where.format(tmp_path))

    assert sorted(tmp_path.rglob("*")) == before


@given(st.text(min_size=1, max_size=300))
def test_a_name_of_a_file_is_always_one(message_id: str) -> None:
    name = file_name(message_id.encode("utf-8", "replace").decode())

    assert "/" not in name
    assert ":" not in name
    assert not name.startswith(".")
    assert 0 < len(name) < 240
    assert name.isascii()
