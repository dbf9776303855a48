"""What may happen to a voice on its way: another throat, a room, noise, a codec, a telephone.

The spectrum's own variations (formant warp, equaliser, level) are cheaper on log-mel frames and
are done while training.
"""

from __future__ import annotations

import io
from dataclasses import replace

import av
import numpy as np
import soxr
from numpy.typing import NDArray
from utterance import Utterance

Sound = NDArray[np.float32]
RATE = 16_000


def degraded(utterance: Utterance, rng: np.random.Generator) -> Utterance:
    """The same sentence from a longer or shorter throat, in a room, over a wire."""
    # Playing faster raises pitch and formants alike, as a smaller speaker would.
    factor = float(rng.uniform(0.84, 1.2))
    audio = soxr.resample(utterance.audio.astype(np.float32) / 32768, RATE * factor, RATE)
    phones = utterance.phones
    if phones is not None:
        phones = tuple((symbol, start / factor, end / factor) for symbol, start, end in phones)
    if rng.random() < 0.45:
        audio = _in_a_room(audio, rng)
    if rng.random() < 0.6:
        audio = _with_noise(audio, rng)
    if rng.random() < 0.35:
        audio = _over_a_wire(audio, rng)
    peak = float(np.abs(audio).max()) + 1e-6
    pcm = (audio * min(1.0, 0.99 / peak) * 32767).astype(np.int16)
    return replace(utterance, audio=pcm, phones=phones)


def _in_a_room(audio: Sound, rng: np.random.Generator) -> Sound:
    seconds = rng.uniform(0.08, 0.45)
    length = int(seconds * RATE)
    tail = rng.standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
    tail[: int(0.002 * RATE)] = 0
    tail *= 10 ** (rng.uniform(-14, -2) / 20) / (np.sqrt((tail**2).sum()) + 1e-9)
    tail[0] = 1.0
    size = 1 << (len(audio) + length - 1).bit_length()
    wet = np.fft.irfft(np.fft.rfft(audio, size) * np.fft.rfft(tail, size), size)
    return np.asarray(wet[: len(audio)], np.float32)


def _with_noise(audio: Sound, rng: np.random.Generator) -> Sound:
    """Coloured noise (slope 0…2 of the power law) 8…40 dB below the speech, at times humming."""
    spectrum = np.fft.rfft(rng.standard_normal(len(audio)))
    hz = np.fft.rfftfreq(len(audio), 1 / RATE)
    noise = np.fft.irfft(spectrum / np.maximum(hz, 40) ** rng.uniform(0, 1), len(audio))
    if rng.random() < 0.2:
        t = np.arange(len(audio)) / RATE
        noise = noise / noise.std() + np.sin(2 * np.pi * rng.choice([50, 60, 100, 120]) * t)
    level = np.sqrt((audio**2).mean()) * 10 ** (-rng.uniform(8, 40) / 20)
    return np.asarray(audio + noise / (noise.std() + 1e-9) * level, np.float32)


def _over_a_wire(audio: Sound, rng: np.random.Generator) -> Sound:
    kind = rng.choice(["mp3", "opus", "phone"])
    if kind == "phone":
        narrow = soxr.resample(audio, RATE, 8000)
        return np.asarray(soxr.resample(narrow, 8000, RATE)[: len(audio)], np.float32)
    codec, layout = ("libmp3lame", "mp3") if kind == "mp3" else ("libopus", "ogg")
    rate = 24_000
    pcm = np.clip(soxr.resample(audio, RATE, rate) * 32767, -32768, 32767).astype(np.int16)
    file = io.BytesIO()
    with av.open(file, "w", format=layout) as sink:
        stream = sink.add_stream(codec, rate=rate)
        stream.bit_rate = int(rng.choice([16_000, 24_000, 32_000, 48_000]))
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
        frame.sample_rate = rate
        resampler = av.AudioResampler(stream.format, "mono", stream.rate, stream.frame_size or None)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            sink.mux(stream.encode(part))
        sink.mux(stream.encode(None))
    file.seek(0)
    with av.open(file) as source:
        back = av.AudioResampler("flt", "mono", RATE)
        parts = [p.to_ndarray()[0] for f in source.decode(audio=0) for p in back.resample(f)]
        parts += [p.to_ndarray()[0] for p in back.resample(None)]
    decoded = np.concatenate(parts)
    return _in_step(decoded, audio)


def _in_step(decoded: Sound, audio: Sound) -> Sound:
    """Undo the codec's own delay (up to 80 ms), which would shift every label."""
    size = 1 << (2 * len(audio) - 1).bit_length()
    cross = np.fft.irfft(
        np.fft.rfft(decoded[: len(audio)], size) * np.conj(np.fft.rfft(audio, size)), size
    )
    reach = RATE * 8 // 100
    lag = int(np.argmax(np.concatenate([cross[-reach:], cross[:reach]]))) - reach
    shifted = decoded[lag:] if lag >= 0 else np.concatenate([np.zeros(-lag, np.float32), decoded])
    out = np.zeros(len(audio), np.float32)
    out[: min(len(shifted), len(audio))] = shifted[: len(audio)]
    return out
