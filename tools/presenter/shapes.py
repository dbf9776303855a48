"""The list of faces to render: every mouth and every pair of eyes, by name."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

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
    """The grid row by row (openness), then the consonants; the same, sparser, for the smile."""
    mouth, smile = spec["mouth"], spec["smile"]
    faces = []
    for openness in mouth["openness"]:
        for rounding in mouth["rounding"]:
            faces.append(_vowel(mouth, openness, rounding))
    consonants = [_consonant(name, shape) for name, shape in mouth["consonants"].items()]
    faces += consonants
    for openness in smile["openness"]:
        for rounding in smile["rounding"]:
            faces.append(_smiling(_vowel(mouth, openness, rounding), smile))
    faces += [_smiling(f, smile) for f in consonants if f.name in smile["consonants"]]
    return faces


def _vowel(mouth: dict[str, Any], openness: float, rounding: float) -> Face:
    place = {"openness": openness, "rounding": rounding}
    weights = _between(mouth, mouth["openness"].index(openness), rounding)
    lowered = (0.0, mouth["tongue_open"] * openness)
    return Face(f"o{openness:.2f}r{rounding:+.1f}", weights, tongue=lowered, place=place)


def _consonant(name: str, shape: dict[str, Any]) -> Face:
    tongue = tuple(shape.get("tongue", (0.0, 0.0)))
    place = {"consonant": name, "near": shape["near"]}
    return Face(name, shape["weights"], tongue=tongue, place=place)


def _smiling(face: Face, smile: dict[str, Any]) -> Face:
    """Round lips smile less: they cannot be pulled both ways."""
    share = 1 - smile["less_when_round"] * max(0.0, face.place.get("rounding", 0.0))
    weights = dict(face.weights)
    for name, weight in smile["weights"].items():
        weights[name] = weights.get(name, 0.0) + share * weight
    return replace(
        face, name=f"smile_{face.name}", weights=weights, place={**face.place, "smile": 1}
    )


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
    """Closing lids (the first is open), glances (picture's right, left, up, down), brows."""
    part = spec["eyes_move"]
    faces = []
    for closure in CLOSURES:
        weights = {k: closure * w for k, w in part["closed"].items()}
        faces.append(Face(f"closed{closure:.2f}", weights, place={"closure": closure}))
    right, up = part["degrees"]
    for name, gaze in {
        "right": (right, 0.0),
        "left": (-right, 0.0),
        "up": (0.0, up),
        "down": (0.0, -up),
    }.items():
        lids = part["lids"].get(name, {})
        faces.append(Face(f"look_{name}", lids, gaze=gaze, place={"gaze": name}))
    for name in ("up", "frown"):
        faces.append(Face(f"brow_{name}", part[f"brow_{name}"], place={"brow": name}))
    return faces
