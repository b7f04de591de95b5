"""Runs the site with uvicorn: in the foreground, or beside something else in a thread."""

from __future__ import annotations

import errno
import logging
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from anyio import to_thread
from starlette.applications import Starlette
from starlette.types import ASGIApp
from structlog.typing import FilteringBoundLogger

from mailer.errors import InputError, MailerError, StoppedError
from mailer.web.connection import Connection
from mailer.web.front import Front
from mailer.web.log import make_log, tell_fault
from mailer.web.postman import posting
from mailer.web.processes import Processes
from mailer.web.site import make_site
from mailer.wiring import Mailer, open_mailer

HOST = "127.0.0.1"
PORT = 8025
PREVIEW_PORT = 8026
_CONNECTIONS = 800  # at once; more hear 503, so that a flood can't use up memory and files
_BACKLOG = 2048  # connections that wait to be taken
_AT_A_TIME = 8  # of them are taken in one turn of the loop, so that other processes get some
_THREADS = 4  # that read the database; more would only wait for each other
_SWITCH = 0.001  # seconds that a thread may keep the loop waiting
_STOP_WITHIN = 10  # seconds for answers that are being written
_START_WITHIN = 30.0  # seconds
_SWEEP_EVERY = 60.0  # seconds between two looks at the pages that are kept


@dataclass(frozen=True, slots=True)
class Place:
    """Where to listen: address and port, or a socket in the file system; with TLS or without."""

    host: str = HOST
    port: int = PORT
    unix: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def require_certificate(self) -> None:
        """Raises InputError when there is only half of it, or it can't be used."""
        if self.certificate is None and self.key is None:
            return
        if self.certificate is None or self.key is None:
            raise InputError("TLS needs a certificate and its key: --tls-cert and --tls-key.")
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            raise InputError(
                f"{self.certificate} and {self.key} can't be used for TLS: {error}.",
                hint="Both are PEM files; the certificate's chain stands in its file.",
            ) from error


def serve(
    workspace: Path, place: Place, processes: int = 1, *, ready: Callable[[str], None]
) -> None:
    """Serves until SIGINT or SIGTERM; ``ready`` is told the address once connections are taken.

    SIGHUP replaces the processes without a gap. Raises StoppedError when the port is not to be had
    or nothing starts, InputError for no address of this machine and for no certificate.
    """
    place.require_certificate()
    with closing(_open(place)) as listener:
        child = _Child(workspace, listener, place)
        address = _address(listener, place)
        Processes(child, processes, make_log()).run(lambda: ready(address))


@dataclass(frozen=True, slots=True)
class _Child:
    """What one of the processes does."""

    workspace: Path
    listener: socket.socket
    place: Place

    def __call__(self, tell: Callable[[], None], parent_alive: Callable[[], bool]) -> None:
        try:
            with open_mailer(self.workspace, check_schema=False) as mailer:
                log = make_log(gathered=True)
                app = make_site(mailer, log=log)
                chores = _Chores(mailer, app, log)
                chores.begin()
                server = _server(app, trusted=mailer.settings.trusted_proxies, place=self.place)
                watch = threading.Thread(
                    target=_keep_in_touch,
                    args=(server, tell, parent_alive, chores),
                    daemon=True,
                )
                watch.start()
                with posting(mailer, log):
                    server.run(sockets=[self.listener])
                app.clicks.flush()
                if chores.refused is not None:
                    raise chores.refused
        except MailerError as error:
            make_log().error("not_started", error=type(error).__name__, message=str(error))
            raise SystemExit(error.exit_status) from None


def _keep_in_touch(
    server: uvicorn.Server,
    tell: Callable[[], None],
    parent_alive: Callable[[], bool],
    now_and_then: Callable[[], bool],
) -> None:
    """Tells the parent that connections are taken; ends with the parent, however that ends,
    or when ``now_and_then`` says that it can't go on.
    """
    told = False
    while parent_alive():
        if server.started and not told:
            told = True
            tell()
        if told and not now_and_then():
            break
        time.sleep(1 if told else 0.05)
    server.should_exit = True


class _Chores:
    """What a process does beside its pages, each second. The database may be away."""

    def __init__(self, mailer: Mailer, app: Front, log: FilteringBoundLogger) -> None:
        self._mailer = mailer
        self._app = app
        self._log = log
        self._known = False  # whether the database is of this program
        self._next_sweep = 0.0
        self.refused: MailerError | None = None  # why the process can't go on

    def begin(self) -> None:
        """Looks at the database. Raises SettingsError when it is not of this program."""
        try:
            self._mailer.require_schema()
        except StoppedError as error:
            self._log.warning("database_away", message=error.message)
        else:
            self._known = True

    def __call__(self) -> bool:
        """False when the process is to end: the database is back, and is another."""
        try:
            if not self._known:
                self._mailer.require_schema()
                self._known = True
                self._log.info("database_back")
            self._carry_out()
            if time.monotonic() >= self._next_sweep:
                self._next_sweep = time.monotonic() + _SWEEP_EVERY
                self._app.sweep()
        except StoppedError:
            return True  # still away: the next second asks again
        except MailerError as error:
            self.refused = None if self._known else error
            return self._known
        except Exception as error:  # or its process would serve on, and carry nothing out
            tell_fault(self._log, "chores_failed", error)
        return True

    def _carry_out(self) -> None:
        """Takes off who asked for it while the database was away, as soon as it is back."""
        done = self._mailer.carry_out_departures()
        if done.wishes:
            self._log.info("departures", carried_out=done.wishes)
        if done.aside:
            self._log.error("departures_put_aside", files=done.aside, folder="data/letterbox")


@contextmanager
def serving(mailer: Mailer, host: str = HOST, port: int = 0) -> Iterator[str]:
    """Serves in a thread while the block runs; yields the address. Port 0 takes a free one."""
    log = make_log(level=logging.WARNING)
    server, listener = _prepare(mailer, host, port, log)
    thread = threading.Thread(target=server.run, args=([listener],), name="site", daemon=True)
    thread.start()
    give_up = time.monotonic() + _START_WITHIN
    while not server.started:
        if not thread.is_alive() or time.monotonic() > give_up:
            raise StoppedError("The site did not start.")
        time.sleep(0.01)
    try:
        with posting(mailer, log):
            yield _address(listener)
    finally:
        server.should_exit = True
        thread.join(timeout=_STOP_WITHIN + 5)


def serve_preview(
    make: Callable[[Callable[[], bool]], Starlette],
    port: int = PREVIEW_PORT,
    *,
    ready: Callable[[str], None],
) -> None:
    """Serves a preview on loopback until SIGINT or SIGTERM; ``ready`` is told the address.

    ``make`` is given what tells whether the server is stopping: a stream of events must end then.
    Raises StoppedError when the port is not to be had.
    """
    server: uvicorn.Server

    def stopping() -> bool:
        return bool(server.should_exit)

    server = _server(make(stopping), stop_within=3)
    listener = _listen(HOST, port, what="The preview")
    ready(_address(listener))
    server.run(sockets=[listener])


def _prepare(
    mailer: Mailer, host: str, port: int, log: FilteringBoundLogger
) -> tuple[uvicorn.Server, socket.socket]:
    app = make_site(mailer, log=log)
    return _server(app, trusted=mailer.settings.trusted_proxies), _listen(host, port)


class _Server(uvicorn.Server):
    """Takes connections a few at a time, so that each of several processes gets its share."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        sys.setswitchinterval(_SWITCH)
        to_thread.current_default_thread_limiter().total_tokens = _THREADS
        await super().startup(sockets)
        for listener in sockets or []:
            listener.listen(_BACKLOG)  # the loop set it to what it takes at a time


def _server(
    app: ASGIApp,
    *,
    trusted: Sequence[str] = (),
    stop_within: int = _STOP_WITHIN,
    place: Place | None = None,
) -> uvicorn.Server:
    place = place or Place()
    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,  # it would write every token; the site keeps its own without them
        server_header=False,
        proxy_headers=bool(trusted),
        forwarded_allow_ips=list(trusted),
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=stop_within,
        backlog=_AT_A_TIME,
        ssl_certfile=place.certificate,
        ssl_keyfile=place.key,
    )
    return _Server(config)


def _open(place: Place) -> socket.socket:
    if place.unix is None:
        return _listen(place.host, place.port)
    path = place.unix
    if path.is_socket():  # left behind by one that was killed, or somebody listens there
        with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
            probe.connect(str(path))
            raise StoppedError(f"Somebody listens on {path} already.")
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        path.chmod(0o660)  # the proxy is of our group
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise StoppedError(
            f"The site can't listen on {path}: {error.strerror or error}."
        ) from error
    return listener


def _listen(host: str, port: int, what: str = "The site") -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.getaddrinfo(host or None, port, family, socket.SOCK_STREAM)
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        # Accepted ones inherit it; the loop sets it only for a socket that says its protocol.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except (socket.gaierror, UnicodeError) as error:  # the latter: a label IDNA can't encode
        raise InputError(
            f"“{host}” is no address to listen on.",
            hint="Give one of this machine's, such as 127.0.0.1 or ::1.",
        ) from error
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise InputError(
                f"{host} is no address of this machine.", hint="0.0.0.0 listens on all of them."
            ) from error
        raise StoppedError(
            f"{what} can't listen on {host} port {port}: {error.strerror or error}.",
            hint="Is it running already? `--port` takes another one.",
        ) from error
    return listener


def _address(listener: socket.socket, place: Place | None = None) -> str:
    if listener.family == socket.AF_UNIX:
        return f"unix:{listener.getsockname()}"
    scheme = "https" if place and place.certificate else "http"
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
