"""Runs a call in a process of its own, with bounds: what a stranger's template does stays there.

A layout is a program. It may loop for ever, fill the memory, or find input on which the MJML
engine dies and takes its process along; none of that may end a send or the site.
"""

from __future__ import annotations

import faulthandler
import os
import pickle
import resource
import select
import signal
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from mailer.errors import Fault, InputError

SECONDS = 20.0  # of the clock, and of the processor; an issue takes a tenth of a second
MEGABYTES = 1024  # beside what the process holds already
_FULL = b"memory"
T = TypeVar("T")


def run_apart(
    call: Callable[[], T], *, where: str, seconds: float = SECONDS, megabytes: int = MEGABYTES
) -> T:
    """Returns what a call returns; its exceptions are raised here.

    The call runs in a forked process, so it needs nothing but what is there, and it must not touch
    a database or a socket. Raises InputError naming ``where`` when it takes longer than
    ``seconds``, needs more than so many ``megabytes``, or dies. Memory is bounded on Linux only:
    macOS does not hold to such a limit.
    """
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        # Newer Pythons warn of a fork beside threads. Ours runs pure functions, opens nothing,
        # and is ended by its limits if a lock that it needs was held.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os.close(reader)
        _work(call, writer, seconds, megabytes)
    os.close(writer)
    answer = None
    try:
        answer = _read(reader, time.monotonic() + seconds)
    finally:
        os.close(reader)
        if answer is None:  # it is late, or we were interrupted
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    if answer is None:
        raise _fault(f"The layout takes longer than {seconds:g} seconds.", where)
    result: T = _opened(answer, status, where, megabytes)
    return result


def _read(reader: int, deadline: float) -> bytes | None:
    """Reads to the end; None when the end does not come in time."""
    pieces: list[bytes] = []
    while (left := deadline - time.monotonic()) > 0:
        ready, _, _ = select.select([reader], [], [], left)
        if not ready:
            break
        piece = os.read(reader, 1 << 20)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)
    return None


def _opened(answer: bytes, status: int, where: str, megabytes: int) -> Any:
    if answer == _FULL:
        raise _fault(f"The layout needs more than {megabytes} MB of memory.", where)
    if not answer:
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        if number == signal.SIGXCPU:
            raise _fault("The layout takes too long.", where)
        how = (
            signal.Signals(number).name if number else f"status {os.waitstatus_to_exitcode(status)}"
        )
        raise _fault(f"The MJML engine died of this layout ({how}).", where)
    done, value = pickle.loads(answer)  # noqa: S301  # our own process wrote it
    if done:
        return value
    if done is None:
        raise value
    raise InputError(value)


def _fault(message: str, where: str) -> InputError:
    hint = "Look for a loop that grows without end, or take another layout."
    return InputError(Fault(message, where, None, hint, rule="layout"))


def _work(call: Callable[[], object], writer: int, seconds: float, megabytes: int) -> NoReturn:
    """The child's life: it ends here, so that nothing of the parent's is tidied up twice."""
    try:
        faulthandler.disable()  # the parent tells of a crash, in a sentence
        _limit(seconds, megabytes)
        try:
            answer = pickle.dumps((True, call()))
        except InputError as error:
            answer = pickle.dumps((False, error.faults))
        except MemoryError:
            answer = _FULL
        except BaseException as error:  # whatever it is, the parent is the one to raise it
            answer = pickle.dumps((None, error))
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(answer)
    finally:
        os._exit(0)


def _limit(seconds: float, megabytes: int) -> None:
    spent = int(seconds) + 1  # also when nobody waits any more
    resource.setrlimit(resource.RLIMIT_CPU, (spent, spent + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except FileNotFoundError:
        return
    most = pages * resource.getpagesize() + (megabytes << 20)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
