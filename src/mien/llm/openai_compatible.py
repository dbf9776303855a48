"""Any service with the OpenAI chat-completions API, as a pipecat LLM service made for voice.

pipecat has `OpenAILLMService`. This one has a client of its own instead of the OpenAI SDK, for
what a voice has to survive: a deadline for the first token that keep-alive comments do not
extend, answers that are no stream, reasoning in the text, and providers' own error codes. And it
does not end a reply that was interrupted as if it were complete. The frames are the same.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from loguru import logger
from pipecat.adapters.llm.services.open_ai_adapter import OpenAILLMAdapter
from pipecat.frames.frames import (
    Frame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
)
from pipecat.metrics.metrics import LLMTokenUsage
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.llm_service import LLMService
from pipecat.utils.errors import ErrorCategory

from mien.gestures import without_tags
from mien.language import Language, detect_language
from mien.llm.chat_client import ENDED_UNSAID, ChatClient
from mien.llm.failure import (
    FAILURE_CATEGORY,
    SPOKEN,
    SPOKEN_MIDWAY,
    FailureCode,
    LLMFailure,
    LLMFailureFrame,
)
from mien.llm.history import HistoryLimits, last_user_text, messages_to_send, trim_context
from mien.llm.info import BrainInfo
from mien.llm.presets import Endpoint, LLMSettings
from mien.llm.service_settings import service_settings
from mien.llm.think_filter import ThinkFilter

_FAILED_FINISH: Mapping[str, FailureCode] = {
    "sensitive": FailureCode.CONTENT_FILTER,
    "content_filter": FailureCode.CONTENT_FILTER,
    "network_error": FailureCode.CUT_OFF,
    "insufficient_system_resource": FailureCode.SERVER,
    "error": FailureCode.SERVER,
    "abort": FailureCode.CUT_OFF,
    "model_context_window_exceeded": FailureCode.CONTEXT_LENGTH,
}
_SENTENCE_END = "。！？!?.…\n"
# Models whose template opens <think> in the prompt, so that the answer starts inside it.
_STARTS_THINKING = ("deepseek-r1", "qwq", "-thinking")

_OUR_SENTENCES = sorted(
    {s for texts in (*SPOKEN.values(), SPOKEN_MIDWAY) for s in texts.values()}, key=len
)[::-1]


class OpenAICompatibleLLMService(LLMService[OpenAILLMAdapter]):
    """Streams answers of an OpenAI-compatible service into a pipecat pipeline.

    Takes `LLMContextFrame`; gives `LLMFullResponseStartFrame`, `LLMTextFrame`s and
    `LLMFullResponseEndFrame`. A failure is spoken as a sentence in the user's language, and
    reported upstream as `LLMFailureFrame`; the service stays usable. An interrupted answer has
    no end frame: downstream would take it as the order to speak what it has gathered so far.

    Args:
        endpoint: Where to connect, see `resolve_endpoint`.
        settings: Sampling, timeouts and the length of the history.
        system_instruction: Put before the conversation in every request.
        **kwargs: For pipecat's `LLMService`.
    """

    adapter_class = OpenAILLMAdapter

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        settings: LLMSettings | None = None,
        system_instruction: str | None = None,
        **kwargs: Any,
    ) -> None:
        self._own = settings or LLMSettings()
        super().__init__(
            settings=service_settings(endpoint.model, self._own, system_instruction),
            **kwargs,
        )
        self._endpoint = endpoint
        self._limits = HistoryLimits(self._own.history_turns, self._own.history_chars)
        self._starts_thinking = any(m in endpoint.model.lower() for m in _STARTS_THINKING)
        self._language: Language = self._own.language or "zh"
        self._brief = ""
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

    def brief(self, text: str) -> None:
        """See `Briefed`."""
        self._brief = text

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
        if isinstance(frame, LLMContextFrame):
            await self._answer(frame.context)
        else:
            await self.push_frame(frame, direction)

    async def run_inference(
        self,
        context: LLMContext,
        max_tokens: int | None = None,
        system_instruction: str | None = None,
        response_schema: dict[str, Any] | None = None,
    ) -> str | None:
        """Return one answer outside the pipeline; see pipecat's `LLMService`.

        Raises:
            LLMFailure: If there is no complete answer.
        """
        self._check_response_schema(response_schema)
        body = await self._request_body(context, system_instruction, max_tokens)
        async with aclosing(self._stream(body)) as texts:
            return "".join([text async for text in texts]) or None

    async def _answer(self, context: LLMContext) -> None:
        trim_context(context, self._limits)
        await self.push_frame(LLMFullResponseStartFrame())
        await self.start_processing_metrics()
        await self.start_ttfb_metrics()
        said = ""
        failure: LLMFailure | None = None
        try:
            body = await self._request_body(context)
            # `aclosing`, here and below: a generator that is suspended when the task is cancelled
            # would otherwise be closed by the event loop at some later time.
            async with aclosing(self._stream(body)) as texts:
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
        if failure is not None:
            await self._report(failure, context, said)
        await self.stop_processing_metrics()
        # Not in a `finally`: see the class's docstring.
        await self.push_frame(LLMFullResponseEndFrame())

    async def _report(self, failure: LLMFailure, context: LLMContext, said: str) -> None:
        language = detect_language(last_user_text(context), self._language)
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
        if _is_unfinished(said):
            # End the broken sentence, so that the apology is spoken as one of its own.
            message = ("。" if language == "zh" else ". ") + message
        elif said.strip() and language == "en":
            message = " " + message
        await self._push_llm_text(message)

    async def _request_body(
        self,
        context: LLMContext,
        system_instruction: str | None = None,
        max_tokens: int | None = None,
    ) -> dict[str, Any]:
        preset, settings = self._endpoint.preset, self._settings
        instruction = system_instruction or settings.system_instruction
        if self._brief:
            known = f"{instruction}\n" if isinstance(instruction, str) else ""
            instruction = known + self._brief
        params = await self.get_llm_adapter().get_llm_invocation_params(
            context,
            system_instruction=instruction if isinstance(instruction, str) else None,
            convert_developer_to_user=not preset.supports_developer_role,
        )
        body: dict[str, Any] = {
            "model": self._model,
            "messages": messages_to_send(
                (dict(m) for m in params["messages"]),
                clean_assistant=_without_our_sentences,
                drop_fields=preset.drop_message_fields,
                opening="你好" if self._language == "zh" else "Hello",
            ),
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": _clamp(settings.temperature, preset.temperature_range),
            "top_p": _clamp(settings.top_p, preset.top_p_range),
            preset.max_tokens_field: max_tokens or _number(settings.max_tokens),
        }
        # `params` also has the tools of the context. They are not sent as long as nobody here
        # assembles `Delta.tool_calls` and hands them to `run_function_calls`.
        if not self._own.thinking:
            body |= preset.thinking_off
        body = {k: v for k, v in body.items() if k not in preset.drop_fields}
        body |= self._own.extra_body
        return {k: v for k, v in body.items() if v is not None}

    async def _stream(self, body: Mapping[str, Any]) -> AsyncGenerator[str, None]:
        """Yield the speakable text of one answer; LLMFailure if it does not come to its end."""
        think = ThinkFilter(starts_inside=self._starts_thinking)
        finish: str | None = None
        usage: Mapping[str, Any] | None = None
        said = ""
        try:
            async with aclosing(self._client.stream(body)) as deltas:
                async for delta in deltas:
                    finish = delta.finish_reason or finish
                    usage = delta.usage or usage
                    if delta.progress:
                        await self.stop_ttfb_metrics()
                    if delta.reasoning:
                        think.reasoning_is_separate()
                    if delta.content and (text := think.feed(delta.content)):
                        said += text
                        yield text
            if text := think.close():
                said += text
                yield text
        finally:
            # What an aborted answer taught us about the model is as good.
            self._starts_thinking |= think.unopened
            if usage:
                await self._report_usage(usage)
        if code := _FAILED_FINISH.get(finish or ""):
            raise LLMFailure(code, f"finish_reason {finish!r}")
        if finish == ENDED_UNSAID and _is_unfinished(said):
            raise LLMFailure(FailureCode.CUT_OFF, "the stream ended without a finish_reason")

    async def _report_usage(self, usage: Mapping[str, Any]) -> None:
        counts = [usage.get(f"{name}_tokens") for name in ("prompt", "completion", "total")]
        prompt, completion, total = (c if isinstance(c, int) else 0 for c in counts)
        await self.start_llm_usage_metrics(
            LLMTokenUsage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=total)
        )


def _without_our_sentences(text: str) -> str:
    for sentence in _OUR_SENTENCES:
        text = text.replace(sentence, "")
    return text.strip()


def _number(value: Any) -> Any:
    """The value, or None for None and for pipecat's "not given"."""
    return value if isinstance(value, int | float) else None


def _is_unfinished(said: str) -> bool:
    """Whether an answer, which may end with a tag, breaks off within a sentence."""
    words = without_tags(said).rstrip()
    return bool(words) and words[-1] not in _SENTENCE_END


def _clamp(value: Any, limits: tuple[float, float]) -> float | None:
    return min(max(value, limits[0]), limits[1]) if isinstance(value, int | float) else None
