"""A campaign signs every letter by the keys of its plan, alike at each attempt, without delay."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from mailer.adapters.key_files import KeyFolder
from mailer.errors import SettingsError
from mailer.message.keys import record, record_name
from mailer.model.words import CampaignState, Counts, DeliveryState
from mailer.smtp.pace import Pace
from mailer.store import campaigns, maintenance
from mailer.store.database import Database
from mailer.usecases import send_campaign
from mailer.usecases.render_ahead import Letter
from mailer.usecases.sign_letters import Signing
from tests.message.signing import key_pem, verdicts
from tests.sending import plan_letters, send
from tests.smtpd import Smtpd, say

DOMAIN = "example.org"


def signing_in(folder: Path, selector: str = "m1", *, both: bool = False) -> Signing:
    """Signs with the tests' key, which lies in this folder."""
    file = folder / "keys" / DOMAIN / f"{selector}.pem"
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        file.write_bytes(key_pem(both=both))
        file.chmod(0o600)
    return Signing(KeyFolder(folder / "keys"), DOMAIN, selector)


def published(signing: Signing, *selectors: str) -> dict[str, str]:
    keys = [key for each in selectors for key in signing.files.load(DOMAIN, each)]
    return {record_name(key, DOMAIN): record(key) for key in keys}


@pytest.mark.parametrize("both", [False, True])
def test_every_letter_is_signed_and_sent_once(db: Database, tmp_path: Path, both: bool) -> None:
    signing = signing_in(tmp_path, both=both)
    campaign = plan_letters(db, 60, dkim=signing.freeze())
    with Smtpd() as server:
        report = send(db, campaign, tmp_path, server.port, signing=signing)

    assert report.counts == Counts(audience=60, accepted=60)
    assert report.state is CampaignState.finished
    records = published(signing, "m1")
    mails = [mail.data for mail in server.accepted]
    assert [verdicts(data, records) for data in mails[:5]] == [[True] * (1 + both)] * 5
    assert all(data.count(b"DKIM-Signature:") == 1 + both for data in mails)
    assert len(set(server.recipients)) == 60
    assert maintenance.faults(db) == []


def test_a_second_attempt_has_the_very_octets_of_the_first(db: Database, tmp_path: Path) -> None:
    signing = signing_in(tmp_path)
    campaign = plan_letters(db, 3, dkim=signing.freeze())
    with Smtpd().at("dot", say("451 4.3.0 Later"), nth=2) as server:
        first = send(db, campaign, tmp_path, server.port, signing=signing)
        again = send(db, campaign, tmp_path, server.port, signing=signing, retry_after=(0,))

    assert first.counts.deferred == 1
    assert again.counts == Counts(audience=3, accepted=3)
    assert len(server.texts) == 4
    assert len(set(server.texts)) == 3
    assert all(verdicts(text, published(signing, "m1")) == [True] for text in server.texts)


def test_a_campaign_keeps_the_key_of_its_plan(db: Database, tmp_path: Path) -> None:
    old = signing_in(tmp_path, "old")
    campaign = plan_letters(db, 2, dkim=old.freeze())
    new = Signing(KeyFolder(tmp_path / "keys"), DOMAIN, "new")
    new.files.create(DOMAIN, "new", ed25519_too=False)
    with Smtpd() as server:
        send(db, campaign, tmp_path, server.port, signing=new)

    assert [b" s=old;" in mail.data for mail in server.accepted] == [True, True]
    assert verdicts(server.accepted[0].data, published(new, "old", "new")) == [True]


@pytest.mark.parametrize("loss", ["gone", "another"])
def test_without_that_key_nothing_is_sent(db: Database, tmp_path: Path, loss: str) -> None:
    signing = signing_in(tmp_path)
    campaign = plan_letters(db, 2, dkim=signing.freeze())
    signing.files.remove(DOMAIN, "m1")
    if loss == "another":
        signing.files.create(DOMAIN, "m1", ed25519_too=False)
    with Smtpd() as server, pytest.raises(SettingsError, match=r"[Tt]his campaign was planned"):
        send(db, campaign, tmp_path, server.port, signing=signing)

    assert server.connections == 0
    with db.read() as connection:
        assert campaigns.find(connection, campaign).state == "planned"


def test_a_plan_without_signing_stays_so(db: Database, tmp_path: Path) -> None:
    campaign = plan_letters(db, 2)
    with Smtpd() as server:
        send(db, campaign, tmp_path, server.port, signing=signing_in(tmp_path))

    assert [b"DKIM-Signature" in mail.data for mail in server.accepted] == [False, False]


def test_a_stop_gives_back_what_was_being_signed(db: Database, tmp_path: Path) -> None:
    signing = signing_in(tmp_path)
    campaign = plan_letters(db, 40, dkim=signing.freeze())
    with Smtpd().at("greeting", say("554 5.7.1 Go away")) as server:
        report = send(db, campaign, tmp_path, server.port, signing=signing)

    assert report.counts == Counts(audience=40, planned=40)
    assert report.state is CampaignState.paused
    assert "Go away" in report.because
    assert maintenance.faults(db) == []


def test_trouble_on_a_signing_thread_ends_the_run_and_loses_nobody(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signing = signing_in(tmp_path)
    campaign = plan_letters(db, 40, dkim=signing.freeze())
    inner = send_campaign.Letters.make
    count = 0

    def make(self: send_campaign.Letters, row: object) -> Letter:
        nonlocal count
        count += 1
        if count == 20:
            raise MemoryError("no room for a signature")
        return inner(self, row)  # type: ignore[arg-type]  # a claimed row

    with Smtpd() as server, monkeypatch.context() as patch:
        patch.setattr(send_campaign.Letters, "make", make)
        with pytest.raises(MemoryError):
            send(db, campaign, tmp_path, server.port, signing=signing)
    with Smtpd() as second:
        report = send(db, campaign, tmp_path, second.port, signing=signing)

    assert report.counts.accepted + report.counts.unknown == 40
    assert sorted({*server.recipients, *second.recipients}) == _everybody(db, campaign)
    assert set(server.recipients) & set(second.recipients) == set()


def _everybody(db: Database, campaign: int, *states: DeliveryState) -> Sequence[str]:
    with db.read() as connection:
        return sorted(row.address for row in campaigns.recipients(connection, campaign, states))


def test_letters_are_signed_at_a_slow_pace_too(db: Database, tmp_path: Path) -> None:
    signing = signing_in(tmp_path)
    campaign = plan_letters(db, 8, dkim=signing.freeze())
    with Smtpd() as server:
        pace = Pace(rate=20, connections=1)
        report = send(db, campaign, tmp_path, server.port, signing=signing, pace=pace)

    assert report.counts == Counts(audience=8, accepted=8)
