"""Turn hair cards (flat textured strips) into real strands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from meshes import Vertices
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Strands = list[Vertices]


@dataclass(frozen=True)
class Style:
    """Lengths in decimetres. thickness: range of the offset along the card's normal."""

    count: int
    step: float
    length: float
    thickness: tuple[float, float]
    jitter: float
    min_length: float = 0.0
    samples: int = 60_000
    clump: float = 0.0  # how much neighbours gather into locks, towards the tip


def _unit(a: Vertices) -> Vertices:
    return a / (np.linalg.norm(a, axis=-1, keepdims=True) + 1e-12)


def trace(
    vertices: Vertices,
    faces: list[list[int]],
    uv: NDArray[np.float64],
    uv_faces: list[list[int]],
    style: Style,
    rng: np.random.Generator,
) -> Strands:
    """Curves that follow the card's V direction (root to tip), from random roots both ways."""
    corners, uv_corners = _triangles(faces), _triangles(uv_faces)
    points, coords = vertices[corners], uv[uv_corners]
    e1, e2 = points[:, 1] - points[:, 0], points[:, 2] - points[:, 0]
    d1, d2 = coords[:, 1] - coords[:, 0], coords[:, 2] - coords[:, 0]
    det = d1[:, 0] * d2[:, 1] - d1[:, 1] * d2[:, 0]
    usable = abs(det) > 1e-9
    inverse = np.where(usable, 1 / np.where(usable, det, 1), 0)[:, None]
    along = _unit((e2 * d1[:, 0:1] - e1 * d2[:, 0:1]) * inverse)
    normal = np.cross(e1, e2)
    area = np.linalg.norm(normal, axis=1)
    normal = normal / (area[:, None] + 1e-12)

    vertex_along, vertex_normal = np.zeros_like(vertices), np.zeros_like(vertices)
    for k in range(3):
        np.add.at(vertex_along, corners[:, k], along * area[:, None])
        np.add.at(vertex_normal, corners[:, k], normal * area[:, None])
    vertex_along, vertex_normal = _unit(vertex_along), _unit(vertex_normal)
    chance = area * usable
    chance = chance / chance.sum()

    def sample(count: int) -> tuple[Vertices, Vertices, Vertices]:
        t = rng.choice(len(corners), count, p=chance)
        b = rng.dirichlet((1, 1, 1), count)[:, :, None]
        at = corners[t]
        return (
            (vertices[at] * b).sum(1),
            _unit((vertex_along[at] * b).sum(1)),
            _unit((vertex_normal[at] * b).sum(1)),
        )

    cloud, cloud_along, cloud_normal = sample(style.samples)
    tree = cKDTree(cloud)
    edge = 4.4 * np.sqrt(area.sum() / 2 / style.samples)

    def walk(at: Vertices, sign: int, steps: int) -> tuple[Vertices, NDArray[np.bool_], Vertices]:
        at, alive = at.copy(), np.ones(len(at), bool)
        path, lives, normals = [], [], []
        for _ in range(steps):
            distance, near = tree.query(at, k=4)
            weight = 1 / (distance + 1e-4)
            weight = (weight / weight.sum(1, keepdims=True))[:, :, None]
            direction = _unit((cloud_along[near] * weight).sum(1))
            up = _unit((cloud_normal[near] * weight).sum(1))
            middle = (cloud[near] * weight).sum(1)
            alive = alive & (distance[:, 0] < edge)
            at = at - up * ((at - middle) * up).sum(1, keepdims=True)
            path.append(at.copy())
            lives.append(alive)
            normals.append(up)
            at = at + sign * style.step * direction
        return np.array(path), np.array(lives), np.array(normals)

    roots, _, _ = sample(style.count)
    half = int(style.length / style.step / 2)
    ahead, ahead_alive, ahead_up = walk(roots, 1, half)
    back, back_alive, back_up = walk(roots, -1, half)
    lift = rng.uniform(*style.thickness, size=style.count)
    phase = rng.uniform(0, 2 * np.pi, (style.count, 3))
    strands: Strands = []
    for i in range(style.count):
        before = back[1:][back_alive[1:, i], i][::-1]
        before_up = back_up[1:][back_alive[1:, i], i][::-1]
        line = np.concatenate([before, ahead[ahead_alive[:, i], i]])
        up = np.concatenate([before_up, ahead_up[ahead_alive[:, i], i]])
        if len(line) < 4 or len(line) * style.step < style.min_length:
            continue
        t = np.linspace(0, 1, len(line))
        wave = np.stack([np.sin(phase[i, k] + t * (3 + 2 * k)) for k in range(3)], 1)
        strands.append(line + up * lift[i] + style.jitter * wave * t[:, None])
    return _clumped(strands, style.clump, rng) if style.clump else strands


def _clumped(strands: Strands, strength: float, rng: np.random.Generator) -> Strands:
    """Each strand leans towards the nearest of a few guides, more at its tip."""
    middle = np.array([s[len(s) // 2] for s in strands])
    guides = rng.choice(len(strands), max(1, len(strands) // 40), replace=False)
    nearest = guides[cKDTree(middle[guides]).query(middle)[1]]
    out = []
    for strand, g in zip(strands, nearest, strict=True):
        guide = strands[g]
        reach, at = cKDTree(guide).query(strand)
        t = np.linspace(0, 1, len(strand)) ** 1.5
        pull = strength * t * np.clip(1 - reach / 0.4, 0, 1)
        out.append(strand + (guide[at] - strand) * pull[:, None])
    return out


def _triangles(faces: list[list[int]]) -> NDArray[np.int64]:
    return np.array([(f[0], f[k], f[k + 1]) for f in faces for k in range(1, len(f) - 1)])
