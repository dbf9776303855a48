"""What is behind a presenter: a soft gradient, a colour, a picture, or green for a keyer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import cv2
import numpy as np

from mien.avatar.image_header import HeaderError, image_size
from mien.media.tick import Image

Kind = Literal["soft", "colour", "image", "green"]
Colour = tuple[int, int, int]

GREEN: Colour = (0, 177, 64)  # what keyers in editing programs look for first
MAX_PIXELS = 50_000_000
MAX_BYTES = 100_000_000
# The widest blur, as a share of the picture's height: shapes are gone, light and colour stay.
WIDEST_BLUR = 0.06


class BackgroundError(ValueError):
    """The background cannot be used as it is; the message says what to give instead."""


@dataclass(frozen=True, slots=True)
class Background:
    """kind: "soft" (the avatar's own gradient), "colour", "image" or "green".

    colour: red, green, blue of 0…255 for kind "colour". image: a file for kind "image". blur:
    0 sharp … 1 as if far out of focus, of an image.
    """

    kind: Kind = "soft"
    colour: Colour | None = None
    image: Path | None = None
    blur: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in ("soft", "colour", "image", "green"):
            raise BackgroundError(f"background {self.kind!r} is none of soft, colour, image, green")
        if (self.kind == "colour") != (self.colour is not None):
            raise BackgroundError('a background of kind "colour", and no other, needs a colour')
        if self.colour is not None and not all(0 <= part <= 255 for part in self.colour):
            raise BackgroundError(f"colour {self.colour} must be red, green, blue of 0…255")
        if (self.kind == "image") != (self.image is not None):
            raise BackgroundError('a background of kind "image", and no other, needs an image')
        if not 0 <= self.blur <= 1:
            raise BackgroundError(f"blur is {self.blur}, expected 0…1")

    @classmethod
    def parse(cls, text: str, blur: float = 0.0) -> Self:
        """From "soft", "green", "#rrggbb" or the path of a picture.

        Raises BackgroundError for anything else; the picture is opened by ``picture``.
        """
        text = text.strip()
        if text == "soft":
            return cls(blur=blur)
        if text == "green":
            return cls("green", blur=blur)
        if re.fullmatch("#[0-9a-fA-F]{6}", text):
            value = bytes.fromhex(text[1:])
            return cls("colour", (value[0], value[1], value[2]), blur=blur)
        path = Path(text).expanduser()
        if text.startswith("#") or not path.is_file():
            raise BackgroundError(
                f"background {text!r} is neither soft, green, a colour such as #1b2a3c, nor the "
                "path of a picture"
            )
        return cls("image", image=path.resolve(), blur=blur)

    def picture(self, size: tuple[int, int], centre: Colour, edge: Colour) -> Image:
        """uint8[H, W, 3] RGB of ``size`` (width, height). centre, edge: of the soft gradient.

        Raises BackgroundError when the image cannot be read or is too large.
        """
        if self.kind == "soft":
            return gradient(size, centre, edge)
        if self.image is not None:
            return blurred(cover(_read(self.image), size), self.blur)
        colour = GREEN if self.colour is None else self.colour
        return np.full((size[1], size[0], 3), colour, np.uint8)


SOFT = Background()


def gradient(size: tuple[int, int], centre: Colour, edge: Colour) -> Image:
    """A soft round gradient, uint8[H, W, 3] RGB, dithered so that it shows no bands."""
    width, height = size
    x = np.linspace(-1, 1, width)[None]
    y = np.linspace(-0.9, 1.1, height)[:, None]
    t = np.clip(np.sqrt(x * x + y * y) / 1.35, 0, 1)[..., None]
    t = t * t * (3 - 2 * t)
    colour = np.array(centre) * (1 - t) + np.array(edge) * t
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (height, width, 1))
    return np.clip(np.round(colour + noise), 0, 255).astype(np.uint8)


def cover(image: Image, size: tuple[int, int]) -> Image:
    """The middle of ``image``, scaled so that it fills ``size`` (width, height)."""
    width, height = size
    scale = max(width / image.shape[1], height / image.shape[0])
    wide = min(image.shape[1], round(width / scale))
    high = min(image.shape[0], round(height / scale))
    left, top = (image.shape[1] - wide) // 2, (image.shape[0] - high) // 2
    part = image[top : top + high, left : left + wide]
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(part, size, interpolation=how), np.uint8)


def blurred(image: Image, blur: float) -> Image:
    """uint8[H, W, 3] RGB, out of focus by ``blur`` of 0…1."""
    if blur == 0:
        return image
    sigma = blur * WIDEST_BLUR * image.shape[0]
    return np.asarray(
        cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), np.uint8
    )


def _read(path: Path) -> Image:
    """uint8[H, W, 3] RGB, turned as its EXIF orientation says; alpha is laid over white."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BackgroundError(f"{path} has more than {MAX_BYTES // 1_000_000} MB; shrink it")
        data = path.read_bytes()
    except OSError as error:
        raise BackgroundError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        width, height = image_size(data)
    except HeaderError:
        raise BackgroundError(f"{path} is no picture (JPEG, PNG or WebP)") from None
    if width * height > MAX_PIXELS:
        raise BackgroundError(
            f"{path} has {width}×{height} pixels; at most {MAX_PIXELS // 1_000_000} million, "
            "1920×1080 is plenty"
        )
    picture = _decoded(np.frombuffer(data, np.uint8))
    if picture is None:
        raise BackgroundError(f"{path} is damaged: it cannot be decoded")
    return picture


def _decoded(data: Image) -> Image | None:
    raw = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if raw is not None and raw.ndim == 3 and raw.shape[2] == 4 and raw.dtype == np.uint8:
        alpha = raw[..., 3:].astype(np.uint16)
        return np.asarray((raw[..., 2::-1] * alpha + 255 * (255 - alpha)) // 255, np.uint8)
    # Only this way of reading turns by EXIF; what has alpha is no photo and needs no turning.
    turned = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return None if turned is None else np.asarray(cv2.cvtColor(turned, cv2.COLOR_BGR2RGB), np.uint8)
