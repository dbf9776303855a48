"""What a video file holds, by the ending of its name and by whether one sees through it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from mien.media.h264 import COLOUR_PARAMS


@dataclass(frozen=True, slots=True)
class Recipe:
    """FFmpeg's names of codecs and formats; options and threads are the video codec's."""

    video: str
    pix_fmt: str
    audio: str
    audio_format: str
    audio_bitrate: int | None
    options: dict[str, str] = field(default_factory=dict)
    threads: int = 0


# Two pictures are coded per tick, colour and alpha; "realtime" at this speed is still faster than
# the sound lasts on two cores (7 ms per 512×512 tick), where "good" takes five times as long.
_VP9_OPTIONS = {
    "deadline": "realtime",
    "cpu-used": "6",
    "row-mt": "1",
    "crf": "22",
    "b": "0",
    "g": "250",
    # Hidden frames would part colour from alpha: libvpx refuses them in a transparent video.
    "auto-alt-ref": "0",
}
_H264_OPTIONS = {"preset": "veryfast", "crf": "20", "x264-params": COLOUR_PARAMS}
_THREADS = max(1, min(8, os.cpu_count() or 1))

_MP4 = Recipe("libx264", "yuv420p", "aac", "fltp", 128_000, _H264_OPTIONS)
_WEBM = Recipe("libvpx-vp9", "yuv420p", "libopus", "s16", 96_000, _VP9_OPTIONS, _THREADS)
# What video editors take; this encoder needs a third of prores_ks' time.
_PRORES_4444 = Recipe(
    "prores_aw", "yuva444p10le", "pcm_s16le", "s16", None, {"profile": "4"}, _THREADS
)
OPAQUE = {".mp4": _MP4, ".m4v": _MP4, ".mov": _MP4, ".mkv": _MP4, ".webm": _WEBM}
# Browsers play the one, over whatever the page shows below; editors take the other.
TRANSPARENT = {".webm": replace(_WEBM, pix_fmt="yuva420p"), ".mov": _PRORES_4444}


def recipe_for(path: Path, transparent: bool = False) -> Recipe:
    """Raises ValueError, saying which endings there are, for a name whose ending is not one."""
    known = TRANSPARENT if transparent else OPAQUE
    ending = path.suffix.lower()
    if ending in known:
        return known[ending]
    if ending in OPAQUE:
        raise ValueError(f"{ending[1:]} cannot carry transparency; use .webm or .mov")
    endings = ", ".join(known)
    raise ValueError(f"{path.name}: not a video file name; it must end in one of {endings}")
