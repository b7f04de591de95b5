"""Keys are made for their owner's eyes, shown with what to publish, and changed in two steps."""

from __future__ import annotations

import email
import email.policy
import re
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mailer.adapters.inbox import Inbox
from mailer.wiring.files import shipped_examples
from tests.command_line import Result, done, mailer, make_workspace
from tests.message.signing import verdicts


@pytest.fixture
def news(tmp_path: Path) -> Path:
    return make_workspace(tmp_path / "news", **{"from": "News <news@marren.example.org>"})


def switch_on(workspace: Path, made: Any, **more: object) -> None:
    with (workspace / ".env").open("a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in made["settings"])
        file.writelines(f"MAILER_{name.upper()}={value}\n" for name, value in more.items())


def plan(workspace: Path) -> Result:
    issue = workspace / "data/issues/tide"
    if not issue.exists():
        shutil.copytree(shipped_examples() / "issues/tide-table", issue)
        contacts = workspace / "contacts.csv"
        contacts.write_text("email,first_name,city\nzoe@example.net,Zoë,Port Elsin\n", "utf-8")
        words = ("--list", "coast", "--create-list", "--keep-columns")
        done(workspace, "import", str(contacts), *words)
    return mailer(workspace, "--json", "campaigns", "plan", str(issue), "--list", "coast")


@pytest.mark.parametrize("both", [False, True])
def test_a_new_key_is_for_its_owner_alone_and_prints_its_record(news: Path, both: bool) -> None:
    made = done(news, "keys", "new", "m1", *(["--ed25519"] if both else []))
    file = Path(made["file"])
    shown = mailer(news, "keys", "show").out

    assert file == news / "data/keys/marren.example.org/m1.pem"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [key["name"] for key in made["keys"]] == [
        f"{selector}._domainkey.marren.example.org"
        for selector in ["m1", *(["m1-ed25519"] if both else [])]
    ]
    for key in made["keys"]:
        strings = re.findall(r'"([^"]*)"', key["zone"])
        assert "".join(strings) == key["value"]
        assert max(map(len, strings)) <= 255
        assert key["value"] in shown
    assert made["settings"] == ["MAILER_DKIM_DOMAIN=marren.example.org", "MAILER_DKIM_SELECTOR=m1"]
    assert "PRIVATE" not in shown + str(made)


def test_a_key_is_never_overwritten_and_the_next_of_a_month_has_a_letter(news: Path) -> None:
    first = done(news, "keys", "new")
    kept = Path(first["file"]).read_bytes()
    again = mailer(news, "keys", "new", first["selector"])
    second = done(news, "keys", "new")

    assert (again.status, "not overwritten" in again.err) == (3, True)
    assert Path(first["file"]).read_bytes() == kept
    assert second["selector"] == first["selector"] + "b"


@pytest.mark.parametrize(
    "words", [["a_b"], ["../x"], ["m1", "--domain", "../../etc"], ["m1", "--domain", "localhost"]]
)
def test_what_cannot_stand_in_the_dns_is_refused(news: Path, words: list[str]) -> None:
    result = mailer(news, "keys", "new", *words)

    assert result.status == 3
    assert not list((news / "data").rglob("*.pem"))


@pytest.fixture
def signed(news: Path) -> Callable[..., list[bytes]]:
    """Plans and sends the sample issue; returns the mails as they came."""

    def send(**settings: object) -> list[bytes]:
        with Inbox() as inbox:
            made = done(news, "keys", "new", "m1", "--ed25519")
            switch_on(news, made, smtp_port=inbox.port, **settings)
            slug = plan(news).document["slug"]
            done(news, "campaigns", "send", slug, "--yes")
            done(news, "campaigns", "test", slug, "--to", "me@example.org")
            issue = str(news / "data/issues/tide")
            done(news, "issues", "test", issue, "--to", "me@example.org", "--as", "zoe@example.net")
            return [mail.data for mail in inbox.messages]

    return send


def test_mails_and_test_copies_carry_signatures_that_hold(
    news: Path, signed: Callable[..., list[bytes]]
) -> None:
    mails = signed(cfbl_address="fbl@marren.example.org")
    [selector] = done(news, "keys", "show")
    records = {key["name"]: key["value"] for key in selector["keys"]}
    bulk = email.message_from_bytes(mails[0], policy=email.policy.default)

    assert len(mails) >= 3
    assert [verdicts(data, records) for data in mails] == [[True, True]] * len(mails)
    assert selector["use"] == "current"
    assert bulk["Feedback-ID"] == "tide:coast:campaign:marren.example."
    assert bulk["CFBL-Address"] == "fbl@marren.example.org; report=arf"
    assert bulk["CFBL-Feedback-ID"] == bulk["Message-ID"].strip("<>").partition("@")[0]
    assert bulk["Precedence"] == "bulk"
    for name in ("Feedback-ID", "CFBL-Address", "CFBL-Feedback-ID", "List-Unsubscribe",
                 "List-Unsubscribe-Post", "List-Id"):  # fmt: skip
        changed = re.sub(rb"\r\n%b: " % name.encode(), rb"\g<0>x", mails[0], count=1)
        assert verdicts(changed, records) == [False, False], name


def test_a_change_of_keys_leaves_two_selectors(news: Path) -> None:
    switch_on(news, done(news, "keys", "new", "first"))
    planned = plan(news).document["slug"]
    turned = done(news, "keys", "rotate", "second")
    again = done(news, "keys", "rotate", "third")
    uses = {each["selector"]: each["use"] for each in done(news, "keys", "show")}

    assert (turned["made"], turned["next"]["selector"]) == (True, "second")
    assert (again["made"], again["next"]["selector"]) == (False, "second")
    assert uses == {"second": "none", "first": "current"}

    switch_on(news, turned["next"])
    [_, first] = done(news, "keys", "show")
    refused = mailer(news, "keys", "rotate", "third")

    assert (first["use"], first["campaigns"]) == ("campaigns", [planned])
    assert (refused.status, planned in refused.err) == (3, True)

    done(news, "campaigns", "cancel", planned, "--yes")
    last = done(news, "keys", "rotate", "third")

    assert (last["next"]["selector"], last["retired"]) == ("third", ["first"])
    assert [each["selector"] for each in done(news, "keys", "show")] == ["third", "second"]


def test_a_key_that_is_no_use_is_refused_at_the_start(news: Path) -> None:
    made = done(news, "keys", "new", "m1")
    switch_on(news, made)
    file = Path(made["file"])
    whole = file.read_bytes()
    assert plan(news).status == 0
    sentences = {}
    for how in ("missing", "readable by all", "cut", "a folder"):
        if how == "missing":
            file.unlink()
        elif how == "readable by all":
            file.write_bytes(whole)
            file.chmod(0o644)
        elif how == "cut":
            file.write_bytes(whole[:400])
            file.chmod(0o600)
        else:
            file.unlink()
            file.mkdir()
        result = plan(news)
        assert result.status == 3, how
        assert str(file) in result.err
        sentences[how] = result.err

    assert "there is no such file" in sentences["missing"]
    assert f"chmod 600 {file}" in sentences["readable by all"]
    assert "no private key" in sentences["cut"]
    assert "directory" in sentences["a folder"]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"dkim_domain": "example.org"}, "must both be set"),
        ({"dkim_key_file": "key.pem"}, "must both be set"),
        ({"dkim_domain": "localhost", "dkim_selector": "m1"}, "MAILER_DKIM_DOMAIN"),
        ({"dkim_domain": "example.org", "dkim_selector": "a b"}, "MAILER_DKIM_SELECTOR"),
        ({"cfbl_address": "fbl@example.org"}, "MAILER_CFBL_ADDRESS"),
        ({"cfbl_address": "fbl"}, "MAILER_CFBL_ADDRESS"),
    ],
)
def test_half_a_setting_is_refused(news: Path, settings: dict[str, str], sentence: str) -> None:
    switch_on(news, {"settings": []}, **settings)
    result = mailer(news, "lists", "show")

    assert (result.status, sentence in result.err) == (3, True)


def test_a_sender_elsewhere_is_told_and_its_complaints_refused(news: Path) -> None:
    made = done(news, "keys", "new", "m1", "--domain", "example.com")
    switch_on(news, made)
    warned = plan(news)
    switch_on(news, {"settings": []}, cfbl_address="fbl@example.com")
    refused = plan(news)

    assert (warned.status, "for DMARC it does not count" in warned.err) == (0, True)
    assert (refused.status, "MAILER_CFBL_ADDRESS" in refused.err) == (3, True)


def test_a_send_says_before_it_begins_who_signs(news: Path) -> None:
    unsigned = plan(news).document["slug"]
    switch_on(news, done(news, "keys", "new", "m1"))
    issue = str(news / "data/issues/tide")
    signed = done(news, "campaigns", "plan", issue, "--list", "coast")["slug"]
    said = [mailer(news, "campaigns", "send", slug).err for slug in (unsigned, signed)]

    assert "signed    not here" in said[0]
    assert "signed    marren.example.org, selector m1" in said[1]


def test_a_key_may_lie_elsewhere(news: Path) -> None:
    made = done(news, "keys", "new", "m1")
    elsewhere = news.parent / "dkim.private"
    Path(made["file"]).rename(elsewhere)
    switch_on(news, made, dkim_key_file=elsewhere)

    assert plan(news).status == 0
    assert done(news, "keys", "show")[0]["file"] == str(elsewhere)
