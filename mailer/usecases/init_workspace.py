"""Makes a folder a workspace: settings with a secret key, a database, a place for issues."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mailer.ports import FirstFiles

_GITIGNORE = """\
# Issues and layouts are meant for review in git; people, secrets and spools are not.
.env
/data/*
!/data/issues/
"""
_ENV = """\
# The settings of this workspace. The manual of each is in .env.example of the program,
# or at `mailer init --help`. The process environment wins over this file.

# Signs the links in mails. Keep it: with another one, links in mails that were sent stop working.
MAILER_SECRET_KEY={secret}

# The public address of the site: web versions, pictures and unsubscribe links live there.
# MAILER_SITE_URL=https://news.example.org

# Who sends. Required before a real send.
# MAILER_ORGANISATION=Example Organisation
# MAILER_POSTAL_ADDRESS=1 Example Street, 1200 Geneva, Switzerland
# MAILER_FROM=Example News <news@example.org>
# MAILER_REPLY_TO=editor@example.org

# The mail server that carries the mails.
# MAILER_SMTP_HOST=smtp.example.org
# MAILER_SMTP_PORT=587
# MAILER_SMTP_SECURITY=starttls
# MAILER_SMTP_USERNAME=
# MAILER_SMTP_PASSWORD=
"""


@dataclass(frozen=True, slots=True)
class InitReport:
    """What was made; what was there already is not touched."""

    made: Sequence[str]
    kept: Sequence[str]


def init_workspace(files: FirstFiles, *, upgrade: Callable[[], None]) -> InitReport:
    """Writes what is missing, then brings the database to the program's schema.

    Doing it twice changes nothing; a secret key is never replaced.
    Raises StoppedError when the folder can't be written.
    """
    wanted = {
        ".env": (_ENV.format(secret=secrets.token_hex(32)), True),
        ".gitignore": (_GITIGNORE, False),
        "data/issues/.gitkeep": ("", False),
    }
    made = [
        name for name, (text, private) in wanted.items() if files.write(name, text, private=private)
    ]
    if ".env" not in made and not files.names_variable(".env", "MAILER_SECRET_KEY"):
        # Somebody wrote the settings by hand first: the key is all that they can't know.
        files.append(".env", f"\nMAILER_SECRET_KEY={secrets.token_hex(32)}\n")
        made.append(".env: MAILER_SECRET_KEY")
    upgrade()
    return InitReport(made, [name for name in wanted if name not in made])
