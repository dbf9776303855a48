"""The list of faces to render: every mouth and every pair of eyes, by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

Weights = dict[str, float]


@dataclass(frozen=True)
class Face:
    """weights of expression targets; tongue: (forward, up) in dm; gaze: degrees."""

    name: str
    weights: Weights
    tongue: tuple[float, float] = (0.0, 0.0)
    gaze: tuple[float, float] = (0.0, 0.0)
    place: dict[str, Any] = field(default_factory=dict)


def mouths(spec: dict[str, Any]) -> list[Face]:
    """The grid row by row (openness), then the consonants. The rest face comes out too."""
    mouth = spec["mouth"]
    faces = []
    for i, openness in enumerate(mouth["openness"]):
        for rounding in mouth["rounding"]:
            weights = _between(mouth, i, rounding)
            place = {"openness": openness, "rounding": rounding}
            faces.append(Face(f"o{openness:.1f}r{rounding:+.1f}", weights, place=place))
    for name, shape in mouth["consonants"].items():
        tongue = tuple(shape.get("tongue", (0.0, 0.0)))
        place = {"consonant": name, "near": shape["near"]}
        faces.append(Face(name, shape["weights"], tongue=tongue, place=place))
    return faces


def _between(mouth: dict[str, Any], level: int, rounding: float) -> Weights:
    end = mouth["spread"] if rounding < 0 else mouth["round"]
    share = abs(rounding)
    out: Weights = {}
    for part, weight in ((mouth["neutral"], 1 - share), (end, share)):
        for name, values in part.items():
            out[name] = out.get(name, 0.0) + weight * values[level]
    return out


CLOSURES = (0.0, 0.25, 0.45, 0.7, 1.0)  # those that life.py's blink stops at


def eyes(spec: dict[str, Any]) -> list[Face]:
    """Closing lids (the first is open), then glances: picture's right, left, up, down."""
    faces = []
    for closure in CLOSURES:
        weights = {k: closure * w for k, w in spec["eyes_closed"].items()}
        faces.append(Face(f"closed{closure:.2f}", weights, place={"closure": closure}))
    right, up = spec["eyes_gaze"]["degrees"]
    for name, gaze in {
        "right": (right, 0.0),
        "left": (-right, 0.0),
        "up": (0.0, up),
        "down": (0.0, -up),
    }.items():
        lids = {k: 0.22 * w for k, w in spec["eyes_closed"].items()} if name == "down" else {}
        faces.append(Face(f"look_{name}", lids, gaze=gaze, place={"gaze": name}))
    return faces


def box(spec: dict[str, Any], values: list[int]) -> tuple[int, int, int, int]:
    """The toml's boxes are given at 512 pixels."""
    scaled = np.array(values) * spec["render"]["size"] // 512
    return (int(scaled[0]), int(scaled[1]), int(scaled[2]), int(scaled[3]))
