"""Voices of the real sherpa-onnx on tiny networks: what they say, in turns, and what fails."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from child_processes import children_with

pytest.importorskip("sherpa_onnx", reason="needs the extra mien[neural]")
pytest.importorskip("onnx", reason="needs onnx, from the extra mien[wav2lip]")

import onnx

import sherpa_seeded as seeded
from mien.tts import sherpa as sherpa_module
from mien.tts import sherpa_worker
from mien.tts.onnx_metadata import NotOnnx, onnx_metadata
from mien.tts.polish import Polished
from mien.tts.sherpa import SherpaSettings, SherpaVoice
from mien.tts.sherpa_model import look_into
from mien.tts.voice import Run, VoiceError

RATE = 48_000
EN = [Run("en", "Hello world. How are you today?")]
ZH = [Run("zh", "你好，今天天气很好。")]
posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


def workers() -> list[psutil.Process]:
    return children_with("sherpa_worker", recursive=False)


@pytest.fixture(autouse=True)
def nothing_leaks() -> Iterator[None]:
    yield
    assert workers() == []


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sherpa")
    seeded.piper(folder / "piper")
    seeded.piper(folder / "crowd", speakers=3)
    seeded.icefall(folder / "icefall")
    seeded.matcha(folder / "matcha")
    seeded.kokoro(folder / "kokoro")
    seeded.kokoro(folder / "kitten", kitten=True)
    return folder


@pytest.fixture
async def piper(models: Path) -> AsyncIterator[SherpaVoice]:
    voice = SherpaVoice("anna", SherpaSettings(model=str(models / "piper")))
    yield voice
    await voice.aclose()


@contextlib.asynccontextmanager
async def opened(folder: Path, **settings: object) -> AsyncIterator[SherpaVoice]:
    voice = SherpaVoice("anna", SherpaSettings.model_validate({"model": str(folder), **settings}))
    yield voice
    await voice.aclose()


async def say(voice: SherpaVoice | Polished, runs: Sequence[Run]) -> NDArray[np.int16]:
    pcm = [chunk.pcm async for chunk in voice.speak(runs)]
    return np.concatenate([np.zeros(0, np.int16), *pcm])


def tones(pcm: NDArray[np.int16]) -> list[int]:
    """Hertz of each 50 ms that carry a single tone, rounded."""
    size = round(seeded.TOKEN_SEC * RATE)
    found = []
    for at in range(0, len(pcm) - size // 2, size):
        part = pcm[at : at + size].astype(float) * np.hanning(len(pcm[at : at + size]))
        found.append(round(np.abs(np.fft.rfft(part, 2 * RATE)).argmax() / 2))
    return found


# What they say


async def test_a_voice_with_a_lexicon_says_its_characters(models: Path) -> None:
    async with opened(models / "icefall") as voice:
        pcm = await say(voice, [Run("zh", "你好，今天")])
        expected = [seeded.CHINESE.index(c) for c in ["sil", "你", "好", "，", "今", "天", "sil"]]
        heard = tones(pcm)
        assert heard[: len(expected)] == pytest.approx([100 + 7 * n for n in expected], abs=4)
        assert len(pcm) / RATE == pytest.approx(8 * seeded.TOKEN_SEC, abs=0.01)


@pytest.mark.parametrize("family", ["piper", "kokoro", "kitten"])
async def test_voices_that_espeak_pronounces(models: Path, family: str) -> None:
    async with opened(models / family) as voice:
        short, long = await say(voice, [Run("en", "Hi.")]), await say(voice, EN)
    assert 0.1 < len(short) / RATE < 0.8
    assert len(long) > 2.5 * len(short)
    assert 9_000 < np.abs(long.astype(int)).max() < 13_000


async def test_a_voice_of_two_networks_speaks_both_languages(models: Path) -> None:
    async with opened(models / "matcha") as voice:
        zh = await say(voice, [Run("zh", "你好")])
        both = await say(voice, [Run("zh", "你好"), Run("en", "hello")])
    assert len(zh) / RATE == pytest.approx(2 * 8 * 256 / 16_000, abs=0.03)
    assert len(both) > 2 * len(zh)
    assert np.abs(zh.astype(int)).max() > 200


async def test_speed_is_the_networks_own(models: Path) -> None:
    async with opened(models / "piper") as plain, opened(models / "piper", speed=2.0) as fast:
        usual, quick = await say(plain, EN), await say(fast, EN)
    assert len(quick) == pytest.approx(len(usual) / 2, rel=0.02)
    assert tones(usual)[1] == pytest.approx(tones(quick)[0], abs=40)


@pytest.mark.parametrize(
    ("family", "speaker"), [("crowd", 1), ("kokoro", "am_ben"), ("kitten", "am_ben")]
)
async def test_speakers_by_number_and_name(models: Path, family: str, speaker: int | str) -> None:
    async with opened(models / family) as first, opened(models / family, speaker=speaker) as other:
        low, high = tones(await say(first, EN)), tones(await say(other, EN))
    assert high[2] == pytest.approx(1.5 * low[2], rel=0.1)


async def test_a_speaker_that_is_not_there_is_refused_with_those_that_are(models: Path) -> None:
    async with opened(models / "kokoro", speaker="zoe") as voice:
        with pytest.raises(VoiceError, match="no speaker 'zoe'; it has af_anna, am_ben") as caught:
            await voice.check()
        assert "af_anna" in caught.value.zh
    async with opened(models / "crowd", speaker=3) as voice:
        with pytest.raises(VoiceError, match="speakers 0 to 2, not 3"):
            await say(voice, EN)


async def test_sentences_arrive_one_by_one(piper: SherpaVoice) -> None:
    chunks = [chunk async for chunk in piper.speak(EN)]
    assert len(chunks) > 2
    assert all(chunk.phones is None and chunk.pcm.dtype == np.int16 for chunk in chunks)


@pytest.mark.parametrize("runs", [[], [Run("en", " ")], [Run("en", "...")], [Run("zh", "。")]])
async def test_nothing_to_say_is_nothing(piper: SherpaVoice, runs: list[Run]) -> None:
    assert len(await say(piper, runs)) == 0


async def test_a_language_it_does_not_speak_is_left_to_others(models: Path) -> None:
    async with opened(models / "piper") as voice:
        assert len(await say(voice, [*EN, Run("zh", "你好")])) == 0
        assert workers() == []
    async with opened(models / "icefall") as voice:
        assert len(await say(voice, EN)) == 0
        assert len(await say(voice, ZH)) > 0
    async with opened(models / "icefall", languages=["en"]) as voice:
        assert len(await say(voice, ZH)) == 0


async def test_polished_it_is_a_voice_of_the_chain(models: Path) -> None:
    async with opened(models / "piper") as voice:
        polished = Polished(voice)
        await say(polished, EN)
        pcm = await say(polished, EN)
    assert np.abs(pcm.astype(int)).max() > 3_000
    assert not pcm[-round(0.2 * RATE) :].any(), "no pause after a sentence"


# Sharing, stopping, surviving


async def test_conversations_take_turns_and_do_not_mix(piper: SherpaVoice) -> None:
    texts = [[Run("en", text)] for text in ("One.", "Two and three.", "Four. Five. Six.")]
    alone = [(await say(piper, runs)).tobytes() for runs in texts]
    ended: list[int] = []

    async def speak(number: int) -> bytes:
        pcm = await say(piper, texts[number % 3])
        ended.append(number)
        return pcm.tobytes()

    together = await asyncio.gather(*(speak(number) for number in range(9)))
    assert together == alone * 3
    assert ended == sorted(ended), "not in the order in which they came"
    assert len(workers()) == 1


async def test_a_clause_nobody_wants_any_more_is_not_made(piper: SherpaVoice) -> None:
    long = [Run("en", "This is a sentence. " * 150)]
    await say(piper, EN)
    (process,) = workers()
    before = sum(process.cpu_times()[:2])
    expected = (await say(piper, EN)).tobytes()
    await say(piper, long)
    whole = sum(process.cpu_times()[:2]) - before
    before = sum(process.cpu_times()[:2])
    for _ in range(3):
        async with contextlib.aclosing(piper.speak(long)) as chunks:
            await anext(chunks)
        assert (await say(piper, EN)).tobytes() == expected
    assert sum(process.cpu_times()[:2]) - before < whole
    assert piper._worker is not None
    assert piper._worker.waiting == {}


@posix
async def test_a_killed_process_is_replaced_unheard(piper: SherpaVoice) -> None:
    expected = (await say(piper, EN)).tobytes()
    for _ in range(3):
        (process,) = workers()
        process.kill()
        assert (await say(piper, EN)).tobytes() == expected
        assert len(workers()) == 1


@posix
async def test_killed_while_speaking_it_hands_over(piper: SherpaVoice) -> None:
    with pytest.raises(VoiceError, match="sherpa-onnx failed") as caught:
        async for _ in piper.speak([Run("en", "This is a sentence. " * 500)]):
            for process in workers():
                os.kill(process.pid, signal.SIGKILL)
    assert caught.value.retryable
    assert len(await say(piper, EN)) > 0


async def test_closing(models: Path) -> None:
    voice = SherpaVoice("anna", SherpaSettings(model=str(models / "piper")))
    await voice.aclose()
    voice = SherpaVoice("anna", SherpaSettings(model=str(models / "piper")))
    chunks = voice.speak([Run("en", "This is a sentence. " * 500)])
    await anext(chunks)
    await voice.aclose()
    with pytest.raises(VoiceError, match="closed") as caught:
        async for _ in chunks:
            pass
    assert not caught.value.retryable
    await voice.aclose()
    with pytest.raises(VoiceError, match="closed"):
        await say(voice, EN)


async def test_a_start_that_is_cancelled_leaves_nothing(piper: SherpaVoice) -> None:
    for n in range(5):
        task = asyncio.create_task(say(piper, EN))
        await asyncio.sleep(0.02 * n)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert len(workers()) <= 1
    assert len(await say(piper, EN)) > 0


# What is missing is named


def test_the_message_format_is_that_of_all_workers() -> None:
    from mien.tts.espeak_worker import HEADER

    assert sherpa_worker.HEADER.format == HEADER.format


async def test_sherpa_missing_or_too_new(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(models / "piper") as voice:
        with monkeypatch.context() as patch:
            patch.setattr(sherpa_module, "version", lambda name: "2.0.1")
            with pytest.raises(VoiceError, match=r"pip install 'sherpa-onnx<2'"):
                await voice.check()
            with pytest.raises(VoiceError, match=r"pip install 'sherpa-onnx<2'"):
                await say(voice, EN)
        monkeypatch.setattr(sherpa_module, "find_spec", lambda name: None)
        with pytest.raises(VoiceError, match=r"pip install 'mien\[neural\]'") as caught:
            await voice.check()
        assert not caught.value.retryable
        with pytest.raises(VoiceError, match=r"pip install 'mien\[neural\]'"):
            await say(voice, EN)


async def test_a_model_of_the_catalogue_that_is_not_here_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIEN_MODELS", str(tmp_path))
    voice = SherpaVoice("sherpa", SherpaSettings())
    with pytest.raises(VoiceError, match="mien models pull matcha-icefall-zh-en"):
        await voice.check()
    with pytest.raises(VoiceError, match="mien models pull matcha-icefall-zh-en"):
        await say(voice, EN)
    with pytest.raises(VoiceError, match="neither a folder nor one of matcha-icefall-zh-en"):
        await SherpaVoice("x", SherpaSettings(model="nonesuch")).check()


@pytest.mark.parametrize(
    ("family", "lost", "message"),
    [
        ("piper", "tokens.txt", "tokens.txt is missing in"),
        ("piper", "espeak-ng-data", "espeak-ng-data/phontab is missing in"),
        ("piper", "en_US-seeded-low.onnx", "no .onnx file whose metadata"),
        ("icefall", "lexicon.txt", "lexicon.txt is missing in"),
        ("matcha", "vocos-16khz-univ.onnx", "no vocoder beside model-steps-3.onnx"),
        ("kokoro", "voices.bin", "voices.bin is missing in"),
        ("kokoro", "espeak-ng-data", "espeak-ng-data/phontab is missing"),
    ],
)
async def test_a_missing_file_is_named(
    tmp_path: Path, family: str, lost: str, message: str
) -> None:
    folder = getattr(seeded, family)(tmp_path / family)
    (folder / lost).unlink()
    async with opened(folder) as voice:
        with pytest.raises(VoiceError, match=message) as caught:
            await voice.check()
        assert not caught.value.retryable
        assert caught.value.zh != str(caught.value)


async def test_metadata_that_would_end_the_process_is_found_before(tmp_path: Path) -> None:
    folder = seeded.piper(tmp_path, n_speakers=None, language=None)
    async with opened(folder) as voice:
        with pytest.raises(VoiceError, match=r"lacks .* metadata: n_speakers, language"):
            await voice.check()


async def test_a_model_that_ends_the_process_says_why(tmp_path: Path) -> None:
    folder = seeded.kokoro(tmp_path / "kokoro")
    (folder / "voices.bin").write_bytes(b"\0" * 12)
    async with opened(folder) as voice:
        await voice.check()
        with pytest.raises(VoiceError, match=r"cannot load the model .*Corrupted --kokoro-voices"):
            await say(voice, EN)
    folder = seeded.icefall(tmp_path / "icefall")
    content = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(content.replace(b"Sin", b"Sun"))
    async with opened(folder) as voice:
        with pytest.raises(VoiceError, match=r"cannot load the model .*Sun"):
            await say(voice, ZH)


def test_the_full_network_is_chosen_unless_another_is_asked_for(tmp_path: Path) -> None:
    folder = seeded.piper(tmp_path)
    content = (folder / "en_US-seeded-low.onnx").read_bytes()
    (folder / "a.int8.onnx").write_bytes(content)
    assert look_into(folder).plan.fields["model"].endswith("en_US-seeded-low.onnx")
    assert look_into(folder, "a.int8.onnx").plan.fields["model"].endswith("a.int8.onnx")
    with pytest.raises(VoiceError, match=r"no voice b\.onnx in"):
        look_into(folder, "b.onnx")


def test_rules_for_polyphones_go_to_those_that_understand_them(tmp_path: Path) -> None:
    for family, count in (("icefall", 1), ("matcha", 0)):
        folder = getattr(seeded, family)(tmp_path / family)
        for name in ("new_heteronym.fst", "number.fst", "date.fst"):
            (folder / name).write_bytes(b"")
        assert look_into(folder).plan.rules == str(folder / "new_heteronym.fst") * count


# Metadata without ONNX


@pytest.mark.parametrize("family", ["piper", "icefall", "matcha", "kokoro"])
def test_metadata_is_what_onnx_reads(models: Path, family: str) -> None:
    for path in (models / family).glob("*.onnx"):
        model = onnx.load(path)
        assert onnx_metadata(path) == {prop.key: prop.value for prop in model.metadata_props}


def test_what_is_no_onnx_file_is_told(models: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    content = (models / "matcha" / "vocos-16khz-univ.onnx").read_bytes()
    for broken in (b"<html>not found</html>", content[: len(content) // 2], b"\xff" * 64):
        path.write_bytes(broken)
        with pytest.raises(NotOnnx):
            onnx_metadata(path)
        with pytest.raises(VoiceError, match=r"model\.onnx cannot be used"):
            look_into(tmp_path)
