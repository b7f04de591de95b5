"""Collects one-click posts, so that a whole crowd costs one commit and one change of thread.

While a group is being committed, the posts that come in meanwhile form the next one. Each is
answered after the commit that made it durable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from mailer.errors import MailerError, NotFoundError, StoppedError
from mailer.usecases.keep_departures import keep_departures
from mailer.usecases.unsubscribe_reader import Step, Unsubscribed
from mailer.usecases.unsubscribe_readers import Leaving, read_leaving, unsubscribe_readers
from mailer.wiring import Mailer

_GROUP = 256  # in one commit, at most: a quarter of a second even on a slow disk
ANSWER_WITHIN = 5.0  # seconds; then the wish is kept in a file, and may be committed as well
# Threads of their own: those that read may all be waiting for a database that does not answer.
_LETTERBOX = ThreadPoolExecutor(4, thread_name_prefix="letterbox")

_Waiting = tuple[Leaving, asyncio.Future[Unsubscribed]]


class OneClickDesk:
    """Where one-click posts of one process queue up. Lives on the loop of its first post."""

    def __init__(self, mailer: Mailer) -> None:
        self._mailer = mailer
        self._keys, self._clock = mailer.keys, mailer.clock
        self._waiting: list[_Waiting] = []
        self._busy = False
        self._overdue = False  # a group has waited for too long already, and is not answered yet

    async def leave(self, token: str) -> Unsubscribed | None:
        """Unsubscribes the reader of a link; returns when that is durable.

        None when the database does not answer: then the wish lies in the letterbox, as durable.
        Raises NotFoundError for a wrong token, StoppedError when it can't be kept there either.
        """
        leaving = read_leaving(token, keys=self._keys, clock=self._clock)
        if self._overdue:
            await self._keep(leaving, token)
            return None
        answer: asyncio.Future[Unsubscribed] = asyncio.get_running_loop().create_future()
        self._waiting.append((leaving, answer))
        if not self._busy:
            self._hand_over()
        try:
            return await answer
        except NotFoundError:
            raise
        except MailerError:
            await self._keep(leaving, token)
            return None

    async def _keep(self, leaving: Leaving, token: str) -> None:
        if not leaving.link.test:
            await keep(self._mailer, token, Step.leave)

    def _hand_over(self) -> None:
        group, self._waiting = self._waiting[:_GROUP], self._waiting[_GROUP:]
        loop = asyncio.get_running_loop()
        self._busy = True
        late = loop.call_later(ANSWER_WITHIN, self._give_up, group)
        coming = unsubscribe_readers([leaving for leaving, _ in group], db=self._mailer.db)
        coming.add_done_callback(
            lambda came: loop.call_soon_threadsafe(self._answer, group, late, came)
        )

    def _give_up(self, group: Sequence[_Waiting]) -> None:
        """Waits no longer for the database: neither they nor those who stand behind them.

        Nor those who come until it has answered: nothing would tell them that it does not.
        """
        self._overdue = True
        behind, self._waiting = self._waiting, []
        for _, answer in [*group, *behind]:
            if not answer.done():
                answer.set_exception(StoppedError("The database did not answer in time."))

    def _answer(
        self,
        group: Sequence[_Waiting],
        late: asyncio.TimerHandle,
        came: Future[list[Unsubscribed | None]],
    ) -> None:
        late.cancel()
        self._busy = self._overdue = False
        if self._waiting:
            self._hand_over()
        error = came.exception()
        for place, (_, answer) in enumerate(group):
            if answer.done():  # nobody waits any more
                continue
            if error is not None:
                answer.set_exception(error)
                continue
            result = came.result()[place]
            if result is None:
                answer.set_exception(NotFoundError("There is no such page."))
            else:
                answer.set_result(result)


async def keep(mailer: Mailer, token: str, step: Step) -> None:
    """Puts a wish into the letterbox. Raises StoppedError when it is not durable there."""
    wish = (token, step, mailer.clock.now())
    keeping = partial(keep_departures, [wish], letterbox=mailer.letterbox)
    await asyncio.get_running_loop().run_in_executor(_LETTERBOX, keeping)
