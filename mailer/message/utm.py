"""Adds UTM parameters to links of the owner's own domains, so that their site knows the campaign.

They are the same for every reader, so they tell nothing about one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, urlsplit

NAMES = ("source", "medium", "campaign", "content", "term")
# A parameter of such a name signs the address: with one more parameter it would not be accepted.
_SIGNING = ("sig", "signature", "hmac", "token", "x-amz-signature", "x-goog-signature")


@dataclass(frozen=True, slots=True)
class Utm:
    """The parameters, and the domains that are the owner's: themselves and what is below them."""

    values: Mapping[str, str] = field(default_factory=dict)  # source → harbour
    domains: Sequence[str] = ()

    def add(self, url: str) -> str:
        """The address with the parameters; as it was where they do not belong, or are already."""
        if not self.values or not self._owns(url):
            return url
        rest, sign, fragment = url.partition("#")
        _, asked, query = rest.partition("?")
        names = [name.lower() for name, _ in parse_qsl(query, keep_blank_values=True)]
        if any(name.startswith("utm_") or name in _SIGNING for name in names):
            return url
        added = "&".join(
            f"utm_{name}={quote(self.values[name], safe='')}"
            for name in NAMES
            if self.values.get(name)
        )
        if not added:
            return url
        joint = "?" if not asked else "" if rest.endswith(("?", "&")) else "&"
        return f"{rest}{joint}{added}{sign}{fragment}"

    def _owns(self, url: str) -> bool:
        try:
            host = (urlsplit(url).hostname or "").rstrip(".")
        except ValueError:
            return False
        return any(host == domain or host.endswith(f".{domain}") for domain in self.domains)
