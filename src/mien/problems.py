"""Errors in words for people: one shape for the API, the event stream and the command line."""

from __future__ import annotations

from dataclasses import dataclass

from pipecat.frames.frames import ErrorFrame

from mien.events import Message
from mien.llm.failure import SPOKEN, LLMFailureFrame
from mien.tts.service import VoiceErrorFrame


@dataclass(eq=False)  # not frozen: Python writes tracebacks into exceptions
class Problem(Exception):
    """Something went wrong that a person should know about.

    status: the HTTP status it has when it answers a request.
    stage: the folder of the flow it happened in ("llm", "tts", …), "" elsewhere.
    """

    code: str
    en: str
    zh: str
    status: int = 500
    retryable: bool = False
    stage: str = ""

    def as_message(self) -> Message:
        return {
            "code": self.code,
            "message": {"en": self.en, "zh": self.zh},
            "retryable": self.retryable,
            "stage": self.stage,
        }

    def __str__(self) -> str:
        return self.en


def problem_of(frame: ErrorFrame) -> Problem:
    """Translate a pipeline's error frame."""
    if isinstance(frame, LLMFailureFrame):
        said = SPOKEN[frame.code]
        detail = f" ({frame.error})" if frame.error else ""
        return Problem(
            f"llm_{frame.code}",
            said["en"] + detail,
            said["zh"] + detail,
            status=502,
            retryable=frame.retryable,
            stage="llm",
        )
    if isinstance(frame, VoiceErrorFrame):
        return Problem(
            "voice_failed",
            f"The voice could not say a sentence: {frame.error}",
            f"语音合成出错：{frame.zh or frame.error}",
            status=502,
            retryable=frame.retryable,
            stage="tts",
        )
    return Problem(
        "pipeline",
        f"Something went wrong: {frame.error}",
        f"出了点问题：{frame.error}",
        retryable=True,
    )
