"""A column counts by its name in many languages, or by what the person says; nothing is guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.contacts.headings import field_name, language_tag, meaning, slug, status_word
from mailer.contacts.mapping import Mapping, map_columns
from mailer.errors import InputError
from mailer.model.words import SubscriptionStatus


def mapped(*columns: str, **options: object) -> Mapping:
    return map_columns(columns, file="people.csv", **options)  # type: ignore[arg-type]  # as typed


@pytest.mark.parametrize(
    ("heading", "means"),
    [
        ("email", "email"),
        ("E-Mail", "email"),
        ("Email Address", "email"),
        ("E-Mail-Adresse", "email"),
        ("Adresse e-mail", "email"),
        ("Courriel", "email"),
        ("Correo electrónico", "email"),
        ("Indirizzo e-mail", "email"),
        ("E-postadress", "email"),
        ("Sähköposti", "email"),
        ("Электронная почта", "email"),
        ("电子邮件", "email"),
        ("メールアドレス", "email"),
        ("البريد الإلكتروني", "email"),
        ("First Name", "first_name"),
        ("Prénom", "first_name"),
        ("Vorname", "first_name"),
        ("NACHNAME", "last_name"),
        ("Apellidos", "last_name"),
        ("Фамилия", "last_name"),
        ("Sprache", "language"),
        ("Subscription status", "status"),
        ("Name", None),
        ("State", None),
        ("Address", None),
        ("email sent", None),
    ],
)
def test_recognises_headings(heading: str, means: str | None) -> None:
    assert meaning(heading) == means


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("City", "city"),
        (" Member since ", "member_since"),
        ("Größe", "grosse"),
        ("Ville d'origine", "ville_d_origine"),
        ("Phone (work)", "phone__work_"),
        ("2nd name", "_2nd_name"),
        ("Город", "город"),
    ],
)
def test_names_fields_after_headings(heading: str, name: str) -> None:
    assert field_name(heading) == name


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_a_field_name_can_stand_in_a_template(heading: str) -> None:
    name = field_name(heading)

    assert name.isidentifier()
    assert field_name(name) == name


def test_slugs_fit_a_domain_label() -> None:
    assert slug("Neuigkeiten für Zürich & Umgebung!") == "neuigkeiten-fur-zurich-umgebung"
    assert slug("新闻") == ""
    assert len(slug("a " * 100)) <= 60


def test_maps_by_name_and_never_by_position() -> None:
    one = mapped("Prénom", "Courriel", "Langue", "Statut")
    other = mapped("Statut", "Langue", "Courriel", "Prénom")

    assert (one.address, one.language, one.status, one.fields) == (1, 2, 3, (("first_name", 0),))
    assert (other.address, other.language, other.status) == (2, 1, 0)


def test_lists_what_it_leaves_out() -> None:
    found = mapped("email", "Ville", "List", "", "ville")

    assert [(each.column, each.option) for each in found.ignored] == [
        ("Ville", "--map 'Ville=ville'"),
        ("List", "--map 'List=list_2'"),
        ("ville", "--map 'ville=ville'"),
    ]


def test_keeps_what_it_is_told_to() -> None:
    assert mapped("email", "Ville", maps=["Ville=city"]).fields == (("city", 1),)
    assert mapped("email", "Ville", maps=["ville=city"]).fields == (("city", 1),)
    assert mapped("email", "A=B", maps=["A=B=c"]).fields == (("c", 1),)
    assert mapped("email", "Ville", "Größe", keep_columns=True).fields == (
        ("ville", 1),
        ("grosse", 2),
    )
    assert mapped("email", "Ville", known_fields={"ville"}).fields == (("ville", 1),)
    assert mapped("Contact", maps=["Contact=email"]).address == 0


def test_what_is_said_wins_over_what_is_recognised() -> None:
    found = mapped("Email", "Work", "Vorname", "Rufname", maps=["Work=email", "Rufname=first_name"])

    assert (found.address, found.fields) == (1, (("first_name", 3),))
    assert [each.column for each in found.ignored] == ["Email", "Vorname"]


def test_our_own_columns_of_a_mended_rejects_file_are_skipped() -> None:
    found = mapped("email", "mailer_reason", "mailer_line", keep_columns=True)

    assert (found.fields, found.ignored) == ((), ())


@pytest.mark.parametrize(
    ("columns", "options", "said"),
    [
        (["Nom", "Ville"], {}, "No column holds the addresses. The columns are “Nom”, “Ville”."),
        (["Email", "E-Mail"], {}, "The columns “Email” and “E-Mail” would both be “email”."),
        (["email", "Größe", "Grosse"], {"keep_columns": True}, "would both be “grosse”"),
        (["email", "List"], {"keep_columns": True}, "can't be a field called “list”"),
        (["email"], {"maps": ["Ville=city"]}, "a column “Ville” that is not there"),
        (["email", "Ville"], {"maps": ["Ville"]}, "is not COL=FIELD"),
        (["email", "Ville"], {"maps": ["Ville=My City"]}, "--map 'Ville=my_city'"),
        (["email", "Ville"], {"maps": ["Ville=campaign"]}, "templates use that word"),
        (["email", "a", "b"], {"maps": ["a=x", "b=x"]}, "“a” and “b” would both be “x”"),
    ],
)
def test_faults_say_what_to_do(columns: list[str], options: dict[str, object], said: str) -> None:
    with pytest.raises(InputError) as caught:
        mapped(*columns, **options)

    assert said in str(caught.value)
    assert all(fault.hint for fault in caught.value.faults)


def test_faults_are_told_together() -> None:
    with pytest.raises(InputError) as caught:
        mapped("Email", "E-Mail", maps=["x", "Y=z"])

    assert len(caught.value.faults) == 3


def test_status_words_are_a_closed_list() -> None:
    for status in SubscriptionStatus:
        assert status_word(f" {status.upper()} ") is status
    assert status_word("inactive") is SubscriptionStatus.unsubscribed
    assert status_word("cleaned") is SubscriptionStatus.bounced
    assert status_word("activ") is None


@pytest.mark.parametrize(
    ("cell", "tag"),
    [
        ("FR", "fr"),
        ("pt_br", "pt-BR"),
        ("zh-Hant", "zh-Hant"),
        ("Français", "fr"),
        ("German", "de"),
        ("Klingon", None),
        ("e", None),
        ("12", None),
    ],
)
def test_languages_are_tags_or_known_names(cell: str, tag: str | None) -> None:
    assert language_tag(cell) == tag


def test_no_more_than_500_columns_are_kept() -> None:
    columns = ["email", *(f"column {n}" for n in range(499))]

    assert len(mapped(*columns, keep_columns=True).fields) == 499
    with pytest.raises(InputError, match="501 columns would be kept; at most 500"):
        mapped(*columns, "one more", keep_columns=True)
    assert len(mapped(*columns, "one more").ignored) == 500
