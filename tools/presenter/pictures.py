"""The list of pictures a person needs, and the file name of each."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from geometry import Box, Camera, Surface, reach
from person import Person, metres
from shapes import Face, eyes, mouths

STEP = {"mouth": 6, "eyes": 4}  # pixels between the samples of the movements' fields
MARGIN = 12  # pixels of the boxes that pass over into the figure
SHARED = ("mouth", "smile", "eyes_move", "background", "name", "title", "title_zh")
SOURCES = ("figure", "materials", "fabrics", "clothes", "stage", "hair", "strands", "brows")


@dataclass(frozen=True)
class Picture:
    """kind: layer, mask, mouth or eyes. box: of the canvas, None for all of it."""

    kind: str
    name: str
    layer: str
    face: Face
    samples: int
    box: Box | None
    file: Path

    @property
    def lids(self) -> bool:
        return self.kind == "eyes"

    @property
    def cost(self) -> float:
        """Roughly proportional to the time it takes."""
        return 3.0 + self.samples * (9.0 if self.box is None else 0.7)


def neck_box(person: Person, camera: Camera) -> Box:
    """Where the head's lower edge is feathered: from jaw to collar, as wide as hair may hang."""
    chin = camera.project(metres(person.chin[None]))[0]
    width, height = camera.size // 2, camera.size // 4
    return (camera.size // 4, int(chin[1]) - height // 2, width, height)


def pictures(person: Person, work: Path, quality: float) -> list[Picture]:
    """The file name carries a digest of all parameters that the picture depends on."""
    spec = person.spec
    camera = Camera.of(person, spec["render"]["size"])
    samples = max(4, round(spec["render"]["samples"] * quality))
    patch = max(4, round(spec["render"]["patch_samples"] * quality))
    rest = Face("rest", {})
    wanted: list[tuple[str, str, str, Face, int, Box | None]] = []
    layers = (["back"] if "behind" in spec["hair"] else []) + ["body", "head"]
    wanted += [("layer", name, name, rest, samples, None) for name in layers]
    wanted.append(("mask", "hair", "hair", rest, 8, neck_box(person, camera)))
    for kind, faces in (("mouth", mouths(spec)), ("eyes", eyes(spec))):
        surface = Surface(person, camera, ())
        box = reach(surface, faces, MARGIN, STEP[kind])
        layer = "head" if spec["hair"]["over_patches"] else "face"
        wanted += [(kind, f.name, layer, f, patch, box) for f in faces]
    shared = {k: v for k, v in spec.items() if k not in SHARED}
    code = [(Path(__file__).parent / f"{name}.py").read_text() for name in SOURCES]
    out = []
    for kind, name, layer, face, count, box in wanted:
        at_rest = {**asdict(face), "name": "", "place": {}}
        about = json.dumps([shared, code, layer, at_rest, count, box], sort_keys=True)
        digest = hashlib.sha256(about.encode()).hexdigest()[:10]
        file = work / f"{kind}_{name}-{digest}.png"
        out.append(Picture(kind, name, layer, face, count, box, file))
    return out
