"""Skin, eyes, teeth: procedural materials (Cycles nodes)."""

from __future__ import annotations

from typing import Any

import bpy

Colour = tuple[float, float, float, float]


def rgba(colour: list[float]) -> Colour:
    return (colour[0], colour[1], colour[2], 1.0)


class Nodes:
    """A new material and short ways to wire it."""

    def __init__(self, name: str) -> None:
        self.material = bpy.data.materials.new(name)
        self.material.use_nodes = True
        self.tree = self.material.node_tree
        self.shader = self.tree.nodes["Principled BSDF"]
        self.output = self.tree.nodes["Material Output"]

    def new(self, kind: str, **inputs: Any) -> Any:
        node = self.tree.nodes.new(kind)
        for key, value in inputs.items():
            self.put(node.inputs[key.replace("_", " ")], value)
        return node

    def put(self, socket: Any, value: Any) -> None:
        if isinstance(value, bpy.types.NodeSocket):
            self.tree.links.new(value, socket)
        else:
            socket.default_value = value

    def set(self, **inputs: Any) -> None:
        for key, value in inputs.items():
            self.put(self.shader.inputs[key.replace("_", " ")], value)

    def mix(self, factor: Any, a: Any, b: Any) -> Any:
        node = self.tree.nodes.new("ShaderNodeMix")
        node.data_type = "RGBA"
        self.put(node.inputs["Factor"], factor)
        self.put(node.inputs[6], a)
        self.put(node.inputs[7], b)
        return node.outputs[2]

    def math(self, operation: str, a: Any, b: Any, clamp: bool = False) -> Any:
        node = self.tree.nodes.new("ShaderNodeMath")
        node.operation = operation
        node.use_clamp = clamp
        self.put(node.inputs[0], a)
        self.put(node.inputs[1], b)
        return node.outputs[0]

    def noise(self, scale: float, detail: float) -> Any:
        at = self.tree.nodes.new("ShaderNodeTexCoord").outputs["Object"]
        node = self.new("ShaderNodeTexNoise", Vector=at, Scale=scale, Detail=detail)
        return node.outputs[0]

    def bump(self, height: Any, strength: float, distance: float, on: Any = None) -> Any:
        """Becomes the shader's normal; ``on``: a coarser bump below it."""
        node = self.new("ShaderNodeBump", Height=height, Strength=strength, Distance=distance)
        if on is not None:
            self.put(node.inputs["Normal"], on)
        self.set(Normal=node.outputs[0])
        return node.outputs[0]

    def channels(self, attribute: str) -> Any:
        """Red, green, blue of a vertex colour."""
        node = self.tree.nodes.new("ShaderNodeVertexColor")
        node.layer_name = attribute
        return self.new("ShaderNodeSeparateColor", Color=node.outputs["Color"]).outputs


def skin(spec: dict[str, Any], scalp: list[float]) -> bpy.types.Material:
    """Vertex colours: "mask" = lips, blush, scalp; "more" = headness, stubble, lids."""
    m = Nodes("skin")
    mask, more = m.channels("mask"), m.channels("more")
    tone = m.mix(m.noise(28, 6), rgba(spec["dark"]), rgba(spec["light"]))
    tone = m.mix(m.math("MULTIPLY", mask[1], spec["blush_amount"]), tone, rgba(spec["blush"]))
    spots = m.math("SUBTRACT", m.noise(160, 3), 0.58, clamp=True)
    tone = m.mix(m.math("MULTIPLY", spots, 0.9, clamp=True), tone, rgba(spec["freckle"]))
    tone = m.mix(m.math("MULTIPLY", more[2], spec["lid_amount"]), tone, rgba(spec["lid"]))
    if spec.get("stubble"):
        grain = m.math("MULTIPLY", m.noise(1500, 1), 1.4, clamp=True)
        amount = m.math("MULTIPLY", m.math("MULTIPLY", more[1], grain), spec["stubble"])
        tone = m.mix(amount, tone, rgba(spec["beard"]))
    lips = m.math("MULTIPLY", m.math("SUBTRACT", mask[0], 0.55, clamp=True), 3.0, clamp=True)
    ridges = m.math("ADD", 0.75, m.math("MULTIPLY", m.noise(420, 3), 0.5))
    lips = m.math("MULTIPLY", m.math("MULTIPLY", lips, spec["lip_amount"]), ridges, clamp=True)
    tone = m.mix(lips, tone, rgba(spec["lips"]))
    tone = m.mix(mask[2], tone, rgba(scalp))
    patchy = m.math("MULTIPLY", m.math("SUBTRACT", m.noise(60, 4), 0.5), 0.22)
    rough = m.math("ADD", m.math("SUBTRACT", spec["roughness"], patchy),
                   m.math("MULTIPLY", mask[0], -0.08))  # fmt: skip
    m.shader.subsurface_method = "BURLEY"  # a walk at random takes three times as long
    m.set(
        Base_Color=tone,
        Roughness=m.math("ADD", rough, m.math("MULTIPLY", mask[2], 0.3)),
        Specular_IOR_Level=0.45,
        Subsurface_Weight=1.0,
        Subsurface_Radius=(1.0, 0.35, 0.2),
        Subsurface_Scale=spec["subsurface"],
    )
    at = m.tree.nodes.new("ShaderNodeTexCoord").outputs["Object"]
    pores = m.new("ShaderNodeTexVoronoi", Vector=at, Scale=900.0)
    coarse = m.bump(m.noise(220, 4), spec["bump"], 0.0006)
    m.bump(pores.outputs["Distance"], spec["pores"], 0.0005, coarse)
    _fading(m, more[0])
    return m.material


# Headness (dm above the plane between head and neck) where each layer's skin is cut; pack.py
# feathers the head's edge and continues the neck. The first end is gone, the second there.
CUTS = {"head": (-0.27, -0.25), "face": (-0.27, -0.25), "body": (0.22, 0.20)}


def _fading(m: Nodes, headness: Any) -> None:
    """The camera, and only it, may look through part of the skin: see ``fade``."""
    ramp = m.new("ShaderNodeMapRange", Value=headness)
    ramp.name = "fade"
    ramp.interpolation_type = "SMOOTHSTEP"
    gone = m.math("SUBTRACT", 1.0, ramp.outputs[0])
    camera = m.tree.nodes.new("ShaderNodeLightPath").outputs["Is Camera Ray"]
    shader = m.tree.nodes.new("ShaderNodeMixShader")
    m.put(shader.inputs[0], m.math("MULTIPLY", gone, camera))
    m.put(shader.inputs[1], m.shader.outputs[0])
    m.put(shader.inputs[2], m.new("ShaderNodeBsdfTransparent").outputs[0])
    m.put(m.output.inputs["Surface"], shader.outputs[0])


def fade(skin: bpy.types.Material, layer: str) -> None:
    """Shows the skin's part that belongs to the layer ("head", "body"); all of it else."""
    ramp = skin.node_tree.nodes["fade"]
    low, high = CUTS.get(layer, (0.0, 1.0))
    ends = (0.0, 1.0) if layer in CUTS else (1.0, 1.0)
    if low > high:
        low, high, ends = high, low, ends[::-1]
    for key, value in {
        "From Min": 0.5 + low / 2,
        "From Max": 0.5 + high / 2,
        "To Min": ends[0],
        "To Max": ends[1],
    }.items():
        ramp.inputs[key].default_value = value


def eye(spec: dict[str, Any], texture: str) -> bpy.types.Material:
    """The iris texture where it is opaque; elsewhere the cornea, clear with a reflection."""
    m = Nodes("eye")
    image = m.tree.nodes.new("ShaderNodeTexImage")
    image.image = bpy.data.images.load(texture)
    tint = m.new(
        "ShaderNodeHueSaturation",
        Hue=spec["hue"],
        Saturation=spec["saturation"],
        Value=spec["value"],
        Color=image.outputs[0],
    )
    m.set(Base_Color=tint.outputs[0], Roughness=0.12)
    clear = m.new("ShaderNodeBsdfTransparent")
    shine = m.new("ShaderNodeBsdfGlossy", Roughness=0.02)
    fresnel = m.new("ShaderNodeFresnel", IOR=1.4)
    cornea = m.tree.nodes.new("ShaderNodeMixShader")
    m.put(cornea.inputs[0], fresnel.outputs[0])
    m.put(cornea.inputs[1], clear.outputs[0])
    m.put(cornea.inputs[2], shine.outputs[0])
    both = m.tree.nodes.new("ShaderNodeMixShader")
    m.put(both.inputs[0], image.outputs[1])
    m.put(both.inputs[1], cornea.outputs[0])
    m.put(both.inputs[2], m.shader.outputs[0])
    m.put(m.output.inputs["Surface"], both.outputs[0])
    return m.material


def teeth(spec: dict[str, Any]) -> bpy.types.Material:
    """Vertex colour "mask": red on crowns, black on gums."""
    m = Nodes("teeth")
    mask = m.channels("mask")
    colour = m.mix(mask[0], rgba(spec["gum"]), rgba(spec["crown"]))
    m.set(
        Base_Color=colour,
        Roughness=0.22,
        Subsurface_Weight=0.35,
        Subsurface_Scale=0.002,
        # The mouth of the mesh is a closed dark bag: without a little light of their own the
        # teeth are grey behind small lips.
        Emission_Color=colour,
        Emission_Strength=spec["glow"],
    )
    return m.material


def plain(name: str, colour: list[float], roughness: float) -> bpy.types.Material:
    m = Nodes(name)
    m.set(Base_Color=rgba(colour), Roughness=roughness)
    return m.material


def tongue(spec: dict[str, Any]) -> bpy.types.Material:
    m = Nodes("tongue")
    colour = rgba(spec["tongue"])
    m.set(
        Base_Color=colour,
        Roughness=0.38,
        Subsurface_Weight=0.3,
        Subsurface_Scale=0.002,
        Emission_Color=colour,
        Emission_Strength=0.5 * spec["glow"],
    )
    m.bump(m.noise(500, 3), 0.2, 0.0008)
    return m.material
