"""The research of one answer: passages before it, rounds of tool calls within it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import date
from typing import Any, cast

from loguru import logger
from pipecat.frames.frames import Frame
from pipecat.processors.aggregators.llm_context import (
    LLMContext,
    LLMContextMessage,
    standard_message_text,
)

from mien.language import Language, detect_language
from mien.llm.frames import SourcesFrame, ToolFrame
from mien.llm.history import last_user_text, role_of
from mien.llm.notes import NO_MORE_TOOLS, about_today, passages_note
from mien.llm.reply import Reply
from mien.llm.role import Role
from mien.llm.tool_calls import messages_of
from mien.llm.viewers import unframed
from mien.retrieval.budget import tokens_of
from mien.retrieval.contract import Passage
from mien.tools.addresses import addresses_in, without_addresses
from mien.tools.contract import Source, ToolCall, ToolContext, ToolSpec, passage_source
from mien.tools.runner import State, ToolRunner
from mien.tts import clauses

# Every answer waits for it. By words it takes some 10 ms, with embeddings of a service at most a
# second: they have a limit of their own. This one is for what hangs.
_LOOK_UP_SEC = 1.5


class ToolRounds:
    """What one answer may use, has used and rests on.

    role: who answers. context: the conversation; calls and results are added to it, a round at a
    time, so that one which is cut off leaves nothing half. granted: see ``AskFrame``. push: for
    what is said and told meanwhile. found: addresses that were found for earlier questions.
    replay: the field of the API in which the model wants its reasoning back with its calls, if any.

    Attributes:
        language: of the question.
        messages: what was called and found so far, as the model is told it in this answer.
    """

    def __init__(
        self,
        role: Role,
        context: LLMContext,
        granted: asyncio.Event,
        push: Callable[[Frame], Awaitable[None]],
        *,
        found: Iterable[str] = (),
        rounds: int = 4,
        replay: str | None = None,
    ) -> None:
        question = unframed(last_user_text(context))
        self.language: Language = detect_language(without_addresses(question), role.language)
        self._openable = {*found, *_named(context)}
        self._turn = ToolContext(
            self.language, question, on_sources=self._on_sources, openable=set(self._openable)
        )
        self._runner = ToolRunner(role.tools, self._turn, granted, self._on_state)
        self._role, self._context = role, context
        self._push, self._rounds_left, self._replay = push, rounds, replay
        self._passages: list[tuple[int, Passage]] = []
        self._untold: tuple[Source, ...] = ()  # sources that nobody was told of yet
        self._found = asyncio.Event()
        self._spoke = False
        self.messages: list[dict[str, Any]] = []

    # -- before a request --------------------------------------------------------------

    async def look_up(self, limit: int, tokens: int) -> None:
        """Find what the role's documents say: at most ``limit`` passages of ``tokens`` in all."""
        if self._role.knowledge is None or not self._turn.question.strip():
            return
        try:
            async with asyncio.timeout(_LOOK_UP_SEC):
                passages = await self._role.knowledge.search(
                    self._turn.question, self.language, limit
                )
        except TimeoutError:
            logger.warning(f"the documents were not searched in {_LOOK_UP_SEC} s; done without")
            return
        for passage in _within(passages, tokens):
            self._passages.append((self._turn.cite(passage_source(passage)), passage))
        await self._tell_sources()

    @property
    def offered(self) -> list[ToolSpec]:
        """What the next request offers."""
        return self._runner.offered if self._rounds_left else []

    @property
    def found(self) -> set[str]:
        """Addresses of pages that this answer found: they may be asked about later."""
        return self._turn.openable - self._openable

    @property
    def note(self) -> str:
        """What stands behind the role's instruction in the next request."""
        lines = []
        if self._role.tools:
            lines.append(about_today(date.today(), self.language))
        if self._passages:
            lines.append(passages_note(self._passages, self.language))
        if self._role.tools and not self._rounds_left:
            lines.append(NO_MORE_TOOLS[self.language])
        return "\n".join(lines)

    # -- while the model answers -------------------------------------------------------

    def spoke(self) -> None:
        """Something of the answer was said: nobody waits in silence any more."""
        self._spoke = True

    async def heed(self, reply: Reply) -> None:
        """Say something at once if a tool is called that takes long, and nothing was said yet."""
        if self._spoke:
            return
        specs = {spec.name: spec for spec in self.offered}
        for name in reply.calls.names:
            if name in specs and (asides := specs[name].aside.get(self.language)):
                self._spoke = True
                turns = len(self._context.get_messages()) // 2  # another one each time
                await self._push(clauses.AsideFrame(asides[turns % len(asides)]))
                return

    async def run(self, reply: Reply) -> bool:
        """Do what the reply asks for. False when it asks for nothing: the answer is complete."""
        calls = reply.calls.calls() if self.offered else []
        if not calls:
            return False
        self._rounds_left -= 1
        telling = asyncio.create_task(self._keep_telling(), name="sources")
        try:
            results = await self._runner.run(calls)
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
        await self._tell_sources()
        fields = {self._replay: reply.reasoning} if self._replay and reply.reasoning else {}
        self.messages += messages_of(calls, results, content=reply.text, **fields)
        # What was said is added by the conversation, as far as it was heard.
        kept = messages_of(calls, results, **fields)
        self._context.add_messages(cast(list[LLMContextMessage], kept))
        return True

    # -- telling -----------------------------------------------------------------------

    async def _on_state(self, call: ToolCall, spec: ToolSpec, state: State) -> None:
        # Some servers begin to count again in each reply.
        unique = f"{self._rounds_left}:{call.id}"
        await self._push(ToolFrame(call=unique, tool=spec.name, label=spec.label, state=state))

    def _on_sources(self, sources: tuple[Source, ...]) -> None:
        self._untold = sources
        self._found.set()

    async def _keep_telling(self) -> None:
        while True:
            await self._found.wait()
            await self._tell_sources()

    async def _tell_sources(self) -> None:
        self._found.clear()
        untold, self._untold = self._untold, ()
        if untold:
            await self._push(SourcesFrame(untold))


def _named(context: LLMContext) -> set[str]:
    """Addresses in the user's words, of earlier questions too; never those in a tool's."""
    said = (m for m in context.get_messages() if role_of(m) == "user")
    return {url for message in said for url in addresses_in(standard_message_text(message))}


def _within(passages: list[Passage], tokens: int) -> list[Passage]:
    """The best of them, of about so many tokens; always one."""
    kept: list[Passage] = []
    for passage in passages:
        tokens -= tokens_of(passage.text)
        if kept and tokens < 0:
            break
        kept.append(passage)
    return kept
