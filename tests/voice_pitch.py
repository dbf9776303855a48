"""How high a voice speaks, from its sound."""

from __future__ import annotations

import numpy as np

FRAME_SEC = 0.04

# mien.toml: two that are told apart by their pitch, one behind HTTP at URL, one that is away.
VOICES = """
voice = "low"
[voices.low]
service = "espeak"
en = { voice = "en-us+m3", pitch = 10 }
[voices.high]
service = "espeak"
en = { voice = "en-us+f3", pitch = 99 }
[voices.anna]
service = "gpt-sovits"
url = "URL"
ref_audio_path = "a.wav"
prompt_text = "b"
first_sound_sec = 60
stall_sec = 60
[voices.away]
service = "gpt-sovits"
url = "http://127.0.0.1:9"
ref_audio_path = "a.wav"
prompt_text = "b"
"""


def pitch(pcm: np.ndarray, rate: int = 48_000) -> float:
    """Median fundamental frequency in Hz of the voiced parts of int16[n]; 0 where there are none.

    By autocorrelation of frames, between 60 and 500 Hz.
    """
    size = round(FRAME_SEC * rate)
    found = []
    for begin in range(0, len(pcm) - size, size):
        frame = pcm[begin : begin + size].astype(float)
        frame -= frame.mean()
        if np.abs(frame).max() < 1000:
            continue
        spectrum = np.fft.rfft(frame, 2 * size)
        similar = np.fft.irfft(np.abs(spectrum) ** 2)[:size]
        low, high = rate // 500, rate // 60
        at = low + int(np.argmax(similar[low:high]))
        if similar[at] > 0.5 * similar[0]:
            found.append(rate / at)
    return float(np.median(found)) if found else 0.0
