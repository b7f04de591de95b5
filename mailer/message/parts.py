"""Prepares the parts of a message: each with the transfer encoding that is shorter for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailer.message import quoted
from mailer.message.contexts import Hole, Segment
from mailer.message.program import Program
from mailer.model.words import FieldKind, Picture

QUOTED = "quoted-printable"
BASE64 = "base64"


@dataclass(frozen=True, slots=True)
class Part:
    """One part: its constants are quoted-printable already, or plain text when it is base64."""

    media: str  # text/plain or text/html
    encoding: str
    segments: tuple[Segment, ...]

    @property
    def fields(self) -> str:
        """The part's own header fields, and the blank line after them."""
        return (
            f'Content-Type: {self.media}; charset="utf-8"\r\n'
            f"Content-Transfer-Encoding: {self.encoding}\r\n\r\n"
        )


@dataclass(frozen=True, slots=True)
class Embedded:
    """A picture inside of the message: its header fields, and its bytes as base64."""

    fields: str
    body: str


def embed(picture: Picture) -> Embedded:
    """Prepares a picture that the HTML part shows by ``cid:`` (RFC 2392)."""
    return Embedded(
        f"Content-Type: {picture.media}\r\n"
        "Content-Transfer-Encoding: base64\r\n"
        f"Content-ID: <{picture.content_id}>\r\n"
        f'Content-Disposition: inline; filename="{picture.name}"\r\n\r\n',
        quoted.base64_lines(picture.data).decode("ascii"),
    )


def prepare(
    media: str, segments: Sequence[Segment], kinds: Mapping[str, FieldKind], language: str
) -> Part:
    """Encodes the constants of a part, in the encoding that is shorter for the default reader.

    The default reader is one of whom nothing is known: every ``default`` applies.
    """
    joined = join(segments)
    reader = Program(joined, quoted=False, kinds=kinds, language=language, blank_ok=True)
    text = reader.render({}, [])
    octets = len(text.encode()) + text.count("\n")
    packed = (octets + 2) // 3 * 4
    packed += packed // quoted.LINE * 2
    if packed < len(quoted.quote_constant(text)):
        return Part(media, BASE64, tuple(joined))
    last = len(joined) - 1
    return Part(
        media,
        QUOTED,
        tuple(
            quoted.quote_constant(piece, last=number == last) if isinstance(piece, str) else piece
            for number, piece in enumerate(joined)
        ),
    )


def join(segments: Sequence[Segment]) -> list[Segment]:
    """Joins constants that stand side by side, and forgets where holes were at home."""
    joined: list[Segment] = []
    for segment in segments:
        if isinstance(segment, str) and joined and isinstance(joined[-1], str):
            joined[-1] += segment
        elif isinstance(segment, Hole):
            joined.append(Hole(segment.slot, segment.context))
        elif segment:
            joined.append(segment)
    return joined
