"""The preferences page: which lists a reader gets, how often, and breaks from them.

A link that only looks changes nothing; what acts is a POST from a button on the page.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mailer.usecases.change_preferences import Choice, change_preferences
from mailer.usecases.open_link import Through
from mailer.usecases.say_day import say_day
from mailer.usecases.show_preferences import PreferencesView, show_preferences
from mailer.web.forms import read_form
from mailer.web.pages import Pages, asked_language, back
from mailer.web.wishes import durable, ports_of, wish
from mailer.wiring import Mailer

_CHOICES = frozenset(Choice)


class PreferencePages:
    """What one reader may see and choose."""

    def __init__(self, mailer: Mailer, pages: Pages) -> None:
        self._mailer = mailer
        self._ports = ports_of(mailer)
        self._pages = pages

    def routes(self, prefix: str) -> Sequence[Route]:
        return (Route(prefix + "/p/{token}", self.preferences, methods=["GET", "POST"]),)

    async def preferences(self, request: Request) -> Response:
        if request.method == "POST":
            return await self._change(request)
        return await self._page(request)

    async def _page(self, request: Request) -> Response:
        view = await run_in_threadpool(
            show_preferences, request.path_params["token"], **self._ports
        )
        language = self._pages.language(request, view.own_language, view.language)
        zone = self._mailer.settings.time_zone
        days = {
            each.slug: say_day(each.paused_until, language.code, zone=zone)
            for each in view.lists
            if each.paused_until is not None
        }
        done, about = _notice(request, view)
        return self._pages.page(
            "preferences",
            language,
            view=view,
            done=done,
            about=about,
            days=days,
            details=f"{request.path_params['token']}/details{asked_language(request)}",
        )

    async def _change(self, request: Request) -> Response:
        form = await read_form(request)
        token, action = request.path_params["token"], form["action"]
        if action in _CHOICES:
            choice = Choice(action)
            await durable(change_preferences(token, choice, form["list"], **self._ports))
        else:
            await wish(token, form, Through.preferences, self._ports)
        about = {} if action in ("everything", "fewer") else {"list": form["list"]}
        return back(request, done=action, **about)


def _notice(request: Request, view: PreferencesView) -> tuple[str, str]:
    """What to say about the last change: only what the page itself shows to be so."""
    done = request.query_params.get("done", "")
    if done == Choice.everything:
        return (done, "") if view.left_everything else ("", "")
    if done == "fewer":
        return (done, "") if view.known else ("", "")
    slug = request.query_params.get("list", "")
    for each in view.lists:
        paused = each.paused_until is not None
        so = {
            "leave": not each.receiving,
            "rejoin": each.receiving and not paused,
            "pause": paused,
            "resume": each.receiving and not paused,
        }
        if each.slug == slug and so.get(done):
            return done, each.title
    return "", ""
