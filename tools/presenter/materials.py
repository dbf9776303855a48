"""Procedural materials (Cycles nodes)."""

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

    def bump(self, height: Any, strength: float, distance: float) -> None:
        node = self.new("ShaderNodeBump", Height=height, Strength=strength, Distance=distance)
        self.set(Normal=node.outputs[0])


def skin(spec: dict[str, Any], scalp: list[float]) -> bpy.types.Material:
    """Vertex colour "mask": red lips, green blush, blue scalp."""
    m = Nodes("skin")
    attribute = m.tree.nodes.new("ShaderNodeVertexColor")
    attribute.layer_name = "mask"
    mask = m.new("ShaderNodeSeparateColor", Color=attribute.outputs["Color"]).outputs
    tone = m.mix(m.noise(28, 6), rgba(spec["dark"]), rgba(spec["light"]))
    tone = m.mix(m.math("MULTIPLY", mask[1], 0.5), tone, rgba(spec["blush"]))
    spots = m.math("SUBTRACT", m.noise(160, 3), 0.58, clamp=True)
    tone = m.mix(m.math("MULTIPLY", spots, 0.9, clamp=True), tone, rgba(spec["freckle"]))
    lips = m.math("MULTIPLY", m.math("SUBTRACT", mask[0], 0.60, clamp=True), 3.6, clamp=True)
    tone = m.mix(m.math("MULTIPLY", lips, 0.72), tone, rgba(spec["lips"]))
    tone = m.mix(mask[2], tone, rgba(scalp))
    rough = m.math("SUBTRACT", spec["roughness"], m.math("MULTIPLY", mask[0], 0.10))
    m.set(
        Base_Color=tone,
        Roughness=rough,
        Specular_IOR_Level=0.4,
        Subsurface_Weight=1.0,
        Subsurface_Radius=(1.0, 0.35, 0.2),
        Subsurface_Scale=spec["subsurface"],
    )
    at = m.tree.nodes.new("ShaderNodeTexCoord").outputs["Object"]
    pores = m.new("ShaderNodeTexVoronoi", Vector=at, Scale=900.0)
    m.bump(pores.outputs["Distance"], 0.10, 0.0006)
    return m.material


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
    attribute = m.tree.nodes.new("ShaderNodeVertexColor")
    attribute.layer_name = "mask"
    mask = m.new("ShaderNodeSeparateColor", Color=attribute.outputs["Color"]).outputs
    m.set(
        Base_Color=m.mix(mask[0], rgba(spec["gum"]), rgba(spec["crown"])),
        Roughness=0.22,
        Subsurface_Weight=0.35,
        Subsurface_Scale=0.002,
    )
    return m.material


def plain(name: str, colour: list[float], roughness: float) -> bpy.types.Material:
    m = Nodes(name)
    m.set(Base_Color=rgba(colour), Roughness=roughness)
    return m.material


def tongue(colour: list[float]) -> bpy.types.Material:
    m = Nodes("tongue")
    m.set(Base_Color=rgba(colour), Roughness=0.38, Subsurface_Weight=0.3, Subsurface_Scale=0.002)
    return m.material


def cloth(name: str, colour: list[float]) -> bpy.types.Material:
    m = Nodes(name)
    m.set(Base_Color=rgba(colour), Roughness=0.85, Sheen_Weight=0.3, Specular_IOR_Level=0.2)
    m.bump(m.noise(700, 2), 0.18, 0.0008)
    return m.material


def hair(name: str, colour: list[float], roughness: float) -> bpy.types.Material:
    """Principled hair by colour: by melanin, thin strands turn orange in any back light."""
    m = Nodes(name)
    node = m.tree.nodes.new("ShaderNodeBsdfHairPrincipled")
    node.parametrization = "COLOR"
    for key, value in {
        "Color": rgba(colour),
        "Roughness": roughness,
        "Radial Roughness": 0.5,
        "Random Roughness": 0.2,
        "IOR": 1.5,
    }.items():
        node.inputs[key].default_value = value
    m.put(m.output.inputs["Surface"], node.outputs[0])
    return m.material
