"""Rules that are held while an issue is read, rendered and compiled. None can be silenced."""

from __future__ import annotations

from mailer.compose.rules.registry import Family, Severity, declare

_ERROR = Severity.error

declare("input", Family.writing, _ERROR, "What can't be read can't be sent.")
declare(
    "blocks",
    Family.writing,
    _ERROR,
    "A block takes what its layout says, and nothing is dropped without a word.",
)
declare("layout", Family.writing, _ERROR, "A layout with a mistake would spoil every mail.")
declare("pictures", Family.writing, _ERROR, "A picture must be there, and of a kind to be shown.")
declare("footnotes", Family.writing, _ERROR, "A footnote has a mark in the text, and a text.")
declare("include", Family.writing, _ERROR, "A snippet must be there, and must not hold itself.")
declare("links", Family.writing, _ERROR, "In a mail, only a whole address leads somewhere.")
declare(
    "personal-text",
    Family.personal,
    _ERROR,
    "A condition must close where it opened, or the mail would break for some readers.",
)
declare(
    "merge",
    Family.personal,
    _ERROR,
    "A name that is no field, or a value that can't stand there, would fail in the send.",
)
declare("headers", Family.filters, _ERROR, "A header that is not well formed is refused.")
declare(
    "silence-unknown",
    Family.silence,
    _ERROR,
    "A silence that names no rule would hide nothing and promise something.",
)
declare(
    "silence-refused",
    Family.silence,
    _ERROR,
    "Law, structure and what breaks a mail can't be silenced.",
)
declare(
    "silence-unused",
    Family.silence,
    Severity.warning,
    "A silence that is not needed any more would hide the next mistake.",
)
