"""The demo's own mail server."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mailer.adapters.inbox import Inbox


class DemoInbox(Inbox):
    """The demo's mail server, on this machine alone."""

    @staticmethod
    def free_port() -> int:
        """A port that is free now, for the demo's site."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            return int(listener.getsockname()[1])


@contextmanager
def demo_inbox(folder: Path) -> Iterator[DemoInbox]:
    """A running receiver that keeps each mail as a file."""
    inbox = DemoInbox(folder)
    with inbox:
        yield inbox
