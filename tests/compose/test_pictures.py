"""A picture leaves upright, without metadata, at most twice as wide as it is shown."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mailer.compose.pictures import MOST_BYTES, bare_gif, prepare
from mailer.errors import Fault

Faults = Callable[..., list[Fault]]


def picture(
    width: int = 60, height: int = 30, kind: str = "PNG", mode: str = "RGB", **options: Any
) -> bytes:
    out = BytesIO()
    image = Image.new(mode, (width, height))
    image.paste("red", (0, 0, width // 2, height)) if mode == "RGB" else None
    image.save(out, kind, **options)
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    image = Image.open(BytesIO(data))
    image.load()
    return image


def exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    tags[0x010F] = "Camera"
    return tags.tobytes()


@pytest.mark.parametrize(("kind", "ending"), [("PNG", "png"), ("JPEG", "jpg"), ("GIF", "gif")])
def test_what_is_fine_is_kept_as_it_is(kind: str, ending: str) -> None:
    data = picture(kind=kind)

    done = prepare(data, name="a")

    assert (done.data, done.width, done.height) == (data, 60, 30)
    stem, _, found = done.name.partition(".")
    assert (len(stem), found) == (32, ending)


def test_the_same_bytes_have_the_same_name_and_others_another() -> None:
    assert prepare(picture(), name="a") == prepare(picture(), name="b")
    assert prepare(picture(61), name="a").name != prepare(picture(), name="a").name


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF"])
def test_a_wide_picture_is_made_twice_as_wide_as_shown(kind: str) -> None:
    done = prepare(picture(3000, 1000, kind), name="a", shown_width=300)

    assert (done.width, done.height) == (600, 200)
    assert opened(done.data).size == (600, 200)


def test_rewriting_is_deterministic() -> None:
    data = picture(3000, 1000, "JPEG")

    assert prepare(data, name="a") == prepare(data, name="a")


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_photograph_is_turned_upright_and_loses_its_metadata(orientation: int) -> None:
    done = prepare(picture(40, 20, "JPEG", exif=exif(orientation)), name="a")

    image = opened(done.data)
    assert b"Camera" not in done.data
    assert dict(image.getexif()) == {}
    assert (done.width, done.height) == ((20, 40) if orientation in (6, 8) else (40, 20))
    red_first = image.getpixel((2, 2))[0] > 128  # type: ignore[index]  # RGB
    assert red_first == (orientation in (1, 6))


@pytest.mark.parametrize(
    "options",
    [
        {"kind": "PNG", "pnginfo": None, "exif": exif(1)},
        {"kind": "JPEG", "comment": b"secret"},
    ],
)
def test_metadata_goes_even_when_the_size_is_right(options: dict[str, Any]) -> None:
    done = prepare(picture(**options), name="a")

    assert b"Camera" not in done.data
    assert b"secret" not in done.data


def test_text_chunks_of_a_png_go() -> None:
    data = picture()
    chunk = b"tEXtComment\0secret"
    with_text = (
        data[:33]
        + struct.pack(">I", len(chunk) - 4)
        + chunk
        + struct.pack(">I", zlib.crc32(chunk))
        + data[33:]
    )

    assert b"secret" not in prepare(with_text, name="a").data


def test_a_moving_picture_goes_on_moving() -> None:
    out = BytesIO()
    frames = [Image.new("RGB", (200, 9), colour) for colour in ("red", "green", "blue")]
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])

    assert prepare(out.getvalue(), name="a", shown_width=100).data == out.getvalue()


def test_a_moving_picture_that_is_too_wide_is_refused(faults_of: Faults) -> None:
    """It would be sent as it is, several times as heavy as needed; a still one is resized."""
    out, still = BytesIO(), BytesIO()
    frames = [Image.new("RGB", (201, 9), colour) for colour in ("red", "green", "blue")]
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    frames[0].save(still, "GIF")
    told = faults_of(lambda: prepare(out.getvalue(), name="boat.gif", shown_width=100))[0]

    assert told.message == (
        "The moving picture `boat.gif` is 201 pixels wide, and is sent as it is."
    )
    assert told.hint == "Save it with at most 200 pixels."
    assert prepare(still.getvalue(), name="boat.gif", shown_width=100).width == 200


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "1", "I;16"])
def test_every_kind_of_pixel_can_be_shown(mode: str) -> None:
    done = prepare(picture(2000, 10, "PNG", mode), name="a")

    assert opened(done.data).size == (1200, 6)


@pytest.mark.parametrize(("mode", "ending"), [("RGB", "jpg"), ("RGBA", "png")])
def test_a_webp_becomes_what_outlook_shows(mode: str, ending: str) -> None:
    out = BytesIO()
    tags = Image.Exif()
    tags[0x0112], tags[0x010F] = 6, "Camera"
    Image.new(mode, (400, 200)).save(out, "WEBP", exif=tags.tobytes())
    done = prepare(out.getvalue(), name="a", shown_width=50)

    assert done.name.endswith(f".{ending}")
    assert (done.width, done.height) == (100, 200)  # turned upright first
    assert b"Camera" not in done.data
    assert opened(done.data).format == {"jpg": "JPEG", "png": "PNG"}[ending]


def test_a_moving_webp_is_refused(faults_of: Faults) -> None:
    out = BytesIO()
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "blue")]
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:])

    assert "moving WebP" in faults_of(prepare, out.getvalue(), name="a")[0].message


def test_a_gif_says_nothing_but_its_pixels() -> None:
    out = BytesIO()
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "green", "blue")]
    frames[0].save(
        out, "GIF", save_all=True, append_images=frames[1:], comment=b"secret" * 60, loop=0
    )
    xmp = b"\x21\xff\x0bXMP DataXMP\x06Camera\x00"
    data = out.getvalue()[:-1] + xmp + b"\x3b"
    done = prepare(data, name="a")
    moved = Image.open(BytesIO(done.data))

    assert b"secret" in data
    assert b"secret" not in done.data
    assert b"Camera" not in done.data
    assert (moved.n_frames, moved.info["loop"]) == (3, 0)  # type: ignore[attr-defined]  # a GIF


@given(st.binary(max_size=80))
def test_whatever_looks_like_a_gif_is_read_to_an_end(rest: bytes) -> None:
    assert bare_gif(b"GIF89a" + rest)[:6] == b"GIF89a"


def test_print_colours_become_screen_colours() -> None:
    done = prepare(picture(40, 20, "JPEG", "CMYK"), name="a")

    assert opened(done.data).mode == "RGB"


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to be huge."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 10_000))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b"hello", "no picture that mail programs show"),
        (b"<svg xmlns='x'><script/></svg>", "is an SVG"),
        (b"\xef\xbb\xbf\n<?xml version='1.0'?><!-- x --><svg/>", "is an SVG"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "is damaged"),
        (picture(kind="BMP"), "no picture that mail programs show"),
        (picture(kind="TIFF"), "no picture that mail programs show"),
        (picture(200, 200, "JPEG")[:-40], "is damaged"),
        (picture(200, 200, "PNG")[:-40], "is damaged"),
        (picture(200, 200, "PNG")[:20], ""),
        (picture(200, 200, "GIF")[:-40], "is damaged"),
        (bomb(60_000, 60_000), "megapixels"),
        (bomb(8_000, 8_000), "megapixels"),
        (b"x" * (MOST_BYTES + 1), "has 25 MB"),
    ],
    ids=range(14),
)
def test_what_can_t_be_shown_is_refused_with_a_sentence(
    data: bytes, says: str, faults_of: Faults
) -> None:
    (fault,) = faults_of(prepare, data, name="boat.x")

    assert says in fault.message
    assert "boat.x" in fault.message
