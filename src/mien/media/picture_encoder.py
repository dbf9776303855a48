"""The encoder a rendition asks for."""

from __future__ import annotations

from typing import Any, Protocol

from av.packet import Packet

from mien.media.h264 import H264Encoder
from mien.media.rendition import Rendition
from mien.media.tick import Image
from mien.media.vpx import VpxEncoder


class PictureEncoder(Protocol):
    """Encodes one picture after the other, without holding the GIL; called from one thread at a
    time."""

    def encode(self, image: Image, index: int, keyframe: bool) -> Packet[Any] | None:
        """uint8[H, W, 3] RGB as tick ``index``: a packet with pts in 1/90000, or none."""
        ...


def make_encoder(rendition: Rendition) -> PictureEncoder:
    """Not for the event loop: trying a graphics card's encoder takes up to a second, once."""
    if rendition.codec == "h264":
        return H264Encoder(rendition.width, rendition.height, rendition.video)
    return VpxEncoder(rendition.codec, rendition.width, rendition.height, rendition.video)
