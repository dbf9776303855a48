"""The brain without a language model: a written script that is honest about being one, and the
user's documents.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from pipecat.frames.frames import (
    Frame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext, standard_message_text
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.llm_service import LLMService

from mien.language import Language, detect_language
from mien.llm.faq import THRESHOLD, Match, load_faq
from mien.llm.frames import SourcesFrame
from mien.llm.history import HistoryLimits, last_user_text, role_of, trim_context
from mien.llm.info import BrainInfo
from mien.llm.persona import Bilingual, Persona, load_persona
from mien.llm.presets import LLMSettings
from mien.llm.role import Role
from mien.llm.service_settings import service_settings
from mien.llm.viewers import unframed
from mien.retrieval.contract import Passage, Retriever
from mien.tools.clock import WEEKDAYS_EN, WEEKDAYS_ZH
from mien.tools.contract import Source, ToolContext, passage_source

_NO_MODEL_ID = "no-model"
_NOTHING_SAID_ID = "nothing-said"
_NOTHING_TO_REPEAT_ID = "nothing-to-repeat"
# The FAQ knows the question almost to the letter: "who are you" is not about the documents, even if
# they have these words.
_SURE = 0.9
_WEEKDAYS: dict[Language, Sequence[str]] = {"zh": WEEKDAYS_ZH, "en": WEEKDAYS_EN}
_PART_EN = ("at night", "in the morning", "in the afternoon", "in the evening")
_MONTHS_EN = (
    "January February March April May June July August September October November December".split()
)


class ScriptedLLMService(LLMService[Any]):
    """Answers small talk and questions about mien from FAQ files, questions about the user's
    subject from their FAQ files and documents; says so to everything else.

    Takes and gives the same frames as a language model's service, text in small pieces, so the
    pipeline cannot tell the difference. The answer is in the language of the question, or, from
    a document, in that of the document, whose card goes before it.

    Args:
        persona: Who speaks; None for the default persona.
        faq_paths: The user's FAQ files, searched before mien's own.
        knowledge: The user's documents.
        settings: Length of the history, and the language to fall back to.
        token_delay_secs: Pause between two pieces. 0 makes the voice start soonest.
        clock: Local time, for answers with the time of day.
    """

    INFO: ClassVar[BrainInfo] = BrainInfo("scripted", "no model connected", "未连接模型", False)

    def __init__(
        self,
        persona: Persona | None = None,
        *,
        faq_paths: Sequence[Path] = (),
        knowledge: Retriever | None = None,
        settings: LLMSettings | None = None,
        token_delay_secs: float = 0.0,
        clock: Callable[[], datetime] = datetime.now,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            settings=service_settings("scripted"),
            **kwargs,
        )
        own = settings or LLMSettings()
        persona = persona or load_persona()
        language = own.language or persona.language
        self._limits = HistoryLimits(own.history_turns, own.history_chars)
        self._token_delay_secs = token_delay_secs
        self._clock = clock
        self.become(Role(persona, language, knowledge=knowledge, faq=tuple(faq_paths)))

    def become(self, role: Role) -> None:
        """Be somebody else from the next question on. Raises FAQError for a wrong file."""
        self._faq = load_faq(role.faq)
        self._by_id = {entry.id: entry for entry in self._faq.entries}
        self._role = role
        self._given: dict[str, int] = {}  # how often each entry was used, to vary its answers

    @property
    def info(self) -> BrainInfo:
        """How the page names this brain."""
        return self.INFO

    def can_generate_metrics(self) -> bool:
        """Processing time is measured, like a model's."""
        return True

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Answer an `LLMContextFrame`; pass everything else on."""
        await super().process_frame(frame, direction)
        if isinstance(frame, LLMContextFrame):
            await self._answer(frame.context)
        else:
            await self.push_frame(frame, direction)

    async def _answer(self, context: LLMContext) -> None:
        trim_context(context, self._limits)
        await self.push_frame(LLMFullResponseStartFrame())
        await self.start_processing_metrics()
        await self.start_ttfb_metrics()
        text, sources = await self._answer_to(unframed(last_user_text(context)), context)
        if sources:
            await self.push_frame(SourcesFrame(sources))
        for i, piece in enumerate(pieces(text)):
            if i == 0:
                await self.stop_ttfb_metrics()
            await self._push_llm_text(piece)
            # Also with no delay: an interruption has to get its turn between two pieces.
            await asyncio.sleep(self._token_delay_secs)
        await self.stop_processing_metrics()
        # Not in a `finally`: an interrupted answer has no end frame.
        await self.push_frame(LLMFullResponseEndFrame())

    def reply(self, question: str, context: LLMContext | None = None) -> str:
        """The script's answer, documents apart; `context` is for repeating the last one."""
        return self._scripted(question, context, self._match(question))

    async def _answer_to(
        self, question: str, context: LLMContext
    ) -> tuple[str, tuple[Source, ...]]:
        """The answer and what it rests on."""
        match = self._match(question)
        if passage := await self._look_up(question, match):
            cards = ToolContext(self._language(question), question)
            cards.cite(passage_source(passage))
            return passage.answer, tuple(cards.sources)
        return self._scripted(question, context, match), ()

    def _match(self, question: str) -> Match | None:
        match = self._faq.search(question)
        return match if match is not None and match.score >= THRESHOLD else None

    def _language(self, question: str) -> Language:
        return detect_language(question, self._role.language)

    def _scripted(self, question: str, context: LLMContext | None, match: Match | None) -> str:
        language = self._language(question)
        if not question.strip():
            return self._say(_NOTHING_SAID_ID, language)
        if match is None:
            return self._say(_NO_MODEL_ID, language)
        if match.entry.id == "repeat":
            return _last_answer(context) or self._say(_NOTHING_TO_REPEAT_ID, language)
        return self._say(match.entry.id, language)

    async def _look_up(self, question: str, match: Match | None) -> Passage | None:
        """The passage that answers the question better than the script does."""
        if self._role.knowledge is None or not question.strip():
            return None
        if match is not None and (match.score >= _SURE or match.entry.id in self._faq.own):
            return None
        asked = _unaddressed(question, self._role.persona.name)
        for passage in await self._role.knowledge.search(asked, self._language(question)):
            if match is not None and passage.score <= match.score:
                return None
            if passage.answer:
                return passage
        return None

    def _say(self, entry_id: str, language: Language) -> str:
        answers = self._by_id[entry_id].answers(language)
        turn = self._given.get(entry_id, 0)
        self._given[entry_id] = turn + 1
        return self._fill(answers[turn % len(answers)], language)

    def _fill(self, answer: str, language: Language) -> str:
        now = self._clock()
        if language == "zh":
            part = "凌晨 上午 下午 晚上".split()[sum(now.hour >= h for h in (5, 12, 18))]
            hour = now.hour if now.hour <= 12 else now.hour - 12
            time = f"{part}{hour}点" + (f"{now.minute}分" if now.minute else "整")
            date = f"{now.year}年{now.month}月{now.day}日"
        else:
            part = _PART_EN[sum(now.hour >= h for h in (5, 12, 18))]
            hour = (now.hour - 1) % 12 + 1
            time = f"{hour}:{now.minute:02d} {part}" if now.minute else f"{hour} o'clock {part}"
            date = f"{_MONTHS_EN[now.month - 1]} {now.day}, {now.year}"
        values = {
            "name": self._role.persona.name.get(language),
            "time": time,
            "date": date,
            "weekday": _WEEKDAYS[language][now.weekday()],
        }
        # Not str.format: a brace in a user's answer is just a brace.
        return re.sub(r"\{(\w+)\}", lambda m: values.get(m.group(1), m.group()), answer)


def pieces(text: str) -> Iterator[str]:
    """Cut a text into pieces as models stream it: words with their space, or two Han characters."""
    yield from re.findall(r"[\u3400-\u9fff]{1,2}|\s*[^\s\u3400-\u9fff]+|\s+", text)


def _last_answer(context: LLMContext | None) -> str:
    for message in reversed(context.get_messages() if context else []):
        if role_of(message) == "assistant" and (text := standard_message_text(message).strip()):
            return text
    return ""


def _unaddressed(question: str, name: Bilingual) -> str:
    """A question without the name it begins or ends with, of which documents know nothing."""
    names, marks = f"(?:{re.escape(name.zh)}|{re.escape(name.en)})", r"[\s,，。.!！?？、]"
    called = rf"^{names}(?:{marks}+|(?![a-z]))|{marks}{names}{marks}*$"
    return re.sub(called, "", question, flags=re.IGNORECASE).strip() or question
