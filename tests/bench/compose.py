"""Composition time for 1, 30 and 300 stories, first and later in a process, and where it goes.

The yardstick is what anybody would type: the engine and premailer with their defaults, over the
same MJML. Each row is a process of its own, so that "first" means first after the imports. The
times are processor time, so that neighbours on the machine don't count.

    python -m tests.bench.compose [RUNS]
"""

from __future__ import annotations

import gc
import importlib
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
STORY = """::: story picture={n}.jpg
alt: Boats at the quay before sunrise
caption: The first boats leave at half past four.
credit: "Photo: Mirel Kastane, 2026"
kicker: Living with the sea
headline: The harbour is open again ({n})
dateline: Low Tavren
links: [Read the whole story](https://example.org/{n}) | [See the plan](https://example.org/plan)
share: facebook x mail

Nine months after the storm, the **harbour** of Low Tavren is open.
Dear {{{{ name | default("reader") }}}}, the forty boats left before dawn,
said [Ana Kest](https://example.org/people/ana), the harbour master.

The second paragraph says what happens next: the quay is closed to cars *until the end of June*.
:::
"""
FRONT = "---\nsubject: News\npreheader: What is new\nlayout: newsroom\nlang: en\n---\n\nHello.\n\n"
# What is timed, by the name of the module that calls it.
STAGES = {
    "read the issue": "compose.read_issue",
    "fill the blocks": "compose.Filler.fill",
    "templates → MJML": "compose._Renderer._document",
    "check the MJML": "compose.inspect",
    "MJML engine": "compose.run_engine",
    "parse the HTML": "compose.parse",
    "inline (premailer)": "compose.inline_styles",
    "serialise": "compose.serialise",
    "web version": "compose.web_version",
    "text part": "compose._Renderer._text",
    "read the used blocks": "block_kinds.Blocks.__getitem__",
}
LOAD, COMPOSE, ALL = "load the layout", "composing", "all"


@contextmanager
def stopwatch(spent: dict[str, float]) -> Iterator[None]:
    """Wraps the stages for a while, and adds up what each takes, in ms."""
    kept: list[tuple[Any, str, Any]] = []
    for stage, path in STAGES.items():
        module, _, rest = path.partition(".")
        owner: Any = importlib.import_module(f"mailer.compose.{module}")
        *classes, name = rest.split(".")
        for each in classes:
            owner = getattr(owner, each)
        kept.append((owner, name, getattr(owner, name)))
        setattr(owner, name, _timed(stage, kept[-1][2], spent))
    try:
        yield
    finally:
        for owner, name, value in kept:
            setattr(owner, name, value)


def _timed(stage: str, call: Callable[..., Any], spent: dict[str, float]) -> Callable[..., Any]:
    def run(*args: Any, **options: Any) -> Any:
        started = process_time()
        try:
            return call(*args, **options)
        finally:
            spent[stage] = spent.get(stage, 0) + (process_time() - started) * 1000

    return run


def measure(stories: int) -> dict[str, Any]:
    """Composes in this process six times: the layout, then an issue with so many stories."""
    from mailer.adapters.workspace import layout_folder
    from mailer.compose import compose as room
    from mailer.compose import mjml
    from mailer.compose.layout import load_layout, stack
    from mailer.compose.reading import Brand

    gc.freeze()  # as wiring does
    picture = (ROOT / "layouts/newsroom/starter/picture.jpg").read_bytes()
    text = FRONT + "\n".join(STORY.format(n=n) for n in range(stories))
    folders = partial(layout_folder, ROOT)
    brand = Brand("Harbour Trust", "1 Quay Street", "https://news.example", "n@news.example", "")
    seen: list[str] = []
    rows: list[dict[str, float]] = []
    caught: list[str] = []
    engine = mjml.run_engine

    def run_engine(markup: str) -> str:
        caught.append(markup)
        return engine(markup)

    vars(room)["run_engine"] = run_engine
    for _ in range(6):
        spent: dict[str, float] = {}
        with stopwatch(spent):
            started = process_time()
            layout = load_layout(stack("newsroom", folders), name="newsroom", whole=False)
            loaded = process_time()
            composed = room.compose_issue(
                text,
                where="issue.md",
                read_picture=lambda _: picture,
                layout=layout,
                picture_url=lambda name: f"https://news.example/i/{name}",
                brand=brand,
            )
            ended = process_time()
        blocks = spent.pop("read the used blocks")  # they are a part of the layout
        spent["fill the blocks"] -= blocks
        spent[LOAD] = (loaded - started) * 1000 + blocks
        spent[COMPOSE] = (ended - loaded) * 1000 - blocks
        spent[ALL] = (ended - started) * 1000
        rows.append(spent)
        seen.append(composed.rendition.html)
    assert len(set(seen)) == 1
    size = len(seen[0].encode())
    return {"first": rows[0], "later": rows[-1], "bytes": size, "markup": caught[0]}


def bare(markup: str) -> dict[str, float]:
    """The yardstick, first and later: what anybody would type, over the same MJML, in ms."""
    from mjml import mjml2html
    from premailer import Premailer

    taken = []
    for _ in range(6):
        started = process_time()
        Premailer(mjml2html(markup), cssutils_logging_level="CRITICAL").transform()
        taken.append((process_time() - started) * 1000)
    return {"first": taken[0], "later": taken[-1]}


def main(runs: int) -> None:
    """Prints the table."""
    for stories in (1, 30, 300):
        rows = [_child("measure", str(stories)) for _ in range(runs)]
        plain = [_child("bare", text=rows[0]["markup"]) for _ in range(runs)]
        print(f"\n{stories} stories, {rows[0]['bytes']:,} bytes of HTML; medians of {runs}, in ms")
        print(f"{'':28}{'first':>8}{'':6}{'later':>8}")
        first, later = (_middle([row[when] for row in rows]) for when in ("first", "later"))
        for name in first:
            print(
                f"{name:28}{first[name]:8.1f}{first[name] / first[ALL]:6.0%}"
                f"{later[name]:8.1f}{later[name] / later[ALL]:6.0%}"
            )
        base = _middle(plain)
        print(f"{'engine + premailer, bare':28}{base['first']:8.1f}{'':6}{base['later']:8.1f}")
        print(
            f"{'composing / bare':28}{first[COMPOSE] / base['first']:8.2f}{'':6}"
            f"{later[COMPOSE] / base['later']:8.2f}"
        )


def _middle(rows: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(row[name] for row in rows) for name in rows[0]}


def _child(*arguments: str, text: str = "") -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.compose", *arguments]
    done = subprocess.run(command, input=text, check=True, capture_output=True, text=True, cwd=ROOT)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    if sys.argv[1:2] == ["measure"]:
        print(json.dumps(measure(int(sys.argv[2]))))
    elif sys.argv[1:2] == ["bare"]:
        print(json.dumps(bare(sys.stdin.read())))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
