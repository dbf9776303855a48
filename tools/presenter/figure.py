"""The person as Blender objects: posing them, and showing one layer of them to the camera."""

from __future__ import annotations

from typing import Any

import bpy
import fabrics
import materials
import numpy as np
from brows import brow_strands
from clothes import parts
from hair import Hair
from meshes import Mesh, Vertices
from numpy.typing import NDArray
from person import Person, metres
from shapes import Face
from stage import Stage
from strands import Strands, Style, trace

# What the camera sees in each layer; everything else still lights and shades it.
LAYERS = {
    "back": {"hair behind"},
    "body": {"body", "clothes"},
    "head": {"body", "hair", "eyes", "teeth", "tongue", "brows", "lashes"},
    "face": {"body", "eyes", "teeth", "tongue", "brows", "lashes"},  # without hair: faster
    "hair": {"hair", "body"},  # a mask: the body only hides what lies behind it
}


class Figure:
    def __init__(self, person: Person, stage: Stage, hair_share: float = 1.0) -> None:
        self.person, self.scene = person, stage.scene
        self.hair_share = hair_share
        self.objects: dict[str, Any] = {}
        self.layer = "whole"
        spec = person.spec
        self.brow_material = fabrics.hair("brow", spec["brows"]["colour"], 0.45)
        self.lash_material = materials.plain("lash", spec["lashes"]["colour"], 0.5)
        self.body_faces = person.visible_body()
        self.used = np.unique(np.concatenate([person.base.faces[i] for i in self.body_faces]))
        hair = Hair(person, hair_share)
        self._hair(hair)
        self._body(hair.scalp)
        self._clothes()
        self._mouth_and_eyes()
        self.pose(Face("rest", {}), lids=True)

    @property
    def has_back(self) -> bool:
        return "hair behind" in self.objects

    def show(self, layer: str) -> None:
        """``layer``: back, body, head, face, hair (a mask), or whole for all of them."""
        self.layer = layer
        seen = LAYERS.get(layer)
        for name, thing in self.objects.items():
            thing.visible_camera = seen is None or name.split(":")[0] in seen
        for name in ("hair", "hair behind"):
            if name in self.objects:
                self.objects[name].hide_render = layer == "face"
        self.objects["body"].is_holdout = layer == "hair"
        materials.fade(self.skin, layer)

    def _mesh(self, name: str, v: Vertices, mesh: Mesh, faces: list[int], subdivide: int) -> Any:
        data = bpy.data.meshes.new(name)
        data.from_pydata([tuple(p) for p in metres(v)], [], [mesh.faces[i] for i in faces])
        uv = np.array([mesh.uv[k] for i in faces for k in mesh.uv_faces[i]], np.float32)
        data.uv_layers.new(name="UV").data.foreach_set("uv", uv.ravel())
        data.polygons.foreach_set("use_smooth", [True] * len(data.polygons))
        thing = bpy.data.objects.new(name, data)
        self.scene.collection.objects.link(thing)
        if subdivide:
            modifier = thing.modifiers.new("subdivide", "SUBSURF")
            modifier.levels = modifier.render_levels = subdivide
        self.objects[name] = thing
        return thing

    def _paint(self, name: str, layer: str, *channels: Any) -> None:
        data = self.objects[name].data
        colour = np.ones((len(data.vertices), 4), np.float32)
        for i, values in enumerate(channels):
            colour[:, i] = values
        attribute = data.color_attributes.new(layer, "FLOAT_COLOR", "POINT")
        attribute.data.foreach_set("color", colour.ravel())

    def _curves(self, name: str, strands: Strands, radius: float, material: Any) -> Any:
        curves = bpy.data.hair_curves.new(name)
        curves.add_curves([len(s) for s in strands])
        points = metres(np.concatenate(strands)).astype(np.float32)
        curves.position_data.foreach_set("vector", points.ravel())
        radii = np.concatenate([radius * _taper(len(s)) for s in strands]).astype(np.float32)
        attribute = curves.attributes.get("radius") or curves.attributes.new(
            "radius", "FLOAT", "POINT"
        )
        attribute.data.foreach_set("value", radii)
        thing = bpy.data.objects.new(name, curves)
        curves.materials.append(material)
        self.scene.collection.objects.link(thing)
        self.objects[name] = thing
        return thing

    def _hair(self, hair: Hair) -> None:
        spec = self.person.spec["hair"]
        material = fabrics.hair("hair", spec["colour"], spec["roughness"])
        radius = spec["radius"] / np.sqrt(self.hair_share)
        self._curves("hair", hair.front, radius, material)
        if hair.back:
            self._curves("hair behind", hair.back, radius, material)

    def _body(self, scalp: NDArray[np.float64]) -> None:
        person, v = self.person, self.person.rest
        index = np.full(len(v), -1)
        index[self.used] = np.arange(len(self.used))
        mesh = Mesh(
            v,
            person.base.uv,
            [[int(index[k]) for k in f] for f in person.base.faces],
            person.base.uv_faces,
            person.base.groups,
        )
        self._mesh("body", person.lower_arms(v)[self.used], mesh, self.body_faces, 2)
        lips, used = person.lip_mask(), self.used
        self._paint("body", "mask", lips[used], self._blush(lips)[used], scalp[used])
        # Colours must stay within 0…1 to survive: dm above the parting plane, around 0.5.
        headness = np.clip(0.5 + person.headness()[used] / 2, 0, 1)
        self._paint("body", "more", headness, self._stubble(lips)[used], self._lids()[used])
        spec = person.spec
        self.skin = materials.skin(spec["skin"], spec["hair"]["scalp"])
        self.objects["body"].data.materials.append(self.skin)

    def _blush(self, lips: NDArray[np.float64]) -> NDArray[np.float64]:
        v = self.person.rest
        mouth = v[lips > 0.9].mean(0)

        def spot(centre: tuple[float, float, float], size: tuple[float, float, float]) -> Any:
            return np.exp(-(((v - mouth - centre) / np.array(size)) ** 2).sum(1))

        cheeks = spot((0.55, 0.42, -0.2), (0.33, 0.25, 0.6))
        cheeks = cheeks + spot((-0.55, 0.42, -0.2), (0.33, 0.25, 0.6))
        nose = spot((0, 0.38, 0.2), (0.2, 0.16, 0.3))
        return np.clip(cheeks + 0.6 * nose + 0.5 * self.person.ears, 0, 1)

    def _stubble(self, lips: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where a beard would grow: round the mouth, on the jaw and under it."""
        v = self.person.rest
        at = v - v[lips > 0.9].mean(0)
        below = np.clip((0.28 - at[:, 1] + 0.35 * (abs(at[:, 0]) - 0.35)) / 0.25, 0, 1)
        cheek = np.exp(-(((abs(at[:, 0]) - 0.42) / 0.2) ** 2) - ((at[:, 1] - 0.12) / 0.2) ** 2)
        neck = np.clip((at[:, 1] + 0.9) / 0.3, 0, 1)
        return np.clip(below - 0.7 * cheek, 0, 1) * neck * (lips < 0.05) * ~self.person.ears

    def _lids(self) -> NDArray[np.float64]:
        """The skin of the lids, a little darker, as round any real eye."""
        person = self.person
        ball = person.proxies["eyes"].fit(person.rest)
        out = np.zeros(len(person.rest))
        for side in (-1, 1):
            centre = ball[ball[:, 0] * side > 0].mean(0)
            d = (person.rest - centre) / (0.26, 0.17, 0.5)
            out = np.maximum(out, np.exp(-((d**2).sum(1) ** 2)))
        return out

    def _clothes(self) -> None:
        person = self.person
        for k, (spec, proxy) in enumerate(zip(person.spec["clothes"], person.clothes, strict=True)):
            v = proxy.fit(person.rest)
            low = person.eyes[1] - spec.get("shown", {}).get("below", 5.6)
            wide = spec.get("shown", {}).get("aside", 9.0)
            kept = [
                i
                for i, f in enumerate(proxy.mesh.faces)
                if v[f, 1].min() > low and abs(v[f, 0]).max() < wide
            ]
            thing = self._mesh(f"clothes:{k}", person.lower_arms(v), proxy.mesh, kept, 2)
            solid = thing.modifiers.new("solid", "SOLIDIFY")
            solid.thickness, solid.offset = spec.get("thickness", 0.0016), 1
            for part in spec["parts"]:
                thing.data.materials.append(fabrics.cloth(part["name"], part))
            chosen = parts(proxy.mesh, spec["parts"])[kept]
            thing.data.polygons.foreach_set("material_index", chosen.astype(np.int32))

    def _mouth_and_eyes(self) -> None:
        person = self.person
        texture = str(person.library.root / "eyes" / "materials" / "brown_eye.png")
        looks = {
            "eyes": materials.eye(person.spec["eyes"], texture),
            "teeth": materials.teeth(person.spec["teeth"]),
            "tongue": materials.tongue(person.spec["teeth"]),
        }
        for name, look in looks.items():
            mesh = person.proxies[name].mesh
            v = person.part(name, person.rest)
            self._mesh(name, v, mesh, list(range(len(mesh.faces))), 1)
            self.objects[name].data.materials.append(look)
        self._paint("teeth", "mask", person.crowns, 0, 0)

    def pose(self, face: Face, lids: bool = False) -> None:
        """Moves the face; ``lids`` regrows brows and lashes, needed when the eyes' skin moves."""
        base = self.person.expression(face.weights)
        self._move("body", self.person.lower_arms(base)[self.used])
        for name in ("eyes", "teeth", "tongue"):
            self._move(name, self.person.posed(name, base, face))
        if lids:
            self._regrow(base)

    def _move(self, name: str, v: Vertices) -> None:
        data = self.objects[name].data
        data.vertices.foreach_set("co", metres(v).astype(np.float32).ravel())
        data.update()

    def _regrow(self, base: Vertices) -> None:
        for name in ("brows", "lashes"):
            if name in self.objects:
                bpy.data.objects.remove(self.objects.pop(name))
        brows, lashes = self.person.spec["brows"], self.person.spec["lashes"]
        self._curves("brows", brow_strands(self.person, base), brows["radius"], self.brow_material)
        self._curves("lashes", self._lashes(base), lashes["radius"], self.lash_material)
        self.show(self.layer)

    def _lashes(self, base: Vertices) -> Strands:
        proxy, spec = self.person.proxies["lashes"], self.person.spec["lashes"]
        v = proxy.fit(base)
        rng = np.random.default_rng(6)
        mesh = proxy.mesh
        # Lower lashes are finer than a pixel: only a few, or they look like a comb.
        at_rest = proxy.fit(self.person.rest)[:, 1]
        upper = [at_rest[f].mean() > at_rest.mean() for f in mesh.faces]
        strands: Strands = []
        for count, chosen in ((spec["upper"], True), (spec["lower"], False)):
            picked = [i for i, is_upper in enumerate(upper) if is_upper == chosen]
            if count:
                style = Style(count, 0.012, spec["length"], (0, 0.002), 0.004, samples=30_000)
                faces = [mesh.faces[i] for i in picked]
                strands += trace(v, faces, mesh.uv, [mesh.uv_faces[i] for i in picked], style, rng)
        return strands


def _taper(n: int) -> NDArray[np.float64]:
    rise = np.linspace(0, 1, n) * 8 + 0.6
    fall = (1 - np.linspace(0, 1, n)) * 3 + 0.08
    return np.sqrt(np.clip(np.minimum(rise, fall), 0, 1))
