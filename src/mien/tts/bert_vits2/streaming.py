"""Decoding a sentence piece by piece, so that it is heard before it is finished.

The decoder hears some frames around those it makes sound of. A piece is decoded together with that
many frames of its neighbours, whose sound is thrown away: pieces then fit together as if the whole
sentence had been decoded at once. At its ends there is nothing to hear, as there.
"""

from __future__ import annotations

from dataclasses import dataclass

from mien.tts.bert_vits2.backend import Latents, Slab

OVERLAP = 12
"""Frames on either side. What is left of the difference is 1e-6 of the peak; with 8 it is 1e-3,
with 4 it is 4e-2."""

FIRST = 24
"""Frames of the first piece (0.28 s): heard at once, and long enough to compute the next."""

LARGEST = 96
"""Frames of a later piece (1.1 s). Neighbours cost 8 frames' work per piece, so that larger ones
gain little; an interruption waits for the piece that is being decoded."""

GROWTH = 1.25
"""How much longer each piece is than the one before. Playback does not starve as long as a piece
is ready when those before it have been heard; with these it is on anything that decodes 1.6 times
as fast as speech."""


STEP = 8
"""Frames that the widths of last pieces differ by. A width that was not met before costs OpenVINO
0.1 s; a few more frames cost less."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Frames ``begin`` to ``stop`` of a sentence, and how many beside them are heard, too."""

    begin: int
    stop: int
    left: int
    right: int

    def of(self, latents: Latents) -> Slab:
        """What a back end decodes for this piece."""
        z = latents.z[:, self.begin - self.left : self.stop + self.right]
        return Slab(z, latents.speaker, self.left, self.right)


def plan(
    frames: int,
    first: int = FIRST,
    size: int = LARGEST,
    overlap: int = OVERLAP,
    growth: float = GROWTH,
    lead: int = 0,
) -> list[Piece]:
    """Pieces that make up a sentence of so many frames, in order.

    first, size: frames of the first piece, and at most of the later ones. What would be left at
    the end, shorter than the overlap, is added to the last piece. lead: frames of silence in front,
    which come with the first piece: nobody hears them while the next one is made.
    """
    if min(first, size) < 1 or overlap < 0 or growth < 1:
        raise ValueError(f"pieces of {first} to {size} frames, {overlap} around them")
    pieces: list[Piece] = []
    begin, length = 0, float(min(first, size))
    while begin < frames:
        stop = begin + int(length) + (0 if pieces else lead)
        if frames - stop < overlap:
            stop = frames
        right = min(overlap, frames - stop)
        more = -(overlap + stop - begin) % STEP if stop == frames else 0
        pieces.append(Piece(begin, stop, min(overlap + more, begin), right))
        begin, length = stop, min(length * growth, size)
    return pieces
