"""A snippet stands where it is included; what is wrong with it is told with its own line."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.compose.compose import Composed
from mailer.compose.snippets import DEEPEST, MOST, Origin, expand
from mailer.errors import Fault, InputError

Compose = Callable[..., Composed]
Faults = Callable[..., list[Fault]]


def expanded(
    body: str, snippets: Mapping[str, str], first: int = 5
) -> tuple[list[str], list[Origin], list[str]]:
    """The lines, where each came from, and the faults as people read them."""

    def read(name: str) -> tuple[str, str]:
        if name not in snippets:
            raise InputError(f"There is no snippet `{name}`.")
        return snippets[name], name

    faults: list[Fault] = []
    text, origins = expand(body, first, "issue.md", read, faults)
    lines = text.split("\n")
    found = [origins.of(first + at) for at in range(len(lines))]
    return lines, [each for each in found if each], [str(origins.placed(each)) for each in faults]


def test_a_snippet_takes_the_place_of_its_include() -> None:
    for include in ("::: include a\n:::", "::: include a :::", "::: include\nfile: a\n:::"):
        lines, origins, faults = expanded(f"One\n\n{include}\n\nTwo", {"a": "in\nside"})

        assert [line for line in lines if line] == ["One", "in", "side", "Two"]
        assert faults == []
        assert [o for o in origins if o.file == "a"] == [
            Origin("a", 1, ("issue.md:7",)),
            Origin("a", 2, ("issue.md:7",)),
        ]
        assert origins[-1] == Origin("issue.md", 5 + 3 + include.count("\n") + 1)


def test_a_fault_in_a_snippet_is_told_with_its_line_and_the_way_there(
    compose: Compose, faults_of: Faults
) -> None:
    snippets = {"a": "x\n\n::: include b\n:::\n", "b": "fine\n\n[bad](nowhere)\n"}
    body = "Hello\n\n::: include a\n:::\n\n[worse](elsewhere)\n\n::: nonsense\n:::"
    found = faults_of(compose, body, snippets=snippets)

    assert [(fault.file, fault.line) for fault in found] == [
        ("snippets/b", 3),
        ("issue.md", 10),
        ("issue.md", 12),
    ]
    assert found[0].message == (
        "`nowhere` is no whole address; in a mail it leads nowhere"
        " (included by issue.md:7, then snippets/a:3)."
    )


def test_a_slot_in_a_snippet_keeps_its_place(compose: Compose) -> None:
    snippets = {"a": "\n\nHello {{ city }}"}
    composed = compose("{{ first }}\n::: include a\n:::\n{{ last }}", snippets=snippets).placed()
    slots = {each.source: (each.file, each.line) for each in composed.rendition.slots}

    assert slots["first"] == ("issue.md", 5)
    assert slots["city"] == ("snippets/a", 3)
    assert slots["last"] == ("issue.md", 8)


def test_a_snippet_may_hold_blocks_and_stand_inside_of_one(compose: Compose) -> None:
    block = "::: story\nheadline: Boats\n\nThey are back.\n:::"
    composed = compose("::: include a\n:::", snippets={"a": f"Words\n\n{block}"})
    assert "They are back." in composed.rendition.html

    story = "::: story headline=News\n\n::: include a\n:::\n\nMore\n:::"
    composed = compose(story, snippets={"a": "Contact *us*."})
    assert "<em>us</em>" in composed.rendition.html
    assert composed.rendition.html.index("us</em>") < composed.rendition.html.index("More")


def test_a_circle_is_shown_whole() -> None:
    _, _, faults = expanded("::: include a\n:::", {"a": "::: include b :::", "b": "::: include a"})
    assert "never closes" in faults[0]

    snippets = {"a": "x\n::: include b :::", "b": "::: include a :::"}
    lines, _, faults = expanded("::: include a\n:::", snippets)
    assert faults == [
        "b:1: This include goes round in a circle: a → b → a"
        " (included by issue.md:5, then a:2). Leave it out."
    ]
    assert "x" in lines


def test_depth_number_and_size_are_bounded() -> None:
    deep = {str(n): f"::: include {n + 1} :::" for n in range(DEEPEST + 3)}
    many = {"a": "x"}
    doubling = {str(n): f"::: include {n + 1} :::\n" * 2 for n in range(8)} | {"8": "x" * 9_000}
    large = {"a": "x" * 300_000}

    (found,) = expanded("::: include 0 :::", deep)[2]
    assert found.startswith(f"{DEEPEST - 1}:1: Snippets are nested too deep here")
    (found,) = expanded("::: include a :::\n" * (MOST + 50), many)[2]
    assert found == f"issue.md:{5 + MOST}: There are more than {MOST} includes. Write some out."
    assert len("\n".join(expanded("::: include 0 :::", doubling)[0])) < 1_000_000
    found = expanded("::: include a :::\n::: include a :::", large)[2][0]
    assert found.startswith("issue.md:6: The issue grows too long")


def test_what_can_not_be_included_is_refused_at_its_line() -> None:
    for body, message in {
        "::: include\n:::": "issue.md:5: An include names one file.",
        "::: include a b\n:::": "issue.md:5: An include names one file.",
        "::: include a\ntext": "issue.md:5: The block `include` never closes.",
        "\n::: include a\n::::": "issue.md:6: The block `include` never closes.",
        "::: include none\n:::": "issue.md:5: There is no snippet `none`.",
        "::: include f\n:::": "issue.md:5: `f` has a front matter; a snippet is text alone.",
        "::: include n\n:::": "n:2: There is a character that no mail can hold (U+0000)"
        " (included by issue.md:5).",
    }.items():
        found = expanded(body, {"a": "x", "f": "---\nsubject: x\n---\n", "n": "a\nb\0"})[2]
        assert len(found) == 1
        assert found[0].startswith(message)


def test_in_code_an_include_is_only_text() -> None:
    body = "```\n::: include a\n:::\n```"

    assert expanded(body, {"a": "x"})[0] == body.split("\n")


@settings(max_examples=60)
@given(
    st.lists(
        st.sampled_from(["::: include a", ":::", "::: include b :::", "```", "x", "", "::: story"]),
        max_size=12,
    ),
    st.lists(
        st.sampled_from(["::: include b", ":::", "::: include a :::", "```", "y"]), max_size=6
    ),
)
def test_every_line_leads_back_to_what_was_written(body: list[str], inner: list[str]) -> None:
    files = {"a": "\n".join(inner), "b": "z\nz"}
    written = {"issue.md": ["", "", "", "", *(body or [""])], "a": inner or [""], "b": ["z", "z"]}
    lines, origins, _ = expanded("\n".join(body), files)

    for line, origin in zip(lines, origins, strict=False):
        assert line in ("", written[origin.file][origin.line - 1])
