"""The recorded questions that measurements ask."""

import numpy as np

from mien.bench.spoken import spoken_question, spoken_questions
from mien.language import detect_language
from mien.media.microphone import RATE


def test_every_question_is_speech_between_two_short_silences() -> None:
    questions = spoken_questions()
    assert {q.language for q in questions} == {"en", "zh"}
    for question in questions:
        assert question.pcm.dtype == np.int16
        assert detect_language(question.text) == question.language
        assert 0.5 < (question.end - question.begin) / RATE < 5, question.name
        silence = (question.begin, len(question.pcm) - question.end)
        assert all(0.05 < length / RATE < 0.3 for length in silence), question.name
        assert np.abs(question.pcm.astype(int)).max() > 8000, "as loud as people near a microphone"


def test_one_question_by_name() -> None:
    question = spoken_question("en-digital-human")
    assert question.text == "What is a digital human?"
    assert np.array_equal(question.pcm, spoken_question("en-digital-human").pcm)
