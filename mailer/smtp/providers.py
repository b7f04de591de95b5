"""Which mailbox provider a recipient's domain belongs to: one lane each.

Providers limit by the host that takes the mail, not by the address's domain, but no DNS stands in
the send path; these are the domains under which their mailboxes are sold. A company's own domain
may be hosted by one of them as well: whoever runs an MTA adds it in ``mailer.toml``.
Sources: the providers' own lists of address domains, read in November 2026.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

OTHER = "other"
PROVIDERS: Mapping[str, tuple[str, ...]] = {
    "gmail": ("gmail.com", "googlemail.com"),
    "microsoft": (
        *("outlook.com", "hotmail.com", "live.com", "msn.com", "passport.com"),
        *("outlook.fr", "outlook.de", "outlook.es", "outlook.it", "outlook.sa", "outlook.jp"),
        *("hotmail.fr", "hotmail.de", "hotmail.es", "hotmail.it", "hotmail.co.uk", "hotmail.be"),
        *("live.fr", "live.de", "live.nl", "live.it", "live.be", "live.co.uk", "live.ca"),
    ),
    "yahoo": (
        *("yahoo.com", "ymail.com", "rocketmail.com", "aol.com", "aol.de", "aol.fr"),
        *("yahoo.fr", "yahoo.de", "yahoo.es", "yahoo.it", "yahoo.co.uk", "yahoo.ca"),
        *("yahoo.co.in", "yahoo.in", "yahoo.com.br", "yahoo.com.ar", "yahoo.com.mx"),
        *("yahoo.com.au", "yahoo.co.id", "yahoo.com.ph", "verizon.net", "netscape.net"),
    ),
    "apple": ("icloud.com", "me.com", "mac.com"),
    "gmx": ("gmx.de", "gmx.net", "gmx.at", "gmx.ch", "gmx.com", "gmx.fr", "web.de", "mail.com"),
    "orange": ("orange.fr", "wanadoo.fr"),
    "free": ("free.fr", "aliceadsl.fr"),
    "sfr": ("sfr.fr", "neuf.fr", "cegetel.net"),
    "laposte": ("laposte.net",),
    "t-online": ("t-online.de", "magenta.de"),
    "bluewin": ("bluewin.ch", "swissonline.ch"),
    "libero": ("libero.it", "virgilio.it", "iol.it"),
    "mail.ru": ("mail.ru", "bk.ru", "inbox.ru", "list.ru", "internet.ru"),
    "yandex": ("yandex.ru", "yandex.com", "ya.ru", "yandex.kz", "yandex.by"),
    "tencent": ("qq.com", "foxmail.com"),
    "netease": ("163.com", "126.com", "yeah.net"),
    "comcast": ("comcast.net",),
    "proton": ("proton.me", "protonmail.com", "protonmail.ch", "pm.me"),
}


def lane_names(own: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Returns domain → lane. ``own`` are the owner's lanes with the domains that they add.

    An owner's word goes before the table's.
    """
    names = {domain: name for name, domains in PROVIDERS.items() for domain in domains}
    names.update({domain.lower(): name for name, domains in own.items() for domain in domains})
    return names
