"""The way of a sound from the server through a loudspeaker and a microphone back to the server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
import soxr
from numpy.typing import NDArray

from mien.media.microphone import RATE

Samples = NDArray[np.float32]

OPUS_RATE = 48_000
_WINDOW = 512
_HOP = _WINDOW // 2


@dataclass(frozen=True)
class EchoPath:
    """What happens to what is played until it comes in at the microphone.

    level_db: of the echo against what is played.
    delays_sec: from sending it to its echo's arrival. More than one take turns (a jitter buffer
        that grows, headphones that are plugged in).
    hold_sec: how long each of them lasts.
    reverb_sec: T60 of the room, modelled as noise that decays exponentially (Polack 1988) after a
        direct sound that is 3 dB louder than all of it; 0 for none.
    drift_ppm: by how much the microphone's clock is slow.
    small_speaker: no bass below 300 Hz, and what is loud is clipped softly.
    cancelled: a browser's bad echo cancellation took 3 to 25 dB, ever changing, out of each band.
    opus: coded as WebRTC does, 24 kbit/s, both ways.
    """

    level_db: float = -20
    delays_sec: tuple[float, ...] = (0.12,)
    hold_sec: float = 15
    reverb_sec: float = 0
    drift_ppm: float = 0
    small_speaker: bool = False
    cancelled: bool = False
    opus: bool = False

    def echo(self, played: Samples, rng: np.random.Generator) -> Samples:
        """float32[n] mono 16 kHz, what is played → float32[n], its echo at the microphone."""
        sound = _coded(played) if self.opus else played
        if self.small_speaker:
            sound = _small_speaker(sound)
        if self.reverb_sec:
            sound = _convolved(sound, _room(self.reverb_sec, rng))
        if self.drift_ppm:
            sound = soxr.resample(sound, RATE, RATE * (1 + self.drift_ppm * 1e-6))
        loud = np.sqrt(np.mean(played**2) / (np.mean(sound**2) + 1e-12))
        sound = sound * np.float32(loud * 10 ** (self.level_db / 20))
        if self.cancelled:
            sound = _cancelled(sound, rng)
        if self.opus:
            sound = _coded(sound)
        return self._delayed(sound, len(played))

    def delay_at(self, position: int) -> float:
        """Seconds by which the microphone's sample ``position`` is behind what was played."""
        turn = int(position / (self.hold_sec * RATE))
        return self.delays_sec[turn % len(self.delays_sec)]

    def _delayed(self, sound: Samples, n: int) -> Samples:
        late = np.zeros(n, np.float32)
        hold = round(self.hold_sec * RATE) if len(self.delays_sec) > 1 else n
        for begin in range(0, n, hold):
            shift = round(self.delay_at(begin) * RATE)
            piece = sound[max(begin - shift, 0) : max(min(begin + hold, n) - shift, 0)]
            at = max(begin, shift)
            late[at : at + len(piece)] = piece
        return late


def _convolved(sound: Samples, response: Samples) -> Samples:
    size = 1 << (len(sound) + len(response) - 1).bit_length()
    spectrum = np.fft.rfft(sound, size) * np.fft.rfft(response, size)
    return np.fft.irfft(spectrum, size)[: len(sound)].astype(np.float32)


def _room(reverb_sec: float, rng: np.random.Generator) -> Samples:
    t = np.arange(round(reverb_sec * RATE)) / RATE
    tail = rng.standard_normal(len(t)) * 10 ** (-3 * t / reverb_sec)
    tail[: round(0.004 * RATE)] = 0
    tail *= np.sqrt(0.5 / np.sum(tail**2))
    tail[0] = 1
    return tail.astype(np.float32)


def _small_speaker(sound: Samples) -> Samples:
    spectrum = np.fft.rfft(sound)
    f = np.fft.rfftfreq(len(sound), 1 / RATE)
    spectrum *= f**2 / (f**2 + 300.0**2)
    sound = np.fft.irfft(spectrum, len(sound)).astype(np.float32)
    knee = np.float32(2 * np.sqrt(np.mean(sound**2)))
    clipped: Samples = knee * np.tanh(sound / knee)
    return clipped


def _cancelled(sound: Samples, rng: np.random.Generator) -> Samples:
    """Each of 20 bands goes its own way between −3 and −25 dB, within some 150 ms: it warbles."""
    frames = len(sound) // _HOP + 1
    changes = rng.standard_normal((frames, 20))
    way = np.zeros_like(changes)
    keep = np.exp(-_HOP / RATE / 0.15)
    for i in range(1, frames):
        way[i] = keep * way[i - 1] + np.sqrt(1 - keep**2) * changes[i]
    gains = 10 ** (np.clip(-14 + 8 * way, -25, -3) / 20)
    band = np.minimum(np.arange(_HOP + 1) * 20 // (_HOP + 1), 19)
    window = np.sin(np.pi * (np.arange(_WINDOW) + 0.5) / _WINDOW)
    padded = np.concatenate((sound, np.zeros(_WINDOW, np.float32)))
    out = np.zeros_like(padded)
    for i in range(frames):
        piece = slice(i * _HOP, i * _HOP + _WINDOW)
        spectrum = np.fft.rfft(padded[piece] * window) * gains[i, band]
        out[piece] += np.fft.irfft(spectrum, _WINDOW).astype(np.float32) * window
    return out[: len(sound)]


def _coded(sound: Samples) -> Samples:
    """Through Opus and back, at the same place in time."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = OPUS_RATE, "mono", "s16"
    encoder.bit_rate = 24_000
    encoder.options = {"application": "voip", "frame_duration": "20"}
    decoder = av.CodecContext.create("libopus", "r")
    decoder.sample_rate, decoder.layout = OPUS_RATE, "mono"
    pieces = [_samples(frame) for packet in _packets(encoder, sound)
              for frame in decoder.decode(packet)]  # fmt: skip
    whole = soxr.resample(np.concatenate(pieces), OPUS_RATE, RATE)
    lead = 102  # libopus looks ahead by 6.5 ms
    whole = np.concatenate((whole[lead:], np.zeros(len(sound), np.float32)))
    return whole[: len(sound)]


def _samples(frame: av.AudioFrame) -> Samples:
    pcm = frame.to_ndarray()
    channels = len(frame.layout.channels)
    flat = pcm[0] if frame.format.is_planar else pcm.reshape(-1, channels)[:, 0]
    scale = 32768 if flat.dtype == np.int16 else 1
    return (flat / scale).astype(np.float32)


def _packets(encoder: av.AudioCodecContext, sound: Samples) -> Iterator[av.Packet[av.AudioStream]]:
    wide = np.clip(soxr.resample(sound, RATE, OPUS_RATE) * 32768, -32768, 32767).astype(np.int16)
    piece = OPUS_RATE // 50
    for begin in range(0, len(wide) - piece + 1, piece):
        frame = av.AudioFrame.from_ndarray(wide[None, begin : begin + piece], "s16", "mono")
        frame.sample_rate, frame.pts, frame.time_base = OPUS_RATE, begin, Fraction(1, OPUS_RATE)
        yield from encoder.encode(frame)
    yield from encoder.encode(None)
