"""Everybody who says the sentences: espeak-ng in many variants, and flite through ffmpeg."""

from __future__ import annotations

import asyncio
import re
import subprocess

import numpy as np
import soxr
from numpy.typing import NDArray

from mien.tts import espeak_worker
from mien.tts.espeak_worker import Segment
from mien.tts.worker_process import WorkerProcess

RATE = 16_000
Pcm = NDArray[np.int16]

ENGLISH = ("en-us", "en-us", "en-us", "en-gb", "en-gb-x-rp")
VARIANTS = (
    "f3", "f1", "f2", "f4", "f5", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "klatt",
    "klatt2", "klatt5", "Alicia", "Andrea", "Annie", "Denis", "Hugo", "Marco", "Michael", "adam",
    "anika", "belinda", "david", "ed", "grandma", "linda", "max", "paul", "steph", "zac",
)  # fmt: skip
FLITE = ("slt", "rms", "awb", "kal", "kal16")


def at_random(language: str, text: str, rng: np.random.Generator) -> list[Segment]:
    """The sentence as espeak-ng is to say it: half the time as mien does but for pace and pitch,
    otherwise in any variant."""
    usual = rng.random() < 0.5
    variant = "f3" if usual else str(rng.choice(VARIANTS))
    rate = int(rng.integers(125, 180) if usual else rng.integers(105, 215))
    pitch = int(rng.integers(40, 60) if usual else rng.integers(20, 80))
    melody = {"zh": 99 if usual else int(rng.integers(70, 100)), "en": int(rng.integers(35, 80))}
    voices = {"zh": "cmn", "en": str(rng.choice(ENGLISH))}
    parts = re.findall(r"[a-z' ]+|[^a-z' ]+", text) if language == "zh" else [text]
    return [
        Segment(f"{voices[own]}+{variant}", rate, pitch, melody[own], part)
        for part in parts
        for own in ("en" if part[0].isascii() else "zh",)
    ]


def espeak(lines: list[list[Segment]]) -> list[Pcm | None]:
    """int16[n] mono 16 kHz of each line, without the silence around it; None where espeak-ng
    fails, as a few of its variants do at some paces."""
    return asyncio.run(_espeak(lines))


async def _espeak(lines: list[list[Segment]]) -> list[Pcm | None]:
    said: list[Pcm | None] = []
    while len(said) < len(lines):
        worker = await WorkerProcess.launch(espeak_worker)
        try:
            _, _, payload = await worker.receive()
            rate = int.from_bytes(payload, "little")
            worker.listen("espeak")
            while len(said) < len(lines) and not worker.dead:
                sound = await _line(worker, lines[len(said)])
                said.append(None if sound is None else _trimmed(soxr.resample(sound, rate, RATE)))
        finally:
            await worker.stop()
    return said


async def _line(worker: WorkerProcess, line: list[Segment]) -> Pcm | None:
    sound = b""
    with worker.request() as (request, answers):
        worker.send(espeak_worker.SAY, request, espeak_worker.pack_segments(line))
        while (answer := await answers.get()) is not None:
            kind, payload = answer
            if kind == espeak_worker.DONE:
                return np.frombuffer(sound, np.int16)
            if kind != espeak_worker.PIECE:
                break
            sound += espeak_worker.unpack_piece(payload)[1]
    return None


def flite(text: str, voice: str) -> Pcm:
    """int16[n] mono 16 kHz; English. Needs an ffmpeg with libflite, as Debian's is."""
    command = [
        "ffmpeg",
        "-loglevel",
        "error",
        "-f",
        "lavfi",
        "-i",
        f"flite=text='{text}':voice={voice}",
    ]
    command += ["-ar", str(RATE), "-ac", "1", "-f", "s16le", "-"]
    told = subprocess.run(command, capture_output=True, check=True)
    return _trimmed(np.frombuffer(told.stdout, np.int16))


def _trimmed(pcm: Pcm) -> Pcm:
    loud = np.flatnonzero(np.abs(pcm.astype(np.int32)) > 200)
    return pcm[loud[0] : loud[-1] + 1]
