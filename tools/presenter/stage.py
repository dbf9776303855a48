"""The photographer's part: scene, camera, lights, and taking a picture."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import bpy
import mathutils

Box = tuple[int, int, int, int]  # left, top, width, height in pixels of the full picture

# name: place, size (m), power (W), colour. Aimed at the face; the small front light is what
# shows as the catchlight in the eyes.
LIGHTS: dict[str, tuple[tuple[float, float, float], float, float, tuple[float, float, float]]] = {
    "key": ((-0.75, -1.15, 1.15), 0.9, 23.0, (1.0, 0.955, 0.90)),
    "fill": ((1.0, -1.0, 0.70), 1.2, 7.5, (0.92, 0.95, 1.0)),
    "front": ((0.10, -1.5, 0.85), 0.30, 5.0, (1.0, 1.0, 1.0)),
    "rim": ((0.60, 0.70, 1.20), 0.6, 3.0, (1.0, 0.96, 0.92)),
    "rim2": ((-0.65, 0.65, 1.05), 0.6, 3.0, (1.0, 0.96, 0.92)),
}
FACE = (0.0, -0.10, 0.66)


class Stage:
    def __init__(self, camera: dict[str, Any], size: int, threads: int) -> None:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        self.scene = bpy.context.scene
        self.size = size
        self.distance: float = camera["distance"]
        self.height: float = camera["height"]
        self.half_width: float = camera["half_width"]
        self._camera()
        for name, (place, extent, power, colour) in LIGHTS.items():
            self._light(name, place, extent, power, colour)
        world = bpy.data.worlds.new("world")
        world.use_nodes = True
        background = world.node_tree.nodes["Background"]
        background.inputs[0].default_value = (0.75, 0.80, 0.86, 1)
        background.inputs[1].default_value = 0.30
        self.scene.world = world
        self._cycles(threads)

    def _camera(self) -> None:
        data = bpy.data.cameras.new("camera")
        data.sensor_width = 36
        data.lens = 18 * self.distance / self.half_width
        camera = bpy.data.objects.new("camera", data)
        camera.location = (0, -self.distance, self.height)
        camera.rotation_euler = (math.radians(90), 0, 0)
        self.scene.collection.objects.link(camera)
        self.scene.camera = camera

    def _light(
        self,
        name: str,
        place: tuple[float, float, float],
        extent: float,
        power: float,
        colour: tuple[float, float, float],
    ) -> None:
        data = bpy.data.lights.new(name, "AREA")
        data.size, data.energy, data.color = extent, power, colour
        light = bpy.data.objects.new(name, data)
        light.location = place
        towards = mathutils.Vector(FACE) - mathutils.Vector(place)
        light.rotation_euler = towards.to_track_quat("-Z", "Y").to_euler()
        self.scene.collection.objects.link(light)

    def _cycles(self, threads: int) -> None:
        scene = self.scene
        scene.render.engine = "CYCLES"
        scene.cycles.device = "CPU"
        scene.cycles.use_denoising = True
        scene.cycles.denoiser = "OPENIMAGEDENOISE"
        scene.cycles.max_bounces = 6
        scene.cycles.use_adaptive_sampling = True
        scene.cycles.adaptive_threshold = 0.02
        scene.render.threads_mode = "FIXED"
        scene.render.threads = threads
        scene.render.film_transparent = True
        scene.render.image_settings.file_format = "PNG"
        scene.render.image_settings.color_mode = "RGBA"
        scene.render.use_persistent_data = True
        scene.render.resolution_x = scene.render.resolution_y = self.size
        scene.view_settings.view_transform = "AgX"
        scene.view_settings.look = "AgX - Medium High Contrast"
        scene.view_settings.exposure = 0.25

    def shoot(self, file: Path, samples: int, box: Box | None = None) -> None:
        """Renders to an RGBA PNG; with ``box`` only that part of the picture."""
        render = self.scene.render
        self.scene.cycles.samples = samples
        render.use_border = render.use_crop_to_border = box is not None
        if box is not None:
            left, top, width, height = box
            render.border_min_x = left / self.size
            render.border_max_x = (left + width) / self.size
            render.border_min_y = 1 - (top + height) / self.size
            render.border_max_y = 1 - top / self.size
        render.filepath = str(file)
        bpy.ops.render.render(write_still=True)
