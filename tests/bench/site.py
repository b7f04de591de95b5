"""The public site under a crowd, by wrk on loopback: ratios within one run.

::

    python -m tests.bench.site            # all three
    python -m tests.bench.site pages      # a web version of 30 KB beside a bare Starlette answer
    python -m tests.bench.site clicks     # one-click posts, each of another person; kill -9; count
    python -m tests.bench.site flood      # 10,000 scanner requests beside the posts
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from mailer.message.links import KeyRing, Purpose, Tokens
from mailer.store import migrations
from mailer.store.database import Database, database_url
from tests import builders
from tests.crowd import make_crowd

WRK = Path(__file__).parents[2] / ".cache/peers/wrk/usr/bin/wrk"
SIZE = 30 * 1024
PROCESSES = 2
ONE_CLICK = "List-Unsubscribe=One-Click"
_POST = """
local n, first, step = 0, 1, 1
local paths = {}
local headers = {["Content-Type"] = "application/x-www-form-urlencoded"}
for line in io.lines("%(file)s") do paths[#paths + 1] = line end
local threads = {}
function setup(thread) thread:set("id", #threads); threads[#threads + 1] = thread end
function init(args) n = id end
function request()
  n = n + %(threads)d
  local path = paths[n - %(threads)d + 1] or "/healthz"
  return wrk.format(%(method)s, path, headers, %(body)s)
end
"""


def main() -> None:
    if sys.argv[1:2] == ["scan"]:
        address, paths = json.loads(Path(sys.argv[2]).read_text())
        _scan(address, paths, 10_000)
        return
    wanted = sys.argv[1:] or ["pages", "clicks", "flood"]
    if not WRK.exists():
        raise SystemExit("wrk is missing: ./scripts/peers unpacks it.")
    if "pages" in wanted:
        pages(2)
    if "clicks" in wanted:
        clicks(60_000, 8)
    if "flood" in wanted:
        flood()


def pages(rounds: int, seconds: int = 3) -> None:
    """Web versions beside bare answers of the same size, in turns, by the same server."""
    with tempfile.TemporaryDirectory(prefix="mailer-bench-") as name:
        folder = Path(name)
        key, _ = workspace(folder, people=1)
        ratios = []
        for number in range(rounds):
            with bare() as address, site(folder) as ours:
                pairs = [
                    (_cost(f"{ours}/w/{key}", seconds), _cost(f"{address}/page", seconds))
                    for _ in range(2)
                ]
            for (mine, my_cpu), (theirs, their_cpu) in pairs:
                ratios.append(mine / theirs)
                print(
                    f"round {number + 1}: web version {mine:,.0f}/s ({my_cpu:.0f} µs CPU each),"
                    f" bare Starlette {theirs:,.0f}/s ({their_cpu:.0f} µs),"
                    f" ratio {mine / theirs:.2f}, by CPU {their_cpu / my_cpu:.2f}",
                    flush=True,
                )
        print(f"pages, median ratio {statistics.median(ratios):.2f}", flush=True)


def _cost(url: str, seconds: int, script: Path | None = None) -> tuple[float, float]:
    """Requests a second, and µs of processor time that the servers of a port take for each."""
    port = urlsplit(url).port
    assert port is not None
    servers = _SERVERS[port]
    before = sum(map(_cpu, servers))
    rate = _wrk(url, seconds, script)
    return rate, (sum(map(_cpu, servers)) - before) / (rate * seconds) * 1e6


_SERVERS: dict[int, list[int]] = {}  # port → processes


def _cpu(pid: int) -> float:
    """Seconds of processor time so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def clicks(people: int, seconds: int) -> None:
    """One-click posts of different people, then kill -9 of all; who was answered must have left."""
    with tempfile.TemporaryDirectory(prefix="mailer-bench-") as name:
        folder = Path(name)
        _, links = workspace(folder, people=people)
        with site(folder) as address:
            script = _script(folder, links, "POST", ONE_CLICK)
            rate, cpu = _cost(address, seconds, script)
            left = _left(folder)
            print(
                f"clicks: {rate:,.0f}/s durable, {cpu:.0f} µs CPU each"
                f" ({left:,} left, counted in the database)",
                flush=True,
            )
        killed, answered, lost = kill(1_500)
        print(
            f"kill -9 of both processes under load: {answered:,} answered with 200,"
            f" {lost} of them lost (killed: {killed})",
            flush=True,
        )


def kill(after: int) -> tuple[int, int, int]:
    """Posts from many connections, kills everything at a moment, and looks for lost answers."""
    with tempfile.TemporaryDirectory(prefix="mailer-bench-") as name:
        folder = Path(name)
        _, links = workspace(folder, people=20_000)
        answered: list[int] = []
        with site(folder) as address:
            children = _SERVERS[urlsplit(address).port or 0]

            async def reader(place: int) -> None:
                port = urlsplit(address).port
                stream, writer = await asyncio.open_connection("127.0.0.1", port)
                with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                    for person in range(place, len(links), 32):
                        writer.write(_post(links[person]))
                        head = await stream.readuntil(b"\r\n\r\n")
                        length = re.search(rb"content-length: (\d+)", head)
                        await stream.readexactly(int(length[1]) if length else 0)
                        if head.startswith(b"HTTP/1.1 200"):
                            answered.append(person + 1)
                        if len(answered) == after:
                            for child in children:
                                os.kill(child, signal.SIGKILL)
                writer.close()

            async def crowd() -> None:
                await asyncio.gather(*(reader(place) for place in range(32)))

            with contextlib.suppress(OSError):
                asyncio.run(crowd())
        gone = _who_left(folder)
        return len(children), len(answered), len(set(answered) - gone)


def flood() -> None:
    """10,000 scanner requests over the links of 1,000 readers, while others really click."""
    with tempfile.TemporaryDirectory(prefix="mailer-bench-") as name:
        folder = Path(name)
        key, links = workspace(folder, people=12_000)
        scanned, clicking = links[:1000], links[1000:]
        paths = [*scanned, *(link.replace("/u/", "/p/") for link in preferences(folder, 1000))]
        paths += [f"/w/{key}"] * 500
        with site(folder) as address:
            alone = _latency(address, clicking[:4000], 4.0)
            (folder / "scan.json").write_text(json.dumps([address, paths]))
            scanner = subprocess.Popen(
                [sys.executable, "-m", "tests.bench.site", "scan", folder / "scan.json"]
            )
            beside = _latency(address, clicking[4000:], 4.0)
            scanner.wait()
            gone = _who_left(folder) & set(range(1, 1001))
        print(f"flood: {len(gone)} of 1,000 scanned readers unsubscribed", flush=True)
        for what, times in (("alone", alone), ("beside the flood", beside)):
            print(
                f"flood: {len(times):,} posts {what}: median {_at(times, 0.5):.1f} ms,"
                f" p99 {_at(times, 0.99):.1f} ms, worst {max(times):.1f} ms",
                flush=True,
            )


def _latency(address: str, links: list[str], seconds: float) -> list[float]:
    """Milliseconds of each post; sixteen connections, so many a second as they manage."""
    times: list[float] = []

    async def reader(place: int, until: float) -> None:
        stream, writer = await asyncio.open_connection("127.0.0.1", urlsplit(address).port)
        for link in links[place::16]:
            if time.monotonic() > until:
                break
            begun = time.perf_counter()
            writer.write(_post(link))
            head = await stream.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head)
            await stream.readexactly(int(length[1]) if length else 0)
            if not head.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"a post was not answered: {head[:60]!r}")
            times.append((time.perf_counter() - begun) * 1000)
            await asyncio.sleep(0.02)
        writer.close()

    async def crowd() -> None:
        until = time.monotonic() + seconds
        await asyncio.gather(*(reader(place, until) for place in range(16)))

    asyncio.run(crowd())
    return sorted(times)


def _scan(address: str, paths: list[str], requests: int) -> None:
    """GET and HEAD over every link, as fast as thirty-two connections go."""

    async def scanner(place: int) -> None:
        stream, writer = await asyncio.open_connection("127.0.0.1", urlsplit(address).port)
        for number in range(place, requests, 32):
            method = "HEAD" if number % 5 == 0 else "GET"
            path = paths[number % len(paths)]
            writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            head = await stream.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head)
            if length and method == "GET":
                await stream.readexactly(int(length[1]))
        writer.close()

    async def crowd() -> None:
        await asyncio.gather(*(scanner(place) for place in range(32)))

    begun = time.perf_counter()
    asyncio.run(crowd())
    spent = time.perf_counter() - begun
    print(f"flood: {requests:,} scanner requests in {spent:.1f} s", flush=True)


def _post(link: str) -> bytes:
    return (
        f"POST {link} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(ONE_CLICK)}\r\n\r\n{ONE_CLICK}"
    ).encode()


def _at(times: list[float], share: float) -> float:
    return times[min(len(times) - 1, int(len(times) * share))]


def workspace(folder: Path, people: int) -> tuple[str, list[str]]:
    """A workspace with one campaign; returns its web key and everybody's unsubscribe path."""
    secret = secrets.token_bytes(32)
    (folder / "data").mkdir()
    (folder / ".env").write_text(f"MAILER_SECRET_KEY={secret.hex()}\n")
    with Database(database_url("sqlite:///data/mailer.db", folder)) as db:
        migrations.upgrade(db)
        list_id, _ = make_crowd(db, people)
        page = "<p>" + "boats at the quay, and words that fill the line. " * (SIZE // 49) + "</p>"
        made = builders.make_campaign(db, list_id, pages={"en": page[:SIZE].ljust(SIZE)})
        with db.write() as connection:
            connection.execute(
                text(
                    "INSERT INTO delivery (campaign_id, position, subscriber_id, variant_id, state,"
                    " attempt, reason, reply) SELECT :c, id, id, :v, 'accepted', 1, '', ''"
                    " FROM subscriber"
                ),
                {"c": made.id, "v": made.variants["en"]},
            )
    ring = KeyRing(secret)
    tokens = Tokens(ring, made.id, ring.key_id)
    links = [f"/u/{tokens.link(Purpose.unsubscribe, n)}" for n in range(1, people + 1)]
    (folder / "preferences.json").write_text(
        json.dumps([f"/p/{tokens.link(Purpose.preferences, n)}" for n in range(1, 1001)])
    )
    return made.web_key, links


def preferences(folder: Path, count: int) -> list[str]:
    paths: list[str] = json.loads((folder / "preferences.json").read_text())
    return paths[:count]


def _who_left(folder: Path) -> set[int]:
    with Database(database_url("sqlite:///data/mailer.db", folder)) as db, db.read() as connection:
        rows = connection.execute(
            text("SELECT subscriber_id FROM subscription WHERE status = 'unsubscribed'")
        )
        return set(rows.scalars())


def _left(folder: Path) -> int:
    return len(_who_left(folder))


@contextlib.contextmanager
def site(folder: Path) -> Iterator[str]:
    """The site as an operator runs it: `mailer site serve --processes 2`."""
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "mailer",
        "-C",
        folder,
        "site",
        "serve",
        "--port",
        "0",
    ]
    with (folder / "site.log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--processes", str(PROCESSES)],
            stderr=log,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""},
        )
        (folder / "pid").write_text(str(process.pid))
        try:
            address = _serving(folder / "site.log", process)
            port = urlsplit(address).port
            assert port is not None
            _SERVERS[port] = _children(folder)
            yield address
        finally:
            process.terminate()
            process.wait()


def _serving(log: Path, process: subprocess.Popen[bytes]) -> str:
    for _ in range(300):
        found = re.search(r"Serving (\S+)", log.read_text())
        if found:
            return found[1]
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise SystemExit(log.read_text())


def _children(folder: Path) -> list[int]:
    pid = (folder / "pid").read_text()
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in listed]


def _bare_child(tell: object, parent_alive: object) -> None:
    """Serves one constant page: Starlette with nothing around it, uvicorn set as for the site."""
    port = int(os.environ["BENCH_PORT"])
    import socket

    listener = socket.socket(fileno=int(os.environ["BENCH_FD"]))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    body = "x" * SIZE

    async def page(request: object) -> HTMLResponse:
        return HTMLResponse(body)

    app = Starlette(routes=[Route("/page", page)])
    config = uvicorn.Config(
        app,
        http="httptools",
        loop="asyncio",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        port=port,
    )
    uvicorn.Server(config).run(sockets=[listener])


@contextlib.contextmanager
def bare() -> Iterator[str]:
    import socket

    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        port = listener.getsockname()[1]
        environment = {
            "PYTHONDONTWRITEBYTECODE": "",
            **os.environ,
            "BENCH_PORT": str(port),
            "BENCH_FD": str(listener.fileno()),
        }
        children = [
            subprocess.Popen(
                [sys.executable, "-c", "from tests.bench.site import _bare_child as b; b(0, 0)"],
                env=environment,
                pass_fds=[listener.fileno()],
            )
            for _ in range(PROCESSES)
        ]
        try:
            address = f"http://127.0.0.1:{port}"
            for _ in range(8):  # both take connections by now, whichever gets these
                with urllib.request.urlopen(f"{address}/page", timeout=30) as answer:
                    answer.read()
                time.sleep(0.5)
            _SERVERS[port] = [child.pid for child in children]
            yield address
        finally:
            for child in children:
                child.terminate()
            for child in children:
                child.wait()


def _script(folder: Path, links: list[str], method: str, body: str) -> Path:
    """Each thread of wrk takes every second path, so nobody is posted for twice."""
    (folder / "paths").write_text("\n".join(links))
    script = folder / "wrk.lua"
    values = {"file": folder / "paths", "threads": 2, "method": f'"{method}"', "body": f'"{body}"'}
    script.write_text(_POST % values)
    return script


def _wrk(url: str, seconds: int, script: Path | None = None) -> float:
    """Requests a second of 64 connections; whatever is not a success stops the bench."""
    command: list[object] = [
        WRK,
        "-t2",
        "-c64",
        f"-d{seconds}s",
        *(["-s", script] if script else []),
        url,
    ]
    said = subprocess.run(
        [str(each) for each in command], capture_output=True, text=True, check=True
    )
    if "Non-2xx" in said.stdout or "Socket errors" in said.stdout:
        raise SystemExit(said.stdout)
    found = re.search(r"Requests/sec:\s+([\d.]+)", said.stdout)
    assert found is not None
    return float(found[1])


if __name__ == "__main__":
    main()
