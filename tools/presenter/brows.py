"""Eyebrow hairs, grown on the skin along the brow proxy's middle line."""

from __future__ import annotations

import numpy as np
from meshes import Vertices
from person import Person
from scipy.spatial import cKDTree
from strands import Strands


def brow_strands(person: Person, base: Vertices) -> Strands:
    """Decimetres; the same hairs for every expression (fixed seed)."""
    rng = np.random.default_rng(5)
    card = person.proxies["brows"].fit(base)
    skin = _forehead(person, base, rng)
    tree = cKDTree(skin[:, :2])
    strands: Strands = []
    for side in (-1, 1):
        half = card[card[:, 0] * side > 0]
        across = abs(half[:, 0])
        bins = np.linspace(0.10, 0.56, 12)
        line = [half[abs(across - u) < 0.07, 1].mean() for u in bins]
        n = person.spec["brows"]["hairs"]
        s = rng.beta(1.2, 1.25, n)  # 0 at the nose … 1 at the temple
        x = 0.125 + 0.40 * s
        middle = np.interp(x, bins, line) + 0.03 * np.sin(np.pi * np.clip(s * 1.1 - 0.1, 0, 1))
        width = 0.036 * np.clip(s * 5 + 0.35, 0, 1) * (1 - 0.72 * s)
        y = middle + rng.normal(0, 0.5, n) * width
        for k in range(n):
            angle = np.interp(s[k], [0, 0.25, 0.7, 1], [1.2, 0.55, 0.12, -0.25])
            angle += rng.normal(0, 0.14) - np.sign(y[k] - middle[k]) * 0.25 * (s[k] > 0.2)
            length = 0.07 + 0.03 * rng.random()
            t = np.linspace(0, 1, 6)
            hair = np.stack(
                [
                    (x[k] + np.cos(angle) * length * t) * side,
                    y[k] + np.sin(angle) * length * t - 0.012 * t * t,
                    np.zeros(6),
                ],
                1,
            )
            near = tree.query(hair[:, :2], k=4)[1]
            hair[:, 2] = (
                np.sort(skin[near, 2], 1)[:, 1:].mean(1) + 0.004 + 0.012 * np.sin(np.pi * t)
            )
            strands.append(hair)
    return strands


def _forehead(person: Person, base: Vertices, rng: np.random.Generator) -> Vertices:
    """Points sampled on the front skin above the eyes, float[n, 3]."""
    triangles = [
        corner
        for face, group in zip(person.base.faces, person.base.groups, strict=True)
        if group == "body" and base[face, 1].min() > 6.3 and base[face, 2].max() > 0.7
        for corner in (face[:3], [face[0], face[2], face[3]])
    ]
    points = base[np.array(triangles)]
    pick = rng.integers(0, len(points), 60_000)
    out = (points[pick] * rng.dirichlet((1, 1, 1), 60_000)[:, :, None]).sum(1)
    return out[out[:, 2] > 0.6]
