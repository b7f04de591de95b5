"""Fills the templates of the site, in the reader's language."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

from mailer.model.words import Frequency, LeavingReason
from mailer.usecases.show_look import Look
from mailer.usecases.take_break import MONTHS
from mailer.web.catalogue import Catalogue, Language, accepted, load_catalogue

_HERE = Path(__file__).parent
TEMPLATES = _HERE / "templates"
_WISH = 35  # characters of a language tag, at most (RFC 5646 section 4.4.1)


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that pages are made with, under a name that changes with its content."""

    name: str
    data: bytes
    media: str = "text/css"

    @classmethod
    def named(cls, stem: str, ending: str, data: bytes, media: str) -> Asset:
        return cls(f"{stem}-{hashlib.sha256(data).hexdigest()[:16]}.{ending}", data, media)

    @classmethod
    def load(cls, file: str, media: str = "text/css") -> Asset:
        stem, _, ending = file.partition(".")
        return cls.named(stem, ending, (_HERE / "static" / file).read_bytes(), media)


def _painted(file: str, look: Look | None) -> Asset:
    """A style sheet with the colours and the fonts that it is to have before it."""
    own, sheet = ((_HERE / "static" / each).read_text("utf-8") for each in ("colours.css", file))
    brand = _tokens(look) if look is not None else ""
    stem, _, ending = file.partition(".")
    return Asset.named(stem, ending, f"{own}\n{brand}{sheet}".encode(), "text/css")


def _tokens(look: Look) -> str:
    """The brand as custom properties; what it does not say is the site's own."""
    schemes = {
        "@media all": look.fonts,
        "@media not all and (prefers-color-scheme: dark)": look.light,
        "@media (prefers-color-scheme: dark)": look.dark,
    }
    return "".join(
        f"{condition} {{\n:root {{\n{_properties(tokens)}}}\n}}\n\n"
        for condition, tokens in schemes.items()
    )


def _properties(tokens: Mapping[str, str]) -> str:
    return "".join(f"  --{name}: {value};\n" for name, value in tokens.items())


class Pages:
    """Renders pages. ``prefix`` is the path of the site's public address, if it has one."""

    def __init__(
        self,
        *,
        organisation: str,
        postal_address: str,
        prefix: str,
        look: Look | None = None,
    ) -> None:
        self.catalogue: Catalogue = load_catalogue()
        self.stylesheet = _painted("site.css", look)
        self.frame_sheet = _painted("frame.css", look)  # of what stands around a web version
        self.search_script = Asset.load("search.js", "text/javascript")  # of a written site alone
        served = (self.stylesheet, self.frame_sheet)
        self.assets = {each.name: each for each in served}
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.globals |= {
            "breaks": tuple(zip(MONTHS, ("one", "three", "six"), strict=True)),
            "frequencies": [each.value for each in Frequency],
            "reasons": [each.value for each in LeavingReason],
            "organisation": organisation,
            "postal_address": postal_address,
            "static": f"{prefix}/static/",
            "stylesheet": self.stylesheet.name,
            "logo": self._logo(look),
            "written": False,
        }

    def _logo(self, look: Look | None) -> Mapping[str, Any] | None:
        """The brand's mark for templates; its pictures are served as all assets are."""
        if look is None or look.logo is None:
            return None
        names = {}
        for scheme, picture in (("day", look.logo.day), ("night", look.logo.night)):
            if picture is not None:
                ending, data = picture
                media = f"image/{'jpeg' if ending == 'jpg' else ending}"
                asset = Asset.named("logo", ending, data, media)
                self.assets[asset.name] = asset
                names[scheme] = asset.name
        return {"alt": look.logo.alt, "width": look.logo.width, "night": "", **names}

    def language(self, request: Request, *of_the_reader: str) -> Language:
        """What was asked for in the address, else the reader's own, else the browser's."""
        asked = request.query_params.get("lang", "")[:_WISH]
        browser = accepted(request.headers.get("accept-language", ""))
        return self.catalogue.choose(asked, *of_the_reader, *browser)

    def page(
        self,
        template: str,
        language: Language,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **values: Any,
    ) -> HTMLResponse:
        """A page for one reader: no cache keeps it."""
        html = self.render(template, language, others=self.others(language), **values)
        kept = {"Cache-Control": "no-store", "Content-Language": language.code}
        return HTMLResponse(html, status, headers={**kept, **(headers or {})})

    def render(
        self, template: str, language: Language, *, others: Sequence[Language] = (), **values: Any
    ) -> str:
        """A page as text; ``others`` are the languages that it offers."""
        return self._environment.get_template(f"{template}.html").render(
            language=language, say=language.say, others=others, **values
        )

    def message(
        self,
        request: Request,
        name: str,
        status: int,
        headers: Mapping[str, str] | None = None,
    ) -> HTMLResponse:
        """A page that only says something, such as that there is no such page."""
        language = self.language(request)
        return self.page("message", language, status=status, headers=headers, name=name)

    def others(self, language: Language) -> list[Language]:
        """The languages that a page can be had in beside its own."""
        return [each for each in self.catalogue.languages.values() if each is not language]


def back(request: Request, **done: str) -> RedirectResponse:
    """To the same page by GET (RFC 9110 section 15.4.4), with a word about what was done.

    The address is relative, so neither a Host header nor a path prefix can lead anybody elsewhere.
    """
    asked = request.query_params.get("lang", "")[:_WISH]
    query = urlencode(done | ({"lang": asked} if asked else {}))
    return RedirectResponse(f"?{query}", 303, headers={"Cache-Control": "no-store"})


def asked_language(request: Request) -> str:
    """The end of a link to another page, so that a language which was asked for stays."""
    asked = request.query_params.get("lang", "")[:_WISH]
    return f"?{urlencode({'lang': asked})}" if asked else ""
