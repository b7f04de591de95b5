"""Paints a picture that stands for any other when a layout is tried out."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO

from PIL import Image


@lru_cache(maxsize=1)
def sample_picture() -> bytes:
    """Returns a plain PNG, 600 by 350 pixels."""
    out = BytesIO()
    Image.new("RGB", (600, 350), "#7a97a3").save(out, "PNG")
    return out.getvalue()
