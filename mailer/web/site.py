"""The public site: what readers see. No script, no cookie, nothing from elsewhere.

A group of pages is a module that offers its ``routes``; ``make_site`` lists the groups.
"""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

from starlette.applications import Starlette
from structlog.typing import FilteringBoundLogger

from mailer.errors import InputError
from mailer.usecases.show_look import Look
from mailer.web.address_change import AddressPages
from mailer.web.archive import ArchivePages
from mailer.web.clicks import ClickPages
from mailer.web.front import Front
from mailer.web.headers import Headers
from mailer.web.log import make_log
from mailer.web.own_data import OwnDataPages
from mailer.web.pages import Pages
from mailer.web.preferences import PreferencePages
from mailer.web.public import PublicPages
from mailer.web.readers import ReaderPages
from mailer.web.sign_up import SignUpPages
from mailer.web.trouble import Trouble
from mailer.wiring import Mailer


def make_site(mailer: Mailer, *, log: FilteringBoundLogger | None = None) -> Front:
    """Makes the site of an open workspace. Without a log, only what fails is told.

    Raises SettingsError when there is no key to read links with.
    """
    log = log or make_log(level=logging.WARNING)
    settings = mailer.settings
    public = urlsplit(settings.site_url)
    headers = Headers(https=public.scheme == "https")
    pages = Pages(
        organisation=settings.organisation or "",
        postal_address=settings.postal_address or "",
        prefix=public.path,
        look=_look(mailer, log),
    )
    everybody, readers = PublicPages(mailer, pages, headers), ReaderPages(mailer, pages)
    clicks = ClickPages(mailer, log)
    # Every group of pages. A proxy may take the path of the public address off, or pass it on.
    faces = (
        SignUpPages(mailer, pages, readers),
        everybody,
        ArchivePages(mailer, pages, everybody),
        readers,
        PreferencePages(mailer, pages),
        OwnDataPages(mailer, pages),
        AddressPages(mailer, pages),
        clicks,
    )
    prefixes = ("", public.path) if public.path else ("",)
    trouble = Trouble(pages, log, headers, prefix=public.path)
    site = Starlette(
        routes=[route for prefix in prefixes for face in faces for route in face.routes(prefix)],
        exception_handlers=trouble.handlers(),
    )
    site.router.redirect_slashes = False  # it would redirect to whatever the Host header says
    return Front(
        site, everybody, readers, trouble, headers, log, prefix=public.path, clicks=clicks.log
    )


def _look(mailer: Mailer, log: FilteringBoundLogger) -> Look | None:
    """The layout's look. With one that can't be read, pages keep their own, and the log says so."""
    try:
        return mailer.look
    except InputError as error:
        log.warning("look", layout=mailer.settings.site_layout, message=str(error))
        return None
