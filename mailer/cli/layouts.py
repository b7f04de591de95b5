"""``mailer layouts``: see which layouts there are, try one out, begin one of your own."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from mailer.cli import screen
from mailer.model.shown import counted

if TYPE_CHECKING:
    from mailer.usecases.show_layouts import ShownBlock

commands = typer.Typer(no_args_is_help=True, help="See, check and make layouts.")
Name = Annotated[str, typer.Argument(metavar="NAME", help="Such as newsroom.")]


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="layouts")


@commands.command()
def show(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One layout.")] = None,
    block: Annotated[str | None, typer.Argument(metavar="[BLOCK]", help="One block of it.")] = None,
) -> None:
    """List the layouts; or the blocks of one; or what one block takes."""
    from mailer.errors import NotFoundError
    from mailer.usecases.show_layouts import show_layout, show_layouts
    from mailer.wiring.files import layout_names

    with screen.opened() as mailer:
        if name is None:
            lines = show_layouts(layout_names(mailer.workspace), layouts=mailer.layout)
            if not screen.result({"layouts": [asdict(each) for each in lines]}):
                screen.table(
                    [
                        (each.name, "own" if each.own else "shipped", f"extends {each.extends}")
                        if each.extends
                        else (each.name, "own" if each.own else "shipped", "")
                        for each in lines
                    ]
                )
                screen.say("Next: mailer layouts show NAME")
            return
        layout = show_layout(name, layouts=mailer.layout)
    blocks = [each for each in layout.blocks if block in (None, each.name)]
    if not blocks:
        raise NotFoundError(f"The layout {name} has no block {block}.")
    if screen.result({**asdict(layout), "blocks": [asdict(each) for each in blocks]}):
        return
    if block is not None:
        _say_block(blocks[0])
        return
    screen.say(f"{layout.name} in {layout.path}")
    if layout.extends:
        screen.say(f"extends {', '.join(layout.extends)}")
    screen.say(f"speaks {', '.join(layout.languages) or 'no words of its own'}")
    screen.table([(each.name, each.what) for each in blocks])
    screen.say(f"Next: mailer layouts show {name} {blocks[0].name}")


def _say_block(block: ShownBlock) -> None:
    screen.say(f"{block.name}: {block.what} {block.holds}")
    screen.table(
        [
            (each.name + (" (needed)" if each.needed else ""), each.takes, each.what)
            for each in block.options
        ]
    )
    screen.say("")
    screen.say(block.example)


@commands.command()
def check(name: Name) -> None:
    """Say what is wrong with a layout, and where. 1 when there are errors.

    Every block's example and the starter edition are composed, left-to-right and right-to-left;
    every pair of colours is held to a contrast of 4.5 to 1, in light and in dark.
    """
    from mailer.usecases.check_layout import check_layout

    with screen.opened() as mailer:
        report = check_layout(name, layouts=mailer.layout)
    found = {
        "ok": report.ok,
        "errors": [screen.fault_document(fault) for fault in report.errors],
        "warnings": [screen.fault_document(fault) for fault in report.warnings],
        "blocks": report.blocks,
        "languages": list(report.languages),
        "contrast": [asdict(pair) for pair in report.pairs],
    }
    if not screen.result(found):
        for fault in report.errors:
            screen.say(f"error    {fault}")
        for fault in report.warnings:
            screen.say(f"warning  {fault}")
        ratios = [pair.ratio for pair in report.pairs if pair.ratio is not None]
        if ratios:
            screen.say(
                f"{counted(len(ratios), 'pair')} of colours, the weakest with a contrast of"
                f" {min(ratios):.1f}:1"
            )
        screen.say(
            f"{counted(len(report.errors), 'error')}, {counted(len(report.warnings), 'warning')}"
            if report.errors or report.warnings
            else f"{counted(report.blocks, 'block')}; nothing is wrong with it."
        )
    if not report.ok:
        raise typer.Exit(1)


@commands.command()
def new(
    name: Name,
    base: Annotated[
        str, typer.Option("--from", metavar="LAYOUT", help="The layout to begin with.")
    ] = "newsroom",
    whole: Annotated[
        bool, typer.Option("--whole", help="Copy every file, instead of extending the layout.")
    ] = False,
) -> None:
    """Make layouts/NAME in the workspace, with colours and fonts to change."""
    from mailer.usecases.new_layout import new_layout

    with screen.opened() as mailer:
        made = new_layout(
            name,
            base=base,
            whole=whole,
            layouts=mailer.layout,
            target=mailer.layout_shelf,
        )
    if not screen.result({"path": made.path}):
        screen.say(f"Made {made.path}")
        screen.say(f"Next: change {made.theme}, then")
        screen.say(f"      mailer layouts check {name}")
