"""Clauses through the pipecat service: who speaks, what is read, what fails."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from pipecat.frames.frames import ErrorFrame, Frame
from pipecat.tests.utils import run_test
from pipecat.utils.text.base_text_aggregator import TextType

from mien.problems import problem_of
from mien.tts.breaker import Breaker
from mien.tts.clauses import ClauseFrame
from mien.tts.fallback import FallbackVoice, Member
from mien.tts.lexicon import Lexicon
from mien.tts.service import SpeechFrame, VoiceService
from mien.tts.settings import VoiceSettings
from scripted_voice import Script, ScriptedVoice

PATIENT = VoiceSettings(service="scripted", first_sound_sec=60, stall_sec=60)


def chain(*voices: ScriptedVoice) -> FallbackVoice:
    return FallbackVoice([Member(voice, PATIENT, Breaker(lambda: 0.0)) for voice in voices])


async def spoken(service: VoiceService, *clauses: str) -> Sequence[Frame]:
    frames = [ClauseFrame(text, TextType.SENTENCE) for text in clauses]
    service._stop_frame_timeout_s = 0.3  # of silence after a clause; waited out once for each
    down, up = await run_test(service, frames_to_send=frames, start_timeout=60)
    return [*down, *up]


async def test_a_change_of_voice_is_told_once() -> None:
    told: list[str] = []
    anna = ScriptedVoice("anna", [Script(), Script("error", 0.3)])
    service = VoiceService(chain(anna, ScriptedVoice("berta")), "en", None, told.append)
    await spoken(service, "One two.", "Three four five.", "Six seven.", "Eight.")
    assert told == ["berta"]


async def test_words_are_read_as_the_lexicon_says_and_captioned_as_written() -> None:
    anna = ScriptedVoice("anna")
    lexicon = Lexicon({None: {"mien": "meen"}})
    frames = await spoken(VoiceService(chain(anna), "en", lexicon), "Say mien now.")
    assert anna.heard[0][0].text == "Say meen now."
    speech = [frame for frame in frames if isinstance(frame, SpeechFrame)]
    words = [frame.text[w.begin : w.stop] for frame in speech for w in frame.words]
    assert words == ["Say", "mien", "now."]


async def test_when_no_voice_can_speak_both_languages_say_why() -> None:
    frames = await spoken(
        VoiceService(chain(ScriptedVoice("anna", [Script("wrong key")])), "en"), "Hello."
    )
    (error,) = (frame for frame in frames if isinstance(frame, ErrorFrame))
    problem = problem_of(error)
    assert problem.code == "voice_failed" and not problem.retryable
    assert "anna: the key is wrong" in problem.en and "anna：密钥错误" in problem.zh
    ends = [frame for frame in frames if isinstance(frame, SpeechFrame) and frame.last]
    assert len(ends) == 1, "the turn goes on"


@pytest.mark.parametrize("text", ["```code```", "😀", "…"])
async def test_what_has_no_words_asks_no_voice(text: str) -> None:
    anna = ScriptedVoice("anna")
    await spoken(VoiceService(chain(anna), "en"), text)
    assert not anna.heard
