"""Backgrounds: what is parsed, what is drawn, and what is refused before it is decoded."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.avatar.background import GREEN, SOFT, Background, BackgroundError
from mien.avatar.image_header import HeaderError, image_size
from mien.media.tick import Image

CENTRE, EDGE = (214, 224, 228), (150, 168, 178)


def draw(background: Background, size: tuple[int, int] = (96, 64)) -> Image:
    picture = background.picture(size, CENTRE, EDGE)
    assert picture.shape == (size[1], size[0], 3) and picture.dtype == np.uint8
    return picture


def halves(width: int = 80, height: int = 60) -> Image:
    """Left red, right blue, a white bar on top: BGR, as OpenCV writes it."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2] = (20, 20, 220)
    image[:, width // 2 :] = (220, 20, 20)
    image[: height // 6] = 255
    return image


def save(file: Path, image: Image) -> Path:
    assert cv2.imwrite(str(file), image)
    return file


def test_parse(tmp_path: Path) -> None:
    file = save(tmp_path / "room.jpg", halves())
    assert Background.parse("soft") == SOFT == Background()
    assert Background.parse(" green ") == Background("green")
    assert Background.parse("#1B2a3c") == Background("colour", (0x1B, 0x2A, 0x3C))
    assert Background.parse(str(file), 0.5) == Background("image", None, file, 0.5)


@pytest.mark.parametrize("text", ["", "red", "#12", "#12345g", "/no/such/file.jpg", "~nobody/x"])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(BackgroundError, match="neither soft, green, a colour"):
        Background.parse(text)


def test_contradictions_are_refused() -> None:
    for wrong in (
        {"kind": "colour"},
        {"kind": "image"},
        {"kind": "soft", "colour": (1, 2, 3)},
        {"kind": "colour", "colour": (1, 2, 300)},
        {"kind": "sky"},
        {"blur": 1.5},
    ):
        with pytest.raises(BackgroundError):
            Background(**wrong)  # type: ignore[arg-type]


def test_soft_is_a_gradient_and_colours_are_flat() -> None:
    soft = draw(SOFT, (200, 200)).astype(int)
    assert np.abs(soft[90, 100] - CENTRE).max() < 6 and np.abs(soft[199, 0] - EDGE).max() < 6
    assert (draw(Background("green")) == GREEN).all()
    assert (draw(Background("colour", (1, 2, 3))) == (1, 2, 3)).all()


@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
@pytest.mark.parametrize("size", [(96, 64), (64, 96), (200, 20), (2, 2)])
def test_images_cover(tmp_path: Path, ending: str, size: tuple[int, int]) -> None:
    picture = draw(Background("image", image=save(tmp_path / f"a.{ending}", halves())), size)
    middle = picture[size[1] * 3 // 4].astype(int)
    assert middle[0, 0] > 150 > middle[0, 2] and middle[-1, 2] > 150 > middle[-1, 0]


def test_cover_keeps_the_middle(tmp_path: Path) -> None:
    image = np.zeros((100, 300, 3), np.uint8)
    image[:, 100:200] = 255
    picture = draw(Background("image", image=save(tmp_path / "a.png", image)), (64, 64))
    assert picture.min() == 255


def test_blur_softens(tmp_path: Path) -> None:
    file = save(tmp_path / "a.png", halves())
    steps = [
        np.abs(np.diff(draw(Background("image", image=file, blur=b)).astype(int), axis=1)).max()
        for b in (0.0, 0.3, 1.0)
    ]
    assert steps[0] > 150 and steps[0] > 2 * steps[1] > 4 * steps[2]


def test_exif_orientation_is_heeded(tmp_path: Path) -> None:
    """Orientation 6, as phones write it: the stored left side is the top."""
    done, data = cv2.imencode(".jpg", halves(80, 60))
    assert done
    tiff = b"II*\0\x08\0\0\0" + struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, 6, 0, 0)
    exif = b"Exif\0\0" + tiff
    raw = data.tobytes()
    turned = raw[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + raw[2:]
    file = tmp_path / "phone.jpg"
    file.write_bytes(turned)
    picture = draw(Background("image", image=file), (60, 80)).astype(int)
    assert picture[5, 10, 0] > 150 and picture[75, 10, 2] > 150  # red above blue
    assert picture[5, 55].min() > 200  # the bar, on the right


def test_grey_and_transparent_pictures(tmp_path: Path) -> None:
    grey = save(tmp_path / "grey.png", np.full((30, 30), 77, np.uint8))
    assert (draw(Background("image", image=grey)) == 77).all()
    clear = np.zeros((30, 30, 4), np.uint8)
    clear[:, :, 1], clear[15:, :, 3] = 200, 255
    picture = draw(Background("image", image=save(tmp_path / "clear.png", clear)))
    assert (picture[5] == 255).all() and (picture[-5] == (0, 200, 0)).all()


def bomb(width: int, height: int) -> bytes:
    """A PNG that promises far more than it holds."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is no picture"),
        (b"hello", "is no picture"),
        (b"GIF89a" + bytes(40), "is no picture"),
        (b"\xff\xd8\xff", "is no picture"),
        (bomb(20_000, 20_000), "has 20000×20000 pixels; at most 50 million"),
        (bomb(0, 10), "is no picture"),
    ],
)
def test_what_is_no_picture_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    file = tmp_path / "x.png"
    file.write_bytes(data)
    with pytest.raises(BackgroundError, match=message):
        draw(Background("image", image=file))


def test_damaged_and_missing_pictures_are_refused(tmp_path: Path) -> None:
    file = save(tmp_path / "a.webp", halves())
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(BackgroundError, match="is damaged"):
        draw(Background("image", image=file))
    file.unlink()
    with pytest.raises(BackgroundError, match="cannot be read"):
        draw(Background("image", image=file))


@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("size", [(1, 1), (7, 300), (640, 481)])
def test_header_tells_the_size(ending: str, size: tuple[int, int]) -> None:
    image = np.zeros((size[1], size[0], 3), np.uint8)
    settings = [[]] if ending != ".webp" else [[], [cv2.IMWRITE_WEBP_QUALITY, 101]]
    for setting in settings:
        _, data = cv2.imencode(ending, image, setting)
        assert image_size(data.tobytes()) == size
        for length in (0, 3, 11, 15):
            with pytest.raises(HeaderError):
                image_size(data.tobytes()[:length])


def test_progressive_and_extended_headers() -> None:
    image = np.zeros((33, 44, 3), np.uint8)
    _, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
    assert image_size(jpeg.tobytes()) == (44, 33)
    _, webp = cv2.imencode(".webp", np.zeros((33, 44, 4), np.uint8))
    assert image_size(webp.tobytes()) == (44, 33)
