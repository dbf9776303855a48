"""A photo from the bytes of a file, refused before anything large is decoded."""

from __future__ import annotations

import cv2
import numpy as np

from mien.avatar.image_header import HeaderError, image_size
from mien.avatar.photo.errors import PhotoError
from mien.media.tick import Image

MOST_PIXELS = 50_000_000  # 150 MB decoded; the best cameras of telephones give 48 million
LONGEST_SIDE = 16_000
MOST_BYTES = 64_000_000


def read_photo(data: bytes) -> Image:
    """uint8[H, W, 3] RGB of JPEG, PNG or WebP bytes, turned as its EXIF orientation says.

    Raises PhotoError: "not_an_image", "too_large", "damaged".
    """
    if len(data) > MOST_BYTES:
        raise _too_large(f"{len(data) / 1e6:.0f} MB")
    try:
        width, height = image_size(data)
    except HeaderError:
        raise _not_an_image(data) from None
    if width * height > MOST_PIXELS or max(width, height) > LONGEST_SIDE:
        raise _too_large(f"{width}×{height}")
    try:
        photo = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error:
        photo = None
    if photo is None or photo.dtype != np.uint8 or photo.shape[0] * photo.shape[1] > MOST_PIXELS:
        raise PhotoError(
            "damaged",
            "The picture is damaged and cannot be opened; export or save it again.",
            "图片已损坏，无法打开；请重新导出或保存一次。",
        )
    return np.asarray(photo, np.uint8)


def _not_an_image(data: bytes) -> PhotoError:
    if data[4:8] == b"ftyp":  # what iPhones write by themselves: HEIC
        return PhotoError(
            "not_an_image",
            "This is a HEIC or AVIF picture (or a video); save or share the photo as JPEG.",
            "这是 HEIC 或 AVIF 图片（或视频）；请将照片另存为或分享为 JPEG。",
        )
    return PhotoError(
        "not_an_image",
        "This is no JPEG, PNG or WebP picture; choose a photo of one face.",
        "这不是 JPEG、PNG 或 WebP 图片；请选择一张单人人脸照片。",
    )


def _too_large(what: str) -> PhotoError:
    return PhotoError(
        "too_large",
        f"The picture is too large ({what}); at most 50 megapixels and 64 MB are accepted, "
        "2000×2000 pixels are plenty.",
        f"图片过大（{what}）；最多 5000 万像素、64 MB，2000×2000 像素已足够。",
    )
