"""Keeps what a text alone decides and is slow to make: for this process, and packed for the next.

Jinja2 takes two milliseconds for a page of template, an issue needs about twenty pages, and
cssutils takes ten for the rules of a style sheet; Python spares itself such work with its ``.pyc``
files. A pack is believed only if it is whole and was made by the same versions, because code of
another Python ends the process.
"""

from __future__ import annotations

import hashlib
import marshal
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from mailer import __version__

MOST = 500  # of both kinds; a layout has about sixty templates
_MADE_BY = " ".join(
    ("1", __version__, sys.version, *map(version, ("jinja2", "premailer", "cssutils")))
).encode()
_SEAL = hashlib.sha256().digest_size


class Kept:
    """Code objects and plain values by what they were made of.

    ``grown`` says that there is more than the last pack held.
    """

    def __init__(self) -> None:
        self._ready: dict[bytes, Any] = {}
        self._packed: dict[bytes, bytes] = {}
        self.grown = False

    def of(self, made_of: tuple[object, ...], make: Callable[[], Any]) -> Any:
        """Returns what was made of this before; else makes it. Nobody may change it.

        Raises ValueError for a value that can't be kept: neither code nor built of plain types.
        """
        key = hashlib.sha256(repr(made_of).encode("utf-8", "surrogatepass")).digest()
        if key not in self._ready:
            if key in self._packed:
                self._ready[key] = marshal.loads(self._packed[key])  # noqa: S302  # see unpack()
            else:
                made = make()
                packed = marshal.dumps(made)
                if len(self._packed) >= MOST:
                    self._ready.clear()
                    self._packed.clear()
                self._ready[key], self._packed[key] = made, packed
                self.grown = True
        return self._ready[key]

    def pack(self) -> bytes:
        """Returns everything that is known, for ``unpack`` in a later process."""
        self.grown = False
        body = _MADE_BY + b"\0" + marshal.dumps(self._packed)
        return hashlib.sha256(body).digest() + body

    def unpack(self, pack: bytes) -> bool:
        """Takes over what a pack holds; returns False for one that is torn or made by another.

        The seal finds damage, not intent: a pack must lie where only those write who could change
        the program itself.
        """
        seal, body = pack[:_SEAL], pack[_SEAL:]
        start = _MADE_BY + b"\0"
        if not body.startswith(start) or hashlib.sha256(body).digest() != seal:
            return False
        held = marshal.loads(body[len(start) :])  # noqa: S302  # whole, and of this program
        self._packed = {**held, **self._packed}
        return True


KEPT = Kept()  # of this process
