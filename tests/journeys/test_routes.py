"""A campaign goes out over the routes of mailer.toml, and one server's death costs nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command_line import mailer
from tests.journeys.scene import make_workspace
from tests.smtpd import Smtpd, drop, say

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
