"""espeak-ng with the real worker: what is heard, when, and what survives."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import statistics
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from child_processes import children_with
from mien.media.speech import Phone
from mien.tts import espeak as espeak_module
from mien.tts import espeak_worker as protocol
from mien.tts.espeak import EspeakVoice
from mien.tts.espeak_settings import EspeakSettings, EspeakStyle
from mien.tts.espeak_timing import MAX_CHARACTERS, plan
from mien.tts.voice import Run, SpokenWord, Voice, VoiceChunk, VoiceError

RATE = 22_050
ZH = [Run("zh", "你好，爸爸妈妈，今天天气很好。")]
EN = [Run("en", "Hello, mama baba! Please don't stop the dog-house.")]
MIXED = [
    Run("zh", "我喜欢"),
    Run("en", "Python"),
    Run("zh", "和"),
    Run("en", "music"),
    Run("zh", "。"),
]
LONG = [Run("zh", "今天天气很好我们一起去公园散步然后回家吃饭睡觉" * 4)]

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


@dataclass
class Speech:
    pcm: NDArray[np.int16]
    phones: list[Phone]
    words: list[SpokenWord]

    def level(self, start: float, end: float) -> float:
        part = self.pcm[round(start * RATE) : round(end * RATE)].astype(float)
        return float(np.sqrt((part * part).mean())) if len(part) else 0.0


def join(chunks: Sequence[VoiceChunk]) -> Speech:
    at, phones, words = 0.0, [], []
    for chunk in chunks:
        phones += [Phone(p.symbol, p.start + at, p.end + at) for p in chunk.phones or ()]
        words += [SpokenWord(w.run, w.begin, w.stop, w.start + at, w.end + at) for w in chunk.words]
        at += len(chunk.pcm) / RATE
    pcm = [chunk.pcm for chunk in chunks] or [np.zeros(0, np.int16)]
    return Speech(np.concatenate(pcm), phones, words)


async def say(voice: Voice, runs: Sequence[Run]) -> Speech:
    return join([chunk async for chunk in voice.speak(runs)])


def texts(runs: Sequence[Run], speech: Speech) -> list[str]:
    return [runs[w.run].text[w.begin : w.stop] for w in speech.words]


def workers() -> list[psutil.Process]:
    """Of this test process; a server that other tests share has a worker of its own."""
    return children_with("espeak_worker", recursive=False)


def process_of(voice: EspeakVoice) -> psutil.Process:
    assert voice._worker is not None
    return psutil.Process(voice._worker.process.pid)


@pytest.fixture(autouse=True)
def nothing_leaks() -> Iterator[None]:
    yield
    assert workers() == []


@pytest.fixture
async def voice() -> AsyncIterator[EspeakVoice]:
    voice = EspeakVoice()
    yield voice
    await voice.aclose()


# What is heard


@pytest.mark.parametrize(
    ("runs", "low", "high"), [(ZH, 2.5, 5.0), (EN, 2.5, 5.0), (MIXED, 1.5, 3.5)]
)
async def test_sound_is_loud_and_of_plausible_length(
    voice: EspeakVoice, runs: list[Run], low: float, high: float
) -> None:
    speech = await say(voice, runs)
    assert speech.pcm.dtype == np.int16
    assert low < len(speech.pcm) / RATE < high
    assert speech.level(0, len(speech.pcm) / RATE) > 1000


@pytest.mark.parametrize("runs", [ZH, EN, MIXED])
async def test_phones_cover_the_sound_without_gap_or_overlap(
    voice: EspeakVoice, runs: list[Run]
) -> None:
    speech = await say(voice, runs)
    assert speech.phones[0].start == 0
    assert speech.phones[-1].end == pytest.approx(len(speech.pcm) / RATE, abs=1e-4)
    for phone, following in pairwise(speech.phones):
        assert phone.end == pytest.approx(following.start, abs=1e-4)
        assert phone.start < phone.end
    for phone in speech.phones:
        assert not set(phone.symbol) & set("ˈˌ()_."), phone
        if phone.symbol and phone.symbol in "aɑioueə":
            assert speech.level(phone.start, phone.end) > 500


async def test_each_chunk_holds_its_phones_and_words(voice: EspeakVoice) -> None:
    async for chunk in voice.speak([*ZH, *EN]):
        length = len(chunk.pcm) / RATE + 1e-6
        assert chunk.phones
        assert all(0 <= p.start < p.end <= length for p in chunk.phones)
        assert all(0 <= w.start < w.end <= length for w in chunk.words)


@pytest.mark.parametrize(
    ("runs", "symbols"),
    [
        ([Run("en", "mama baba mama baba, papa papa")], {"b", "p"}),
        ([Run("zh", "爸爸妈妈，怕怕，宝贝")], {"p", "pʰ"}),
    ],
)
async def test_lips_are_shut_where_the_sound_dips(
    voice: EspeakVoice, runs: list[Run], symbols: set[str]
) -> None:
    speech = await say(voice, runs)
    vowels = [p for p in speech.phones if p.symbol[:1] in set("ɑaɐəe") and p.symbol]
    loud = statistics.median(speech.level(p.start, p.end) for p in vowels)
    shut = [p for p in speech.phones if p.symbol in symbols]
    assert len(shut) >= 4
    for phone in shut:
        # The first 40 ms of a stop are its closure.
        assert speech.level(phone.start, phone.start + 0.04) < 0.25 * loud, phone


async def test_events_have_no_constant_offset(voice: EspeakVoice) -> None:
    """The best lag between "a stop's closure begins" and "the energy falls" is none."""
    speech = await say(voice, [Run("en", "baba papa baba papa baba papa, tata dada kaka")])
    frame = RATE // 200
    count = len(speech.pcm) // frame
    frames = speech.pcm[: count * frame].reshape(count, frame).astype(float)
    level = 20 * np.log10(np.sqrt((frames**2).mean(axis=1)) + 30)
    onsets = [p.start for p in speech.phones[1:] if p.symbol in ("b", "p") and p.start > 0.1]

    def fall(lag: int) -> float:
        steps = [round(s * 200) + lag for s in onsets]
        return float(np.mean([level[k - 3 : k].mean() - level[k : k + 3].mean() for k in steps]))

    best = max(range(-12, 13), key=fall)
    print(f"closures: the energy falls {best * 5} ms after their reported start")
    assert abs(best) <= 2


async def test_words_map_to_the_characters(voice: EspeakVoice) -> None:
    speech = await say(voice, ZH)
    assert texts(ZH, speech) == list("你好爸爸妈妈今天天气很好")
    speech = await say(voice, EN)
    expected = ["Hello", "mama", "baba", "Please", "don't", "stop", "the", "dog-house"]
    assert texts(EN, speech) == expected
    assert all(a.end <= b.start + 1e-6 for a, b in pairwise(speech.words))


async def test_a_mixed_sentence_is_spoken_whole_and_flows(voice: EspeakVoice) -> None:
    speech = await say(voice, MIXED)
    assert texts(MIXED, speech) == ["我", "喜", "欢", "Python", "和", "music"]
    for word in speech.words:
        assert word.end - word.start > 0.08
        assert speech.level(word.start, word.end) > 500
    for word, following in pairwise(speech.words):
        assert following.start - word.end < 0.06, "a gap where the language changes"


async def test_the_pause_after_a_clause_follows_its_punctuation(voice: EspeakVoice) -> None:
    async def pause(*runs: Run) -> float:
        last = (await say(voice, runs)).phones[-1]
        assert last.symbol == ""
        return last.end - last.start

    none, comma = await pause(Run("zh", "你好")), await pause(Run("zh", "你好，"))
    stop, quoted = await pause(Run("en", "Hello.")), await pause(Run("en", "Hello.”"))
    assert none < 0.05 < comma < stop == quoted
    assert await pause(Run("zh", "喜欢"), Run("en", "music"), Run("zh", "。")) == pytest.approx(
        stop
    )
    fast = EspeakVoice(settings=EspeakSettings(en=EspeakStyle("en-us+f3", rate=300)))
    last = (await say(fast, [Run("en", "Hello.")])).phones[-1]
    await fast.aclose()
    assert last.end - last.start == pytest.approx(stop / 2, abs=0.01)


@pytest.mark.parametrize(
    "runs", [[], [Run("zh", "")], [Run("en", "...!?")], [Run("zh", "。，"), Run("en", " ")]]
)
async def test_nothing_to_pronounce_is_nothing(voice: EspeakVoice, runs: list[Run]) -> None:
    assert [chunk async for chunk in voice.speak(runs)] == []


async def test_a_long_text_is_split_and_complete(voice: EspeakVoice) -> None:
    zh = [Run("zh", ("今天天气很好，我们去公园。" * 200)[:2000])]
    requests = plan(zh)
    assert all(sum(len(p.text) for p in r) <= MAX_CHARACTERS["zh"] for r in requests)
    assert "".join(p.text for r in requests for p in r) == zh[0].text
    speech = await say(voice, zh)
    assert texts(zh, speech) == [c for c in zh[0].text if c not in "，。"]
    en = [Run("en", ("We walk 3.14 miles, then rest. " * 80)[:2000])]
    assert all("3.14" in p.text or "3" not in p.text for r in plan(en) for p in r)
    assert len((await say(voice, en)).words) > 350
    await say(voice, [Run("en", "a" * 2000)])


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize(
    "text",
    [
        "你😀好 👨‍👩‍👧 ok 🇨🇳",
        "a\0b\x01\x02\x1b[31mc\x7f",
        "שלום مرحبا \u202eabc\u202c \u200f",
        "\ud800 lone \udfff surrogates 好",
        "[[h@loU]] <b>bold</b> &amp; {x} \\n %s %n",
        "日本語カナ 한국어 ไทย हिन्दी Ελληνικά",
        "𠀀𝒜\U0010ffff\ue000\ufffe\ufffd",
        "e\u0301" * 50 + "\u0300" * 300,
        "1234567890" * 20,
        "ﷺ㍿①Ⅷ½²",
        "\r\n\t\v\f\u2028\u2029word",
    ],
)
async def test_no_text_harms_it(voice: EspeakVoice, language: str, text: str) -> None:
    run = Run("zh" if language == "zh" else "en", text)
    speech = await say(voice, [run])
    assert all(0 <= w.begin < w.stop <= len(text) for w in speech.words)
    assert voice.restarts == 0
    assert len((await say(voice, ZH)).pcm) > RATE


async def test_random_text_keeps_its_promises(voice: EspeakVoice) -> None:
    random.seed(7)
    alphabet = "你好世界我们中国银行了的 abcdeHTSP019.,!?，。'-\"()%$@😀\u0301\u200d  "
    for _ in range(40):
        runs = [
            Run(
                random.choice(("zh", "en")),
                "".join(random.choices(alphabet, k=random.randint(1, 60))),
            )
            for _ in range(random.randint(1, 4))
        ]
        speech = await say(voice, runs)
        at = 0.0
        for phone in speech.phones:
            assert phone.start == pytest.approx(at, abs=1e-4)
            at = phone.end
        spans = [(w.run, w.begin, w.stop) for w in speech.words]
        assert spans == sorted(spans), runs
        assert all(a[2] <= b[1] for a, b in pairwise(spans) if a[0] == b[0])
    assert voice.restarts == 0


# Sharing, stopping, surviving


async def test_the_same_text_gives_the_same_samples(voice: EspeakVoice) -> None:
    first = [(await say(voice, runs)).pcm.tobytes() for runs in (ZH, EN, MIXED)]
    await asyncio.sleep(1.1)  # espeak-ng would seed its noise from the second
    for _ in range(5):
        again = [(await say(voice, runs)).pcm.tobytes() for runs in (MIXED, EN, ZH)]
        assert again == first[::-1]
    other = EspeakVoice()
    assert (await say(other, ZH)).pcm.tobytes() == first[0]
    await other.aclose()


async def test_sentences_spoken_at_once_do_not_mix(voice: EspeakVoice) -> None:
    sentences = [ZH, EN, MIXED, [Run("zh", "八百标兵奔北坡")], [Run("en", "A quick brown fox")]]
    alone = [await say(voice, runs) for runs in sentences]
    together = await asyncio.gather(*(say(voice, runs) for runs in sentences * 4))
    for n, speech in enumerate(together):
        assert speech.pcm.tobytes() == alone[n % 5].pcm.tobytes()
        assert speech.phones == alone[n % 5].phones
    assert len(workers()) == 1


async def test_a_long_text_does_not_hold_up_a_short_one(voice: EspeakVoice) -> None:
    await voice.start()
    heard: list[str] = []

    async def speak(name: str, runs: list[Run]) -> None:
        await say(voice, runs)
        heard.append(name)

    async with asyncio.TaskGroup() as group:
        group.create_task(speak("long", [Run("zh", "今天天气很好。" * 300)]))
        await asyncio.sleep(0)
        group.create_task(speak("short", ZH))
    assert heard == ["short", "long"]


async def test_leaving_early_stops_the_request(voice: EspeakVoice) -> None:
    for _ in range(20):
        async with contextlib.aclosing(voice.speak(LONG)) as chunks:
            async for _ in chunks:
                break
        assert voice._worker is not None
        assert voice._worker.waiting == {}
    task = asyncio.create_task(say(voice, LONG * 20))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len((await say(voice, ZH)).pcm) > RATE
    assert voice.restarts == 0


def test_the_worker_notices_a_cancel_within_a_callback_or_two() -> None:
    pipe, command = subprocess.PIPE, [sys.executable, "-P", protocol.__file__]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        cancel_twenty(process)


def cancel_twenty(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin and process.stdout and process.stderr

    def send(kind: int, request: int, payload: bytes = b"") -> None:
        assert process.stdin
        process.stdin.write(protocol.HEADER.pack(kind, request, len(payload)) + payload)
        process.stdin.flush()

    def receive() -> tuple[int, int]:
        assert process.stdout
        kind, request, length = protocol.HEADER.unpack(process.stdout.read(protocol.HEADER.size))
        process.stdout.read(length)
        return kind, request

    assert receive()[0] == protocol.HELLO
    text = "今天天气很好我们一起去公园散步" * 100
    segments = protocol.pack_segments([protocol.Segment("cmn+f3", 150, 50, 99, text)] * 5)
    delays: list[float] = []
    pieces: list[int] = []
    for request in range(1, 41, 2):
        send(protocol.SAY, request, segments)
        send(protocol.SAY, request + 1, segments)  # waits behind it, is never begun
        assert receive() == (protocol.PIECE, request)
        started, after = time.perf_counter(), 0
        send(protocol.CANCEL, request + 1)
        send(protocol.CANCEL, request)
        while (kind := receive())[0] == protocol.PIECE:
            after += 1
        delays.append((time.perf_counter() - started) * 1000)
        pieces.append(after)
        assert kind == (protocol.ABORTED, request)
        assert receive() == (protocol.ABORTED, request + 1)
    print(
        f"abort: {statistics.median(delays):.1f} ms, worst {max(delays):.1f} ms; "
        f"{max(pieces)} pieces of 60 ms were on their way"
    )
    # 7,500 characters make 30,000 pieces; a full pipe holds about 25, and a busy machine adds some.
    assert max(pieces) < 1000
    process.stdin.close()
    assert process.wait(60) == 0
    assert process.stderr.read() == b""


KILLS = 27  # thrice after each of the first nine chunks


@posix
async def test_kills_during_speech_are_not_heard(voice: EspeakVoice) -> None:
    """No sentence is lost or changed, and no process, pipe or task is left behind."""
    runs = [Run("zh", LONG[0].text[:46])]
    undisturbed = await say(voice, runs)
    files, tasks = psutil.Process().num_fds(), len(asyncio.all_tasks())
    delays: list[float] = []
    pids = {process_of(voice).pid}
    for n in range(KILLS):
        chunks: list[VoiceChunk] = []
        killed = 0.0
        async for chunk in voice.speak(runs):
            if killed and voice.restarts > n and len(delays) == n:
                delays.append((time.perf_counter() - killed) * 1000)
            chunks.append(chunk)
            if len(chunks) == 1 + n % 9:
                os.kill(process_of(voice).pid, signal.SIGKILL)
                killed = time.perf_counter()
        speech = join(chunks)
        assert voice.restarts == n + 1, "the kill came too late to matter"
        assert speech.pcm.tobytes() == undisturbed.pcm.tobytes()
        assert speech.phones == undisturbed.phones
        assert speech.words == undisturbed.words
        assert len(workers()) == 1
        pids.add(process_of(voice).pid)
    assert len(pids) == KILLS + 1
    assert psutil.Process().num_fds() == files
    assert len(asyncio.all_tasks()) == tasks
    await voice.aclose()
    assert not pids & {child.pid for child in psutil.Process().children()}, "not even a zombie"
    print(f"restart: {statistics.median(delays):.0f} ms until the next new chunk")


@posix
async def test_other_sentences_survive_a_kill_too(voice: EspeakVoice) -> None:
    alone = (await say(voice, LONG)).pcm.tobytes()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(say(voice, LONG)) for _ in range(5)]
        await asyncio.sleep(0.01)
        os.kill(process_of(voice).pid, signal.SIGKILL)
    assert all(task.result().pcm.tobytes() == alone for task in tasks)
    assert voice.restarts == 1


@posix
async def test_three_failures_are_enough(voice: EspeakVoice) -> None:
    async def murder() -> None:
        while True:
            for process in workers():
                with contextlib.suppress(psutil.Error):
                    process.kill()
            await asyncio.sleep(0)

    await voice.start()
    killer = asyncio.create_task(murder())
    with pytest.raises(VoiceError) as caught:
        await say(voice, LONG * 5)
    killer.cancel()
    assert caught.value.retryable
    assert len((await say(voice, ZH)).pcm) > RATE


@posix
async def test_a_hung_worker_is_replaced(
    voice: EspeakVoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = (await say(voice, ZH)).pcm.tobytes()
    monkeypatch.setattr(espeak_module, "_HANG_SEC", 0.5)
    process_of(voice).suspend()
    assert (await say(voice, ZH)).pcm.tobytes() == expected
    assert voice.restarts == 1


async def test_a_worker_retires_unheard(
    voice: EspeakVoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = (await say(voice, ZH)).pcm.tobytes()
    first = process_of(voice).pid
    monkeypatch.setattr(espeak_module, "_RETIRE_REQUESTS", 4)
    said = await asyncio.gather(*(say(voice, ZH * 3) for _ in range(4)))
    assert all(speech.pcm.tobytes().startswith(alone[:1000]) for speech in said)
    assert (await say(voice, ZH)).pcm.tobytes() == alone
    assert process_of(voice).pid != first
    assert voice.restarts == 0


async def test_closing(voice: EspeakVoice) -> None:
    await EspeakVoice().aclose()
    chunks = voice.speak(LONG)
    await anext(chunks)
    await voice.aclose()
    with pytest.raises(VoiceError) as caught:
        async for _ in chunks:
            pass
    assert not caught.value.retryable
    await voice.aclose()
    with pytest.raises(VoiceError):
        await say(voice, ZH)
    assert workers() == []


async def test_a_start_that_is_cancelled_leaves_nothing(voice: EspeakVoice) -> None:
    for n in range(10):
        task = asyncio.create_task(voice.start())
        await asyncio.sleep(0.004 * n)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert len(workers()) <= 1
    assert len((await say(voice, ZH)).pcm) > RATE


@posix
def test_the_worker_ends_with_its_parent() -> None:
    program = """
        import asyncio, os
        from mien.tts.espeak import EspeakVoice
        async def main():
            voice = EspeakVoice()
            await voice.start()
            print(voice._worker.process.pid, flush=True)
            os.kill(os.getpid(), 9)
        asyncio.run(main())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True
    )
    pid = int(done.stdout)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return
        except psutil.NoSuchProcess:
            return
        time.sleep(0.02)
    pytest.fail("the worker outlives its parent")


# Settings


async def test_styles(voice: EspeakVoice) -> None:
    with pytest.raises(ValueError, match="rate must be 80…450, not 20"):
        EspeakStyle("en-us", rate=20)
    fast = EspeakVoice(settings=EspeakSettings(en=EspeakStyle("en-gb+f2", rate=300, pitch=80)))
    assert len((await say(fast, EN)).pcm) < 0.7 * len((await say(voice, EN)).pcm)
    assert (await say(fast, ZH)).pcm.tobytes() == (await say(voice, ZH)).pcm.tobytes()
    await fast.aclose()


async def test_every_listed_language_is_a_voice(voice: EspeakVoice) -> None:
    for language in await voice.languages():
        other = EspeakVoice(settings=EspeakSettings(en=EspeakStyle(language.code)))
        other._worker = voice._worker  # one process will do
        await say(other, [Run("en", "1")])  # raises for a voice that is not there


async def test_an_unknown_voice_is_named() -> None:
    voice = EspeakVoice(settings=EspeakSettings(en=EspeakStyle("klingon-x")))
    with pytest.raises(VoiceError, match="klingon-x") as caught:
        await say(voice, EN)
    assert not caught.value.retryable
    assert len((await say(voice, ZH)).pcm) > RATE
    await voice.aclose()


async def test_languages_are_listed(voice: EspeakVoice) -> None:
    codes = {language.code for language in await voice.languages()}
    assert {"cmn", "en-us", "en-gb", "fr-fr"} <= codes


async def test_a_missing_library_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    (tmp_path / "espeakng_loader.py").write_text("raise ImportError")  # type: ignore[operator]
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    voice = EspeakVoice()
    with pytest.raises(VoiceError, match="pip install espeakng-loader") as caught:
        await voice.start()
    assert not caught.value.retryable
    await voice.aclose()


async def test_figures(voice: EspeakVoice) -> None:
    """Prints what the documentation quotes; asserts only what holds on a loaded machine."""
    started = time.perf_counter()
    await voice.start()
    start_ms = (time.perf_counter() - started) * 1000
    first, factors = [], []
    for _ in range(20):
        for runs in (ZH, EN, MIXED):
            began, seen, length = time.perf_counter(), 0.0, 0
            async for chunk in voice.speak(runs):
                seen = seen or time.perf_counter() - began
                length += len(chunk.pcm)
            first.append(seen * 1000)
            factors.append((time.perf_counter() - began) / (length / RATE))
    print(
        f"start {start_ms:.0f} ms; first chunk {statistics.median(first):.1f} ms, "
        f"worst {max(first):.1f} ms; RTF {statistics.median(factors):.4f}"
    )
    assert statistics.median(first) < 50
    assert statistics.median(factors) < 0.1
