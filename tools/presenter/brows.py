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
    spec = person.spec["brows"]
    card = person.proxies["brows"].fit(base)
    skin = _forehead(person, base, rng)
    tree = cKDTree(skin[:, :2])
    strands: Strands = []
    for side in (-1, 1):
        half = card[card[:, 0] * side > 0]
        across = abs(half[:, 0])
        first, last = np.quantile(across, [0.02, 0.98])
        bins = np.linspace(first, last, 12)
        line = np.array([half[abs(across - u) < 0.07, 1].mean() for u in bins]) + spec["lift"]
        straight = np.polyval(np.polyfit(bins, line, 1), bins)
        arch, fall = line - straight, straight - straight.mean()
        line = straight.mean() + (1 - spec["flat"]) * arch + spec["fall"] * fall
        slope = np.gradient(line, bins)
        n = spec["hairs"]
        s = rng.beta(1.25, 1.15, n)  # 0 at the nose … 1 at the temple
        x = first + 0.01 + (last - first - spec["shorter"]) * s
        # Thin where it begins, fullest at a quarter, drawn out to a point.
        width = spec["width"] * np.clip(s * 4 + 0.45, 0, 1) * (1 - 0.6 * s**2)
        off = np.clip(rng.normal(0, 0.42, n), -1, 1)
        y = np.interp(x, bins, line) + off * width
        along = np.arctan(np.interp(x, bins, slope))
        rise = np.interp(s, [0, 0.15, 0.5, 1], [1.05, 0.62, 0.25, 0.05])
        # The upper hairs lie down, the lower ones rise: they meet in the middle.
        angle = along + rise - 0.30 * off * np.clip(s * 4, 0, 1) + rng.normal(0, 0.10, n)
        length = spec["length"] * rng.uniform(0.7, 1.15, n) * (1 - 0.25 * s)
        t = np.linspace(0, 1, 6)
        for k in range(n):
            bend = angle[k] - 0.35 * t * rise[k]
            steps = length[k] / 5 * np.stack([np.cos(bend), np.sin(bend)], 1)
            steps[0] = x[k], y[k]
            path = np.cumsum(steps, 0)
            hair = np.stack([path[:, 0] * side, path[:, 1], np.zeros(6)], 1)
            near = tree.query(hair[:, :2], k=4)[1]
            hair[:, 2] = np.sort(skin[near, 2], 1)[:, 1:].mean(1) + 0.003
            hair[:, 2] += 0.009 * np.sin(np.pi * t)
            strands.append(hair)
    return strands


def _forehead(person: Person, base: Vertices, rng: np.random.Generator) -> Vertices:
    """Points sampled on the front skin above the eyes, float[n, 3]."""
    low, behind = person.eyes[1] - 0.1, person.eyes[2] - 0.5
    triangles = [
        corner
        for face, group in zip(person.base.faces, person.base.groups, strict=True)
        if group == "body" and base[face, 1].min() > low and base[face, 2].max() > behind
        for corner in (face[:3], [face[0], face[2], face[3]])
    ]
    points = base[np.array(triangles)]
    pick = rng.integers(0, len(points), 60_000)
    out = (points[pick] * rng.dirichlet((1, 1, 1), 60_000)[:, :, None]).sum(1)
    return out[out[:, 2] > behind - 0.1]
