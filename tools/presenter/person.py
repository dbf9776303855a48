"""A person as numbers: the toml file, and every part's vertices for an expression."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from meshes import Library, Proxy, Vertices, connected
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from shapes import Face

EXPRESSION = "expression/units/caucasian/"
SHOULDER = slice(14046, 14054)  # the base mesh's little cube at the left shoulder joint


def _over(under: dict[str, Any], person: dict[str, Any]) -> dict[str, Any]:
    """What the person's file says wins over what everybody shares, table by table."""
    out = dict(under)
    for key, value in person.items():
        both = isinstance(value, dict) and isinstance(under.get(key), dict)
        out[key] = _over(under[key], value) if both else value
    return out


def metres(v: Vertices) -> Vertices:
    """Files' decimetres, Y up → Blender's metres, Z up, face towards -Y."""
    return np.stack([v[:, 0], -v[:, 2], v[:, 1]], 1) * 0.1


class Person:
    def __init__(self, library: Library, file: Path) -> None:
        self.library = library
        studio = file.resolve().parents[1] / "studio.toml"
        self.spec = _over(tomllib.loads(studio.read_text()), tomllib.loads(file.read_text()))
        self.base = library.base
        self.proxies: dict[str, Proxy] = {
            "eyes": library.eyes(),
            "teeth": library.proxy("teeth", "teeth_base"),
            "tongue": library.proxy("tongue", "tongue01"),
            "lashes": library.proxy("eyelashes", self.spec["lashes"]["cards"]),
            "brows": library.proxy("eyebrows", self.spec["brows"]["cards"]),
            "hair": library.proxy("hair", self.spec["hair"]["cards"]),
        }
        self.clothes = [library.proxy("clothes", c["name"]) for c in self.spec["clothes"]]
        shaped = library.morph(self.base.vertices, self.spec["shape"])
        self.rest = library.morph(shaped, self.spec["rest"])
        self.crowns, self.upper_teeth = _teeth_parts(self.proxies["teeth"])
        # The point between the eyes: lights, camera and hair are placed from it.
        self.eyes = self.proxies["eyes"].fit(self.rest).mean(0) * (0, 1, 1)
        self.ears = self._ears()
        self.chin = self._chin()

    def expression(self, weights: Mapping[str, float]) -> Vertices:
        """The base mesh; weights are named as in ``expression/units`` or by full target path."""
        full = {(k if "/" in k else EXPRESSION + k): w for k, w in weights.items()}
        return self.library.morph(self.rest, full)

    def part(self, name: str, base: Vertices) -> Vertices:
        out = self.proxies[name].fit(base)
        if name == "teeth":
            teeth = self.spec["teeth"]
            out[:, 1] -= np.where(self.upper_teeth, teeth["upper_drop"], teeth["lower_drop"])
        return out

    def posed(self, name: str, base: Vertices, face: Face) -> Vertices:
        """The part with what the base mesh does not carry: gaze and tongue."""
        v = self.part(name, base)
        if name == "eyes":
            return self.gaze(v, *face.gaze)
        if name == "tongue":
            # The tip moves, the root stays.
            t = np.clip((v[:, 2] - v[:, 2].min()) / np.ptp(v[:, 2]), 0, 1) ** 2
            v[:, 2] += face.tongue[0] * t
            v[:, 1] += face.tongue[1] * t
        return v

    def gaze(self, eyes: Vertices, yaw: float, pitch: float) -> Vertices:
        """Eyeballs turned by degrees (yaw to the picture's right, pitch up)."""
        out = eyes.copy()
        y, p = np.radians(yaw), np.radians(pitch)
        turn_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
        turn_x = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
        for side in (-1, 1):
            mask = eyes[:, 0] * side > 0
            ball = eyes[mask]
            # The ball bulges at the cornea, so its box is centred a little in front.
            centre = (ball.max(0) + ball.min(0)) / 2
            out[mask] = (ball - centre) @ (turn_y @ turn_x).T + centre
        return out

    def lower_arms(self, v: Vertices) -> Vertices:
        """Turns everything beyond the shoulders down; a smooth field, for skin and clothes."""
        arms = self.spec["arms"]
        joint = self.rest[SHOULDER].mean(0)
        sx, sy = joint[0] + arms["joint"][0], joint[1] + arms["joint"][1]
        x, y = abs(v[:, 0]), v[:, 1]
        t = np.clip((x - sx - arms["from_x"]) / (arms["to_x"] - arms["from_x"]), 0, 1)
        angle = -np.radians(arms["degrees"]) * t * t * (3 - 2 * t)
        dx, dy = x - sx, y - sy
        out = v.copy()
        out[:, 0] = np.sign(v[:, 0]) * (sx + dx * np.cos(angle) - dy * np.sin(angle))
        out[:, 1] = sy + dx * np.sin(angle) + dy * np.cos(angle)
        return out

    def _ears(self) -> NDArray[np.bool_]:
        """Per base vertex: those that the targets for ears move."""
        still = np.zeros_like(self.rest)
        sides = {f"ears/{side}-ear-scale-incr": 1.0 for side in "lr"}
        return np.asarray(abs(self.library.morph(still, sides)).sum(1) > 0.01)

    def _chin(self) -> Vertices:
        """The lowest point of the chin, float[3]."""
        v = self.rest
        mouth = v[self.lip_mask() > 0.9].mean(0)
        faces = zip(self.base.faces, self.base.groups, strict=True)
        skin = np.unique([k for f, g in faces if g == "body" for k in f])
        near = v[skin]
        chin = near[(abs(near[:, 0]) < 0.05) & (abs(near[:, 2] - mouth[2]) < 0.25)]
        chin = chin[(chin[:, 1] < mouth[1]) & (chin[:, 1] > mouth[1] - 0.8)]
        return np.array([0.0, chin[:, 1].min(), mouth[2]])

    def headness(self) -> NDArray[np.float64]:
        """Per base vertex, dm above the sloping plane that parts head from neck: it passes under
        the chin where it meets the throat, and rises towards the nape."""
        at = self.rest - self.chin
        return np.asarray(at[:, 1] + 0.5 * (at[:, 2] + 0.5))

    def visible_body(self) -> list[int]:
        """Faces of the skin that the camera can see: not under clothes, head and shoulders."""
        hidden = frozenset().union(*(c.hidden for c in self.clothes))
        v = self.rest
        lowest = self.eyes[1] - 5.0
        return [
            i
            for i, (face, group) in enumerate(zip(self.base.faces, self.base.groups, strict=True))
            if group == "body"
            and sum(k in hidden for k in face) < 3
            and v[face, 1].min() > lowest
            and abs(v[face, 0]).max() < 3.0
        ]

    def lip_mask(self) -> NDArray[np.float64]:
        """Per base vertex 0…1; the library's outermost ring of lip faces is left out."""
        faces = [f for f, g in zip(self.base.faces, self.base.groups, strict=True) if g == "body"]
        inside = self._share(faces, [i in self.library.lip_faces for i in range(len(faces))])
        tight = [sum(inside[k] == 1 for k in f) >= 3 for f in faces]
        return self._share(faces, tight)

    def _share(self, faces: list[list[int]], chosen: list[bool]) -> NDArray[np.float64]:
        hit, count = np.zeros(len(self.base.vertices)), np.zeros(len(self.base.vertices))
        for face, is_in in zip(faces, chosen, strict=True):
            for k in face:
                count[k] += 1
                hit[k] += is_in
        return np.where(count > 0, hit / np.maximum(count, 1), 0)


def _teeth_parts(teeth: Proxy) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Per vertex: whether it is of a crown (else gum), whether it belongs to the upper jaw."""
    n = len(teeth.mesh.vertices)
    label = connected(n, teeth.mesh.faces)
    names, counts = np.unique(label, return_counts=True)
    gum = names[counts.argmax()]
    v = teeth.mesh.vertices
    crowns = label != gum
    upper = np.zeros(n, bool)
    # The jaws slope back and up alike: along this line upper and lower crowns separate.
    level = v[:, 1] + 0.27 * v[:, 2]
    heights = {k: level[label == k].mean() for k in names if k != gum}
    middle = (min(heights.values()) + max(heights.values())) / 2
    for k, height in heights.items():
        upper[label == k] = height > middle
    # A gum vertex belongs to the jaw of the crown nearest to it.
    near = cKDTree(v[crowns]).query(v[~crowns])[1]
    upper[~crowns] = upper[crowns][near]
    return crowns, upper
