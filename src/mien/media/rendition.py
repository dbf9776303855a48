"""How a program's pictures are to be encoded; equal ones are encoded once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

Codec = Literal["h264", "vp8", "vp9"]
Fit = Literal["cover", "contain"]


@dataclass(frozen=True, slots=True)
class VideoSettings:
    """bitrate: the ceiling, bits per second. quality: x264's rate factor, lower is better and
    more bits. keyframe_sec: at least one key frame so often.

    preset: of x264; "ultrafast" is 2.6 ms per 512×512 picture, "veryfast" 4 ms for about a
    quarter fewer bits. constant: always ``bitrate``, as platforms ask for; else only as many bits
    as ``quality`` takes. encoder: an FFmpeg encoder's name, or "auto": the machine's own if it has
    one that works, else libx264.
    """

    bitrate: int = 1_500_000
    quality: int = 21
    keyframe_sec: float = 2.0
    preset: str = "ultrafast"
    constant: bool = False
    encoder: str = "auto"


@dataclass(frozen=True, slots=True)
class Rendition:
    """Pictures of one size, codec and rate.

    fit: what happens to pictures of another shape: "cover" cuts off what does not fit, "contain"
        leaves black beside it. cutout: the figure alone, its colours on the left half and its
        opacity as grey on the right; ``width`` is that of both halves.
    """

    width: int
    height: int
    codec: Codec = "h264"
    video: VideoSettings = field(default_factory=VideoSettings)
    fit: Fit = "cover"
    cutout: bool = False

    def as_cutout(self) -> Rendition:
        """The figure alone, as large as in these pictures."""
        return replace(self, width=2 * self.width, cutout=True)
