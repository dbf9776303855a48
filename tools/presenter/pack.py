"""Writes the avatar folder from the rendered pictures; needs no Blender.

The folder's format is described in docs/avatars.md.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from geometry import Box, Camera, Morph, Surface, morph
from person import Person
from pictures import MARGIN, STEP, Picture
from plates import feather, fitted, neck, read, straight, trimmed
from relief import Relief, headness_in
from shapes import Face

QUALITY = 90
AT_REST = ({"openness": 0.0, "rounding": 0.0}, {"closure": 0.0})
ORDER = ("back", "body", "head")  # back to front


def pack(person: Person, rendered: list[Picture], folder: Path) -> None:
    camera = Camera.of(person, person.spec["render"]["size"])
    new = folder.with_name(folder.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    for part in ("mouth", "eyes"):
        (new / part).mkdir(parents=True)
    relief = Relief.of(person, camera)
    layers = {p.name: p.file for p in rendered if p.kind == "layer"}
    lines = _head(person.spec, camera, relief)
    mask = next(p for p in rendered if p.kind == "mask")
    hair = np.zeros((camera.size, camera.size))
    assert mask.box is not None
    left, top, width, height = mask.box
    hair[top : top + height, left : left + width] = read(mask.file)[..., 3] / 255

    def feathered(image: Any, face: Face, box: Box) -> Any:
        left, top, width, height = box
        if top + height < relief.chin - camera.size // 16:
            return image
        around = hair[top : top + height, left : left + width]
        return feather(image, headness_in(person, camera, face, box), around)

    for name in (n for n in ORDER if n in layers):
        image = read(layers[name])
        if name == "back":
            image = trimmed(image)
        if name == "body":
            image = neck(image, relief)
        if name == "head":
            image = head = feathered(image, Face("rest", {}), (0, 0, camera.size, camera.size))
        lines += _layer(new, name, image, relief)
    lines += ["", "[head]", f"neck = [{camera.size // 2}, {relief.neck:.0f}]"]
    lines += [f"chin = {relief.chin:.0f}", 'face = "head"']
    for kind in ("mouth", "eyes"):
        shown = [p for p in rendered if p.kind == kind]
        lines += _patches(new, person, camera, kind, shown, head, feathered)
    (new / "avatar.toml").write_text("\n".join(lines) + "\n")
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)
    total = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
    print(f"{folder}: {total / 1e6:.2f} MB")


def _head(spec: dict[str, Any], camera: Camera, relief: Relief) -> list[str]:
    background, focus = spec["background"], spec["render"]["focus"]
    left = (camera.size - focus) // 2
    return [
        "format = 2",
        'kind = "atlas"',
        *(
            f"{k} = {json.dumps(spec[k], ensure_ascii=False)}"
            for k in ("name", "title", "title_zh")
        ),
        f"size = [{camera.size}, {camera.size}]",
        f"focus = [{left}, {spec['render']['focus_top']}, {focus}, {focus}]",
        "fps = 25",
        'engines = ["viseme"]',
        'creator = "tools/presenter, from MakeHuman meshes"',
        'license = "CC0-1.0"',
        'consent = "Nobody\'s likeness: a blend of population means, rendered."',
        "",
        "[background]",
        f"centre = {background['centre']}",
        f"edge = {background['edge']}",
    ]


def _layer(folder: Path, name: str, image: Any, relief: Relief) -> list[str]:
    rows, columns = np.nonzero(image[..., 3] > 0)
    left, top = int(columns.min()) // 2 * 2, int(rows.min()) // 2 * 2
    width, height = int(columns.max()) + 1 - left, int(rows.max()) + 1 - top
    _write(folder / f"{name}.webp", straight(image)[top : top + height, left : left + width])
    depth = relief.depth[name]
    follow = relief.follow if name == "body" else np.ones_like(depth)
    np.savez_compressed(
        folder / f"{name}.npz", depth=depth.astype(np.float16), follow=follow.astype(np.float16)
    )
    return [
        "",
        "[[layers]]",
        f'name = "{name}"',
        f'image = "{name}.webp"',
        f"box = [{left}, {top}, {width}, {height}]",
        f'motion = "{name}.npz"',
    ]


def _patches(
    folder: Path,
    person: Person,
    camera: Camera,
    kind: str,
    rendered: list[Picture],
    head: Any,
    feathered: Callable[[Any, Face, Box], Any],
) -> list[str]:
    box = rendered[0].box
    assert box is not None
    faces = [p.face for p in rendered]
    parts = ("teeth", "tongue") if kind == "mouth" else ("eyes", "lashes")
    found = morph(Surface(person, camera, parts), faces, box, STEP[kind], MARGIN)
    _save(folder / f"{kind}.npz", found)
    lines = ["", f"[{kind}]", f"box = {list(box)}", f"feather = {MARGIN}", f'morph = "{kind}.npz"']
    left, top, width, height = box
    images = [feathered(read(p.file), p.face, box) for p in rendered]
    at_rest = next(i for i, p in enumerate(rendered) if p.face.place in AT_REST)
    figure = head[top : top + height, left : left + width]
    for picture, image in zip(rendered, fitted(images, images[at_rest], figure), strict=True):
        _write(folder / kind / f"{picture.name}.webp", straight(image))
        lines += ["", f"[[{kind}.shapes]]", f'image = "{kind}/{picture.name}.webp"']
        lines += [f"{key} = {json.dumps(value)}" for key, value in picture.face.place.items()]
    return lines


def _save(file: Path, found: Morph) -> None:
    """Fields as int16 of 1/256 pixel."""
    fields = np.clip(np.round(found.fields * 256), -32767, 32767).astype(np.int16)
    np.savez_compressed(file, coefficients=found.coefficients, fields=fields)


def _write(file: Path, image: Any) -> None:
    """An opaque picture is stored without alpha."""
    if image[..., 3].min() == 255:
        image = image[..., :3]
    if not cv2.imwrite(str(file), np.ascontiguousarray(image), [cv2.IMWRITE_WEBP_QUALITY, QUALITY]):
        raise SystemExit(f"could not write {file}")
