"""Renders every picture of one person: ``python render.py --meshes DIR people/mei.toml WORK``.

WORK receives body.png (RGBA, the full figure at rest), mouth_*.png and eyes_*.png (crops).
Pictures that exist are kept, so that an interrupted run can go on; delete what should be new.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from figure import Figure
from meshes import Library
from person import Person
from shapes import Face, box, eyes, mouths
from stage import Stage


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("person", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--meshes", type=Path, default=os.environ.get("PRESENTER_MESHES"))
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--quality", type=float, default=1.0, help="share of samples and hair")
    args = parser.parse_args()
    if args.meshes is None:
        parser.error("say where the CC0 meshes are: --meshes DIR or PRESENTER_MESHES")
    args.work.mkdir(parents=True, exist_ok=True)
    render(Person(Library(args.meshes), args.person), args.work, args.threads, args.quality)


def render(person: Person, work: Path, threads: int, quality: float) -> None:
    spec = person.spec
    stage = Stage(spec["camera"], spec["render"]["size"], threads)
    figure = Figure(person, stage, hair_share=min(1.0, quality))
    samples = max(4, round(spec["render"]["samples"] * quality))
    patch_samples = max(4, round(spec["render"]["patch_samples"] * quality))
    if _missing(work / "body.png"):
        stage.shoot(work / "body.png", samples)
    for face in mouths(spec):
        if _missing(file := work / f"mouth_{face.name}.png"):
            figure.pose(face)
            stage.shoot(file, patch_samples, box(spec, spec["mouth"]["box"]))
    figure.pose(Face("rest", {}))
    for face in eyes(spec):
        if _missing(file := work / f"eyes_{face.name}.png"):
            figure.pose(face, lids=True)
            stage.shoot(file, patch_samples, box(spec, spec["eyes_gaze"]["box"]))


def _missing(file: Path) -> bool:
    if file.exists():
        return False
    print(time.strftime("%H:%M:%S"), file.name, flush=True)
    return True


if __name__ == "__main__":
    main()
