"""How a contact sheet is laid out: titled rows of small labelled pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mien.media.tick import Image

COLUMNS = 8
CELL = 220  # pixels wide
LABEL, TITLE = 22, 34  # pixels high
PAPER, INK = (248, 248, 246), (30, 30, 30)

Cell = tuple[str, Image]


@dataclass(frozen=True, slots=True)
class Strip:
    """Ticks of one spoken sentence. pictures: (label, uint8[H, W, 3] RGB of the avatar's size)."""

    title: str
    pictures: Sequence[Cell]


def section(title: str, cells: Sequence[Cell]) -> Image:
    """uint8[h, 1760, 3] RGB: ``cells`` of equal shape under a title."""
    drawn = [_cell(image, label) for label, image in cells]
    drawn += [np.full_like(drawn[0], PAPER)] * (-len(drawn) % COLUMNS)
    rows = [np.hstack(drawn[i : i + COLUMNS]) for i in range(0, len(drawn), COLUMNS)]
    head = np.empty((TITLE, COLUMNS * CELL, 3), np.uint8)
    head[:] = PAPER
    _write(head, title, (8, TITLE - 11), 0.6)
    return np.vstack([head, *rows])


def _cell(image: Image, label: str) -> Image:
    inner = CELL - 4
    height = round(image.shape[0] * inner / image.shape[1])
    how = cv2.INTER_AREA if inner < image.shape[1] else cv2.INTER_CUBIC
    cell = np.empty((height + LABEL + 4, CELL, 3), np.uint8)
    cell[:] = PAPER
    cell[2 : 2 + height, 2:-2] = cv2.resize(image, (inner, height), interpolation=how)
    _write(cell, label, (6, height + LABEL - 4), 0.48)
    return cell


def _write(image: Image, text: str, at: tuple[int, int], size: float) -> None:
    plain = text.encode("ascii", "replace").decode()  # OpenCV's letters
    cv2.putText(image, plain, at, cv2.FONT_HERSHEY_SIMPLEX, size, INK, 1, cv2.LINE_AA)
