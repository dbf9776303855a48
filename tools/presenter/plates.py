"""From rendered layers to the pictures of the avatar folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from relief import Relief

Array = NDArray[np.float64]


def read(file: Path) -> Array:
    """BGRA, 0…255."""
    image = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise SystemExit(f"{file} is missing or broken: render again")
    return image.astype(np.float64)


def straight(image: Array) -> NDArray[np.uint8]:
    """Colour is continued under the transparent part, so that neither the coder nor resampling
    pulls black into the outline."""
    alpha = image[..., 3] / 255
    colour = _spread(image[..., :3], np.where(alpha > 0.5, alpha, 0), (0.8, 3, 12, 40))
    # Thin hair keeps its own colour where there is enough of it to be sure.
    sure = np.clip((alpha - 0.3) / 0.5, 0, 1)[..., None]
    colour = sure * image[..., :3] + (1 - sure) * colour
    out = np.dstack([colour, image[..., 3]])
    return np.clip(np.round(out), 0, 255).astype(np.uint8)


def fitted(patches: list[Array], rest: Array, figure: Array) -> list[Array]:
    """Patches as if they were cut out of the figure.

    rest: the patch of the face at rest; figure: that part of the figure. Where no patch moves and
    the figure shows something else (hair, which patches may be rendered without), the figure is
    taken; elsewhere the light is evened out, smoothly.
    """
    apart = abs(rest[..., :3] - figure[..., :3]).mean(2)
    apart = cv2.GaussianBlur(apart, (0, 0), 1.5)
    moved = np.max([abs(p[..., :3] - rest[..., :3]).mean(2) for p in patches], 0)
    still = 1 - np.clip((cv2.GaussianBlur(moved, (0, 0), 3) - 5) / 5, 0, 1)
    taken = (np.clip((apart - 8) / 8, 0, 1) * cv2.erode(still, np.ones((7, 7))))[..., None]
    alike = np.exp(-((apart / 10) ** 2)) * np.minimum(figure[..., 3], rest[..., 3]) / 255
    sums = [cv2.GaussianBlur(p[..., :3] * alike[..., None], (0, 0), 14) + 1 for p in (figure, rest)]
    light = np.clip(sums[0] / sums[1], 0.9, 1.12)
    out = []
    for patch in patches:
        fit = patch.copy()
        fit[..., :3] = np.clip(patch[..., :3] * light, 0, 255)
        out.append(fit * (1 - taken) + figure * taken)
    return out


def _spread(colour: Array, known: Array, sigmas: tuple[float, ...]) -> Array:
    filled, seen = np.zeros_like(colour), np.zeros_like(known)
    for sigma in sigmas:
        weight = cv2.GaussianBlur(known, (0, 0), sigma)
        value = cv2.GaussianBlur(colour * known[..., None], (0, 0), sigma)
        take = np.clip(weight * 4, 0, 1) * (1 - seen)
        filled += take[..., None] * value / np.maximum(weight, 1e-6)[..., None]
        seen += take
    return np.asarray(filled / np.maximum(seen, 1e-6)[..., None])


FEATHER = (-0.22, 0.02)  # headness between which the head's skin passes into the neck's


def feather(image: Array, headness: Array, hair: Array) -> Array:
    """The head with its lower edge fading out; hair in front of the neck stays.

    headness: of the skin in front, -9 without; hair: share of each pixel that is hair, 0…1.
    """
    t = np.clip((headness - FEATHER[0]) / (FEATHER[1] - FEATHER[0]), 0, 1)
    there = np.where(headness > -8, t * t * (3 - 2 * t), 1.0)
    there = cv2.GaussianBlur(there, (0, 0), 1.5)
    out = image.copy()
    out[..., 3] *= hair + (1 - hair) * there
    return out


def trimmed(back: Array) -> Array:
    """Hair behind the neck without what lies at the outline of the hair in front: turned, its
    edge would come out beside it."""
    size = len(back)
    aside = abs(np.arange(size) - size / 2) / size
    out = back.copy()
    out[..., 3] *= np.clip((0.136 - aside) / 0.006, 0, 1)[None]
    return out


def neck(body: Array, relief: Relief) -> Array:
    """The body with its neck continued up behind the face: a turning head uncovers neck.

    Only skin that the face does not cover is what the render says it is; above, the camera looked
    into the open neck. There, the column goes on in the colours below it.
    """
    size = len(body)
    skin = (relief.headness > -8) & ~relief.cloth
    below = skin & (relief.headness < 0.06)
    chin = round(relief.chin)
    band = below[chin - 8 : chin + 8]
    middle = size // 2
    left = int(np.median([middle - _run(row[:middle][::-1]) for row in band]))
    right = int(np.median([middle + _run(row[middle:]) for row in band]))
    top = chin - 170
    column = np.zeros((size, size))
    for row in range(top, chin + 10):  # narrowing, or it would come out beside the jaw
        aside = round(0.45 * max(0, chin - 64 - row))
        column[row, left + aside : right - aside] = 1
    face = skin & (relief.headness >= 0.06)
    # Under the chin the painter's order of the triangles is not always right: no specks there.
    face = cv2.morphologyEx(face.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((25, 25))) > 0
    face &= ~relief.cloth | (cv2.erode(column, np.ones((1, 41))) > 0)
    below &= ~face
    hidden = face * column
    hidden = np.clip(cv2.GaussianBlur(hidden, (0, 0), 1.5) * 2, 0, 1)
    known = (below & (body[..., 3] > 250)).astype(np.float64)
    known[: chin - 60] = 0
    fill = _spread(body[..., :3], cv2.erode(known, np.ones((5, 5))), (2, 6, 18, 50, 150))
    hidden = hidden * column
    # What the camera saw inside the head, beside the column; no collar reaches up there bare.
    above = (np.arange(size) < chin - 12)[:, None] & (column == 0)
    cloth = cv2.dilate(relief.cloth.astype(np.uint8), np.ones((17, 17))) > 0
    bare = cv2.dilate(below.astype(np.uint8), np.ones((3, 3))) > 0
    open_face = (face | (above & ~cloth & ~bare)) & (column == 0)
    out = body.copy()
    out[..., :3] = body[..., :3] * (1 - hidden[..., None]) + fill * hidden[..., None]
    out[..., 3] = np.maximum(np.where(open_face, 0, body[..., 3]), 255 * hidden)
    return out


def _run(row: Any) -> int:
    """How far the skin goes from the middle outwards; the chin may cover its beginning."""
    at = np.flatnonzero(row)
    return int(at.max()) + 1 if len(at) else len(row)
