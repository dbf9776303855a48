"""A voice that gives no times, through the real worker and the real net, onto the lips."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager

import numpy as np
import pytest

from mien.bench.viseme import performed
from mien.lipsync.viseme import VisemeLipSync
from mien.lipsync.viseme.mouth import covered
from mien.lipsync.viseme.net import MODEL, SoundStream, load_net
from mien.lipsync.viseme.sounds import SOUNDS, VISEME_OF_SOUND, sounds
from mien.media.speech import Phone
from mien.media.tick import TICK_SEC, Pcm
from mien.tts.alignment import AlignedVoice, ClauseAlignment, ForcedAlignment
from mien.tts.espeak import SAMPLE_RATE, EspeakVoice
from mien.tts.voice import Run, VoiceChunk, VoiceError

ZH = [Run("zh", "你好，爸爸妈妈，明天我们去公园跑步。")]
EN = [Run("en", "My baby brother bought a big map of Berlin.")]
TEXTS = pytest.mark.parametrize("runs", [ZH, EN], ids=["zh", "en"])


class Mute:
    """espeak-ng that keeps its times to itself, as a neural voice would."""

    name = "mute"
    sample_rate = SAMPLE_RATE

    def __init__(self) -> None:
        self._voice = EspeakVoice()
        self.closed = 0

    async def speak(self, runs: Sequence[Run]) -> AsyncGenerator[VoiceChunk, None]:
        async with aclosing(self._voice.speak(runs)) as chunks:
            async for chunk in chunks:
                for begin in range(0, len(chunk.pcm), 2000):
                    yield VoiceChunk(chunk.pcm[begin : begin + 2000])

    async def aclose(self) -> None:
        self.closed += 1
        await self._voice.aclose()


@asynccontextmanager
async def espeak() -> AsyncIterator[EspeakVoice]:
    voice = EspeakVoice()
    try:
        yield voice
    finally:
        await voice.aclose()


async def spoken(voice: EspeakVoice, runs: Sequence[Run]) -> tuple[Pcm, list[Phone]]:
    """Sound and the voice's own phones in seconds from its start."""
    pieces, phones, at = [], [], 0.0
    async with aclosing(voice.speak(runs)) as chunks:
        async for chunk in chunks:
            phones += [Phone(p.symbol, p.start + at, p.end + at) for p in chunk.phones or ()]
            pieces.append(chunk.pcm)
            at += len(chunk.pcm) / SAMPLE_RATE
    return np.concatenate(pieces), phones


def listen(words: list[list[str]], pcm: Pcm, pieces: Sequence[int]) -> list[Phone]:
    """What is known at the end to somebody who was told piece by piece."""
    net = load_net()
    assert net is not None
    clause = ClauseAlignment(net, words)
    known: list[Phone] = []
    at = 0

    def learn(phones: Sequence[Phone]) -> None:
        now = at / SAMPLE_RATE
        if phones:
            known[:] = [p for p in known if p.start < phones[0].start + now - 1e-6]
            known.extend(Phone(p.symbol, p.start + now, p.end + now) for p in phones)

    for size in pieces:
        piece = pcm[at : at + size]
        at += len(piece)
        learn(clause.push(piece, SAMPLE_RATE))
    learn(clause.finish())
    return known


def visemes(phones: Sequence[Phone], seconds: float) -> np.ndarray:
    found = np.full(round(seconds * 100), -1)
    for phone in phones:
        at = phone.start
        for sound, share in sounds(phone.symbol):
            end = at + share * (phone.end - phone.start)
            found[round(at * 100) : round(end * 100)] = VISEME_OF_SOUND[sound]
            at = end
    return found


def test_the_net_is_small_and_loads() -> None:
    assert MODEL.stat().st_size <= 1_000_000
    net = load_net()
    assert net is not None
    assert len(net.priors) == len(SOUNDS) and net.priors.sum() == pytest.approx(1, abs=0.01)
    assert net.delay * 0.01 <= 0.15


@TEXTS
async def test_phones_found_by_listening_are_the_voices_own(runs: list[Run]) -> None:
    async with espeak() as voice:
        pcm, truth = await spoken(voice, runs)
        words = await voice.phonemes(runs)
    found = listen(words, pcm, [2205] * (len(pcm) // 2205 + 1))
    seconds = len(pcm) / SAMPLE_RATE
    want, got = visemes(truth, seconds), visemes(found, seconds)
    near = (got == want) | (got == np.roll(want, 2)) | (got == np.roll(want, -2))
    assert near.mean() > 0.85
    assert found[-1].end == pytest.approx(seconds, abs=0.011)


@TEXTS
async def test_lips_close_on_every_bilabial_though_the_voice_tells_nothing(runs: list[Run]) -> None:
    async with espeak() as voice:
        pcm, truth = await spoken(voice, runs)
        words = await voice.phonemes(runs)
    engine = VisemeLipSync()
    requests = list(performed(engine, pcm, SAMPLE_RATE, words=words))
    shapes = [mouth.shape for mouth in engine.render(requests)]
    closed = [
        (i + 0.5) * TICK_SEC
        for i, shape in enumerate(shapes)
        if shape is not None and shape.consonant == "PP" and shape.grip > 0.8
    ]
    for phone in truth:
        if phone.symbol and phone.symbol[0] in "mbp":
            reach = TICK_SEC
            assert any(phone.start - reach < t < phone.end + reach for t in closed), phone
    assert sum(r.phones is not None and covered(r.phones) for r in requests) > 0.9 * len(requests)


async def test_the_way_sound_is_cut_does_not_matter() -> None:
    async with espeak() as voice:
        pcm, _ = await spoken(voice, EN)
        words = await voice.phonemes(EN)
    rng = np.random.default_rng(0)
    odd = [int(rng.integers(1, 4000)) for _ in range(200)]
    seconds = len(pcm) / SAMPLE_RATE
    whole = visemes(listen(words, pcm, [len(pcm)]), seconds)
    for pieces in ([441] * (len(pcm) // 441 + 1), odd):
        assert (visemes(listen(words, pcm, pieces), seconds) == whole).mean() > 0.97


async def test_the_net_hears_the_same_however_sound_is_cut() -> None:
    net = load_net()
    assert net is not None
    async with espeak() as voice:
        pcm, _ = await spoken(voice, EN)
    audio = pcm[:30_001].astype(np.float32) / 32768
    stream = SoundStream(net)
    whole = np.concatenate([stream.push(audio), stream.finish()])
    for size in (1, 159, 160, 161, 7000):
        stream = SoundStream(net)
        parts = [stream.push(audio[at : at + size]) for at in range(0, len(audio), size)]
        np.testing.assert_allclose(np.concatenate([*parts, stream.finish()]), whole, atol=2e-3)
    assert len(whole) == len(audio) // 160 + 1


async def test_another_text_is_not_put_into_the_mouth() -> None:
    async with espeak() as voice:
        pcm, _ = await spoken(voice, ZH * 3)
        words = await voice.phonemes(EN * 3)
    found = listen(words, pcm, [2205] * (len(pcm) // 2205 + 1))
    told = sum(p.end - p.start for p in found if p.symbol and p.start > 1.0)
    assert told < 0.5 * (len(pcm) / SAMPLE_RATE - 1.0)


@pytest.mark.parametrize("kind", ["silence", "noise", "clicks", "loud", "empty"])
async def test_what_is_no_speech_does_no_harm(kind: str) -> None:
    rng = np.random.default_rng(1)
    pcm = np.zeros(SAMPLE_RATE * 2, np.int16)
    if kind == "noise":
        pcm = rng.normal(0, 3000, SAMPLE_RATE * 2).astype(np.int16)
    elif kind == "clicks":
        pcm[::500] = 32767
    elif kind == "loud":
        pcm = rng.choice(np.array([-32768, 32767], np.int16), SAMPLE_RATE * 2)
    elif kind == "empty":
        pcm = pcm[:0]
    async with espeak() as voice:
        words = await voice.phonemes(EN)
    for phone in listen(words, pcm, [1000] * (len(pcm) // 1000 + 1)):
        assert -1e-6 <= phone.start < phone.end <= 2.0 + 1e-6
        assert phone.symbol in SOUNDS


async def test_a_silent_clause_stays_closed_and_a_pause_before_speech_is_waited_for() -> None:
    async with espeak() as voice:
        pcm, truth = await spoken(voice, EN)
        words = await voice.phonemes(EN)
    late = np.concatenate([np.zeros(SAMPLE_RATE, np.int16), pcm])
    found = listen(words, late, [2205] * (len(late) // 2205 + 1))
    first = next(p for p in found if p.symbol)
    assert first.start == pytest.approx(1.0 + next(p.start for p in truth if p.symbol), abs=0.08)


async def test_an_aligned_voice_hands_over_sound_at_once_and_phones_behind_it() -> None:
    mute = Mute()
    voice = AlignedVoice(mute, ForcedAlignment())
    try:
        chunks = [chunk async for chunk in voice.speak(EN)]
        again = [chunk async for chunk in voice.speak(EN)]
    finally:
        await voice.aclose()
        await voice.aclose()
    assert (voice.name, voice.sample_rate) == ("mute", SAMPLE_RATE)
    assert mute.closed == 2
    assert len(chunks[0].pcm) and chunks[0].phones is None
    assert not len(chunks[-1].pcm) and chunks[-1].phones
    for chunk in chunks:
        assert (chunk.phones is None) == bool(len(chunk.pcm))
        assert all(p.start < p.end <= 1e-6 for p in chunk.phones or ())
    assert [c.phones for c in again] == [c.phones for c in chunks]


async def test_words_that_a_voice_does_not_tell_are_found_where_they_are_said() -> None:
    runs = [
        Run("zh", "你好，爸爸妈妈，明天我们去"),
        Run("en", "the park of Berlin, and then"),
        Run("zh", "跑步。"),
    ]
    async with espeak() as plain:
        chunks = [chunk async for chunk in plain.speak(runs)]
    truth = dict(heard_words(chunks))
    voice = AlignedVoice(Mute(), ForcedAlignment())
    try:
        async with aclosing(voice.speak(runs)) as stream:
            found = heard_words([chunk async for chunk in stream])
    finally:
        await voice.aclose()
    places = [place for place, _ in found]
    assert places == sorted(set(places)), "each once, in order"
    texts = [runs[run].text[begin:stop] for run, begin, stop in places]
    assert "".join(texts).replace(",", "") == "你好爸爸妈妈明天我们去theparkofBerlinandthen跑步"
    begins = {place[:2]: start for place, start in truth.items()}
    late = [abs(start - begins[place[:2]]) for place, start in found if place[:2] in begins]
    assert len(late) > 0.7 * len(found)
    assert np.median(late) < 0.05 and max(late) < 0.25


def heard_words(chunks: Sequence[VoiceChunk]) -> list[tuple[tuple[int, int, int], float]]:
    """(run, begin, stop) and seconds from the clause's start."""
    at, words = 0.0, []
    for chunk in chunks:
        words += [((w.run, w.begin, w.stop), w.start + at) for w in chunk.words]
        at += len(chunk.pcm) / SAMPLE_RATE
    return words


async def test_a_voice_that_breaks_off_tells_the_words_that_were_said() -> None:
    class Broken(Mute):
        async def speak(self, runs: Sequence[Run]) -> AsyncGenerator[VoiceChunk, None]:
            left = SAMPLE_RATE  # one second
            async with aclosing(super().speak(runs)) as chunks:
                async for chunk in chunks:
                    yield VoiceChunk(chunk.pcm[:left])
                    left -= len(chunk.pcm)
                    if left <= 0:
                        raise VoiceError("broken", retryable=True)

    async with espeak() as plain:
        truth = heard_words([chunk async for chunk in plain.speak(EN)])
    voice = AlignedVoice(Broken(), ForcedAlignment())
    chunks: list[VoiceChunk] = []
    try:
        with pytest.raises(VoiceError, match="broken"):
            async with aclosing(voice.speak(EN)) as stream:
                async for chunk in stream:
                    chunks.append(chunk)
    finally:
        await voice.aclose()
    said = [place for place, start in truth if start < 0.9]
    found = [place for place, _ in heard_words(chunks)]
    assert len(said) - 1 <= len(found) <= len(said) + 1, (found, truth)
    assert not any(place[1] > said[-1][2] + 6 for place in found)


async def test_a_voice_with_times_of_its_own_is_left_alone() -> None:
    async with espeak() as plain:
        want = [chunk async for chunk in plain.speak(ZH)]
    voice = AlignedVoice(EspeakVoice(), ForcedAlignment())
    try:
        got = [chunk async for chunk in voice.speak(ZH)]
    finally:
        await voice.aclose()
    assert [c.phones for c in got] == [c.phones for c in want]


async def test_leaving_in_the_middle_of_a_clause_closes_the_voice_under_it() -> None:
    voice = AlignedVoice(Mute(), ForcedAlignment())
    try:
        async with aclosing(voice.speak(EN * 5)) as chunks:
            async for chunk in chunks:
                if chunk.phones:
                    break
    finally:
        await voice.aclose()


async def test_without_espeak_the_mouth_follows_the_sound(caplog: pytest.LogCaptureFixture) -> None:
    alignment = ForcedAlignment()
    await alignment.aclose()  # a closed voice fails as a missing one does
    voice = AlignedVoice(Mute(), alignment)
    try:
        for _ in range(2):
            chunks = [chunk async for chunk in voice.speak(EN)]
            assert chunks and all(chunk.phones is None for chunk in chunks)
    finally:
        await voice.aclose()
    assert sum("without the text" in record.message for record in caplog.records) == 1


async def test_phonemes_are_what_the_voice_says() -> None:
    async with espeak() as voice:
        for runs in (ZH, EN, [Run("en", "unbelievable"), Run("zh", "重庆")]):
            _, phones = await spoken(voice, runs)
            words = await voice.phonemes(runs)
            assert [s for word in words for s in word] == [p.symbol for p in phones if p.symbol]
        assert await voice.phonemes([Run("en", "...!")]) == []
        assert await voice.phonemes([]) == []
