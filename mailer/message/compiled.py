"""Compiles a rendition once, and merges one person's values into it as bytes.

Everything constant is transfer-encoded before any person is merged in. Preview, test copy, spool
and send all take their bytes from ``CompiledMessage.merge``; the web version comes from the same
document and the same expressions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

from mailer.errors import Fault, InputError
from mailer.message import merge, quoted
from mailer.message.contexts import (
    Context,
    Cutter,
    Hole,
    Segment,
    cleaned,
    line_segments,
    text_segments,
)
from mailer.message.headers import boundary
from mailer.message.image_loads import CountedPicture
from mailer.message.letterhead import (
    STAND_IN,
    Head,
    Letterhead,
    PersonHeaders,
    lay_out,
    subject_line,
)
from mailer.message.mailbox import HeaderError
from mailer.message.parts import BASE64, Embedded, Part, embed, join, prepare
from mailer.message.program import Program, unbalanced
from mailer.message.retarget import MARK_NAME, Retarget
from mailer.message.scan import html_segments
from mailer.message.values import MergeError, Value
from mailer.model.words import FieldKind, Rendition, Slot, SlotKind

__all__ = [
    "CompiledMessage",
    "Letterhead",
    "MergeError",
    "MergedParts",
    "PersonHeaders",
    "compile_message",
]

FORMAT = 1


@dataclass(frozen=True, slots=True)
class MergedParts:
    """What one reader sees, decoded from the bytes of the message; LF line ends."""

    subject: str
    preheader: str
    html: str
    text: str


class Merged(NamedTuple):
    """One person's message, in pieces, and what these tell of the whole.

    ``plain``: it is ASCII, every line ends in CRLF and none begins with a dot; else that is not
    known. ``mark`` is what tells it from the campaign's other letters.
    """

    pieces: Sequence[bytes]
    plain: bool
    mark: bytes


@dataclass(frozen=True)
class CompiledMessage:
    """A variant, frozen: constants that are encoded already, and the holes between them."""

    head: Head
    mark: str
    boundary: str
    subject: tuple[Segment, ...]
    preheader: tuple[Segment, ...]
    text: Part
    html: Part
    web: tuple[Segment, ...]
    kinds: Mapping[str, FieldKind]  # of the person's fields that it reads
    public: Mapping[str, str]  # the built-in names that are nobody's own
    language: str
    blank_ok: bool
    pictures: tuple[Embedded, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """The person's fields that the message reads: what a plan must keep of each person."""
        return frozenset(self.kinds)

    @property
    def shared_body(self) -> bytes:
        """How the body begins for every reader, after the blank line: hashed once by a signer."""
        first = self._runs[0][0].segments[0]
        return first.encode().removeprefix(b"\r\n") if isinstance(first, str) else b""

    def merge(self, values: Mapping[str, Value], person: PersonHeaders) -> bytes:
        """Returns one person's message, CRLF line ends, before dot-stuffing.

        Raises MergeError for a value that can't be printed and HeaderError for an address or link
        that can't stand in a header; ``check_values`` finds the former before anything is sent.
        """
        return b"".join(self.merged(values, person).pieces)

    def merged(
        self, values: Mapping[str, Value], person: PersonHeaders, *, checked: bool = False
    ) -> Merged:
        """The same, with what its pieces tell about the whole. Raises what ``merge`` does.

        ``checked`` as in ``Head.block``.
        """
        names = self._names(values, person)
        subject = self.head.subject
        if not subject:
            subject = subject_line(self.mark, self._subject.render(names))
        block = self.head.block(person, subject, checked=checked)
        plain = block.isascii()
        pieces = [block.encode()]
        mark = block
        for program, encoding in self._runs:
            if encoding == BASE64:
                text = program.render(names)
                pieces.append(quoted.base64_lines(text.replace("\n", "\r\n").encode()))
                mark += text
            else:
                body, own, clear = program.encode(names)
                pieces.append(body)
                plain = plain and clear
                mark += own
        pieces.append(self._tail)
        return Merged(pieces, plain, mark.encode())

    def parts(self, values: Mapping[str, Value], person: PersonHeaders = STAND_IN) -> MergedParts:
        """Returns what one person sees, decoded from the bytes that ``merge`` returns."""
        names = self._names(values, person)
        _, text, html, _ = self.merge(values, person).split(f"\r\n--{self.boundary}".encode())
        if self.pictures:
            html = html.split(f"\r\n--{self._related}".encode())[1]
        return MergedParts(
            subject=f"{self.mark} {self._subject.render(names)}".strip(" "),
            preheader=self._preheader.render(names),
            html=_decoded(html, self.html),
            text=_decoded(text, self.text),
        )

    def marked(self, mark: str) -> CompiledMessage:
        """Returns the same message with a mark before its subject: a test copy of a campaign."""
        personal = any(isinstance(piece, Hole) for piece in self.subject)
        text = "".join(piece for piece in self.subject if isinstance(piece, str))
        line = "" if personal else subject_line(mark, text)
        return replace(self, mark=mark, head=replace(self.head, subject=line))

    def check_values(self, values: Mapping[str, Value]) -> None:
        """Raises MergeError for the first value of a person that the message can't print."""
        names = self._names(values, STAND_IN)
        for program in self._programs:
            program.render(names)

    def errors(self, values: Mapping[str, Value]) -> list[MergeError]:
        """Returns every value of a person that the message can't print, once for each slot."""
        names = self._names(values, STAND_IN)
        found: list[MergeError] = []
        for program in self._programs:
            program.render(names, found)
        return list({(error.slot, error.reason): error for error in found}.values())

    def web_page(self, sink: list[MergeError] | None = None) -> str:
        """Returns the web version: the same document, every field of a person at its default."""
        return self._program(self.web, web=True).render(self.public, sink)

    def dump(self) -> str:
        """Returns it as JSON text, for the database; the same message gives the same text."""
        slots: dict[Slot, int] = {}

        def frozen(segments: tuple[Segment, ...]) -> list[Any]:
            return [
                piece
                if isinstance(piece, str)
                else [slots.setdefault(piece.slot, len(slots)), piece.context]
                for piece in segments
            ]

        document = {
            "format": FORMAT,
            "head": asdict(self.head),
            "mark": self.mark,
            "boundary": self.boundary,
            "subject": frozen(self.subject),
            "preheader": frozen(self.preheader),
            "text": [self.text.media, self.text.encoding, frozen(self.text.segments)],
            "html": [self.html.media, self.html.encoding, frozen(self.html.segments)],
            "web": frozen(self.web),
            "kinds": dict(self.kinds),
            "public": dict(self.public),
            "language": self.language,
            "blank_ok": self.blank_ok,
            "pictures": [[each.fields, each.body] for each in self.pictures],
        }
        document["slots"] = [[s.sentinel, s.kind, s.source, s.file, s.line] for s in slots]
        return json.dumps(document, sort_keys=True)

    @staticmethod
    def load(text: str) -> CompiledMessage:
        """Reads what ``dump`` wrote. Raises InputError when a later version of this wrote it."""
        found = json.loads(text)
        if found.pop("format") != FORMAT:
            raise InputError("This campaign was frozen by another version of mailer.")
        slots = [Slot(a, SlotKind(b), c, d, e) for a, b, c, d, e in found.pop("slots")]

        def thawed(segments: list[Any]) -> tuple[Segment, ...]:
            return tuple(
                piece if isinstance(piece, str) else Hole(slots[piece[0]], Context(piece[1]))
                for piece in segments
            )

        for name in ("subject", "preheader", "web"):
            found[name] = thawed(found[name])
        for name in ("text", "html"):
            media, encoding, segments = found[name]
            found[name] = Part(media, encoding, thawed(segments))
        found["head"] = Head(**found["head"])
        found["pictures"] = tuple(Embedded(*each) for each in found.get("pictures", ()))
        found["kinds"] = {name: FieldKind(kind) for name, kind in found["kinds"].items()}
        return CompiledMessage(**found)

    def _names(self, values: Mapping[str, Value], person: PersonHeaders) -> dict[str, Value]:
        return {
            **values,
            **self.public,
            "email": person.email or person.to,
            "unsubscribe_url": person.unsubscribe_url,
            "preferences_url": person.preferences_url,
            "reconfirm_url": person.reconfirm_url,
        }

    def _program(
        self, segments: tuple[Segment, ...], *, quoted: bool = False, web: bool = False
    ) -> Program:
        return Program(
            segments,
            quoted=quoted,
            kinds=self.kinds,
            language=self.language,
            web=web,
            blank_ok=self.blank_ok,
        )

    @cached_property
    def _subject(self) -> Program:
        return self._program(self.subject)

    @cached_property
    def _preheader(self) -> Program:
        return self._program(self.preheader)

    @cached_property
    def _programs(self) -> list[Program]:
        """Every program that ``merge`` runs: what passes them all can be sent."""
        return [self._subject, self._preheader, *(program for program, _ in self._runs)]

    @cached_property
    def frame(self) -> bytes:
        """What is the same in every reader's letter, so that a ``mark`` need not hold it."""
        constants = [
            piece if isinstance(piece, str) else piece.slot.source
            for program, _ in self._runs
            for piece in program.segments
        ]
        return "".join(constants).encode() + self._tail

    @property
    def _related(self) -> str:
        """The boundary between the HTML part and its pictures."""
        return boundary(f"{self.boundary} related")

    @property
    def _inner(self) -> str:
        """What stands before the HTML part when pictures go with it (RFC 2387)."""
        if not self.pictures:
            return ""
        kind = f'multipart/related; type="text/html";\r\n boundary="{self._related}"'
        return f"Content-Type: {kind}\r\n\r\n\r\n--{self._related}\r\n"

    @cached_property
    def _tail(self) -> bytes:
        """What follows the HTML part: the pictures that it shows, and the end."""
        end = f"\r\n--{self.boundary}--\r\n"
        if not self.pictures:
            return end.encode()
        pieces = [f"\r\n--{self._related}\r\n{each.fields}{each.body}" for each in self.pictures]
        return "".join([*pieces, f"\r\n--{self._related}--\r\n", end]).encode()

    @cached_property
    def _runs(self) -> list[tuple[Program, str]]:
        """The body as few programs as can be: what is not base64 runs in one with its like."""
        pieces: list[tuple[str, tuple[Segment, ...]]] = []
        opening = f"\r\n--{self.boundary}\r\n"
        for part, before in ((self.text, opening), (self.html, opening + self._inner)):
            pieces.append(("", (before + part.fields,)))
            pieces.append((BASE64 if part.encoding == BASE64 else "", part.segments))
        runs: list[tuple[list[Segment], str]] = []
        for encoding, segments in pieces:
            if runs and encoding == runs[-1][1] == "":
                runs[-1][0].extend(segments)
            else:
                runs.append((list(segments), encoding))
        return [
            (self._program(tuple(join(segments)), quoted=encoding != BASE64), encoding)
            for segments, encoding in runs
        ]


def _decoded(section: bytes, part: Part) -> str:
    body = section.partition(b"\r\n\r\n")[2]
    return quoted.decode(body, part.encoding).replace("\r\n", "\n")


def compile_message(
    rendition: Rendition,
    letterhead: Letterhead,
    *,
    fields: Mapping[str, FieldKind],
    blank_ok: bool = False,
    retarget: Retarget | None = None,
    picture: CountedPicture | None = None,
) -> CompiledMessage:
    """Compiles a rendition. Raises InputError with every fault that the slots and headers have.

    ``fields`` are the workspace's fields with their kinds. ``blank_ok`` prints a field without a
    default as nothing where a person has none, instead of refusing it. ``retarget`` changes where
    the mail's links lead; those of the web version stay. ``picture`` stands in the HTML part alone.
    """
    cutter = Cutter(rendition.slots)
    if retarget is None:
        html, faults = html_segments(cleaned(rendition.html), cutter)
    else:
        html, faults = html_segments(cleaned(rendition.html), cutter, retarget.tag)
    if picture is not None:
        html = picture.placed(html)
    web, web_faults = html_segments(cleaned(rendition.web_html), cutter)
    text = text_segments(cleaned(rendition.text), cutter)
    if retarget is not None:
        text = retarget.text(text)
    subject = line_segments(rendition.subject, cutter)
    preheader = line_segments(rendition.preheader, cutter)
    faults = [*merge.check(rendition.slots, fields, language=rendition.language), *faults]
    faults += web_faults
    for segments in (subject, preheader, text, html, web):
        faults += unbalanced([piece for piece in segments if isinstance(piece, Hole)])
    if not blank_ok:
        faults += merge.check_web(rendition.slots, rendition.web_html, language=rendition.language)
    mark = boundary(letterhead.seed)
    constant = None if any(isinstance(p, Hole) for p in subject) else rendition.subject
    try:
        head = lay_out(letterhead, constant, f'multipart/alternative; boundary="{mark}"')
    except HeaderError as error:
        faults.append(Fault(str(error), rule="headers"))
    if faults:
        raise InputError(dict.fromkeys(faults))
    used = [p.slot for s in (subject, preheader, text, html) for p in s if isinstance(p, Hole)]
    kinds = {name: fields[name] for name in sorted(merge.names_used(used) - {MARK_NAME})}
    compiled = CompiledMessage(
        head=head,
        mark=letterhead.mark,
        boundary=mark,
        subject=tuple(join(subject)),
        preheader=tuple(join(preheader)),
        text=prepare("text/plain", text, kinds, rendition.language),
        html=prepare("text/html", html, kinds, rendition.language),
        web=tuple(join(web)),
        kinds=kinds,
        public={
            "list": letterhead.list_name,
            "campaign": letterhead.campaign,
            "web_url": letterhead.web_url,
            "web_home": letterhead.web_home or letterhead.web_url,
        },
        language=rendition.language,
        blank_ok=blank_ok,
        pictures=tuple(
            embed(each) for each in rendition.pictures if each.name in rendition.embedded
        ),
    )
    wrong: list[MergeError] = []  # a default that is no web address, for one
    compiled.web_page(wrong)
    if wrong:
        raise InputError(error.fault for error in wrong)
    return compiled
