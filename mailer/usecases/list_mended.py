"""Lists the pages that are not to be shown any more as they were: withdrawn, or corrected."""

from __future__ import annotations

from collections.abc import Mapping

from mailer.store import archive
from mailer.store.database import Database


def list_mended(*, db: Database) -> Mapping[str, float]:
    """By web key, when that was: seconds since the epoch, as files are dated."""
    with db.read() as connection:
        return {
            row.web_key: max(each.timestamp() for each in (row.withdrawn_at, row.at) if each)
            for row in archive.mended(connection)
        }
