"""Runs Dovecot's sign-in by itself, without a mailbox: a socket that Postfix asks who may come in.

Its master runs as root only. ``doveconf`` reads the settings and becomes the master: asked itself,
the master would look for ``doveconf`` where it was built for.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.peers.programs import (
    DOVECOT,
    NOBODY,
    dovecot,
    ended_with_all_its_own,
    open_folder,
)

_OWNER = "news"  # a user that every Debian has stands in for Dovecot's own
_LIBRARIES = f"{DOVECOT}:{DOVECOT}/modules/old-stats"
_CONF = """\
protocols = none
base_dir = {folder}/run
state_dir = {folder}/state
libexec_dir = {dovecot}
import_environment = LD_LIBRARY_PATH={libraries}
log_path = {folder}/log
default_internal_user = {owner}
default_internal_group = {owner}
default_login_user = {nobody}
ssl = no
disable_plaintext_auth = no
auth_mechanisms = scram-sha-256 plain login xoauth2
auth_verbose = yes
# No wrong password of a test makes the next one wait.
auth_failure_delay = 0
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service auth {{
  unix_listener {folder}/auth {{
    mode = 0666
  }}
}}
passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {folder}/tokens.conf
}}
passdb {{
  driver = passwd-file
  mechanisms = scram-sha-256 plain login
  args = {folder}/users
}}
"""
_TOKENS = """\
tokeninfo_url = {site}/tokeninfo?access_token=
introspection_mode = auth
"""


@dataclass(frozen=True)
class Doorman:
    """A running Dovecot that knows passwords and tokens."""

    folder: Path

    @property
    def socket(self) -> Path:
        return self.folder / "auth"

    @property
    def log(self) -> str:
        file = self.folder / "log"
        return file.read_text("utf-8") if file.exists() else ""


@contextmanager
def watching(users: Mapping[str, str], issuer: str) -> Iterator[Doorman]:
    """Runs Dovecot while the block runs.

    ``users`` have what Dovecot keeps of each password, such as ``{PLAIN}secret``; ``issuer`` is the
    site that knows the tokens.
    """
    doveconf, master = dovecot("../../bin/doveconf"), dovecot("../../sbin/dovecot")
    if os.geteuid() != 0:
        pytest.skip("Dovecot's master runs as root only; ./scripts/peers installs it for root")
    with open_folder("doorman") as folder:
        doorman = Doorman(folder)
        conf = folder / "dovecot.conf"
        words = {"dovecot": DOVECOT, "libraries": _LIBRARIES, "owner": _OWNER, "nobody": NOBODY}
        conf.write_text(_CONF.format(folder=folder, **words), "utf-8")
        (folder / "tokens.conf").write_text(_TOKENS.format(site=issuer), "utf-8")
        lines = (f"{name}:{kept}::::::\n" for name, kept in users.items())
        (folder / "users").write_text("".join(lines), "utf-8")
        (folder / "users").chmod(0o644)
        (folder / "run").mkdir()
        process = subprocess.Popen(
            [doveconf, "-f", "service=master", "-c", conf, "-p", "-e", master, "-F", "-c", conf],
            env={"LD_LIBRARY_PATH": _LIBRARIES, "PATH": "/usr/sbin:/usr/bin:/bin"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        with ended_with_all_its_own(process, doorman):
            _wait_for(doorman, process)
            yield doorman


def _wait_for(doorman: Doorman, process: subprocess.Popen[bytes], seconds: float = 20) -> None:
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up and process.poll() is None:
        if doorman.socket.exists():
            return
        time.sleep(0.02)
    raise AssertionError(f"{process.args!r} made no {doorman.socket}")
