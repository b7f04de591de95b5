"""What column headings and the words in their cells mean, in several languages.

Everything here is a closed table: a heading that is not in it is not guessed at but listed,
with the ``--map`` that would keep it.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from mailer.model.words import SubscriptionStatus

ADDRESS = "email"
LANGUAGE = "language"
STATUS = "status"
MEANINGS = (ADDRESS, LANGUAGE, STATUS)  # columns that are not fields

# Names that a template already knows; a person's field of that name could never be read.
RESERVED = frozenset(
    {
        "list",
        "campaign",
        "unsubscribe_url",
        "preferences_url",
        "reconfirm_url",
        "web_url",
        "web_home",
        "true",
        "false",
        "none",
    }
    | {"and", "or", "not", "in", "is", "if", "else", "for"}
)

# What our own rejects files add to the columns; skipped when a mended file comes back.
REJECT_REASON = "mailer_reason"
REJECT_LINE = "mailer_line"

_HEADINGS = {
    ADDRESS: """
        email e-mail mail emailaddress e-mail-address mailaddress subscriberemail contactemail
        emailaddress1 workemail primaryemail useremail
        emailadresse mailadresse emailadres adresseemail adressemail adresseelectronique
        adressedecourriel adressedemessagerie courriel correo correoelectronico
        direcciondecorreo direccionemail emaildireccion indirizzoemail postaelettronica
        enderecodeemail enderecoemail epost epostadress epostadresse sahkoposti
        sahkopostiosoite adresemail adrese-mail posta eposta emailcim
        электроннаяпочта почта адресэлектроннойпочты електроннапошта
        البريدالإلكتروني بريدإلكتروني 电子邮件 电子邮箱 邮箱 電子郵件 メール メールアドレス 이메일
    """,
    "first_name": """
        firstname givenname forename fname first vorname prenom nombre primernombre
        nome primeironome voornaam fornamn fornavn etunimi imie имя імя الاسمالأول 名 이름
    """,
    "last_name": """
        lastname surname familyname lname last nachname familienname nom nomdefamille apellido
        apellidos cognome sobrenome apelido achternaam efternamn efternavn etternavn sukunimi
        nazwisko фамилия прізвище اسمالعائلة اللقب 姓 성
    """,
    LANGUAGE: """
        language lang locale preferredlanguage languagecode sprache langue idioma lingua taal
        sprak sprog kieli jezyk язык мова اللغة 语言 語言 言語 언어
    """,
    STATUS: """
        status subscriptionstatus subscriberstatus abostatus statut статус
    """,
}

_STATUS_WORDS = {
    SubscriptionStatus.active: "active subscribed enabled confirmed aktiv actif activo",
    SubscriptionStatus.pending: "pending unconfirmed unverified",
    SubscriptionStatus.unsubscribed: "unsubscribed optedout optout disabled inactive abgemeldet",
    SubscriptionStatus.bounced: "bounced hardbounced hardbounce cleaned undeliverable",
    SubscriptionStatus.complained: "complained complaint spam blocklisted blacklisted",
}

_LANGUAGE_NAMES = {
    "ar": "arabic arabisch arabe arabo عربي العربية",
    "de": "german deutsch allemand aleman tedesco alemao",
    "en": "english englisch anglais ingles inglese engels",
    "es": "spanish spanisch espagnol espanol castellano spagnolo espanhol",
    "fr": "french franzosisch francais frances francese",
    "it": "italian italienisch italien italiano",
    "nl": "dutch niederlandisch neerlandais nederlands",
    "pt": "portuguese portugiesisch portugais portugues portoghese",
    "ru": "russian russisch russe ruso russo русский",
    "zh": "chinese chinesisch chinois chino cinese 中文",
}
# RFC 5646 section 2.1, without the rare grandfathered forms.
_LANGUAGE_TAG = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*", re.IGNORECASE).fullmatch


def without_accents(text: str) -> str:
    """Case-folded and without the marks that combine with letters: ``Größe`` is ``grosse``."""
    plain = unicodedata.normalize("NFKD", text)
    folded = unicodedata.normalize("NFKD", plain.casefold())
    bare = "".join(c for c in folded if not unicodedata.combining(c))
    return unicodedata.normalize("NFC", bare)


def squeezed(text: str) -> str:
    """Letters and digits only, for looking a heading up."""
    return "".join(c for c in without_accents(text) if c.isalnum())


def field_name(heading: str) -> str:
    """The name that a column's field gets: case-folded, accents removed, the rest ``_``."""
    name = "".join(
        c if c.isalnum() and f"a{c}".isidentifier() else "_"
        for c in without_accents(heading.strip())
    )
    return name if name.isidentifier() else f"_{name}"


def slug(name: str) -> str:
    """A list's name as it stands in addresses and in List-Id: small ASCII letters, digits, ``-``.

    At most 60 characters, so that it fits a label of a domain name; empty when nothing is left.
    """
    kept = (c if c.isascii() and c.isalnum() else "-" for c in without_accents(name))
    return "-".join(part for part in "".join(kept).split("-") if part)[:60].strip("-")


def meaning(heading: str) -> str | None:
    """What a heading stands for (``email``, ``first_name``, …), or None when it is not known."""
    return _MEANING.get(squeezed(heading))


@lru_cache(maxsize=1024)  # a million cells hold a handful of words
def status_word(cell: str) -> SubscriptionStatus | None:
    """The status that a cell names, or None. Never a guess: ``inactive`` is not ``active``."""
    return _STATUS.get(squeezed(cell))


@lru_cache(maxsize=1024)
def language_tag(cell: str) -> str | None:
    """The language tag (``fr``, ``pt-BR``) that a cell holds or names, or None."""
    tag = cell.strip().replace("_", "-")
    named = _LANGUAGE.get(squeezed(cell))
    if named is not None:
        return named
    if not _LANGUAGE_TAG(tag):
        return None
    first, *rest = tag.split("-")
    return "-".join([first.lower(), *(part.upper() if len(part) == 2 else part for part in rest)])


def _lookup(table: dict[str, str]) -> dict[str, str]:
    return {squeezed(word): meant for meant, words in table.items() for word in words.split()}


_MEANING = _lookup(_HEADINGS)
_LANGUAGE = _lookup(_LANGUAGE_NAMES)
_STATUS = {
    squeezed(word): status for status, words in _STATUS_WORDS.items() for word in words.split()
}
