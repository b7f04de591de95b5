"""Makes a picture fit for a mail: upright, without metadata, no larger than it is shown twice."""

from __future__ import annotations

import warnings
from hashlib import sha256
from io import BytesIO

from PIL import Image, ImageOps, UnidentifiedImageError

from mailer.errors import InputError
from mailer.model.words import Picture

MOST_BYTES = 25_000_000
MOST_PIXELS = 50_000_000  # 50 megapixels; a bomb of a few kilobytes can unfold to billions
_KEPT = {"JPEG": "jpg", "PNG": "png", "GIF": "gif"}
_ORIENTATION = 0x0112  # the EXIF tag that says how the camera was held
_CLEAN_JPEG_INFO = {
    "jfif",
    "jfif_version",
    "jfif_unit",
    "jfif_density",
    "dpi",
    "progressive",
    "progression",
    "icc_profile",
    "adobe",
    "adobe_transform",
}
_CLEAN_PNG_INFO = {
    "gamma",
    "dpi",
    "srgb",
    "transparency",
    "icc_profile",
    "interlace",
    "aspect",
    "chromaticity",
    "default_image",
    "loop",
    "bbox",
    "duration",
}


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
            with Image.open(BytesIO(data), formats=tuple(_KEPT)) as image:
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
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        raise InputError(
            f"The picture `{name}` is a WebP, which Outlook does not show.",
            hint="Save it as JPEG or PNG.",
        )


def _too_many(name: str) -> str:
    return f"The picture `{name}` has more than {MOST_PIXELS // 1_000_000} megapixels."


def _prepared(image: Image.Image, data: bytes, name: str, most: int) -> Picture:
    if image.width * image.height > MOST_PIXELS:
        raise InputError(_too_many(name), hint="Make it smaller first.")
    kind = str(image.format)
    turned = image.getexif().get(_ORIENTATION, 1) not in (0, 1)
    plain = set(image.info) <= (_CLEAN_JPEG_INFO if kind == "JPEG" else _CLEAN_PNG_INFO)
    animated = kind == "GIF" and getattr(image, "n_frames", 1) > 1
    if animated or (kind == "GIF" and image.width <= most):
        image.load()
        return _named(data, kind, image.width, image.height)
    shown = image.mode in ("RGB", "L", "RGBA", "P")
    if shown and image.width <= most and not turned and plain and _whole(image, data, kind):
        return _named(data, kind, image.width, image.height)
    return _rewritten(image, kind, most)


def _whole(image: Image.Image, data: bytes, kind: str) -> bool:
    """Says whether a picture is there to its end, without the cost of decoding it."""
    if kind == "JPEG":
        return data.endswith(b"\xff\xd9")  # EOI; one with more behind it is written afresh
    if not data.endswith(b"IEND\xaeB`\x82"):
        return False
    image.verify()  # the checksum of every chunk
    return True


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
    out = BytesIO()
    if kind == "JPEG":
        if upright.mode not in ("RGB", "L"):
            upright, profile = upright.convert("RGB"), None
        upright.save(
            out, "JPEG", quality=85, optimize=True, progressive=True, icc_profile=profile, exif=b""
        )
    else:
        upright.info.clear()
        upright.save(out, "PNG", optimize=True, icc_profile=profile)
        kind = "PNG"
    return _named(out.getvalue(), kind, upright.width, upright.height)


def _named(data: bytes, kind: str, width: int, height: int) -> Picture:
    name = f"{sha256(data).hexdigest()[:32]}.{_KEPT[kind]}"
    return Picture(name, data, width, height)
