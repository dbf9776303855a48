"""The viseme engine: closures close, vowels glide, silence rests, loudness is the fallback."""

from __future__ import annotations

import time

import numpy as np
import pytest

from mien.lipsync.contract import MouthRequest, MouthShape
from mien.lipsync.viseme import VisemeLipSync
from mien.media.speech import Phone
from mien.media.tick import TICK_SEC

ENGINE = VisemeLipSync()
RATE = ENGINE.sample_rate
BEFORE, AFTER = ENGINE.context
WINDOW = round((BEFORE + TICK_SEC + AFTER) * RATE)
QUIET = np.zeros(WINDOW, np.float32)


def track(*sounds: tuple[str, float], start: float = 0.0) -> list[Phone]:
    """Phones one after another: (symbol, milliseconds)."""
    phones, at = [], start
    for symbol, milliseconds in sounds:
        phones.append(Phone(symbol, at, at + milliseconds / 1000))
        at += milliseconds / 1000
    return phones


def request(phones: list[Phone], tick: int) -> MouthRequest:
    """As the performer makes it: only what overlaps the window, relative to the tick."""
    now = tick * TICK_SEC
    seen = tuple(
        Phone(p.symbol, p.start - now, p.end - now)
        for p in phones
        if p.end > now - BEFORE and p.start < now + TICK_SEC + AFTER
    )
    return MouthRequest(QUIET, seen, tick)


def shapes(phones: list[Phone], seconds: float) -> list[MouthShape]:
    ticks = range(-5, round(seconds / TICK_SEC) + 8)
    mouths = ENGINE.render([request(phones, t) for t in ticks])
    return [m.shape for m in mouths if m.shape is not None]


BABA = [("", 80), ("p", 70), ("ɑ", 160), ("p", 60), ("ɑ", 200), ("", 200)]
MAMA = [("m", 75), ("ɑː", 140), ("m", 65), ("ə", 120)]
FAST = [("b", 25), ("ʌ", 50), ("m", 22), ("p", 18), ("i", 55), ("b", 12), ("a", 70)]


@pytest.mark.parametrize("sounds", [BABA, MAMA, FAST], ids=["baba", "mama", "fast"])
@pytest.mark.parametrize("offset", np.arange(0, 0.04, 0.005).tolist())
def test_bilabials_always_close(sounds: list[tuple[str, float]], offset: float) -> None:
    """Wherever the ticks fall, each "m", "b", "p" has a tick with the lips fully closed."""
    phones = track(*sounds, start=offset)
    for phone in phones:
        if phone.symbol in "mbp" and phone.symbol:
            first, last = int(phone.start / TICK_SEC), int(phone.end / TICK_SEC)
            during = ENGINE.render([request(phones, t) for t in range(first, last + 1)])
            grips = [m.shape.grip for m in during if m.shape and m.shape.consonant == "PP"]
            assert max(grips, default=0) > 0.99, phone


def test_vowels_open_between_closures() -> None:
    phones = track(*BABA)
    middle = ENGINE.render([request(phones, round((0.15 + 0.08) / TICK_SEC))])[0].shape
    assert middle is not None and middle.openness > 0.55 and middle.grip < 0.3


def test_mouth_moves_smoothly_between_vowels() -> None:
    phones = track(("a", 200), ("i", 200), ("u", 200))
    got = shapes(phones, 0.6)
    steps = np.diff([(s.openness, s.rounding) for s in got], axis=0)
    assert abs(steps[:, 0]).max() < 0.45
    assert abs(steps[:, 1]).max() < 0.95
    assert max(s.openness for s in got) > 0.7
    assert min(s.rounding for s in got) < -0.75 and max(s.rounding for s in got) > 0.8


def test_lips_round_before_the_rounded_vowel() -> None:
    """Anticipation: in "su" the lips are rounded while the s is still heard."""
    before_u = shapes(track(("s", 120), ("u", 200)), 0.3)
    before_i = shapes(track(("s", 120), ("i", 200)), 0.3)
    tick = 5 + 2  # the last tick of the s; shapes() begins five ticks early
    assert before_u[tick].rounding > before_i[tick].rounding + 0.4


def test_silence_is_closed() -> None:
    assert ENGINE.render([MouthRequest(QUIET, (), 0)])[0].shape == MouthShape()
    assert ENGINE.render([MouthRequest(QUIET, None, 0)])[0].shape == MouthShape()
    held = ENGINE.render([MouthRequest(QUIET, (Phone("", -0.2, 0.3),), 0)])[0].shape
    assert held is not None and held.openness == 0 and held.grip == 0
    after = shapes(track(("a", 200)), 0.2)
    assert after[-1] == MouthShape() or after[-1].openness < 0.02


def test_shapes_keep_to_the_contract() -> None:
    rng = np.random.default_rng(1)
    symbols = ["p", "a", "tʂʰ", "y", "", "ǂ", "l", "uai", "f", "s", "ɹ", "m"]
    for _ in range(50):
        sounds = [
            (symbols[rng.integers(len(symbols))], float(rng.uniform(1, 200))) for _ in range(12)
        ]
        for shape in shapes(track(*sounds), sum(ms for _, ms in sounds) / 1000):
            assert 0 <= shape.openness <= 1 and -1 <= shape.rounding <= 1
            assert 0 <= shape.grip <= 1 and bool(shape.consonant) == (shape.grip > 0)


def test_phones_of_no_length_are_ignored() -> None:
    phones = (Phone("a", 0.0, 0.0), Phone("m", 0.02, 0.01))
    assert ENGINE.render([MouthRequest(QUIET, phones, 0)])[0].shape == MouthShape()


def tone(hz: float, level: float) -> np.ndarray:
    t = np.arange(WINDOW) / RATE
    return (level * np.sin(2 * np.pi * hz * t)).astype(np.float32)


def energy_shape(audio: np.ndarray) -> MouthShape:
    shape = ENGINE.render([MouthRequest(audio, None, 0)])[0].shape
    assert shape is not None
    return shape


def test_louder_opens_wider_without_phone_times() -> None:
    opened = [energy_shape(tone(500, level)).openness for level in (0.001, 0.02, 0.1, 0.4)]
    assert opened[0] == 0 and opened == sorted(opened) and 0.5 < opened[-1] <= 0.9


def test_dark_sound_rounds_and_bright_sound_spreads() -> None:
    assert energy_shape(tone(350, 0.2)).rounding > 0.3
    assert energy_shape(tone(2200, 0.2)).rounding < -0.3
    noise = np.random.default_rng(0).normal(0, 0.05, WINDOW).astype(np.float32)
    hiss = np.diff(noise, prepend=np.float32(0)).astype(np.float32)
    assert energy_shape(hiss).consonant == "SS"


def test_a_pause_in_the_sound_closes_the_mouth() -> None:
    audio = tone(500, 0.3)
    at = round(BEFORE * RATE)
    audio[at - 1200 : at + 1800] = 0
    assert energy_shape(audio).openness < 0.25


def test_short_windows_do_not_fail() -> None:
    for size in (0, 1, 100, 3000):
        ENGINE.render([MouthRequest(np.ones(size, np.float32), None, 0)])


def test_cost(capsys: pytest.CaptureFixture[str]) -> None:
    """Prints what a tick costs; asserts nothing about speed, machines differ."""
    phones = track(*BABA * 4)
    batch = [request(phones, t) for t in range(60)]
    loud = [MouthRequest(tone(500, 0.2), None, t) for t in range(60)]
    for name, requests in (("phones", batch), ("energy", loud)):
        begin = time.thread_time()
        ENGINE.render(requests)
        cost = (time.thread_time() - begin) / len(requests) * 1000
        with capsys.disabled():
            print(f"\nviseme, {name}: {cost:.3f} ms CPU per tick")
