"""The sign-up form as a piece of HTML to paste into another site's page. No script, no style."""

from __future__ import annotations

from jinja2 import Environment

from mailer.errors import InputError
from mailer.model.words import OptIn
from mailer.usecases.show_sign_up import show_sign_up
from mailer.web.catalogue import load_catalogue
from mailer.wiring import Mailer

_FORM = """\
<form action="{{ action }}" method="post" accept-charset="utf-8" lang="{{ language.code }}" \
dir="{{ language.direction }}">
  <label>{{ language.plain("sign_up.label") }}
    <input type="email" name="address" autocomplete="email" maxlength="320" dir="ltr" required>
  </label>
  <div aria-hidden="true" style="position:absolute;inset-inline-start:-9999px">
    <label>{{ language.plain("sign_up.trap") }}
      <input type="text" name="homepage" tabindex="-1" autocomplete="off">
    </label>
  </div>
  <button>{{ language.plain("sign_up.button") }}</button>
</form>
"""


def make_snippet(mailer: Mailer, slug: str, language: str = "") -> str:
    """The form of a public list, in this language, else the list's own, else English.

    It leads to our page, where the visitor presses once more. Raises NotFoundError for a list
    without a sign-up page, InputError where nobody could be asked.
    """
    view = show_sign_up(slug, db=mailer.db)
    if view.opt_in is OptIn.double and not mailer.can_write:
        raise InputError(
            "A list with double opt-in needs a mail server to ask people through.",
            hint="Set MAILER_SMTP_HOST and MAILER_FROM in .env.",
        )
    chosen = load_catalogue().choose(language, view.language)
    action = f"{mailer.settings.site_url}/s/{view.list}?lang={chosen.code}"
    environment = Environment(autoescape=True, keep_trailing_newline=True)
    return environment.from_string(_FORM).render(action=action, language=chosen)
