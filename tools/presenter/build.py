"""Renders and packs presenters: ``python build.py mei --meshes DIR``; ``all`` for everybody.

Pictures go to --work and are kept: a run that was interrupted goes on, and a change of parameters
renders again only what it affects.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from geometry import Camera
from meshes import Library
from pack import pack
from person import Person
from pictures import Picture, pictures

HERE = Path(__file__).resolve().parent
ASSETS = HERE.parents[1] / "src" / "mien" / "assets" / "presenters"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("person", help="a file in people/ (mei, lin), a path to a toml, or all")
    parser.add_argument("--meshes", type=Path, default=os.environ.get("PRESENTER_MESHES"))
    parser.add_argument("--work", type=Path, default=Path("presenter-work"))
    parser.add_argument("--to", type=Path, default=ASSETS, help="where the folders go")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--quality", type=float, default=1.0, help="share of samples; 0.2: draft")
    args = parser.parse_args()
    if args.meshes is None:
        parser.error("say where the CC0 meshes are: --meshes DIR or PRESENTER_MESHES")
    library = Library(args.meshes)
    for file in _files(args.person):
        person = Person(library, file)
        work = args.work / person.spec["name"]
        work.mkdir(parents=True, exist_ok=True)
        todo = pictures(person, work, args.quality)
        render(person, todo, args.threads)
        pack(person, todo, args.to / person.spec["name"])


def _files(name: str) -> list[Path]:
    if name == "all":
        return sorted(f for f in (HERE / "people").glob("*.toml") if f.stem != "example")
    file = Path(name) if name.endswith(".toml") else HERE / "people" / f"{name}.toml"
    if not file.is_file():
        raise SystemExit(f"{file} does not exist; people/ has the parameters of each person")
    return [file]


def render(person: Person, todo: list[Picture], threads: int) -> None:
    missing = [p for p in todo if not p.file.exists()]
    if not missing:
        return
    # Only here: packing what is rendered already needs no Blender.
    from figure import Figure
    from stage import Stage

    begun = time.monotonic()
    camera = Camera.of(person, person.spec["render"]["size"])
    stage = Stage(camera, person.spec["lights"], threads)
    figure = Figure(person, stage)
    done, total = 0.0, sum(p.cost for p in missing)
    _bar(person.spec["name"], 0, begun, missing[0].name)
    for picture in missing:
        figure.show(picture.layer)
        figure.pose(picture.face, lids=picture.lids)
        stage.shoot(picture.file, picture.samples, picture.box)
        done += picture.cost
        _bar(person.spec["name"], done / total, begun, picture.name)
    print(file=sys.stderr)


def _bar(name: str, share: float, begun: float, what: str) -> None:
    taken = time.monotonic() - begun
    left = f"{taken / share * (1 - share) / 60:4.1f} min left" if share else ""
    filled = "#" * round(30 * share)
    line = f"\r{name} [{filled:<30}] {share:4.0%} {left}  {what:<20}"
    print(line, end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
