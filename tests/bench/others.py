"""Other senders on the same work: personal bytes for each person, ten connections kept.

None of them keeps a ledger. What they send is our letter, with the person's address, links and
Message-ID filled in by replacing; that is less work than any of their users would have::

    python -m tests.bench.others smtplib|aiosmtplib PORT PEOPLE SIZE
"""

from __future__ import annotations

import asyncio
import json
import resource
import smtplib
import sys
import threading
import time
from collections.abc import Iterator

import aiosmtplib

from tests import sending
from tests.bench.wire import SESSIONS, _letter

_LINK, _ID, _TO = b"x" * 36, b"x" * 28, b"p-1000@example1.org"


def letters(people: int, size: int, start: int = 0, step: int = 1) -> Iterator[tuple[str, bytes]]:
    """Everybody's address and bytes."""
    letter = sending.merged(_letter(size))
    for number in range(start, people, step):
        address = f"p-{number}@example{number % 7}.org"
        token = b"%036d" % number
        personal = letter.replace(_LINK, token).replace(_ID, token[-28:])
        yield address, personal.replace(_TO, address.encode())


def by_smtplib(port: int, people: int, size: int) -> None:
    def work(start: int) -> None:
        with smtplib.SMTP("127.0.0.1", port, local_hostname="localhost") as client:
            for address, data in letters(people, size, start, SESSIONS):
                client.sendmail("news@example.org", [address], data)

    threads = [threading.Thread(target=work, args=(start,)) for start in range(SESSIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


async def by_aiosmtplib(port: int, people: int, size: int) -> None:
    async def work(start: int) -> None:
        client = aiosmtplib.SMTP(
            hostname="127.0.0.1", port=port, start_tls=False, local_hostname="localhost"
        )
        async with client:
            for address, data in letters(people, size, start, SESSIONS):
                await client.sendmail("news@example.org", [address], data)

    await asyncio.gather(*(work(start) for start in range(SESSIONS)))


if __name__ == "__main__":
    port, people, size = (int(word) for word in sys.argv[2:5])
    begun = time.perf_counter()
    if sys.argv[1] == "smtplib":
        by_smtplib(port, people, size)
    else:
        asyncio.run(by_aiosmtplib(port, people, size))
    seconds = time.perf_counter() - begun
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"seconds": seconds, "cpu": used.ru_utime + used.ru_stime}))
