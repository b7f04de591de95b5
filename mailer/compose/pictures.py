"""Makes a picture fit for a mail: upright, without metadata, no larger than it is shown twice."""

from __future__ import annotations

import warnings
from hashlib import sha256
from io import BytesIO
from struct import unpack_from
from zlib import crc32

from PIL import Image, ImageOps, UnidentifiedImageError

from mailer.errors import InputError
from mailer.model.words import Picture

Image.preinit()  # it imports the readers, which would else be part of the first picture
MOST_BYTES = 25_000_000
MOST_PIXELS = 50_000_000  # 50 megapixels; a bomb of a few kilobytes can unfold to billions
_KEPT = {"JPEG": "jpg", "PNG": "png", "GIF": "gif"}
_READ = (*_KEPT, "WEBP")  # Outlook shows no WebP, so it is turned into one of the others
_ORIENTATION = 0x0112  # the EXIF tag that says how the camera was held
# What a JPEG or PNG may hold beside its pixels; all else tells of cameras, places and people.
_PLAIN_JPEG = {
    "adobe", "adobe_transform", "dpi", "icc_profile", "jfif", "jfif_density", "jfif_unit",
    "jfif_version", "progression", "progressive",
}  # fmt: skip
_PLAIN_PNG = {
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT",
    b"bKGD", b"pHYs", b"acTL", b"fcTL", b"fdAT",
}  # fmt: skip


def prepare(data: bytes, *, name: str, shown_width: int = 600) -> Picture:
    """Returns the picture as it is shipped; raises InputError with what is wrong with it.

    The same bytes give the same picture. ``shown_width`` is in CSS pixels; the file has at most
    twice as many, for screens that have two pixels where the style sheet has one.
    """
    if len(data) > MOST_BYTES:
        raise InputError(
            f"The picture `{name}` has {len(data) / 1e6:.0f} MB.",
            hint=f"At most {MOST_BYTES / 1e6:.0f} MB are read; make it smaller first.",
        )
    _refuse_by_sight(data, name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(BytesIO(data), formats=_READ) as image:
                return _prepared(image, data, name, shown_width * 2)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(_too_many(name)) from error
    except UnidentifiedImageError as error:
        raise InputError(
            f"`{name}` is no picture that mail programs show.", hint="Save it as JPEG, PNG or GIF."
        ) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise InputError(
            f"The picture `{name}` is damaged.", hint="Open it and save it again."
        ) from error


def _refuse_by_sight(data: bytes, name: str) -> None:
    if not data:
        raise InputError(f"The picture `{name}` is empty.")
    head = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(b"<svg") or (head.startswith(b"<?xml") and b"<svg" in data[:4096].lower()):
        raise InputError(
            f"The picture `{name}` is an SVG, which mail programs do not show.",
            hint="Save it as PNG.",
        )


def _too_many(name: str) -> str:
    return f"The picture `{name}` has more than {MOST_PIXELS // 1_000_000} megapixels."


def _prepared(image: Image.Image, data: bytes, name: str, most: int) -> Picture:
    if image.width * image.height > MOST_PIXELS:
        raise InputError(_too_many(name), hint="Make it smaller first.")
    kind = str(image.format)
    if kind == "WEBP":
        if getattr(image, "n_frames", 1) > 1:
            raise InputError(
                f"The picture `{name}` is a moving WebP, which Outlook does not show.",
                hint="Save it as GIF.",
            )
        return _rewritten(image, "PNG" if _see_through(image) else "JPEG", most)
    if kind == "GIF":
        moving = getattr(image, "n_frames", 1) > 1
        if moving and image.width > most:  # resized frame by frame it would lose colours and grow
            raise InputError(
                f"The moving picture `{name}` is {image.width} pixels wide, and is sent as it is.",
                hint=f"Save it with at most {most} pixels.",
            )
        image.load()
        kept = moving or image.width <= most
    elif kind == "PNG":
        kept = image.width <= most and _plain_png(data)
    else:
        kept = image.width <= most and _plain_jpeg(image, data)
    if kept:
        if kind == "GIF":
            data = bare_gif(data)
        return _named(data, kind, image.width, image.height)
    return _rewritten(image, kind, most)


def _plain_jpeg(image: Image.Image, data: bytes) -> bool:
    """Says whether a JPEG is whole and upright, and tells nothing but its pixels."""
    upright = image.getexif().get(_ORIENTATION, 1) in (0, 1)
    plain = set(image.info) <= _PLAIN_JPEG and image.mode in ("RGB", "L")
    return upright and plain and data.endswith(b"\xff\xd9")  # EOI, and nothing behind it


def _plain_png(data: bytes) -> bool:
    """Says the same of a PNG, by its chunks; the checksum of each is looked at."""
    at = 8
    kind = b""
    while at + 12 <= len(data) and kind != b"IEND":
        (length,) = unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8]
        end = at + 12 + length
        if kind not in _PLAIN_PNG or end > len(data):
            return False
        if crc32(data[at + 4 : end - 4]) != unpack_from(">I", data, end - 4)[0]:
            return False
        at = end
    return kind == b"IEND" and at == len(data)


def _see_through(image: Image.Image) -> bool:
    """Says whether a WebP has a pixel that is not opaque."""
    if image.mode != "RGBA":
        return False
    lowest, _ = image.getchannel("A").getextrema()
    return lowest != 255


def bare_gif(data: bytes) -> bytes:
    """Returns a GIF without comments and without what programs have written into it.

    The extension that says how often it moves is kept; what does not read as a GIF is kept whole,
    for another judge (GIF89a specification, sections 15 to 27).
    """
    try:
        at = 13 + _table(data[10])
        kept = [data[:at]]
        while data[at] != 0x3B:
            start = at
            if data[at] == 0x2C:  # a frame: descriptor, its colours, the width of its codes
                at = _blocks_end(data, at + 11 + _table(data[at + 9]))
                kept.append(data[start:at])
                continue
            if data[at] != 0x21:
                return data
            label, at = data[at + 1], _blocks_end(data, at + 2)
            loops = label == 0xFF and data[start + 3 : start + 14] in _LOOPS
            if label == 0xF9 or label == 0x01 or loops:
                kept.append(data[start:at])
    except IndexError:
        return data
    return b"".join([*kept, b"\x3b"])


_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")


def _table(packed: int) -> int:
    """How many bytes of colours follow."""
    return 3 << (packed & 7) + 1 if packed & 0x80 else 0


def _blocks_end(data: bytes, at: int) -> int:
    while data[at]:
        at += data[at] + 1
    return at + 1


def _rewritten(image: Image.Image, kind: str, most: int) -> Picture:
    if kind == "JPEG" and image.width > 2 * most:
        image.draft(image.mode, (2 * most, 2 * most))  # the decoder itself halves a huge photo
    upright = ImageOps.exif_transpose(image)
    profile = image.info.get("icc_profile")
    if upright.width > most:
        height = max(1, round(upright.height * most / upright.width))
        if upright.mode not in ("RGB", "RGBA", "L", "CMYK"):
            upright = upright.convert("RGBA" if "transparency" in upright.info else "RGB")
        upright = upright.resize((most, height), Image.Resampling.LANCZOS)
    if kind == "JPEG" and upright.mode not in ("RGB", "L"):
        upright, profile = upright.convert("RGB"), None
    seen_through = {"transparency": upright.info.get("transparency")} if kind != "JPEG" else {}
    upright.info = {key: value for key, value in seen_through.items() if value is not None}
    out = BytesIO()
    if kind == "JPEG":
        upright.save(out, "JPEG", quality=85, optimize=True, progressive=True, icc_profile=profile)
    else:
        upright.save(out, "PNG", optimize=True, icc_profile=profile)
        kind = "PNG"
    return _named(out.getvalue(), kind, upright.width, upright.height)


def _named(data: bytes, kind: str, width: int, height: int) -> Picture:
    name = f"{sha256(data).hexdigest()[:32]}.{_KEPT[kind]}"
    return Picture(name, data, width, height)
