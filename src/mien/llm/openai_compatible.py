"""Any service with the OpenAI chat-completions API, as a pipecat LLM service made for voice.

pipecat has `OpenAILLMService`. This one has a client of its own instead of the OpenAI SDK, for
what a voice has to survive: a deadline for the first token that keep-alive comments do not
extend, answers that are no stream, reasoning in the text, calls in every dialect, and providers'
own error codes. And it does not end a reply that was interrupted as if it were complete. The
frames are the same, but for calls: tools belong to the role, and run within the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, cast

from loguru import logger
from pipecat.adapters.llm.services.open_ai_adapter import OpenAILLMAdapter
from pipecat.frames.frames import (
    Frame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
)
from pipecat.metrics.metrics import LLMTokenUsage
from pipecat.processors.aggregators.llm_context import LLMContext, LLMContextMessage
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.llm_service import LLMService
from pipecat.utils.errors import ErrorCategory

from mien.language import Language
from mien.llm.chat_client import ChatClient
from mien.llm.failure import FAILURE_CATEGORY, FailureCode, LLMFailure, LLMFailureFrame
from mien.llm.frames import AskFrame
from mien.llm.history import HistoryLimits, trim_context
from mien.llm.info import BrainInfo
from mien.llm.presets import Endpoint, LLMSettings
from mien.llm.reply import Reply, is_unfinished
from mien.llm.requests import offers, refuses_tools, request_body
from mien.llm.role import Role
from mien.llm.service_settings import service_settings
from mien.llm.tool_rounds import ToolRounds
from mien.tools.contract import ToolSpec

# Models whose template opens <think> in the prompt, so that the answer starts inside it.
_STARTS_THINKING = ("deepseek-r1", "qwq", "-thinking")

# Addresses of earlier searches that can still be opened: those of some twenty.
_KEPT_ADDRESSES = 100

OnCalls = Callable[[Reply], Awaitable[None]]


class OpenAICompatibleLLMService(LLMService[OpenAILLMAdapter]):
    """Streams answers of an OpenAI-compatible service into a pipecat pipeline.

    Takes `LLMContextFrame`, best as `AskFrame`; gives `LLMFullResponseStartFrame`,
    `LLMTextFrame`s and `LLMFullResponseEndFrame`, and meanwhile `AsideFrame`, `ToolFrame` and
    `SourcesFrame`. A failure is spoken as a sentence in the user's language, and reported
    upstream as `LLMFailureFrame`; the service stays usable. An interrupted answer has no end
    frame: downstream would take it as the order to speak what it has gathered so far.

    Args:
        endpoint: Where to connect, see `resolve_endpoint`.
        role: Who answers, with which tools and documents.
        settings: Sampling, timeouts and the length of the history.
        **kwargs: For pipecat's `LLMService`.
    """

    adapter_class = OpenAILLMAdapter

    def __init__(
        self,
        endpoint: Endpoint,
        role: Role,
        *,
        settings: LLMSettings | None = None,
        **kwargs: Any,
    ) -> None:
        self._own = settings or LLMSettings()
        super().__init__(
            settings=service_settings(endpoint.model, self._own),
            **kwargs,
        )
        self._role = role
        self._endpoint = endpoint
        self._limits = HistoryLimits(self._own.history_turns, self._own.history_chars)
        self._starts_thinking = any(m in endpoint.model.lower() for m in _STARTS_THINKING)
        self._briefs: dict[str, str] = {}
        self._found: dict[str, None] = {}  # addresses of this conversation's searches, in order
        self._offer = 0  # the first of `offers` that the server does not refuse
        self._client = ChatClient(endpoint, idle_timeout_secs=self._own.idle_timeout_secs)

    @property
    def info(self) -> BrainInfo:
        """How the page names this brain. The model may change while running."""
        label = f"{self._endpoint.preset.label} · {self._model}"
        return BrainInfo(self._endpoint.preset.name, label, label, connected=True)

    @property
    def _model(self) -> str:
        model = self._settings.model
        return model if isinstance(model, str) else self._endpoint.model

    def brief(self, text: str, about: str = "live") -> None:
        """See `Briefed`."""
        self._briefs[about] = text

    def become(self, role: Role) -> None:
        """See `Playing`; an answer under way goes on as it began."""
        if role.persona is not self._role.persona:  # who has not heard what was said
            self._found = {}
        self._role = role

    def can_generate_metrics(self) -> bool:
        """Time to first byte and token usage are measured."""
        return True

    async def cleanup(self) -> None:
        """Close the connections; the service can still be used afterwards."""
        await super().cleanup()  # type: ignore[no-untyped-call]
        await self._client.aclose()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Answer an `LLMContextFrame`; pass everything else on."""
        await super().process_frame(frame, direction)
        if isinstance(frame, AskFrame):
            await self._answer(frame.context, frame.granted)
        elif isinstance(frame, LLMContextFrame):
            granted = asyncio.Event()
            granted.set()
            await self._answer(frame.context, granted)
        else:
            await self.push_frame(frame, direction)

    async def run_inference(
        self,
        context: LLMContext,
        max_tokens: int | None = None,
        system_instruction: str | None = None,
        response_schema: dict[str, Any] | None = None,
    ) -> str | None:
        """Return one answer outside the pipeline, without tools; see pipecat's `LLMService`.

        Raises:
            LLMFailure: If there is no complete answer.
        """
        self._check_response_schema(response_schema)
        instruction = system_instruction or self._instruction()
        body = await self._request_body(context.get_messages(), instruction, max_tokens=max_tokens)
        async with aclosing(self._stream(body, Reply())) as texts:
            return "".join([text async for text in texts]) or None

    async def _answer(self, context: LLMContext, granted: asyncio.Event) -> None:
        trim_context(context, self._limits)
        await self.push_frame(LLMFullResponseStartFrame())
        await self.start_processing_metrics()
        await self.start_ttfb_metrics()
        rounds = ToolRounds(
            self._role,
            context,
            granted,
            self.push_frame,
            found=self._found,
            rounds=self._own.tool_rounds,
            replay=self._endpoint.preset.replay_reasoning,
        )
        said = ""
        failure: LLMFailure | None = None
        try:
            # `aclosing`, here and below: a generator that is suspended when the task is cancelled
            # would otherwise be closed by the event loop at some later time.
            async with aclosing(self._answers(context, rounds)) as texts:
                async for text in texts:
                    said += text
                    await self._push_llm_text(text)
            if not said.strip():
                failure = LLMFailure(FailureCode.EMPTY, "the answer had no text")
        except LLMFailure as e:
            failure = e
        except Exception as e:  # a bug of ours must not end the conversation
            logger.exception(f"{self}: unexpected error while answering")
            failure = LLMFailure(FailureCode.INTERNAL, f"{type(e).__name__}: {e}")
        finally:  # also of an answer that is cut off: "open the second one" may be why
            self._found |= dict.fromkeys(rounds.found)
            self._found = dict.fromkeys(list(self._found)[-_KEPT_ADDRESSES:])
        if failure is not None:
            await self._report(failure, rounds.language, said)
        await self.stop_processing_metrics()
        # Not in a `finally`: see the class's docstring.
        await self.push_frame(LLMFullResponseEndFrame())

    async def _answers(self, context: LLMContext, rounds: ToolRounds) -> AsyncGenerator[str, None]:
        """Yield the speakable text of one answer, over all its requests."""
        asked = list(context.get_messages())
        await rounds.look_up(self._own.passages, self._own.passage_tokens)
        while True:
            messages = [*asked, *cast(list[LLMContextMessage], rounds.messages)]
            reply = Reply([s.name for s in rounds.offered], starts_thinking=self._starts_thinking)
            instruction = self._instruction(rounds.note)
            replying = self._offering(messages, instruction, rounds.offered, reply, rounds.heed)
            async with aclosing(replying) as texts:
                async for text in texts:
                    if text.strip():
                        rounds.spoke()
                    yield text
            if len(reply.calls) and rounds.offered and reply.text.strip():
                yield "\n"  # said before the call, so to be spoken before its result
            if not await rounds.run(reply):
                return

    async def _offering(
        self,
        messages: Sequence[LLMContextMessage],
        instruction: str,
        tools: Sequence[ToolSpec],
        reply: Reply,
        on_calls: OnCalls,
    ) -> AsyncGenerator[str, None]:
        """Yield the text of one request; a server that refuses tools is asked without."""
        choice = offers(self._endpoint.preset, tools)
        refused: LLMFailure | None = None
        for at in range(min(self._offer, len(choice) - 1), len(choice)):
            body = await self._request_body(messages, instruction, tools=choice[at])
            try:
                async with aclosing(self._stream(body, reply, on_calls)) as texts:
                    async for text in texts:
                        yield text
            except LLMFailure as e:
                if reply.begun or at == len(choice) - 1 or not refuses_tools(e):
                    raise refused or e from None
                refused = refused or e
                continue
            if refused is not None and tools:
                self._offer = at
                without = "tools" if not choice[at] else "its own fields for tools"
                label = self._endpoint.preset.label
                logger.warning(f"{label} is asked without {without} now: {refused.detail}")
            return

    async def _report(self, failure: LLMFailure, language: Language, said: str) -> None:
        message = failure.spoken(language, midway=bool(said.strip()))
        frame = LLMFailureFrame(
            # Not "auth: …": pipecat takes what follows for a credential and blackens it.
            error=f"{self._endpoint.preset.label} ({failure.code}): {failure.detail}",
            processor=self,
            category=FAILURE_CATEGORY.get(failure.code, ErrorCategory.UNKNOWN),
            code=failure.code,
            message=message,
            retryable=failure.retryable,
            status=failure.status,
        )
        await self.push_error_frame(frame)
        if is_unfinished(said):
            # End the broken sentence, so that the apology is spoken as one of its own.
            message = ("。" if language == "zh" else ". ") + message
        elif said.strip() and language == "en":
            message = " " + message
        await self._push_llm_text(message)

    def _instruction(self, note: str = "") -> str:
        role = self._role
        sources = bool(role.tools) or role.knowledge is not None
        own = role.persona.instruction(role.language, sources=sources)
        parts = (own.rstrip(), *self._briefs.values(), note)
        return "\n".join(filter(None, parts))

    async def _request_body(
        self,
        messages: Sequence[LLMContextMessage],
        instruction: str,
        *,
        max_tokens: int | None = None,
        tools: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        preset, settings = self._endpoint.preset, self._settings
        params = await self.get_llm_adapter().get_llm_invocation_params(
            LLMContext(list(messages)),
            system_instruction=instruction or None,
            convert_developer_to_user=not preset.supports_developer_role,
        )
        return request_body(
            preset,
            self._own,
            self._model,
            cast(list[Mapping[str, Any]], params["messages"]),
            self._role.language,
            temperature=settings.temperature,
            top_p=settings.top_p,
            max_tokens=max_tokens or settings.max_tokens,
            tools=tools,
        )

    async def _stream(
        self, body: Mapping[str, Any], reply: Reply, on_calls: OnCalls | None = None
    ) -> AsyncGenerator[str, None]:
        """Yield the speakable text of one reply; LLMFailure if it does not come to its end.

        on_calls: told as soon as the reply begins to call tools, and of each further fragment.
        """
        try:
            async with aclosing(self._client.stream(body)) as deltas:
                async for delta in deltas:
                    if delta.progress:
                        await self.stop_ttfb_metrics()
                    if text := reply.take(delta):
                        yield text
                    if on_calls is not None and len(reply.calls):
                        await on_calls(reply)
            if text := reply.close():
                yield text
        finally:
            # What an aborted answer taught us about the model is as good.
            self._starts_thinking |= reply.unopened
            if reply.usage:
                await self._report_usage(reply.usage)
        if failure := reply.failure:
            raise failure

    async def _report_usage(self, usage: Mapping[str, Any]) -> None:
        counts = [usage.get(f"{name}_tokens") for name in ("prompt", "completion", "total")]
        prompt, completion, total = (c if isinstance(c, int) else 0 for c in counts)
        await self.start_llm_usage_metrics(
            LLMTokenUsage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=total)
        )
