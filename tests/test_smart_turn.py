"""smart-turn: the same judgement as pipecat's own class, and one for all who ask."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest
from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3

from mien.asr.smart_turn import SmartTurn
from mien.asr.whisper_mel import whisper_mel
from mien.bench.spoken import spoken_question, spoken_questions
from mien.media.tick import Pcm
from rooms import joined, noise, silence


@pytest.fixture
async def smart_turn() -> AsyncIterator[SmartTurn]:
    smart_turn = SmartTurn()
    yield smart_turn
    await smart_turn.aclose()


@pytest.fixture(scope="module")
def sounds() -> list[Pcm]:
    """Shorter than 8 s, longer, broken off, none, noise."""
    first, second = spoken_question("en-clone-my-voice").pcm, spoken_question("zh-shuziren").pcm
    long = joined([first, silence(1), second, silence(1), first, silence(4), second])
    return [first, long, second[: len(second) // 2], silence(0.2), noise("pink", 9, -30)]


async def test_it_judges_as_pipecat_does(smart_turn: SmartTurn, sounds: list[Pcm]) -> None:
    reference = LocalSmartTurnAnalyzerV3()
    for pcm in sounds:
        judged = reference._predict_endpoint(pcm.astype(np.float32) / 32768)
        assert await smart_turn.complete(pcm) == pytest.approx(judged["probability"], abs=0.01)


def test_a_spectrogram_of_a_known_sound() -> None:
    """A sine at 1 kHz: all of it in the band around 15 mel, the same in every column."""
    sine = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000).astype(np.float32)
    mel = whisper_mel(sine)
    assert (mel.shape, mel.dtype) == ((80, 100), np.float32)
    # 80 bands in 0…45.25 mel (Slaney): 15 mel is the 27th centre.
    assert set(mel[:, 5:-5].argmax(axis=0)) <= {25, 26}
    assert mel.max() - mel.min() == pytest.approx(2.0, abs=1e-3)  # 8 powers of ten, in quarters


async def test_three_at_once_get_each_their_own(smart_turn: SmartTurn) -> None:
    questions = [question.pcm for question in spoken_questions("en")[:3]]
    alone = [await smart_turn.complete(pcm) for pcm in questions]
    assert await asyncio.gather(*map(smart_turn.complete, questions)) == alone
    assert len(set(alone)) == 3


async def test_who_does_not_wait_disturbs_nobody(smart_turn: SmartTurn) -> None:
    pcm = spoken_question("en-a-story").pcm
    dropped = [asyncio.create_task(smart_turn.complete(pcm)) for _ in range(6)]
    await asyncio.sleep(0)
    for task in dropped:
        task.cancel()
    assert 0 <= await smart_turn.complete(pcm) <= 1
    assert all(isinstance(error, asyncio.CancelledError) for error in
               await asyncio.gather(*dropped, return_exceptions=True))  # fmt: skip


async def test_it_closes_with_questions_under_way() -> None:
    smart_turn = SmartTurn(threads=1)
    asked = [asyncio.create_task(smart_turn.complete(silence(1))) for _ in range(3)]
    await asyncio.sleep(0)
    await smart_turn.aclose()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(a, float | asyncio.CancelledError) for a in answers)
