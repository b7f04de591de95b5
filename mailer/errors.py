"""Every error that a person can be told about.

::

    MailerError              says what is wrong and what to do; never a traceback
    ├── InputError           what was given can't be used; nothing was changed      exit 3
    │   └── SettingsError    a setting is wrong or missing                           exit 3
    ├── NotFoundError        no such list, person, campaign or batch                 exit 4
    └── StoppedError         stopped before the end; running it again continues     exit 75
        ├── BusyError        somebody else holds what is needed
        └── WireError        the mail server can't be reached, or refuses us

Trouble with one reader is not an error: it is an ``Outcome`` in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, where it stands, and what to do about it."""

    message: str
    file: str | None = None
    line: int | None = None
    hint: str | None = None
    rule: str = "input"

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.file and self.line else ""
        if self.file and not self.line:
            place = f"{self.file}: "
        return f"{place}{self.message}" + (f" {self.hint}" if self.hint else "")


class MailerError(Exception):
    """Something a person can be told; ``hint`` says what to do next."""

    exit_status = 3

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message


class InputError(MailerError):
    """What was given can't be used, and nothing was changed. All faults are told together."""

    def __init__(self, message: str | Fault | Iterable[Fault], *, hint: str | None = None) -> None:
        if isinstance(message, str):
            self.faults: tuple[Fault, ...] = (Fault(message, hint=hint),)
        elif isinstance(message, Fault):
            self.faults = (message,)
        else:
            self.faults = tuple(message)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class SettingsError(InputError):
    """A setting is missing or wrong; names the variable and what is accepted."""


class NotFoundError(MailerError):
    """No such list, person, campaign, segment or batch."""

    exit_status = 4


class StoppedError(MailerError):
    """Stopped before the end and safe to run again."""

    exit_status = 75


class BusyError(StoppedError):
    """Somebody else holds what is needed: another send, or a lock on the database."""


class WireError(StoppedError):
    """The mail server can't be reached or refuses the connection; nobody was marked for it."""
