"""What the network hears: the published spectrogram, for files, streams and ticks alike."""

from pathlib import Path

import numpy as np
import pytest

from mien.lipsync.wav2lip.mel import (
    AFTER,
    BANDS,
    BEFORE,
    COLUMNS,
    CONTEXT,
    HALF,
    HOP,
    SAMPLE_RATE,
    Edges,
    MelStream,
    chunk_starts,
    mel_basis,
    mel_of_tick,
    mel_spectrogram,
    silent_mel,
)
from mien.media.speech import SpeechChunk
from mien.media.tick import TICK_SEC
from mien.media.tick_plan import TickPlan
from mien.media.timeline import Timeline

GOLDEN = Path(__file__).parents[2] / "shared" / "golden" / "wav2lip_mel.npz"
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    if not GOLDEN.exists():
        pytest.skip(f"the reference data is not here: {GOLDEN.name}")
    with np.load(GOLDEN) as file:
        return dict(file)


def voice(seconds: float, rate: int = SAMPLE_RATE, seed: int = 0) -> np.ndarray:
    """float32: a gliding buzz with syllables and breath, something in every band."""
    time = np.arange(round(seconds * rate)) / rate
    pitch = 2 * np.pi * (140 * time + 25 * np.sin(3 * time))
    buzz = sum(np.sin(k * pitch) / k for k in range(1, 20))
    noise = np.random.default_rng(seed).normal(0, 0.2, len(time))
    syllables = np.clip(np.sin(2 * np.pi * 4 * time) + 0.4, 0, 1)
    return np.asarray(0.25 * (buzz + noise) * syllables, np.float32)


# -- the published front end -------------------------------------------------------------


def test_the_spectrogram_is_the_published_one(golden: dict[str, np.ndarray]) -> None:
    ours = mel_spectrogram(golden["wav"])
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, golden["mel"], atol=TOLERANCE, rtol=0)
    np.testing.assert_allclose(mel_basis(), golden["mel_basis"], atol=1e-7, rtol=0)


def test_silence_at_the_edges_is_a_choice_and_not_the_published_one(
    golden: dict[str, np.ndarray],
) -> None:
    ours = mel_spectrogram(golden["wav"], "silence")
    np.testing.assert_allclose(ours, golden["mel_zero_padded"], atol=TOLERANCE, rtol=0)
    assert np.abs(ours - golden["mel"]).max() > 1


@pytest.mark.parametrize("fps", ["24", "25", "29_97", "30", "50"])
def test_pictures_begin_at_the_published_columns(golden: dict[str, np.ndarray], fps: str) -> None:
    starts = chunk_starts(241, float(fps.replace("_", ".")))
    assert starts == golden[f"chunk_starts_fps{fps}"].tolist()


@pytest.mark.parametrize("columns", [16, 17, 19, 20, 80])
def test_short_sounds_end_as_published(golden: dict[str, np.ndarray], columns: int) -> None:
    assert chunk_starts(columns, 25) == golden[f"chunk_starts_fps25_frames{columns}"].tolist()


def test_chunks_are_the_published_ones(golden: dict[str, np.ndarray]) -> None:
    mel = mel_spectrogram(golden["wav"])
    starts = chunk_starts(mel.shape[1], 25)
    chunks = [mel[:, start : start + COLUMNS] for start in (starts[0], starts[1], starts[-1])]
    np.testing.assert_allclose(chunks, golden["chunks_fps25_first_last"], atol=TOLERANCE, rtol=0)


def test_what_is_too_short_for_a_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="append silence"):
        chunk_starts(COLUMNS - 1, 25)


def test_silence_is_the_same_in_every_band_and_faint_noise_is_silence() -> None:
    np.testing.assert_array_equal(
        mel_spectrogram(np.zeros(3000, np.float32)), silent_mel()[:, :1].repeat(16, 1)
    )
    # Rounding to 16 bits makes a noise this loud.
    noise = np.random.default_rng(1).uniform(-1, 1, 4000).astype(np.float32) / 32768
    np.testing.assert_array_equal(mel_spectrogram(noise)[:, 3:-3], -4)


@pytest.mark.parametrize("samples", [0, 1, 2, 199, 399, 400, 401, 799, 800, 801, 1234])
@pytest.mark.parametrize("edges", ["reflect", "silence"])
def test_any_length_has_its_columns(samples: int, edges: Edges) -> None:
    mel = mel_spectrogram(voice(0.2)[:samples], edges)
    assert mel.shape == (BANDS, 1 + samples // HOP)
    assert np.isfinite(mel).all()


def test_stereo_is_refused() -> None:
    with pytest.raises(ValueError, match="mono"):
        mel_spectrogram(np.zeros((2, 100), np.float32))
    with pytest.raises(ValueError, match="mono"):
        MelStream().push(np.zeros((2, 100), np.float32))


# -- streams -----------------------------------------------------------------------------


def streamed(stream: MelStream, wav: np.ndarray, pieces: list[int]) -> np.ndarray:
    columns, begin = [], 0
    for size in pieces:
        columns.append(stream.push(wav[begin : begin + size]))
        begin += size
    columns += [stream.push(wav[begin:]), stream.finish()]
    return np.concatenate(columns, axis=1)


@pytest.mark.parametrize("edges", ["reflect", "silence"])
@pytest.mark.parametrize("samples", [0, 1, 150, 400, 401, 402, 777, 1000, 20_017])
def test_a_stream_equals_the_whole(edges: Edges, samples: int) -> None:
    wav = voice(1.5)[:samples]
    stream = MelStream(edges)
    sizes = np.random.default_rng(samples).integers(0, 900, 12).tolist()
    for pieces in ([], [1] * 500, sizes, [400, 1, 200, 199]):  # the stream begins anew each time
        np.testing.assert_allclose(
            streamed(stream, wav, pieces), mel_spectrogram(wav, edges), atol=1e-6, rtol=0
        )


def test_a_stream_gives_a_column_as_soon_as_its_sound_is_there() -> None:
    wav, stream = voice(0.5), MelStream()
    given = 0
    for sample in range(0, 4000, 50):
        given += stream.push(wav[sample : sample + 50]).shape[1]
        heard = sample + 50
        # Half a window behind the centre; the first comes when the beginning is certain.
        assert given == (0 if heard <= HALF else (heard - HALF) // HOP + 1)


# -- ticks -------------------------------------------------------------------------------


def test_the_context_is_as_small_as_it_can_be() -> None:
    before, after = CONTEXT
    assert round(before * SAMPLE_RATE) == BEFORE
    assert round((TICK_SEC + after) * SAMPLE_RATE) == AFTER
    assert after == pytest.approx(0.1725)
    rng = np.random.default_rng(2)
    audio = rng.normal(0, 0.3, BEFORE + AFTER).astype(np.float32)
    for end, position in ((0, HOP - 1), (-1, 0)):  # the furthest back and the furthest ahead
        changed = audio.copy()
        changed[end] += 10_000  # the window begins and ends gently
        assert np.abs(mel_of_tick(audio, position) - mel_of_tick(changed, position)).max() > 1e-3


def test_a_window_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match=str(BEFORE + AFTER)):
        mel_of_tick(np.zeros(BEFORE + AFTER - 1, np.float32), 0)


@pytest.mark.parametrize("position", [0, 1, 199, 200, 639, 640, 7001])
def test_columns_lie_on_the_grid_of_the_whole_speech(position: int) -> None:
    wav = voice(1.0)
    padded = np.pad(wav, (BEFORE, AFTER))
    ours = mel_of_tick(padded[position : position + BEFORE + AFTER], position)
    whole = mel_spectrogram(wav, "silence")
    start = position // HOP
    np.testing.assert_allclose(ours, whole[:, start : start + COLUMNS], atol=1e-6, rtol=0)


def played(timeline: Timeline) -> list[TickPlan]:
    """Emit until everything is said; only ticks that speak."""
    plans = []
    while not timeline.silent:
        plan = timeline.emit()
        if plan.window is not None:
            plans.append(plan)
    return plans


def requested(plans: list[TickPlan]) -> tuple[np.ndarray, list[tuple[int, np.ndarray]]]:
    """float32 voice that the windows together show, and (position, columns) of every tick."""
    tape = np.zeros(plans[-1].window.position + AFTER, np.float32)  # type: ignore[union-attr]
    ticks = []
    for plan in plans:
        assert plan.window is not None
        audio, position = plan.window.pcm.astype(np.float32) / 32768, plan.window.position
        stop = min(len(tape), position + round(TICK_SEC * SAMPLE_RATE))
        tape[position:stop] = audio[BEFORE : BEFORE + stop - position]
        ticks.append((position, mel_of_tick(audio, position)))
    return tape, ticks


def say(timeline: Timeline, seconds: float, rate: int, clause: int, piece: int = 3001) -> None:
    pcm = (voice(seconds, rate, clause) * 32000).astype(np.int16)
    for begin in range(0, len(pcm), piece):
        last = begin + piece >= len(pcm)
        timeline.say(SpeechChunk(0, clause, "", pcm[begin : begin + piece], rate, last=last))


@pytest.mark.parametrize("rate", [48_000, 24_000, 22_050, 16_000])
def test_ticks_of_a_voice_hear_the_published_chunks(rate: int) -> None:
    timeline = Timeline(SAMPLE_RATE, CONTEXT)
    say(timeline, 1.7137, rate, 1)  # not a whole number of ticks
    tape, ticks = requested(played(timeline))
    assert np.abs(tape).max() > 0.2

    mel = mel_spectrogram(tape)  # as published: mirrored at its ends
    starts = chunk_starts(mel.shape[1], 25)
    assert len(ticks) == len(starts) - 1  # all but the one that is repeated at the end
    inside = 0
    for (position, columns), start in zip(ticks, starts, strict=False):
        assert position // HOP == start
        if start >= 2 and start + COLUMNS <= mel.shape[1] - 2:
            inside += 1
            expected = mel[:, start : start + COLUMNS]
            np.testing.assert_allclose(columns, expected, atol=1e-6, rtol=0)
    assert inside >= len(ticks) - 2


def test_speech_going_on_in_the_middle_of_a_tick_stays_on_the_grid() -> None:
    timeline = Timeline(SAMPLE_RATE, CONTEXT)
    say(timeline, 0.4137, 22_050, 1)
    plans = played(timeline)
    say(timeline, 0.7, 24_000, 2)  # the tape went on from where the first had ended
    more = played(timeline)
    assert more[0].window is not None and more[0].window.position % HOP != 0

    # The first clause's ticks could not know of the second; the second's know the first.
    tape, _ = requested(plans + more)
    mel = mel_spectrogram(tape, "silence")
    _, ticks = requested(more)
    for position, columns in ticks:
        start = position // HOP
        np.testing.assert_allclose(columns, mel[:, start : start + COLUMNS], atol=1e-6, rtol=0)


def test_two_clauses_in_a_row_are_one_speech() -> None:
    timeline = Timeline(SAMPLE_RATE, CONTEXT)
    say(timeline, 0.5137, 48_000, 1)
    say(timeline, 0.6, 22_050, 2)
    tape, ticks = requested(played(timeline))
    mel = mel_spectrogram(tape, "silence")
    assert [position for position, _ in ticks] == [640 * i for i in range(len(ticks))]
    for position, columns in ticks:
        start = position // HOP
        np.testing.assert_allclose(columns, mel[:, start : start + COLUMNS], atol=1e-6, rtol=0)
