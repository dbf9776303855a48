"""The last look at an answer: before a clause is spoken, somebody may object."""

from __future__ import annotations

from collections.abc import Callable

from loguru import logger
from pipecat.frames.frames import (
    Frame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.utils.text.base_text_aggregator import TextType

from mien.language import Language, detect_language
from mien.moderation.contract import Moderator, Verdict
from mien.moderation.refusals import NOT_SAID
from mien.tts.clauses import ClauseFrame

# A blocked phrase may begin in one clause and end in the next, and a service judges better what
# it sees in context.
OVERLAP_CHARS = 300


class AnswerFilter(FrameProcessor):
    """From the first clause that is not allowed on, the rest of an answer is not said.

    A sentence takes its place. on_blocked: called once for such an answer.
    """

    def __init__(
        self,
        moderator: Moderator,
        language: Language,
        on_blocked: Callable[[Verdict], None] = lambda verdict: None,
    ) -> None:
        super().__init__()
        self._moderator = moderator
        self._language: Language = language
        self._on_blocked = on_blocked
        self._before = ""
        self._blocked = False

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, ClauseFrame) and not frame.aside:
            await self._consider(frame)
            return
        if isinstance(
            frame, InterruptionFrame | LLMFullResponseStartFrame | LLMFullResponseEndFrame
        ):
            self._before, self._blocked = "", False
        await self.push_frame(frame, direction)

    async def _consider(self, frame: ClauseFrame) -> None:
        if self._blocked:
            return
        text = self._before + frame.text
        verdict = await self._judge(text)
        if verdict.allowed:
            self._before = text[-OVERLAP_CHARS:]
            await self.push_frame(frame)
            return
        self._blocked = True
        self._on_blocked(verdict)
        language = detect_language(text, self._language)
        instead = (" " if self._before and language == "en" else "") + NOT_SAID[language]
        await self.push_frame(ClauseFrame(instead, TextType.SENTENCE))

    async def _judge(self, text: str) -> Verdict:
        try:
            return await self._moderator.judge_answer(text)
        except Exception:  # who cannot judge has not allowed it
            logger.exception("the moderator failed; the answer is not spoken")
            return Verdict(False, "moderator_failed")
