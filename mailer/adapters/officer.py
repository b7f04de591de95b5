"""Who is at this machine."""

from __future__ import annotations

import os
import pwd


def login_name() -> str:
    """The name of the account that runs this process; its number when it has none."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # in a container, perhaps
        return f"user {os.getuid()}"
