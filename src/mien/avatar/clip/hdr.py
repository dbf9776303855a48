"""High dynamic range to what a web page shows: PQ or HLG in BT.2020 → sRGB.

Telephones film so by default. Shown as if it were ordinary, such a clip is grey and flat. Curves:
ITU-R BT.2100-2, tables 4 and 5; white at 203 cd/m² as in ITU-R BT.2408; primaries by ITU-R BT.2087.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.media.tick import Image

Floats = NDArray[np.float32]

PQ, HLG = "pq", "hlg"
WHITE = 203.0  # cd/m² of diffuse white
PEAK = 1000.0 / WHITE  # the usual brightest light of such clips
KNEE = 0.5  # of diffuse white; skin lies below and keeps its tone

BT2020_TO_709 = np.array(
    [
        [1.660491, -0.587641, -0.072850],
        [-0.124550, 1.132900, -0.008349],
        [-0.018151, -0.100579, 1.118730],
    ],
    np.float32,
)
LUMA = np.array([0.2627, 0.6780, 0.0593], np.float32)
STEPS = 16384  # of a table; dark tones of 8 bits are 1/3295 apart
BRIGHTEST = 1.7  # of PEAK: what pure blue of BT.2020 becomes in narrower primaries


class Hdr:
    """One curve's tables: powers of every pixel would take a second a picture."""

    def __init__(self, curve: str) -> None:
        """curve: ``PQ`` or ``HLG``."""
        signal = np.linspace(0, 1, 65536)
        self.curve = curve
        self._light = (_pq(signal) if curve == PQ else _hlg(signal)).astype(np.float32)
        step = np.arange(STEPS + 1) / STEPS
        # The system's own gamma of 1.2, on luminance: BT.2100-2, table 5, note 5i.
        self._system = (step**0.2 * PEAK).astype(np.float32)
        light = np.maximum(step, 1 / STEPS) * PEAK * BRIGHTEST
        self._roll_off = (_rolled_off(light) / light).astype(np.float32)
        srgb = np.where(step <= 0.0031308, 12.92 * step, 1.055 * step ** (1 / 2.4) - 0.055)
        self._bytes = np.round(255 * srgb).astype(np.uint8)

    def to_sdr(self, picture: NDArray[np.uint16]) -> Image:
        """picture: uint16[H, W, 3] R'G'B'. uint8[H, W, 3] sRGB."""
        light = np.take(self._light, picture)
        if self.curve == HLG:
            luma = cv2.transform(light, LUMA[None])
            light *= np.take(self._system, _index(np.asarray(luma, np.float32), 1.0))[..., None]
        light = np.asarray(cv2.transform(light, BT2020_TO_709), np.float32)
        brightest = np.maximum(np.maximum(light[..., 0], light[..., 1]), light[..., 2])
        light *= np.take(self._roll_off, _index(brightest, PEAK * BRIGHTEST))[..., None]
        return np.take(self._bytes, _index(light, 1.0))


def _index(values: Floats, most: float) -> NDArray[np.uint16]:
    """0…``most`` as indices of a table; beyond it the nearest."""
    scaled = values * np.float32(STEPS / most)
    scaled += np.float32(0.5)
    return np.clip(scaled, 0, STEPS, out=scaled).astype(np.uint16)


def _pq(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Display light, 1 = diffuse white."""
    m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
    root = signal ** (1 / m2)
    light = (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
    return np.asarray(np.minimum(light * 10000 / WHITE, PEAK))


def _hlg(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scene light, 0…1."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)


def _rolled_off(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Möbius: as it is up to the knee, then bent so that the peak becomes 1, without a kink."""
    j, p = KNEE, PEAK
    a = -j * j * (p - 1) / (j * j - 2 * j + p)
    b = (j * j - 2 * j * p + p) / (p - 1)
    bent = (b * b + 2 * b * j + j * j) / (b - a) * (light + a) / (light + b)
    return np.where(light <= j, light, np.minimum(bent, 1.0))
