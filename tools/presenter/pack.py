"""Makes the avatar folder from the rendered pictures: ``python pack.py PERSON WORK FOLDER``.

Needs no Blender. The folder's format is described in docs/avatars.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from geometry import Camera, Morph, Surface, morph, relief
from meshes import Library
from person import Person
from shapes import Face, box, eyes, mouths

MOTION_STEP = 8
QUALITY = 98


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("person", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--meshes", type=Path, default=os.environ.get("PRESENTER_MESHES"))
    args = parser.parse_args()
    if args.meshes is None:
        parser.error("say where the CC0 meshes are: --meshes DIR or PRESENTER_MESHES")
    pack(Person(Library(args.meshes), args.person), args.work, args.folder)


def pack(person: Person, work: Path, folder: Path) -> None:
    spec = person.spec
    camera = Camera.of(spec)
    new = folder.with_name(folder.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    (new / "mouth").mkdir(parents=True)
    (new / "eyes").mkdir()
    _figure(work / "body.png", new / "figure.webp")
    depth, chin = relief(person, camera, MOTION_STEP)
    np.savez_compressed(new / "motion.npz", depth=depth.astype(np.float16))

    mouth_faces, eye_faces = mouths(spec), eyes(spec)
    mouth_box, eye_box = box(spec, spec["mouth"]["box"]), box(spec, spec["eyes_gaze"]["box"])
    smile = Face("smile", spec["smile"])
    brows = [Face("brow_up", spec["brow_up"]), Face("brow_down", spec["brow_down"])]
    rest = next(i for i, f in enumerate(mouth_faces) if not any(f.weights.values()))
    talking = Surface(person, camera, ("teeth", "tongue"))
    looking = Surface(person, camera, ("eyes", "lashes"))
    _save(new / "mouth.npz", morph(talking, mouth_faces, [smile], mouth_box), rest, ["smile"])
    bends = ["brow_up", "brow_down"]
    # Finer than the mouth's: an iris is only 14 pixels wide.
    _save(new / "eyes.npz", morph(looking, eye_faces, brows, eye_box, step=2), 0, bends)
    for kind, faces in (("mouth", mouth_faces), ("eyes", eye_faces)):
        for face in faces:
            image = cv2.imread(str(work / f"{kind}_{face.name}.png"), cv2.IMREAD_COLOR)
            _write(new / kind / f"{face.name}.webp", image)
    lines = [*_head(spec, camera.size, chin)]
    lines += _patches("mouth", mouth_box, mouth_faces)
    lines += _patches("eyes", eye_box, eye_faces)
    (new / "avatar.toml").write_text("\n".join(lines) + "\n")
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)
    total = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
    print(f"{folder}: {total / 1e6:.2f} MB")


def _figure(source: Path, to: Path) -> None:
    """Colour is kept straight (not premultiplied) and continued under the transparent part, so
    that neither the coder nor resampling pulls black into the outline."""
    image = cv2.imread(str(source), cv2.IMREAD_UNCHANGED)
    colour, alpha = image[..., :3].astype(np.float32), image[..., 3].astype(np.float32) / 255
    filled, seen = np.zeros_like(colour), np.zeros_like(alpha)
    solid = np.where(alpha > 0.5, alpha, 0)
    for sigma in (0.8, 3, 12):
        weight = cv2.GaussianBlur(solid, (0, 0), sigma)
        value = cv2.GaussianBlur(colour * solid[..., None], (0, 0), sigma)
        take = np.clip(weight * 4, 0, 1) * (1 - seen)
        filled += take[..., None] * value / np.maximum(weight, 1e-4)[..., None]
        seen += take
    keep = (alpha > 0.9)[..., None]
    out = np.where(keep, colour, filled / np.maximum(seen, 1e-4)[..., None] * (seen > 0)[..., None])
    _write(to, np.dstack([np.clip(out, 0, 255), alpha * 255]).round().astype(np.uint8))


def _write(file: Path, image: Any) -> None:
    if image is None or not cv2.imwrite(str(file), image, [cv2.IMWRITE_WEBP_QUALITY, QUALITY]):
        raise SystemExit(f"could not make {file}: was everything rendered?")


def _save(file: Path, found: Morph, rest: int, bends: list[str]) -> None:
    """Fields as int16 of 1/256 pixel; a bend is a direction away from the rest face."""
    pictures = len(found.fields)
    directions = found.coefficients[pictures:] - found.coefficients[rest]
    np.savez_compressed(
        file,
        coefficients=found.coefficients[:pictures],
        fields=np.clip(np.round(found.fields * 256), -32767, 32767).astype(np.int16),
        **{f"bend_{name}": directions[i] for i, name in enumerate(bends)},
    )


def _head(spec: dict[str, Any], size: int, chin: float) -> list[str]:
    background = spec["background"]
    return [
        "format = 1",
        'kind = "atlas"',
        f"name = {json.dumps(spec['name'])}",
        f"title = {json.dumps(spec['title'])}",
        f"size = [{size}, {size}]",
        "fps = 25",
        'engines = ["viseme"]',
        'creator = "tools/presenter, from MakeHuman meshes"',
        'license = "CC0-1.0"',
        'consent = "Nobody\'s likeness: a blend of population means, rendered."',
        "",
        "[background]",
        f"centre = {background['centre']}",
        f"edge = {background['edge']}",
        "",
        "[figure]",
        'image = "figure.webp"',
        'motion = "motion.npz"',
        f"neck = [{size // 2}, {chin + 0.07 * size:.0f}]",
        f"chin = {chin:.0f}",
    ]


def _patches(kind: str, at: tuple[int, int, int, int], faces: list[Face]) -> list[str]:
    lines = ["", f"[{kind}]", f"box = {list(at)}", "feather = 12", f'morph = "{kind}.npz"']
    for face in faces:
        lines += ["", f"[[{kind}.shapes]]", f'image = "{kind}/{face.name}.webp"']
        lines += [f"{key} = {json.dumps(value)}" for key, value in face.place.items()]
    return lines


if __name__ == "__main__":
    main()
