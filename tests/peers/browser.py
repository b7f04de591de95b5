"""A Chromium that a test drives by keyboard alone, one step after the other, in several windows."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from tests.peers.programs import HERE, node_packages, program

WIDTHS = (320, 1280)
_ANSWER_WITHIN = 60  # seconds
Step = Sequence[str]  # verb, selector, and for some a value


@dataclass(frozen=True)
class Shown:
    """A page as it came: what it says, and what is wrong with it."""

    name: str
    url: str
    status: int
    text: str
    title: str
    language: str
    direction: str
    saved: str  # the text of a download
    requests: Sequence[str]
    console: Sequence[str]
    wrong: Sequence[str]


@dataclass
class Window:
    """One window of its own; each page that has a name is judged at every width."""

    name: str
    script: bool
    browser: Browser
    pages: list[Shown] = field(default_factory=list)

    def open(self, name: str, url: str, *, off: Sequence[str] = ()) -> Shown:
        return self._ask(name, off=off, open=url)

    def go(self, name: str, selector: str, *before: Step) -> Shown:
        """Does what comes before, tabs to a link or a button, and presses Enter."""
        return self._ask(name, keys=[*before, ("go", selector)])

    def do(self, name: str, *steps: Step) -> Shown:
        """Steps that lead to no other page."""
        return self._ask(name, keys=steps)

    def _ask(self, name: str, *, off: Sequence[str] = (), **asked: Any) -> Shown:
        label = f"{self.name} {len(self.pages):02} {name}"
        told = self.browser.ask(
            window=self.name,
            script=self.script,
            widths=WIDTHS,
            name=label if name else "",
            off=off,
            walked=self.script,
            pictures=os.environ.get("PEERS_PICTURES"),
            **asked,
        )
        shown = Shown(label, **told)
        self.pages.append(shown)
        return shown

    @property
    def wrong(self) -> list[str]:
        """Barriers, sideways scrolling, and what the Tab key does not reach."""
        return [line for each in self.pages for line in each.wrong]

    @property
    def forbidden(self) -> list[str]:
        """What the browser refused because of a page's own content policy."""
        said = [line for each in self.pages for line in each.console]
        return [line for line in said if "Content Security Policy" in line]

    def strangers(self, *sites: str) -> list[str]:
        """Requests to anything but the sites."""
        asked = [line for each in self.pages for line in each.requests]
        assert asked
        homes = tuple(f"{site}/" for site in sites)
        return [line for line in asked if not line.split(" ")[1].startswith(homes)]


class Browser:
    """The program. ``ask`` says one thing to it and waits for what it tells."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self._child = child
        self._heard = selectors.DefaultSelector()
        self._heard.register(child.stdout, selectors.EVENT_READ)  # type: ignore[arg-type]

    def window(self, name: str, *, script: bool) -> Window:
        return Window(name, script, self)

    def ask(self, **asked: Any) -> dict[str, Any]:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(json.dumps(asked) + "\n")
        self._child.stdin.flush()
        assert self._heard.select(_ANSWER_WITHIN), f"the browser says nothing to {asked}"
        told: dict[str, Any] = json.loads(self._child.stdout.readline())
        assert "failed" not in told, told["failed"]
        return told


@contextmanager
def open_browser() -> Iterator[Browser]:
    packages = node_packages("playwright-core", "axe-core")
    child = subprocess.Popen(
        [program("node"), HERE / "drive.cjs", program("chromium")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PEERS_NODE_MODULES": str(packages)},
        start_new_session=True,
    )
    try:
        yield Browser(child)
        assert child.stdin is not None
        child.stdin.close()
        child.wait(20)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
