"""Every way that a reader can take through the site, in Chromium, by keyboard alone.

In Spanish and in Arabic, with and without JavaScript. Each page is judged by axe-core at 320 and at
1280 pixels (where it is the same without JavaScript, once), never scrolls sideways, shows where the
focus is, and is reached whole by the Tab key.
The readers' mails are real ones, and what a page says it did is looked up in the database.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mailer.web.catalogue import Language, load_catalogue
from tests.peers.browser import Browser, Shown, Window, open_browser
from tests.peers.quay import Quay, open_quay

WAYS = [(code, script) for code in ("es", "ar") for script in (True, False)]
NAMES = [f"{code}-{'script' if script else 'none'}" for code, script in WAYS]
TALES = ("leaving", "choosing", "joining", "again", "reading", "away")  # each has its own reader


@pytest.fixture(scope="module")
def quay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quay]:
    readers = [f"{way}-{tale}@example.org" for way in NAMES for tale in TALES]
    with open_quay(tmp_path_factory.mktemp("quay"), readers) as opened:
        yield opened


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


@dataclass
class Reader:
    """One who reads in one language, with or without scripts."""

    quay: Quay
    window: Window
    language: Language
    address: str

    def at(self, link: str) -> str:
        return f"{link}?lang={self.language.code}"

    def hears(self, shown: Shown, *names: str, status: int = 200, **values: str) -> None:
        """The page came as it should, in this language, with these sentences."""
        assert shown.status == status, shown
        assert (shown.language, shown.direction) == (self.language.code, self.language.direction)
        for name in names:
            sentence = self.language.plain(name, **values)
            assert " ".join(sentence.split()) in " ".join(shown.text.split()), (shown.name, name)

    def calm(self) -> None:
        """Nothing was wrong with any page, and nobody else was asked for anything."""
        assert self.window.wrong == []
        assert self.window.forbidden == []
        assert self.window.strangers(self.quay.site) == []


@pytest.fixture(params=WAYS, ids=NAMES)
def reader(request: pytest.FixtureRequest, quay: Quay, browser: Browser) -> Reader:
    code, script = request.param
    tale = next(each for each in reversed(TALES) if each in request.node.originalname)
    name = f"{NAMES[WAYS.index(request.param)]}-{tale}"
    window = browser.window(name, script=script)
    return Reader(quay, window, load_catalogue().languages[code], f"{name}@example.org")


def _button(value: str) -> str:
    return f'button[value="{value}"]'


def test_leaving_and_all_that_stands_around_it(reader: Reader) -> None:
    go, hears, standing = reader.window.go, reader.hears, reader.quay.standing
    here, title = reader.address, "The Tide Table"
    page = reader.window.open("leave", reader.at(reader.quay.link(here, r"u/[\w-]+")))
    hears(page, "unsubscribe.title", "break.title", "fewer.title", "everything.title", list=title)
    assert here not in page.text  # it is masked

    hears(go("paused", _button("3")), "paused.title", "paused.button")
    hears(go("resumed", _button("resume")), "undone.title")
    page = reader.window.open("leave again", reader.at(reader.quay.link(here, r"u/[\w-]+")))
    chosen = ("pick", '[name="frequency"][value="month"]')
    hears(go("fewer", "fieldset + button", chosen), "fewer.done", "fewer.month")
    assert standing(here) == "active"
    hears(go("left", _button("leave")), "left.title", "undo.title", "reason.title")
    assert standing(here) == "unsubscribed"
    why = (("pick", '[name="reason"][value="too_many"]'), ("type", "textarea", "Basta ya"))
    hears(go("told", "label.field + button", *why), "left.title", "reason.thanks")
    hears(go("undone", _button("undo")), "undone.title")
    assert standing(here) == "active"
    hears(go("all left", _button("leave")), "left.title")
    hears(go("everything", _button("everything")), "left_everything.title", "undo.title")
    assert standing(here, "harbour") == "unsubscribed"
    hears(go("everything undone", _button("undo")), "left.title")  # one step back
    assert [standing(here), standing(here, "harbour")] == ["unsubscribed", "active"]
    hears(go("undone again", _button("undo")), "undone.title")
    assert [standing(here), standing(here, "harbour")] == ["active", "active"]
    reader.calm()


def test_choosing_preferences_details_and_another_address(reader: Reader) -> None:
    window, go, hears, quay = reader.window, reader.window.go, reader.hears, reader.quay
    here = reader.address
    home = reader.at(quay.link(here, r"p/[\w-]+"))
    hears(window.open("preferences", home), "preferences.title", "preferences.receiving")
    hears(go("list left", f"li:nth-of-type(2) {_button('leave')}"), "preferences.left")
    assert "unsubscribed" in (quay.standing(here), quay.standing(here, "harbour"))
    hears(go("list rejoined", _button("rejoin")), "preferences.receiving")
    opened = (("tab", "summary"), ("press", "Enter"))
    hears(go("list paused", f"details[open] {_button('6')}", *opened), "paused.button")
    hears(go("list resumed", _button("resume")), "preferences.receiving")
    hears(
        go("fewer", "fieldset + button", ("pick", '[name="frequency"][value="week"]')),
        "fewer.done",
        "fewer.week",
    )
    hears(go("details", 'a[href*="/details"]'), "details.title", "tongue.title", "tracking.title")
    code = reader.language.code
    tongue = ("pick", f'option[value="{code}"]')
    hears(go("language", 'section[aria-labelledby="tongue"] button', ("tab", "select"), tongue),
          "details.saved")  # fmt: skip
    about = 'section[aria-labelledby="about"]'
    typed = ("type", 'input[name="field.first_name"]', "Nur")
    wrong = ("type", 'input[name="field.boats"]', "many")
    hears(go("field refused", f"{about} button", typed, wrong), "details.refused", status=422)
    right = ("type", 'input[name="field.boats"]', "2")
    hears(go("fields", f"{about} button", right), "details.saved")
    assert quay.person(here)["fields"]["first_name"] == "Nur"  # type: ignore[index]
    yes = ("pick", '[name="tracking"][value="yes"]')
    hears(go("tracking", 'section[aria-labelledby="tracking"] button', yes), "details.saved")
    download = 'section[aria-labelledby="download"]'
    field = f'{download} input[type="email"]'
    other = ("type", field, "someone@example.org")
    hears(go("download refused", f"{download} button", other), "details.wrong", status=422)
    steps = (("type", field, here), ("download", f"{download} button"))
    held = json.loads(window.do("", *steps).saved)
    assert here in json.dumps(held)

    _move(reader, f"new-{here}")
    erase = window.open("erase", home.replace("?", "/erase?"))
    hears(erase, "erase.title", "erase.text")
    hears(
        go("erase refused", ".primary", ("type", '[type="email"]', "someone@example.org")),
        "details.wrong",
        status=422,
    )
    hears(go("erased", ".primary", ("type", '[type="email"]', f"new-{here}")), "erased.title")
    hears(window.open("preferences of nobody", home), "erased.title")
    leave = reader.at(quay.link(here, r"u/[\w-]+"))
    hears(window.open("leave of nobody", leave), "erased.title")
    reader.calm()


def _move(reader: Reader, new: str) -> None:
    """Asks for another address; both addresses have to say yes."""
    window, go, hears, quay = reader.window, reader.window.go, reader.hears, reader.quay
    hears(go("address", 'a[href^="address"]'), "address.title")
    wrong = ("type", "#new-address", "nur@localhost")
    hears(go("address refused", ".primary", wrong), "details.refused", status=422)
    hears(go("address asked", ".primary", ("type", "#new-address", new)), "address.sent_title")
    for place, (side, words) in enumerate(((reader.address, "waiting"), (new, "moved"))):
        link = reader.at(quay.link(side, r"c/[\w-]+/address"))
        hears(window.open(f"moving {place}", link), "moving.title", "moving.yes")
        hears(go(f"moving {words}", ".primary"), f"moving.{words}_title")


def test_joining_from_the_page_to_the_welcome(reader: Reader) -> None:
    window, go, hears, quay = reader.window, reader.window.go, reader.hears, reader.quay
    code, title = reader.language.code, "Harbour News"
    new = f"nur@{window.name}.example.net"
    field = '[type="email"]'
    form = window.open("sign-up", f"{quay.site}/s/harbour?lang={code}")
    hears(form, "sign_up.label", "sign_up.button")
    wrong = go("sign-up refused", ".primary", ("type", field, "nur@localhost"))
    hears(wrong, "sign_up.wrong", status=422)
    hears(go("sign-up sent", ".primary", ("type", field, new)), "sign_up.sent_title")
    link = quay.link(new, r"c/[\w-]+")
    assert quay.standing(new, "harbour") == "pending"
    hears(window.open("confirm", link), "confirm.title", list=title)  # the mail's own language
    assert quay.standing(new, "harbour") == "pending"
    hears(go("confirmed", ".primary"), "confirm.done_title")
    assert quay.standing(new, "harbour") == "active"
    welcome = quay.link(new, r"p/[\w-]+")
    hears(window.open("welcome", welcome), "preferences.title")
    assert title in str(quay.mails(new)[1]["Subject"])

    window.open("", f"{quay.site}/s/coast?lang={code}")
    later = go("sign-up later", ".primary", ("type", field, f"other@{window.name}.example.net"))
    hears(later, "sign_up.later", status=429)
    reader.calm()


def test_saying_yes_again(reader: Reader) -> None:
    window, go, hears = reader.window, reader.window.go, reader.hears
    link = reader.at(reader.quay.link(reader.address, r"c/[\w-]+"))
    hears(window.open("asked again", link), "reconfirm.title", list="The Tide Table")
    hears(go("said yes", ".primary"), "reconfirmed.title")
    reader.calm()


def test_reading_on_the_site(reader: Reader) -> None:
    window, go, hears, quay = reader.window, reader.window.go, reader.hears, reader.quay
    code = reader.language.code
    hears(window.open("archive", f"{quay.site}/archive?lang={code}"), "archive.title")
    shelf = window.open("list", f"{quay.site}/archive/coast?lang={code}")
    hears(shelf, "archive.search", "archive.by_month")
    found = go("found", ".search button", ("type", "#q", "ferries"))
    hears(found, "archive.found", words="ferries")
    assert "Boats" not in found.text
    assert "Ferries of week 0" in found.text
    hears(go("nothing found", ".search button", ("type", "#q", "zebra")), "archive.found_none")
    hears(window.open("index", f"{quay.site}/archive/coast/months?lang={code}"), "archive.index")
    window.open("", f"{quay.site}/archive/coast?lang={code}")
    month = go("month", 'a[href*="/months/"]')
    hears(month, "archive.by_month")  # in the same language
    assert "/months/20" in month.url
    hears(go("home", ".kicker a"), "archive.search")
    issue = go("issue", ".issue a")
    assert issue.status == 200
    for path in (quay.corrected, f"{quay.corrected}/ar"):
        assert window.open("corrected", quay.site + path).status == 200
    real = window.open("web version", quay.link(reader.address, r"w/[\w-]+/en"))
    assert (real.status, real.direction, "Low Tavren" in real.text) == (200, "ltr", True)
    arabic = window.open("web version ar", quay.link(reader.address, r"w/[\w-]+/ar"))
    assert (arabic.status, arabic.direction) == (200, "rtl")

    hears(window.open("nothing", f"{quay.site}/u/x?lang={code}"), "not_found.title", status=404)
    gone = window.open("withdrawn", f"{quay.site}{quay.withdrawn}?lang={code}")
    hears(gone, "withdrawn.title", status=410)
    reader.calm()


def test_leaving_while_the_database_is_away(reader: Reader) -> None:
    window, go, hears, quay = reader.window, reader.window.go, reader.hears, reader.quay
    link = reader.at(quay.link(reader.address, r"u/[\w-]+"))
    file = quay.workspace / "data/mailer.db"
    with quay.db.read():
        pass  # it knows its file
    aside = file.rename(file.with_name("aside.db"))
    try:
        hears(window.open("leave without database", link), "kept.heading")
        hears(go("kept", ".primary"), "kept.title", "kept.text")
        away = window.open("unavailable", f"{quay.site}/archive?lang={reader.language.code}")
        hears(away, "unavailable.title", status=503)
    finally:
        aside.rename(file)
    reader.calm()


def test_the_judges_are_awake(browser: Browser, tmp_path: Path) -> None:
    """What is wrong on purpose is found: contrast, text for a picture, width, focus, keyboard."""
    page = tmp_path / "bad.html"
    page.write_text(
        '<!doctype html><html lang="en" dir="ltr"><title>Bad</title><main><h1>Bad</h1>'
        '<style>:focus{outline:none}</style><p style="color:#ccc">Pale</p><img src="x.png">'
        '<div style="width:2000px">Wide</div><p><a href="#a">One</a></p><p><a href="#b" '
        'style="visibility:hidden">Two</a></p><script>document.body.append("ran")</script></main>',
        "utf-8",
    )
    with_script = browser.window("bad", script=True)
    shown = with_script.open("bad", page.as_uri())
    without = browser.window("bad too", script=False).open("bad", page.as_uri())

    wrong = "\n".join(shown.wrong)
    for word in ("color-contrast", "image-alt", "scrolls sideways", "does not show", "no Tab"):
        assert word in wrong
    assert "color-contrast" in "\n".join(without.wrong)
    assert ("ran" in shown.text, "ran" in without.text) == (True, False)
