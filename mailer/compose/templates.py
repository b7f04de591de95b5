"""Renders the Jinja2 files of a layout, and says at which of their lines something went wrong."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from jinja2 import StrictUndefined, Template, TemplateError, TemplateNotFound, TemplateSyntaxError
from jinja2.exceptions import SecurityError
from jinja2.loaders import FunctionLoader
from jinja2.sandbox import ImmutableSandboxedEnvironment

from mailer.compose.keeping import KEPT
from mailer.compose.links import NETWORKS, share
from mailer.compose.names import did_you_mean
from mailer.compose.wrapping import WIDTH, wrapped
from mailer.errors import Fault, InputError

_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
# A mark is \x02<file number>:<line>\x03: control characters that no source may hold.
_MARK = re.compile("\x02([0-9]+):([0-9]+)\x03")
MARKUP, TEXT, MARKED = "markup", "text", "marked"


@dataclass(frozen=True, slots=True)
class Source:
    """A part of a template file: its text, and the line on which it begins."""

    name: str  # unique in a layout, such as "blocks/story.mjml" or "blocks/story.mjml#text"
    file: str  # for people
    text: str
    line: int = 1

    def padded(self) -> str:
        """Returns the text with its first line where the author has it."""
        return "{#" + "\n" * (self.line - 1) + "#}" + self.text if self.line > 1 else self.text


@dataclass(slots=True)
class Places:
    """Maps places in a rendered document back to the lines of the templates."""

    starts: list[int] = field(default_factory=list)
    places: list[tuple[str, int]] = field(default_factory=list)

    def at(self, offset: int) -> tuple[str, int] | None:
        """Returns the file and line that wrote the character at an offset."""
        found = bisect_right(self.starts, offset) - 1
        return self.places[found] if found >= 0 else None


class _Environment(ImmutableSandboxedEnvironment):
    """Compiles a text once a process: a preview loads the same layout at every save."""

    def compile(self, source: Any, name: Any = None, filename: Any = None, *rest: Any) -> Any:
        """Returns the code of a template, which is bound to no environment."""
        if not isinstance(source, str):
            return super().compile(source, name, filename, *rest)
        made_of = (source, name, filename, bool(self.autoescape), *rest)
        make = super().compile
        return KEPT.of(made_of, lambda: make(source, name, filename, *rest))


class Templates:
    """The compiled templates of one layout."""

    def __init__(self, partials: Mapping[str, Source]) -> None:
        self.files: list[str] = []
        self._partials = partials
        self._compiled: dict[tuple[str, str], Template] = {}
        self._environments = {kind: self._environment(kind) for kind in (MARKUP, TEXT, MARKED)}

    def _environment(self, kind: str) -> _Environment:
        def load(name: str) -> tuple[str, str, Callable[[], bool]] | None:
            source = self._partials.get(name)
            if source is None:
                return None
            text = self._marked(source) if kind == MARKED else source.padded()
            return text, source.file, lambda: True

        environment = _Environment(
            autoescape=kind != TEXT,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            loader=FunctionLoader(load),
            cache_size=200,
        )
        environment.globals.pop("lipsum", None)
        environment.filters["share"] = _share
        environment.filters["wordwrap"] = _wordwrap
        environment.globals["share"] = _share
        return environment

    def compile(self, source: Source, kind: str) -> Template:
        """Returns a compiled template; raises InputError with the file and line."""
        key = (source.name, kind)
        if key not in self._compiled:
            text = self._marked(source) if kind == MARKED else source.padded()
            environment = self._environments[kind]
            try:
                code = environment.compile(text, name=source.name, filename=source.file)
            except TemplateSyntaxError as error:
                raise InputError(
                    Fault(
                        f"The template can't be read: {_sentence(error.message)}",
                        source.file,
                        error.lineno,
                        rule="layout",
                    )
                ) from error
            self._compiled[key] = Template.from_code(environment, code, environment.globals)
        return self._compiled[key]

    def render(self, source: Source, kind: str, values: Mapping[str, Any]) -> str:
        """Renders a template; raises InputError with the file and line of what went wrong."""
        template = self.compile(source, kind)
        try:
            return template.render(values)
        except TemplateNotFound as error:
            _raise(source, error, f"There is no file `{error.name}` to include.")
        except TemplateSyntaxError as error:
            fault = Fault(
                f"The template can't be read: {_sentence(error.message)}",
                error.filename or source.file,
                error.lineno,
                rule="layout",
            )
            raise InputError(fault) from error
        except SecurityError as error:
            _raise(source, error, f"The template does what no layout may: {_sentence(str(error))}")
        except RecursionError as error:
            _raise(source, error, "The template includes itself.")
        except TemplateError as error:
            _raise(source, error, _sentence(str(error.message or error)), values)
        except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
            _raise(source, error, f"The template can't be filled in: {_sentence(str(error))}")

    def _marked(self, source: Source) -> str:
        """Returns the text with a mark at the start of each line that is not inside a tag."""
        if source.file not in self.files:
            self.files.append(source.file)
        number = self.files.index(source.file)
        text = source.padded()
        inside = [found.span() for found in _JINJA.finditer(text)]
        pieces: list[str] = []
        at = 0
        for line, row in enumerate(text.split("\n"), start=1):
            while inside and inside[0][1] <= at:
                inside.pop(0)
            if not inside or inside[0][0] >= at:
                pieces.append(f"\x02{number}:{line}\x03")
            pieces.append(row + "\n")
            at += len(row) + 1
        return "".join(pieces)[:-1]

    def unmark(self, text: str) -> tuple[str, Places]:
        """Takes the marks out of a marked rendering, and returns what they said."""
        places = Places()
        pieces: list[str] = []
        at = length = 0
        for found in _MARK.finditer(text):
            pieces.append(text[at : found.start()])
            length += found.start() - at
            places.starts.append(length)
            places.places.append((self.files[int(found.group(1))], int(found.group(2))))
            at = found.end()
        pieces.append(text[at:])
        return "".join(pieces), places


def _wordwrap(text: Any, width: int = WIDTH, *_: object, **__: object) -> str:
    """Wraps as the rest of the text part is wrapped; Jinja2's own knows no wide characters."""
    return "\n".join(wrapped(str(text), width))


def _share(network: str, url: str, title: Any = "") -> str:
    """Writes a share link; a title with markup loses it."""
    if network not in NETWORKS:
        raise ValueError(
            f"`{network}` is no network. {did_you_mean(network, NETWORKS, kind='networks')}"
        )
    plain = title.striptags() if hasattr(title, "striptags") else str(title or "")
    return share(network, str(url), plain)


def _raise(
    source: Source, error: BaseException, message: str, values: Mapping[str, Any] | None = None
) -> NoReturn:
    hint = None
    undefined = re.match(r"'(\w+)' is undefined", message)
    if undefined and values is not None:
        message = f"`{undefined.group(1)}` is no variable of this template."
        hint = did_you_mean(undefined.group(1), values, kind="variables")
    file, line = _place(source, error)
    raise InputError(Fault(message, file, line, hint, rule="layout")) from error


def _place(source: Source, error: BaseException) -> tuple[str, int | None]:
    """Finds the template's line in a traceback; Jinja2 rewrites its frames to show it."""
    file, line = source.file, None
    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if name.endswith((".mjml", ".txt", ".css")) or name == source.file:
            file, line = name, trace.tb_lineno
        trace = trace.tb_next
    return file, line


def _sentence(message: str | None) -> str:
    message = (message or "it can't be read").strip()
    return message if message.endswith((".", "?", "!")) else f"{message}."
