"""The hair of the head: strands from cards, combed out of the face, with a soft hairline."""

from __future__ import annotations

from typing import Any

import numpy as np
from meshes import Vertices
from numpy.typing import NDArray
from person import Person
from scipy.spatial import cKDTree
from strands import Strands, Style, trace

Array = NDArray[np.float64]


class Hair:
    """front, back: what moves before and behind the neck; scalp: how covered each base vertex is
    (0…1). Lengths in decimetres."""

    def __init__(self, person: Person, share: float) -> None:
        spec = person.spec["hair"]
        rng = np.random.default_rng(spec.get("seed", 3))
        strands = _traced(person, spec, share, rng)
        strands = [_combed(s, spec, person.eyes) for s in strands]
        strands = [part for s in strands for part in _clear(s, spec, person)]
        self.scalp = _covered(person, strands, spec)
        strands += _hairline(person, strands, self.scalp, spec, share, rng)
        strands += _curtain(spec, person.eyes, share, rng)
        self.front: Strands = []
        self.back: Strands = []
        for strand in strands:
            for piece, behind in _cut(strand, spec, person.eyes):
                (self.back if behind else self.front).append(piece)


def _traced(person: Person, spec: dict[str, Any], share: float, rng: Any) -> Strands:
    cards = person.proxies["hair"]
    v = cards.fit(person.rest)
    low = person.eyes[1] + spec["lowest"]
    keep = [i for i, f in enumerate(cards.mesh.faces) if v[f, 1].max() > low]
    style = Style(
        int(spec["count"] * share),
        spec["step"],
        spec["length"],
        tuple(spec["thickness"]),
        spec["jitter"],
        min_length=spec.get("shortest", 0.4),
        clump=spec.get("clump", 0.0),
    )
    faces = [cards.mesh.faces[i] for i in keep]
    uv_faces = [cards.mesh.uv_faces[i] for i in keep]
    return trace(v, faces, cards.mesh.uv, uv_faces, style, rng)


def _combed(strand: Vertices, spec: dict[str, Any], eyes: Array) -> Vertices:
    """Pushes what hangs into the face outwards, off an oval window, as a comb would."""
    if "window" not in spec:
        return strand
    window = spec["window"]
    centre, half, reach = np.array(window["centre"]), np.array(window["half"]), window["reach"]
    out = strand.copy()
    at = (strand[:, :2] - eyes[:2] - centre) / half
    r = np.maximum(np.linalg.norm(at, axis=1), 1e-3)
    before = np.clip((strand[:, 2] - eyes[2] + window["behind"]) / 0.4, 0, 1)
    t = np.clip(r / reach, 0, 1)
    pushed = np.where(r < reach, 1 + (reach - 1) * t ** window["spread"], r)
    moved = at * (1 + (pushed / r - 1) * before)[:, None]
    out[:, :2] = moved * half + centre + eyes[:2]
    # Beside the face the hair lies further back than before it.
    out[:, 2] -= window["curve"] * np.linalg.norm(out[:, :2] - strand[:, :2], axis=1)
    return out


def _clear(strand: Vertices, spec: dict[str, Any], person: Person) -> Strands:
    """Cuts out what the cards put on the ears or where spec["bald"] says (boxes from the eyes)."""
    inside = np.zeros(len(strand), bool)
    at = strand - person.eyes
    for low, high in spec.get("bald", []):
        inside |= ((at > low) & (at < high)).all(1)
    edges = np.flatnonzero(np.diff(inside.astype(int))) + 1
    pieces = np.split(np.arange(len(strand)), edges)
    return [strand[p] for p in pieces if not inside[p[0]] and len(p) > 3]


def _covered(person: Person, strands: Strands, spec: dict[str, Any]) -> Array:
    """Dark skin only where strands really lie over it, so that no patch peeks out."""
    v = person.rest
    near = cKDTree(np.concatenate(strands)).query(v)[0]
    at = v - person.eyes
    behind = np.clip((-0.19 - at[:, 2]) / 0.15, 0, 1)
    above = np.clip((at[:, 1] - spec.get("forehead", 0.95)) / 0.2, 0, 1)
    covered = np.clip((spec.get("scalp_reach", 0.13) - near) / 0.07, 0, 1)
    return covered * (at[:, 1] > spec.get("nape", 0.0)) * np.maximum(behind, above) * ~person.ears


def _hairline(
    person: Person, strands: Strands, scalp: Array, spec: dict[str, Any], share: float, rng: Any
) -> Strands:
    """Short hairs along the edge of the covered skin, thinning out: a cut edge looks like a wig."""
    line = spec.get("hairline")
    if not line:
        return []
    faces = [
        f
        for f, g in zip(person.base.faces, person.base.groups, strict=True)
        if g == "body" and 0.02 < scalp[f].mean() < 0.98
    ]
    corners = np.array([(f[0], f[k], f[k + 1]) for f in faces for k in range(1, len(f) - 1)])
    points = person.rest[corners]
    cross = np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
    area = np.linalg.norm(cross, axis=1)
    up = cross / (area[:, None] + 1e-12)
    weight = area * np.clip(scalp[corners].mean(1), 0.02, 1) ** line["falloff"]
    n = int(line["count"] * share)
    pick = rng.choice(len(corners), n, p=weight / weight.sum())
    root = (points[pick] * rng.dirichlet((1, 1, 1), n)[:, :, None]).sum(1)
    cloud = np.concatenate([s[:-1] for s in strands])
    along = np.concatenate([np.diff(s, axis=0) for s in strands])
    along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-12
    near = cKDTree(cloud).query(root, k=8)[1]
    way = along[near].mean(1) + rng.normal(0, line["stray"], (n, 3))
    normal = up[pick]
    way -= (way * normal).sum(1, keepdims=True) * normal
    way /= np.linalg.norm(way, axis=1, keepdims=True) + 1e-12
    length = line["length"] * rng.uniform(0.5, 1.2, n)
    t = np.linspace(0, 1, 6)[None, :, None]
    rise = normal * line["lift"]
    hairs = root[:, None] + (way * length[:, None])[:, None] * t
    hairs = hairs + rise[:, None] * (4 * t * (1 - t) + 0.35 * t)
    return list(hairs)


def _curtain(spec: dict[str, Any], eyes: Array, share: float, rng: Any) -> Strands:
    """Hanging strands behind the neck."""
    if not (curtain := spec.get("curtain")):
        return []
    n = int(curtain["count"] * share)
    x = rng.uniform(-1, 1, n) * curtain["half_width"]
    z = curtain["z"] + rng.normal(0, 0.06, n)
    bottom = curtain["bottom"] + rng.normal(0, 0.03, n) + 0.1 * (x / curtain["half_width"]) ** 2
    t = np.linspace(0, 1, 9)[None]
    wave = 0.03 * np.sin(rng.uniform(0, 6.28, n)[:, None] + 3 * t)
    y = curtain["top"] + (bottom - curtain["top"])[:, None] * t
    inwards = x[:, None] * (1 - 0.12 * t**2) + wave
    return list(np.stack([inwards, y, z[:, None] + wave], 2) + eyes)


def _cut(strand: Vertices, spec: dict[str, Any], eyes: Array) -> list[tuple[Vertices, bool]]:
    """Pieces in front of and behind the plane through the neck, sharing a point at the cut."""
    if "behind" not in spec:
        return [(strand, False)]
    z, y = spec["behind"]
    behind = (strand[:, 2] - eyes[2] < z) & (strand[:, 1] - eyes[1] < y)
    edges = np.flatnonzero(np.diff(behind.astype(int))) + 1
    starts, ends = np.r_[0, edges], np.r_[edges, len(strand)]
    pieces = []
    for a, b in zip(starts, ends, strict=True):
        piece = strand[max(a - 1, 0) : b]
        if len(piece) > 1:
            pieces.append((piece, bool(behind[a])))
    return pieces
