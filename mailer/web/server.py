"""Runs the site with uvicorn: in the foreground, or beside something else in a thread."""

from __future__ import annotations

import errno
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from structlog.typing import FilteringBoundLogger

from mailer.errors import InputError, StoppedError
from mailer.web.log import make_log
from mailer.web.postman import posting
from mailer.web.site import make_site
from mailer.wiring import Mailer

HOST = "127.0.0.1"
PORT = 8025
PREVIEW_PORT = 8026
_CONNECTIONS = 800  # at once; more hear 503, so that a flood can't use up memory and files
_STOP_WITHIN = 10  # seconds for answers that are being written
_START_WITHIN = 30.0  # seconds


def serve(
    mailer: Mailer,
    host: str = HOST,
    port: int = PORT,
    *,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serves until SIGINT or SIGTERM; ``ready`` is told the address once connections are taken.

    Raises StoppedError when the port is not to be had, InputError for no address of this machine,
    SettingsError when there is no key.
    """
    log = make_log()
    server, listener = _prepare(mailer, host, port, log)
    if ready is not None:
        ready(_address(listener))
    with posting(mailer, log):
        server.run(sockets=[listener])


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
    trusted = list(mailer.settings.trusted_proxies)
    return _server(make_site(mailer, log=log), trusted=trusted), _listen(host, port)


def _server(
    app: Starlette, *, trusted: Sequence[str] = (), stop_within: int = _STOP_WITHIN
) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
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
        h11_max_incomplete_event_size=16 * 1024,  # octets of request line and headers
    )
    return uvicorn.Server(config)


def _listen(host: str, port: int, what: str = "The site") -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.getaddrinfo(host or None, port, family, socket.SOCK_STREAM)
        return socket.create_server((host, port), family=family, backlog=2048)
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


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
