"""The faults of the standard library's builder (P1 to P9) are not ours: one test for each."""

from __future__ import annotations

import dataclasses
import email.message
import email.policy
import re
from email.parser import BytesHeaderParser

import pytest

from mailer.message import headers
from mailer.message.compiled import PersonHeaders
from mailer.message.mailbox import HeaderError, Mailbox, NonAsciiLocalPartError, encode_address
from mailer.message.quoted import quote_constant
from tests.message.letters import LETTERHEAD, ZOE, letter

LONG_LINK = "https://lists.example.org/u/" + "A1b2-_" * 20


def head_and_body(message: bytes) -> tuple[list[str], bytes]:
    head, _, body = message.partition(b"\r\n\r\n")
    return head.decode("ascii").split("\r\n"), body


def test_p1_list_unsubscribe_and_its_like_are_never_encoded() -> None:
    person = dataclasses.replace(
        ZOE, unsubscribe_url=LONG_LINK, message_id="m" * 60 + "@long.domain.of.example.org"
    )
    head, _ = head_and_body(letter().merge({}, person))

    assert f"List-Unsubscribe: <{LONG_LINK}>," in head
    assert f"Message-ID: <{person.message_id}>" in head
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in head
    assert not any("=?" in line for line in head)
    assert headers.structured("References", "<" + "r" * 100 + "@example.org>").count("\r\n") == 1


def test_p2_a_long_subject_is_many_short_words_and_bodies_keep_76_columns() -> None:
    message = letter(subject="Marées de l’été " * 30, html="<p>" + "é x" * 300 + "</p>")
    head, body = head_and_body(message.merge({}, ZOE))
    words = re.findall(r"=\?utf-8\?[bq]\?[^?]*\?=", "\n".join(head))

    assert len(words) > 5
    assert max(map(len, words)) <= 75
    assert max(len(line) for line in head if "=?" in line) <= 76
    assert max(map(len, body.split(b"\r\n"))) <= 76


def test_p3_quoted_printable_keeps_76_columns_and_guards_the_first() -> None:
    text = "." + "x" * 200 + "\n.\nFrom here\nblank \ntab\t\nline of exactly " + "y" * 60 + "=\n"
    lines = quote_constant(text).split("\r\n")

    assert max(map(len, lines)) <= 76
    assert not [line for line in lines if line.startswith((".", "From "))]
    assert not [line for line in lines if line.endswith((" ", "\t"))]
    assert not re.search("=[0-9a-f]*[a-f]", "".join(lines).replace("y=3D", ""))


@pytest.mark.parametrize(
    "attack",
    [
        "=?utf-8?q?a=0aBcc=3a_x=40y=2ez?=",
        "=?utf-8?b?YQpCY2M6IHhAeS56?=",
        "a =?utf-8?q?=0d=0aX=3a_y?= b",
    ],
)
def test_p4_an_encoded_word_in_a_value_is_not_decoded_into_a_header(attack: str) -> None:
    letterhead = dataclasses.replace(LETTERHEAD, sender=Mailbox(attack, "news@example.org"))
    message = letter(letterhead=letterhead, subject="{{ first_name }}").merge(
        {"first_name": attack}, ZOE
    )
    head, _ = head_and_body(message)
    names = [line.partition(":")[0] for line in head if not line.startswith(" ")]

    assert "Bcc" not in names
    assert "X" not in names
    found = BytesHeaderParser(policy=email.policy.compat32).parsebytes(message)
    for name in ("Subject", "From"):
        decoded = str(email.header.make_header(email.header.decode_header(found[name])))
        assert attack in decoded


@pytest.mark.parametrize("control", ["\r", "\n", "\0", "\x1b", "\x85", "\u2028", "\u2029"])
def test_p4_controls_in_a_header_are_refused(control: str) -> None:
    message = letter(subject="{{ first_name }}")
    with pytest.raises(ValueError, match="control character"):
        message.merge({"first_name": f"a{control}Bcc: x@example.org"}, ZOE)
    with pytest.raises(HeaderError):
        headers.mailbox("From", Mailbox(f"a{control}b", "news@example.org"))


@pytest.mark.parametrize(
    "name",
    [
        "A" * 70 + ", " + "B" * 70 + " x",
        "Smith, John " * 8,
        "Zoë, " * 20,
        '"quoted", <evil@example.net>, ' * 3,
    ],
)
def test_p5_a_comma_in_a_long_name_never_makes_a_second_recipient(name: str) -> None:
    field = headers.mailbox("Reply-To", Mailbox(name, "a@example.org"))
    parser = BytesHeaderParser(policy=email.policy.default)
    addresses = parser.parsebytes(field.encode())["Reply-To"].addresses

    assert [address.addr_spec for address in addresses] == ["a@example.org"]
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", field)
    assert "," not in bare
    assert "=?utf-8?q?=2C?=" not in field


def test_p6_no_encoded_word_inside_of_an_address() -> None:
    person = dataclasses.replace(ZOE, to="zoe@bücher.example")
    head, _ = head_and_body(letter().merge({}, person))

    assert "To: zoe@xn--bcher-kva.example" in head
    with pytest.raises(NonAsciiLocalPartError):
        encode_address("zoë@bücher.example")


@pytest.mark.parametrize("body", ["é\n", "世界\n" * 50, "plain\n", "🙂\n"])
def test_p7_every_part_is_seven_bit_on_the_wire(body: str) -> None:
    message = letter(text=body, html=f"<p>{body}</p>").merge({}, ZOE)

    assert message.isascii()
    encodings = re.findall(rb"Content-Transfer-Encoding: (\S+)", message)
    assert len(encodings) == 2
    assert set(encodings) <= {b"quoted-printable", b"base64"}


def test_p8_the_message_is_alternative_of_text_and_html_and_nothing_is_an_attachment() -> None:
    found = email.message_from_bytes(letter().merge({}, ZOE), policy=email.policy.default)

    kinds = [part.get_content_type() for part in found.walk()]
    assert kinds == ["multipart/alternative", "text/plain", "text/html"]
    assert [part.get_content_charset() for part in found.walk()][1:] == ["utf-8", "utf-8"]
    assert not [part for part in found.walk() if part["Content-Disposition"]]
    assert not [defect for part in found.walk() for defect in part.defects]


@pytest.mark.parametrize("address", ["a@b.c\r\nRCPT TO:<x@y>", "a@evil)b@good.example", "a@b.c>"])
def test_p9_an_address_is_refused_and_never_guessed(address: str) -> None:
    with pytest.raises(HeaderError):
        encode_address(address)
    with pytest.raises(HeaderError):
        letter().merge({}, dataclasses.replace(ZOE, to=address))


def test_p9_no_bare_cr_or_lf_leaves_and_no_line_needs_a_dot_doubled() -> None:
    message = letter(
        text=".\n..\n{{ city }}\r.\r\n{{ first_name }}\n",
        html="<p>\r\n.\r{{ city }}\n.{{ first_name }}</p>",
    ).merge({"city": ".\r\n.\r.\n", "first_name": "a\rb\n.\n"}, ZOE)

    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", message)
    assert not re.search(rb"(?m)^\.", message)


def test_a_person_has_no_header_of_its_own_but_the_known_ones() -> None:
    fields = {field.name for field in dataclasses.fields(PersonHeaders)}

    assert fields == {
        "to",
        "message_id",
        "date",
        "unsubscribe_url",
        "preferences_url",
        "reconfirm_url",
        "unsubscribe_mailto",
        "email",
    }
