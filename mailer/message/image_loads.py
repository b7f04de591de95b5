"""The one picture by which loads of images are counted: its octets, its place, its address.

A picture of one pixel, transparent, from the site itself. Its address holds the campaign, signed,
and is the same for everybody; where people are measured, a dot and the reader's mark follow, as
they do behind a link. A load says that some program fetched a picture, and never that somebody
read a mail.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

from mailer.message.click_links import read_mark
from mailer.message.contexts import Context, Hole, Segment
from mailer.message.links import KeyRing, Purpose, make, read
from mailer.message.retarget import MARK_SLOT

PICTURE = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
PICTURE_TYPE = "image/gif"
PATH = "load"  # before the token, on the site
_TOKEN = re.compile(r"[A-Za-z0-9_-]{36}").fullmatch
_END = re.compile(r"</body\s*>", re.IGNORECASE).match


@dataclass(frozen=True, slots=True)
class Load:
    """What a genuine address of the picture says. ``subscriber`` is None where nobody is named."""

    campaign: int
    subscriber: int | None = None


@dataclass(frozen=True, slots=True)
class CountedPicture:
    """The picture of one campaign; ``marked``: its address names who reads the mail."""

    address: str
    marked: bool = False

    def placed(self, html: Sequence[Segment]) -> list[Segment]:
        """An HTML part with the picture as the last thing of its body."""
        ends = [i for i, piece in enumerate(html) if isinstance(piece, str) and _END(piece)]
        last = ends[-1] if ends else len(html)
        return [*html[:last], *self._tag(), *html[last:]]

    def _tag(self) -> list[Segment]:
        before = f'<img src="{self.address}'
        after = '" width="1" height="1" alt="" style="display:block;border:0;">'
        if not self.marked:
            return [before + after]
        return [f"{before}.", Hole(MARK_SLOT, Context.url_part), after]


def picture_address(site_url: str, ring: KeyRing, campaign: int, key_id: int) -> str:
    """Where the picture of a campaign lies. Raises LinkError."""
    return f"{site_url}/{PATH}/{make(ring, Purpose.picture, campaign, 0, key_id=key_id)}"


def read_load(ring: KeyRing, path: str) -> Load | None:
    """Reads what stands behind ``/load/``; None when any of it is not genuine."""
    token, dot, mark = path.partition(".")
    found = read(ring, token, Purpose.picture) if _TOKEN(token) else None
    if found is None or found.subscriber:
        return None
    if not dot:
        return Load(found.campaign)
    subscriber = read_mark(ring, found.key_id, found.campaign, mark)
    return None if subscriber is None else Load(found.campaign, subscriber)
