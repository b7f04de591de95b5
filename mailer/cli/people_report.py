"""What the terminal says about one person."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from mailer.cli import screen
from mailer.errors import InputError
from mailer.model.shown import shown_value
from mailer.model.words import Frequency

if TYPE_CHECKING:
    from mailer.usecases.show_consents import GivenConsent, ShownConsents
    from mailer.usecases.show_history import History
    from mailer.usecases.show_subscriber import ShownSubscriber


def print_person(person: ShownSubscriber) -> None:
    read_as = f"  ({person.shown})" if person.shown != person.address else ""
    screen.say(person.address + read_as)
    if person.suppressed:
        screen.say(f"  suppressed: {person.suppressed_because}")
    for name, reason in person.suppressed_on.items():
        screen.say(f"  suppressed on {name}: {reason}")
    for each in person.lists:
        screen.say(f"  {each.name}: {each.status} since {screen.instant(each.since)}")
        if each.paused_until:
            screen.say(f"    a break until {screen.instant(each.paused_until)}")
    if person.frequency is not Frequency.every:
        screen.say(f"  wants one mail a {person.frequency} at most")
    if person.language:
        screen.say(f"  language = {person.language}")
    for name, value in person.fields.items():
        screen.say(f"  {name} = {shown_value(value)}")
    if person.tags:
        screen.say(f"  tags: {', '.join(person.tags)}")
    screen.say(f"  tracking: {person.tracking}")
    for proof in person.consents:
        words = f"“{proof.wording}”" if proof.wording else "no wording on record"
        screen.say(
            f"  consent for {proof.list}: {proof.source} ({proof.detail}),"
            f" {screen.instant(proof.at)}, {words}"
        )


def print_history(story: History) -> None:
    screen.say(f"{story.address}, known since {screen.instant(story.known_since)}")
    for each in story.happenings:
        where = each.list or ""
        origin = each.source
        if each.batch is not None:
            origin = f"import {each.batch}" + (f" ({each.source})" if each.source else "")
        elif each.campaign:
            origin = f"campaign {each.campaign}"
        words = [each.kind, where, f"by {each.actor}" if each.actor else "", origin, each.detail]
        screen.say(f"  {screen.instant(each.at)}  " + " · ".join(word for word in words if word))


def print_consents(shown: ShownConsents) -> None:
    screen.say(f"{shown.address}, known since {screen.instant(shown.known_since)}")
    for each in shown.lists:
        stands = f"{each.status} since {screen.instant(each.since)}" if each.status else "not on it"
        screen.say(f"\n{each.list}: {stands}")
        if not each.consents:
            screen.say("  no consent is on record")
        for given in each.consents:
            _print_given(given)
    screen.say(f"\ntracking: {shown.tracking}")
    for answer in shown.tracking_records:
        words = f" to “{answer.wording}”" if answer.wording else ""
        screen.say(f"  {screen.instant(answer.at)}  {answer.answer}{words}, by {answer.source}")
    for block in shown.suppressions:
        where = f"on {block.list}" if block.list else "everywhere"
        screen.say(f"suppressed {where} since {screen.instant(block.at)}: {block.reason}")


def _print_given(given: GivenConsent) -> None:
    record = given.record
    source = record.source
    if record.batch is not None:
        source += f" {record.batch}"
    screen.say(
        f"  {screen.instant(record.at)}  given: {source}"
        + (f" ({record.detail})" if record.detail else "")
    )
    screen.say(f"    wording: {f'“{record.wording}”' if record.wording else 'none on record'}")
    if record.ip or record.user_agent:
        screen.say(f"    from {record.ip or '–'}, {record.user_agent or '–'}")
    if record.confirmed_at is not None:
        mail = f" by the link in {record.confirmation_id}" if record.confirmation_id else ""
        screen.say(f"    confirmed {screen.instant(record.confirmed_at)}{mail}")
    if given.withdrawn is not None:
        left = given.withdrawn
        screen.say(f"    withdrawn {screen.instant(left.at)} by {left.actor}: {left.how}")


def export_one(address: str, out: Path | None) -> None:
    """Writes everything that is held about one person: a page, or a document."""
    from mailer.usecases.export_person import export_person
    from mailer.web.held_page import held_page
    from mailer.wiring.files import write_text

    if out is not None and out.suffix.lower() not in (".html", ".json"):
        raise InputError(f"{out} ends neither in .html nor in .json.", hint="Name it so.")
    with screen.opened() as mailer:
        held = export_person(address, db=mailer.db, clock=mailer.clock, leftovers=mailer.leftovers)
        organisation = mailer.settings.organisation or ""
    text = json.dumps(screen.plain(held), ensure_ascii=False, indent=2)
    if out is None:
        screen.stream_text(text)
        return
    page = out.suffix.lower() == ".html"
    write_text(out, held_page(held, organisation=organisation) if page else f"{text}\n")
    if not screen.result({"file": str(out), "address": held.address}):
        screen.say(f"Wrote {out}. It is about one person: send it to nobody else.")
