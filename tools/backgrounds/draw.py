"""Draws the pictures in ``src/mien/assets/backgrounds``: ``python tools/backgrounds/draw.py``.

Rooms that were never there, as far out of focus as a portrait lens would leave them. Light is
added in linear values and blurred before it is turned to sRGB, so that lamps bloom as lamps do.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

SIDE = 1280
FOLDER = Path(__file__).parents[2] / "src/mien/assets/backgrounds"
RNG = np.random.default_rng(7)
Y, X = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) / SIDE


def linear(colour: str) -> np.ndarray:
    """float32[3] of "#rrggbb"."""
    values = np.frombuffer(bytes.fromhex(colour[1:]), np.uint8).astype(np.float32) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def mixed(share: np.ndarray, colour: str, other: str) -> np.ndarray:
    share = np.clip(share, 0, 1)[..., None]
    return linear(colour) * (1 - share) + linear(other) * share


def box(light: np.ndarray, place: tuple[float, float, float, float], colour: str) -> None:
    """Fill left, top, right, bottom (parts of the side)."""
    left, top, right, bottom = (round(SIDE * part) for part in place)
    light[top:bottom, left:right] = linear(colour)


def lamps(light: np.ndarray, count: int, height: tuple[float, float], colours: list[str]) -> None:
    """Discs of out-of-focus lamps, each brighter than white paper."""
    for _ in range(count):
        x, y = RNG.uniform(0, SIDE), SIDE * RNG.uniform(*height)
        disc = np.zeros((SIDE, SIDE), np.uint8)
        cv2.circle(disc, (int(x), int(y)), int(RNG.uniform(14, 34)), 255, -1, cv2.LINE_AA)
        glow = linear(str(RNG.choice(colours))) * RNG.uniform(0.35, 1.1)
        light += (disc.astype(np.float32) / 255)[..., None] * glow


def blurred(light: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(light, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)


def studio() -> np.ndarray:
    """A paper roll lit from the upper left."""
    wall = mixed(np.hypot(X - 0.36, Y - 0.30) / 0.95, "#d9d4cc", "#6f6a66")
    floor = np.clip((Y - 0.80) / 0.16, 0, 1)[..., None]
    return blurred(wall * (1 - 0.35 * floor), 30)


def office() -> np.ndarray:
    """Daylight from windows on the left, shelves and a plant on the right."""
    light = mixed(X * 0.9 + Y * 0.2, "#e4dfd6", "#a9a49b")
    for left in (0.02, 0.17, 0.32):
        box(light, (left, 0.04, left + 0.11, 0.62), "#fbfdff")
        box(light, (left, 0.42, left + 0.11, 0.62), "#dfe9e4")
    for top in (0.17, 0.32, 0.47):
        box(light, (0.66, top, 0.98, top + 0.015), "#6a5543")
        for left in np.arange(0.67, 0.96, 0.022):
            tone = str(RNG.choice(["#8c6f5a", "#50677a", "#b9a68d", "#45544f", "#9c5b4a"]))
            box(light, (left, top - RNG.uniform(0.05, 0.11), left + 0.018, top), tone)
    for _ in range(60):
        x, y = RNG.normal(0.86, 0.05), RNG.normal(0.66, 0.07)
        cv2.ellipse(
            light,
            (int(x * SIDE), int(y * SIDE)),
            (40, 12),
            RNG.uniform(0, 180),
            0,
            360,
            [float(part) for part in linear(str(RNG.choice(["#4d7350", "#6f9467", "#35543d"])))],
            -1,
        )
    box(light, (0.0, 0.80, 1.0, 1.0), "#8b7866")
    return blurred(light, 26)


def evening() -> np.ndarray:
    """A city after sunset, behind glass."""
    sky = mixed(Y / 0.62, "#22304f", "#d98f6a")
    ground = mixed((Y - 0.62) / 0.38, "#4a3f4d", "#15161d")
    light = np.where((Y < 0.62)[..., None], sky, ground)
    for left in np.arange(0, 1, 0.075):
        roof = RNG.uniform(0.40, 0.58)
        box(light, (left, roof, left + RNG.uniform(0.05, 0.085), 0.75), "#332f40")
    light = blurred(light, 24)
    lamps(light, 90, (0.50, 0.90), ["#ffb35c", "#ffd9a0", "#ff7a4d", "#9fc4ff"])
    return blurred(light, 5)


def save(name: str, light: np.ndarray) -> None:
    light = np.clip(light, 0, 1)
    srgb = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    # Noise below one step: without it soft light shows bands.
    picture = np.clip(srgb * 255 + RNG.uniform(-0.5, 0.5, (SIDE, SIDE, 1)) + 0.5, 0, 255)
    bgr = cv2.cvtColor(picture.astype(np.uint8), cv2.COLOR_RGB2BGR)
    path = FOLDER / f"{name}.webp"
    cv2.imwrite(str(path), bgr, [cv2.IMWRITE_WEBP_QUALITY, 82])
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    for draw in (studio, office, evening):
        save(draw.__name__, draw().astype(np.float32))
