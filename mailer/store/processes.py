"""Names this process so that another one can tell later whether it is gone."""

from __future__ import annotations

import os

from mailer.store.recorder import boot_id, host


def this_process() -> str:
    """Host, boot and process id."""
    return f"{host()} {boot_id()} {os.getpid()}"


def is_gone(owner: str, *, others_too: bool = False) -> bool:
    """Whether the process of that name has ended.

    Of another machine nobody can tell: ``others_too`` says what to answer.
    """
    name, boot, process = owner.rsplit(" ", 2)
    if name != host():
        return others_too
    if boot != boot_id():
        return True
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
