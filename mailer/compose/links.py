"""Says which link targets a mail may hold, and writes share links without anybody's script."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

SCHEMES = ("http", "https", "mailto", "tel")
# Plain links to the networks' own pages; nothing is loaded from them.
_SHARE = {
    "facebook": "https://www.facebook.com/sharer/sharer.php?u={url}",
    "x": "https://x.com/intent/tweet?url={url}&text={title}",
    "linkedin": "https://www.linkedin.com/sharing/share-offsite/?url={url}",
    "whatsapp": "https://wa.me/?text={title}%20{url}",
    "telegram": "https://t.me/share/url?url={url}&text={title}",
    # A post of Bluesky has at most 300 characters (docs.bsky.app, "Action Intent Links").
    "bluesky": "https://bsky.app/intent/compose?text={title}%20{url}",
    # Mastodon's own page asks for the reader's server; what follows the sign never reaches it.
    "mastodon": "https://share.joinmastodon.org/#text={title}%20{url}",
    "mail": "mailto:?subject={title}&body={url}",
}
NETWORKS = tuple(_SHARE)
SHARE_PAGES = tuple(url.partition("{")[0] for url in _SHARE.values())  # how they begin


def share(network: str, url: str, title: str = "") -> str:
    """Returns the address of a network's own share page; raises KeyError for an unknown network."""
    return _SHARE[network].format(url=quote(url, safe=""), title=quote(title, safe=""))


def trouble_with(url: str) -> str | None:
    """Says why a link can't stand in a mail, or returns None. Sentinels must be gone."""
    if not url.strip():
        return "A link has no address."
    if url != url.strip() or any(character.isspace() for character in url):
        return f"The address `{url[:80]}` holds a blank."
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return f"`{url[:80]}` is no address."
    if not parts.scheme:
        return f"`{url[:80]}` is no whole address; in a mail it leads nowhere."
    if parts.scheme.lower() not in SCHEMES:
        return f"A link in a mail can't be `{parts.scheme[:20]}:`."
    if parts.scheme.lower() in ("http", "https") and not host:
        return f"`{url[:80]}` names no host."
    return None
