"""The nginx file and the systemd unit of docs/operations.md work as they stand there."""

from __future__ import annotations

import http.client
import re
import shlex
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from mailer.message.links import KeyRing, Purpose, make
from mailer.store.database import Database, database_url
from tests import builders, sites
from tests.certificates import make_certificate

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/operations.md").read_text("utf-8")
NGINX = ROOT / ".cache/peers/nginx/usr/sbin/nginx"
READER = "127.0.0.2"  # another address of this machine than the proxy's


def _sample(kind: str) -> str:
    found = re.search(rf"```{kind}\n(.*?)```", GUIDE, re.S)
    assert found is not None
    return found[1]


@pytest.fixture
def behind_nginx(
    tmp_path: Path, sqlite_template: Path
) -> Iterator[tuple[Path, sites.Running, int]]:
    """Two processes of the site behind nginx, which runs the sample with our paths and ports."""
    if not NGINX.exists():
        pytest.skip("nginx is missing: ./scripts/peers unpacks it")
    folder = sites.workspace(
        tmp_path,
        sqlite_template,
        MAILER_SITE_URL="https://news.example.org",
        MAILER_TRUSTED_PROXIES="127.0.0.1",
    )
    port = _free_port()
    with sites.serving(folder, "--port", "0", "--processes", "2") as site:
        made = make_certificate(tmp_path, "news.example.org")
        sample = _sample("nginx")
        for written, ours in (
            ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
            ("listen 80", f"listen 127.0.0.1:{_free_port()}"),
            ("/etc/letsencrypt/live/news.example.org/fullchain.pem", str(made.chain)),
            ("/etc/letsencrypt/live/news.example.org/privkey.pem", str(made.key)),
            ("/var/log/nginx/news.log", str(tmp_path / "nginx.log")),
            ("http://127.0.0.1:8025", site.address),
        ):
            assert written in sample
            sample = sample.replace(written, ours)
        temps = "".join(
            f"{name}_temp_path {tmp_path}/{name};\n"
            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        conf = tmp_path / "nginx.conf"
        conf.write_text(
            f"daemon off; pid {tmp_path}/nginx.pid; error_log stderr crit; events {{}}\n"
            f"http {{ {temps} {sample} }}\n"
        )
        command: list[str | Path] = [NGINX, "-c", conf, "-p", tmp_path, "-e", "stderr"]
        subprocess.run([*command, "-t"], check=True, capture_output=True)
        nginx = subprocess.Popen(command)
        try:
            _wait_for(port)
            yield folder, site, port
        finally:
            nginx.terminate()
            nginx.wait(20)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def _wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("nginx takes no connections")


def _ask(
    port: int, method: str, path: str, body: str | None = None, **headers: str
) -> tuple[http.client.HTTPResponse, str]:
    trusting = ssl._create_unverified_context()
    client = http.client.HTTPSConnection(
        "127.0.0.1", port, context=trusting, source_address=(READER, 0), timeout=30
    )
    kind = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
    said = {"Host": "news.example.org", **kind, **headers}
    client.request(method, path, body, said)
    answer = client.getresponse()
    return answer, answer.read().decode()


def test_nginx_before_two_processes(behind_nginx: tuple[Path, sites.Running, int]) -> None:
    folder, site, port = behind_nginx
    with Database(database_url("sqlite:///data/mailer.db", folder)) as db:
        list_id = builders.make_list(db, "harbour", title="Harbour News")
        anna = builders.make_subscriber(db, "anna@example.org")
        builders.subscribe(db, anna, list_id)
        campaign = builders.make_campaign(db, list_id, readers={anna: "en"})
        keys = KeyRing(bytes.fromhex(sites.KEY))
        again = make(keys, Purpose.reconfirm, campaign.id, anna)
        leave = make(keys, Purpose.unsubscribe, campaign.id, anna)

        page, shown = _ask(port, "GET", f"/w/{campaign.web_key}")
        assert (page.status, shown) == (200, builders.PAGE)
        assert page.headers["Strict-Transport-Security"] == "max-age=31536000"
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        unchanged, _ = _ask(
            port, "GET", f"/w/{campaign.web_key}", **{"If-None-Match": page.headers["ETag"]}
        )
        assert unchanged.status == 304

        forged = {"X-Forwarded-For": "192.0.2.66"}
        yes, _ = _ask(port, "POST", f"/c/{again}", "action=yes", **forged)
        assert yes.status == 303
        with db.read() as connection:
            seen = connection.execute(text("SELECT ip FROM consent ORDER BY id DESC")).scalar()
        assert seen == READER

        gone, words = _ask(port, "POST", f"/u/{leave}", "List-Unsubscribe=One-Click")
        assert (gone.status, words) == (200, "You are unsubscribed from Harbour News.\n")
        assert gone.headers["Set-Cookie"] is None
        assert builders.status_of(db, anna, list_id) == "unsubscribed"

        large, _ = _ask(port, "POST", f"/u/{leave}", "x" * 70_000)
        assert large.status == 413
    assert leave not in site.log.read_text() + (folder / "nginx.log").read_text()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is missing")
def test_the_unit_is_one(tmp_path: Path) -> None:
    mailer = Path(sys.executable).with_name("mailer")
    unit = tmp_path / "mailer-site.service"
    unit.write_text(_sample("ini").replace("/opt/mailer/bin/mailer", str(mailer)))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )

    ours = [line for line in done.stderr.splitlines() if "mailer-site" in line]
    assert [line for line in ours if "Unknown" in line or "nvalid" in line] == []


def test_the_line_of_the_unit_serves(tmp_path: Path, sqlite_template: Path) -> None:
    found = re.search(r"^ExecStart=(.*)$", _sample("ini"), re.M)
    assert found is not None
    program, option, place, *rest = shlex.split(found[1])
    assert (program, option, place, rest[:2]) == (
        "/opt/mailer/bin/mailer",
        "-C",
        "/srv/news",
        ["site", "serve"],
    )
    folder = sites.workspace(tmp_path, sqlite_template)
    with sites.serving(folder, *rest[2:], "--port", "0") as site:
        port = int(site.address.rpartition(":")[2])
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        client.request("GET", "/healthz")
        assert client.getresponse().read() == b'{"ok":true}'
