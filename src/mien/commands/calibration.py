"""Faces and speech to calibrate a network on: what it will see and hear, or something like it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import cv2
import numpy as np
import soxr
from numpy.typing import NDArray

from mien.avatar.contract import Pose
from mien.avatar.library import load_avatar
from mien.lipsync.contract import Mouth, MouthShape
from mien.lipsync.wav2lip.faces import Faces
from mien.lipsync.wav2lip.mel import COLUMNS, SAMPLE_RATE, chunk_starts, mel_spectrogram
from mien.media.tick import FPS
from mien.tts.espeak import EspeakVoice
from mien.tts.voice import Run

PRESENTERS = ("mei", "lin")
FACE_BOX = (0.35, 0.25, 0.67, 0.68)
"""Left, top, right, bottom of the presenters' faces, as shares of their picture."""

_SENTENCES = (
    Run("zh", "你好，我是你的数字人助手。今天我们来聊一聊天气、音乐和旅行，好不好？"),
    Run("en", "Hello, my name is Mei. Five thin fish swam past the boat before we put it away."),
)


def faces_of_clip(faces: Faces, size: int, count: int) -> NDArray[np.uint8]:
    """uint8[count, size, size, 3] RGB from all over a clip."""
    frames = np.linspace(0, len(faces) - 1, count).round().astype(int)
    return np.stack([faces.crop(int(frame), size) for frame in frames])


def faces_of_presenters(size: int, count: int) -> NDArray[np.uint8]:
    """uint8[count, size, size, 3] RGB of the built-in presenters, moving and speaking."""
    rng = np.random.default_rng(1)
    found = []
    for index in range(count):
        avatar = load_avatar(PRESENTERS[index % len(PRESENTERS)])
        yaw, pitch, roll = rng.uniform(-6, 6, 3)
        mouth = MouthShape(openness=rng.uniform(0, 1), rounding=rng.uniform(-1, 1))
        pose = Pose(yaw=yaw, pitch=pitch, roll=roll, blink=rng.uniform(0, 0.5))
        picture = avatar.compose(index, Mouth(shape=mouth), pose)
        height, width = picture.shape[:2]
        shift = rng.uniform(-0.01, 0.01, 4)
        left, top, right, bottom = (np.array(FACE_BOX) + shift) * (width, height, width, height)
        crop = picture[round(top) : round(bottom), round(left) : round(right)]
        light = rng.uniform(0.7, 1.15)
        face = cv2.resize(crop, (size, size), interpolation=cv2.INTER_LINEAR)
        found.append(np.clip(face * light, 0, 255).astype(np.uint8))
    return np.stack(found)


def spoken_mels(count: int) -> NDArray[np.float32]:
    """float32[count, 80, 16] of Mandarin and English speech and of the silence around it.

    Raises:
        VoiceError: the built-in voice is missing or broken.
    """
    wav = asyncio.run(_spoken())
    mel = mel_spectrogram(wav)
    starts = np.array(chunk_starts(mel.shape[1], FPS))
    chosen = starts[np.linspace(0, len(starts) - 1, count).round().astype(int)]
    return np.stack([mel[:, start : start + COLUMNS] for start in chosen])


async def _spoken() -> NDArray[np.float32]:
    """Both sentences at 16 kHz, with pauses."""
    pause = np.zeros(SAMPLE_RATE // 4, np.float32)
    parts = [pause]
    voice = EspeakVoice()
    try:
        for run in _SENTENCES:
            async with aclosing(voice.speak([run])) as chunks:
                pcm = np.concatenate([chunk.pcm async for chunk in chunks])
            sound = soxr.resample(pcm.astype(np.float32) / 32768, voice.sample_rate, SAMPLE_RATE)
            parts += [np.asarray(sound, np.float32), pause]
    finally:
        await voice.aclose()
    return np.concatenate(parts)
