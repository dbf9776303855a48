"""Faces in a photo: where they are, and 468 points of each.

Two MediaPipe networks run by OpenCV. BlazeFace finds faces (Bazarevsky et al. 2019,
https://arxiv.org/abs/1907.05047); Face Mesh places 468 points in a crop of one (Kartynnik et al.
2019, https://arxiv.org/abs/1907.06724). Cropping follows MediaPipe: a square 1.5 times the face,
turned so that the eyes are level.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.avatar.photo.models import DETECTION, LANDMARKS
from mien.media.tick import Image

Floats = NDArray[np.float32]

DETECTOR_SIDE = 128
MESH_SIDE = 192
CROP = 1.5  # of the face's larger side: what the mesh network was trained on
SURE = 0.5  # score of detector and of mesh from which it is a face (MediaPipe's default)
OVERLAP = 0.3  # intersection over union from which two boxes are one face
RIGHT_EYE, LEFT_EYE = 33, 263  # outer corners; the person's right is left in the picture
SEEN = 6  # times the face's side is the largest window that the detector sees it in
WINDOWS = (1.0, 0.5, 0.25)  # of the longer side: the detector sees faces down to 1/6 of its window
LAST_WINDOW = 0.125  # slow; tried when there is no face in the others, so as to say "too small"
PASSES = 2  # of the mesh: the second crop is set from the first points


@dataclass(frozen=True)
class Face:
    """points: float32[468, 3], x and y in pixels of the photo, z in the same unit, smaller is
    nearer to the camera. score: 0…1, how sure the mesh network is that this is a face."""

    points: Floats
    score: float

    @property
    def width(self) -> float:
        """Pixels from cheek to cheek, along the line of the eyes."""
        return float(np.linalg.norm(self.points[454, :2] - self.points[234, :2]))

    @property
    def height(self) -> float:
        """Pixels from the hairline to the chin."""
        return float(np.linalg.norm(self.points[152, :2] - self.points[10, :2]))


class FaceReader:
    """The two networks, loaded once. For one thread at a time."""

    def __init__(self, models: Path) -> None:
        self._detector = cv2.dnn.readNetFromTFLite(str(models / DETECTION.name))
        self._mesh = cv2.dnn.readNetFromTFLite(str(models / LANDMARKS.name))
        self._anchors = _anchors()

    def faces(self, photo: Image, smallest: float = 0.0) -> list[Face]:
        """Every face in ``photo`` (uint8[H, W, 3] RGB), the largest first.

        smallest: pixels of the larger side of the smallest face that matters; searching for tiny
        ones costs most of the time.
        """
        boxes, scores, eyes = self._detect(photo, smallest)
        kept = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), SURE, OVERLAP)
        found: list[Face] = []
        for i in np.asarray(kept).ravel():
            x, y, width, height = boxes[i]
            face = self._points(photo, (x + width / 2, y + height / 2), max(width, height), eyes[i])
            if face is not None and not any(_same(face, other) for other in found):
                found.append(face)
        return sorted(found, key=lambda f: -f.width * f.height)

    def follow(self, photo: Image, face: Face) -> Face | None:
        """``face`` in the next picture of a film, without searching; None when it is not there.

        photo: uint8[H, W, 3] RGB.
        """
        points = face.points[:, :2]
        low, high = points.min(0), points.max(0)
        x, y = (low + high) / 2
        eyes = points[[RIGHT_EYE, LEFT_EYE]]
        found = self._points(photo, (float(x), float(y)), float((high - low).max()), eyes)
        return found if found is not None and _same(found, face) else None

    def _detect(self, photo: Image, smallest: float) -> tuple[Floats, Floats, Floats]:
        """Boxes float32[n, 4] x, y, w, h; scores float32[n]; eyes float32[n, 2, 2]; pixels."""
        height, width = photo.shape[:2]
        boxes: list[Floats] = []
        scores: list[Floats] = []
        eyes: list[Floats] = []
        for share in (*WINDOWS, LAST_WINDOW):
            side = max(height, width) * share
            found = sum(len(s) for s in scores)
            if share < 1 and (side < 2 * DETECTOR_SIDE or (share == LAST_WINDOW and found)):
                continue
            if share < 1 and 2 * side < SEEN * smallest:  # the window before shows it
                continue
            for left, top in _window_corners(width, height, side):
                scale = DETECTOR_SIDE / side
                place = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]], np.float32)
                small = _shrunk(photo, place, DETECTOR_SIDE)
                b, s, e = self._window(small)
                boxes.append(b / scale + np.array([left, top, 0, 0], np.float32))
                eyes.append(e / scale + np.array([left, top], np.float32))
                scores.append(s)
        return np.concatenate(boxes), np.concatenate(scores), np.concatenate(eyes)

    def _window(self, small: Image) -> tuple[Floats, Floats, Floats]:
        self._detector.setInput(small.astype(np.float32).transpose(2, 0, 1)[None] / 127.5 - 1)
        # One by one: OpenCV 5 takes each of these networks to have a single output.
        raw = self._detector.forward("regressors").reshape(-1, 16)
        logits = self._detector.forward("classificators")
        score = 1 / (1 + np.exp(-np.clip(logits.ravel(), -50, 50)))
        sure = score > SURE
        raw, anchor = raw[sure], self._anchors[sure]
        centre = raw[:, :2] + anchor
        boxes = np.concatenate([centre - raw[:, 2:4] / 2, raw[:, 2:4]], 1)
        eyes = raw[:, 4:8].reshape(-1, 2, 2) + anchor[:, None]
        return boxes, score[sure].astype(np.float32), eyes

    def _points(
        self, photo: Image, centre: tuple[float, float], side: float, eyes: Floats
    ) -> Face | None:
        middle = np.array(centre, np.float32)
        score, points = 0.0, np.zeros((468, 3), np.float32)
        for _ in range(PASSES):
            dx, dy = eyes[1] - eyes[0]
            points, score = self._mesh_in(photo, middle, side * CROP, float(np.arctan2(dy, dx)))
            if score < SURE:
                return None
            eyes = points[[RIGHT_EYE, LEFT_EYE], :2]
            low, high = points[:, :2].min(0), points[:, :2].max(0)
            middle, side = (low + high) / 2, float((high - low).max())
        return Face(points, score)

    def _mesh_in(
        self, photo: Image, centre: Floats, side: float, turn: float
    ) -> tuple[Floats, float]:
        scale = MESH_SIDE / side
        cos, sin = np.cos(turn), np.sin(turn)
        level = np.array([[cos, sin], [-sin, cos]], np.float32)
        shift = MESH_SIDE / 2 - scale * level @ centre
        place = np.concatenate([scale * level, shift[:, None]], 1)
        small = _shrunk(photo, place, MESH_SIDE)
        self._mesh.setInput(small.astype(np.float32).transpose(2, 0, 1)[None] / 255)
        points = self._mesh.forward("conv2d_21").reshape(468, 3).astype(np.float32)
        flag = self._mesh.forward("conv2d_31")
        points[:, :2] = (points[:, :2] - shift) @ level / scale
        points[:, 2] /= scale
        return points, float(1 / (1 + np.exp(-flag.ravel()[0])))


def _anchors() -> Floats:
    """Centres of BlazeFace's 896 anchors, float32[896, 2], pixels of its input: two for each
    cell of 8 pixels, then six for each of 16."""
    found = []
    for cell, each in ((8, 2), (16, 6)):
        middle = np.arange(cell / 2, DETECTOR_SIDE, cell, dtype=np.float32)
        y, x = np.meshgrid(middle, middle, indexing="ij")
        found.append(np.repeat(np.stack([x.ravel(), y.ravel()], 1), each, 0))
    return np.concatenate(found)


def _window_corners(width: int, height: int, side: float) -> list[tuple[float, float]]:
    """Left tops of squares that overlap by half and cover the picture."""

    def steps(length: int) -> list[float]:
        if length <= side:
            return [(length - side) / 2]
        count = int(np.ceil((length - side) / (side / 2))) + 1
        return [float(v) for v in np.linspace(0, length - side, count)]

    return [(left, top) for top in steps(height) for left in steps(width)]


def _shrunk(photo: Image, place: Floats, side: int) -> Image:
    """``photo`` through the affine ``place`` (float32[2, 3]) into a square, without aliasing:
    warpAffine alone would skip pixels when it makes the picture much smaller."""
    scale = float(np.hypot(place[0, 0], place[0, 1]))
    if scale >= 0.7:
        return np.asarray(cv2.warpAffine(photo, place, (side, side)), np.uint8)
    inverse = cv2.invertAffineTransform(place)
    corners = np.array([[0, 0], [side, 0], [0, side], [side, side]], np.float32)
    corners = corners @ inverse[:, :2].T + inverse[:, 2]
    height, width = photo.shape[:2]
    left, top = np.clip(np.floor(corners.min(0)), 0, (width - 1, height - 1)).astype(int)
    right, bottom = np.clip(np.ceil(corners.max(0)), (left + 1, top + 1), (width, height)).astype(
        int
    )
    part = photo[top:bottom, left:right]
    size = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    sx, sy = size[0] / part.shape[1], size[1] / part.shape[0]
    rest = place.astype(np.float64).copy()
    rest[:, 2] += rest[:, 0] * left + rest[:, 1] * top
    rest[:, 0] /= sx
    rest[:, 1] /= sy
    return np.asarray(cv2.warpAffine(small, rest, (side, side)), np.uint8)


def _same(a: Face, b: Face) -> bool:
    apart = np.linalg.norm(a.points[:, :2].mean(0) - b.points[:, :2].mean(0))
    return bool(apart < 0.4 * max(a.width, b.width))
