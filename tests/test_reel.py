"""A recording's time line: cuts, pauses, what is late and what is missing."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import pytest

from encoded import recorded
from mien.media.fmp4 import Sample
from mien.media.lengths import described
from mien.media.reel import Reel
from mien.media.tick import FPS, SAMPLES_PER_TICK
from played import played

AAC = 1024


def _run(reel: Reel, ticks: Iterable[int], grid: int = 0, mute: bool = False) -> list[list[Sample]]:
    """The fragments of these ticks of a program; sound lies on a grid of its own and comes, as
    AAC does, two packets late. A key frame every second."""
    fragments = []
    ticks = list(ticks)
    sound = ticks[0] * SAMPLES_PER_TICK - AAC + grid
    for index in ticks:
        while sound + 2 * AAC <= (index + 1) * SAMPLES_PER_TICK:
            if not mute:
                reel.put_audio(sound, b"a")
            sound += AAC
        reel.put_video(index * 3600, index % FPS == 0, index.to_bytes(4, "big"))
        while samples := reel.fragment():
            fragments.append(samples)
    return fragments


def _end(samples: list[Sample]) -> float:
    last = samples[-1]
    return (last.pts + last.duration) / (90_000 if last.track == "video" else 48_000)


def _number(sample: Sample) -> int:
    """Of the program's tick."""
    return int.from_bytes(sample.data, "big")


def _track(fragments: list[list[Sample]], track: str) -> list[Sample]:
    samples = [one for fragment in fragments for one in fragment if one.track == track]
    for before, after in pairwise(samples):
        assert after.pts >= before.pts + before.duration
    return samples


def _gaps(samples: list[Sample]) -> list[int]:
    """Between a sample's end and the next one's begin, where there is anything."""
    gaps = (b.pts - a.pts - a.duration for a, b in pairwise(samples))
    return [gap for gap in gaps if gap]


@pytest.mark.parametrize("grid", [0, 64, 960])
def test_both_tracks_end_together(grid: int) -> None:
    reel = Reel(AAC)
    fragments = _run(reel, range(100, 351), grid)
    fragments.append(reel.cut())
    video, audio = _track(fragments, "video"), _track(fragments, "audio")
    assert video[0].pts == 0 and 0 <= audio[0].pts < AAC
    assert video[0].keyframe
    ends = [
        (one.pts + one.duration) / clock for one, clock in ((video[-1], 90e3), (audio[-1], 48e3))
    ]
    assert abs(ends[0] - ends[1]) <= 0.040
    assert reel.seconds == ends[0]
    assert {one.duration for one in video} == {3600} and {one.duration for one in audio} == {AAC}
    assert not _gaps(video) and not _gaps(audio)


def test_a_crash_costs_half_a_second_at_most() -> None:
    reel = Reel(AAC)
    for end in range(110, 200):
        fragments = _run(Reel(AAC), range(100, end))
        kept = sum(len([one for one in each if one.track == "video"]) for each in fragments)
        assert end - 100 - kept <= 0.5 * FPS
    assert reel.seconds == 0


def test_fragments_begin_with_key_frames_where_there_are_any() -> None:
    video = [
        next(one for one in each if one.track == "video") for each in _run(Reel(AAC), range(200))
    ]
    assert sum(one.keyframe for one in video) == 8


def test_before_the_first_key_frame_there_is_nothing() -> None:
    reel = Reel(AAC)
    fragments = [*_run(reel, range(110, 160)), reel.cut()]
    video, audio = _track(fragments, "video"), _track(fragments, "audio")
    assert int.from_bytes(video[0].data, "big") == 125
    assert (video[0].pts, audio[0].pts < AAC) == (0, True)
    assert Reel(AAC).cut() == []


def test_pauses_leave_no_trace_in_the_stamps() -> None:
    reel = Reel(AAC)
    fragments = []
    for begin, end, grid in ((0, 60, 0), (1000, 1031, 448), (5003, 5100, 960), (9000, 9001, 0)):
        fragments += [*_run(reel, range(begin, end), grid), reel.cut()]
    video, audio = _track(fragments, "video"), _track(fragments, "audio")
    assert {one.duration for one in video} == {3600} and not _gaps(video)
    # A pause costs less than a packet of sound, and moves none of it against its picture.
    assert len(_gaps(audio)) <= 3 and max(_gaps(audio)) < AAC
    starts = [
        n for n, one in enumerate(video) if n == 0 or _number(one) != _number(video[n - 1]) + 1
    ]
    assert [_number(video[n]) for n in starts] == [0, 1000, 5025]
    assert abs(audio[-1].pts / 48_000 - video[-1].pts / 90_000) <= 0.040


def test_a_picture_that_is_missing_is_stood_in_for_by_the_one_before() -> None:
    reel = Reel(AAC)
    fragments = [*_run(reel, [*range(30), *range(33, 80)]), reel.cut()]
    video = _track(fragments, "video")
    assert [one.duration for one in video if one.duration != 3600] == [4 * 3600]
    assert video[30].pts == 33 * 3600 and not _gaps(video)


def test_sound_that_stays_away_holds_up_no_picture() -> None:
    reel = Reel(AAC)
    fragments = [*_run(reel, range(100), mute=True), reel.cut()]
    assert len(_track(fragments, "video")) == 100 and not _track(fragments, "audio")


def test_pictures_that_stay_away_hold_up_no_sound() -> None:
    reel = Reel(AAC)
    fragments = _run(reel, range(50))
    for number in range(50, 200):
        reel.put_audio(number * SAMPLES_PER_TICK, b"a")
        fragments.append(reel.fragment())
    assert reel.seconds > 6
    fragments.append(reel.cut())
    video = _track(fragments, "video")
    assert abs(video[-1].pts + video[-1].duration - 200 * 3600) <= 3600


async def test_a_long_recording(tmp_path: Path) -> None:
    """Small here; of ``recorded(path, 30)`` the same holds, a minute of decoding later."""
    await recorded(tmp_path / "a.mp4", 0.5)
    seen = played(tmp_path / "a.mp4")
    assert len(seen.times) == round(seen.video_end * FPS) >= 30 * FPS - 5
    assert abs(seen.video_end - seen.sound_end) <= 0.040
    assert len(seen.offsets) >= 29 and seen.offset <= 0.002
    assert described(tmp_path / "a.mp4").seconds == pytest.approx(seen.video_end, abs=0.045)
