"""What a clip's features will take on disk, before any are built."""

from __future__ import annotations

from mien.lipsync.wav2lip.architecture import WAV2LIP, WAV2LIP_256
from mien.lipsync.wav2lip.window import MOUTH

FLOAT_BYTES = 4  # of a value in fp32; 2 in bf16 and fp16, 1 in int8


def features_mb(frames: int, value_bytes: int = FLOAT_BYTES) -> tuple[float, float]:
    """Megabytes for the 96-pixel and the 256-pixel network: the features of each frame, and its
    mouth at rest as a picture."""
    found = []
    for architecture in (WAV2LIP, WAV2LIP_256):
        window = MOUTH(architecture)
        rest = window.shape[0] * window.shape[1] * 3
        found.append(frames * (window.values * value_bytes + rest) / 1e6)
    return found[0], found[1]
