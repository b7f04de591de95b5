"""Carries mail to a submission server: the wish ``ports.Transport``, over SMTP."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path

from mailer.adapters.token_endpoint import TokenEndpoint
from mailer.errors import Fault, SettingsError
from mailer.smtp.exchange import Observer, Source
from mailer.smtp.pool import Pool
from mailer.smtp.route import Places, Route, Security, Timeouts, system_context, variables


class SmtpTransport:
    """One submission server. Plain values in, so that nobody else knows what the wire is made of.

    ``oauth`` holds url, client_id, client_secret, refresh_token and scope of a token endpoint; with
    it a token signs in instead of the password.
    ``security`` is ``none``, ``starttls`` or ``tls``; ``messages`` caps how many mails one
    connection carries (0: no cap but the server's own) and ``lifetime`` its seconds; ``places``
    says in a hint where its settings stand. Nothing is opened before ``run``.
    """

    def __init__(
        self,
        host: str,
        port: int = 587,
        *,
        security: str = Security.starttls,
        username: str = "",
        password: str = "",
        oauth: Mapping[str, str] | None = None,
        connections: int = 2,
        messages: int = 0,
        lifetime: float = 0,
        helo: str = "",
        ca_file: Path | str | None = None,
        timeouts: Timeouts | None = None,
        places: Places = variables,
    ) -> None:
        self.host = host
        self.port = port
        self.security = Security(security)
        self.username = username
        self.password = password
        self.oauth = dict(oauth) if oauth else None
        self.connections = connections
        self.messages = messages
        self.lifetime = lifetime
        self.helo = helo
        self.ca_file = Path(ca_file) if ca_file else None
        self.timeouts = timeouts
        self.places = places

    def __repr__(self) -> str:
        return f"SmtpTransport({self.host!r}, {self.port}, security={self.security.value!r})"

    async def run(self, source: Source, observer: Observer) -> None:
        """Sends until ``source.finished``; see ``ports.Transport``.

        Raises SettingsError when the file of authorities is no use, before anything is taken.
        """
        route = Route(
            host=self.host,
            port=self.port,
            security=self.security,
            username=self.username,
            password=self.password,
            token=TokenEndpoint(**self.oauth, places=self.places) if self.oauth else None,
            helo=self.helo,
            context=self._context(),
            places=self.places,
        )
        pool = Pool(
            route,
            connections=self.connections,
            messages=self.messages,
            lifetime=self.lifetime,
            timeouts=self.timeouts,
        )
        await pool.run(source, observer)

    def _context(self) -> ssl.SSLContext | None:
        if self.security is Security.none:
            return None
        try:
            return system_context(str(self.ca_file) if self.ca_file else None)
        except OSError as error:  # an ssl.SSLError too
            why = error.strerror or str(error)
            raise SettingsError(
                Fault(
                    f"{self.places('ca_file')} can't be used: {self.ca_file}: {why}.",
                    hint="It takes a file of PEM certificates.",
                )
            ) from error
