"""Composition time for 1, 30 and 300 stories, and where it goes.

"First" is the first time in a process after its imports, "later" the sixth, and "ever" the first
on a machine, where nobody has kept anything yet. The yardstick is what anybody
would type: the engine and premailer with their defaults, over the same MJML. The times are
processor time, so that neighbours on the machine count little.

    python -m tests.bench.compose [RUNS]
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
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
    from mailer.adapters.shipped import PACK
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
            PACK.take_out()
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
            PACK.put_back()
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
    with tempfile.TemporaryDirectory() as kept:
        for stories in (1, 30, 300):
            _table(stories, runs, Path(kept))


def _table(stories: int, runs: int, kept: Path) -> None:
    rows: dict[str, list[dict[str, float]]] = {"ever": [], "first": [], "later": []}
    plain = []
    for _ in range(runs):
        for pack in kept.rglob("*.pack"):
            pack.unlink()
        ever, done = (_child(kept, "measure", str(stories)) for _ in range(2))
        rows["ever"].append(ever["first"])
        for when in ("first", "later"):
            rows[when].append(done[when])
        plain.append(_child(kept, "bare", text=done["markup"]))
    print(f"\n{stories} stories, {done['bytes']:,} bytes of HTML; medians of {runs}, in ms")
    print(f"{'':28}" + "".join(f"{when:>8}      " for when in rows))
    middle = {when: _middle(each) for when, each in rows.items()}
    for name in middle["first"]:
        cells = (f"{each[name]:8.1f}{each[name] / each[ALL]:6.0%}" for each in middle.values())
        print(f"{name:28}{''.join(cells)}")
    base = _middle(plain)
    base["ever"] = base["first"]
    print(f"{'engine + premailer, bare':28}" + "".join(f"{base[when]:8.1f}      " for when in rows))
    ratios = (f"{middle[when][COMPOSE] / base[when]:8.2f}      " for when in rows)
    print(f"{'composing / bare':28}{''.join(ratios)}")


def _middle(rows: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(row[name] for row in rows) for name in rows[0]}


def _child(kept: Path, *arguments: str, text: str = "") -> dict[str, Any]:
    """Runs one measurement in a process of its own, which keeps code in a folder of ours."""
    command = [sys.executable, "-m", "tests.bench.compose", *arguments]
    world = {**os.environ, "PYTHONPYCACHEPREFIX": str(kept), "PYTHONDONTWRITEBYTECODE": ""}
    done = subprocess.run(
        command, input=text, check=True, capture_output=True, text=True, cwd=ROOT, env=world
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    if sys.argv[1:2] == ["measure"]:
        print(json.dumps(measure(int(sys.argv[2]))))
    elif sys.argv[1:2] == ["bare"]:
        print(json.dumps(bare(sys.stdin.read())))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
