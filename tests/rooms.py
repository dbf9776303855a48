"""What a microphone hears besides a voice: rooms and machines, drawn; and a voice in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.media.microphone import RATE
from mien.media.tick import Pcm

Sound = NDArray[np.float64]
Draw = np.random.Generator


def shaped(n: int, draw: Draw, gain: Callable[[Sound], Sound]) -> Sound:
    """Gaussian noise whose spectrum is ``gain(Hz)``."""
    spectrum = np.fft.rfft(draw.standard_normal(n))
    return np.fft.irfft(spectrum * gain(np.fft.rfftfreq(n, 1 / RATE)), n)


def white(n: int, draw: Draw) -> Sound:
    return draw.standard_normal(n)


def pink(n: int, draw: Draw) -> Sound:
    return shaped(n, draw, lambda hz: 1 / np.sqrt(np.maximum(hz, 20)))


def fan(n: int, draw: Draw) -> Sound:
    """Blades that flutter, a motor that hums, air."""
    time = np.arange(n) / RATE
    air = shaped(n, draw, lambda hz: 1 / (1 + (hz / 300) ** 1.5))
    air *= (1 + 0.2 * np.sin(2 * np.pi * 11 * time)) / air.std()
    return air + 0.6 * np.sin(2 * np.pi * 98 * time) + 0.3 * np.sin(2 * np.pi * 196 * time)


def hum(n: int, draw: Draw) -> Sound:
    """Mains and their harmonics."""
    time = np.arange(n) / RATE
    harmonics = sum(np.sin(2 * np.pi * 50 * k * time + k) / k for k in (1, 2, 3, 4, 5, 7))
    return np.asarray(harmonics + 0.05 * draw.standard_normal(n))


def tone(n: int, draw: Draw) -> Sound:
    """Held tones of 4 s, each at another pitch, that fade in and out within 50 ms."""
    length = 4 * RATE
    pitch = np.repeat(draw.uniform(200, 3000, n // length + 1), length)[:n]
    since = np.arange(n) % length
    edge = np.minimum(1, np.minimum(since, length - since) / 800)
    return edge * np.sin(2 * np.pi * np.cumsum(pitch) / RATE) + 0.003 * white(n, draw)


def melody(n: int, draw: Draw) -> Sound:
    """Tones of 0.05 to 1.5 s and pauses, nowhere in tune. Silero takes some of it for singing."""
    sound = 0.003 * white(n, draw)
    at = 0
    while at < n:
        length = min(n - at, int(draw.uniform(0.05, 1.5) * RATE))
        time = np.arange(length)
        hz = np.exp(draw.uniform(np.log(100), np.log(4000)))
        edge = np.minimum(1, np.minimum(time, length - time) / 80)
        if draw.random() < 0.6:
            loud = draw.uniform(0.1, 1)
            sound[at : at + length] += loud * edge * np.sin(2 * np.pi * hz * time / RATE)
        at += length
    return sound


def keyboard(n: int, draw: Draw) -> Sound:
    """Six keys a second, each heard going down and up."""

    def click(loud: float) -> Sound:
        length = int(draw.uniform(0.004, 0.02) * RATE)
        low, high = draw.uniform(600, 2000), draw.uniform(3200, 7200)
        burst = shaped(length, draw, lambda hz: ((low < hz) & (hz < high)).astype(float))
        return burst * np.exp(-np.arange(length) / (length / 4)) * loud

    sound = 0.01 * white(n, draw)
    at = 0
    while (at := at + 800 + int(draw.exponential(0.12) * RATE)) < n - 3 * RATE // 10:
        for later, loud in ((0, 12.0), (int(draw.uniform(0.05, 0.11) * RATE), 7.0)):
            key = click(loud * draw.uniform(0.3, 1))
            sound[at + later : at + later + len(key)] += key
    return sound


def knocks(n: int, draw: Draw) -> Sound:
    """On a table, two or three in two seconds."""
    sound = 0.01 * white(n, draw)
    time = np.arange(RATE // 5) / RATE
    at = 0
    while (at := at + 2000 + int(draw.exponential(0.6) * RATE)) < n - RATE // 5:
        thud = np.sin(2 * np.pi * draw.uniform(60, 400) * time)
        thud = thud * np.exp(-time / draw.uniform(0.01, 0.04)) * draw.uniform(1, 4)
        sound[at : at + len(time)] += thud + white(len(time), draw) * np.exp(-time / 0.005)
    return sound


def breath(n: int, draw: Draw) -> Sound:
    """Into the microphone, for 0.2 to 0.8 s, 30 times a minute."""
    sound = 0.01 * white(n, draw)
    at = 0
    while (at := at + int(draw.uniform(0.5, 2.5) * RATE)) < n - RATE:
        length = int(draw.uniform(0.2, 0.8) * RATE)
        air = shaped(length, draw, lambda hz: ((hz > 400) & (hz < 4000)).astype(float))
        sound[at : at + length] += 2 * air * np.hanning(length)
    return sound


def doors(n: int, draw: Draw) -> Sound:
    """Noise that changes by up to 40 dB, abruptly."""
    sound = white(n, draw)
    at = 0
    while at < n:
        length = int(draw.uniform(0.3, 3) * RATE)
        sound[at : at + length] *= 10 ** (-draw.uniform(0, 40) / 20)
        at += length
    return sound


STEADY = {"white": white, "pink": pink, "fan": fan, "hum": hum, "tone": tone}
SUDDEN = {"keyboard": keyboard, "knocks": knocks, "breath": breath, "doors": doors}
HARD = {"melody": melody}


def noise(kind: str, sec: float, dbfs: float, seed: int = 1) -> Pcm:
    """int16[n] mono 16 kHz with an RMS of ``dbfs``."""
    sound = {**STEADY, **SUDDEN, **HARD}[kind](int(sec * RATE), np.random.default_rng(seed))
    return _pcm(_at(sound, dbfs))


@dataclass(frozen=True, slots=True)
class Take:
    """pcm: int16[n] mono 16 kHz. begin, end: the first sample of the voice that is audible, and one
    past the last."""

    pcm: Pcm
    begin: int
    end: int


def spoken_in(
    voice: Pcm, dbfs: float = -20, snr_db: float = 60, kind: str = "pink", phone: bool = False,
    before_sec: float = 1.5, seed: int = 1,
) -> Take:  # fmt: skip
    """A voice in a room, with 1 s after it; ``dbfs`` while it sounds, the room ``snr_db`` below.

    phone: 300…3400 Hz. The beginning of the voice is where its level, RMS of 2.5 ms, is less than
    40 dB below its loudest, and above the room's; its end likewise.
    """
    draw = np.random.default_rng(seed)
    voice_level = _levels(voice.astype(float))
    sound = _at(voice.astype(float), dbfs, _loud(voice))
    before = int(before_sec * RATE) + int(draw.integers(1600))
    n = before + len(sound) + RATE
    room = _at({**STEADY, **SUDDEN}[kind](n, draw), dbfs - snr_db)
    bound = max(voice_level.max() - 40, voice_level.max() - _peak_above(voice) - snr_db)
    audible = np.flatnonzero(voice_level > bound)
    room[before : before + len(sound)] += sound
    if phone:
        spectrum, hz = np.fft.rfft(room), np.fft.rfftfreq(n, 1 / RATE)
        room = np.fft.irfft(spectrum * ((hz > 300) & (hz < 3400)), n)
    return Take(_pcm(room), before + int(audible[0]) * 40, before + int(audible[-1] + 1) * 40)


def joined(pieces: Sequence[Pcm]) -> Pcm:
    """int16[n]: one after the other."""
    return np.concatenate([piece.astype(np.int16) for piece in pieces])


def silence(sec: float) -> Pcm:
    """int16[n] of zeros."""
    return np.zeros(int(sec * RATE), np.int16)


def _levels(sound: Sound) -> Sound:
    """dB of each 2.5 ms."""
    steps = sound[: len(sound) // 40 * 40].reshape(-1, 40)
    return np.asarray(10 * np.log10((steps**2).mean(1) + 1e-3))


def _loud(voice: Pcm) -> Sound:
    """Where it sounds: the parts that are less than 30 dB below the loudest."""
    steps = voice[: len(voice) // 320 * 320].reshape(-1, 320).astype(float)
    power = (steps**2).mean(1)
    return steps[power > power.max() / 1000].ravel()


def _peak_above(voice: Pcm) -> float:
    """dB between its loudest 2.5 ms and its level while it sounds."""
    return float(_levels(voice.astype(float)).max() - 10 * np.log10((_loud(voice) ** 2).mean()))


def _at(sound: Sound, dbfs: float, of: Sound | None = None) -> Sound:
    rms = np.sqrt(((sound if of is None else of) ** 2).mean())
    return np.asarray(sound / rms * 32768 * 10 ** (dbfs / 20))


def _pcm(sound: Sound) -> Pcm:
    return np.clip(np.round(sound), -32768, 32767).astype(np.int16)
