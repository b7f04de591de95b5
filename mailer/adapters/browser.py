"""Takes pictures of pages with the Chromium of this machine, which is asked through a pipe.

The protocol is Chromium's own (https://chromedevtools.github.io/devtools-protocol): JSON messages
that end with a NUL byte, over file descriptors 3 and 4. No port is opened, and the browser reaches
no other machine.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from mailer.errors import InputError, StoppedError

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_MAC = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
_FLAGS = (
    "--headless=new",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--remote-debugging-pipe",
)
SECONDS = 30.0  # for one answer
TALLEST = 16_000  # pixels: what a picture can hold; a mail is shorter


def find_browser() -> str:
    """The path of a Chromium or Chrome. Raises InputError when there is none."""
    for name in (*_NAMES, *_MAC):
        found = shutil.which(name)
        if found:
            return found
    raise InputError(
        "There is no Chromium or Chrome on this machine, and pictures are taken with one.",
        hint="Install `chromium` (on Debian: apt install chromium).",
    )


@contextmanager
def browser() -> Iterator[Browser]:
    """An open browser with a profile that is thrown away. Raises InputError, StoppedError."""
    program = find_browser()
    with (
        tempfile.TemporaryDirectory(prefix="mailer-browser-", ignore_cleanup_errors=True) as home,
        Browser(program, Path(home)) as opened,
    ):
        yield opened


class Browser:
    """One page of one browser, which shows files of this machine."""

    def __init__(self, program: str, profile: Path) -> None:
        their_in, self._out = os.pipe()
        self._in, their_out = os.pipe()
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium refuses root otherwise
        command = [program, *_FLAGS, *sandbox, f"--user-data-dir={profile}", "about:blank"]
        # The shell puts the pipe where Chromium looks for it; by its path, because some shells
        # know no descriptor above 9.
        script = f'exec "$@" 3</dev/fd/{their_in} 4>/dev/fd/{their_out}'
        self._child = subprocess.Popen(  # noqa: S603  # a browser that we found, our own arguments
            ["/bin/sh", "-c", script, "sh", *command],
            pass_fds=(their_in, their_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(their_in)
        os.close(their_out)
        self._number, self._buffer, self._session = 0, b"", ""
        self._events: list[str] = []

    def __enter__(self) -> Browser:
        try:
            target = self._ask("Target.createTarget", url="about:blank")["targetId"]
            opened = self._ask("Target.attachToTarget", targetId=target, flatten=True)
            self._session = opened["sessionId"]
            self._ask("Page.enable")
            self._ask("Emulation.setScriptExecutionDisabled", value=True)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def picture(self, page: Path, *, width: int) -> bytes:
        """A PNG of a whole page as a screen of this width shows it. Raises StoppedError."""
        self._ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=100,  # a page that is shorter than the screen would be filled up
            deviceScaleFactor=1,
            mobile=False,
        )
        self._events.clear()
        self._ask("Page.navigate", url=page.resolve().as_uri())
        self._wait("Page.loadEventFired")
        size = self._ask("Page.getLayoutMetrics")["cssContentSize"]
        clip = {
            "x": 0,
            "y": 0,
            "width": width,
            "height": max(1, min(TALLEST, int(size["height"]))),
            "scale": 1,
        }
        shot = self._ask(
            "Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip
        )
        return b64decode(shot["data"])

    def _ask(self, method: str, **params: object) -> Any:
        self._number += 1
        message: dict[str, object] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        try:
            os.write(self._out, json.dumps(message).encode() + b"\0")
        except OSError as error:
            raise StoppedError("The browser has gone away.") from error
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise StoppedError(f"The browser can't do this: {answer['error']['message']}.")
                return answer["result"]

    def _wait(self, event: str) -> None:
        while event not in self._events:
            self._read()

    def _read(self) -> dict[str, Any]:
        """The next message; an event is remembered by its name."""
        deadline = time.monotonic() + SECONDS
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], max(0, deadline - time.monotonic()))
            piece = os.read(self._in, 1 << 16) if ready else b""
            if not piece:
                why = "ended" if ready else "did not answer in time"
                raise StoppedError(f"The browser {why}.", hint="Does it start by hand?")
            self._buffer += piece
        text, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        if "method" in message:
            self._events.append(message["method"])
        return message

    def _end(self) -> None:
        os.close(self._out)  # Chromium ends when its pipe does
        os.close(self._in)
        try:
            self._child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
