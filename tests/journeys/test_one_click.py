"""One click, sentence by sentence: RFC 8058 and what providers ask of bulk mail.

Each test names the section whose rule it holds, in our words. The mails are sent by the command
line, over SMTP, signed as a real send signs them; the posts are the bytes that mail programs send.
"""

from __future__ import annotations

import email
import email.policy
import http.client
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from mailer.adapters.inbox import Inbox
from mailer.message.links import Purpose, read, read_verp
from mailer.web.server import serving
from mailer.wiring import Mailer, open_mailer
from tests import builders
from tests.command_line import done, make_workspace
from tests.message.signing import verdicts

DOMAIN = "marren.example.org"
SITE = "https://news.marren.example.org"
FORM = "application/x-www-form-urlencoded"
PAIR = b"List-Unsubscribe=One-Click"
READERS = ("anna", "bruno", "chloe", "dov", "eva", "finn", "gerd", "hana", "ilja", "june")
ISSUE = """---
subject: Low water
lang: en
---
Good morning. High water is at six, low water at noon.
"""

# Every combination of what decides which headers a bulk mail has.
SIGNED = {"dkim_domain": DOMAIN, "dkim_selector": "m1"}
COMBINATIONS: dict[str, Mapping[str, str]] = {
    "unsigned": {},
    "signed": SIGNED,
    "two keys": SIGNED,
    "complaints": {**SIGNED, "cfbl_address": f"fbl@{DOMAIN}"},
    "two keys, complaints": {**SIGNED, "cfbl_address": f"fbl@{DOMAIN}"},
    "reply": {**SIGNED, "reply_to": "The editors <editor@marren.example.org>"},
    "bounces": {**SIGNED, "return_path": f"bounces+{{token}}@bounce.{DOMAIN}"},
    "all of it": {
        **SIGNED,
        "cfbl_address": f"fbl@{DOMAIN}",
        "reply_to": "editor@marren.example.org",
        "return_path": f"bounces+{{token}}@bounce.{DOMAIN}",
    },
}


@dataclass(frozen=True)
class Sent:
    """One mail as it came."""

    data: bytes
    sender: str  # of the envelope
    records: Mapping[str, str]  # what stands in the DNS

    @property
    def mail(self) -> EmailMessage:
        return email.message_from_bytes(self.data, policy=email.policy.default)

    @property
    def head(self) -> str:
        return self.data.partition(b"\r\n\r\n")[0].decode() + "\r\n"

    def fields(self, name: str) -> list[str]:
        """The values of a field, octet by octet, folding and all."""
        return re.findall(rf"(?im)^{re.escape(name)}:((?:.*\r\n)(?:[ \t].*\r\n)*)", self.head)

    @property
    def link(self) -> str:
        """The web address of List-Unsubscribe."""
        (value,) = self.fields("List-Unsubscribe")
        (found,) = re.findall(r"<(https?://[^>]*)>", value)
        return str(found)

    @property
    def signed_fields(self) -> list[list[str]]:
        """The names in h= of each signature, small."""
        return [
            re.sub(r"\s", "", re.findall(r"(?s)\bh=([^;]*)", each)[0]).lower().split(":")
            for each in self.fields("DKIM-Signature")
        ]


@contextmanager
def _sent(folder: Path, name: str, **settings: str) -> Iterator[tuple[Path, list[Sent]]]:
    """A campaign to READERS on the list Coast; they are on Harbour as well."""
    with Inbox() as inbox:
        workspace = make_workspace(folder, smtp_port=inbox.port, site_url=SITE, **settings)
        records = {}
        if settings.get("dkim_domain"):
            more = ["--ed25519"] if "two keys" in name else []
            made = done(workspace, "keys", "new", "m1", *more)
            records = {key["name"]: key["value"] for key in made["keys"]}
        contacts = workspace / "contacts.csv"
        contacts.write_text("\n".join(["email", *(f"{n}@example.org" for n in READERS)]), "utf-8")
        for each in ("coast", "harbour"):
            done(workspace, "import", str(contacts), "--list", each, "--create-list")
        issue = workspace / "data/issues/low-water"
        issue.mkdir(parents=True)
        (issue / "issue.md").write_text(ISSUE, "utf-8")
        done(workspace, "campaigns", "plan", "low-water", "--list", "coast")
        done(workspace, "campaigns", "send", "low-water", "--yes")
        came = sorted(inbox.messages, key=lambda each: each.recipients)  # as READERS are
        mails = [Sent(each.data, each.sender, records) for each in came]
        assert len(mails) == len(READERS)
        yield workspace, mails


@pytest.fixture(scope="module", params=list(COMBINATIONS))
def sent(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The mail to one reader, with each combination of settings; and what it is called."""
    folder = tmp_path_factory.mktemp("combination")
    with _sent(folder, request.param, **COMBINATIONS[request.param]) as (_, mails):
        yield request.param, mails


# ---- section 3.1: what the sender writes ----------------------------------------------------


def test_3_1_there_is_one_field_of_each(sent: tuple[str, list[Sent]]) -> None:
    """Section 3.1, first sentence: one List-Unsubscribe and one List-Unsubscribe-Post."""
    for each in sent[1]:
        assert len(each.fields("List-Unsubscribe")) == 1
        assert len(each.fields("List-Unsubscribe-Post")) == 1


def test_3_1_the_first_holds_exactly_one_https_address(sent: tuple[str, list[Sent]]) -> None:
    """Section 3.1: it must contain one HTTPS URI; RFC 2369 section 2: in brackets, no blank in it.

    Others than HTTP may stand beside it; nothing of ours does. It is never an encoded-word, also
    when it is longer than a line (RFC 2047 section 5).
    """
    for each in sent[1]:
        (value,) = each.fields("List-Unsubscribe")
        assert re.fullmatch(r"\s<https://[!-;=?-~]+>\r\n", value)
        assert "=?" not in value
        assert value.count("http") == 1


def test_5_the_second_has_exactly_this_value(sent: tuple[str, list[Sent]]) -> None:
    """Sections 3.1 and 5: the single pair List-Unsubscribe=One-Click, after one blank at most."""
    for each in sent[1]:
        assert each.fields("List-Unsubscribe-Post") == [" List-Unsubscribe=One-Click\r\n"]


def test_3_1_the_address_names_reader_and_list(sent: tuple[str, list[Sent]]) -> None:
    """Section 3.1: enough in the URI to know who leaves what; nothing else is asked for.

    It is each reader's own, and no address stands in it.
    """
    links = [each.link for each in sent[1]]
    assert len(set(links)) == len(READERS)
    for link, reader in zip(links, READERS, strict=True):
        assert reader not in link
        assert "example.org" not in urlsplit(link).path
        assert (urlsplit(link).query, urlsplit(link).fragment) == ("", "")


def test_4_a_valid_signature_covers_both(sent: tuple[str, list[Sent]]) -> None:
    """Section 4: both fields stand in h= of a DKIM signature that verifies."""
    name, mails = sent
    for each in mails:
        if name == "unsigned":
            assert each.fields("DKIM-Signature") == []
            continue
        assert verdicts(each.data, each.records) == [True] * (2 if "two keys" in name else 1)
        for names in each.signed_fields:
            assert {"list-unsubscribe", "list-unsubscribe-post", "from"} <= set(names)
            # Named once more than they stand, so that none can be added (RFC 6376 section 8.15).
            assert names.count("list-unsubscribe") == names.count("list-unsubscribe-post") == 2


def test_4_no_other_address_can_be_put_in_its_place(sent: tuple[str, list[Sent]]) -> None:
    """Sections 4 and 6: who changes the link, or adds one, breaks the signature."""
    name, mails = sent
    if name == "unsigned":
        return
    evil = b"List-Unsubscribe: <https://evil.example/u/1>\r\n"
    for forged in (
        mails[0].data.replace(
            b"List-Unsubscribe: <https://news.", b"List-Unsubscribe: <https://x."
        ),
        mails[0].data.replace(b"List-Unsubscribe: ", evil + b"List-Unsubscribe: "),
        mails[0].data.replace(b"List-Unsubscribe-Post: List", b"List-Unsubscribe-Post: Mist"),
    ):
        assert forged != mails[0].data
        assert not any(verdicts(forged, mails[0].records))


# ---- what providers ask of bulk mail, beside it ---------------------------------------------


def test_bulk_mail_has_the_headers_of_its_settings_and_no_others(
    sent: tuple[str, list[Sent]],
) -> None:
    """Gmail, Yahoo, Microsoft; RFC 2919 (List-Id), 9477 (CFBL), 5321 section 4.4 (Return-Path)."""
    name, mails = sent
    settings = COMBINATIONS[name]
    for each, reader in zip(mails, READERS, strict=True):
        mail = each.mail
        names = [field.lower() for field in mail.keys()]  # noqa: SIM118  one each, twice too
        once = {"from", "to", "date", "subject", "message-id", "list-id", "list-unsubscribe",
                "list-unsubscribe-post", "precedence", "mime-version", "content-type",
                "feedback-id"}  # fmt: skip
        once |= {"reply-to"} if "reply_to" in settings else set()
        once |= {"cfbl-address", "cfbl-feedback-id"} if "cfbl_address" in settings else set()
        assert sorted(field for field in names if field != "dkim-signature") == sorted(once)
        assert str(mail["To"]) == f"{reader}@example.org"
        assert str(mail["List-Id"]).endswith("<coast.news.marren.example.org>")
        assert len(str(mail["List-Id"])) <= 255
        assert mail["Precedence"] == "bulk"
        assert reader not in each.head.replace(f"To: {reader}@example.org", "")
        assert all(len(line.encode()) <= 998 for line in each.data.decode().split("\r\n"))


def test_feedback_id_counts_campaigns_and_no_person(sent: tuple[str, list[Sent]]) -> None:
    """Google's feedback loop: four fields from the right, the sender 5 to 15 long, not unique."""
    values = {str(each.mail["Feedback-ID"]) for each in sent[1]}
    assert len(values) == 1
    words = values.pop().split(":")
    assert len(words) == 4
    assert 5 <= len(words[3]) <= 15
    for each in sent[1]:
        for names in each.signed_fields:
            assert "feedback-id" in names


def test_complaints_come_back_signed_and_to_our_domain(sent: tuple[str, list[Sent]]) -> None:
    """RFC 9477: the address is of the domain of From, both fields are signed, the id is opaque."""
    name, mails = sent
    if "cfbl_address" not in COMBINATIONS[name]:
        assert all(each.fields("CFBL-Address") == [] for each in mails)
        return
    for each in mails:
        assert each.fields("CFBL-Address") == [f" fbl@{DOMAIN}; report=arf\r\n"]
        assert str(each.mail["From"]).endswith(f"@{DOMAIN}>")
        for names in each.signed_fields:
            assert {"cfbl-address", "cfbl-feedback-id"} <= set(names)
    assert len({str(each.mail["CFBL-Feedback-ID"]) for each in mails}) == len(mails)


def test_the_envelope_sender_is_each_mails_own(sent: tuple[str, list[Sent]]) -> None:
    """RFC 5321 section 4.4 and VERP: bounces name campaign and reader, by a token."""
    name, mails = sent
    senders = [each.sender for each in mails]
    if "return_path" in COMBINATIONS[name]:
        assert len(set(senders)) == len(READERS)
        assert all(each.endswith(f"@bounce.{DOMAIN}") for each in senders)
    # Three letters may stand in a token by chance; with what stands around them they do not.
    names = [f"{reader}{sign}example" for reader in READERS for sign in "@="]
    assert not any(each_name in each for each_name in names for each in senders)
    assert all("return-path" not in each.head.lower() for each in mails)


# ---- sections 3.1 and 3.2: the post ---------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """A site, and the mails whose links lead to it."""

    mailer: Mailer
    host: str
    port: int
    mails: list[Sent]

    def ask(
        self, method: str, number: int, body: bytes | None = None, **headers: str
    ) -> tuple[http.client.HTTPResponse, str]:
        """A request to the link in a mail, with these headers and no others but Host."""
        client = http.client.HTTPConnection(self.host, self.port, timeout=20)
        client.putrequest(method, urlsplit(self.mails[number].link).path, skip_accept_encoding=True)
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            told["Content-Length"] = str(len(body))
        for name, value in told.items():
            client.putheader(name, value)
        client.endheaders(body)
        answer = client.getresponse()
        return answer, answer.read().decode()

    def lists(self, number: int) -> dict[str, str]:
        address = f"{READERS[number]}@example.org"
        shown = done(self.mailer.workspace, "subscribers", "show", address)
        return {each["name"]: each["status"] for each in shown["lists"]}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("place")
    with (
        _sent(folder, "signed", **SIGNED) as (workspace, mails),
        open_mailer(workspace) as mailer,
        serving(mailer) as address,
    ):
        parts = urlsplit(address)
        assert parts.hostname is not None
        assert parts.port is not None
        yield Place(mailer, parts.hostname, parts.port, mails)


LEFT = {"coast": "unsubscribed", "harbour": "active"}
MULTIPART = (
    b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n'
)
KINDS: dict[str, tuple[bytes, str]] = {
    "form": (PAIR, FORM),
    "multipart": (MULTIPART, "multipart/form-data; boundary=b"),
    "form with a charset": (PAIR, f"{FORM}; charset=UTF-8"),
    "form with its line end": (PAIR + b"\r\n", FORM),
}


@pytest.mark.parametrize("kind", list(KINDS))
def test_3_2_a_post_of_either_kind_is_all_it_takes(place: Place, kind: str) -> None:
    """Section 3.2: the pair as the body, multipart (should) or urlencoded (may).

    Section 3.1: no cookie, no authorization, no other context is sent, and none is needed: these
    requests have Host, Content-Type and Content-Length. What comes back is no redirect, sets no
    cookie and asks nothing.
    """
    number = list(KINDS).index(kind)
    body, content_type = KINDS[kind]
    answer, words = place.ask("POST", number, body, Content_Type=content_type)

    assert answer.status == 200
    assert words == "You are unsubscribed from coast.\n"
    for unwanted in ("Location", "Set-Cookie", "WWW-Authenticate", "Refresh"):
        assert answer.headers[unwanted] is None
    assert answer.headers["Cache-Control"] == "no-store"
    assert place.lists(number) == LEFT  # of the list of the mail, and of no other


def test_3_2_as_gmail_sends_it(place: Place) -> None:
    """Section 8.2, and what Gmail's own form shows: 26 octets, urlencoded."""
    assert len(PAIR) == 26
    answer, _ = place.ask("POST", 4, PAIR, Content_Type=FORM, User_Agent="Mozilla/5.0 (Gmail)")

    assert (answer.status, place.lists(4)) == (200, LEFT)
    again, _ = place.ask("POST", 4, PAIR, Content_Type=FORM)  # it may be sent twice
    assert (again.status, place.lists(4)) == (200, LEFT)


def test_3_1_cookies_and_authorization_make_no_difference(place: Place) -> None:
    """Section 3.1: such context must not be sent; where a program sends it all the same, it is
    neither needed, nor heeded, nor answered.
    """
    known = {
        "Cookie": "session=abc",
        "Authorization": "Basic YTpi",
        "Referer": "https://x.example/",
    }
    answer, _ = place.ask("POST", 5, PAIR, Content_Type=FORM, **known)

    assert (answer.status, answer.headers["Set-Cookie"]) == (200, None)
    assert place.lists(5) == LEFT


def test_3_2_the_same_address_answers_a_get_with_a_page_and_does_nothing(place: Place) -> None:
    """Section 3.2: POST and GET have one target; section 1: programs fetch what they find."""
    before = builders.dump(place.mailer.db)
    for method in ("GET", "HEAD"):
        answer, words = place.ask(method, 6)
        assert (answer.status, answer.headers["Location"]) == (200, None)
        assert method == "HEAD" or "<form" in words

    assert builders.dump(place.mailer.db) == before


def test_3_1_an_address_that_was_made_up_does_nothing(place: Place) -> None:
    """Section 3.1: the opaque part is verified, and one that is not ours removes nobody."""
    before = builders.dump(place.mailer.db)
    token = urlsplit(place.mails[7].link).path.rpartition("/")[2]
    for wrong in (token[:-1] + ("A" if token[-1] != "A" else "B"), token[:-4], "anna@example.org"):
        client = http.client.HTTPConnection(place.host, place.port, timeout=20)
        client.request("POST", f"/u/{wrong}", PAIR, {"Content-Type": FORM})
        assert client.getresponse().status == 404

    assert builders.dump(place.mailer.db) == before


@pytest.mark.parametrize(
    "body", [b"", b"List-Unsubscribe=", b"List-Unsubscribe=Two-Clicks", b"One-Click", b"x=1"]
)
def test_3_1_only_the_pair_is_one_click(place: Place, body: bytes) -> None:
    """Section 3.1: the key and the value are these; a post of something else is none."""
    answer, _ = place.ask("POST", 7, body, Content_Type=FORM)

    assert (answer.status, place.lists(7)["coast"]) == (400, "active")


def test_6_who_gets_a_forwarded_mail_can_be_undone(place: Place) -> None:
    """Section 6: the link acts for whoever holds it; so the page masks, and has an undo."""
    place.ask("POST", 8, PAIR, Content_Type=FORM)
    _, page = place.ask("GET", 8)
    assert f"{READERS[8]}@example.org" not in page
    back, _ = place.ask("POST", 8, b"action=undo", Content_Type=FORM)

    assert (back.status, back.headers["Location"]) == (303, "?done=undo")
    assert place.lists(8) == {"coast": "active", "harbour": "active"}


def test_the_link_names_the_campaign_and_the_reader_as_the_bounce_address_does(
    place: Place,
) -> None:
    keys = place.mailer.keys
    for each in place.mails:
        link = read(keys, urlsplit(each.link).path.rpartition("/")[2], Purpose.unsubscribe)
        bounce = read_verp(keys, each.sender.partition("+")[2].partition("@")[0])
        assert link is not None
        assert bounce is None or (link.campaign, link.subscriber) == (
            bounce.campaign,
            bounce.subscriber,
        )


def test_the_next_campaign_leaves_them_out(place: Place) -> None:
    """Section 3.1, last sentence: the sender carries out what its mails provoke."""
    place.ask("POST", 9, PAIR, Content_Type=FORM)
    words = ("campaigns", "plan", "low-water", "--list", "coast", "--again")
    planned = done(place.mailer.workspace, *words)
    active = [n for n in range(len(READERS)) if place.lists(n)["coast"] == "active"]

    assert planned["audience"] == len(active) < len(READERS)
