"""Polished speech: how loud, how long, how smooth, and still in time."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from pathlib import Path

import av
import av.filter
import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mien.language import Language
from mien.media.speech import Phone
from mien.tts.espeak import EspeakVoice
from mien.tts.polish import Levels, Polished, level_key
from mien.tts.polish.limiter import CEILING, Limiter
from mien.tts.polish.loudness import block_powers, loudness_of, weighted
from mien.tts.polish.trim import FRAME
from mien.tts.settings import VoiceSettings
from mien.tts.voice import Run, SpokenWord, VoiceChunk, VoiceError

RATE = 48_000
ZH = ["你好，很高兴认识你。", "今天天气很好，我们一起去公园散步吧。", "请稍等，我查一下资料。"]
EN = [
    "Hello, nice to meet you.",
    "The weather is fine today, so let us take a walk in the park.",
    "Please wait, I will look that up.",
]


class Scripted:
    """A voice that says given chunks, whatever the text."""

    name = "scripted"

    def __init__(
        self, chunks: Sequence[VoiceChunk], rate: int, error: VoiceError | None = None
    ) -> None:
        self.chunks, self.sample_rate, self.error = chunks, rate, error
        self.closed = 0

    async def speak(self, runs: Sequence[Run]) -> AsyncGenerator[VoiceChunk, None]:
        try:
            for chunk in self.chunks:
                yield chunk
            if self.error is not None:
                raise self.error
        finally:
            self.closed += 1

    async def check(self) -> None:
        if self.error is not None:
            raise self.error

    async def aclose(self) -> None:
        self.closed += 100


class Quieter:
    """A voice with its volume turned down."""

    name = "quieter"

    def __init__(self, voice: EspeakVoice, volume: float) -> None:
        self._voice, self._volume = voice, volume
        self.sample_rate = voice.sample_rate

    async def speak(self, runs: Sequence[Run]) -> AsyncGenerator[VoiceChunk, None]:
        async for chunk in self._voice.speak(runs):
            yield VoiceChunk(
                (chunk.pcm * self._volume).astype(np.int16), chunk.phones, chunk.words, "q"
            )

    async def check(self) -> None: ...

    async def aclose(self) -> None: ...


class Speech:
    """Chunks put together; times in seconds from the beginning."""

    def __init__(self, chunks: Sequence[VoiceChunk], rate: int = RATE) -> None:
        self.phones: list[Phone] = []
        self.words: list[SpokenWord] = []
        self.timed = all(chunk.phones is not None for chunk in chunks)
        at = 0
        for chunk in chunks:
            now = at / rate
            told = [Phone(p.symbol, p.start + now, p.end + now) for p in chunk.phones or ()]
            while told and self.phones and self.phones[-1].start >= told[0].start - 1e-3:
                self.phones.pop()
            self.phones += told
            self.words += [
                SpokenWord(w.run, w.begin, w.stop, w.start + now, w.end + now) for w in chunk.words
            ]
            at += len(chunk.pcm)
        self.pcm = np.concatenate([np.zeros(0, np.int16), *(chunk.pcm for chunk in chunks)])

    @property
    def seconds(self) -> float:
        return len(self.pcm) / RATE

    @property
    def bounds(self) -> tuple[int, int]:
        """First and last sample that is above -48 dB."""
        loud = np.flatnonzero(np.abs(self.pcm.astype(int)) > 130)
        return int(loud[0]), int(loud[-1])


@pytest.fixture
async def espeak() -> AsyncIterator[EspeakVoice]:
    voice = EspeakVoice()
    yield voice
    await voice.aclose()


async def say(voice: Polished, text: str = "啊", language: Language = "zh") -> Speech:
    return Speech([chunk async for chunk in voice.speak([Run(language, text)])])


def tone(seconds: float, rate: int, level: float = 0.3, hertz: float = 440) -> NDArray[np.int16]:
    t = np.arange(round(seconds * rate)) / rate
    return np.rint(32767 * level * np.sin(2 * np.pi * hertz * t)).astype(np.int16)


def silence(seconds: float, rate: int) -> NDArray[np.int16]:
    return np.zeros(round(seconds * rate), np.int16)


def cut(pcm: NDArray[np.int16], *sizes: int) -> list[VoiceChunk]:
    bounds = [0, *itertools.accumulate(sizes), len(pcm)]
    return [VoiceChunk(pcm[a:b]) for a, b in itertools.pairwise(bounds)]


def measured_by_ffmpeg(pcm: NDArray[np.int16]) -> tuple[float, float]:
    """Integrated loudness in LUFS and true peak in dB, as FFmpeg's ebur128 filter finds them."""
    graph = av.filter.Graph()
    source = graph.add_abuffer(sample_rate=RATE, format="s16", layout="mono", time_base=None)
    meter = graph.add("ebur128", "metadata=1:peak=true")
    sink = graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(pcm.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = RATE
    source.push(frame)
    source.push(None)
    found: dict[str, str] = {}
    while True:
        try:
            found |= dict(sink.pull().metadata)
        except (av.error.BlockingIOError, av.error.EOFError):
            break
    peak = float(found["lavfi.r128.true_peaks_ch0"])
    return float(found["lavfi.r128.I"]), float(20 * np.log10(peak))


def true_peak_db(pcm: NDArray[np.int16]) -> float:
    dense = soxr.resample(pcm / 32768, RATE, 8 * RATE, quality="VHQ")
    return float(20 * np.log10(np.abs(dense).max()))


# Loudness


def test_loudness_of_a_full_scale_sine_is_what_the_standard_says() -> None:
    sine = np.sin(2 * np.pi * 997 * np.arange(3 * RATE) / RATE).astype(np.float32)
    assert loudness_of(block_powers(sine)) == pytest.approx(-3.01, abs=0.01)


def test_the_weighting_is_the_recursive_filter_of_the_standard() -> None:
    noise = np.random.default_rng(1).standard_normal(9_000).astype(np.float32)
    expected = noise.astype(float)
    for b, a in (
        ((1.53512486, -2.69169619, 1.19839281), (-1.69065929, 0.73248077)),
        ((1.0, -2.0, 1.0), (-1.99004745, 0.99007225)),
    ):
        out = np.zeros(len(expected))
        for n, x in enumerate(expected):
            out[n] = b[0] * x
            if n > 0:
                out[n] += b[1] * expected[n - 1] - a[0] * out[n - 1]
            if n > 1:
                out[n] += b[2] * expected[n - 2] - a[1] * out[n - 2]
        expected = out
    np.testing.assert_allclose(weighted(noise), expected, atol=1e-4)


async def test_loudness_of_speech_is_what_ffmpeg_measures(espeak: EspeakVoice) -> None:
    said = [(await say(Polished(espeak, None), text, "en")).pcm for text in EN]
    pcm = np.concatenate([*said, silence(3, RATE), np.concatenate(said) // 50])
    ours = loudness_of(block_powers(pcm.astype(np.float32) / 32768))
    assert ours == pytest.approx(measured_by_ffmpeg(pcm)[0], abs=0.1)


def test_silence_and_snippets_have_no_loudness() -> None:
    assert loudness_of(block_powers(np.zeros(RATE, np.float32))) is None
    assert len(block_powers(np.ones(RATE // 3, np.float32))) == 0


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("volume", [1.0, 0.5, 0.25])
async def test_any_volume_ends_up_at_the_same_loudness(
    espeak: EspeakVoice, language: Language, volume: float
) -> None:
    voice = Polished(Quieter(espeak, volume))
    texts = ZH if language == "zh" else EN
    for text in texts[:2]:
        await say(voice, text, language)
    pcm = np.concatenate([(await say(voice, text, language)).pcm for text in texts * 2])
    loudness, peak = measured_by_ffmpeg(pcm)
    assert loudness == pytest.approx(-16, abs=1.5)
    assert peak <= -0.9  # FFmpeg rounds to a tenth


async def test_the_target_can_be_chosen_and_off(espeak: EspeakVoice) -> None:
    voice = Polished(espeak, -23.0)
    await say(voice, ZH[1])
    assert measured_by_ffmpeg((await say(voice, ZH[1])).pcm)[0] == pytest.approx(-23, abs=1)
    as_it_is = measured_by_ffmpeg((await say(Polished(espeak, None), ZH[1])).pcm)[0]
    quieter = Polished(Quieter(espeak, 0.1), None)
    for _ in range(2):
        loudness = measured_by_ffmpeg((await say(quieter, ZH[1])).pcm)[0]
        assert loudness == pytest.approx(as_it_is - 20, abs=0.3)


async def test_gain_is_limited_and_never_raises_silence_to_speech() -> None:
    whisper = Scripted([VoiceChunk(tone(2, RATE, 0.004))], RATE)
    voice = Polished(whisper)
    first, second = await say(voice), await say(voice)
    assert np.abs(first.pcm).max() == pytest.approx(32767 * 0.004, abs=1)
    raised = 20 * np.log10(np.abs(second.pcm).max() / np.abs(first.pcm).max())
    assert raised == pytest.approx(15, abs=0.1)
    shout = Polished(Scripted([VoiceChunk(tone(2, RATE, 0.99))], RATE), -40.0)
    await say(shout)
    assert np.abs((await say(shout)).pcm).max() == pytest.approx(32767 * 0.99 / 10**0.75, rel=0.01)


async def test_gain_moves_slowly_once_a_voice_is_known() -> None:
    source = Scripted([VoiceChunk(tone(6, RATE, 0.2))], RATE)
    voice = Polished(source)
    await say(voice)
    peaks = [np.abs((await say(voice)).pcm).max()]
    source.chunks = [VoiceChunk(tone(6, RATE, 0.06))]
    for _ in range(18):
        peaks.append(np.abs((await say(voice)).pcm).max())
    steps = 20 * np.log10(np.array(peaks[2:]) / np.array(peaks[1:-1]))
    assert -0.1 < steps.min() and steps.max() < 1.55
    assert peaks[-1] == pytest.approx(peaks[0], rel=0.05)


async def test_gain_is_constant_within_a_clause() -> None:
    quiet_then_loud = np.concatenate([tone(3, RATE, 0.02), tone(3, RATE, 0.1)])
    voice = Polished(Scripted(cut(quiet_then_loud, 9_000, 70_000), RATE))
    await say(voice)
    pcm = (await say(voice)).pcm.astype(float)
    ratio = np.abs(pcm[4 * RATE : 5 * RATE]).max() / np.abs(pcm[RATE : 2 * RATE]).max()
    assert ratio == pytest.approx(5, rel=0.01)


# What is remembered


class TableA(VoiceSettings):
    reference: str = ""


async def test_a_voice_starts_at_the_level_it_had(tmp_path: Path, espeak: EspeakVoice) -> None:
    settings = TableA(service="x", reference="a.wav")
    path, key = tmp_path / "sub" / "levels.json", level_key("anna", settings)
    for text in ZH:
        await say(known := Polished(Quieter(espeak, 0.3), levels=Levels(path), key=key), text)
    again = Polished(Quieter(espeak, 0.3), levels=Levels(path), key=key)
    assert measured_by_ffmpeg((await say(again, ZH[1])).pcm)[0] == pytest.approx(-16, abs=1)
    assert known.name == again.name
    other = Polished(Quieter(espeak, 0.3), levels=Levels(path), key="other")
    assert measured_by_ffmpeg((await say(other, ZH[1])).pcm)[0] < -26


def test_what_changes_the_sound_changes_the_key() -> None:
    settings = TableA(service="x", reference="a.wav")
    key = level_key("anna", settings)
    assert level_key("anna", settings.model_copy(update={"speed": 1.2, "loudness": "off"})) == key
    assert level_key("anna", settings.model_copy(update={"reference": "b.wav"})) != key
    assert level_key("bert", settings) != key


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": []}', "\0"])
def test_a_broken_memory_is_forgotten(tmp_path: Path, content: str) -> None:
    path = tmp_path / "levels.json"
    path.write_text(content)
    levels = Levels(path)
    assert levels.get("voice", "zh") is None
    levels.put("voice", "zh", -20.123)
    assert Levels(path).get("voice", "zh") == -20.12
    assert Levels(path).get("voice", "en") is None
    assert list(tmp_path.iterdir()) == [path]


def test_a_memory_that_cannot_be_written_harms_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    Levels(tmp_path / "file" / "levels.json").put("voice", "zh", -20)


async def test_the_first_sentence_of_the_default_voice_is_right(
    tmp_path: Path, espeak: EspeakVoice
) -> None:
    key = level_key("espeak", VoiceSettings(service="espeak"))
    for language, text in (("zh", ZH[1]), ("en", EN[1])):
        voice = Polished(espeak, levels=Levels(tmp_path / "none.json"), key=key)
        speech = await say(voice, text, "zh" if language == "zh" else "en")
        assert measured_by_ffmpeg(speech.pcm)[0] == pytest.approx(-16, abs=1.5)


async def test_another_language_starts_as_loud_as_the_first(espeak: EspeakVoice) -> None:
    voice = Polished(Quieter(espeak, 0.3))
    await say(voice, ZH[1])
    assert measured_by_ffmpeg((await say(voice, EN[1], "en")).pcm)[0] == pytest.approx(-16, abs=2)


# Peaks


def bursts(seed: int) -> NDArray[np.float32]:
    """Noise of all bands with sudden loud parts and single clicks, float32 around 1."""
    rng = np.random.default_rng(seed)
    sound = rng.standard_normal(RATE // 2) * 0.02
    for _ in range(12):
        at, length = rng.integers(0, len(sound) - 4000), rng.integers(1, 4000)
        sound[at : at + length] *= rng.uniform(5, 60)
    return np.asarray(soxr.resample(sound, 22_050, RATE), np.float32)[: RATE // FRAME * FRAME]


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_above_the_ceiling(seed: int) -> None:
    limiter, sound = Limiter(2.5), bursts(seed)
    out = np.concatenate([limiter.push(sound), limiter.finish(np.zeros(0, np.float32))])
    assert len(out) == len(sound)
    assert np.abs(sound * 2.5).max() > 1.5
    dense = soxr.resample(out, RATE, 8 * RATE, quality="VHQ")
    assert 20 * np.log10(np.abs(dense).max()) < -0.9


def test_the_limiter_leaves_alone_what_is_not_loud_and_where_it_is() -> None:
    sound = np.zeros(RATE // FRAME * FRAME, np.float32)
    sound[::7] = 0.2
    sound[24_000] = 0.9
    limiter = Limiter(2.0)
    out = np.concatenate([limiter.push(sound), limiter.finish(np.zeros(0, np.float32))])
    np.testing.assert_array_equal(out[: 24_000 - 2 * FRAME], 2 * sound[: 24_000 - 2 * FRAME])
    assert np.argmax(np.abs(out)) == 24_000
    assert 0.8 < out[24_000] <= CEILING
    np.testing.assert_array_equal(out[-RATE // 4 :], 2 * sound[-RATE // 4 :])


async def test_loud_speech_does_not_clip(espeak: EspeakVoice) -> None:
    voice = Polished(espeak, -8.0)
    for text in ZH:
        assert true_peak_db((await say(voice, text)).pcm) < -0.9


# Silence


@pytest.mark.parametrize("rate", [16_000, 22_050, 24_000, 48_000])
@pytest.mark.parametrize("lead", [0.0, 0.013, 0.3, 1.7])
async def test_silence_in_front_goes(rate: int, lead: float) -> None:
    pcm = np.concatenate([silence(lead, rate), tone(0.5, rate)])
    speech = await say(Polished(Scripted(cut(pcm, 500, 3000), rate), None))
    assert speech.bounds[0] <= 0.020 * RATE
    assert speech.seconds == pytest.approx(0.5 + min(lead, 0.015) + 0.025, abs=0.005)


async def test_a_weak_onset_stays() -> None:
    rng = np.random.default_rng(2)
    breath = rng.standard_normal(RATE // 10) * np.linspace(0, 0.03, RATE // 10)
    pcm = np.concatenate([silence(0.2, RATE), (breath * 32767).astype(np.int16), tone(0.5, RATE)])
    voice = Polished(Scripted([VoiceChunk(pcm)], RATE))
    await say(voice)
    assert (await say(voice)).seconds > 0.5 + 0.095


@pytest.mark.parametrize(
    ("text", "pause"),
    [
        ("你好", 0.025), ("你好，", 0.19), ("你好；", 0.29), ("你好。", 0.39), ("好。”", 0.39),
        ("…好…", 0.29), ("Hi", 0.025), ("Hi,", 0.19), ("3.14", 0.025), ("Hi!", 0.39),
    ],
)  # fmt: skip
@pytest.mark.parametrize("tail", [0.0, 0.1, 0.8])
async def test_the_pause_fits_the_last_mark(text: str, pause: float, tail: float) -> None:
    pcm = np.concatenate([tone(0.4, RATE), silence(tail, RATE)])
    speech = await say(Polished(Scripted(cut(pcm, 12_345), RATE), None), text)
    assert speech.seconds == pytest.approx(0.4 + pause, abs=0.0026)
    assert speech.bounds[1] == pytest.approx(0.4 * RATE, abs=FRAME)


async def test_pauses_follow_the_speed() -> None:
    fast = await say(Polished(Scripted(cut(tone(0.4, RATE)), RATE), None, speed=2.0), "好。")
    assert fast.seconds == pytest.approx(0.4 + 0.195, abs=0.0026)


@pytest.mark.parametrize("inner", [0.05, 0.3, 1.5])
async def test_silence_within_a_clause_is_the_voices_own(inner: float) -> None:
    pcm = np.concatenate([tone(0.4, RATE), silence(inner, RATE), tone(0.4, RATE)])
    speech = await say(Polished(Scripted(cut(pcm, 10_000, 20_000), RATE), None))
    np.testing.assert_array_equal(speech.pcm[: len(pcm) - FRAME * 2], pcm[: -FRAME * 2])


async def test_short_pauses_are_not_held_back() -> None:
    pcm = [tone(0.4, RATE), silence(0.39, RATE), tone(0.4, RATE)]
    given = 0
    source = Scripted([VoiceChunk(part) for part in pcm], RATE)
    async for chunk in Polished(source, None).speak([Run("zh", "好。")]):
        given += len(chunk.pcm)
        if given >= 0.75 * RATE:
            break
    assert given < 0.8 * RATE, "the pause came only with what followed it"


async def test_no_more_than_ten_milliseconds_are_held_back() -> None:
    parts = np.split(tone(1, RATE), 100)
    given = fed = 0
    source = Scripted([], RATE)

    async def speak(runs: Sequence[Run]) -> AsyncGenerator[VoiceChunk, None]:
        nonlocal fed
        for part in parts:
            fed += len(part)
            yield VoiceChunk(part)
            assert fed - given <= RATE // 100

    source.speak = speak  # type: ignore[method-assign]
    async for chunk in Polished(source).speak([Run("zh", "好")]):
        given += len(chunk.pcm)
    assert given > RATE


async def test_nothing_but_silence_is_nothing() -> None:
    hiss = np.random.default_rng(3).integers(-8, 9, RATE).astype(np.int16)
    for pcm in (silence(2, RATE), hiss, silence(0, RATE)):
        phones = (Phone("a", 0, 0.5),)
        source = Scripted([VoiceChunk(pcm, phones), *cut(pcm, 1)], RATE)
        assert [chunk async for chunk in Polished(source).speak([Run("zh", "好")])] == []


# Joins


@pytest.mark.parametrize("phase", [0.0, 0.25, 0.5, 0.9])
async def test_clauses_join_without_a_click(phase: float) -> None:
    t = np.arange(round(0.3 * RATE)) / RATE
    wave = np.rint(9000 * np.sin(2 * np.pi * (220 * t + phase))).astype(np.int16)
    voice = Polished(Scripted(cut(wave, 1_000, 9_000), RATE), None)
    joined = np.concatenate([(await say(voice, "好")).pcm for _ in range(3)]).astype(int)
    steepest = 9000 * 2 * np.pi * 220 / RATE
    assert np.abs(np.diff(joined, prepend=0, append=0)).max() < 1.6 * steepest


async def test_an_onset_that_begins_at_zero_keeps_its_edge() -> None:
    wave = tone(0.3, RATE)
    speech = await say(Polished(Scripted(cut(wave), RATE), None))
    np.testing.assert_array_equal(speech.pcm[: RATE // 10], wave[: RATE // 10])


async def test_a_voice_that_fails_is_faded_and_heard_to_its_end() -> None:
    broken = VoiceError("cut", retryable=True)
    source = Scripted([VoiceChunk(tone(0.5, RATE), (Phone("a", 0, 0.7),))], RATE, broken)
    got: list[VoiceChunk] = []
    with pytest.raises(VoiceError, match="cut"):
        async for chunk in Polished(source, None).speak([Run("zh", "好。")]):
            got.append(chunk)
    speech = Speech(got)
    assert speech.seconds == 0.5
    assert abs(int(speech.pcm[-1])) < 50
    assert speech.phones == [Phone("a", 0, 0.5)]


# Times


def clicks(times: Sequence[float], seconds: float, rate: int) -> NDArray[np.int16]:
    """A low hum with a spike at each of ``times``."""
    pcm = tone(seconds, rate, 0.05, 100)
    for at in times:
        pcm[round(at * rate)] = 30_000
    return pcm


def spikes(pcm: NDArray[np.int16], count: int) -> list[int]:
    level = np.abs(pcm.astype(int))
    found = []
    for _ in range(count):
        at = int(level.argmax())
        found.append(at)
        level[max(0, at - 200) : at + 200] = 0
    return sorted(found)


@pytest.mark.parametrize("rate", [16_000, 22_050, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("lead", [0.0, 0.24])
async def test_words_and_phones_stay_with_their_sound(rate: int, lead: float) -> None:
    times = [0.1, 0.36, 0.7, 0.9]  # whole samples at all rates
    pcm = np.concatenate([silence(lead, rate), clicks(times, 1.2, rate)])
    chunks = []
    for begin, stop in itertools.pairwise([0, 0.2, 0.38, 0.8, 1.2 + lead]):
        first = round(begin * rate)
        inside = [t + lead - first / rate for t in times if begin <= t + lead < stop]
        chunks.append(
            VoiceChunk(
                pcm[first : round(stop * rate)],
                tuple(Phone("a", t, t + 0.1) for t in inside),
                tuple(SpokenWord(0, 0, 1, t, t + 0.1) for t in inside),
            )
        )
    got = [c async for c in Polished(Scripted(chunks, rate)).speak([Run("zh", "好。")])]
    speech = Speech(got)
    heard = spikes(speech.pcm, 4)
    for at, word, phone in zip(heard, speech.words, speech.phones, strict=False):
        assert abs(word.start * RATE - at) <= 1
        assert abs(phone.start * RATE - at) <= 1
    assert len(speech.words) == 4
    assert speech.phones[-1].symbol == ""
    assert speech.phones[-1].end == pytest.approx(speech.seconds, abs=1e-6)
    for chunk in got:
        length = len(chunk.pcm) / RATE
        assert all(0 <= p.start < length for p in chunk.phones or () if p.symbol)
        assert all(0 <= w.start < length for w in chunk.words)


async def test_real_speech_keeps_its_times(espeak: EspeakVoice) -> None:
    text = "今天天气很好，我们去公园。"
    raw = Speech([c async for c in espeak.speak([Run("zh", text)])], 22_050)
    speech = await say(Polished(espeak), text)
    lead = raw.words[-1].start - speech.words[-1].start
    assert 0 <= lead < 0.1
    assert [w.begin for w in speech.words] == [w.begin for w in raw.words]
    for ours, theirs in zip(speech.words[1:], raw.words[1:], strict=True):
        assert ours.start == pytest.approx(theirs.start - lead, abs=1e-6)
    for phone, following in itertools.pairwise(speech.phones):
        assert phone.end == pytest.approx(following.start, abs=2e-4)
    assert speech.phones[0].start == 0
    assert speech.phones[-1].end == pytest.approx(speech.seconds, abs=1e-6)


async def test_late_phones_replace_what_was_told() -> None:
    pcm = np.split(tone(2, RATE), 4)
    chunks = [
        VoiceChunk(pcm[0], (Phone("a", 0, 0.3), Phone("b", 0.3, 0.9))),
        VoiceChunk(pcm[1], (Phone("c", 0.4, 1.5),)),
        VoiceChunk(np.zeros(0, np.int16), (Phone("x", -0.8, -0.2), Phone("y", -0.2, 0.6))),
        VoiceChunk(pcm[2], ()),
        VoiceChunk(pcm[3], (Phone("z", 0.1, 0.4),)),
    ]
    speech = await say(Polished(Scripted(chunks, RATE), None), "好")
    assert [(p.symbol, pytest.approx(p.start, abs=1e-6)) for p in speech.phones] == [
        ("a", 0), ("x", 0.2), ("y", 0.8), ("z", 1.6), ("", 1.9),
    ]  # fmt: skip


async def test_times_in_what_is_cut_away_are_cut() -> None:
    pcm = np.concatenate([silence(0.5, RATE), tone(0.5, RATE), silence(1, RATE)])
    phones = (Phone("", 0, 0.45), Phone("a", 0.45, 1), Phone("", 1, 1.8), Phone("b", 1.8, 2))
    words = (SpokenWord(0, 0, 1, 0.1, 0.9), SpokenWord(0, 1, 2, 1.9, 2.0))
    speech = await say(Polished(Scripted([VoiceChunk(pcm, phones, words)], RATE), None), "好，")
    end = speech.seconds
    assert end == pytest.approx(0.015 + 0.5 + 0.19, abs=0.003)
    assert [(p.symbol, p.start) for p in speech.phones] == [
        ("a", 0.0), ("", pytest.approx(0.5175, abs=0.003)),
    ]  # fmt: skip
    assert speech.phones[-1].end == pytest.approx(end)
    assert [(w.begin, w.start) for w in speech.words] == [(0, 0.0), (1, pytest.approx(end))]
    assert all(w.start <= w.end <= end + 1e-9 for w in speech.words)


async def test_a_voice_without_times_stays_without() -> None:
    voice = Polished(Scripted(cut(tone(1, RATE), 1000, 9000), RATE))
    async for chunk in voice.speak([Run("zh", "好")]):
        assert chunk.phones is None


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 9_000), max_size=25),
    rate=st.sampled_from([22_050, 24_000, 48_000]),
)
async def test_how_sound_is_cut_changes_nothing(sizes: list[int], rate: int) -> None:
    times = [0.05, 0.3, 0.62, 0.9]
    pcm = np.concatenate(
        [silence(0.2, rate), clicks(times, 1.0, rate), silence(0.5, rate), tone(0.3, rate, 0.9)]
    )
    phones = [Phone("a", t, t + 0.1) for t in times]
    words = [SpokenWord(0, 0, 1, t, t + 0.1) for t in times]
    chunks, at = [], 0
    for part in cut(pcm, *sizes):
        begin, stop = at / rate, (at + len(part.pcm)) / rate
        chunks.append(
            VoiceChunk(
                part.pcm,
                tuple(
                    Phone("a", p.start - begin, p.end - begin)
                    for p in phones
                    if begin <= p.start < stop
                ),
                tuple(
                    SpokenWord(0, 0, 1, w.start - begin, w.end - begin)
                    for w in words
                    if begin <= w.start < stop
                ),
            )
        )
        at += len(part.pcm)
    whole = await say(
        Polished(Scripted([VoiceChunk(pcm, tuple(phones), tuple(words))], rate)), "好。"
    )
    parted = await say(Polished(Scripted(chunks, rate)), "好。")
    np.testing.assert_array_equal(parted.pcm, whole.pcm)
    for ours, theirs in ((parted.phones, whole.phones), (parted.words, whole.words)):
        assert [(p.start, p.end) for p in ours] == [  # type: ignore[attr-defined]
            (pytest.approx(p.start, abs=1e-6), pytest.approx(p.end, abs=1e-6)) for p in theirs
        ]


# Being a voice


async def test_it_passes_on_who_it_is_and_how_it_is() -> None:
    source = Scripted(cut(tone(0.3, RATE)), RATE, VoiceError("no key", retryable=False))
    voice = Polished(source)
    assert (voice.name, voice.sample_rate) == ("scripted", RATE)
    with pytest.raises(VoiceError, match="no key"):
        await voice.check()
    await voice.aclose()
    assert source.closed == 100


async def test_who_spoke_is_passed_on(espeak: EspeakVoice) -> None:
    voice = Polished(Quieter(espeak, 1))
    assert {chunk.by async for chunk in voice.speak([Run("zh", "你好")])} == {"q"}


async def test_leaving_early_stops_the_voice() -> None:
    source = Scripted(cut(tone(3, RATE), RATE, RATE), RATE)
    chunks = Polished(source).speak([Run("zh", "好")])
    await anext(chunks)
    await chunks.aclose()
    assert source.closed == 1


async def test_what_it_costs(espeak: EspeakVoice) -> None:
    """Prints what the documentation quotes: CPU time, so that a busy machine changes little."""
    for text in ZH:
        raw = [chunk async for chunk in espeak.speak([Run("zh", text)])]
        voice = Polished(Scripted(raw, 22_050))
        seconds = (await say(voice, text)).seconds
        began = time.process_time()
        for _ in range(5):
            await say(voice, text)
        print(f"{(time.process_time() - began) / 5 / seconds * 1000:.1f} ms of CPU per second")
