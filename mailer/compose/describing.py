"""Says what each block of a layout takes, for its page and for the screen."""

from __future__ import annotations

from collections.abc import Mapping

from mailer.compose.block_kinds import BlockKind, OptionKind

_TAKES = {
    "text": "a line of words",
    "inline": "a line; `**bold**`, `*slanted*` and links work in it",
    "picture": "a picture file in the issue’s folder",
    "links": "`[words](https://…)`, several with `|` between them",
    "url": "an address: `https://…` or `mailto:…`",
    "flag": "nothing: the word alone says yes",
    "moment": "a day, or a day and a time: `2026-12-04 18:00`",
    "zone": "a time zone’s name, such as `Europe/Zurich`",
}
_HOLDS = {
    "markdown": "Text: Markdown, after a blank line.",
    "items": "Text: one list, each item beginning with `- `.",
    "table": "Text: one table of Markdown, its first row the headings.",
    "none": "No text, options only.",
}


def takes(option: OptionKind) -> str:
    """Says what an option takes, in Markdown."""
    if option.type in ("words", "choice"):
        one = "one or more of" if option.type == "words" else "one of"
        among = ", ".join(f"`{word}`" for word in option.among)
        else_ = f" (else `{option.default}`)" if option.default else ""
        return f"{one} {among}{else_}"
    return _TAKES[option.type]


def holds(kind: BlockKind, blocks: Mapping[str, BlockKind]) -> str:
    """Says what stands inside of a block, in Markdown."""
    if kind.body == "blocks":
        inner = " and ".join(f"`{n}`" for n, each in blocks.items() if kind.name in each.inside)
        return (
            f"Holds {kind.least} to {kind.most} blocks {inner}, and has one colon more than they."
        )
    return _HOLDS[kind.body]


def page_of(kind: BlockKind, blocks: Mapping[str, BlockKind]) -> str:
    """Returns a block's section of its layout's page."""
    lines = [f"## `{kind.name}`", "", f"{kind.what} {holds(kind, blocks)}", ""]
    if kind.options:
        lines += ["| option | takes | what it is |", "|---|---|---|"]
        for name, option in kind.options.items():
            needed = " (needed)" if option.required else ""
            what = takes(option).replace("|", "\\|")
            lines.append(f"| `{name}`{needed} | {what} | {option.what} |")
        lines.append("")
    return "\n".join([*lines, "```markdown", kind.example.strip(), "```"]) + "\n"
