"""Speech that a test can read: a tone of 80 ms for every letter or character, its pitch says which.

``heard`` tells from the sound what was said, in which order and how often; ``spelled`` is what it
must have heard.
"""

from __future__ import annotations

import io
import wave
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

LETTER_SEC = 0.08
_PITCHES = 64
_LOWEST_HZ, _STEP_HZ = 400.0, 50.0  # up to 3.55 kHz, which every rate here can carry


def spelled(text: str) -> list[int]:
    """What ``heard`` hears of a text."""
    return [ord(c) % _PITCHES for c in text if c.isalnum()]


def heard(pcm: NDArray[np.int16], rate: int) -> list[int]:
    """Which tones are in int16[n] mono, from its first sound on; half a tone is none."""
    loud = np.flatnonzero(np.abs(pcm.astype(int)) > 1_000)
    pcm = pcm[loud[0] : loud[-1]] if len(loud) else pcm[:0]
    length = int(LETTER_SEC * rate)
    edge = length // 8  # resampling rings where the pitch changes
    found = []
    for begin in range(0, len(pcm) - length // 2, length):
        part = pcm[begin : begin + length].astype(float)[edge:-edge]
        spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), 8 * rate // 100))
        hz = np.argmax(spectrum) * 100 / 8
        found.append(round((hz - _LOWEST_HZ) / _STEP_HZ))
    return found


def tones(text: str, rate: int) -> NDArray[np.int16]:
    """The text as int16[n] mono."""
    at = np.arange(int(LETTER_SEC * rate)) / rate
    pitches = [_LOWEST_HZ + _STEP_HZ * number for number in spelled(text)]
    bursts = [12_000 * np.sin(2 * np.pi * hz * at + 0.3) for hz in pitches]
    return np.concatenate([np.zeros(0), *bursts]).astype(np.int16)


def encoded(pcm: NDArray[np.int16], rate: int, form: str) -> bytes:
    """int16[n] mono as the bytes of one of ``Speech``'s forms."""
    if form == "raw":
        return pcm.astype("<i2").tobytes()
    if form == "float":
        return (pcm / 32768).astype("<f4").tobytes()
    if form in ("wav", "wav_stream"):
        file = io.BytesIO()
        with wave.open(file, "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(rate)
            # The header alone, with lengths of zero, is how GPT-SoVITS and fish-speech begin.
            sound.writeframes(b"" if form == "wav_stream" else pcm.astype("<i2").tobytes())
        return file.getvalue() + (pcm.astype("<i2").tobytes() if form == "wav_stream" else b"")
    return _compressed(pcm, rate, form)


def _compressed(pcm: NDArray[np.int16], rate: int, form: str) -> bytes:
    codecs = {"mp3": "libmp3lame", "ogg": "libopus", "flac": "flac", "aac": "aac"}
    container = {"aac": "adts"}.get(form, form)
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream: Any = output.add_stream(codecs[form], rate=48_000 if form == "ogg" else rate)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(pcm.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = rate
        resampler = av.AudioResampler(
            format=stream.format.name,
            layout="mono",
            rate=stream.rate,
            frame_size=stream.codec_context.frame_size or 1152,
        )
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(piece))
        output.mux(stream.encode(None))
    return file.getvalue()
