"""How each layer moves with the head: depth before the neck's axis, and share of the turn."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from geometry import Box, Camera, rasterise, triangles_of
from hair import Hair
from numpy.typing import NDArray
from person import Person, metres
from shapes import Face

Array = NDArray[np.float64]

STEP = 8  # pixels between the samples of a map
COARSE = 2  # times smaller than the canvas are the pictures the maps are made from
BACK = 0.2  # of the depth of the hair behind
HAIR_SHARE = 0.15  # of the strands: enough to know where the hair is


@dataclass(frozen=True)
class Relief:
    """depth: layer → float32[h, w] on a grid of STEP pixels; follow: the body's, the others turn
    wholly. chin, neck: rows of the canvas. headness: float[size, size], of the skin in front
    (-9: no skin there). cloth: where a garment is in front."""

    depth: dict[str, NDArray[np.float32]]
    follow: NDArray[np.float32]
    chin: float
    neck: float
    headness: Array
    cloth: NDArray[np.bool_]

    @classmethod
    def of(cls, person: Person, camera: Camera) -> Relief:
        full, camera = camera.size, replace(camera, size=camera.size // COARSE)
        size, base = camera.size, person.rest
        everything = (0, 0, size, size)
        faces = triangles_of([person.base.faces[i] for i in person.visible_body()])
        skin = camera.project(metres(person.lower_arms(base)))
        ids, weights = rasterise(faces, skin, everything, 1)
        front = np.where(ids >= 0, (skin[faces[np.maximum(ids, 0)], 2] * weights).sum(2), np.inf)
        headness = person.headness()
        shown = (headness[faces[np.maximum(ids, 0)]] * weights).sum(2)
        shown = np.where(ids >= 0, shown, -9.0)
        garments = np.full((size, size), np.inf)
        for proxy in person.clothes:
            v = camera.project(metres(person.lower_arms(proxy.fit(base))))
            mesh = triangles_of(proxy.mesh.faces)
            hit, w = rasterise(mesh, v, everything, 1)
            z = np.where(hit >= 0, (v[mesh[np.maximum(hit, 0)], 2] * w).sum(2), np.inf)
            garments = np.minimum(garments, z)
        cloth = garments < front
        head = np.where(shown > -0.1, front, np.inf)
        torso = np.where(cloth, garments, np.where(shown < 0.1, front, np.inf))
        skull = base[(headness > 0.5) & (abs(base[:, 0]) < 0.9), 2]
        axis = camera.distance - 0.03 * float(np.median(skull))
        hair = Hair(person, HAIR_SHARE)
        layers = {"body": torso, "head": np.minimum(head, _strands(hair.front, camera))}
        if hair.back:
            layers["back"] = _strands(hair.back, camera)
            # A flat picture has no side to show: at its true depth its edge would come out from
            # behind the head's outline.
            layers["back"] = axis + BACK * (layers["back"] - axis)
        scale = camera.size / 2 / camera.half_width
        step = STEP // COARSE
        at = np.arange(full // STEP) * step + step // 2
        depth = {
            name: COARSE
            * _smooth((axis - z) * scale, np.isfinite(z))[np.ix_(at, at)].astype(np.float32)
            for name, z in layers.items()
        }
        chin, neck, low = (
            float(camera.project(metres(np.array([[0.0, y, person.chin[2]]])))[0, 1])
            for y in (person.chin[1], person.chin[1] - 0.3, person.chin[1] - 0.8)
        )
        rows = np.clip((low - np.arange(size)) / (low - chin), 0, 1)
        cloth = cv2.morphologyEx(cloth.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3)))
        free = 1 - cv2.GaussianBlur(cloth.astype(np.float64), (0, 0), 5)
        follow = cv2.GaussianBlur((rows * rows * (3 - 2 * rows))[:, None] * free, (0, 0), 3)
        follow = follow[np.ix_(at, at)].astype(np.float32)
        shown = cv2.resize(shown, (full, full), interpolation=cv2.INTER_NEAREST)
        cloth = cv2.resize(cloth, (full, full), interpolation=cv2.INTER_NEAREST) > 0
        return cls(depth, follow, COARSE * chin, COARSE * neck, shown, cloth)


def headness_in(person: Person, camera: Camera, face: Face, box: Box) -> Array:
    """Headness of the skin in front, float[h, w] of the box; -9 where there is none."""
    base = person.expression(face.weights)
    faces = triangles_of([person.base.faces[i] for i in person.visible_body()])
    ids, weights = rasterise(faces, camera.project(metres(person.lower_arms(base))), box, 1)
    shown = (person.headness()[faces[np.maximum(ids, 0)]] * weights).sum(2)
    return np.where(ids >= 0, shown, -9.0)


def _strands(strands: list[Array], camera: Camera) -> Array:
    """Distance of the nearest hair, float[size, size]; inf where there is none."""
    points = camera.project(metres(np.concatenate(strands)))
    out = np.full((camera.size, camera.size), np.inf)
    x, y = points[:, 0].astype(int), points[:, 1].astype(int)
    inside = (x >= 0) & (x < camera.size) & (y >= 0) & (y < camera.size)
    np.minimum.at(out, (y[inside], x[inside]), points[inside, 2])
    near = np.where(np.isfinite(out), out, 99.0).astype(np.float32)
    near = cv2.erode(near, np.ones((5, 5)))
    return np.where(near < 99, near, np.inf).astype(np.float64)


def _smooth(value: Array, known: NDArray[np.bool_]) -> Array:
    """Continued beyond what is known: each wider blur fills what the narrower one left open."""
    mask, value = known.astype(np.float64), np.where(known, value, 0.0)
    filled, seen = np.zeros_like(value), np.zeros_like(value)
    for sigma in (3, 9, 24, 60, 150):
        weight = cv2.GaussianBlur(mask, (0, 0), sigma)
        mean = cv2.GaussianBlur(value, (0, 0), sigma) / np.maximum(weight, 1e-9)
        take = np.clip(weight * 3, 0, 1) * (1 - seen)
        filled, seen = filled + take * mean, seen + take
    return cv2.GaussianBlur(filled / np.maximum(seen, 1e-6), (0, 0), 7)
