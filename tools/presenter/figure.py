"""The person as Blender objects, and posing them."""

from __future__ import annotations

from typing import Any

import bpy
import materials
import numpy as np
from brows import brow_strands
from meshes import Mesh, Vertices
from numpy.typing import NDArray
from person import Person, metres
from scipy.spatial import cKDTree
from shapes import Face
from stage import Stage
from strands import Strands, Style, trace


class Figure:
    def __init__(self, person: Person, stage: Stage, hair_share: float = 1.0) -> None:
        self.person, self.scene = person, stage.scene
        self.hair_share = hair_share
        self.objects: dict[str, Any] = {}
        self.face_hair: list[Any] = []
        spec = person.spec
        self.hair_material = materials.hair(
            "hair", spec["hair"]["colour"], spec["hair"]["roughness"]
        )
        self.brow_material = materials.hair("brow", spec["brows"]["colour"], 0.45)
        self.lash_material = materials.plain("lash", [0.012, 0.008, 0.006], 0.5)
        self.body_faces = person.visible_body()
        used = np.unique(np.concatenate([person.base.faces[i] for i in self.body_faces]))
        self.used = used
        strands = self._hair()
        self._body(strands)
        self._clothes()
        self._mouth_and_eyes()
        self.pose(Face("rest", {}))

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

    def _paint(self, name: str, red: Any, green: Any, blue: Any) -> None:
        data = self.objects[name].data
        colour = np.ones((len(data.vertices), 4), np.float32)
        colour[:, 0], colour[:, 1], colour[:, 2] = red, green, blue
        layer = data.color_attributes.new("mask", "FLOAT_COLOR", "POINT")
        layer.data.foreach_set("color", colour.ravel())

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
        return thing

    def _hair(self) -> Strands:
        spec, cards = self.person.spec["hair"], self.person.proxies["hair"]
        v = cards.fit(self.person.rest)
        keep = [i for i, f in enumerate(cards.mesh.faces) if v[f, 1].max() > spec["above"]]
        style = Style(
            int(spec["count"] * self.hair_share),
            spec["step"],
            spec["length"],
            tuple(spec["thickness"]),
            spec["jitter"],
            min_length=0.4,
        )
        strands = trace(
            v,
            [cards.mesh.faces[i] for i in keep],
            cards.mesh.uv,
            [cards.mesh.uv_faces[i] for i in keep],
            style,
            np.random.default_rng(3),
        )
        strands = [part for s in strands for part in _clear_of_forehead(s)]
        radius = spec["radius"] / np.sqrt(self.hair_share)
        self.objects["hair"] = self._curves("hair", strands, radius, self.hair_material)
        return strands

    def _body(self, hair: Strands) -> None:
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
        still = person.lower_arms(v)[self.used]
        self._mesh("body", still, mesh, self.body_faces, 2)
        lips = person.lip_mask()
        self._paint(
            "body", lips[self.used], self._blush(lips)[self.used], self._scalp(hair)[self.used]
        )
        material = materials.skin(person.spec["skin"], person.spec["hair"]["scalp"])
        self.objects["body"].data.materials.append(material)

    def _blush(self, lips: NDArray[np.float64]) -> NDArray[np.float64]:
        v = self.person.rest
        mouth = v[lips > 0.9].mean(0)

        def spot(centre: tuple[float, float, float], size: tuple[float, float, float]) -> Any:
            return np.exp(-(((v - np.array(centre)) / np.array(size)) ** 2).sum(1))

        cheek_y = mouth[1] + 0.42
        cheeks = spot((0.55, cheek_y, 1.1), (0.33, 0.25, 0.6))
        cheeks = cheeks + spot((-0.55, cheek_y, 1.1), (0.33, 0.25, 0.6))
        nose = spot((0, mouth[1] + 0.38, mouth[2] + 0.2), (0.2, 0.16, 0.3))
        ears = np.clip((abs(v[:, 0]) - 0.72) / 0.1, 0, 1) * (v[:, 1] > 6.0)
        return np.clip(cheeks + 0.6 * nose + 0.5 * ears, 0, 1)

    def _scalp(self, hair: Strands) -> NDArray[np.float64]:
        """Dark skin only where strands really lie over it, so that no patch peeks out."""
        v = self.person.rest
        near = cKDTree(np.concatenate(hair)).query(v)[0]
        behind = np.clip((1.0 - v[:, 2]) / 0.15, 0, 1)
        above = np.clip((v[:, 1] - 7.55) / 0.2, 0, 1)
        return np.clip((0.13 - near) / 0.07, 0, 1) * (v[:, 1] > 6.4) * np.maximum(behind, above)

    def _clothes(self) -> None:
        spec, proxy = self.person.spec["clothes"], self.person.proxies["clothes"]
        v = self.person.lower_arms(proxy.fit(self.person.rest))
        faces = [i for i, f in enumerate(proxy.mesh.faces) if v[f, 1].min() > spec["above"]]
        thing = self._mesh("clothes", v, proxy.mesh, faces, 2)
        solid = thing.modifiers.new("solid", "SOLIDIFY")
        solid.thickness, solid.offset = 0.0016, 1
        thing.data.materials.append(materials.cloth("cloth", spec["colour"]))

    def _mouth_and_eyes(self) -> None:
        person = self.person
        texture = str(person.library.root / "eyes" / "materials" / "brown_eye.png")
        looks = {
            "eyes": materials.eye(person.spec["eyes"], texture),
            "teeth": materials.teeth(person.spec["teeth"]),
            "tongue": materials.tongue(person.spec["teeth"]["tongue"]),
        }
        for name, look in looks.items():
            mesh = person.proxies[name].mesh
            v = person.part(name, person.rest)
            self._mesh(name, v, mesh, list(range(len(mesh.faces))), 1)
            self.objects[name].data.materials.append(look)
        self._paint("teeth", person.crowns, 0, 0)

    def pose(self, face: Face, lids: bool = False) -> None:
        """Moves the face; ``lids`` regrows brows and lashes, needed when the eyes' skin moves."""
        base = self.person.expression(face.weights)
        self._move("body", self.person.lower_arms(base)[self.used])
        for name in ("eyes", "teeth", "tongue"):
            self._move(name, self.person.posed(name, base, face))
        if lids or not self.face_hair:
            self._regrow(base)

    def _move(self, name: str, v: Vertices) -> None:
        data = self.objects[name].data
        data.vertices.foreach_set("co", metres(v).astype(np.float32).ravel())
        data.update()

    def _regrow(self, base: Vertices) -> None:
        for thing in self.face_hair:
            bpy.data.objects.remove(thing)
        brows = brow_strands(self.person, base)
        self.face_hair = [
            self._curves("brows", brows, 0.00010, self.brow_material),
            self._curves("lashes", self._lashes(base), 0.00008, self.lash_material),
        ]

    def _lashes(self, base: Vertices) -> Strands:
        proxy = self.person.proxies["lashes"]
        v = proxy.fit(base)
        rng = np.random.default_rng(6)
        style = Style(420, 0.012, 0.34, (0, 0.002), 0.004, samples=30_000)
        mesh = proxy.mesh
        # Lower lashes are finer than a pixel here: the few that fit look like a comb.
        at_rest = proxy.fit(self.person.rest)[:, 1]
        upper = [i for i, f in enumerate(mesh.faces) if at_rest[f].mean() > at_rest.mean()]
        faces, uv_faces = [mesh.faces[i] for i in upper], [mesh.uv_faces[i] for i in upper]
        return trace(v, faces, mesh.uv, uv_faces, style, rng)


def _clear_of_forehead(strand: Vertices) -> Strands:
    """Cuts out what hangs from the parting on to the forehead (a blob, on these cards)."""
    half_width = (7.20 - strand[:, 1]) * 1.1  # an inverted V below the parting
    inside = (abs(strand[:, 0]) < half_width) & (abs(strand[:, 0]) < 0.5) & (strand[:, 2] > 0.7)
    edges = np.flatnonzero(np.diff(inside.astype(int))) + 1
    pieces = np.split(np.arange(len(strand)), edges)
    return [strand[p] for p in pieces if not inside[p[0]] and len(p) > 8]


def _taper(n: int) -> NDArray[np.float64]:
    rise = np.linspace(0, 1, n) * 8 + 0.6
    fall = (1 - np.linspace(0, 1, n)) * 3 + 0.08
    return np.sqrt(np.clip(np.minimum(rise, fall), 0, 1))
