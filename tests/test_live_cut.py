"""Ending with a sentence: all of it is heard, and nothing of the next one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from live_stage import FastTicks
from mien.media.speech import SpeechChunk
from mien.media.tick import SAMPLE_RATE, Event, Tick
from mien.performer import Performer
from test_performer import Face, Lips


@pytest.mark.parametrize("samples", [1, 1919, 1920, 1921, 5000])
async def test_the_last_sample_of_a_sentence_is_heard_and_the_first_of_the_next_is_not(
    samples: int,
) -> None:
    def on_event(event: Event, tick: Tick) -> None:
        if event.name == "clause" and event.data["clause"] == 2:
            heard.append(performer.interrupt_before_clause().text)

    heard: list[str] = []
    performer = Performer(
        Face(), Lips(), ThreadPoolExecutor(1), clock=FastTicks(), on_event=on_event
    )
    performer.draw = False
    for clause, text, level in ((1, "One.", 1000), (2, "Two.", 2000)):
        pcm = np.full(samples if clause == 1 else 9600, level, np.int16)
        performer.say(SpeechChunk(0, clause, text, pcm, SAMPLE_RATE, (), last=True))
    sound = []
    async for tick in performer:
        sound.append(tick.audio.copy())
        if len(sound) > 12:
            break
    tape = np.concatenate(sound)
    assert heard == ["One."] and performer.generation == 1
    assert np.count_nonzero(tape == 1000) == samples and np.count_nonzero(tape) == samples
