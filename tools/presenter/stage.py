"""The photographer's part: scene, camera, lights, and taking a picture."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import mathutils
from geometry import Camera

Box = tuple[int, int, int, int]  # left, top, width, height in pixels of the full picture
Colour = tuple[float, float, float]


class Stage:
    """Places are metres from the point between the eyes, so that everybody is lit alike."""

    def __init__(self, camera: Camera, lights: dict[str, Any], threads: int) -> None:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        self.scene = bpy.context.scene
        self.camera = camera
        self._camera(camera)
        for name, light in lights["area"].items():
            self._light(name, light, camera.eyes)
        world = bpy.data.worlds.new("world")
        world.use_nodes = True
        background = world.node_tree.nodes["Background"]
        background.inputs[0].default_value = (*lights["sky"]["colour"], 1)
        background.inputs[1].default_value = lights["sky"]["strength"]
        self.scene.world = world
        self._cycles(threads, lights["exposure"])

    def _camera(self, spec: Camera) -> None:
        data = bpy.data.cameras.new("camera")
        data.sensor_width = 36
        data.lens = 18 * spec.distance / spec.half_width
        data.shift_y = -spec.drop / (2 * spec.half_width)
        camera = bpy.data.objects.new("camera", data)
        camera.location = (0, -spec.distance, spec.eyes)
        camera.rotation_euler = (math.radians(90), 0, 0)
        self.scene.collection.objects.link(camera)
        self.scene.camera = camera

    def _light(self, name: str, spec: dict[str, Any], height: float) -> None:
        data = bpy.data.lights.new(name, "AREA")
        data.size, data.energy, data.color = spec["size"], spec["power"], spec["colour"]
        light = bpy.data.objects.new(name, data)
        x, y, z = spec["place"]
        light.location = (x, y, z + height)
        face = mathutils.Vector((0.0, -0.10, height))
        light.rotation_euler = (face - light.location).to_track_quat("-Z", "Y").to_euler()
        self.scene.collection.objects.link(light)

    def _cycles(self, threads: int, exposure: float) -> None:
        scene = self.scene
        scene.render.engine = "CYCLES"
        scene.cycles.device = "CPU"
        scene.cycles.use_denoising = True
        scene.cycles.denoiser = "OPENIMAGEDENOISE"
        scene.cycles.denoising_prefilter = "FAST"  # the accurate one costs as much as the picture
        scene.cycles_curves.shape = "RIBBONS"
        scene.cycles.max_bounces = 4
        scene.cycles.diffuse_bounces = 2
        scene.cycles.glossy_bounces = 2
        scene.cycles.transparent_max_bounces = 24
        scene.cycles.use_adaptive_sampling = True
        scene.cycles.adaptive_threshold = 0.04
        scene.render.threads_mode = "FIXED"
        scene.render.threads = threads
        scene.render.film_transparent = True
        scene.render.image_settings.file_format = "PNG"
        scene.render.image_settings.color_mode = "RGBA"
        scene.render.use_persistent_data = True
        scene.render.resolution_x = scene.render.resolution_y = self.camera.size
        scene.view_settings.view_transform = "AgX"
        scene.view_settings.look = "AgX - Medium High Contrast"
        scene.view_settings.exposure = exposure

    def shoot(self, file: Path, samples: int, box: Box | None = None) -> None:
        """Renders to an RGBA PNG; with ``box`` only that part of the picture."""
        render, size = self.scene.render, self.camera.size
        self.scene.cycles.samples = samples
        render.use_border = render.use_crop_to_border = box is not None
        if box is not None:
            left, top, width, height = box
            render.border_min_x = left / size
            render.border_max_x = (left + width) / size
            render.border_min_y = 1 - (top + height) / size
            render.border_max_y = 1 - top / size
        part = file.with_name(f"{file.stem}.part.png")
        render.filepath = str(part)
        with _quiet():
            bpy.ops.render.render(write_still=True)
        part.rename(file)  # a picture that was interrupted must not look finished


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Blender writes a line per picture from C; the progress bar should stay alone."""
    kept, null = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(null)
