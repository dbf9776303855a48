"""The whole voice, from text to timed sound, with a small seeded network and no BERT."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from bert_folders import WIDTH, character_bert, piece_bert
from bert_vits2_seeded import SMALL, tiny
from mien.lipsync.viseme.looks import UNKNOWN, looks
from mien.media.speech import Phone
from mien.tts.bert_vits2.engine import LEAD_STEP
from mien.tts.bert_vits2.passages import MAX_CHARACTERS
from mien.tts.bert_vits2.streaming import FIRST
from mien.tts.bert_vits2.text.bert import Bert
from mien.tts.bert_vits2.voice import BertVits2Settings, BertVits2Voice
from mien.tts.voice import Run, SpokenWord, Voice, VoiceChunk, VoiceError

for package in ("torch", "rjieba", "pypinyin", "safetensors"):
    pytest.importorskip(package, reason=f"needs {package}: pip install 'mien[bert-vits2]'")

pytestmark = pytest.mark.asyncio(loop_scope="module")

RATE, HOP = 44_100, 512
ZH = [Run("zh", "你好，很高兴见到你。")]
EN = [Run("en", "Hello there, how are you?")]
MIXED = [
    Run("zh", "我喜欢"),
    Run("en", "music"),
    Run("zh", "和"),
    Run("en", "tea"),
    Run("zh", "。"),
]


@dataclass
class Speech:
    pcm: np.ndarray
    phones: list[Phone]
    words: list[SpokenWord]


def join(chunks: Sequence[VoiceChunk]) -> Speech:
    at, phones, words = 0.0, [], []
    for chunk in chunks:
        assert chunk.phones is not None
        phones += [Phone(p.symbol, p.start + at, p.end + at) for p in chunk.phones]
        words += [replace(w, start=w.start + at, end=w.end + at) for w in chunk.words]
        at += len(chunk.pcm) / RATE
    return Speech(np.concatenate([chunk.pcm for chunk in chunks]), phones, words)


async def chunks_of(voice: Voice, runs: Sequence[Run]) -> list[VoiceChunk]:
    return [chunk async for chunk in voice.speak(runs)]


async def said(voice: Voice, runs: Sequence[Run]) -> Speech:
    return join(await chunks_of(voice, runs))


def texts(runs: Sequence[Run], speech: Speech) -> list[str]:
    return [runs[w.run].text[w.begin : w.stop] for w in speech.words]


def made(model: Path, **settings: Any) -> BertVits2Voice:
    given = {"bert": "off", "seed": 7, "threads": 1, "backend": "torch", "device": "cpu"}
    return BertVits2Voice("anna", BertVits2Settings(model=str(model), **{**given, **settings}))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny(tmp_path_factory.mktemp("models") / "anna")


@pytest.fixture(autouse=True, scope="module")
def no_thread_is_left() -> Iterator[None]:
    yield
    assert threads() == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def voice(model: Path, no_thread_is_left: None) -> AsyncIterator[BertVits2Voice]:
    running = made(model)
    yield running
    await running.aclose()


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if "bert-vits2" in thread.name]


# What is heard


@pytest.mark.parametrize("runs", [ZH, EN, MIXED])
async def test_phones_cover_the_sound_to_the_frame(voice: Voice, runs: list[Run]) -> None:
    speech = await said(voice, runs)
    assert speech.pcm.dtype == np.int16 and np.abs(speech.pcm).max() > 1000
    assert speech.phones[0].start == 0
    assert all(a.end == pytest.approx(b.start) for a, b in pairwise(speech.phones))
    assert speech.phones[-1].end == pytest.approx(len(speech.pcm) / RATE)
    frames = np.array([phone.start for phone in speech.phones]) * RATE / HOP
    assert np.abs(frames - frames.round()).max() < 1e-6


@pytest.mark.parametrize("runs", [ZH, EN, MIXED])
async def test_words_cover_the_text(voice: Voice, runs: list[Run]) -> None:
    speech = await said(voice, runs)
    written = "".join(run.text for run in runs)
    assert "".join(texts(runs, speech)) == "".join(c for c in written if c.isalpha())
    assert all(a.end <= b.start + 1e-9 for a, b in pairwise(speech.words))
    assert all(word.end > word.start for word in speech.words)
    assert speech.words[-1].end <= len(speech.pcm) / RATE


async def test_words_begin_and_end_with_their_phones(voice: Voice) -> None:
    speech = await said(voice, EN)
    sounds = {round(phone.start, 6): phone.symbol for phone in speech.phones}
    first = [sounds[round(word.start, 6)] for word in speech.words]
    assert first == ["h", "ð", "h", "ɑ", "j"], "Hello there, how are you"
    ends = {round(phone.end, 6) for phone in speech.phones}
    assert all(round(word.end, 6) in ends for word in speech.words)


@pytest.mark.parametrize("runs", [ZH, EN])
async def test_every_sound_is_one_that_lips_know(voice: Voice, runs: list[Run]) -> None:
    speech = await said(voice, runs)
    spoken = [phone.symbol for phone in speech.phones if phone.symbol]
    assert len(spoken) > 10
    assert all(look is not UNKNOWN for symbol in spoken for look, _ in looks(symbol))


async def test_the_first_chunk_is_short_and_later_ones_grow(voice: Voice) -> None:
    chunks = await chunks_of(voice, EN)
    lengths = [len(chunk.pcm) // HOP for chunk in chunks]
    silence = (chunks[0].phones or ())[0]
    assert silence.symbol == ""
    beside = lengths[0] - FIRST
    assert 0 <= beside - silence.end * RATE / HOP < LEAD_STEP, "of what will be heard"
    assert lengths[1:-1] == sorted(lengths[1:-1]) and lengths[1] > FIRST


async def test_conversations_at_once_hear_what_each_would_alone(voice: Voice) -> None:
    asked = [ZH, EN, MIXED]
    alone = [await said(voice, runs) for runs in asked]
    together = await asyncio.gather(*(said(voice, runs) for runs in asked))
    for one, other in zip(alone, together, strict=True):
        assert np.abs(one.pcm.astype(int) - other.pcm).max() <= 1
        assert (one.phones, one.words) == (other.phones, other.words)


async def test_without_a_seed_nothing_is_said_twice_the_same(model: Path) -> None:
    voice = made(model, seed=None)
    first, second = [await said(voice, ZH) for _ in range(2)]
    assert first.pcm.shape != second.pcm.shape or (first.pcm != second.pcm).any()
    await voice.aclose()


async def test_settings_are_heard(voice: Voice, model: Path) -> None:
    usual = await said(voice, EN)
    changed = [
        {"sdp_ratio": 0, "noise_w": 0},
        {"sdp_ratio": 0, "noise_w": 0, "speaker": "bert"},
        {"sdp_ratio": 0, "noise_w": 0, "speed": 2.0},
    ]
    voices = [made(model, **settings) for settings in changed]
    steady, other, fast = [(await said(each, EN)).pcm for each in voices]
    assert len(steady) != len(usual.pcm)
    assert len(other) != len(steady) or (other != steady).any()
    assert len(fast) < 0.7 * len(steady)
    for each in voices:
        await each.aclose()


async def test_what_has_no_words_yields_nothing(voice: Voice) -> None:
    for runs in ([], [Run("zh", "。")], [Run("en", " ... ")]):
        assert await chunks_of(voice, runs) == []


async def test_a_text_longer_than_a_bert_takes_is_said_whole(voice: Voice) -> None:
    text = "今天天气很好我们一起去公园散步" * 10
    assert len(text) > MAX_CHARACTERS["zh"]
    runs = [Run("en", "Well"), Run("zh", text)]
    speech = await said(voice, runs)
    assert "".join(texts(runs, speech)) == "Well" + text
    assert all(a.end <= b.start + 1e-9 for a, b in pairwise(speech.words))


async def test_berts_are_heard_and_in_memory_once(tmp_path: Path) -> None:
    pytest.importorskip("sentencepiece", reason="needs it: pip install 'mien[bert-vits2]'")
    widths = dict.fromkeys(SMALL.bert_widths, WIDTH)
    model = tiny(tmp_path / "anna", replace(SMALL, bert_widths=widths))
    berts = {"zh": character_bert(tmp_path / "zh"), "en": piece_bert(tmp_path / "en")}
    voices = [made(model, bert=berts), made(model, bert=berts, speaker="bert"), made(model)]
    await voices[0].check()
    speeches = [await said(voice, MIXED) for voice in voices]
    assert all(texts(MIXED, speech) == texts(MIXED, speeches[0]) for speech in speeches)
    assert not np.array_equal(speeches[0].pcm, speeches[2].pcm), "without BERT it sounds different"
    assert len(in_memory()) == 2, "one of each language, for both voices"
    for voice in voices:
        await voice.aclose()
    assert in_memory() == []


def in_memory() -> list[Bert]:
    gc.collect()
    return [found for found in gc.get_objects() if type(found) is Bert]


async def test_a_language_the_model_does_not_speak_is_left_to_another_voice(
    tmp_path: Path,
) -> None:
    extra = replace(
        SMALL, name="zhextra", emotion="clap512", bert_widths={"bert": 2048}, pre_bert=64
    )
    voice = made(tiny(tmp_path, extra))
    assert await chunks_of(voice, MIXED) == []
    assert len((await said(voice, ZH)).pcm)
    await voice.aclose()


# Stopping and failing


async def test_leaving_stops_and_the_next_clause_is_whole(voice: Voice) -> None:
    expected = await said(voice, ZH)
    async with aclosing(voice.speak([Run("zh", ZH[0].text * 5)])) as chunks:
        async for chunk in chunks:
            assert len(chunk.pcm)
            break
    speech = await said(voice, ZH)
    assert np.array_equal(speech.pcm, expected.pcm)


async def test_a_voice_is_cheap_to_make_and_says_what_is_missing(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIEN_MODELS", str(tmp_path / "none"))
    for settings, said_so in (
        ({"model": str(tmp_path / "nowhere")}, "no such file"),
        ({"speaker": "carl"}, "anna, bert"),
        ({"bert": {}}, "mien models pull chinese-roberta-wwm-ext-large"),
        ({"bert": {"zh": "off"}}, "mien models pull deberta-v3-large"),
        ({"bert": {"zh": "off", "en": tmp_path}}, "mien models pull deberta-v3-large"),
        ({"precision": "fp16", "backend": "torch"}, "fp16"),
    ):
        voice = BertVits2Voice(
            "anna",
            BertVits2Settings(**{"model": str(model), "bert": "off", "device": "cpu", **settings}),
        )
        assert (voice.name, voice.sample_rate) == ("anna", RATE)
        with pytest.raises(VoiceError, match=said_so) as caught:
            await voice.check()
        assert not caught.value.retryable
        assert any("\u4e00" <= c <= "\u9fff" for c in caught.value.zh), "said in Chinese, too"
        with pytest.raises(VoiceError):
            await chunks_of(voice, MIXED)
        await voice.aclose()


async def test_a_sentence_of_two_languages_needs_the_bert_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MIEN_MODELS", str(tmp_path / "none"))
    widths = dict.fromkeys(SMALL.bert_widths, WIDTH)
    model = tiny(tmp_path / "model", replace(SMALL, bert_widths=widths))
    voice = made(model, bert={"zh": character_bert(tmp_path / "zh")})
    await voice.check()
    speech = await said(voice, MIXED)
    assert texts(MIXED, speech) == ["我", "喜", "欢", "music", "和", "tea"]
    assert "mien models pull deberta-v3-large" in caplog.text
    await voice.aclose()


async def test_a_missing_package_is_named_with_its_extra(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rjieba", None)
    voice = made(model)
    with pytest.raises(VoiceError, match=r"rjieba: pip install 'mien\[bert-vits2\]'"):
        await voice.check()
    await voice.aclose()


async def test_a_good_voice_passes_its_check_without_loading(model: Path) -> None:
    before, voice = threads(), made(model)
    await voice.check()
    assert set(threads()) <= set(before)
    await voice.aclose()


async def test_what_was_missing_and_came_is_found(tmp_path: Path) -> None:
    voice = made(tmp_path / "anna")
    with pytest.raises(VoiceError):
        await chunks_of(voice, ZH)
    tiny(tmp_path / "anna")
    assert len((await said(voice, ZH)).pcm)
    await voice.aclose()


async def test_closing_works_unused_twice_and_while_speaking(model: Path) -> None:
    unused = made(model)
    await unused.aclose()
    await unused.aclose()
    with pytest.raises(VoiceError, match="closed"):
        await chunks_of(unused, ZH)
    before, voice = threads(), made(model)
    chunks = voice.speak([Run("zh", ZH[0].text * 40)])
    await anext(chunks)
    await voice.aclose()
    with pytest.raises(VoiceError, match="closed"):
        async for _ in chunks:
            pass
    assert set(threads()) <= set(before)
