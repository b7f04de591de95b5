"""Follows links over the network, and never into a private one.

A name is resolved here, every address that it has is looked at, and the connection goes to the one
that was looked at: so a name that answers differently the second time leads nowhere else. Each
redirect is looked at in the same way.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from urllib.parse import urljoin, urlsplit

import httpx2

from mailer import __version__
from mailer.model.words import Trail

MOST_REDIRECTS = 5
AT_ONCE = 8
SECONDS = 8.0  # for one answer
ALL_SECONDS = 60.0  # for all of them
_REDIRECTS = (301, 302, 303, 307, 308)
# Servers that do not know HEAD, or answer it differently, are asked again by GET.
_ASK_AGAIN = (400, 401, 403, 404, 405, 406, 409, 410, 429, 500, 501, 502, 503, 999)
_HEADERS = {"User-Agent": f"mailer/{__version__} (link check)", "Accept": "*/*"}
Resolve = Callable[[str, int], Sequence[str]]


class _Refused(Exception):  # noqa: N818  # not an error: an answer
    """An address on the way is not the public's."""


def resolve(host: str, port: int) -> Sequence[str]:
    """Returns a name's addresses. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def trusted() -> ssl.SSLContext:
    """Returns what proves a server's name: the authorities that this machine trusts."""
    return ssl.create_default_context()


def is_public(address: str) -> bool:
    """Whether an address is on the public internet (RFC 6890), whatever it is wrapped into."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo or (None, None))[1]
        if inner is None and found in ipaddress.ip_network("64:ff9b::/96"):  # NAT64, RFC 6052
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return found.is_global and not found.is_multicast and not found.is_reserved


class WebLinkFollower:
    """Fulfils ``ports.LinkFollower``. ``public`` and ``resolve`` are replaced in tests only."""

    def __init__(
        self, *, resolve: Resolve = resolve, public: Callable[[str], bool] = is_public
    ) -> None:
        self._resolve = resolve
        self._public = public

    def follow(self, urls: Sequence[str]) -> Mapping[str, Trail]:
        """Follows each link, several at once; what does not answer in time has no answer."""
        pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="links")
        give_up = time.monotonic() + ALL_SECONDS
        tasks: dict[str, Future[Trail]] = {
            url: pool.submit(self._follow, url, give_up) for url in dict.fromkeys(urls)
        }
        done, _ = wait(tasks.values(), timeout=ALL_SECONDS + 2 * SECONDS)
        pool.shutdown(wait=False, cancel_futures=True)
        return {
            url: task.result() if task in done else Trail(0, trouble="it does not answer in time")
            for url, task in tasks.items()
        }

    def _follow(self, url: str, give_up: float) -> Trail:
        redirects = 0
        while True:
            if time.monotonic() > give_up:
                return Trail(0, redirects, url, "there was no time left to ask")
            try:
                status, onward = self._ask(url)
            except _Refused as refused:
                return Trail(0, redirects, url, str(refused), refused=True)
            except OSError as error:
                return Trail(0, redirects, url, f"its name is not found ({error.strerror})")
            except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
                return Trail(0, redirects, url, _words(error))
            if status not in _REDIRECTS or not onward:
                return Trail(status, redirects, url)
            redirects += 1
            if redirects > MOST_REDIRECTS:
                return Trail(0, redirects, url, "it is redirected again and again")
            url = urljoin(url, onward)

    def _ask(self, url: str) -> tuple[int, str]:
        """One step: its status and, for a redirect, the next address."""
        parts = urlsplit(url)
        host = parts.hostname
        if parts.scheme not in ("http", "https") or not host:
            raise _Refused(f"{url[:80]} is no web address")
        address = self._address(host, parts.port or (443 if parts.scheme == "https" else 80))
        shown = f"[{address}]" if ":" in address else address
        port = f":{parts.port}" if parts.port else ""
        name = host.encode("idna").decode() if not host.isascii() else host
        there = parts._replace(netloc=f"{shown}{port}", fragment="").geturl()
        headers = {**_HEADERS, "Host": f"[{name}]{port}" if ":" in name else f"{name}{port}"}
        with httpx2.Client(timeout=SECONDS, trust_env=False, verify=trusted()) as client:
            extensions = {"sni_hostname": name}
            answer = client.head(there, headers=headers, extensions=extensions)
            if answer.status_code in _ASK_AGAIN:
                with client.stream("GET", there, headers=headers, extensions=extensions) as again:
                    return again.status_code, again.headers.get("Location", "")
            return answer.status_code, answer.headers.get("Location", "")

    def _address(self, host: str, port: int) -> str:
        addresses = self._resolve(host, port)
        private = next((each for each in addresses if not self._public(each)), None)
        if private is not None:
            raise _Refused(f"{host} is {private}, which is not on the public internet")
        return addresses[0]


def _words(error: Exception) -> str:
    if isinstance(error, httpx2.TimeoutException):
        return "it does not answer in time"
    return str(error)[:200] or type(error).__name__
