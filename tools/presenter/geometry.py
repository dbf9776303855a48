"""Where each surface point of the face is in each picture, without Blender.

A morph between two pictures needs to know where every visible point goes. The meshes know it
exactly: project their vertices for every face, compress the trajectories (a few principal
movements describe all of them), and draw the movements of the visible surface as low-resolution
fields.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from person import Person, metres
from shapes import Face

Array = NDArray[np.float64]
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Camera:
    """The stage's pinhole in numbers, metres: level with the eyes, ``drop`` = how far the
    picture's middle lies below them at the figure."""

    distance: float
    eyes: float
    drop: float
    half_width: float
    size: int

    @classmethod
    def of(cls, person: Person, size: int) -> Camera:
        spec = person.spec["camera"]
        eyes = 0.1 * float(person.eyes[1])
        return cls(spec["distance"], eyes, spec["drop"], spec["half_width"], size)

    def project(self, world: Array) -> Array:
        """World metres float[n, 3] → pixel x, pixel y, distance from the camera (m)."""
        depth = world[:, 1] + self.distance
        scale = self.distance / depth / self.half_width * self.size / 2
        x = world[:, 0] * scale + self.size / 2
        middle = self.size / 2 * (1 - self.drop / self.half_width)
        y = (self.eyes - world[:, 2]) * scale + middle
        return np.stack([x, y, depth], 1)


class Surface:
    """The face's meshes as one list of triangles, projected for any expression."""

    def __init__(self, person: Person, camera: Camera, parts: tuple[str, ...]) -> None:
        self.person, self.camera, self.parts = person, camera, parts
        faces = [person.base.faces[i] for i in person.visible_body()]
        triangles = [triangles_of(faces)]
        offset = len(person.rest)
        for name in parts:
            mesh = person.proxies[name].mesh
            triangles.append(triangles_of(mesh.faces) + offset)
            offset += len(mesh.vertices)
        self.triangles = np.concatenate(triangles)
        self.skin = np.unique(triangles[0])

    def project(self, face: Face) -> Array:
        """Pixels and depth of every vertex, float[n, 3]."""
        base = self.person.expression(face.weights)
        vertices = [self.person.lower_arms(base)]
        vertices += [self.person.posed(name, base, face) for name in self.parts]
        return self.camera.project(metres(np.concatenate(vertices)))


def triangles_of(faces: list[list[int]]) -> NDArray[np.int64]:
    return np.array([(f[0], f[k], f[k + 1]) for f in faces for k in range(1, len(f) - 1)])


def rasterise(
    triangles: NDArray[np.int64], points: Array, box: Box, scale: int = 2
) -> tuple[NDArray[np.int32], Array]:
    """Painter's algorithm: per pixel of the enlarged box the front triangle (-1: none), and
    barycentric weights float[h, w, 3]."""
    left, top, width, height = box
    at = (points[:, :2] - (left, top)) * scale
    corners = at[triangles]
    near = points[triangles, 2].mean(1)
    low, high = corners.min(1), corners.max(1)
    seen = (high[:, 0] > 0) & (low[:, 0] < width * scale)
    seen &= (high[:, 1] > 0) & (low[:, 1] < height * scale)
    order = np.flatnonzero(seen)
    order = order[np.argsort(-near[order])]
    ids = np.full((height * scale, width * scale), -1, np.int32)
    fixed = np.round((corners - 0.5) * 16).astype(np.int32)
    for t in order:
        cv2.fillConvexPoly(ids, fixed[t], int(t), lineType=cv2.LINE_8, shift=4)
    y, x = np.mgrid[0 : height * scale, 0 : width * scale] + 0.5
    a, b, c = (corners[ids, k] for k in range(3))
    det = (b[..., 1] - c[..., 1]) * (a[..., 0] - c[..., 0])
    det += (c[..., 0] - b[..., 0]) * (a[..., 1] - c[..., 1])
    det = np.where(abs(det) < 1e-9, 1e-9, det)
    u = (b[..., 1] - c[..., 1]) * (x - c[..., 0]) + (c[..., 0] - b[..., 0]) * (y - c[..., 1])
    v = (c[..., 1] - a[..., 1]) * (x - c[..., 0]) + (a[..., 0] - c[..., 0]) * (y - c[..., 1])
    u, v = np.clip(u / det, 0, 1), np.clip(v / det, 0, 1)
    return ids, np.stack([u, v, np.clip(1 - u - v, 0, 1)], -1)


@dataclass(frozen=True)
class Morph:
    """coefficients float32[faces, k]: where each face lies in the space of movements.
    fields float32[pictures, k, 2, gh, gw]: pixels that the visible surface of each picture moves
    per unit of each coefficient, on a grid of ``step`` pixels over the box."""

    coefficients: NDArray[np.float32]
    fields: NDArray[np.float32]
    step: int


def morph(
    surface: Surface, faces: list[Face], box: Box, step: int, border: int, rank: int = 10
) -> Morph:
    """The movements between the pictures of ``faces``; they fade out within ``border`` pixels."""
    points = [surface.project(f) for f in faces]
    left, top, width, height = box
    flat = np.stack([p[:, :2] for p in points])
    close = (abs(flat[0] - (left + width / 2, top + height / 2)) < (width, height)).all(1)
    paths = flat[:, close].reshape(len(points), -1)
    u, s, vt = np.linalg.svd(paths - paths[0], full_matrices=False)
    rank = min(rank, len(s))
    size = np.abs(u[:, :rank] * s[:rank]).max(0) + 1e-9
    coefficients = u[:, :rank] * s[:rank] / size
    movements = np.zeros((rank, len(flat[0]), 2))
    movements[:, close] = (vt[:rank] * size[:, None]).reshape(rank, -1, 2)
    rest = np.abs(coefficients @ (vt[:rank] * size[:, None]) - (paths - paths[0])).max()
    print(f"{len(faces)} pictures, {rank} movements, largest error {rest:.2f} px")

    fields = np.zeros((len(faces), rank, 2, height // step, width // step), np.float32)
    edge = _edge_taper(width, height, border)
    for i in range(len(faces)):
        ids, weights = rasterise(surface.triangles, points[i], box)
        visible = (ids >= 0)[..., None]
        corner = surface.triangles[np.maximum(ids, 0)]
        for k in range(rank):
            full = (movements[k][corner] * weights[..., None]).sum(2) * visible
            full = cv2.resize(full, (width, height), interpolation=cv2.INTER_AREA)
            # Blurred a little: a fold in the field would tear the picture.
            full = cv2.GaussianBlur(full, (0, 0), 0.375 * step) * edge[..., None]
            small = cv2.resize(full, (width // step, height // step), interpolation=cv2.INTER_AREA)
            fields[i, k] = small.transpose(2, 0, 1)
    return Morph(coefficients.astype(np.float32), fields, step)


def _edge_taper(width: int, height: int, border: int) -> Array:
    x = np.minimum(np.arange(width), np.arange(width)[::-1]) / border
    y = np.minimum(np.arange(height), np.arange(height)[::-1]) / border
    t = np.clip(np.minimum(x[None], y[:, None]), 0, 1)
    return t * t * (3 - 2 * t)


def reach(surface: Surface, faces: list[Face], margin: int, step: int) -> Box:
    """The box of all that moves by more than half a pixel between the first and any other of
    ``faces``, and a margin; its sides are multiples of ``step``."""
    points = [surface.project(f)[:, :2] for f in faces]
    moved = np.max([np.linalg.norm(p - points[0], axis=1) for p in points], 0) > 0.5
    seen = np.zeros(len(moved), bool)
    seen[surface.skin] = True
    at = np.concatenate([p[moved & seen] for p in points])
    left, top = np.floor(at.min(0) - margin).astype(int)
    right, bottom = np.ceil(at.max(0) + margin).astype(int)
    return (
        int(left),
        int(top),
        -int((left - right) // step) * step,
        -int((top - bottom) // step) * step,
    )
