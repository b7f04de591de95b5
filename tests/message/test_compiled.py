"""A compiled message merges any person's values into bytes that decode to what was meant."""

from __future__ import annotations

import dataclasses
import email
import html as stdlib_html
import itertools
import re
from email.message import Message

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailer.errors import InputError
from mailer.message import headers
from mailer.message.compiled import CompiledMessage, MergeError, compile_message
from mailer.message.mailbox import HeaderError
from mailer.message.program import Program
from mailer.model.words import FieldKind
from mailer.smtp.text import Text
from tests.message.letters import FIELDS, LETTERHEAD, ZOE, Pen, letter, rendition

AWKWARD = ["", " ", ".", "..", "From ", "=", "=20", "{{", "}}", "{% if %}", "{#", "\n", "\n.\n",
           "\t", "--", "é", "世界", "🙂", "\u2028", "e\u0301", "x" * 80, "<b>&amp;\"'"]  # fmt: skip
_letters = st.characters(exclude_categories=["Cs", "Cc"])
values = st.text(_letters, max_size=120) | st.lists(st.sampled_from(AWKWARD), max_size=8).map(
    "".join
)
constants = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="{}<>&[]"), max_size=200
) | st.lists(
    st.sampled_from([".", "From ", "=", "\r\n", "\n", " ", "é", "世" * 40, "y" * 90, "a{%b", "{#"]),
    max_size=8,
).map("".join)  # fmt: skip


def parsed(message: bytes) -> tuple[Message, str, str]:
    """The standard library's parser, and its decoding of both parts."""
    found = email.message_from_bytes(message)
    text, html = list(found.walk())[1:]
    return found, _decoded(text), _decoded(html)


def _decoded(part: Message) -> str:
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode().replace("\r\n", "\n")


def assert_wire(message: bytes) -> None:
    """Only CRLF, 7 bit, 76 columns in bodies and 998 in headers, no line that relays spoil."""
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)|[^\t\r\n -~]", message)
    head, _, body = message.partition(b"\r\n\r\n")
    assert max(map(len, head.split(b"\r\n"))) <= 998
    for line in body.split(b"\r\n"):
        assert len(line) <= 76
        assert not line.startswith((b".", b"From "))


def is_plain(message: bytes) -> bool:
    """Whether a look at each byte finds what ``Merged.plain`` says of it."""
    text = Text(message)
    known = Text.of_plain([message[:9], message[9:]])
    same = (known.size, known.stuffed, known.message()) == (text.size, text.stuffed, message)
    return text.clean and text.ascii and same


def meant(value: str) -> str:
    """What a value prints as: a blank one counts as empty."""
    return "" if value.isspace() else value


@given(constants, constants, values, values, st.booleans())
def test_merged_then_decoded_is_decoded_then_merged(
    one: str, two: str, name: str, city: str, resident: bool
) -> None:
    pen = Pen()
    first, opens, second, ends = map(
        pen.lift, ("{{ first_name }}", "{% if member %}", "{{ city }}", "{% endif %}")
    )
    body = f"{one}[{first}]{two}[{opens}{second}{ends}]{one}"
    written = dataclasses.replace(
        rendition(), subject=first, text=body, html=f"<p>{body}</p>", slots=tuple(pen.slots)
    )
    message = compile_message(written, LETTERHEAD, fields=FIELDS, blank_ok=True)
    person = {"first_name": name, "city": city, "member": resident}
    if re.search("[\n\t\u2028]", meant(name)):  # no header can hold it: told at plan time
        with pytest.raises(MergeError):
            message.check_values(person)
        person["first_name"] = name = ""
    message.check_values(person)
    pieces, plain, _ = message.merged(person, ZOE)
    wire = b"".join(pieces)
    _, text, html = parsed(wire)

    assert_wire(wire)
    assert not plain or is_plain(wire)
    lines = [re.sub("\r\n?", "\n", constant) for constant in (one, two)]
    expected = f"{lines[0]}[{meant(name)}]{lines[1]}[{meant(city) if resident else ''}]{lines[0]}"
    assert text == expected
    assert stdlib_html.unescape(re.sub("&(?!amp;|lt;|gt;|quot;|#x27;)", "&amp;", html)) == (
        f"<p>{expected}</p>"
    )
    parts = message.parts(person, ZOE)
    assert (parts.text, parts.html) == (text, html)
    assert parts.subject == meant(name).strip(" ")


PIECES = ["a", ".", "..", "\r", "\n", "\r\n", "\0", "=", "=\r\n", " .", "é", " ", "\x1f", ""]
pieces = st.lists(st.sampled_from(PIECES), max_size=5).map("".join)


@given(st.lists(pieces, min_size=2, max_size=4), st.lists(pieces, max_size=3))
@example(["a\r\n", "b"], [".c"])
@example(["a", "b\r\n", "c"], ["d", ".e"])
@example(["a", "b"], ["c=\r\n.d"])
@example(["a", "b"], ["c\r\nd\ne"])
@example(["a\r\n", ".b"], [""])
@example(["a\r\n.b", "c"], ["d"])
@example(["a\0", "b"], ["c"])
@example(["a\r", "\nb"], [""])
@example(["a\rb", "c"], ["d"])
def test_plain_is_said_of_plain_bytes_alone(constants: list[str], values: list[str]) -> None:
    """Even if the encoder of constants and the cleaning of values let everything through."""
    ascii_only = [text.replace("é", "") for text in (*constants, *values)]
    constants, values = ascii_only[: len(constants)], ascii_only[len(constants) :]
    program = Program(tuple(constants), quoted=True, kinds={})
    woven = itertools.zip_longest(constants, values, fillvalue="")
    pieces_of_it = list(itertools.chain(*woven))
    program._bare = None  # by the template, which is this one
    program._root = lambda _: iter([*pieces_of_it, "!"])

    message, _, plain = program.encode({})

    whole = b"x" + message + b"\r\n"  # a line has begun before, and ends behind it
    assert not plain or is_plain(whole)


@given(values | st.just("Zoe"), st.sampled_from(["", " ", "Oslo", ".a", "a=b", "x" * 80]) | values)
@example("Zoe", "Oslo")
@example(" ", "Oslo")
@example("Zoe", "x" * 80)
@example("Zoe .b", "a.")
def test_names_alone_are_filled_in_as_the_template_does(name: str, city: str) -> None:
    """The short way gives the same bytes and the same mark, or leaves it to the template."""
    message = letter(
        subject="News",
        text="{{ first_name | default('you') }}: {{ city | default('here') }}\n\n{{ city }}\n",
        html='<p title="{{ city | default("x") }}">{{ first_name | default("y") }}</p>'
        '<a href="{{ unsubscribe_url }}">.</a><a href="https://example.org/?c={{ city }}">.</a>',
        blank_ok=True,
    )
    names = message._names({"first_name": name, "city": city}, ZOE)
    filled = {}
    for way in ("short", "template"):
        short = [program._filled(names) is not None for program, _ in message._runs]
        assert all(short) == (way == "short" and bool(name.strip() and city.strip()))
        filled[way] = [program.encode(names) for program, _ in message._runs]
        for program, _ in message._runs:
            program._bare = None

    assert [each[:2] for each in filled["short"]] == [each[:2] for each in filled["template"]]
    for message_bytes, _, plain in filled["short"]:
        assert not plain or is_plain(b"x" + message_bytes + b"\r\n")


def test_a_value_that_is_also_a_constant_has_the_mark_of_the_template() -> None:
    """Else a retry after an upgrade would be taken for another letter."""
    message = letter(subject="News", text="{{ first_name }}/{{ city }}\n", html="<p>x</p>")
    names = message._names({"first_name": "Zoe", "city": "/"}, ZOE)
    program, _ = message._runs[0]
    short = program.encode(names)
    program._bare = None

    assert short[:2] == program.encode(names)[:2]


@pytest.mark.parametrize(
    ("html", "bare"),
    [
        ("<p>{{ first_name }}, {{ city | default('x') }}</p>", True),
        ("<p>{{ first_name | upper }}</p>", False),
        ("<p>{% if city %}x{% endif %}</p>", False),
        (
            "<p>{{ first_name | default(visits) }}</p>",
            False,
        ),  # which the template prints or refuses
        ("<p>{{ visits }}</p>", False),  # a number: it is printed by the rules of its kind
    ],
)
def test_only_names_are_filled_in_without_the_template(html: str, bare: bool) -> None:
    message = letter(subject="News", text="x\n", html=html)

    assert all(program._bare is not None for program, _ in message._runs) == bare


@given(values, values, st.booleans())
def test_the_mark_tells_letters_apart(one: str, two: str, member: bool) -> None:
    message = letter(
        subject="News",
        text="{{ city | default('x') }}\n"
        "{% if member %}{{ first_name | default('y') }}\n{% endif %}",
        html="<p>{{ city | default('x') }}</p>",
    )
    found = []
    for city in (one, two):
        person = {"city": city, "first_name": city, "member": member}
        pieces, _, mark = message.merged(person, ZOE)
        found.append((b"".join(pieces), mark))

    assert (found[0][0] == found[1][0]) == (found[0][1] == found[1][1])


def test_a_usual_letter_is_plain() -> None:
    """Or its bytes would be looked at again, one by one, for nothing."""
    message = letter(
        subject="News", text="{{ city }},\n.dot\n", html="<p>{{ first_name }}</p>\n<b>é</b>\n"
    )

    assert message.merged({"first_name": "Zoë", "city": "Aarhus"}, ZOE).plain
    assert not message.merged({"first_name": "Zoë", "city": "a\tb"}, ZOE).plain


@given(st.text(max_size=60))
def test_any_text_at_all_is_sent_or_told_at_plan_time(name: str) -> None:
    message = letter(
        text="{{ first_name | default('x') }}\n", html="<p title='{{ first_name | title }}'></p>"
    )
    person = {"first_name": name, "unused": name}
    try:
        message.check_values(person)
    except MergeError:
        assert not name.strip()
    else:
        assert_wire(message.merge(person, ZOE))


def test_controls_and_lone_surrogates_never_reach_a_body() -> None:
    message = letter(text="{{ city }}\n", html="<p>{{ city }}</p>")
    parts = message.parts({"city": "a\x00\x1b[1m\x85b\r\nc\rd\ud800e"})

    assert parts.text == "a[1mb\nc\nd\ufffde\n"


def test_the_whole_message() -> None:
    message = letter(
        subject="News for {{ first_name }}",
        text="Dear {{ first_name }},\n\nLeave: {{ unsubscribe_url }}\n",
        html='<p>Dear {{ first_name }}</p><a href="{{ unsubscribe_url }}">Leave</a>\n',
    )

    expected = (
        b"Date: Tue, 24 Nov 2026 09:00:00 +0000\r\n"
        b"From: Tidewater <news@example.org>\r\n"
        b"Reply-To: office@example.org\r\n"
        b"To: zoe@example.net\r\n"
        b"Subject: =?utf-8?q?News_for_Zo=C3=AB?=\r\n"
        b"Message-ID: <m1@example.org>\r\n"
        b"List-Id: Harbour news <harbour.example.org>\r\n"
        b"List-Unsubscribe: <https://example.org/u/AbC-_123>,\r\n"
        b" <mailto:leave@example.org>\r\n"
        b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
        b"Feedback-ID: 1:1:list:tidewater\r\n"
        b"Precedence: bulk\r\n"
        b"MIME-Version: 1.0\r\n"
        b"Content-Type: multipart/alternative;\r\n"
        b' boundary="%(b)s"\r\n'
        b"\r\n"
        b"--%(b)s\r\n"
        b'Content-Type: text/plain; charset="utf-8"\r\n'
        b"Content-Transfer-Encoding: quoted-printable\r\n"
        b"\r\n"
        b"Dear =\r\nZo=C3=AB=\r\n,\r\n\r\nLeave: =\r\nhttps://example.org/u/AbC-_123=\r\n\r\n"
        b"\r\n"
        b"--%(b)s\r\n"
        b'Content-Type: text/html; charset="utf-8"\r\n'
        b"Content-Transfer-Encoding: quoted-printable\r\n"
        b"\r\n"
        b'<p>Dear =\r\nZo=C3=AB=\r\n</p><a href=3D"=\r\nhttps://example.org/u/AbC-_123=\r\n'
        b'">Leave</a>\r\n'
        b"\r\n"
        b"--%(b)s--\r\n"
    ) % {b"b": message.boundary.encode()}
    assert message.merge({"first_name": "Zoë"}, ZOE) == expected


def test_other_scripts_go_as_base64_and_come_back() -> None:
    message = letter(
        text="Здравствуйте, {{ first_name }}!\n" * 9,
        html="<p>Здравствуйте, {{ first_name }}!</p>\n" * 9,
    )
    wire = message.merge({"first_name": "Анна\nМария"}, ZOE)
    _, text, html = parsed(wire)

    assert_wire(wire)
    assert wire.count(b"Content-Transfer-Encoding: base64\r\n") == 2
    assert text == "Здравствуйте, Анна\nМария!\n" * 9
    assert html == "<p>Здравствуйте, Анна\nМария!</p>\n" * 9
    assert message.parts({"first_name": "Анна\nМария"}).text == text


def test_each_part_takes_the_shorter_encoding() -> None:
    message = letter(text="Здравствуйте!\n" * 9, html="<p>plain</p>" * 9)

    assert (message.text.encoding, message.html.encoding) == ("base64", "quoted-printable")


def test_a_frozen_message_thaws_to_the_same_bytes() -> None:
    message = letter(
        subject="For {{ first_name | default('you') }}",
        preheader="{{ city | default('') }}",
        text="{% for t in topics %}{{ t }}, {% endfor %}{{ visits | number('1,234') }}\n",
        html="<!--{% if born > '2000-01-01' %}-->Привет! {{ born | date('%B') }}<!--{% endif %}-->",
        web_html="<p>{{ city | default_web('here') }}</p>",
    )
    thawed = CompiledMessage.load(message.dump())
    person = {"topics": ["a", "b"], "visits": 1234, "born": "2001-02-03", "city": "é"}

    assert thawed == message
    assert thawed.dump() == message.dump()
    assert thawed.merge(person, ZOE) == message.merge(person, ZOE)
    assert thawed.web_page() == message.web_page() == "<p>here</p>"
    assert thawed.names == {"first_name", "city", "topics", "visits", "born"}


def test_a_frozen_message_of_another_format_is_refused() -> None:
    with pytest.raises(InputError, match="another version"):
        CompiledMessage.load(letter().dump().replace('"format": 1', '"format": 99'))


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        letter(
            letterhead=dataclasses.replace(LETTERHEAD, feedback_id="wrong"),
            subject="{{ frist_name }}",
            text="{% if city %}",
            html="<style>{{ city }}</style><p title='{% if city %}'>{% endif %}",
            web_html="{{ city }}",
        )

    told = str(caught.value)
    assert "issue.md:1: There is no field `frist_name`." in told
    assert "issue.md:2: `{% if city %}` never closes." in told
    assert "issue.md:3: `city` can't stand in <style>." in told
    assert "issue.md:4: `{% if city %}` closes in another place than where it opened." in told
    assert "issue.md:6: `city` shows nothing in the web version." in told
    assert "can't be a Feedback-ID" in told


def test_a_default_that_is_no_web_address_is_a_fault_of_the_web_version() -> None:
    page = "<a href=\"{{ website | default('example.org') }}\">x</a>"
    with pytest.raises(InputError, match="is not a web address"):
        letter(web_html=page)


def test_the_web_version_shows_defaults_and_no_person() -> None:
    message = letter(
        html="x",
        web_html="<p>{{ first_name | default('reader') | default_web('friend') }} "
        "{{ city | default('here') }}{% if email %}!{% endif %} {{ web_url }}"
        "{% for t in topics %}{{ t }}{% endfor %}</p>",
    )

    assert message.web_page() == "<p>friend here https://example.org/w/abc</p>"


def test_a_service_mail_has_no_list_headers() -> None:
    service = dataclasses.replace(LETTERHEAD, bulk=False, mark="[test]")
    message = letter(letterhead=service, subject="Tide {{ city }}")
    found, _, _ = parsed(message.merge({"city": "é"}, dataclasses.replace(ZOE, unsubscribe_url="")))

    assert not [name for name in found if name.startswith("List-")]
    assert found["Precedence"] is None
    assert found["Auto-Submitted"] is None  # an officer's copy is no automatic mail
    assert message.parts({"city": "é"}).subject == "[test] Tide é"


@pytest.mark.parametrize(
    "wrong",
    [
        {"to": "a@b.example\r\nBcc: x@example.org"},
        {"to": "a b@example.org"},
        {"to": ""},
        {"message_id": "<a@example.org>"},
        {"message_id": "a@example.org>\r\nX: y"},
        {"message_id": "a"},
        {"message_id": "a" * 500 + "@example.org"},
        {"date": "today"},
        {"date": "Tue, 24 Nov 2026 09:00:00 +0000\n"},
        {"unsubscribe_url": ""},
        {"unsubscribe_url": "javascript:alert(1)"},
        {"unsubscribe_url": "https://example.org/u/a, <https://evil.example>"},
        {"unsubscribe_url": "https://example.org/u/a\r\n"},
        {"unsubscribe_url": "https://example.org/" + "a" * 1000},
        {"unsubscribe_mailto": "leave@example.org"},
    ],
)
def test_what_can_not_stand_in_a_persons_headers(wrong: dict[str, str]) -> None:
    with pytest.raises(HeaderError):
        letter().merge({}, dataclasses.replace(ZOE, **wrong))


header_text = st.text(max_size=30) | st.lists(
    st.sampled_from(
        ["a@b.example", "https://x.example/", "\r\n", "Bcc: x", " ", "<", ">", ",", "mailto:"]
    )
).map("".join)


@given(header_text, header_text, header_text, header_text, header_text)
def test_whatever_a_person_is_the_header_block_passes_the_gate(
    to: str, name: str, unsubscribe_url: str, unsubscribe_mailto: str, message_id: str
) -> None:
    message = letter(subject="{{ first_name }}", blank_ok=True)
    for wrong in (
        {"to": to},
        {"unsubscribe_url": unsubscribe_url},
        {"unsubscribe_mailto": unsubscribe_mailto},
        {"message_id": message_id},
        {"date": name},
        {},
    ):
        try:
            wire = message.merge({"first_name": name}, dataclasses.replace(ZOE, **wrong))
        except (HeaderError, MergeError):
            continue
        headers.gate(wire.partition(b"\r\n\r\n")[0] + b"\r\n")


def test_a_marked_copy_differs_in_its_subject_only() -> None:
    for message in (letter(subject="Tide"), letter(subject="Tide {{ city }}")):
        person = {"city": "é"}
        copy = message.marked("[test]")

        assert copy.parts(person).subject == f"[test] {message.parts(person).subject}"
        plain, marked = (
            [line for line in each.merge(person, ZOE).split(b"\r\n") if line[:8] != b"Subject:"]
            for each in (message, copy)
        )
        assert plain == marked


def test_an_address_is_written_with_a_labels_or_refused_by_name() -> None:
    hello = letter()

    assert b"\r\nTo: zoe@xn--bcher-kva.example\r\n" in hello.merge(
        {}, dataclasses.replace(ZOE, to="zoe@bücher.example")
    )
    assert "\r\nTo: zoë@xn--bcher-kva.example\r\n".encode() in hello.merge(
        {}, dataclasses.replace(ZOE, to="zoë@bücher.example")
    )
    for hostile in ("zoë x@example.org", "zoë\r\nBcc: a@example.org", "zoë,a@example.org"):
        with pytest.raises(HeaderError):
            hello.merge({}, dataclasses.replace(ZOE, to=hostile))


def test_the_boundary_comes_from_the_seed_alone() -> None:
    again = dataclasses.replace(LETTERHEAD, sender=LETTERHEAD.sender, seed=LETTERHEAD.seed)
    other = dataclasses.replace(LETTERHEAD, seed="campaign 1, variant 2")

    assert letter().merge({}, ZOE) == letter(letterhead=again, subject="Harbour news").merge(
        {}, ZOE
    )
    assert letter().boundary != letter(letterhead=other).boundary


def test_a_field_named_like_a_built_in_name_does_not_hide_it() -> None:
    message = compile_message(
        rendition(text="{{ email }}"), LETTERHEAD, fields={**FIELDS, "email": FieldKind.number}
    )

    assert message.names == frozenset()
    assert message.parts({"email": 3}, ZOE).text == "zoe@example.net"
