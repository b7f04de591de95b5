"""Sends one campaign, kills the sender again and again, and counts everybody.

Each kill comes when the *receiver* has seen a random number of messages. Run by itself it does it
at full size::

    python -m tests.journeys.killing 5000 20
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.journeys.counting import Joined
from tests.journeys.scene import SQLITE, scene, since
from tests.journeys.troubles import kill_9

CONNECTIONS = 4


@dataclass(frozen=True)
class Outcome:
    """What became of everybody, and what anybody saw meanwhile."""

    joined: Joined
    kills: int
    looks: int  # at the counts, while it went on
    unbalanced: list[str]  # what such a look found wrong
    seconds: float


def kill_and_count(
    *, people: int, kills: int, url: str = SQLITE, seed: int = 0, folder: Path | None = None
) -> Outcome:
    """Sends to ``people``, killing the sender ``kills`` times, then lets it finish."""
    begun = time.monotonic()
    with scene(folder, people=people, seed=seed, url=url, connections=CONNECTIONS) as stage:
        with stage.watched() as watch:
            kill_9(stage, kills)
        killed = stage.statuses.count(-9)
        return Outcome(stage.count(), killed, watch.looks, watch.wrong, since(begun))


def main() -> None:
    people, kills = int(sys.argv[1]), int(sys.argv[2])
    url = sys.argv[3] if len(sys.argv) > 3 else SQLITE
    outcome = kill_and_count(people=people, kills=kills, url=url, seed=int(time.time()))
    print(json.dumps(asdict(outcome), indent=2))
    sys.exit(1 if outcome.joined.wrong or outcome.unbalanced else 0)


if __name__ == "__main__":
    main()
