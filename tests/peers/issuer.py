"""Issues tokens over HTTP as an OAuth 2 server does, and tells mail servers whom a token is for."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass
class Issuer:
    """What it gave, and how it is told to behave from now on."""

    site: str = ""
    user: str = ""  # whom the next tokens are for
    length: int = 40  # octets of the next tokens
    uses: int = 1000  # sign-ins that a new token is good for
    given: list[str] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)  # what mail servers asked about
    _left: dict[str, tuple[str, int]] = field(default_factory=dict)

    @property
    def token_url(self) -> str:
        return f"{self.site}/token"

    def begin_anew(self, user: str) -> None:
        """Forgets what was, and gives good tokens for this one from now on."""
        self.user, self.length, self.uses = user, 40, 1000
        self.given, self.checked, self._left = [], [], {}

    def new_token(self) -> dict[str, object]:
        token = f"tok-{len(self.given) + 1}-".ljust(self.length, "x")
        self.given.append(token)
        self._left[token] = (self.user, self.uses)
        return {"access_token": token, "expires_in": 3600, "token_type": "Bearer"}

    def check(self, token: str) -> tuple[int, dict[str, object]]:
        self.checked.append(token)
        user, left = self._left.get(token, ("", 0))
        if not left:
            return 400, {"error": "invalid_token", "error_description": "The token is over"}
        self._left[token] = (user, left - 1)
        return 200, {"email": user, "expires_in": 3000}


@contextmanager
def issuing() -> Iterator[Issuer]:
    """Runs it on loopback while the block runs."""
    issuer = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._say(200, issuer.new_token())

        def do_GET(self) -> None:
            asked = parse_qs(urlsplit(self.path).query)
            self._say(*issuer.check(asked["access_token"][0]))

        def _say(self, status: int, document: dict[str, object]) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer.site = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
