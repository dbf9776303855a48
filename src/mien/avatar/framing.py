"""Which part of the figure's canvas a picture shows.

A square or wide picture is the close-up that the avatar gives as its focus, with background at
the sides; a tall one reaches further down the body.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from mien.avatar.folder import Box

# Of the height a tall picture has more than the focus, the share that lies above it: heads in
# the upper third look framed, a head in the middle looks lost.
ABOVE = 0.25
LOWEST_CHIN = 0.9  # of the picture's height


class Rect(NamedTuple):
    """Whole pixels of a picture; may reach beyond it."""

    left: int
    top: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.left + self.width

    @property
    def bottom(self) -> int:
        return self.top + self.height

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, to cut it out of an array."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def grown(self, by: int) -> Rect:
        return Rect(self.left - by, self.top - by, self.width + 2 * by, self.height + 2 * by)

    def within(self, other: Rect) -> Rect:
        """What both cover; may be empty (width or height 0)."""
        left, top = max(self.left, other.left), max(self.top, other.top)
        right, bottom = min(self.right, other.right), min(self.bottom, other.bottom)
        return Rect(left, top, max(0, right - left), max(0, bottom - top))

    def joined(self, other: Rect) -> Rect:
        """The smallest that covers both."""
        left, top = min(self.left, other.left), min(self.top, other.top)
        right, bottom = max(self.right, other.right), max(self.bottom, other.bottom)
        return Rect(left, top, right - left, bottom - top)

    def seen_from(self, other: Rect) -> Rect:
        """The same pixels, counted from the corner of ``other``."""
        return Rect(self.left - other.left, self.top - other.top, self.width, self.height)


@dataclass(frozen=True, slots=True)
class View:
    """What a picture shows: the canvas from (left, top), enlarged ``scale`` times.

    A point x, y of the canvas (edges of pixels, not their middles) is drawn at
    ((x - left) · scale, (y - top) · scale).
    """

    left: float
    top: float
    scale: float

    def rect(self, box: tuple[float, float, float, float]) -> Rect:
        """The pixels of the picture that a box of the canvas touches."""
        left, top, width, height = box
        x, y = (left - self.left) * self.scale, (top - self.top) * self.scale
        right, bottom = x + width * self.scale, y + height * self.scale
        first, above = math.floor(x + 1e-6), math.floor(y + 1e-6)
        return Rect(first, above, math.ceil(right - 1e-6) - first, math.ceil(bottom - 1e-6) - above)


@dataclass(frozen=True, slots=True)
class Cut:
    """On which sides the figure reaches the border of its canvas: there the picture must end,
    or the border would be seen as a cut."""

    left: bool = False
    top: bool = False
    right: bool = False


def view(size: tuple[int, int], canvas: tuple[int, int], focus: Box, cut: Cut, chin: float) -> View:
    """The view of a picture of ``size`` (width, height). Its bottom never lies below the canvas.

    chin: y on the canvas; kept in the picture where a cut figure allows less than the focus.
    """
    aspect = size[0] / size[1]
    canvas_width, canvas_height = canvas
    left, top, width, height = focus
    below = canvas_height - (top + height)
    # As much body as keeps the focus's width in the picture and the canvas's bottom out of it.
    tall = max(height, min(width / aspect, height + below / (1 - ABOVE)))
    if cut.left and cut.right:
        tall = min(tall, canvas_width / aspect)
    if cut.top:
        tall = min(tall, canvas_height)
    wide = tall * aspect
    shown_left = left + width / 2 - wide / 2
    shown_top = max(top - ABOVE * (tall - height), chin - LOWEST_CHIN * tall)
    if cut.right:
        shown_left = min(shown_left, canvas_width - wide)
    if cut.left:
        shown_left = max(shown_left, 0.0)
    if cut.top:
        shown_top = max(shown_top, 0.0)
    shown_top = min(shown_top, canvas_height - tall)
    return View(shown_left, shown_top, size[1] / tall)
