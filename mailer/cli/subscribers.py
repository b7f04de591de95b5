"""``mailer subscribers``: people, one at a time or many."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mailer.cli import screen
from mailer.errors import InputError
from mailer.model.words import SubscriptionStatus

subscribers = typer.Typer(no_args_is_help=True, help="People: add, show, find, unsubscribe.")

Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="An e-mail address.")]


@subscribers.command("add")
def add_subscriber(
    address: Address,
    list_name: Annotated[str, typer.Option("--list", metavar="NAME", help="The list.")],
    fields: Annotated[
        list[str] | None, typer.Option("--field", metavar="NAME=VALUE", help="A field's value.")
    ] = None,
    language: Annotated[str | None, typer.Option(help="Such as fr.")] = None,
    consent: Annotated[
        str | None, typer.Option("--consent", metavar="TEXT", help="The wording agreed to.")
    ] = None,
) -> None:
    """Add a person to a list, with a record of their consent."""
    from mailer.usecases.add_subscriber import add_subscriber as add

    pairs = dict(_pair(field) for field in fields or ())
    with screen.opened() as mailer:
        added = add(
            address,
            list_name=list_name,
            db=mailer.db,
            clock=mailer.clock,
            fields=pairs,
            language=language,
            consent=consent,
        )
    if not screen.result(added):
        screen.say(f"{added.address} on “{added.list}”: {added.outcome}, {added.status or '–'}")


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise InputError(f"“{text}” is not NAME=VALUE.")
    return name, value


@subscribers.command("show")
def show_subscriber(address: Address) -> None:
    """A person: lists, fields, consents, and whether the address is suppressed."""
    from mailer.usecases.show_subscriber import show_subscriber as find

    with screen.opened() as mailer:
        person = find(address, db=mailer.db)
    if screen.result(person):
        return
    screen.say(person.address)
    if person.suppressed:
        screen.say(f"  suppressed: {person.suppressed_because}")
    for each in person.lists:
        screen.say(f"  {each.name}: {each.status} since {screen.instant(each.since)}")
    for name, value in person.fields.items():
        screen.say(f"  {name} = {value}")
    for proof in person.consents:
        words = f"“{proof.wording}”" if proof.wording else "no wording on record"
        screen.say(
            f"  consent for {proof.list}: {proof.source} ({proof.detail}),"
            f" {screen.instant(proof.at)}, {words}"
        )


@subscribers.command("find")
def find_subscribers(
    list_name: Annotated[
        str | None, typer.Option("--list", metavar="NAME", help="Only of this list.")
    ] = None,
    status: Annotated[SubscriptionStatus | None, typer.Option(help="Only in this state.")] = None,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="One JSON object a line.")] = False,
) -> None:
    """List people, streamed."""
    from mailer.usecases.find_subscribers import find_subscribers as find

    with screen.opened() as mailer:
        people = find(db=mailer.db, list_name=list_name, status=status)
        if jsonl:
            screen.stream(people)
        elif not screen.result(people):
            for person in people:
                shown: list[Any] = [person.address, person.status or "", *person.fields.values()]
                screen.say("  ".join(str(word) for word in shown if word))


@subscribers.command("unsubscribe")
def unsubscribe_subscriber(
    address: Address,
    list_name: Annotated[
        str | None, typer.Option("--list", metavar="NAME", help="Default: every list.")
    ] = None,
) -> None:
    """Take a person off one list, or off all."""
    from mailer.usecases.unsubscribe_subscriber import unsubscribe_subscriber as unsubscribe

    with screen.opened() as mailer:
        done = unsubscribe(address, db=mailer.db, clock=mailer.clock, list_name=list_name)
    if not screen.result(done):
        screen.say(f"{done.address} left {', '.join(done.left) or 'nothing'}.")
        if done.already:
            screen.say(f"  had left already: {', '.join(done.already)}")
