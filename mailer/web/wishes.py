"""What both of a reader's pages can do short of leaving: a break from a list, and fewer mails.

Also how pages wait for the database: to look, and for a commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from mailer.errors import StoppedError
from mailer.model.words import Frequency
from mailer.usecases.choose_frequency import choose_frequency
from mailer.usecases.open_link import Through
from mailer.usecases.take_break import MONTHS, take_break
from mailer.web.forms import Form
from mailer.wiring import Mailer

T = TypeVar("T")
_ANSWER_WITHIN = 20.0  # seconds; a mail program that waits longer has gone
LOOK_WITHIN = 5.0  # seconds; a database that hangs says nothing at all
_MONTHS = {str(months): months for months in MONTHS}
_FREQUENCIES = {each.value: each for each in Frequency}


def ports_of(mailer: Mailer) -> dict[str, Any]:
    """What every use case of a reader's page takes."""
    return {"keys": mailer.keys, "db": mailer.db, "clock": mailer.clock}


async def wish(token: str, form: Form, through: Through, ports: dict[str, Any]) -> None:
    """Grants what the form asks for. Raises HTTPException 400 for anything else."""
    action = form["action"]
    if action == "pause" and form["months"] in _MONTHS:
        months = _MONTHS[form["months"]]
        await durable(take_break(token, months, form["list"], through=through, **ports))
    elif action == "resume":
        await durable(take_break(token, 0, form["list"], through=through, **ports))
    elif action == "fewer" and form["frequency"] in _FREQUENCIES:
        chosen = _FREQUENCIES[form["frequency"]]
        await durable(choose_frequency(token, chosen, through=through, **ports))
    else:
        raise HTTPException(400)


async def looked(look: Callable[..., T], *arguments: Any, **ports: Any) -> T:
    """Looks into the database, in a thread. Raises StoppedError when it does not answer in time.

    A look that waits for its turn is taken back then; one that has begun ends when it ends.
    """
    looking = asyncio.ensure_future(run_in_threadpool(partial(look, *arguments, **ports)))
    done, _ = await asyncio.wait({looking}, timeout=LOOK_WITHIN)
    if not done:
        looking.cancel()
        raise StoppedError("The database did not answer in time.")
    return looking.result()


async def durable(answer: Future[T], *, within: float = _ANSWER_WITHIN) -> T:
    """Waits for the commit. Raises StoppedError when it takes too long; it may still come.

    Shielded, so that a reader who does not wait is heard all the same.
    """
    try:
        return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(answer)), within)
    except TimeoutError:
        raise StoppedError("The database did not answer in time.") from None
