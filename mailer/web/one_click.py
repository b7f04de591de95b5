"""Collects one-click posts, so that a whole crowd costs one commit and one change of thread.

While a group is being committed, the posts that come in meanwhile form the next one. Each is
answered after the commit that made it durable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future

from mailer.errors import NotFoundError, StoppedError
from mailer.usecases.unsubscribe_reader import Unsubscribed
from mailer.usecases.unsubscribe_readers import Leaving, read_leaving, unsubscribe_readers
from mailer.wiring import Mailer

_GROUP = 256  # in one commit, at most: a quarter of a second even on a slow disk
_ANSWER_WITHIN = 20.0  # seconds; a mail program that waits longer has gone

_Waiting = tuple[Leaving, asyncio.Future[Unsubscribed]]


class OneClickDesk:
    """Where one-click posts of one process queue up. Lives on the loop of its first post."""

    def __init__(self, mailer: Mailer) -> None:
        self._mailer = mailer
        self._keys, self._clock = mailer.keys, mailer.clock
        self._waiting: list[_Waiting] = []
        self._busy = False

    async def leave(self, token: str) -> Unsubscribed:
        """Unsubscribes the reader of a link; returns when that is durable.

        Raises NotFoundError for a wrong token, StoppedError when the database does not answer in
        time: the commit may come all the same.
        """
        leaving = read_leaving(token, keys=self._keys, clock=self._clock)
        answer: asyncio.Future[Unsubscribed] = asyncio.get_running_loop().create_future()
        self._waiting.append((leaving, answer))
        if not self._busy:
            self._hand_over()
        return await answer

    def _hand_over(self) -> None:
        group, self._waiting = self._waiting[:_GROUP], self._waiting[_GROUP:]
        loop = asyncio.get_running_loop()
        self._busy = True
        late = loop.call_later(_ANSWER_WITHIN, _give_up, group)
        coming = unsubscribe_readers([leaving for leaving, _ in group], db=self._mailer.db)
        coming.add_done_callback(
            lambda came: loop.call_soon_threadsafe(self._answer, group, late, came)
        )

    def _answer(
        self,
        group: Sequence[_Waiting],
        late: asyncio.TimerHandle,
        came: Future[list[Unsubscribed | None]],
    ) -> None:
        late.cancel()
        self._busy = False
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


def _give_up(group: Sequence[_Waiting]) -> None:
    for _, answer in group:
        if not answer.done():
            answer.set_exception(StoppedError("The database did not answer in time."))
