"""Sound that ends, or waits, in the middle of a wave without a click."""

from __future__ import annotations

import numpy as np

from mien.media.tick import SAMPLE_RATE, Pcm

# 5 ms is inaudible as delay and enough to hide a cut.
FADE_SAMPLES = SAMPLE_RATE // 200


def faded_out(pcm: Pcm, samples: int = FADE_SAMPLES) -> Pcm:
    """int16[n] that starts as ``pcm`` and is silent after ``samples``, -12 dB after 0.4 of them.

    A straight line would be as far down after 0.75 of them only, and people wait for that.
    """
    out = np.zeros_like(pcm)
    length = min(samples, len(pcm))
    out[:length] = pcm[:length] * np.linspace(1, 0, length) ** 3
    return out


def faded_in(pcm: Pcm, samples: int) -> Pcm:
    """int16[n], the remainder of ``faded_out(pcm, samples)``: both together are ``pcm``."""
    return pcm - faded_out(pcm, samples)
