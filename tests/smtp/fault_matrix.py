"""Every command × every fault × with and without PIPELINING, and what must come of it.

Three letters go over a connection with STARTTLS and AUTH, and the server misbehaves at one command:
at the first connection's opening, at the second letter, at the RSET after a refusal of the second,
or at the end. Letters that come back are taken again, as a ledger would do. Printed for people::

    python -m tests.smtp.fault_matrix
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from mailer.errors import WireError
from mailer.model.words import Stage
from mailer.smtp.pool import Pool
from mailer.smtp.route import Route, Security, system_context
from tests.certificates import Certificate, make_certificate
from tests.smtpd import Act, Smtpd, drop, raw, say, stall
from tests.wire import PATIENT, Outbox

LEGEND = """\
ok        all letters are accepted, over one connection
ok+       all are accepted, over one connection more: what came back was sent again
refused   the second letter is answered with this reply, the others are accepted
refused+  the same, and the others go over a new connection
lost+     the second letter is unknown; the others go over a new connection
stop      the run ends before anything is taken, and says what the server said
stop_1    the run ends after the first letter; the others were not taken
-         this can't be: nothing comes before a greeting"""

# At "again", the first connection has carried one letter, and the fault meets the second one.
# At RSET, "ok" is about the third letter: the second was refused, which made the RSET.
PIPELINED = """\
               4xx      5xx      421      drop   stall  garbage multi-line over-long early   cut
greeting       stop     stop     stop     stop   stop   stop    ok         stop      -       ok
EHLO           stop     stop     stop     stop   stop   stop    ok         stop      stop    ok
STARTTLS       stop     stop     stop     stop   stop   stop    ok         stop      stop    ok
AUTH           stop     stop     stop     stop   stop   stop    ok         stop      stop    ok
greeting-again ok+      stop_1   ok+      ok+    ok+    ok+     ok         ok+       -       ok
EHLO-again     ok+      stop_1   ok+      ok+    ok+    ok+     ok         ok+       ok+     ok
STARTTLS-again ok+      stop_1   ok+      ok+    ok+    ok+     ok         ok+       ok+     ok
AUTH-again     ok+      stop_1   ok+      ok+    ok+    ok+     ok         ok+       ok+     ok
MAIL           refused  refused  refused+ ok+    ok+    ok+     ok         ok+       ok      ok
RCPT           refused  refused  refused+ ok+    ok+    ok+     ok         ok+       ok      ok
DATA           refused  refused  refused+ ok+    ok+    ok+     ok         ok+       ok      ok
text-and-dot   refused  refused  refused+ lost+  lost+  lost+   ok         lost+     ok+     ok
RSET           ok+      ok+      ok+      ok+    ok+    ok+     ok         ok+       ok+     ok
QUIT           ok       ok       ok       ok     ok     ok      ok         ok        ok      ok
"""
LOCK_STEP = """\
               4xx      5xx      421      drop   stall  garbage multi-line over-long early   cut
MAIL           refused  refused  refused+ ok+    ok+    ok+     ok         ok+       ok+     ok
RCPT           refused  refused  refused+ ok+    ok+    ok+     ok         ok+       ok+     ok
DATA           refused  refused  refused+ ok+    ok+    ok+     ok         ok+       ok+     ok
text-and-dot   refused  refused  refused+ lost+  lost+  lost+   ok         lost+     ok+     ok
RSET           ok+      ok+      ok+      ok+    ok+    ok+     ok         ok+       ok+     ok
QUIT           ok       ok       ok       ok     ok     ok      ok         ok        ok      ok
"""


class Cell(NamedTuple):
    """One command, one fault, and what must come of it."""

    command: str
    fault: str
    pipelining: bool
    expected: str

    @property
    def name(self) -> str:
        mode = "pipelined" if self.pipelining else "lock-step"
        return f"{self.command}-{self.fault}-{mode}"


def cells() -> Iterator[Cell]:
    for table, pipelining in ((PIPELINED, True), (LOCK_STEP, False)):
        head, *rows = table.splitlines()
        for row in rows:
            command, *outcomes = row.split()
            for fault, outcome in zip(head.split(), outcomes, strict=True):
                if outcome != "-":
                    yield Cell(command, fault, pipelining, outcome)


_LOGIN = ("news", "secret")
_REPLIES = {
    "4xx": say("451 4.3.0 Later"),
    "5xx": say("554 5.7.1 Never"),
    "421": drop("421 4.3.2 Going down"),
    "drop": drop(),
    "stall": stall(),
    "garbage": raw(b"HTTP/1.1 400 Bad Request\r\n\r\n", takes=False),
    "over-long": raw(b"250 " + b"x" * 5000 + b"\r\n", takes=False),
}
_USUAL = {
    "greeting": ["220-smtpd.test", "220 ESMTP"],
    "ehlo": ["250-smtpd.test", "250-STARTTLS", "250-AUTH PLAIN", "250 PIPELINING"],
    "starttls": ["220-2.0.0 Go", "220 2.0.0 on"],
    "auth": ["235-2.7.0 Wel", "235 2.7.0 come"],
    "mail": ["250-2.1.0 O", "250 2.1.0 k"],
    "rcpt": ["250-2.1.5 O", "250 2.1.5 k"],
    "data": ["354-Go", "354 on"],
    "dot": ["250-2.0.0 Ta", "250 2.0.0 ken"],
    "rset": ["250-2.0.0 O", "250 2.0.0 k"],
    "quit": ["221-2.0.0 By", "221 2.0.0 e"],
}
_STEPS = {
    "greeting": ("greeting", 1),
    "EHLO": ("ehlo", 1),
    "STARTTLS": ("starttls", 1),
    "AUTH": ("auth", 1),
    "greeting-again": ("greeting", 2),
    "EHLO-again": ("ehlo", 3),  # twice on each connection
    "STARTTLS-again": ("starttls", 2),
    "AUTH-again": ("auth", 2),
    "MAIL": ("mail", 2),
    "RCPT": ("rcpt", 2),
    "DATA": ("data", 2),
    "text-and-dot": ("dot", 2),
    "RSET": ("rset", 1),
    "QUIT": ("quit", 1),
}
# An early reply comes with the one before it: at which step, and the how manieth of its kind.
_BEFORE = {
    "EHLO": ("greeting", 1),
    "STARTTLS": ("ehlo", 1),
    "AUTH": ("ehlo", 2),
    "EHLO-again": ("greeting", 2),
    "STARTTLS-again": ("ehlo", 3),
    "AUTH-again": ("ehlo", 4),
    "MAIL": ("dot", 1),
    "RCPT": ("mail", 2),
    "DATA": ("rcpt", 2),
    "text-and-dot": ("data", 2),
    "RSET": ("rcpt", 2),
    "QUIT": ("dot", 3),
}
_LIMITS = {"mail": "mail", "rcpt": "rcpt", "data": "data", "dot": "dot", "quit": "quit"}
_NO_SUCH_USER = ["550 5.1.1 No such user"]


def outcome(cell: Cell, certificate: Certificate | None) -> str:
    """Lets it happen; returns the word for what came of it. What must hold always is asserted.

    Without a certificate, all is in the clear and nobody signs in.
    """
    step, nth = _STEPS[cell.command]
    again = cell.command.endswith("-again")
    server = Smtpd(
        pipelining=cell.pipelining,
        chop=cell.fault == "cut",
        certificate=certificate,
        login=_LOGIN if certificate else None,
        auth=("PLAIN",) if certificate else (),
    )
    _arrange(server, cell, step, nth)
    if cell.command == "RSET":
        server.at("rcpt", say(*_NO_SUCH_USER), nth=2)
    limit = _LIMITS.get(step, "greeting" if step == "greeting" else "command")
    timeouts = replace(PATIENT, **{limit: 0.7}) if cell.fault == "stall" else PATIENT
    outbox, stopped = Outbox(3, again=True), ""
    with server:
        route = Route(server.host, server.port, Security.none)
        if certificate is not None:
            context = system_context(str(certificate.authority))
            route = Route(server.host, server.port, Security.starttls, *_LOGIN, context=context)
        pool = Pool(
            route, connections=1, messages=int(again), timeouts=timeouts, pauses=(0.01,) * 4
        )
        try:
            asyncio.run(asyncio.wait_for(pool.run(outbox, outbox), 30))
        except WireError as error:
            stopped = str(error)
    _check_always(cell, outbox, server, stopped)
    if stopped:
        return "stop" if not outbox.accepted else f"stop_{len(outbox.accepted)}"
    more = "+" if server.connections > (3 if again else 1) else ""
    if cell.command == "RSET":
        return f"ok{more}" if outbox.accepted == [1, 3] else outbox.words(3) + more
    if outbox.accepted == [1, 2, 3]:
        return f"ok{more}"
    return ("lost" if outbox.words(2) == "lost" else "refused") + more


def _arrange(server: Smtpd, cell: Cell, step: str, nth: int) -> None:
    if cell.fault == "early":
        before, which = _BEFORE[cell.command]
        first = _NO_SUCH_USER if cell.command == "RSET" else _USUAL[before]
        positive = cell.command != "RSET"
        server.at(before, say(*first, *_USUAL[step], takes=positive), nth=which)
        if cell.pipelining and cell.command in ("MAIL", "RCPT", "DATA"):
            server.at(step, Act(takes=True), nth=nth)  # it has said so already
    elif cell.fault == "multi-line":
        server.at(step, say(*_USUAL[step]), nth=nth)
    elif cell.fault != "cut":
        server.at(step, _REPLIES[cell.fault], nth=nth)
        if step == "ehlo":
            server.at("helo", _REPLIES[cell.fault])


def _check_always(cell: Cell, outbox: Outbox, server: Smtpd, stopped: str) -> None:
    """Whatever happens: nobody twice, nobody forgotten, no text without a yes."""
    assert not outbox.in_hand
    assert sorted(server.recipients) == [f"r{key}@example.net" for key in outbox.accepted]
    texts = [mail.data for mail in server.accepted]
    assert [text for text in server.texts if text] == texts or cell.command == "text-and-dot"
    if stopped:
        assert f"127.0.0.1:{server.port}" in stopped
        reply = _REPLIES.get(cell.fault)
        if reply is not None and cell.fault in ("4xx", "5xx", "421"):
            assert reply.reply.decode().strip() in stopped
        return
    assert sorted(outbox.finals) == [1, 2, 3]
    final = outbox.finals[2]
    if final.reply is not None and not final.reply.positive and cell.command != "RSET":
        reply = _REPLIES[cell.fault]
        assert (final.stage, str(final.reply)) == (
            Stage(_STEPS[cell.command][0]),
            reply.reply.decode().strip(),
        )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        certificate = make_certificate(Path(folder), "127.0.0.1")
        for title, table, pipelining in (
            ("With PIPELINING", PIPELINED, True),
            ("Without", LOCK_STEP, False),
        ):
            faults = table.splitlines()[0].split()
            found = {
                (cell.command, cell.fault): outcome(cell, certificate)
                for cell in cells()
                if cell.pipelining is pipelining
            }
            print(f"{title:16}" + "".join(f"{fault:11}" for fault in faults).rstrip())
            for command in dict.fromkeys(command for command, _ in found):
                row = [found.get((command, fault), "-") for fault in faults]
                print(f"{command:16}" + "".join(f"{each:11}" for each in row).rstrip())
            wanted = {
                (c.command, c.fault): c.expected for c in cells() if c.pipelining is pipelining
            }
            wrong = {key: (found[key], wanted[key]) for key in found if found[key] != wanted[key]}
            print(f"{len(found)} cells, {len(wrong)} not as expected {wrong or ''}\n")
    print(LEGEND)


if __name__ == "__main__":
    main()
