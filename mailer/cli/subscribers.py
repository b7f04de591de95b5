"""``mailer subscribers``: people, one at a time or many."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailer.cli import people_report, screen
from mailer.errors import InputError
from mailer.model.shown import counted, headcount, shown_value
from mailer.model.words import PeopleFormat, PersonOrder, SubscriptionStatus, TrackingAnswer

if TYPE_CHECKING:
    from mailer.wiring import Mailer

subscribers = typer.Typer(
    no_args_is_help=True, help="People: add, find, change, unsubscribe, export, erase."
)

Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="An e-mail address.")]
Tags = Annotated[list[str], typer.Argument(metavar="TAG", help="One word or several.")]
Fields = Annotated[
    list[str] | None, typer.Option("--field", metavar="NAME=VALUE", help="A field's value.")
]
_PAGE = 50  # people, where a person reads them


def _pairs(texts: list[str] | None) -> dict[str, str]:
    return dict(_pair(text) for text in texts or ())


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise InputError(f"“{text}” is not NAME=VALUE.")
    return name, value


@subscribers.command("add")
def add_subscriber(
    address: Address,
    list_name: Annotated[str, typer.Option("--list", metavar="NAME", help="The list.")],
    fields: Fields = None,
    language: Annotated[str | None, typer.Option(help="Such as fr.")] = None,
    consent: Annotated[
        str | None, typer.Option("--consent", metavar="TEXT", help="The wording agreed to.")
    ] = None,
    status: Annotated[
        SubscriptionStatus | None,
        typer.Option(help="Default: active; on a list with double opt-in, pending."),
    ] = None,
    ask: Annotated[
        bool, typer.Option("--ask/--no-ask", help="Write to who is pending now, for their yes.")
    ] = True,
) -> None:
    """Add a person to a list, with a record of their consent."""
    from mailer.usecases.add_subscriber import add_subscriber as add

    with screen.opened() as mailer:
        added = add(
            address,
            list_name=list_name,
            db=mailer.db,
            clock=mailer.clock,
            fields=_pairs(fields),
            language=language,
            consent=consent,
            status=status,
        )
        if ask and added.status == SubscriptionStatus.pending:
            added = replace(added, confirmation=_ask(mailer, added.address, list_name))
    if not screen.result(added):
        screen.say(f"{added.address} on “{added.list}”: {added.outcome}, {added.status or '–'}")
        if added.confirmation:
            screen.say(f"  {_CONFIRMATIONS[added.confirmation]}")


_CONFIRMATIONS = {
    "sent": "The mail that asks for their yes is sent.",
    "waiting": "The mail that asks for their yes waits: `mailer site serve` or `mailer worker`"
    " sends it.",
    "impossible": "Nobody asks for their yes: MAILER_SMTP_HOST or MAILER_FROM is not set.",
}


def _ask(mailer: Mailer, address: str, list_name: str) -> str:
    """Asks somebody who is pending, and tries to send the mail at once; says what came of it."""
    from mailer.cli.sign_up import deliver
    from mailer.usecases.remind_pending import ask_added

    if not mailer.can_write or mailer.keys_if_any is None:
        return "impossible"
    ports: dict[str, Any] = {"db": mailer.db, "clock": mailer.clock}
    if not ask_added(address, list_name, message_id=mailer.new_message_id, **ports):
        return ""
    done = deliver(mailer)
    if done.trouble:
        screen.note(done.trouble)
    return "sent" if done.accepted and not done.put_off else "waiting"


@subscribers.command("show")
def show_subscriber(address: Address) -> None:
    """A person: lists, fields, tags, consents, and whether the address is suppressed."""
    from mailer.usecases.show_subscriber import show_subscriber as find

    with screen.opened() as mailer:
        person = find(address, db=mailer.db)
    if not screen.result(person):
        people_report.print_person(person)


@subscribers.command("find")
def find_subscribers(
    words: Annotated[
        str | None,
        typer.Argument(metavar="TEXT", help="A part of the address or of any field's value."),
    ] = None,
    list_name: Annotated[
        str | None, typer.Option("--list", metavar="NAME", help="Only of this list.")
    ] = None,
    status: Annotated[SubscriptionStatus | None, typer.Option(help="Only in this state.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only with this tag.")] = None,
    segment: Annotated[
        str | None, typer.Option("--segment", metavar="NAME", help="Only whom this segment means.")
    ] = None,
    fields: Annotated[
        list[str] | None,
        typer.Option("--field", metavar="NAME=VALUE", help="Only with this value."),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"],
            help="Only who stands so on the list since then; without --list, who is known since.",
        ),
    ] = None,
    suppressed: Annotated[
        bool | None, typer.Option("--suppressed/--not-suppressed", help="Only these.")
    ] = None,
    sort: Annotated[PersonOrder, typer.Option(help="What they are sorted by.")] = (
        PersonOrder.added
    ),
    reverse: Annotated[bool, typer.Option("--reverse", help="The other way round.")] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most so many; for people, 50 a page.")
    ] = None,
    page: Annotated[int, typer.Option(min=1, help="Which page of so many.")] = 1,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help="One JSON object a line, streamed.")
    ] = False,
) -> None:
    """List people: filtered, sorted, page by page, or streamed however many there are."""
    from mailer.usecases.find_subscribers import Question, count_subscribers
    from mailer.usecases.find_subscribers import find_subscribers as find

    for_people = not (jsonl or screen.as_json())
    size = limit or (_PAGE if for_people or page > 1 else None)
    question = Question(
        list_name=list_name,
        status=status,
        tag=tag,
        fields=_pairs(fields),
        text=words,
        since=since.astimezone() if since else None,
        suppressed=suppressed,
        segment=segment,
        order=sort,
        descending=reverse,
        limit=size,
        offset=(page - 1) * (size or 0),
    )
    with screen.opened() as mailer:
        found = find(db=mailer.db, question=question, calendar=mailer.calendar)
        if jsonl:
            screen.stream(found)
            return
        if screen.result(found):
            return
        for person in found:
            values = (shown_value(value) for value in person.fields.values())
            shown = [person.address, person.status or "", *values]
            screen.say("  ".join(word for word in shown if word))
        total = count_subscribers(question, db=mailer.db, calendar=mailer.calendar)
    pages = -(-total // (size or 1))
    if pages > 1:
        more = f"  Next: --page {page + 1}, or --jsonl for all" if page < pages else ""
        screen.note(f"{headcount(total)}, page {page} of {pages:,}.{more}")


@subscribers.command("edit")
def edit_subscriber(
    address: Address,
    new_address: Annotated[
        str | None, typer.Option("--address", metavar="NEW", help="The address from now on.")
    ] = None,
    fields: Fields = None,
    clear: Annotated[
        list[str] | None, typer.Option("--clear", metavar="NAME", help="Take a field away.")
    ] = None,
    language: Annotated[str | None, typer.Option(help="Such as fr; '' for none.")] = None,
    tracking: Annotated[
        TrackingAnswer | None, typer.Option(help="What they said about being tracked.")
    ] = None,
    wording: Annotated[
        str | None, typer.Option("--wording", metavar="TEXT", help="The words they answered to.")
    ] = None,
) -> None:
    """Change a person's fields, language, address, or their answer about tracking."""
    from mailer.usecases.edit_subscriber import SubscriberChanges
    from mailer.usecases.edit_subscriber import edit_subscriber as edit

    changes = SubscriberChanges(
        address=new_address,
        fields=_pairs(fields),
        clear=clear or (),
        language=language,
        tracking=tracking,
        wording=wording,
    )
    if changes == SubscriberChanges(fields={}, wording=wording):
        raise InputError("Nothing is to be changed.", hint="`mailer subscribers edit --help`")
    with screen.opened() as mailer:
        done = edit(address, changes, db=mailer.db, clock=mailer.clock)
    if not screen.result(done):
        screen.say(f"{done.address}: changed {', '.join(done.changed) or 'nothing'}")


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


@subscribers.command("tag")
def tag_subscriber(address: Address, tags: Tags) -> None:
    """Put tags on a person."""
    from mailer.usecases.tag_subscriber import tag_subscriber as tag

    with screen.opened() as mailer:
        done = tag(address, tags, db=mailer.db, clock=mailer.clock)
    if not screen.result(done):
        screen.say(f"{done.address}: {', '.join(done.tags)}")


@subscribers.command("untag")
def untag_subscriber(address: Address, tags: Tags) -> None:
    """Take tags off a person."""
    from mailer.usecases.untag_subscriber import untag_subscriber as untag

    with screen.opened() as mailer:
        done = untag(address, tags, db=mailer.db, clock=mailer.clock)
    if not screen.result(done):
        screen.say(f"{done.address}: {', '.join(done.tags) or 'no tags'}")


@subscribers.command("history")
def show_history(address: Address) -> None:
    """Everything that ever happened to a person, in order."""
    from mailer.usecases.show_history import show_history as tell

    with screen.opened() as mailer:
        story = tell(address, db=mailer.db)
    if not screen.result(story):
        people_report.print_history(story)


@subscribers.command("consents")
def show_consents(address: Address) -> None:
    """What an auditor wants: each consent with time, source, words, confirmation, withdrawal."""
    from mailer.usecases.show_consents import show_consents as show

    with screen.opened() as mailer:
        shown = show(address, db=mailer.db)
    if not screen.result(shown):
        people_report.print_consents(shown)


@subscribers.command("export")
def export_subscribers(
    address: Annotated[
        str | None,
        typer.Argument(metavar="ADDRESS", help="Everything that is held about one person."),
    ] = None,
    list_name: Annotated[
        str | None, typer.Option("--list", metavar="NAME", help="Only of this list.")
    ] = None,
    segment: Annotated[
        str | None, typer.Option("--segment", metavar="NAME", help="Only whom this segment means.")
    ] = None,
    status: Annotated[SubscriptionStatus | None, typer.Option(help="Only in this state.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="Default: standard output. For one person .json or .html."
        ),
    ] = None,
    format: Annotated[
        PeopleFormat | None, typer.Option("--format", help="Default: as FILE ends, else csv.")
    ] = None,
) -> None:
    """Export people for a spreadsheet or another import; or all that is held about one."""
    if address is not None:
        if list_name or segment or status or format:
            raise InputError("An ADDRESS goes with --out alone.")
        people_report.export_one(address, out)
        return
    from mailer.usecases.export_subscribers import export_subscribers as export
    from mailer.wiring.files import write_people

    ending = out.suffix.lower().lstrip(".") if out is not None else ""
    chosen = format or (PeopleFormat(ending) if ending in list(PeopleFormat) else PeopleFormat.csv)
    if screen.as_json() and out is None:
        raise InputError("With --json the people need a file.", hint="Add --out, or leave it out.")
    with screen.opened() as mailer:
        found = export(
            db=mailer.db,
            calendar=mailer.calendar,
            format=chosen,
            list_name=list_name,
            segment=segment,
            status=status,
        )
        written = write_people(out, chosen, found.columns, found.rows)
    report = {
        "file": str(out) if out else None,
        "format": chosen,
        "people": written,
        "suppressed": found.suppressed,
        "import_with": found.maps,
        "declare_first": found.kinds,
    }
    if out is not None and not screen.result(report):
        screen.say(f"Wrote {out}: {headcount(written)}.")
    if found.suppressed:
        left_out = counted(found.suppressed, "suppressed person is", "suppressed people are")
        screen.note(f"{left_out} left out.")
    if out is not None:
        if found.kinds:
            screen.note("In another workspace, first declare what the fields hold:")
        for command in found.kinds:
            screen.note(f"  {command}")
        words = " ".join(("--keep-columns", *found.maps))
        screen.note(f"To read it back: mailer import {out} --list NAME {words}")


@subscribers.command("erase")
def erase_subscriber(
    address: Address,
    may_return: Annotated[
        bool,
        typer.Option("--may-return", help="Keep no hash: a later import may bring them back."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Erase a person everywhere. What stays are counts, and a hash that keeps them out."""
    from mailer.usecases.erase_subscriber import erase_subscriber as erase

    screen.confirm(
        f"Erase {address}? It can't be undone. Type the address:", answer=address, yes=yes
    )
    with screen.opened() as mailer:
        done = erase(
            address,
            db=mailer.db,
            clock=mailer.clock,
            leftovers=mailer.leftovers,
            keep_out=not may_return,
        )
    if screen.result(done):
        return
    screen.say("Erased." + (" The address is kept out by its hash." if done.kept_out else ""))
    screen.table(
        [
            ("mails that stay as counts", done.mails),
            ("mails that were still to be sent", done.skipped),
            ("mails on their way at this moment", done.in_flight),
            ("rejects files that held them", len(done.files)),
        ]
    )
    if not done.rewritten:
        screen.note("The database file may hold remains between its rows: `mailer db prune`.")
