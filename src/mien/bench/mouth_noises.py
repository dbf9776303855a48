"""Sounds people make that are no words: coughs, throats cleared, hums, laughter, clicks.

Source and filter (Fant, Acoustic Theory of Speech Production, 1960): a source of noise or of
glottal pulses through the resonances of a vocal tract. A cough is an explosive burst, a longer
noisy phase that decays, and often a short voiced one (Korpáš, Sadloňová & Vrabec, Analysis of
the cough sound, 1996). No two are alike: everything that differs between people is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from mien.media.microphone import RATE
from mien.media.tick import Pcm

Sound = NDArray[np.float64]
# (Hz, bandwidth in Hz) of each resonance.
Tract = Sequence[tuple[float, float]]

_NEUTRAL: Tract = ((600, 120), (1500, 180), (2500, 250), (3600, 400), (5200, 700))
_OPEN: Tract = ((780, 110), (1350, 140), (2600, 220), (3600, 400))
# The mouth is closed: one strong low resonance, the rest damped by the nose (Fant, ch. 2.4).
_NASAL: Tract = ((260, 60), (1050, 350), (2200, 500))


def cough(random: np.random.Generator) -> Pcm:
    """int16[n] mono 16 kHz: one cough, 0.25–0.5 s, or a fit of two or three."""
    count = int(random.choice([1, 1, 2, 3]))
    parts: list[Sound] = []
    for number in range(count):
        parts.append(_one_cough(random) * (1 if number == 0 else random.uniform(0.5, 1)))
        parts.append(np.zeros(_samples(random.uniform(0.06, 0.22))))
    return _pcm(np.concatenate(parts[:-1]))


def _one_cough(random: np.random.Generator) -> Sound:
    tract = _scaled(_NEUTRAL, random)
    burst = _decay(_noise(random, random.uniform(0.03, 0.06)), 0.02)
    long = random.uniform(0.14, 0.28)
    noisy = _decay(_resonant(_noise(random, long), tract), random.uniform(0.05, 0.12))
    sound = np.concatenate([1.2 * burst / _peak(burst), noisy / _peak(noisy)])
    if random.random() < 0.6:
        pitch = random.uniform(110, 320)
        voiced = _resonant(_pulses(random, random.uniform(0.08, 0.18), pitch, pitch * 0.7), tract)
        voiced = _decay(voiced / _peak(voiced), 0.08) * random.uniform(0.25, 0.7)
        sound = np.concatenate([sound, voiced])
    return _softened(sound, 0.002)


def throat(random: np.random.Generator) -> Pcm:
    """int16[n] mono 16 kHz: a throat cleared, 0.35–0.7 s: rough voice of 60–90 Hz with noise."""
    seconds = random.uniform(0.35, 0.7)
    pitch = random.uniform(60, 90)
    rough = _pulses(random, seconds, pitch, pitch * 0.85, jitter=0.12)
    breath = _noise(random, seconds)
    source = rough / _peak(rough) + 0.35 * breath[: len(rough)] / _peak(breath)
    return _pcm(_softened(_resonant(source, _scaled(_NEUTRAL, random)), 0.05))


def hum(random: np.random.Generator) -> Pcm:
    """int16[n] mono 16 kHz: "mm", "mm-hm" or a long "mmm" with the mouth closed."""
    tract = _scaled(_NASAL, random)
    pitch = random.uniform(95, 240)
    kind = int(random.integers(3))
    if kind == 0:
        sound = _voiced(random, random.uniform(0.18, 0.35), pitch, pitch * 0.8, tract)
    elif kind == 1:
        first = _voiced(random, random.uniform(0.12, 0.18), pitch, pitch, tract)
        breath = 0.08 * _resonant(_noise(random, random.uniform(0.04, 0.09)), tract)
        second = _voiced(random, random.uniform(0.16, 0.26), pitch * 1.15, pitch * 1.35, tract)
        sound = np.concatenate([0.8 * first, breath, second])
    else:
        sound = _voiced(random, random.uniform(0.4, 0.6), pitch, pitch * 0.75, tract)
    return _pcm(sound)


def laugh(random: np.random.Generator) -> Pcm:
    """int16[n] mono 16 kHz: two to five times "ha", some five a second, ever softer."""
    tract = _scaled(_OPEN, random)
    pitch = random.uniform(140, 380)
    parts: list[Sound] = []
    for number in range(int(random.integers(2, 6))):
        breath = 0.25 * _resonant(_noise(random, random.uniform(0.05, 0.09)), tract)
        vowel = _voiced(random, random.uniform(0.07, 0.11), pitch, pitch * 0.9, tract)
        parts.append(0.85**number * np.concatenate([breath, vowel]))
        pitch *= random.uniform(0.88, 0.98)
    return _pcm(np.concatenate(parts))


def click(random: np.random.Generator) -> Pcm:
    """int16[n] mono 16 kHz: a key, a mouse or a cup put down; one to four knocks of 10–60 ms."""
    parts: list[Sound] = []
    for _ in range(int(random.integers(1, 5))):
        knock = _noise(random, random.uniform(0.02, 0.08))
        body = ((random.uniform(200, 3500), random.uniform(80, 900)),)
        parts.append(_decay(_resonant(knock, body), random.uniform(0.004, 0.02)))
        parts[-1] /= _peak(parts[-1])
        parts.append(np.zeros(_samples(random.uniform(0.05, 0.2))))
    return _pcm(np.concatenate(parts))


NOISES: dict[str, Callable[[np.random.Generator], Pcm]] = {
    "cough": cough,
    "throat": throat,
    "hum": hum,
    "laugh": laugh,
    "click": click,
}


# -- source and filter -------------------------------------------------------------------------


def _samples(seconds: float) -> int:
    return round(seconds * RATE)


def _noise(random: np.random.Generator, seconds: float) -> Sound:
    return random.normal(0, 1, _samples(seconds))


def _pulses(
    random: np.random.Generator, seconds: float, begin: float, end: float, jitter: float = 0.01
) -> Sound:
    """Glottal pulses whose pitch glides from ``begin`` to ``end`` Hz, falling 12 dB per octave."""
    out = np.zeros(_samples(seconds))
    at = 0.0
    while at < len(out):
        out[int(at)] = 1
        hertz = begin + (end - begin) * at / len(out)
        at += RATE / hertz * (1 + random.normal(0, jitter))
    # Two real poles at 100 Hz are the fall; lips radiate with a rise of 6 dB per octave.
    pole = np.exp(-2 * np.pi * 100 / RATE)
    frequencies = np.fft.rfftfreq(2 * len(out), 1 / RATE)
    z = np.exp(-2j * np.pi * frequencies / RATE)
    shape = (1 - z) / (1 - pole * z) ** 2
    return np.fft.irfft(np.fft.rfft(out, 2 * len(out)) * shape)[: len(out)]


def _resonant(source: Sound, tract: Tract) -> Sound:
    """``source`` through a cascade of two-pole resonators, each with gain 1 at 0 Hz."""
    size = 2 * len(source)
    z = np.exp(-2j * np.pi * np.fft.rfftfreq(size, 1 / RATE) / RATE)
    response = np.ones(len(z), np.complex128)
    for hertz, bandwidth in tract:
        pole = np.exp(-np.pi * bandwidth / RATE + 2j * np.pi * hertz / RATE)
        a1, a2 = -2 * pole.real, abs(pole) ** 2
        response *= (1 + a1 + a2) / (1 + a1 * z + a2 * z * z)
    return np.fft.irfft(np.fft.rfft(source, size) * response)[: len(source)]


def _voiced(
    random: np.random.Generator, seconds: float, begin: float, end: float, tract: Tract
) -> Sound:
    sound = _resonant(_pulses(random, seconds, begin, end), tract)
    return _softened(sound / _peak(sound), 0.03)


def _scaled(tract: Tract, random: np.random.Generator) -> Tract:
    """Another throat of another length."""
    factor = random.uniform(0.88, 1.22)
    return [(hertz * factor * random.uniform(0.95, 1.05), width) for hertz, width in tract]


def _decay(sound: Sound, seconds: float) -> Sound:
    return np.asarray(sound * np.exp(-np.arange(len(sound)) / (seconds * RATE)))


def _softened(sound: Sound, seconds: float) -> Sound:
    ramp = np.linspace(0, 1, min(_samples(seconds), len(sound) // 2))
    sound[: len(ramp)] *= ramp
    sound[len(sound) - len(ramp) :] *= ramp[::-1]
    return sound


def _peak(sound: Sound) -> float:
    return float(np.abs(sound).max())


def _pcm(sound: Sound) -> Pcm:
    """At half of full scale."""
    return np.asarray(np.round(sound / _peak(sound) * 16384), np.int16)
