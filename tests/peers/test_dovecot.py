"""An IMAP server describes each sample edition as it is: Dovecot's BODYSTRUCTURE (RFC 9051, 7.5.2).

Mail programs on telephones build what they show from this answer, before they have read the mail.
Only the program for one mailbox is run, without the server around it: it reads commands from its
standard input and needs no port.
"""

from __future__ import annotations

import email
import email.policy
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.peers.programs import DOVECOT, dovecot, open_folder, run

ORDINARY = 65534  # who runs it when root runs the tests: Dovecot serves no mail as root
WORD = re.compile(rb'\s*(?:"((?:[^"\\]|\\.)*)"|([()])|([^\s()"]+))')


def parsed(words: Iterator[re.Match[bytes]]) -> list[Any]:
    """A parenthesised list as a list; NIL is None, numbers are numbers."""
    found: list[Any] = []
    for word in words:
        quoted, bracket, atom = word.groups()
        if bracket == b"(":
            found.append(parsed(words))
        elif bracket == b")":
            break
        elif quoted is not None:
            found.append(quoted.decode())
        else:
            found.append(None if atom == b"NIL" else int(atom))
    return found


def structures(mails: list[bytes]) -> list[list[Any]]:
    """Puts mails into a mailbox and asks for the structure of each."""
    program = dovecot("imap")
    user = os.getuid() or ORDINARY
    with open_folder("dovecot") as folder:
        for name in ("mail", "mail/cur", "mail/new", "mail/tmp", "run"):
            (folder / name).mkdir()
        for number, mail in enumerate(mails):
            (folder / f"mail/cur/{number:03}.eml:2,").write_bytes(mail)
        for each in (folder, *folder.rglob("*")):
            each.chmod(0o777)
        settings = [
            f"mail_location=maildir:{folder}/mail",
            f"base_dir={folder}/run",
            f"mail_uid={user}",
            f"mail_gid={user}",
            "first_valid_uid=1",
        ]
        printed = run(
            [program, "-O", *(word for each in settings for word in ("-o", each))],
            stdin=b"a SELECT INBOX\r\nb FETCH 1:* (BODYSTRUCTURE)\r\nc LOGOUT\r\n",
            seconds=30,
            environment={"LD_LIBRARY_PATH": str(DOVECOT), "HOME": str(folder), "USER": "reader"},
        )
    assert b"b OK" in printed
    found = re.findall(rb"^\* [0-9]+ FETCH \(BODYSTRUCTURE (.*)\)\r?$", printed, re.MULTILINE)
    return [parsed(WORD.finditer(each))[0] for each in found]


def ours(mail: bytes) -> list[Any]:
    """What the answer must be, from the bytes themselves: sizes in octets, and lines."""
    message = email.message_from_bytes(mail, policy=email.policy.strict)
    boundary = message.get_boundary()
    assert boundary is not None
    pieces = mail.split(f"--{boundary}".encode())[1:-1]
    parts = []
    for piece, part in zip(pieces, message.iter_parts(), strict=True):
        body = piece.removeprefix(b"\r\n").removesuffix(b"\r\n").partition(b"\r\n\r\n")[2]
        kind = [part.get_content_maintype(), part.get_content_subtype(), ["charset", "utf-8"]]
        how = [None, None, part["Content-Transfer-Encoding"], len(body), body.count(b"\n")]
        parts.append([*kind, *how, None, None, None, None])
    return [*parts, "alternative", ["boundary", boundary], None, None, None]


@pytest.fixture(scope="module")
def mails(rendered: Mapping[str, Path]) -> list[bytes]:
    return [(folder / "message.eml").read_bytes() for folder in rendered.values()]


def test_dovecot_finds_two_parts_of_the_size_that_they_have(mails: list[bytes]) -> None:
    assert structures(mails) == [ours(each) for each in mails]


def test_it_would_tell_of_a_part_that_is_not_what_it_says(mails: list[bytes]) -> None:
    """The comparison can fail: a boundary that is never met, and an encoding that is none."""
    mail = mails[0]
    torn = mail.replace(b"\r\n--=_mailer", b"\r\n-=_mailer", 1)
    other = mail.replace(b"Transfer-Encoding: quoted-printable", b"Transfer-Encoding: 8bit", 1)

    for changed in (torn, other):
        assert structures([changed]) != [ours(mail)]
