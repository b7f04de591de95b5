"""A PostgreSQL server of the tests' own, run as a normal user on a socket in its own folder."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg

TEMPLATE = "mailer_template"


def find_binaries() -> Path | None:
    """The folder with initdb and postgres, or None when the machine has no server."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


class Server:
    """Starts on construction; ``url(name)`` addresses one of its databases."""

    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        self.folder = Path(tempfile.mkdtemp(prefix="mailer-pg-", dir="/tmp"))
        self._as_user: list[str] = []
        if os.geteuid() == 0:  # initdb refuses root
            user = "postgres" if _exists("postgres") else "nobody"
            shutil.chown(self.folder, user)
            self._as_user = [
                "setpriv",
                f"--reuid={user}",
                "--clear-groups",
                f"--regid={_group(user)}",
            ]
        data = self.folder / "data"
        self._call(
            "initdb",
            "-D",
            str(data),
            "-U",
            "mailer",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "-N",
            "--locale=C",
        )
        self.start()

    def start(self) -> None:
        """Starts it, also again after ``halt``; what was in it is there."""
        options = f"-k {self.folder} -c listen_addresses= -c fsync=off -c max_connections=60"
        data, log = str(self.folder / "data"), str(self.folder / "log")
        self._call("pg_ctl", "-D", data, "-w", "-l", log, "-o", options, "start")

    def halt(self) -> None:
        """Stops it at once, as a crash does; its folder stays."""
        self._call("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop")

    def url(self, name: str) -> str:
        return f"postgresql://mailer@/{name}?host={self.folder}"

    def make(self, name: str, template: str | None = None) -> str:
        copied = f' TEMPLATE "{template}"' if template else ""
        self._sql(f'CREATE DATABASE "{name}"{copied}')
        return self.url(name)

    def drop(self, name: str) -> None:
        self._sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def rename(self, name: str, other: str) -> None:
        """Gives a database another name; whoever is connected to it is thrown out."""
        self._sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = '{name}' AND pid <> pg_backend_pid()"
        )
        self._sql(f'ALTER DATABASE "{name}" RENAME TO "{other}"')

    def stop(self) -> None:
        self.halt()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _sql(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def _call(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [*self._as_user, str(self._binaries / program), *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/tmp",
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        )


def _exists(user: str) -> bool:
    return any(entry.pw_name == user for entry in pwd.getpwall())


def _group(user: str) -> int:
    return pwd.getpwnam(user).pw_gid
