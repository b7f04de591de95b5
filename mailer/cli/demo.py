"""The demo: contacts become readers, an issue becomes mail, one reader leaves, the counts balance.

It types the same commands that a person would, into a workspace of its own. Database, SMTP and site
are real, and all of it stays on this machine: the settings of the surrounding environment are put
aside, so that no demo ever meets a real database or mail server.
"""

from __future__ import annotations

import email
import email.policy
import shlex
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import typer

from mailer.cli import screen
from mailer.errors import InputError

if TYPE_CHECKING:
    from mailer.wiring.demo import DemoInbox

MARKER = ".mailer-demo"
LIST = "tide-table"
ISSUE = "tide-table"
SECOND = "evening-tide"
CONSENT = "Yes, send me The Tide Table by e-mail."


def tell_the_story(folder: Path, *, keep: bool) -> None:
    """Does the main job from an empty workspace and says what happened.

    Raises InputError when the folder holds something else than an earlier demo.
    """
    from mailer.settings import without_environment
    from mailer.wiring.demo import demo_inbox
    from mailer.wiring.files import shipped_examples

    begun = time.monotonic()
    _clear(folder)
    with without_environment(), demo_inbox(folder / "inbox") as inbox:
        _chapter("1", "A workspace, and the people")
        _type("init", "--yes", folder=folder)
        site = _settings(folder, inbox)
        examples = shipped_examples()
        shutil.copy(examples / "contacts.csv", folder / "contacts.csv")
        shutil.copytree(examples / "issues" / ISSUE, folder / "data" / "issues" / ISSUE)
        source = folder / "contacts.csv"
        _type(
            "import",
            str(source),
            "--list",
            LIST,
            "--create-list",
            "--consent",
            CONSENT,
            "--keep-columns",
            folder=folder,
        )
        _chapter("2", "An issue becomes mail")
        path = str(folder / "data" / "issues" / ISSUE)
        _type("issues", "check", path, folder=folder)
        _type("issues", "render", path, "--out", str(folder / "rendered"), folder=folder)
        _type("campaigns", "plan", path, "--list", LIST, folder=folder)
        _type("campaigns", "send", ISSUE, "--yes", folder=folder)
        with _serving(folder) as address:
            leaver = _chapter_of_a_reader(inbox, address)
            _chapter("4", "The next issue leaves that reader alone")
            _type("issues", "new", SECOND, folder=folder)
            _type(
                "campaigns",
                "plan",
                str(folder / "data" / "issues" / SECOND),
                "--list",
                LIST,
                folder=folder,
            )
            before = len(inbox.messages)
            _type("campaigns", "send", SECOND, "--yes", folder=folder)
            _require(
                leaver not in [to for mail in inbox.messages[before:] for to in mail.recipients],
                "the reader who left got the second issue",
            )
            _type("campaigns", "show", folder=folder)
            _type("db", "check", folder=folder)
            _epilogue(folder, site, len(inbox.messages), time.monotonic() - begun)
            if keep:
                _stay(inbox, address)


def _chapter_of_a_reader(inbox: DemoInbox, address: str) -> str:
    """A reader opens the web version, looks at the unsubscribe page, and leaves by one click."""
    _chapter("3", "A reader opens the mail, and leaves")
    received = inbox.messages[0]
    reader = received.recipients[0]
    mail = email.message_from_bytes(received.data, policy=email.policy.default)
    web = _link(mail, f"{address}/w/")
    leave = str(mail["List-Unsubscribe"]).strip("<>")
    screen.say(f"  {reader} got “{mail['Subject']}”")
    status, page = _get(web)
    screen.say(f"  opens the web version        GET  {_short(web)}  {status}, {len(page):,} bytes")
    _require(reader not in page, "the web version names a reader")
    status, page = _get(leave)
    screen.say(f"  opens the unsubscribe page   GET  {_short(leave)}  {status}: still subscribed")
    _require(reader not in page, "the unsubscribe page shows the whole address")
    status = _post(leave, {"List-Unsubscribe": "One-Click"})
    screen.say(f"  clicks “Unsubscribe”         POST {_short(leave)}  {status}: has left")
    return reader


def _epilogue(folder: Path, site: str, mails: int, seconds: float) -> None:
    _chapter("", f"Done in {seconds:.0f} seconds. Look at what was made")
    screen.table(
        [
            ("every mail as it was received", f"{folder / 'inbox'}  ({mails} .eml files)"),
            ("the issue as a mail", str(folder / "rendered" / "email.html")),
            ("  its plain-text part", str(folder / "rendered" / "email.txt")),
            ("  its web version", str(folder / "rendered" / "web.html")),
            ("what the officer wrote", str(folder / "data" / "issues" / ISSUE / "issue.md")),
            ("who was rejected, and why", str(folder / "data" / "rejects")),
        ]
    )
    screen.say()
    screen.say("  mailer demo --keep leaves the site running, so that the links in the mails work.")
    screen.say("  Your own first campaign takes a minute: README.md shows it.")


def _stay(inbox: DemoInbox, address: str) -> None:
    screen.say()
    screen.say(
        f"The site is at {address}, the inbox at {inbox.host}:{inbox.port}. Ctrl-C ends both."
    )
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        screen.say()


def _clear(folder: Path) -> None:
    """Removes an earlier demo; nothing else is ever removed."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARKER).exists():
            raise InputError(
                f"{folder} is not empty and holds no earlier demo.",
                hint="Name another folder: mailer demo DIR",
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).touch()


def _settings(folder: Path, inbox: DemoInbox) -> str:
    """Adds who sends, and through what, to the new workspace's settings; returns the site."""
    site = f"http://127.0.0.1:{inbox.free_port()}"
    lines = {
        "MAILER_SITE_URL": site,
        "MAILER_ORGANISATION": "Marren Coast Network",
        "MAILER_POSTAL_ADDRESS": "3 Quay Street, Port Elsin",
        "MAILER_FROM": '"The Tide Table <news@marren.example.org>"',
        "MAILER_REPLY_TO": "editor@marren.example.org",
        "MAILER_SMTP_HOST": inbox.host,
        "MAILER_SMTP_PORT": str(inbox.port),
        "MAILER_SMTP_SECURITY": "none",
    }
    with (folder / ".env").open("a", encoding="utf-8") as file:
        file.write("\n# Written by the demo.\n")
        file.writelines(f"{name}={value}\n" for name, value in lines.items())
    return site


@contextmanager
def _serving(folder: Path) -> Iterator[str]:
    """The demo's site, at the address that its mails name."""
    from mailer.web.server import serving
    from mailer.wiring import open_mailer

    with open_mailer(folder) as mailer:
        port = int(mailer.settings.site_url.rpartition(":")[2])
        with serving(mailer, port=port) as address:
            yield address


def _type(*words: str, folder: Path) -> None:
    """Runs a command as if somebody had typed it; the demo ends when it fails."""
    from mailer.cli.main import run

    shown = [word.replace(f"{folder}/", "") for word in words]
    screen.say()
    screen.say(f"$ mailer {shlex.join(shown)}")
    status = run(["-C", str(folder), *words])
    if status != 0:
        raise typer.Exit(status)


def _chapter(number: str, title: str) -> None:
    head = f"{number}. {title}" if number else title
    screen.say()
    screen.say(f"━━ {head} " + "━" * max(0, 70 - len(head)))


def _link(mail: EmailMessage, beginning: str) -> str:
    body = mail.get_body(("plain",))
    text = body.get_content() if body is not None else ""
    links: Sequence[str] = [word for word in text.split() if word.startswith(beginning)]
    _require(bool(links), "the mail has no link to its web version")
    return links[0]


def _get(url: str) -> tuple[int, str]:
    with urlopen(url, timeout=10) as answer:  # noqa: S310  # the demo's own site, on loopback
        return answer.status, answer.read().decode()


def _post(url: str, form: dict[str, str]) -> int:
    request = Request(url, data=urlencode(form).encode(), method="POST")  # noqa: S310  # likewise
    with urlopen(request, timeout=10) as answer:  # noqa: S310
        return int(answer.status)


def _short(url: str) -> str:
    path = "/" + url.split("/", 3)[3]
    return f"{path[:8]}…"


def _require(true: bool, otherwise: str) -> None:
    if not true:
        raise InputError(f"The demo went wrong: {otherwise}.", hint="Please report this.")
