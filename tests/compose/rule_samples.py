"""Makes samples for the rules of the check: a sound issue, with one thing changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from mailer.compose.check import Findings, Letter, check
from mailer.compose.compose import Brand, Composed
from mailer.compose.rules.audiences import EVERYONE, Audience
from mailer.model.words import Picture, Trail

Compose = Callable[..., Composed]
BODY = (
    "The boats are back at the quay, and the harbour master counted them twice before he went"
    " home. Come and see them on Saturday, when the market opens at nine and the band plays.\n"
)
MESSAGE = (
    "From: Harbour Trust <news@example.org>\r\nTo: a@example.org\r\nSubject: Boats\r\n"
    "Date: Thu, 01 Jan 1970 00:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n"
    "List-Unsubscribe: <https://example.org/u/1>\r\n"
    "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nMIME-Version: 1.0\r\n"
    "Content-Type: multipart/alternative; boundary=b\r\n\r\n"
    '--b\r\nContent-Type: text/plain; charset="utf-8"\r\n\r\ntext\r\n'
    '--b\r\nContent-Type: text/html; charset="utf-8"\r\n\r\n<p>text</p>\r\n--b--\r\n'
)


@dataclass(frozen=True)
class Sample:
    """What differs from a sound issue. ``old`` is replaced in the HTML, ``add`` ends its body."""

    body: str = BODY
    front: Mapping[str, str] | None = None
    old: str = ""
    new: str = ""
    add: str = ""
    lost: str = ""  # what a layout does not show: `web_url`
    text: str | None = None
    sender: str | None = None
    postal: str | None = None
    pictures: tuple[Picture, ...] = ()
    message: tuple[str, str] | None = None
    subject: str = "Boats are back"
    preheader: str = "A quay again"
    trails: Mapping[str, Trail] | None = None
    audience: Audience = EVERYONE

    def rules(self, compose: Compose) -> set[str]:
        """The names of the rules that have something against it."""
        return {each.rule for each in self.findings(compose).findings}

    def findings(self, compose: Compose) -> Findings:
        """Everything that is found."""
        brand = Brand(
            "Harbour Trust",
            "1 Quay Street, Port City" if self.postal is None else self.postal,
            "https://news.example.org",
            "Harbour Trust <news@example.org>" if self.sender is None else self.sender,
            "",
        )
        done = compose(self.body, brand=brand, **(self.front or {}))
        html = done.rendition.html
        assert self.old in html, f"{self.old} is not in the sample"
        if self.old:
            html = html.replace(self.old, self.new)
        for slot in done.rendition.slots:
            if self.lost == slot.source:
                html = html.replace(slot.sentinel, "https://example.org")
        rendition = replace(
            done.rendition,
            html=html.replace("</body>", f"{self.add}</body>"),
            text=done.rendition.text if self.text is None else self.text,
            pictures=self.pictures,
        )
        letter = None
        if self.message is not None:
            old, new = self.message
            assert old in MESSAGE
            raw = MESSAGE.replace(old, new).encode()
            letter = Letter(self.subject, self.preheader, html, rendition.text, raw)
        return check(
            replace(done, rendition=rendition),
            letter=letter,
            trails=self.trails,
            audience=self.audience,
        )
