"""What a real model hears, where one has been pulled: ``mien models pull sherpa-onnx-…``."""

from __future__ import annotations

import numpy as np
import pytest

from child_processes import children_with

pytest.importorskip("sherpa_onnx", reason="needs the extra mien[neural]")

from mien.asr.sherpa import SherpaRecognizer, SherpaSettings
from mien.bench.spoken import spoken_questions
from mien.bench.word_errors import errors, tokens
from mien.media.microphone import RATE
from mien.media.tick import Pcm
from mien.models.catalogue import catalogue
from mien.models.store import installed
from tiny_asr import Microphone

PULLED = [
    model.name
    for model in catalogue().values()
    if (model.kind, model.engine) == ("asr", "sherpa") and installed(model.name) is not None
]


@pytest.mark.skipif(not PULLED, reason="no model for recognition has been pulled")
@pytest.mark.parametrize("name", PULLED)
async def test_a_pulled_model_hears_the_recorded_questions(name: str) -> None:
    """The same words whether the sound comes in pieces or at once, nearly all of them right, and
    faster than it was spoken."""
    recognizer = SherpaRecognizer(name, SherpaSettings(model=name))
    await recognizer.warm_up()
    (worker,) = children_with("asr/sherpa_worker")
    microphone = Microphone(recognizer, "en")
    questions = [one for one in spoken_questions("en") if one.voice.startswith("flite")]
    wrong = total = samples = 0
    before = sum(worker.cpu_times()[:2])
    for question in questions:
        sound: Pcm = np.concatenate([question.pcm, np.zeros(RATE // 5, np.int16)])
        microphone.recognition.begin()
        await microphone.hear(sound)
        words = await microphone.recognition.transcript()
        microphone.recognition.begin()
        microphone.recognition.push(sound)
        assert await microphone.recognition.transcript() == words
        said = tokens(question.text)
        wrong, total = wrong + errors(said, tokens(words)), total + len(said)
        samples += 2 * len(sound)
    cost = (sum(worker.cpu_times()[:2]) - before) / (samples / RATE)
    megabytes = worker.memory_info().rss / 1e6
    print(f"{name}: {wrong / total:.1%} of the words wrong, {cost:.2f} CPU s/s, {megabytes:.0f} MB")
    await microphone.recognition.aclose()
    await recognizer.aclose()
    assert wrong / total < 0.35
    assert cost < 4
