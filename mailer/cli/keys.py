"""``mailer keys``: make, show and change the keys that sign mails with DKIM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mailer.cli import screen

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailer.usecases.make_key import MadeKey
    from mailer.usecases.show_keys import ShownKey
    from mailer.wiring import Mailer

commands = typer.Typer(no_args_is_help=True, help="Keys that sign mails with DKIM.")
Domain = Annotated[
    str | None,
    typer.Option("--domain", metavar="NAME", help="Default: the settings', else that of From."),
]
Selector = Annotated[
    str | None,
    typer.Argument(metavar="SELECTOR", help="Its name in the DNS. Default: one of the month."),
]


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="keys")


@commands.command()
def new(
    selector: Selector = None,
    domain: Domain = None,
    ed25519: Annotated[
        bool,
        typer.Option("--ed25519", help="A second key beside it: mails get two signatures."),
    ] = False,
) -> None:
    """Make a key and print the record to publish. Nothing signs with it yet."""
    from mailer.usecases.make_key import make_key

    with screen.opened() as mailer:
        made = make_key(
            _domain(mailer, domain),
            selector,
            ed25519=ed25519,
            files=mailer.signing.files,
            clock=mailer.clock,
        )
    if screen.result(made):
        return
    screen.say(f"Wrote {made.file}. Whoever has it can sign as you: keep it, and back it up.")
    _tell_next(made)


@commands.command()
def show(domain: Domain = None) -> None:
    """Show each key with its record, and what signs with it."""
    from mailer.usecases.show_keys import show_keys

    with screen.opened() as mailer:
        name = _domain(mailer, domain)
        found = show_keys(name, signing=mailer.signing, db=mailer.db)
        signs = bool(mailer.signing.domain)
    if screen.result(found):
        return
    if not found:
        screen.say(f"There is no key for {name or 'any domain'}.")
        screen.say("Next: mailer keys new")
        return
    uses = {"current": "signs new campaigns", "none": "signs nothing"}
    for each in found:
        use = uses.get(each.use) or f"signs {', '.join(each.campaigns)}, planned with it"
        screen.say(f"{each.selector}: {use}")
        screen.say(f"  {each.file}")
        if each.trouble:
            screen.say(f"  {each.trouble}")
        _records(each.keys)
    if not signs:
        screen.say("Mails are not signed here: MAILER_DKIM_DOMAIN is not set.")


@commands.command()
def rotate(selector: Selector = None) -> None:
    """Make the next key, beside the present one. Doing it twice makes no third one."""
    from mailer.usecases.rotate_key import rotate_key

    with screen.opened() as mailer:
        done = rotate_key(selector, signing=mailer.signing, db=mailer.db, clock=mailer.clock)
    if screen.result(done):
        return
    if done.made:
        screen.say(f"Wrote {done.next.file}.")
    else:
        screen.say(f"The next key is there already: {done.next.file}")
    for each in done.retired:
        screen.say(f"Removed {each}: nothing signs with it. Empty its record (v=DKIM1; p=).")
    _tell_next(done.next)
    screen.say()
    screen.say(f"Until then {done.current} signs. Leave its record for a week after its last mail.")


def _tell_next(made: MadeKey) -> None:
    screen.say()
    _records(made.keys)
    screen.say("Next: publish this in the DNS, wait until it can be seen from outside, then write")
    for line in made.settings:
        screen.say(f"        {line}")
    screen.say("      into .env, and send yourself a copy: mailer campaigns test ID --to YOU")


def _records(keys: Iterable[ShownKey]) -> None:
    for key in keys:
        screen.say(f"  TXT record, {key.algorithm.partition('-')[0]}, {key.bits} bits")
        screen.say(f"  name   {key.name}")
        screen.say(f"  value  {key.value}")
        screen.say("  as a zone file has it:")
        screen.say(f"  {key.zone}")
        screen.say()


def _domain(mailer: Mailer, given: str | None) -> str:
    """Whose keys: what was said, else the settings', else the domain of From."""
    sender = mailer.settings.mail_from or ""
    at = sender.rpartition("@")[2].strip(" >")
    return (given or mailer.signing.domain or at).lower()
