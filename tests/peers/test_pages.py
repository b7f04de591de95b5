"""axe-core finds no barrier in our pages and our mail, and Chromium loads nothing from elsewhere.

Each page is looked at in English and in French, 320 and 1280 pixels wide; its colours in light and
in dark.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mailer.wiring.files import shipped_examples
from tests import builders
from tests.command_line import done, make_workspace
from tests.peers.conftest import Town
from tests.peers.programs import program, run_node
from tests.previewing import previewing

WIDTHS = (320, 1280)
# Rules of axe-core that are switched off for mail, and for nothing else.
FOR_MAIL = {
    "landmark-one-main": "a mail stands inside the page of a mail program, which has its own",
    "region": "the same: the mail's text is in an article, and an article is no landmark",
}
# Wrong on purpose: script, picture and style sheet from elsewhere, no text for the picture.
HOSTILE = """<!doctype html><html><title>Hostile</title>
<img src="http://127.0.0.1:9/pixel.gif"><script>document.title = "Acted"</script>
<link rel="stylesheet" href="http://127.0.0.1:9/x.css"><p style="color:#ccc">Pale</p>"""


def visit(profile: Path, *visits: Mapping[str, Any], script: bool = True) -> dict[str, Any]:
    """Visits the pages one after the other in one window; returns what was found by name.

    A visit has a ``name`` and a ``url``, or says what to ``click`` on the page before, and what to
    do ``first``; one that is not ``judged`` leads on. PEERS_PICTURES names a folder where each page
    is kept as a picture.
    """
    given = {
        "chromium": str(program("chromium")),
        "profile": str(profile),
        "widths": WIDTHS,
        "script": script,
        "pictures": os.environ.get("PEERS_PICTURES"),
        "visits": [{"off": [], "first": [], **each} for each in visits],
    }
    found = run_node("visit.cjs", given, seconds=150, needs=["playwright-core", "axe-core"])
    return {each["name"]: each for each in found}


def barriers(found: Mapping[str, Any]) -> list[str]:
    return [line for each in found.values() for line in each["violations"]]


def strangers(found: Mapping[str, Any], site: str) -> list[str]:
    """Requests to anything but the site itself."""
    asked = [line for each in found.values() for line in each["requests"]]
    assert asked
    return [line for line in asked if not line.split(" ")[1].startswith(f"{site}/")]


def forbidden(found: Mapping[str, Any]) -> list[str]:
    """What the browser refused because of the page's own content policy."""
    said = [line for each in found.values() for line in each["console"]]
    return [line for line in said if "Content Security Policy" in line]


def statuses(found: Mapping[str, Any]) -> Sequence[int]:
    return [each["status"] for each in found.values()]


def test_the_mail_has_no_barrier(rendered: Mapping[str, Path], tmp_path: Path) -> None:
    found = visit(
        tmp_path,
        *(
            {"name": name, "url": (folder / "email.html").as_uri(), "off": list(FOR_MAIL)}
            for name, folder in rendered.items()
        ),
    )

    assert len(found) == len(rendered)
    assert barriers(found) == []


def test_the_web_versions_have_no_barrier_and_load_nothing_from_elsewhere(
    town: Town, tmp_path: Path
) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    builders.make_draft(town.db, "hostilehostile", soon, HOSTILE)
    links = {name: town.mails[name, "anna@example.org"].link("w") for name in ("english", "arabic")}
    found = visit(
        tmp_path,
        *({"name": name, "url": url} for name, url in links.items()),
        {"name": "hostile", "url": f"{town.site}/w/hostilehostile"},
    )
    hostile = {"hostile": found.pop("hostile")}

    assert statuses(found) == [200, 200]
    assert [each["text"].count("Marren Coast Network") > 0 for each in found.values()] == [True] * 2
    assert barriers(found) == []
    assert strangers(found, town.site) == []
    assert forbidden(found) == []
    # The judges were awake.
    assert len(forbidden(hostile)) >= 3
    assert "image-alt" in str(barriers(hostile))
    assert "color-contrast" in str(barriers(hostile))


def test_the_readers_pages_have_no_barrier_and_load_nothing_from_elsewhere(
    town: Town, tmp_path: Path
) -> None:
    anna, bruno, chloe = (
        town.mails["english", f"{name}@example.org"] for name in ("anna", "bruno", "chloe")
    )
    leave, undo, everything = (f'[value="{word}"]' for word in ("leave", "undo", "everything"))
    found = visit(
        tmp_path,
        {"name": "unsubscribe", "url": anna.link("u")},
        {"name": "left", "click": leave},
        {"name": "back again", "click": undo},
        {"name": "everything left", "click": everything},
        {"name": "désabonnement", "url": bruno.link("u") + "?lang=fr"},
        {"name": "désabonné", "click": leave},
        {"name": "de retour", "click": undo},
        {"name": "tout arrêté", "click": everything},
        {"name": "preferences", "url": chloe.link("p")},
        {"name": "one list left", "click": leave},
        {"name": "préférences", "url": chloe.link("p") + "?lang=fr"},
        {"name": "listes quittées", "click": everything},
        {"name": "nothing", "url": f"{town.site}/u/nothing"},
        {"name": "rien", "url": f"{town.site}/u/nothing?lang=fr"},
    )

    assert statuses(found) == [200] * 12 + [404] * 2
    assert barriers(found) == []
    assert strangers(found, town.site) == []
    assert forbidden(found) == []
    # The clicks led somewhere, and French pages are in French.
    assert "You are unsubscribed" in found["left"]["text"]
    assert "Votre désabonnement est fait" in found["désabonné"]["text"]
    assert "Tous les envois sont arrêtés" in found["tout arrêté"]["text"]
    assert "Vous avez quitté cette liste" in found["préférences"]["text"]
    assert "Cette page n’existe pas" in found["rien"]["text"]


def test_the_preview_has_no_barrier_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "news", site_url="https://news.marren.example.org")
    issue = workspace / "data/issues/tide"
    shutil.copytree(shipped_examples() / "issues/tide-table", issue)
    people = str(shipped_examples() / "contacts.csv")
    done(workspace, "import", people, "--list", "coast", "--create-list", "--map", "city=city")
    with previewing(workspace, str(issue)) as address:
        looks = {
            "mail": "",
            "dark": "?colours=dark&lang=ar",
            "text": "?view=text&lang=ar",
            "headers": "?view=headers",
            "source": "?view=source",
            "web": "?view=web",
            "nobody": "?as=nobody",
            "longest": "?as=longest&colours=inverted",
        }
        found = visit(tmp_path, *({"name": n, "url": address + q} for n, q in looks.items()))
        text = (issue / "issue.md").read_text("utf-8").replace("url=", "ulr=").replace("alt:", "x:")
        (issue / "issue.md").write_text(text, "utf-8")
        found |= visit(tmp_path, {"name": "broken", "url": address})

    assert statuses(found) == [200] * 9
    assert "The Tide Table" in found["headers"]["text"]
    assert "Nothing can be shown yet" in found["broken"]["text"]
    assert barriers(found) == []
    assert strangers(found, address.rstrip("/")) == []
    assert forbidden(found) == []
