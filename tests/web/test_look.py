"""Pages take colours, fonts and logo from the workspace's layout, and stay readable."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest

from mailer.adapters.workspace import known_layouts, layout_folder
from mailer.usecases.show_look import Look, show_look
from tests.web.conftest import Site
from tests.web.test_stylesheet import _contrast

PNG = b"\x89PNG\r\n\x1a\n a logo"


def look_of(workspace: Path, theme: str, **pictures: bytes) -> Look:
    folder = workspace / "layouts/house"
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    (folder / "theme.yaml").write_text(f"extends: newsroom\n{theme}", "utf-8")
    for name, data in pictures.items():
        (folder / f"pictures/{name}.png").write_bytes(data)
    return show_look("house", layouts=partial(layout_folder, workspace))


@pytest.mark.parametrize("name", [name for name, _ in known_layouts(Path("nowhere"))])
def test_every_shipped_layout_gives_two_readable_schemes(name: str) -> None:
    look = show_look(name, layouts=partial(layout_folder, Path("nowhere")))
    for scheme in (look.light, look.dark):
        assert len(scheme) == 13
        for ground in ("paper", "tint", "desk"):
            for text in ("ink", "quiet", "accent", "link"):
                assert _contrast(scheme[text], scheme[ground]) >= 4.5
            assert _contrast(scheme["edge"], scheme[ground]) >= 3
        for button in ("button", "button-over"):
            assert _contrast(scheme["on-button"], scheme[button]) >= 4.5


def test_a_layout_of_ones_own_gives_its_colours(
    open_site: Callable[..., Site], tmp_path: Path
) -> None:
    theme = 'link: "#5b2a86"\nbutton: "#123"\non_button: "#ffffff"\nsans: "Verdana, sans-serif"\n'
    look_of(
        tmp_path,
        theme + "logo: pictures/mark.png\nlogo_dark: pictures/night.png\n"
        "logo_alt: 'Our \"mark\"'\nlogo_width: 120\n",
        mark=PNG,
        night=PNG + b"n",
    )
    site = open_site(site_layout="house")
    page = site.client.get("/archive").text
    sheet = site.client.get(re.findall(r'rel="stylesheet" href="([^"]+)"', page)[0]).text

    assert "--link: #5b2a86;" in sheet
    assert "--button: #112233;" in sheet
    assert "--sans: Verdana, sans-serif;" in sheet
    assert 'width="120" alt="Our &#34;mark&#34;"' in page
    day = site.client.get(re.findall(r'<img src="([^"]+)"', page)[0])
    night = site.client.get(re.findall(r'srcset="([^"]+)"', page)[0])
    assert (day.content, night.content) == (PNG, PNG + b"n")
    assert day.headers["content-type"] == "image/png"
    assert "immutable" in day.headers["cache-control"]
    plain = open_site().client.get("/archive").text
    assert "<img" not in plain
    assert plain != page


@pytest.mark.parametrize(
    "theme",
    [
        'sans: "x; } body { display: none } /*"',
        'serif: "a\\"b"',
        'sans: "url(https://evil.example/x)"',
        "logo: ../../../.env",
        "logo: https://evil.example/x.png",
        "logo: pictures/nothing.png",
    ],
)
def test_nothing_else_gets_into_the_style_sheet(tmp_path: Path, theme: str) -> None:
    look = look_of(tmp_path, theme + "\n")
    said: Mapping[str, str] = look.fonts

    assert look.logo is None
    assert not re.search(r"[;{}()/\\]", "".join(said.values()))
    assert all(re.fullmatch("#[0-9a-f]{6}", each) for each in look.light.values())


def test_a_layout_that_can_t_be_read_takes_no_page_away(
    open_site: Callable[..., Site], tmp_path: Path
) -> None:
    (tmp_path / "layouts/house").mkdir(parents=True)
    (tmp_path / "layouts/house/theme.yaml").write_text("extends: newsroom\nink: pale\n", "utf-8")
    for name in ("house", "nowhere"):
        site = open_site(site_layout=name)
        assert site.client.get("/archive").status_code == 200
        assert f"layout={name}" in site.log.getvalue()
