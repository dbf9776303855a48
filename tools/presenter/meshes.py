"""Readers for the CC0 MakeHuman files: meshes, shape offsets and fitted proxies.

Coordinates are as in the files: decimetres, Y up, face towards +Z.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Vertices = NDArray[np.float64]


@dataclass(frozen=True)
class Mesh:
    """vertices float[n, 3]; uv float[m, 2]; faces and uv_faces: lists of vertex indices."""

    vertices: Vertices
    uv: NDArray[np.float64]
    faces: list[list[int]]
    uv_faces: list[list[int]]
    groups: list[str]


def read_obj(path: Path) -> Mesh:
    vertices: list[list[float]] = []
    uv: list[list[float]] = []
    faces: list[list[int]] = []
    uv_faces: list[list[int]] = []
    groups: list[str] = []
    group = ""
    for line in path.read_text().splitlines():
        match line.split():
            case ["v", *xyz]:
                vertices.append([float(x) for x in xyz[:3]])
            case ["vt", *st]:
                uv.append([float(x) for x in st[:2]])
            case ["g", name, *_]:
                group = name
            case ["f", *corners]:
                pairs = [c.split("/") for c in corners]
                faces.append([int(p[0]) - 1 for p in pairs])
                uv_faces.append([int(p[1]) - 1 if len(p) > 1 and p[1] else 0 for p in pairs])
                groups.append(group)
    return Mesh(np.array(vertices), np.array(uv), faces, uv_faces, groups)


def connected(count: int, faces: list[list[int]]) -> NDArray[np.int64]:
    """For each of ``count`` vertices a label that is the same all over its connected piece."""
    parent = list(range(count))

    def find(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for face in faces:
        for k in face[1:]:
            parent[find(k)] = find(face[0])
    return np.array([find(i) for i in range(count)])


@cache
def read_target(path: Path) -> tuple[NDArray[np.int64], Vertices]:
    """Sparse offsets: vertex indices int[k] and offsets float[k, 3]."""
    rows = [
        line.split()
        for line in path.read_text().splitlines()
        if line and not line.startswith("#") and len(line.split()) == 4
    ]
    index = np.array([int(r[0]) for r in rows], np.int64)
    return index, np.array([[float(x) for x in r[1:]] for r in rows]).reshape(-1, 3)


@dataclass(frozen=True)
class Proxy:
    """A mesh that follows the base mesh (eyes, teeth, hair cards, clothes)."""

    mesh: Mesh
    corners: NDArray[np.int64]
    weights: NDArray[np.float64]
    offsets: Vertices
    scales: dict[int, tuple[int, int, float]]
    hidden: frozenset[int]

    def fit(self, base: Vertices) -> Vertices:
        """The proxy's vertices for a (morphed) base mesh."""
        offsets = self.offsets.copy()
        for axis, (a, b, rest) in self.scales.items():
            offsets[:, axis] *= abs(base[a, axis] - base[b, axis]) / rest
        return (base[self.corners] * self.weights[:, :, None]).sum(1) + offsets


def read_proxy(folder: Path, name: str) -> Proxy:
    rows: list[list[float]] = []
    scales: dict[int, tuple[int, int, float]] = {}
    hidden: set[int] = set()
    obj = f"{name}.obj"
    section = ""
    for line in (folder / f"{name}.mhclo").read_text().splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        head = words[0]
        if head in ("verts", "delete_verts"):
            section = head
        elif head == "obj_file":
            obj = words[1]
        elif head in ("x_scale", "y_scale", "z_scale"):
            scales["xyz".index(head[0])] = (int(words[1]), int(words[2]), float(words[3]))
        elif section == "verts" and _is_number(head):
            numbers = [float(w) for w in words]
            # A lone number copies a vertex: the same as weight 1 on it and no offset.
            rows.append(numbers[:9] if len(numbers) > 1 else [numbers[0], 0, 0, 1, 0, 0, 0, 0, 0])
        elif section == "delete_verts" and _is_number(head):
            hidden |= _ranges(words)
    table = np.array([(r + [0.0] * 9)[:9] for r in rows])
    return Proxy(
        read_obj(folder / obj),
        table[:, :3].astype(np.int64),
        table[:, 3:6],
        table[:, 6:9],
        scales,
        frozenset(hidden),
    )


def _is_number(word: str) -> bool:
    return word.lstrip("-").replace(".", "", 1).isdigit()


def _ranges(words: list[str]) -> set[int]:
    """``3 - 7 12`` → {3..7, 12}."""
    out: set[int] = set()
    i = 0
    while i < len(words):
        if i + 2 < len(words) and words[i + 1] == "-":
            out |= set(range(int(words[i]), int(words[i + 2]) + 1))
            i += 3
        else:
            out.add(int(words[i]))
            i += 1
    return out


class Library:
    """The folder of CC0 meshes."""

    def __init__(self, root: Path) -> None:
        if not (root / "base" / "base.obj").is_file():
            raise SystemExit(f"{root} has no base/base.obj: see tools/presenter/README.md")
        self.root = root
        self.base = read_obj(root / "base" / "base.obj")
        lips = json.loads((root / "base" / "lips_faces.json").read_text())
        self.lip_faces = frozenset(int(k) for k in lips)

    def proxy(self, kind: str, name: str) -> Proxy:
        return read_proxy(self.root / kind / name, name)

    def eyes(self) -> Proxy:
        return read_proxy(self.root / "eyes" / "high-poly", "high-poly")

    def morph(self, vertices: Vertices, weights: Mapping[str, float]) -> Vertices:
        """``vertices`` moved by weighted targets; keys are paths under ``targets/``."""
        out = vertices.copy()
        for name, weight in weights.items():
            if abs(weight) > 1e-6:
                index, offset = read_target(self.root / "targets" / f"{name}.target")
                out[index] += weight * offset
        return out
