"""A campaign goes out over the routes of mailer.toml, and one server's death costs nobody."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.command_line import mailer
from tests.journeys.scene import make_workspace
from tests.smtpd import Act, Smtpd, drop, say

PEOPLE = 300
ROUTES = """\
[[routes]]
name = "one"
host = "127.0.0.1"
port = {one}
security = "none"
username = "news"
[[routes]]
name = "two"
host = "127.0.0.1"
port = {two}
security = "none"
"""


def test_the_others_take_over(tmp_path: Path) -> None:
    with Smtpd(login=("news", "secret")) as one, Smtpd() as two:
        # After its fortieth mail the second one is gone for good.
        two.at("greeting", say("554 5.7.1 Not any more"), beyond=2)
        two.at("mail", drop(), nth=41).at("mail", drop(), nth=42)
        with make_workspace(tmp_path, PEOPLE, "sqlite:///mailer.db", 1):
            (tmp_path / "mailer.toml").write_text(ROUTES.format(one=one.port, two=two.port))
            with (tmp_path / ".env").open("a") as env:
                env.write("MAILER_SMTP_PASSWORD_ONE=secret\n")
            result = mailer(tmp_path, "campaigns", "send", "crowd", "--yes")
            shown = mailer(tmp_path, "--json", "campaigns", "show", "crowd").document
        accepted = one.recipients + two.recipients

    assert result.status == 0, result.err + result.out
    assert (shown["state"], shown["accepted"]) == ("finished", PEOPLE)
    assert len(set(accepted)) == len(accepted) == PEOPLE
    assert two.recipients
    assert f"through   127.0.0.1:{one.port}, 127.0.0.1:{two.port}" in result.err
    assert "Route two is left out for now" in result.err
    assert "secret" not in result.err + result.out


@pytest.mark.parametrize(
    ("said", "security", "where"),
    [
        (
            {"auth": say("535 5.7.8 Wrong user name or password")},
            "none",
            "Check username of route one in mailer.toml and MAILER_SMTP_PASSWORD_ONE.",
        ),
        ({}, "starttls", "Check security and port of route one in mailer.toml;"),
    ],
)
def test_a_hint_names_what_the_route_is_set_by(
    said: dict[str, Act], security: str, where: str, tmp_path: Path
) -> None:
    with Smtpd(login=("news", "secret")) as one:
        for stage, act in said.items():
            one.at(stage, act)
        plan = ROUTES.partition('[[routes]]\nname = "two"')[0].format(one=one.port)
        with make_workspace(tmp_path, 2, "sqlite:///mailer.db", 1):
            (tmp_path / "mailer.toml").write_text(plan.replace('"none"', f'"{security}"'))
            with (tmp_path / ".env").open("a") as env:
                env.write("MAILER_SMTP_PASSWORD_ONE=secret\n")
            result = mailer(tmp_path, "campaigns", "send", "crowd", "--yes")

    assert result.status == 75
    assert f"Route one is left out for now: The mail server 127.0.0.1:{one.port}" in result.err
    assert where in result.err
    assert where in result.out  # in what it stopped for, too
    assert set(re.findall("MAILER_SMTP_[A-Z_]+", result.err + result.out)) <= {
        "MAILER_SMTP_PASSWORD_ONE"
    }


def test_a_file_of_authorities_is_named_by_its_route(tmp_path: Path) -> None:
    plan = ROUTES.replace('"none"', '"tls"').format(one=1, two=2) + 'ca_file = "nowhere.pem"\n'
    with make_workspace(tmp_path, 2, "sqlite:///mailer.db", 1):
        (tmp_path / "mailer.toml").write_text(plan.replace('username = "news"', ""))
        result = mailer(tmp_path, "campaigns", "send", "crowd", "--yes")

    assert "ca_file of route two in mailer.toml can't be used" in result.err


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        (ROUTES, "MAILER_SMTP_PASSWORD_ONE is not set"),
        (ROUTES.replace('"two"', '"one"'), "two are named one"),
        (ROUTES.replace('"two"', '"Two-2"'), "not accepted"),
        (ROUTES + 'password = "hush"\n', "password is not known here"),
        (ROUTES + "weight = -1\n", "not accepted"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_is_sent(
    plan: str, why: str, tmp_path: Path
) -> None:
    with make_workspace(tmp_path, 2, "sqlite:///mailer.db", 1):
        (tmp_path / "mailer.toml").write_text(plan.format(one=1, two=2))
        result = mailer(tmp_path, "campaigns", "send", "crowd", "--yes")
        shown = mailer(tmp_path, "--json", "campaigns", "show", "crowd")

    assert result.status == 3
    assert why in result.err
    assert shown.status == 3 or shown.document["planned"] == 2
