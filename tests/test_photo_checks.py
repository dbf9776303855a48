"""Each photo that cannot become an avatar is refused in words that help; poor ones get advice."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.avatar.photo import PhotoError, Request, build
from mien.avatar.photo.builder import suggested_name
from mien.avatar.photo.checks import check_face, choose_face
from mien.avatar.photo.geometry import Frame
from mien.avatar.photo.picture import read_photo
from mien.avatar.photo.tones import skin_colour
from mien.avatar.photo.warp import Grid, Spline
from mien.media.tick import Image
from photo_faces import astronaut, encoded, models, presenter, reader, small_astronaut


def refused(photo: Image | bytes, tmp_path: Path, name: str = "me", **more: object) -> PhotoError:
    models()
    data = photo if isinstance(photo, bytes) else encoded(photo)
    request = Request(**{"name": name, "consent": True, "root": tmp_path, **more})  # type: ignore[arg-type]
    with pytest.raises(PhotoError) as caught:
        build(data, request)
    error = caught.value
    assert error.en.endswith(".") and error.zh.endswith("。")
    assert list(tmp_path.iterdir()) == []  # nothing half-made is left
    return error


def checked(photo: Image) -> list[str]:
    """Codes of the advice; raises PhotoError."""
    face, advice = choose_face(reader().faces(photo))
    return [a.code for a in advice + check_face(photo, face)]


def test_no_consent_no_avatar(tmp_path: Path) -> None:
    error = refused(astronaut(), tmp_path, consent=False)
    assert error.code == "no_consent" and "--i-have-the-right-to-use-this-face" in error.en


@pytest.mark.parametrize("data", [b"", b"hello", b"%PDF-1.7", b"GIF89a" + bytes(100)])
def test_not_an_image(data: bytes, tmp_path: Path) -> None:
    assert refused(data, tmp_path).code == "not_an_image"


def test_heic_gets_its_own_words(tmp_path: Path) -> None:
    error = refused(b"\0\0\0\x18ftypheic" + bytes(64), tmp_path)
    assert error.code == "not_an_image" and "JPEG" in error.en


@pytest.mark.parametrize("kind", [".jpg", ".png", ".webp"])
def test_a_truncated_picture_is_damaged(kind: str, tmp_path: Path) -> None:
    data = encoded(small_astronaut(), kind)
    for length in (12, 40, len(data) // 50):
        assert refused(data[:length], tmp_path).code in ("damaged", "not_an_image", "no_face")


def png_header(width: int, height: int) -> bytes:
    """A PNG of a hundred bytes that promises any size."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body
    return start + struct.pack(">I", zlib.crc32(body)) + bytes(60)


@pytest.mark.parametrize("size", [(10_000, 10_000), (7_072, 7_071), (60_000, 100), (2**31, 2**31)])
def test_a_bomb_is_refused_by_its_header(size: tuple[int, int], tmp_path: Path) -> None:
    error = refused(png_header(*size), tmp_path)
    assert error.code == "too_large" and f"{size[0]}×{size[1]}" in error.en


def test_a_real_bomb_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = encoded(np.zeros((10_000, 10_000, 3), np.uint8))

    def decode(*args: object) -> None:
        raise AssertionError("it was decoded")

    monkeypatch.setattr(cv2, "imdecode", decode)
    with pytest.raises(PhotoError) as caught:
        read_photo(bomb)
    assert caught.value.code == "too_large"


def test_no_face(tmp_path: Path) -> None:
    wall = np.full((600, 800, 3), (150, 160, 170), np.uint8)
    assert refused(wall, tmp_path).code == "no_face"


def test_several_faces(tmp_path: Path) -> None:
    error = refused(np.hstack([astronaut(), astronaut()]), tmp_path)
    assert error.code == "several_faces" and "2 faces" in error.en


def test_one_dominant_face_is_taken_and_said() -> None:
    photo = astronaut().copy()
    photo[600:1024, 700:1024] = small_astronaut()[30:454, 60:384]
    assert "largest_face" in checked(photo)


def test_too_small(tmp_path: Path) -> None:
    error = refused(small_astronaut(), tmp_path)
    assert error.code == "too_small" and "107 pixels" in error.en and "160" in error.zh


def test_sideways_and_upside_down(tmp_path: Path) -> None:
    lying = np.ascontiguousarray(np.rot90(astronaut()))
    assert refused(lying, tmp_path).code in ("sideways", "no_face")
    for degrees in (45, -50):
        turn = cv2.getRotationMatrix2D((450.0, 260.0), degrees, 1)
        with pytest.raises(PhotoError) as caught:
            checked(np.asarray(cv2.warpAffine(astronaut(), turn, (1024, 1024)), np.uint8))
        assert caught.value.code == "sideways"


def turned(photo: Image, yaw: float, pitch: float) -> Image:
    """The head turned in depth, by moving the photo as its points would: a likeness, no more."""
    points = reader().faces(photo)[0].points.astype(np.float64)
    centre = points.mean(0)
    centre[2] = points[[234, 454], 2].mean()
    a, b = np.radians(yaw), np.radians(pitch)
    x, y, z = (points - centre).T
    x, z = x * np.cos(a) + z * np.sin(a), z * np.cos(a) - x * np.sin(a)
    moved = np.stack([x, y * np.cos(b) + z * np.sin(b)], 1) + centre[:2]
    height, width = photo.shape[:2]
    grid = Grid((0, 0, width, height), 8)
    edge = np.linspace(0, 1, 6)
    border = np.array([(e * width, s * height) for e in edge for s in (0, 1)])
    border = np.vstack([border, [(s * width, e * height) for e in edge for s in (0, 1)]])
    back = np.vstack([points[::2, :2] - moved[::2], np.zeros_like(border)])
    spline = Spline(np.vstack([moved[::2], border]), grid, Frame.of(points).unit)
    field = grid.full(spline.movement(back))
    x_, y_ = np.meshgrid(np.arange(width), np.arange(height))
    at = (x_ + field[..., 0]).astype(np.float32), (y_ + field[..., 1]).astype(np.float32)
    return np.asarray(cv2.remap(photo, *at, cv2.INTER_LINEAR), np.uint8)


@pytest.mark.parametrize(("yaw", "pitch"), [(-33, 0), (0, 38)])
def test_a_face_that_looks_away_is_refused(yaw: float, pitch: float) -> None:
    with pytest.raises(PhotoError) as caught:
        checked(turned(presenter(), yaw, pitch))
    assert caught.value.code in ("turned_away", "no_face")


def test_a_slightly_turned_face_gets_advice() -> None:
    assert "slightly_turned" in checked(turned(presenter(), 17, 0))
    assert "slightly_turned" not in checked(presenter())


def test_a_cut_off_face_is_refused(tmp_path: Path) -> None:
    points = reader().faces(astronaut())[0].points
    photo = astronaut()[: int(points[17, 1])]
    assert refused(photo, tmp_path).code in ("cut_off", "no_face")


LOWER_FACE = [
    *(93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361),
    *(323, 330, 195, 101),
]


def covered(photo: Image, kind: str) -> Image:
    points = reader().faces(photo)[0].points[:, :2].astype(np.float64)
    frame = Frame.of(points)
    random = np.random.default_rng(0)
    mask = np.zeros(photo.shape[:2], np.uint8)
    if kind in MASKS:
        cv2.fillPoly(mask, [points[LOWER_FACE].astype(np.int32)], 255)
        cover: NDArray[np.float64] = np.full(photo.shape, MASKS[kind], np.float64)
        light = cv2.GaussianBlur(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), (0, 0), frame.unit / 6)
        cover *= (0.75 + 0.25 * light / light.max())[..., None]
        if kind == "striped mask":
            cover += 40 * np.sin(np.arange(photo.shape[1]) / 6)[None, :, None]
    else:
        wide, colour, noise = {
            "hand": (1.0, skin_colour(photo, points) * 0.95, 4.0),
            "microphone": (0.6, np.array([45.0, 45.0, 48.0]), 12.0),
        }[kind]
        middle = frame.pixels(np.array([0.02, 0.07]))
        size = (wide * frame.unit, 0.6 * frame.unit)
        cv2.ellipse(mask, (tuple(middle), size, 8.0), 255, -1)
        cover = colour + random.normal(0, noise, photo.shape)
    share = cv2.GaussianBlur(mask, (0, 0), 1.5)[..., None] / 255
    return np.clip(photo * (1 - share) + cover * share, 0, 255).astype(np.uint8)


MASKS = {
    "white mask": (225, 228, 230),
    "blue mask": (120, 170, 205),
    "black mask": (30, 30, 34),
    "striped mask": (180, 120, 110),
}


COVERS = [(astronaut, "white mask"), (presenter, "black mask"), (presenter, "hand")]
ALIKE = [(astronaut, kind) for kind in (*MASKS, "hand", "microphone") if kind != "white mask"]


@pytest.mark.parametrize(
    ("whose", "kind"),
    [*COVERS, *(pytest.param(*case, marks=pytest.mark.thorough) for case in ALIKE)],
)
def test_a_covered_mouth_is_refused(whose: object, kind: str) -> None:
    photo = astronaut() if whose is astronaut else presenter()
    with pytest.raises(PhotoError) as caught:
        checked(covered(photo, kind))
    assert caught.value.code in ("mouth_covered", "no_face")


def test_uncovered_mouths_pass_in_any_light() -> None:
    for photo in (astronaut(), presenter()):
        grey = cv2.cvtColor(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        dim = np.clip(photo * np.array([0.55, 0.5, 0.42]), 0, 255)
        dark_skin = 255 * (photo / 255) ** 2.2 * np.array([1, 0.85, 0.75])
        for variant in (grey, dark_skin) if photo is astronaut() else (photo, dim):
            checked(np.asarray(variant).astype(np.uint8))


def test_advice_on_smile_blur_and_dark() -> None:
    assert checked(presenter()) == []
    assert "mouth_open" in checked(astronaut())
    assert "blurred" in checked(np.asarray(cv2.GaussianBlur(presenter(), (0, 0), 3), np.uint8))
    assert "dark" in checked((presenter() * 0.25).astype(np.uint8))


def test_strict_turns_advice_into_a_refusal(tmp_path: Path) -> None:
    assert refused(astronaut(), tmp_path, strict=True).code == "mouth_open"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../me", "a/b", "a\\b", "Me", "我", "a b", "-a", "x" * 41, "con", "a.b"]
)
def test_names_that_cannot_be(name: str, tmp_path: Path) -> None:
    error = refused(b"", tmp_path, name=name)  # before anything is read
    assert error.code == "bad_name"
    assert repr(suggested_name(name)) in error.en


def test_a_built_in_name_is_taken_for_good(tmp_path: Path) -> None:
    for force in (False, True):
        error = refused(astronaut(), tmp_path, name="mei", replace_old=force)
        assert error.code == "name_taken" and "'mei-2'" in error.en


def test_suggested_names() -> None:
    assert suggested_name("IMG 2024 (1)") == "img-2024-1"
    assert suggested_name("照片") == "me"
    assert suggested_name("CON") == "me"
