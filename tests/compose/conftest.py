"""What the tests of this room share: the tiny layout, small pictures, and a way to compose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mailer.adapters.folders import open_folder
from mailer.compose.compose import Brand, Composed, compose_issue
from mailer.compose.layout import Layout, load_layout
from mailer.compose.reading import ALONE, Variants
from mailer.errors import Fault, InputError

TINY = Path(__file__).parent.parent / "samples" / "layouts" / "tiny"
BRAND = Brand(
    organisation="Harbour Trust",
    postal_address="1 Quay Street, Port City",
    site_url="https://news.example.org",
    sender="Harbour Trust <news@example.org>",
    reply_to="desk@example.org",
)


class Files:
    """A layout as a mapping; what it does not name comes from the tiny layout."""

    def __init__(self, changed: dict[str, str]) -> None:
        tiny = open_folder(TINY)
        self.files = {name: tiny.text(name) for name in tiny.names()} | changed

    def text(self, name: str) -> str:
        return self.files[name]

    def data(self, name: str) -> bytes:
        return self.files[name].encode()

    def names(self, under: str = "") -> list[str]:
        return sorted(name for name in self.files if name.startswith(under))

    def where(self, name: str) -> str:
        return f"layouts/tiny/{name}"


def picture_bytes(width: int = 60, height: int = 30, kind: str = "PNG", **options: Any) -> bytes:
    out = BytesIO()
    Image.new("RGB", (width, height), "#336699").save(out, kind, **options)
    return out.getvalue()


@pytest.fixture(scope="session")
def tiny() -> Layout:
    return load_layout(Files({}), name="tiny")


@pytest.fixture(scope="session")
def layout_with() -> Callable[..., Layout]:
    """Loads the tiny layout with some files changed: ``layout_with({"theme.yaml": …})``."""

    def load(changed: dict[str, str], *, whole: bool = True) -> Layout:
        return load_layout(Files(changed), name="tiny", whole=whole)

    return load


@pytest.fixture(scope="session")
def compose(tiny: Layout) -> Callable[..., Composed]:
    """Composes a body, or a whole issue, with the tiny layout and one picture, ``boat.png``."""
    pictures = {"boat.png": picture_bytes()}

    def read_picture(name: str) -> bytes:
        if name not in pictures:
            raise InputError(f"There is no file `{name}`.", hint="Did you mean `boat.png`?")
        return pictures[name]

    def run(
        text: str,
        *,
        layout: Any = tiny,
        brand: Brand = BRAND,
        variants: Variants = ALONE,
        snippets: Mapping[str, str] | None = None,
        **front: str,
    ) -> Composed:
        if not text.lstrip("\ufeff").startswith("---"):
            said = {"subject": "Boats are back", "preheader": "A quay again"} | front
            head = "".join(f"{key}: {value}\n" for key, value in said.items())
            text = f"---\n{head}---\n{text}"

        def read_snippet(name: str) -> tuple[str, str]:
            if name not in (snippets or {}):
                raise InputError(f"There is no snippet `{name}`.")
            return (snippets or {})[name], f"snippets/{name}"

        return compose_issue(
            text,
            where="issue.md",
            read_picture=read_picture,
            layout=layout,
            picture_url=lambda name: f"https://news.example.org/i/{name}",
            brand=brand,
            variants=variants,
            read_snippet=read_snippet,
        )

    return run


@pytest.fixture(scope="session")
def faults_of() -> Callable[..., list[Fault]]:
    """Returns the faults that a call raises."""

    def run(call: Callable[..., object], *args: object, **options: object) -> list[Fault]:
        with pytest.raises(InputError) as caught:
            call(*args, **options)
        return list(caught.value.faults)

    return run
