"""``mailer issues``: begin, check, render and try an issue before anybody is planned."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mailer.cli import screen
from mailer.cli.campaigns import print_copies

commands = typer.Typer(no_args_is_help=True, help="Write, check and render issues.")
Source = Annotated[
    Path,
    typer.Argument(metavar="ISSUE", help="Its name in data/issues, its folder or its issue.md."),
]

ForList = Annotated[
    str | None,
    typer.Option("--list", metavar="NAME", help="With this list's sender, layout and language."),
]
InLanguage = Annotated[
    str | None, typer.Option("--lang", metavar="TAG", help="Only this language of the issue.")
]


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="issues")


@commands.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Such as spring-2026.")],
    layout: Annotated[
        str | None, typer.Option(help="The layout to begin with; else newsroom.")
    ] = None,
    previous: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="PATH", help="Carry the frame of this edition over: blocks, contacts."
        ),
    ] = None,
) -> None:
    """Make data/issues/NAME with an edition that passes the check as it is.

    With --from the blocks, contacts and sponsors of an earlier edition stay, the date moves by
    whole weeks, and each text is emptied with a hint, which the check names until it is written.
    """
    from mailer.usecases.new_issue import new_issue, new_issue_from

    if previous is not None and layout is not None:
        raise typer.BadParameter("Either --layout or --from: an edition has its layout already.")
    with screen.opened() as mailer:
        if previous is not None:
            made = new_issue_from(
                name,
                mailer.issue(previous),
                layouts=mailer.layout,
                target=mailer.shelf,
                clock=mailer.clock,
            )
        else:
            made = new_issue(
                name,
                layout=layout or "newsroom",
                layouts=mailer.layout,
                target=mailer.shelf,
                clock=mailer.clock,
            )
    if not screen.result({"path": made.path}):
        screen.say(f"Made {made.path}")
        screen.say(f"Next: open {made.path}/issue.md in your editor, then")
        screen.say(f"      mailer issues check {made.path}")


@commands.command()
def diff(
    before: Annotated[Path, typer.Argument(metavar="A", help="The earlier issue.")],
    after: Annotated[Path, typer.Argument(metavar="B", help="The later one.")],
) -> None:
    """Say what changed from one issue to another, in words, for a reviewer.

    [-So-] is gone and {+so+} is new. Names of issues in data/issues will do.
    """
    from mailer.usecases.diff_issues import diff_issues

    with screen.opened() as mailer:
        old, new = (mailer.issue(each) for each in (before, after))
        found = diff_issues(old, new)
    if screen.result({"same": not found, "files": found}):
        return
    if not found:
        screen.say("Nothing has changed.")
    for file in found:
        screen.say(f"{file.file}" + ("" if file.changes else f" was {file.how}"))
        for each in file.changes:
            line = each.after or each.before
            name = f"{each.what}, {each.field}" if each.field else each.what
            told = f": {each.text}" if each.text else ""
            screen.say(f"  {each.how:<8} {name} (line {line}){told}")


@commands.command()
def check(
    path: Source,
    list_name: ForList = None,
    lang: InLanguage = None,
    links: Annotated[
        bool, typer.Option("--links", help="Follow the links over the network, too.")
    ] = False,
    audience: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|SHARES",
            help="Whose mail programs count: everyone, offices, phones, or shares such as"
            " gmail=40,outlook.windows=60.",
        ),
    ] = None,
    programs: Annotated[
        bool, typer.Option("--programs", help="List all that some mail programs can't show.")
    ] = False,
    form: Annotated[
        str, typer.Option("--format", metavar="human|github", help="How to print the findings.")
    ] = "human",
) -> None:
    """Say what is wrong with an issue in all its languages, and where. 1 when there are errors.

    `mailer issues rules` lists the rules. Front matter can silence one, with a reason:
    `silence:`, then a line `  rule-name: the reason`.
    """
    from mailer.cli.findings import print_report
    from mailer.usecases.check_issue import check_issue
    from mailer.usecases.show_fields import show_fields
    from mailer.usecases.use_list_defaults import use_list_defaults

    if form not in ("human", "github"):
        raise typer.BadParameter(f"{form} is none of human, github", param_hint="--format")
    with screen.opened() as mailer:
        report = check_issue(
            mailer.issue(path),
            layouts=mailer.layout,
            brand=use_list_defaults(mailer.brand, list_name, db=mailer.db),
            fields=show_fields(db=mailer.db),
            language=lang,
            audience=audience,
            follower=mailer.link_follower if links else None,
        )
    print_report(report, path=path, form=form, programs=programs)
    if not report.ok:
        raise typer.Exit(1)


@commands.command()
def rules(
    name: Annotated[str | None, typer.Argument(metavar="[RULE]", help="One of them.")] = None,
) -> None:
    """List the rules of the check, or explain one."""
    from mailer.cli.findings import print_rules
    from mailer.usecases.show_rules import show_rules

    print_rules(show_rules(name), whole=name is not None)


@commands.command()
def render(
    path: Source,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where to write the files.")
    ] = None,
    png: Annotated[
        Path | None,
        typer.Option("--png", metavar="DIR", help="Pictures of every view, with Chromium."),
    ] = None,
    as_address: Annotated[
        str | None, typer.Option("--as", metavar="ADDRESS", help="As this person would see it.")
    ] = None,
    list_name: ForList = None,
    lang: InLanguage = None,
) -> None:
    """Write what one reader would get: email.html, email.txt, web.html, message.eml.

    Further languages of the issue are written beside them: email.fr.html, and so on; with
    `subject_b`, the message under that subject as message.b.eml. --png takes
    pictures for a review: at 320 and 600 pixels, with pictures off, dark, inverted, without the
    style block; the web version and the text part.
    """
    from mailer.usecases.render_issue import render_issue
    from mailer.usecases.use_list_defaults import use_list_defaults
    from mailer.wiring.files import write_pictures, write_rendered

    if out is None and png is None:
        raise typer.BadParameter("Where to? Give --out DIR, --png DIR, or both.")
    with screen.opened() as mailer:
        rendered = render_issue(
            mailer.issue(path),
            as_address=as_address,
            language=lang,
            list_name=list_name,
            db=mailer.db,
            layouts=mailer.layout,
            brand=use_list_defaults(mailer.brand, list_name, db=mailer.db),
            clock=mailer.clock,
            keys=mailer.keys_if_any,
            sending=mailer.sending_policy,
        )
        files = write_rendered(out, rendered) if out is not None else []
        files += write_pictures(png, rendered) if png is not None else []
    variants = [_sizes(each) for each in rendered]
    found = {**variants[0], "files": files, "variants": variants}
    if not screen.result(found):
        for each in rendered:
            if each.second is None:
                screen.say(f"Subject ({each.language}): {each.subject}")
            else:
                screen.say(f"Subject a ({each.language}): {each.subject}")
                screen.say(f"Subject b ({each.language}): {each.second.subject}")
        screen.table([(file,) for file in files])
        for sizes in variants:
            screen.say(
                f"{sizes['language']}: HTML {sizes['html_bytes'] / 1024:.0f} KB,"
                f" text {sizes['text_bytes'] / 1024:.0f} KB,"
                f" message {sizes['message_bytes'] / 1024:.0f} KB"
            )


def _sizes(rendered: Any) -> dict[str, Any]:
    return {
        "language": rendered.language,
        "subject": rendered.subject,
        "subject_b": rendered.second.subject if rendered.second is not None else None,
        "html_bytes": len(rendered.html.encode()),
        "text_bytes": len(rendered.text.encode()),
        "message_bytes": len(rendered.message),
    }


@commands.command()
def preview(
    path: Source,
    list_name: ForList = None,
    port: Annotated[int, typer.Option(help="The port to listen on.", min=0, max=65535)] = 8026,
) -> None:
    """Show an issue in the browser while it is written, on this machine alone; saves reload it.

    As anybody on file, at 320 and 600 pixels, with pictures off, dark, inverted, without its style
    block; its text part, web version, headers and source; what the check finds; size and links.
    """
    from mailer.usecases.preview_issue import IssuePreview
    from mailer.usecases.use_list_defaults import use_list_defaults
    from mailer.web.preview import HEARTBEAT, make_preview, new_key
    from mailer.web.server import serve_preview

    with screen.opened() as mailer:
        key, found = new_key(), mailer.issue(path)
        shown = IssuePreview(
            lambda: mailer.issue(path),
            list_name=list_name,
            db=mailer.db,
            layouts=mailer.layout,
            brand=use_list_defaults(mailer.brand, list_name, db=mailer.db),
            keys=mailer.keys_if_any,
            clock=mailer.clock,
            sending=mailer.sending_policy,
        )
        serve_preview(
            lambda stopping: make_preview(
                shown,
                name=found.name,
                changes=lambda: mailer.changes(path, every=HEARTBEAT),
                stopping=stopping,
                key=key,
            ),
            port,
            ready=lambda address: screen.note(f"Open {address}/{key}/  (Ctrl-C stops it)"),
        )


@commands.command()
def test(
    path: Source,
    to: Annotated[list[str], typer.Option("--to", metavar="ADDRESS", help="Who gets the copy.")],
    as_address: Annotated[
        str | None, typer.Option("--as", metavar="ADDRESS", help="As this person would see it.")
    ] = None,
    list_name: ForList = None,
    lang: InLanguage = None,
) -> None:
    """Send one marked copy a language; no plan is needed, and its links change nothing."""
    import asyncio

    from mailer.usecases.send_test_copy import send_issue_copy
    from mailer.usecases.use_list_defaults import use_list_defaults

    with screen.opened() as mailer:
        copies = asyncio.run(
            send_issue_copy(
                mailer.issue(path),
                to=to,
                as_address=as_address,
                language=lang,
                db=mailer.db,
                layouts=mailer.layout,
                brand=use_list_defaults(mailer.brand, list_name, db=mailer.db),
                transport=mailer.transport,
                keys=mailer.keys,
                clock=mailer.clock,
                signing=mailer.signing,
                return_path=mailer.settings.return_path or "",
            )
        )
    print_copies(copies)
