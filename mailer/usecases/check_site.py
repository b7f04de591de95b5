"""Checks, before the first mail leaves, that readers' links will lead to this very site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from mailer.errors import Fault, InputError, NotFoundError
from mailer.message.links import KeyRing, Purpose, make, read
from mailer.model.shown import counted
from mailer.ports import Clock, Fetched, Fetcher
from mailer.store import campaigns, runs, site
from mailer.store.database import Database

_LIFETIME = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _Page:
    """What is fetched, and what must come back."""

    what: str
    url: str
    expected: bytes
    whole: bool = True  # otherwise it is the end of what comes back

    def is_there(self, body: bytes) -> bool:
        """Whether what came back is what this database holds."""
        return body == self.expected if self.whole else body.endswith(self.expected)


def check_site(
    name: str | int, *, db: Database, keys: KeyRing, clock: Clock, fetcher: Fetcher
) -> None:
    """Fetches the web version, one picture and a signed probe through the public address.

    Raises InputError with what came back, when any of them is not what this database holds:
    then links and pictures in the mails would be dead, or would lead to another installation.
    """
    faults: list[Fault] = []
    for page in _pages(name, db, keys, clock):
        got = fetcher.get(page.url)
        if got.status == 200 and page.is_there(got.body):
            continue
        faults.append(Fault(f"{page.what} at {_shown(page.url)}: {_what_came(got)}."))
    if faults:
        hint = (
            "Start `mailer site serve` for this workspace and see that MAILER_SITE_URL leads to it,"
            " or go on with --no-site-check."
        )
        raise InputError([*faults, Fault("The site is not ready for readers.", hint=hint)])


def skip_site_check(name: str | int, *, db: Database, clock: Clock) -> None:
    """Writes down that a send went on without the check."""
    with db.write() as connection:
        campaign = campaigns.find(connection, name)
        campaigns.note_event(
            connection,
            kind="site_check_skipped",
            actor=db.operator,
            campaign_id=campaign.id,
            at=clock.now(),
        )


def answer_probe(token: str, *, db: Database, keys: KeyRing, clock: Clock) -> str:
    """What the site says to a signed probe: which database it serves. Raises NotFoundError."""
    if read(keys, token, (Purpose.probe,), now=clock.now()) is None:
        raise NotFoundError("There is no such page.")
    with db.read() as connection:
        return runs.identity(connection)


def _pages(name: str | int, db: Database, keys: KeyRing, clock: Clock) -> Sequence[_Page]:
    with db.read() as connection:
        campaign = campaigns.find(connection, name)
        variant = campaigns.variants(connection, campaign.id)[0]
        picture = site.any_picture(connection, campaign.id)
        identity = runs.identity(connection)
    base = campaign.frozen["site_url"]
    probe = make(keys, Purpose.probe, campaign.id, 0, expires=clock.now() + _LIFETIME)
    pages = [
        _Page(
            "The web version",
            f"{base}/w/{campaign.web_key}/{variant.language}",
            _below_the_head(variant.web_page),
            whole=False,
        ),
        _Page("The probe", f"{base}/probe/{probe}", identity.encode()),
    ]
    if picture is not None:
        pages.append(_Page("A picture", f"{base}/i/{picture[0]}", picture[1]))
    return pages


def _below_the_head(page: str) -> bytes:
    """What the site leaves as it is: it puts its own words before, such as the page's address."""
    return page.encode().partition(b"</head>")[2].partition(b">")[2]


def _shown(url: str) -> str:
    """The address without its token."""
    return url.rpartition("/")[0] + "/…"


def _what_came(got: Fetched) -> str:
    if got.status == 0:
        return f"no answer ({got.trouble})"
    if got.status != 200:
        return f"status {got.status}"
    return f"something else came back ({counted(len(got.body), 'octet')})"
