"""The viseme engine: closures close, vowels glide, silence rests; and which knowledge it takes."""

from __future__ import annotations

from pathlib import Path

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
    for nothing_known in ((), None):
        shape = ENGINE.render([MouthRequest(QUIET, nothing_known, 0)])[0].shape
        assert shape is not None and shape.openness < 0.03
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
    shape = ENGINE.render([MouthRequest(QUIET, phones, 0)])[0].shape
    assert shape is not None and shape.openness < 0.03 and shape.grip == 0


# -- what it goes by -------------------------------------------------------------------------


def speech(seconds: float = 1.2) -> np.ndarray:
    """float32 at 16 kHz, something like "a": a buzz with two formants."""
    t = np.arange(round(seconds * RATE)) / RATE
    buzz = np.sign(np.sin(2 * np.pi * 120 * t)) * 0.1
    for hz in (750, 1250):
        ring = np.exp(-200 * t[:400]) * np.sin(2 * np.pi * hz * t[:400])
        buzz = np.convolve(buzz, ring)[: len(t)]
    return (0.3 * buzz / np.abs(buzz).max()).astype(np.float32)


def windows(audio: np.ndarray) -> list[np.ndarray]:
    padded = np.concatenate([np.zeros(round(BEFORE * RATE), np.float32), audio])
    step = round(TICK_SEC * RATE)
    return [padded[at : at + WINDOW] for at in range(0, len(padded) - WINDOW, step)]


def test_the_look_ahead_is_at_most_150_ms() -> None:
    assert AFTER <= 0.15


def test_phones_go_before_sound_and_sound_before_loudness() -> None:
    window = windows(speech())[15]
    by_phones = ENGINE.render([MouthRequest(window, (Phone("m", -0.1, 0.2),), 0)])[0].shape
    assert by_phones is not None and by_phones.consonant == "PP"
    by_sound = ENGINE.render([MouthRequest(window, (Phone("m", -0.4, -0.1),), 0)])[0].shape
    assert by_sound is not None and by_sound.consonant != "PP"
    assert by_sound == ENGINE.render([MouthRequest(window, None, 0)])[0].shape


def test_where_the_phones_end_for_now_the_last_one_is_held() -> None:
    """The next sound is not known yet: it must not be taken for silence and close the mouth."""
    window = windows(speech())[15]
    known = (Phone("a", -0.1, 0.03),)
    shape = ENGINE.render([MouthRequest(window, known, 0)])[0].shape
    over = ENGINE.render([MouthRequest(QUIET, known, 0)])[0].shape
    assert shape is not None and over is not None
    assert shape.openness > 0.75 > over.openness


def test_a_stream_is_heard_once_and_as_if_heard_at_once() -> None:
    """What a window shares with the one before is remembered, not heard again."""
    from mien.lipsync.viseme.net import SoundNet, load_net

    net = load_net()
    assert net is not None
    frames: list[int] = []

    class Counting(SoundNet):
        def __init__(self) -> None:
            self.__dict__.update(net.__dict__)

        def hear(self, mel, memory):  # type: ignore[no-untyped-def]
            frames.append(len(mel))
            return super().hear(mel, memory)

    engine = VisemeLipSync(Counting())
    said = windows(speech())
    streamed = [engine.render([MouthRequest(w, None, i)])[0].shape for i, w in enumerate(said)]
    assert frames[1:] == [4] * (len(said) - 1)
    alone = [VisemeLipSync().render([MouthRequest(w, None, 0)])[0].shape for w in said]
    for one, other in zip(streamed[8:], alone[8:], strict=True):
        assert one is not None and other is not None
        assert abs(one.openness - other.openness) < 0.2


def test_many_streams_at_once_do_not_mix() -> None:
    quiet, loud = windows(np.zeros(16_000, np.float32)), windows(speech(1.0))
    shapes = [
        ENGINE.render([MouthRequest(a, None, i), MouthRequest(b, None, i)])
        for i, (a, b) in enumerate(zip(quiet, loud, strict=True))
    ]
    assert all(pair[0].shape is not None and pair[0].shape.openness < 0.05 for pair in shapes)
    assert max(pair[1].shape.openness for pair in shapes if pair[1].shape) > 0.3


def test_without_the_net_loudness_opens_the_mouth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.lipsync.viseme.engine.load_net", lambda: None)
    engine = VisemeLipSync()
    shape = engine.render([MouthRequest(windows(speech())[15], None, 0)])[0].shape
    assert shape is not None and shape.openness > 0.3


def test_a_model_file_that_is_missing_is_said_once_and_survived(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    from mien.lipsync.viseme import net

    monkeypatch.setattr(net, "MODEL", tmp_path / "none.onnx")
    net.load_net.cache_clear()
    try:
        assert net.load_net() is None and net.load_net() is None
    finally:
        net.load_net.cache_clear()
    assert sum("does not load" in record.message for record in caplog.records) == 1


@pytest.mark.parametrize("size", [0, 1, 100, 3000, 5000])
def test_short_windows_do_not_fail(size: int) -> None:
    ENGINE.render([MouthRequest(np.ones(size, np.float32), None, 0)])
