"""The troubles that a send may meet, each at a random moment, and what it may cost.

A trouble happens on a ``Scene`` and then lets the campaign be finished. It returns how many people
may be unknown because of it; in every case all counts must be exact.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.journeys import power_cut
from tests.journeys.scene import Scene
from tests.journeys.sender import Tricks, wait_until
from tests.smtpd import drop

REBOOT = 180  # seconds that a machine takes to be up again; a lease is two minutes


def kill_9(scene: Scene, kills: int = 2) -> int:
    """The process dies at once: at most one text a connection is in doubt."""
    for left in range(kills, 0, -1):
        sender = scene.send()
        if scene.await_moment(sender, scene.moment(left)):
            sender.signal(signal.SIGKILL)
        scene.over(sender)
    scene.finish()
    return kills * scene.connections


def sigterm(scene: Scene) -> int:
    """A request to end: what is on the wire is finished, so nobody is in doubt."""
    return _asked_to_end(scene, signal.SIGTERM)


def sigint(scene: Scene) -> int:
    """An interrupt from the keyboard, likewise."""
    return _asked_to_end(scene, signal.SIGINT)


def _asked_to_end(scene: Scene, number: signal.Signals) -> int:
    sender = scene.send()
    if scene.await_moment(sender, scene.moment()):
        sender.signal(number)
    status = scene.over(sender)
    if status not in (0, {signal.SIGTERM: 75, signal.SIGINT: 130}[number]):
        raise AssertionError(f"{number.name} ended it with {status}: {sender.said}")
    scene.finish()
    return 0


def receiver_killed(scene: Scene) -> int:
    """The mail server dies and comes back, at once or late: one text a connection is in doubt."""
    sender = scene.send()
    scene.await_moment(sender, scene.moment())
    scene.server.stop()
    at_once = scene.chance.random() < 0.5
    if at_once:
        scene.revive_server()
    status = scene.over(sender)
    if status not in (0, 1, 75):
        raise AssertionError(f"without a server it ended with {status}: {sender.said}")
    if not at_once:
        scene.revive_server()
    if status == 75:
        scene.finish()
    return scene.connections


def drops_after_the_dot(scene: Scene) -> int:
    """The mail server hangs up instead of answering a text, having taken it or not."""
    dropped = scene.chance.sample(range(1, scene.people * 9 // 10), max(2, scene.people // 200))
    for nth in dropped:
        act = drop(takes=scene.chance.random() < 0.5)
        scene.server.at("dot", act, nth=nth, first=True)
    scene.finish()
    joined = scene.count()
    if joined.counts.unknown != len(dropped):
        raise AssertionError(f"{len(dropped)} texts unanswered, unknown {joined.counts.unknown}")
    return len(dropped)


def disk_full(scene: Scene) -> int:
    """No more room: it stops and says so. It lives to hear the answers, so nobody is in doubt.

    On a file system of its own where one may be mounted; else by a limit on the size of files.
    """
    filler = scene.folder / "filler"
    sender = scene.send()
    if scene.await_moment(sender, scene.moment()):
        if os.path.ismount(scene.folder):
            _fill(filler)
        else:
            for process in (sender.pid, *sender.helpers):
                resource.prlimit(process, resource.RLIMIT_FSIZE, (65_536, 65_536))
    status = scene.over(sender)
    if status not in (0, 75) or (status == 75 and "full" not in sender.said):
        raise AssertionError(f"a full disk ended it with {status}: {sender.said}")
    filler.unlink(missing_ok=True)
    scene.finish()
    return 0


def _fill(file: Path) -> None:
    with suppress(OSError), file.open("wb", buffering=0) as filler:
        while True:
            filler.write(b"\0" * 65_536)


def clock_back(scene: Scene) -> int:
    """The clock jumps hours back in the middle of the run."""
    back = -3600.0 * scene.chance.randint(1, 48)
    sender = scene.send(Tricks(jump=back, jump_after=scene.chance.randint(1, 25)))
    if scene.over(sender) == 75:  # what is to be tried again is hours away by this clock
        scene.finish(Tricks(ahead=back), tries=1)
    return 0


def stale_recorder(scene: Scene) -> int:
    """Killed, and the recorder is another boot's or an earlier run's: it must not be believed."""
    sender = scene.send()
    if scene.await_moment(sender, scene.moment(2)):
        sender.signal(signal.SIGKILL)
    scene.over(sender)
    recorders = sorted((scene.folder / "data/runs").glob("*.recorder"))
    if scene.chance.random() < 0.5:
        scene.finish(Tricks(boot=str(uuid.UUID(int=scene.chance.getrandbits(128))), ahead=REBOOT))
        return scene.window
    earlier = scene.folder / "earlier"
    for file in recorders:
        shutil.copy(file, earlier)
    sender = scene.send()
    if scene.await_moment(sender, scene.moment()):
        sender.signal(signal.SIGKILL)
    scene.over(sender)
    for file in (scene.folder / "data/runs").glob("*.recorder"):
        shutil.copy(earlier, file)
    scene.finish()
    return scene.window + scene.connections


def power_fails(scene: Scene, synchronous: str = "") -> int:
    """The power goes: what was not synced is gone, the recorder is of another boot."""
    cut = power_cut.Machine(scene.folder, synchronous=synchronous)
    seen = scene.moment()
    cut.run(lambda: len(scene.server.accepted) >= seen)
    wait_until(lambda: not scene.server.busy, seconds=5)  # it takes what had reached it
    with scene.unwatched():
        cut.lose(scene.chance)
    scene.finish(Tricks(boot=str(uuid.UUID(int=scene.chance.getrandbits(128))), ahead=REBOOT))
    return scene.window


def kill_9_signing(scene: Scene) -> int:
    """As `kill_9`, while letters are signed on threads ahead of the wire."""
    if not scene.signed:
        raise AssertionError("this trouble needs a campaign that is signed")
    bound = kill_9(scene)
    unsigned = [
        mail for mail in scene.server.accepted if b"dkim-signature" not in mail.data.lower()
    ]
    if unsigned:
        raise AssertionError(f"{len(unsigned)} mails were not signed")
    return bound


def kill_9_lanes(scene: Scene) -> int:
    """As `kill_9`, while several providers take turns."""
    bound = kill_9(scene)
    early = {int(_number(mail.recipients[0])) for mail in scene.server.accepted[: scene.window]}
    if not (min(early) <= scene.people // 6 and max(early) > scene.people * 2 // 3):
        raise AssertionError("the lanes did not take turns")
    return bound


def ledger_killed(scene: Scene) -> int:
    """The ledger's process dies under the sender, which hears its answers to the end and stops."""
    if not scene.apart:
        raise AssertionError("this trouble needs the ledger in a process of its own")
    sender = scene.send()
    if scene.await_moment(sender, scene.moment()):
        helpers = sender.helpers
        if len(helpers) != 1:
            raise AssertionError(f"the sender has {len(helpers)} helpers")
        with suppress(ProcessLookupError):  # the sender was done meanwhile
            os.kill(helpers[0], signal.SIGKILL)
    status = scene.over(sender)
    if status not in (0, 1, 75) or (status == 75 and "the ledger has ended" not in sender.said):
        raise AssertionError(f"without its ledger it ended with {status}: {sender.said}")
    if status == 75:
        scene.finish()
    return 0


def _number(address: str) -> str:
    return address.partition("@")[0].removeprefix("p-")


Trouble = Callable[[Scene], int]
TROUBLES: dict[str, Trouble] = {
    "kill -9": kill_9,
    "kill -9, signing": kill_9_signing,
    "kill -9, lanes": kill_9_lanes,
    "kill -9, ledger apart": kill_9,
    "ledger killed": ledger_killed,
    "SIGTERM": sigterm,
    "SIGINT": sigint,
    "power cut": power_fails,
    "receiver killed": receiver_killed,
    "dropped after the dot": drops_after_the_dot,
    "disk full": disk_full,
    "clock back": clock_back,
    "stale recorder": stale_recorder,
}


def needs(name: str) -> dict[str, Any]:
    """What the scene of a trouble must have."""
    return {"signed": "signing" in name, "lanes": "lanes" in name, "apart": "ledger" in name}
