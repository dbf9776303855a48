"""The presenter's own clip through Wav2Lip, from text to a file: where and when it is painted."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from clip_scene import MOVED, Scene, Sight, make_scene
from command_line import mien
from mien.media.tick import SAMPLES_PER_TICK
from mien.painter import ENTRY_TICKS, FADE_TICKS
from wav2lip_seeded import FILES_HOLD, narrow

LOUD = 300  # int16; the quietest vowels are above, what encoding leaves of silence is below


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Sight], list[int]]:
    """What every picture shows, and the loudness of every tick (peak, int16)."""
    folder = tmp_path_factory.mktemp("spoken")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(FILES_HOLD, narrow().architecture)
        scene = make_scene(folder, narrow())
        text = "Hello. My voice moves a mouth that somebody filmed."
        home = {"HOME": str(folder), "XDG_CACHE_HOME": str(folder)}
        out = folder / "out.mp4"
        ran = mien("say", text, *scene.arguments, "-o", str(out), **scene.environment, **home)
        assert ran.exit_code == 0, ran.output
        return _watched(scene, out)


def _watched(scene: Scene, file: Path) -> tuple[list[Sight], list[int]]:
    with av.open(str(file)) as container:
        pictures = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    with av.open(str(file)) as container:
        resampler = av.AudioResampler("s16", "mono", 48_000)
        parts = [
            p.to_ndarray()[0] for f in container.decode(audio=0) for p in resampler.resample(f)
        ]
    sound = np.concatenate(parts)
    ticks = range(0, len(sound) - SAMPLES_PER_TICK, SAMPLES_PER_TICK)
    peaks = [int(np.abs(sound[i : i + SAMPLES_PER_TICK]).max()) for i in ticks]
    return [scene.eye.see(picture) for picture in pictures], peaks


def test_only_the_mouth_is_painted(spoken: tuple[list[Sight], list[int]]) -> None:
    sights, _ = spoken
    assert max(sight.outside for sight in sights) < 3, "everything else is as it was filmed"


def test_the_mouth_moves_with_the_sound_and_rests_in_silence(
    spoken: tuple[list[Sight], list[int]],
) -> None:
    sights, peaks = spoken
    moved = [sight.moved > MOVED for sight in sights]
    loud = [i for i, peak in enumerate(peaks) if peak > LOUD]
    first, last = moved.index(True), len(moved) - 1 - moved[::-1].index(True)
    # Lips are ahead of their sound, and enter speech in steps.
    assert loud[0] - 6 <= first <= loud[0] + ENTRY_TICKS
    assert loud[-1] - 6 <= last <= loud[-1] + FADE_TICKS + 4
    assert np.mean(moved[first : last + 1]) > 0.7
    assert not any(moved[:first]) and not any(moved[last + 1 :])


def test_the_clip_goes_on_without_a_jump(spoken: tuple[list[Sight], list[int]]) -> None:
    sights, _ = spoken
    steps = np.abs(np.diff([sight.frame for sight in sights]))
    # Where two neighbours look alike after encoding, one may be taken for the other.
    assert steps.max() <= 6 and np.mean(steps <= 1) > 0.8
