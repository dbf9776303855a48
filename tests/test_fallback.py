"""Several voices as one: no word is lost or said twice, wherever one of them breaks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.media.tick import Pcm
from mien.tts.breaker import Breaker
from mien.tts.fallback import FallbackVoice, Member
from mien.tts.settings import VoiceSettings
from mien.tts.voice import Run, VoiceChunk, VoiceError
from scripted_voice import RATE, Fault, Script, ScriptedVoice, counted, performance

PATIENT = VoiceSettings(service="scripted", first_sound_sec=60, stall_sec=60)
HASTY = VoiceSettings(service="scripted", first_sound_sec=0.05, stall_sec=0.05)

CLAUSE = [
    Run("zh", "今天我们用"),
    Run("en", "Python, and maybe Rust,"),
    Run("zh", "写一个会说话的人。"),
]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def chain(*voices: ScriptedVoice, hasty: str = "", clock: Clock | None = None) -> FallbackVoice:
    clock = clock or Clock()
    return FallbackVoice(
        [
            Member(voice, HASTY if voice.name == hasty else PATIENT, Breaker(clock))
            for voice in voices
        ]
    )


async def said(voice: FallbackVoice, runs: Sequence[Run] = CLAUSE) -> list[VoiceChunk]:
    async with aclosing(voice.speak(runs)) as chunks:
        return [chunk async for chunk in chunks]


def sound(chunks: Sequence[VoiceChunk]) -> Pcm:
    return np.concatenate([np.zeros(0, np.int16), *(chunk.pcm for chunk in chunks)])


async def clauses(voice: ScriptedVoice, count: int) -> None:
    """Wait until it was given so many."""
    for _ in range(1000):
        if len(voice.heard) >= count:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"{voice.name} was given {len(voice.heard)} clauses, not {count}")


def speakers(chunks: Sequence[VoiceChunk]) -> list[str]:
    return list(dict.fromkeys(chunk.by for chunk in chunks if len(chunk.pcm)))


def broken(fault: Fault, after: float = 0.0, name: str = "anna") -> ScriptedVoice:
    return ScriptedVoice(name, [Script(fault, after), Script()])


SECONDS = len(performance(CLAUSE)[0]) / RATE


@settings(max_examples=40, deadline=None)
@given(
    first=st.floats(0, SECONDS),
    second=st.floats(0, SECONDS),
    faults=st.tuples(*[st.sampled_from(["error", "wrong key", "bug"])] * 2),
    timed=st.booleans(),
    chunk=st.integers(100, 20_000),
)
async def test_wherever_voices_break_every_word_is_said_once(
    first: float, second: float, faults: tuple[Fault, Fault], timed: bool, chunk: int
) -> None:
    voice = chain(
        ScriptedVoice("anna", [Script(faults[0], first)], timed, chunk),
        ScriptedVoice("berta", [Script(faults[1], second)], timed, chunk),
        ScriptedVoice("clara", timed=timed, chunk=chunk),
    )
    chunks = await said(voice)
    shares = [
        counted(sound([chunk for chunk in chunks if chunk.by == name]), CLAUSE)
        for name in ("anna", "berta", "clara")
    ]
    # Half of a word counts as the word. Counting without times is exact to a few 10 ms frames.
    slack = 1e-3 if timed else 0.2
    for word in shares[0]:
        told = [share[word] for share in shares]
        assert max(told) >= 0.5 - slack, (word, "lost", told)
        assert sum(share > 0.5 + slack for share in told) <= 1, (word, "twice", told)


@settings(max_examples=25, deadline=None)
@given(after=st.floats(0.05, SECONDS), chunk=st.integers(100, 9600))
async def test_words_stay_words_of_the_whole_clause(after: float, chunk: int) -> None:
    voice = chain(broken("error", after), ScriptedVoice("berta", chunk=chunk))
    told = [word for piece in await said(voice) for word in piece.words]
    texts = [CLAUSE[word.run].text[word.begin : word.stop] for word in told]
    _, words = performance(CLAUSE)
    expected = [CLAUSE[word.run].text[word.begin : word.stop] for word in words]
    # A word of which less than half was heard is told again by the voice that says it.
    again = [text for at, text in enumerate(texts) if text in texts[:at]]
    assert len(again) <= 1
    assert list(dict.fromkeys(texts)) == expected


async def test_a_slower_voice_without_times_is_known_after_a_few_clauses() -> None:
    slow = ScriptedVoice("slow", [Script()] * 20 + [Script("error", 2.0)], timed=False, pace=1.6)
    voice = chain(slow, ScriptedVoice("berta", timed=False))
    for _ in range(20):
        await said(voice)
    chunks = await said(voice)
    first = counted(sound([c for c in chunks if c.by == "slow"]), CLAUSE, 1.6)
    second = counted(sound([c for c in chunks if c.by == "berta"]), CLAUSE)
    for word in first:
        assert 0.3 <= first[word] + second[word] <= 1.7, (word, first, second)


async def test_a_voice_that_fails_at_once_leaves_the_whole_clause_to_the_next() -> None:
    anna, berta = broken("error"), ScriptedVoice("berta")
    chunks = await said(chain(anna, berta))
    assert speakers(chunks) == ["berta"] and berta.heard == [CLAUSE]
    assert sound(chunks).tobytes() == performance(CLAUSE)[0].tobytes()


async def test_only_the_pause_behind_the_last_word_is_not_worth_another_voice() -> None:
    berta = ScriptedVoice("berta")
    chunks = await said(chain(broken("error", SECONDS - 0.1), berta))
    assert speakers(chunks) == ["anna"] and not berta.heard


@pytest.mark.parametrize("after", [0.0, 1.0], ids=["before its first sound", "in a clause"])
@pytest.mark.parametrize("stubborn", [False, True])
async def test_a_voice_that_hangs_is_given_up_and_never_heard_later(
    after: float, stubborn: bool
) -> None:
    anna = broken("hang", after)
    anna.stubborn = stubborn
    voice = chain(anna, ScriptedVoice("berta"), hasty="anna")
    async with asyncio.timeout(60):
        chunks = await said(voice)
    assert all(0.5 <= times < 1.5 for times in counted(sound(chunks), CLAUSE).values())
    assert speakers(chunks)[-1] == "berta"
    why = voice.failures()["anna"]
    assert "within 0.05 s" in str(why) and "0.05 秒" in why.zh
    await voice.aclose()
    assert anna.ended == 1, "it does not outlive the chain"


async def test_what_a_stubborn_voice_says_after_it_was_given_up_is_not_heard() -> None:
    gate = asyncio.Event()

    class Late(ScriptedVoice):
        async def speak(self, runs: Sequence[Run]):  # type: ignore[no-untyped-def]
            try:
                await gate.wait()
            except asyncio.CancelledError:
                pass  # it goes on all the same
            self.ended += 1
            yield VoiceChunk(np.full(4800, 7, np.int16))

    late = Late("late")
    voice = chain(late, ScriptedVoice("berta"), hasty="late")
    chunks = await said(voice)
    await asyncio.sleep(0)
    assert late.ended == 1 and not (sound(chunks) == 7).any()
    await voice.aclose()


async def test_clauses_that_follow_go_straight_to_the_voice_that_works() -> None:
    anna, berta = broken("hang"), ScriptedVoice("berta")
    voice = chain(anna, berta, hasty="anna")
    for _ in range(5):
        chunks = await said(voice)
        assert speakers(chunks) == ["berta"]
    assert len(anna.heard) == 1


async def test_it_is_tried_again_after_a_pause_and_used_when_it_works() -> None:
    clock = Clock()
    anna = broken("error")
    voice = chain(anna, ScriptedVoice("berta"), clock=clock)
    assert speakers(await said(voice)) == ["berta"]
    clock.now = 9.9
    assert speakers(await said(voice)) == ["berta"] and anna.checks == 0
    clock.now = 10.1
    assert speakers(await said(voice)) == ["berta"], "nobody waits while it is looked at"
    assert anna.checks == 1
    assert speakers(await said(voice)) == ["anna"]
    assert "anna" not in voice.failures()
    await voice.aclose()


async def test_one_that_is_still_dead_costs_no_clause_anything() -> None:
    clock = Clock()
    anna = broken("error")
    anna.why_not = VoiceError("connection refused", retryable=True)
    voice = chain(anna, ScriptedVoice("berta"), clock=clock)
    await said(voice)
    for now in (11, 12, 31.5, 32, 80):
        clock.now = now
        await said(voice)
        await asyncio.sleep(0)
    assert anna.checks == 3, "after 10, 20 and 40 s"
    assert len(anna.heard) == 1
    assert str(voice.failures()["anna"]) == "connection refused"
    await voice.aclose()


async def test_one_clause_at_a_time_tries_it() -> None:
    clock = Clock()
    anna = ScriptedVoice("anna", [Script("error"), Script("hang")])
    voice = chain(anna, ScriptedVoice("berta"), clock=clock)
    await said(voice)
    clock.now = 11
    await said(voice)
    trying = asyncio.create_task(said(voice))
    await clauses(anna, 2)
    assert speakers(await said(voice)) == ["berta"]
    trying.cancel()
    await asyncio.gather(trying, return_exceptions=True)
    assert anna.ended == 2
    # An interruption tells nothing about the voice: the next clause tries it.
    anna.script = [Script()]
    assert speakers(await said(voice)) == ["anna"]
    await voice.aclose()


async def test_what_a_person_must_put_right_is_left_alone_for_longer() -> None:
    clock = Clock()
    anna = broken("wrong key")
    voice = chain(anna, ScriptedVoice("berta"), clock=clock)
    await said(voice)
    clock.now = 59
    await said(voice)
    assert anna.checks == 0
    clock.now = 61
    await said(voice)
    assert anna.checks == 1
    await voice.aclose()


async def test_when_none_can_speak_each_is_named() -> None:
    voice = chain(broken("error"), broken("wrong key", name="berta"))
    with pytest.raises(VoiceError) as caught:
        await said(voice)
    assert str(caught.value) == "anna: the server hung up; berta: the key is wrong"
    assert caught.value.zh == "anna：服务器断开；berta：密钥错误"
    assert caught.value.retryable
    # Better to ask one that has just failed than to be silent.
    assert speakers(await said(voice)) == ["anna"]


async def test_a_text_one_voice_has_no_sound_for_is_given_to_the_next() -> None:
    class Mute(ScriptedVoice):
        async def speak(self, runs: Sequence[Run]):  # type: ignore[no-untyped-def]
            self.heard.append(list(runs))
            return
            yield

    mute, berta = Mute("mute"), ScriptedVoice("berta")
    voice = chain(mute, berta)
    for _ in range(2):
        assert speakers(await said(voice)) == ["berta"]
    assert len(mute.heard) == 2, "it is not blamed"
    assert await said(chain(Mute("mute")), CLAUSE) == [], "nobody has a sound for it: no error"
    assert await said(voice, [Run("en", "...!")]) == []


async def test_an_interruption_ends_the_voice_at_work_at_once() -> None:
    anna = ScriptedVoice("anna", [Script("hang", 1.0)])
    voice = chain(anna, ScriptedVoice("berta"))
    async with aclosing(voice.speak(CLAUSE)) as chunks:
        await anext(chunks)
    assert anna.ended == 1
    waiting = asyncio.create_task(said(voice))
    await clauses(anna, 2)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert anna.ended == 2
    assert "anna" not in voice.failures()
    await voice.aclose()
    await voice.aclose()
    assert anna.closed == 0, "another chain may have it too"


async def test_closing_ends_speech_under_way_with_an_error() -> None:
    voice = chain(ScriptedVoice("anna", [Script("hang", 0.5)]), ScriptedVoice("berta"))
    speaking = asyncio.create_task(said(voice))
    await asyncio.sleep(0.01)
    await voice.aclose()
    with pytest.raises(VoiceError, match="closed"):
        async with asyncio.timeout(60):
            await speaking


async def test_check_is_fine_when_one_can_speak() -> None:
    anna, berta = ScriptedVoice("anna"), ScriptedVoice("berta")
    anna.why_not = VoiceError("no server", retryable=True, zh="没有服务器")
    voice = chain(anna, berta)
    await voice.check()
    berta.why_not = VoiceError("no model", retryable=False, zh="没有模型")
    with pytest.raises(VoiceError, match="anna: no server; berta: no model"):
        await voice.check()


async def test_a_voice_that_cannot_even_warm_up_is_passed_over_from_the_first_clause() -> None:
    anna, berta = broken("error"), ScriptedVoice("berta")
    voice = chain(anna, berta)
    for member in voice.members:
        await member.warm_up(CLAUSE, 60)
    assert speakers(await said(voice)) == ["berta"]
    assert (len(anna.heard), len(berta.heard)) == (1, 2)


def test_voices_of_one_chain_share_a_rate() -> None:
    other = ScriptedVoice("berta", sample_rate=24_000)
    with pytest.raises(ValueError, match="anna 48000 Hz, berta 24000 Hz"):
        chain(ScriptedVoice("anna"), other)
    with pytest.raises(ValueError, match="none"):
        FallbackVoice([])


async def test_a_fault_in_one_voice_keeps_no_other_from_warming_up() -> None:
    anna, berta = broken("bug"), ScriptedVoice("berta")
    voice = chain(anna, berta)
    for member in voice.members:
        await member.warm_up(CLAUSE, 60)
    assert "ZeroDivisionError" in str(voice.failures()["anna"]) and berta.heard == [CLAUSE]
