"""Interruption or not: by cases, by property, and by sound."""

import asyncio
from dataclasses import replace
from functools import cache
from itertools import cycle, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.asr.activity import SpeechActivity
from mien.asr.articulation import Articulation
from mien.asr.barge_in import BargeIn, BargeInSettings, Decision, Evidence
from mien.asr.vad import Vad, VadModel
from mien.bench.barge_in_sounds import Sound, speaking
from mien.media.microphone import RATE

SETTINGS = BargeInSettings()


def at(seconds: float, **known: object) -> Evidence:
    """Half of the time voiced, by default; silent for none of it."""
    evidence = Evidence(round(seconds * RATE), speech_sec=0.8 * seconds, silence_sec=0)
    return replace(evidence, **known)  # type: ignore[arg-type]


def decided(*evidence: Evidence, settings: BargeInSettings = SETTINGS) -> Decision:
    """What comes of one piece of evidence after the other."""
    barge_in = BargeIn(settings)
    barge_in.begin(0)
    for one in evidence:
        decision = barge_in.update(one)
        if decision != "wait":
            assert not barge_in.deciding
            return decision
    return "wait"


# -- cases -------------------------------------------------------------------------------------


def test_clear_speech_interrupts_after_300_ms_and_not_before() -> None:
    assert decided(at(0.2, content=1.2)) == "wait"
    assert decided(at(0.2, content=1.2), at(0.4, content=1.2)) == "interrupt"


def test_what_is_hardly_articulated_waits_and_is_over_with_a_short_silence() -> None:
    cough = [at(0.1 * n, content=0.2) for n in range(1, 9)]
    assert decided(*cough) == "wait"
    assert decided(*cough, at(1.0, content=0.2, silence_sec=0.29)) == "wait"
    assert decided(*cough, at(1.0, content=0.2, silence_sec=0.3)) == "resume"


def test_a_word_waits_for_the_recogniser_but_not_for_ever() -> None:
    word = at(0.8, speech_sec=0.35, content=0.7, silence_sec=0.4, awaiting_words=True)
    assert decided(word) == "wait"
    assert decided(replace(word, silence_sec=0.9)) == "resume"
    assert decided(replace(word, awaiting_words=False)) == "resume"
    assert decided(replace(word, text="Right.", final=True)) == "resume"
    assert decided(replace(word, text="Why?", final=True)) == "interrupt"


def test_words_of_a_cough_are_not_believed() -> None:
    cough = at(0.7, speech_sec=0.3, content=0.2, silence_sec=0.3)
    assert decided(replace(cough, text="the", final=True)) == "resume"
    assert decided(replace(cough, text="in the heart of", final=True)) == "resume"


def test_half_a_word_is_not_believed_two_words_are() -> None:
    assert decided(at(0.4, content=0.6, text="write")) == "wait"
    assert decided(at(0.4, content=0.6, text="what does")) == "interrupt"
    assert decided(at(0.4, content=0.6, text="多少")) == "interrupt"
    assert decided(at(0.4, content=0.6, text="对对")) == "wait"


def test_who_guesses_is_believed_when_there_is_much_to_hear() -> None:
    okay = at(0.5, speech_sec=0.38, content=0.72, text="look you")
    assert decided(okay) == "interrupt"
    assert decided(replace(okay, guessed=True)) == "wait"
    assert decided(replace(okay, guessed=True, content=0.8)) == "interrupt"


def test_stop_is_enough_however_short() -> None:
    for text in ("stop", "停", "等一下", "hold on"):
        assert decided(at(0.15, content=0.1, text=text)) == "interrupt"


def test_a_backchannel_that_goes_on_interrupts() -> None:
    assert decided(at(0.6, content=1.2, text="okay")) == "wait"
    assert decided(at(0.9, content=1.7, text="okay")) == "interrupt"
    assert decided(at(0.6, content=1.2, text="okay but what")) == "interrupt"


def test_backchannels_interrupt_where_that_is_wanted_but_coughs_never() -> None:
    strict = replace(SETTINGS, backchannels=False)
    assert decided(at(0.4, content=0.5), settings=strict) == "interrupt"
    cough = [at(0.4, content=0.2), at(0.9, content=0.2, silence_sec=0.3)]
    assert decided(*cough, settings=strict) == "resume"


def test_its_own_voice_counts_neither_now_nor_later() -> None:
    own = at(0.6, content=1.5, text="stop", own_voice=0.8)
    assert decided(own) == "wait"
    assert decided(own, at(0.7, speech_sec=0.5, content=1.6)) == "wait"
    assert decided(own, at(1.2, speech_sec=0.9, content=2.6)) == "interrupt"
    assert decided(own, at(1.0, speech_sec=0.5, content=1.6, silence_sec=0.4)) == "resume"


def test_noise_without_end_is_no_reason_to_stay_silent() -> None:
    assert decided(at(2.5, content=0.2)) == "resume"
    assert decided(at(2.5, content=0.7, text="okay")) == "interrupt"


def test_nothing_is_decided_before_it_begins_or_twice() -> None:
    barge_in = BargeIn()
    with pytest.raises(RuntimeError, match="begin"):
        barge_in.update(at(1))
    barge_in.begin(0)
    assert barge_in.update(at(1, content=2)) == "interrupt"
    with pytest.raises(RuntimeError, match="begin"):
        barge_in.update(at(2, content=2))
    barge_in.begin(RATE)
    assert barge_in.deciding and barge_in.update(at(1.3)) == "wait"


# -- properties --------------------------------------------------------------------------------

STEP_SEC = 0.05
moments = st.tuples(
    st.booleans(),  # voiced
    st.floats(0, 0.2),  # articulated meanwhile
    st.sampled_from(["", "嗯", "okay", "what is", "stop", "the", "好的那"]),
    st.booleans(),
    st.booleans(),
    st.floats(0, 1),
)


@given(st.lists(moments, min_size=1, max_size=12))
def test_it_ends_once_and_in_time_whatever_is_heard(heard: list[tuple[object, ...]]) -> None:
    barge_in = BargeIn()
    barge_in.begin(0)
    speech = silence = content = 0.0
    decision: Decision = "wait"
    for number, (voiced, said, text, final, awaiting, own) in enumerate(cycle(heard), 1):
        speech += STEP_SEC if voiced else 0
        silence = 0 if voiced else silence + STEP_SEC
        content += float(said) if voiced else 0  # type: ignore[arg-type]
        evidence = Evidence(
            round(number * STEP_SEC * RATE), speech, silence, content,
            str(text), bool(final), bool(awaiting), own_voice=float(own),  # type: ignore[arg-type]
        )  # fmt: skip
        decision = barge_in.update(evidence)
        if decision != "wait":
            break
    assert decision in ("interrupt", "resume") and not barge_in.deciding
    assert number * STEP_SEC <= SETTINGS.bound_sec + STEP_SEC
    if decision == "interrupt":
        assert content >= SETTINGS.some or text == "stop"
        assert float(own) < 0.5 or content >= SETTINGS.some  # type: ignore[arg-type]


@given(st.lists(st.floats(0, 0.15), min_size=5, max_size=60))
def test_more_of_it_never_makes_an_interruption_none(said: list[float]) -> None:
    """Whatever interrupts does so as well, and as soon, when a recogniser has heard it too."""
    contents = np.cumsum(said)
    plain = [at(0.05 * n, content=float(c)) for n, c in enumerate(contents, 1)]
    worded = [replace(one, text="what is it") for one in plain]
    if decided(*plain) == "interrupt":
        assert decided(*worded) == "interrupt"
    alone = [decided(*worded[:n]) == "interrupt" for n in range(1, len(worded) + 1)]
    assert all(later or not earlier for earlier, later in pairwise(alone))


# -- sounds ------------------------------------------------------------------------------------


@cache
def sounds() -> tuple[list[Sound], list[Sound]]:
    """Interruptions and reactions of several voices, levels and throats."""

    async def speak() -> tuple[list[Sound], list[Sound]]:
        async with speaking() as speakers:
            return await speakers.interruptions(18), await speakers.reactions(30)

    return asyncio.run(speak())


def heard(sound: Sound, words: bool = False) -> tuple[Decision | None, float]:
    """What is made of a sound in a quiet room, and seconds from its onset. None: unheard.

    words: whether a recogniser has its text 0.4 s after it has ended.
    """
    quiet, random = RATE // 2, np.random.default_rng(1)
    room = random.normal(0, 12, 2 * quiet + len(sound.pcm) + RATE)
    room[quiet : quiet + len(sound.pcm)] += sound.pcm
    pcm = room.clip(-32768, 32767).astype(np.int16)
    vad, activity = Vad(model()), SpeechActivity()
    articulation, barge_in = Articulation(), BargeIn()
    onset, speech = 0, 0.0
    for begin in range(0, len(pcm) - 319, 320):
        piece, position = pcm[begin : begin + 320], begin + 320
        articulation.push(piece)
        activity.push(vad.push(piece))
        if activity.onset is not None and not barge_in.deciding:
            onset = activity.onset
            barge_in.begin(onset)
            articulation.begin(onset)
        if barge_in.deciding:
            speech = max(speech, activity.speech_sec)
            silence = (position - max(onset, activity.last_voice)) / RATE
            final = words and silence >= 0.4
            decision = barge_in.update(
                Evidence(
                    position, speech, silence, articulation.content,
                    sound.name if final else "", final, awaiting_words=words,
                )
            )  # fmt: skip
            if decision != "wait":
                return decision, (position - quiet - sound.onset) / RATE
    return None, 0.0


@cache
def model() -> VadModel:
    return VadModel()


def test_coughs_and_backchannels_interrupt_nothing_even_without_words() -> None:
    found = {sound.name: heard(sound)[0] for sound in sounds()[1]}
    assert "interrupt" not in found.values(), found
    assert "resume" in found.values()


def test_most_interruptions_are_known_by_their_sound_and_fast() -> None:
    found = [heard(sound) for sound in sounds()[0]]
    times = [seconds for decision, seconds in found if decision == "interrupt"]
    assert len(times) >= 0.8 * len(found), found
    assert np.median(times) < 0.7


def test_with_words_all_are() -> None:
    found = {sound.name: heard(sound, words=True)[0] for sound in sounds()[0]}
    assert set(found.values()) == {"interrupt"}, found
