"""A setting that can't work is refused with its variable and what is accepted; no secret shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.errors import InputError, SettingsError
from mailer.model.measuring import UtmWish
from mailer.settings import Settings, load_settings, parse_wait, without_environment
from mailer.store.database import Database, database_url


def loaded(tmp_path: Path, line: str) -> Settings:
    (tmp_path / ".env").write_text(f"{line}\n", encoding="utf-8")
    with without_environment():
        return load_settings(tmp_path)


@pytest.mark.parametrize(
    ("line", "accepted"),
    [
        ("MAILER_RETRY_AFTER=0", "from 1s to 30d"),
        ("MAILER_RETRY_AFTER=2m,0s", "from 1s to 30d"),
        ("MAILER_RETRY_AFTER=2m,31d", "from 1s to 30d"),
        ("MAILER_RETRY_AFTER=,", "from 1s to 30d"),
        ("MAILER_RETRY_AFTER=soon", "a time such as"),
        ("MAILER_CLICKS=all", "off"),
        ("MAILER_UTM=harbour", "yes, no, or pairs such as source=harbour"),
        ("MAILER_UTM=colour=red", "of source, medium, campaign, content, term"),
        ("MAILER_UTM_DOMAINS=https://example.org", "a domain such as example.org"),
        ("MAILER_SMTP_RATE=inf", "a finite number"),
        ("MAILER_SMTP_RATE=nan", "number"),
        ("MAILER_SMTP_RATE=-1", "greater than or equal to 0"),
        ("MAILER_EXPIRES_AFTER=366d", "from 60s to 365d"),
        ("MAILER_EXPIRES_AFTER=59", "from 60s to 365d"),
        ("MAILER_EXPIRES_AFTER=never", "a time such as"),
        ("MAILER_SITE_URL=https://news.example.org:port", "an address like"),
        ("MAILER_SITE_URL=https://news.example.org:65536", "an address like"),
        ("MAILER_SITE_URL=https://news.example.org:0", "an address like"),
        ("MAILER_SITE_URL=https://news.example.org:", "an address like"),
        ("MAILER_SITE_URL=https://[::1", "an address like"),
        ("MAILER_SITE_URL='https://news.example.org/a b'", "an address like"),
        ("MAILER_SITE_URL='https://news.example.org/\"'", "an address like"),
        ('MAILER_SITE_URL="https://news.example.org/\'"', "an address like"),
        ("MAILER_SITE_URL=https://news.example.org/<x>", "an address like"),
        ("MAILER_SITE_URL=https://news.example.org/a>", "an address like"),
        ("MAILER_SITE_URL=ftp://news.example.org", "an address like"),
    ],
)
def test_what_cannot_work_is_refused(tmp_path: Path, line: str, accepted: str) -> None:
    with pytest.raises(SettingsError) as raised:
        loaded(tmp_path, line)

    [fault] = raised.value.faults
    assert fault.message.startswith(line.partition("=")[0])
    assert accepted in (fault.hint or "")


def test_what_is_measured_and_marked(tmp_path: Path) -> None:
    lines = "MAILER_CLICKS=people\nMAILER_UTM=source=a b, term=x\nMAILER_UTM_DOMAINS=A.org, b.org"
    found = loaded(tmp_path, lines)

    assert found.clicks == "people"
    assert found.utm == UtmWish(True, {"source": "a b", "term": "x"})
    assert found.utm_domains == ("a.org", "b.org")
    assert loaded(tmp_path, "MAILER_UTM=yes").utm == UtmWish(True)
    assert loaded(tmp_path, "").utm == UtmWish()


def test_what_lies_just_inside_is_taken(tmp_path: Path) -> None:
    assert loaded(tmp_path, "MAILER_RETRY_AFTER=1s, 30d").retry_after == (1, 2_592_000)
    assert loaded(tmp_path, "MAILER_EXPIRES_AFTER=365d").expires_after == 31_536_000
    assert loaded(tmp_path, "MAILER_EXPIRES_AFTER=1m").expires_after == 60
    assert loaded(tmp_path, "MAILER_SMTP_RATE=0.5").smtp_rate == 0.5
    assert loaded(tmp_path, "MAILER_SITE_URL=http://[::1]:8025/").site_url == "http://[::1]:8025"


@pytest.mark.parametrize(
    ("text", "waits"), [("0", 0), ("90", 90), ("15m", 900), ("365d", 31536000)]
)
def test_a_time_to_wait(text: str, waits: int) -> None:
    assert parse_wait(text) == waits


@pytest.mark.parametrize("text", ["abc", "", "-1", "1.5h", "366d", "999999999d"])
def test_what_is_no_time_to_wait_is_one_sentence(text: str) -> None:
    with pytest.raises(InputError, match="is no time to wait") as raised:
        parse_wait(text)

    assert len(raised.value.faults) == 1


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://h/db?user=u&password=sesame",
        "postgresql://u:sesame@h/db",
        "postgresql://u:sesame@h/db?sslpassword=sesame",
    ],
)
def test_the_password_of_a_database_is_never_shown(tmp_path: Path, url: str) -> None:
    shown = Database(database_url(url, tmp_path)).shown

    assert "sesame" not in shown
    assert "h/db" in shown
