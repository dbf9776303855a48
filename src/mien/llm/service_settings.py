"""pipecat's settings for our brains, with everything we do not offer said to be unset."""

from __future__ import annotations

from pipecat.services.settings import LLMSettings as PipecatLLMSettings

from mien.llm.presets import LLMSettings


def service_settings(model: str, own: LLMSettings | None = None) -> PipecatLLMSettings:
    """What pipecat's base class is to know; fields it finds missing it would report as errors.

    Not the instruction: it is the role's, which may change.
    """
    return PipecatLLMSettings(
        model=model,
        system_instruction=None,
        temperature=own.temperature if own else None,
        max_tokens=own.max_tokens if own else None,
        top_p=own.top_p if own else None,
        top_k=None,
        frequency_penalty=None,
        presence_penalty=None,
        seed=None,
        filter_incomplete_user_turns=False,
        user_turn_completion_config=None,
    )
