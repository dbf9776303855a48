"""Which values the decoder has to compute so that one part of its picture is exact.

Only the lower half of a face is painted, so only the rows below its middle have to be decoded. A
tensor cut anywhere but at the edge of the picture sees zeros there instead of its neighbours, and
every 3x3 convolution carries that one row further in. So each level of the decoder starts a few
rows (the halo) before those that are wanted; the arithmetic is worked backwards from the output:

* A convolution of 3 needs one row more on either side.
* A transposed convolution of kernel 3, stride 2, padding 1, output padding 1 is, per axis,
  ``out[2i] = w1 x[i]`` and ``out[2i+1] = w2 x[i] + w0 x[i+1]``. It never looks back: input from
  row ``a`` gives exact output from row ``2a``. It looks one ahead: to be exact before row ``hi`` it
  needs the input before ``(hi + 2) // 2``.

Rows and columns follow the same rules; rows always end at the picture's lower edge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from mien.lipsync.wav2lip.architecture import Architecture, Conv

# Of the face's height. Where faces are boxed as the weights know them, masks of a soft paste begin
# at 0.62 and lips at 0.68; a patch needs 0.08 to fade in.
BELOW_NOSE = 0.552


class Span(NamedTuple):
    """Rows or columns ``first`` … ``end - 1`` of a tensor."""

    first: int
    end: int

    @property
    def size(self) -> int:
        return self.end - self.first

    @property
    def slice(self) -> slice:
        return slice(self.first, self.end)

    def within(self, other: Span) -> Span:
        """Where this is found in a tensor that begins where ``other`` does."""
        return Span(self.first - other.first, self.end - other.first)


class Area(NamedTuple):
    rows: Span
    columns: Span


@dataclass(frozen=True, slots=True)
class FeaturePart:
    """The part of one skip feature that the decoder reads.

    level: index of the face encoder block it comes out of; 0 is the full resolution.
    reader: name of the convolution that reads it.
    rows, columns: of that block's whole output.
    """

    level: int
    reader: str
    channels: int
    rows: slice
    columns: slice

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, rows, columns."""
        return (
            self.channels,
            self.rows.stop - self.rows.start,
            self.columns.stop - self.columns.start,
        )

    @property
    def values(self) -> int:
        channels, rows, columns = self.shape
        return channels * rows * columns


@dataclass(frozen=True, slots=True)
class Stage:
    """One block of the decoder.

    size: side of the block's whole output, which is square.
    made: the part of it that is computed; its cut edges may be wrong.
    kept: the exact part of that, which the skip feature is joined to.
    """

    size: int
    made: Area
    kept: Area


@dataclass(frozen=True)
class Window:
    """Which part of the picture is decoded: rows ``top`` … S-1, columns ``left`` … ``right``-1.

    top, left, right: in pixels of the S×S output; right None = S.
    """

    architecture: Architecture
    top: int
    left: int = 0
    right: int | None = None

    def __post_init__(self) -> None:
        size = self.architecture.size
        if not 0 <= self.top < size or not 0 <= self.left < self._right <= size:
            raise ValueError(
                f"rows from {self.top} and columns {self.left} to {self._right} are no part of "
                f"a picture of {size}x{size}"
            )

    @property
    def _right(self) -> int:
        return self.architecture.size if self.right is None else self.right

    @property
    def area(self) -> Area:
        """The wanted part of the S×S output."""
        return Area(Span(self.top, self.architecture.size), Span(self.left, self._right))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the output."""
        return (self.area.rows.size, self.area.columns.size)

    @property
    def key(self) -> str:
        """For names of files that hold only for this window of one architecture."""
        return f"{self.top}-{self.left}-{self._right}"

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """One per decoder block, in its order: the 1x1 block first."""
        blocks = self.architecture.decoder
        sizes = list(_sizes(blocks))
        kept = Area(*(_before_output(span, sizes[-1], self.architecture) for span in self.area))
        stages: list[Stage] = []
        for block, size, size_below in zip(
            reversed(blocks), reversed(sizes), [*reversed(sizes[:-1]), 1], strict=True
        ):
            below = Area(*(_before_block(span, block, size, size_below) for span in kept))
            made = Area(*(_made(span, block[0], size) for span in below))
            stages.append(Stage(size, made, kept))
            kept = below
        return tuple(reversed(stages))

    @cached_property
    def features(self) -> tuple[FeaturePart, ...]:
        """What is read of each face encoder block's output, in their order.

        A picture's features are one flat vector: these parts one after the other, each in C order,
        channels first.
        """
        network = self.architecture
        # What a decoder block gives is read by the first convolution after it.
        readers = [*(block[0] for block in network.decoder[1:]), network.output[0]]
        levels = zip(network.encoder, reversed(readers), reversed(self.stages), strict=True)
        return tuple(
            FeaturePart(level, reader.name, block[-1].cout, *(span.slice for span in stage.kept))
            for level, (block, reader, stage) in enumerate(levels)
        )

    @cached_property
    def values(self) -> int:
        """Length of a picture's features."""
        return sum(part.values for part in self.features)


def FULL(architecture: Architecture) -> Window:
    """All of the picture."""
    return Window(architecture, 0)


def LOWER(architecture: Architecture) -> Window:
    """The half that the network is asked to paint; the upper one it was shown."""
    return Window(architecture, architecture.size // 2)


def MOUTH(architecture: Architecture) -> Window:
    """What a soft paste shows: below the nose, without the outer eighths. A fifth less work."""
    size = architecture.size
    return Window(architecture, round(BELOW_NOSE * size), size // 8, size - size // 8)


def window_of(architecture: Architecture, name: str) -> Window:
    """name: of ``WINDOWS``. Raises ValueError for another."""
    try:
        return WINDOWS[name](architecture)
    except KeyError:
        raise ValueError(f"the window {name!r} is none of {', '.join(WINDOWS)}") from None


WINDOWS: dict[str, Callable[[Architecture], Window]] = {
    "mouth": MOUTH,
    "lower": LOWER,
    "full": FULL,
}


def _sizes(blocks: tuple[tuple[Conv, ...], ...]) -> Iterator[int]:
    size = 1
    for first, *_ in blocks:
        if first.transposed:
            step, kernel, padding = first.stride[0], first.kernel[0], first.padding[0]
            size = (size - 1) * step - 2 * padding + kernel + first.output_padding
        yield size


def _before_output(wanted: Span, size: int, architecture: Architecture) -> Span:
    """What the output convolutions read for ``wanted``."""
    halo = sum(conv.kernel[0] // 2 for conv in architecture.output)
    return _widened(wanted, halo, size)


def _before_block(wanted: Span, block: tuple[Conv, ...], size: int, size_below: int) -> Span:
    """What of its input a decoder block needs so that ``wanted`` of its output is exact."""
    first, *rest = block
    if size_below == 1:
        return Span(0, 1)
    if (first.kernel[0], first.stride[0], first.padding[0], first.output_padding) != (3, 2, 1, 1):
        raise ValueError(f"{first.name}: no halo is known for such a transposed convolution")
    exact = _widened(wanted, sum(conv.kernel[0] // 2 for conv in rest), size)
    return Span(exact.first // 2, min((exact.end + 2) // 2, size_below))


def _made(read: Span, first: Conv, size: int) -> Span:
    """What comes out of a decoder block that is given ``read`` of its input."""
    return Span(0, size) if first.stride[0] == 1 else Span(2 * read.first, 2 * read.end)


def _widened(span: Span, by: int, size: int) -> Span:
    return Span(max(0, span.first - by), min(size, span.end + by))
