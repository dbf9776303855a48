"""Cloth and hair: procedural materials (Cycles nodes)."""

from __future__ import annotations

from typing import Any

import bpy
from materials import Nodes, rgba


def cloth(name: str, spec: dict[str, Any]) -> bpy.types.Material:
    """spec: colour; weave (threads per metre, 0: none), depth of the weave, sheen, roughness,
    mottle (how much the colour varies), stripe (colour of a second thread)."""
    m = Nodes(name)
    colour = rgba(spec["colour"])
    dark = rgba([c * (1 - spec.get("mottle", 0.25)) for c in spec["colour"]])
    tone = m.mix(m.noise(spec.get("mottle_scale", 260.0), 5), dark, colour)
    height: Any = m.noise(900, 2)
    if weave := spec.get("weave", 0.0):
        at = m.tree.nodes.new("ShaderNodeTexCoord").outputs["UV"]
        threads = []
        for turn in (spec.get("angle", 0.0), spec.get("angle", 0.0) + 1.5708):
            rotate = m.new("ShaderNodeMapping", Vector=at, Rotation=(0, 0, turn))
            wave = m.new(
                "ShaderNodeTexWave",
                Vector=rotate.outputs[0],
                Scale=weave,
                Distortion=0.6,
                Detail=1.0,
            )
            threads.append(wave.outputs["Fac"])
        height = m.math("MULTIPLY", threads[0], threads[1])
        if "stripe" in spec:
            tone = m.mix(m.math("MULTIPLY", height, 0.6), tone, rgba(spec["stripe"]))
    m.set(
        Base_Color=tone,
        Roughness=spec.get("roughness", 0.85),
        Sheen_Weight=spec.get("sheen", 0.25),
        Sheen_Roughness=0.5,
        Specular_IOR_Level=spec.get("specular", 0.2),
    )
    creases = m.bump(m.noise(spec.get("creases", 22.0), 2), spec.get("crease", 0.25), 0.004)
    m.bump(height, spec.get("depth", 0.25), 0.0006, creases)
    return m.material


def hair(name: str, colour: list[float], roughness: float) -> bpy.types.Material:
    """Principled hair by colour: by melanin, thin strands turn orange in any back light. Every
    strand is a little lighter or darker than its neighbours."""
    m = Nodes(name)
    node = m.tree.nodes.new("ShaderNodeBsdfHairPrincipled")
    node.parametrization = "COLOR"
    random = m.tree.nodes.new("ShaderNodeHairInfo").outputs["Random"]
    light = rgba([c * 1.5 for c in colour])
    dark = rgba([c * 0.6 for c in colour])
    m.put(node.inputs["Color"], m.mix(random, dark, light))
    for key, value in {
        "Roughness": roughness,
        "Radial Roughness": 0.5,
        "Random Roughness": 0.25,
        "IOR": 1.5,
    }.items():
        node.inputs[key].default_value = value
    m.put(m.output.inputs["Surface"], node.outputs[0])
    return m.material
