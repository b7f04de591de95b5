"""Chooses the keys that sign letters: the settings' for new ones, the frozen ones for a campaign.

A campaign freezes domain, selector and fingerprints, because a retried message must have the same
bytes. So a key that was rotated out goes on signing the campaigns that were planned with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mailer.errors import Fault, SettingsError
from mailer.message.dkim import Signer
from mailer.message.keys import SigningKey, aligned
from mailer.ports import KeyFiles


@dataclass(frozen=True, slots=True)
class Signing:
    """Who signs. Without a domain new letters are not signed by us."""

    files: KeyFiles
    domain: str = ""
    selector: str = ""

    def signer(self) -> Signer | None:
        """Signs what is not a campaign's. Raises SettingsError when the key can't be used."""
        if not self.domain:
            return None
        return Signer(self.domain, self.files.load(self.domain, self.selector))

    def freeze(self) -> dict[str, Any] | None:
        """What a plan keeps: no key, only its name. Raises SettingsError likewise."""
        if not self.domain:
            return None
        keys = self.files.load(self.domain, self.selector)
        return {
            "domain": self.domain,
            "selector": self.selector,
            "keys": [key.fingerprint for key in keys],
        }

    def thaw(self, frozen: Mapping[str, Any] | None) -> Signer | None:
        """Finds a campaign's keys again; None when it was planned without.

        Raises SettingsError when they are gone: other keys would give a retry other bytes.
        """
        if not frozen:
            return None
        domain, selector = frozen["domain"], frozen["selector"]
        there = {key.fingerprint: key for key in self._kept(domain, selector)}
        missing = [each for each in frozen["keys"] if each not in there]
        if missing:
            raise SettingsError(
                f"The key of the selector {selector} of {domain} is another one than when this"
                " campaign was planned.",
                hint=f"Put the old one back at {self.files.place(domain, selector)},"
                " or plan the campaign anew.",
            )
        return Signer(domain, [there[each] for each in frozen["keys"]])

    def _kept(self, domain: str, selector: str) -> Sequence[SigningKey]:
        try:
            return self.files.load(domain, selector)
        except SettingsError as error:
            why = Fault(
                f"This campaign was planned to be signed with the selector {selector} of {domain}.",
                hint="Put its key back, or plan the campaign anew.",
            )
            raise SettingsError([*error.faults, why]) from error

    def misaligned(self, sender_domain: str) -> str:
        """The sentence about a From that the signature does nothing for; empty when it does."""
        if not self.domain or aligned(self.domain, sender_domain):
            return ""
        return (
            f"The signature is by {self.domain} and From is at {sender_domain}: for DMARC it does"
            " not count. Set MAILER_DKIM_DOMAIN to the domain of From."
        )
