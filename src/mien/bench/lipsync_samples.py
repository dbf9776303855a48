"""Faces and sounds to run the Wav2Lip network on, when only time and exactness matter."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.lipsync.wav2lip.mel import COLUMNS, SAMPLE_RATE, SILENCE, mel_spectrogram


def sample_faces(count: int, size: int, seed: int) -> NDArray[np.uint8]:
    """uint8[count, size, size, 3] RGB: soft blotches about as bright and as varied as faces are."""
    random = np.random.default_rng(seed)
    faces = np.empty((count, size, size, 3), np.uint8)
    for face in faces:
        noise = random.standard_normal((size, size, 3)).astype(np.float32)
        blurred = cv2.GaussianBlur(noise, (0, 0), random.uniform(0.01, 0.12) * size)
        contrast, brightness = random.uniform(25, 60), random.uniform(80, 170, 3)
        face[:] = np.clip(blurred / blurred.std() * contrast + brightness, 0, 255)
    return faces


def sample_mels(count: int, seed: int, *, pauses: bool = False) -> NDArray[np.float32]:
    """float32[count, 80, 16] of a babble: three formants and a hiss, four syllables a second.

    pauses: every third is silence, which sets other parts of the network in motion than sound does.
    """
    random = np.random.default_rng(seed)
    seconds = 2 + count / 10
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    pitch = 2 * np.pi * np.cumsum(120 + 20 * np.sin(2 * np.pi * 0.7 * t)) / SAMPLE_RATE
    harmonics = np.arange(1, 33)[:, None]
    centres = np.array([500, 1500, 2500])[:, None] * (1 + 0.3 * np.sin(2 * np.pi * 2.3 * t))
    voice = np.zeros_like(t)
    for centre in centres:
        gain = np.exp(-(((120 * harmonics - centre) / 150) ** 2))
        voice += (gain * np.sin(harmonics * pitch)).sum(axis=0)
    syllables = np.clip(np.sin(2 * np.pi * 4 * t), 0, 1)
    sound = 0.2 * syllables * (voice + 0.3 * random.standard_normal(len(t)))
    mel = mel_spectrogram(sound.astype(np.float32))
    firsts = random.integers(0, mel.shape[1] - COLUMNS, count)
    mels = np.stack([mel[:, first : first + COLUMNS] for first in firsts])
    if pauses:
        mels[::3] = SILENCE
    return mels
