"""Faces are found where they are, at any size and tilt."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mien.avatar.photo.checks import angles
from mien.avatar.photo.geometry import Frame
from mien.avatar.photo.lips import gap, with_lip_line
from mien.avatar.photo.picture import read_photo
from mien.media.tick import Image
from photo_faces import astronaut, encoded, presenter, reader, small_astronaut


def test_points_lie_on_the_face() -> None:
    """The places were read off the enlarged picture by eye."""
    points = reader().faces(small_astronaut())[0].points[:, :2]
    for found, seen in (
        (points[[33, 133]].mean(0), (203, 102)),  # eyes
        (points[[362, 263]].mean(0), (247, 104)),
        (points[4], (223, 127)),  # tip of the nose
        (points[61], (203, 140)),  # corners of the mouth
        (points[291], (245, 140)),
        (points[13], (223, 142)),  # edges of the lips
        (points[14], (223, 149)),
        (points[152], (222, 178)),  # chin
    ):
        assert np.linalg.norm(found - seen) < 3.5, (found, seen)


@pytest.mark.parametrize("degrees", [-35, 15])
def test_a_tilted_head_has_the_same_points(degrees: float) -> None:
    photo = astronaut()
    turn = cv2.getRotationMatrix2D((450.0, 260.0), degrees, 1)
    turned = np.asarray(cv2.warpAffine(photo, turn, (1024, 1024)), np.uint8)
    upright = reader().faces(photo)[0].points[:, :2]
    tilted = reader().faces(turned)[0].points[:, :2]
    apart = np.linalg.norm(tilted - (upright @ turn[:, :2].T + turn[:, 2]), axis=1)
    assert np.median(apart) < 0.02 * Frame.of(upright).unit


def test_a_small_face_in_a_large_photo_is_found() -> None:
    wall = np.full((2400, 3600, 3), 128, np.uint8)
    wall[1200:1712, 2000:2512] = small_astronaut()
    faces = reader().faces(wall)
    assert len(faces) == 1
    assert np.linalg.norm(faces[0].points[4, :2] - (2227, 1331)) < 6


def test_every_face_is_found_once_and_the_largest_comes_first() -> None:
    both = np.hstack([small_astronaut(), astronaut()[:512, 200:712]])
    faces = reader().faces(both)
    assert [round(f.width / faces[1].width, 1) for f in faces] == [2.0, 1.0]


def test_nothing_is_no_face() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (600, 600, 3)).astype(np.uint8)
    assert reader().faces(noise) == []
    assert reader().faces(np.full((300, 900, 3), 200, np.uint8)) == []


def test_faces_that_look_at_the_camera_have_no_angle() -> None:
    for photo in (astronaut(), presenter()):
        yaw, pitch, roll = angles(reader().faces(photo)[0].points.astype(np.float64))
        assert abs(yaw) < 4 and abs(pitch) < 5 and abs(roll) < 5


def test_the_lip_line_is_where_the_photo_is_dark() -> None:
    photo = presenter()
    points = reader().faces(photo)[0].points[:, :2].astype(np.float64)
    refined = with_lip_line(photo, points)
    assert gap(refined) == 0
    assert _light_on_line(photo, refined) < _light_on_line(photo, points) - 5


def _light_on_line(photo: Image, points: np.ndarray) -> float:
    line = points[[81, 82, 13, 312, 311]].astype(np.float32)
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    return float(cv2.remap(grey, line[:, :1], line[:, 1:], cv2.INTER_LINEAR).mean())


def test_parted_lips_stay_parted() -> None:
    points = reader().faces(astronaut())[0].points[:, :2].astype(np.float64)
    assert gap(points) > 0.1
    assert np.array_equal(with_lip_line(astronaut(), points), points)


def test_exif_orientation_is_respected() -> None:
    lying = np.ascontiguousarray(np.rot90(small_astronaut()))
    plain = encoded(lying, ".jpg")
    # Orientation 6: show it turned by 90° clockwise.
    tiff = b"MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00"
    block = b"Exif\x00\x00" + tiff + b"\x00\x00\x00\x00"
    exif = b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block
    upright = read_photo(plain[:2] + exif + plain[2:])
    assert abs(upright.astype(int) - read_photo(encoded(small_astronaut(), ".jpg"))).mean() < 3
