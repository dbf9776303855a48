"""One turn of a conversation, followed from its beginning until it was heard."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from loguru import logger

from mien.conversation import Conversation

Begin = Callable[[], Awaitable[int]]
"""Begins a turn and returns its number."""

# Longer than any brain's own patience; what is silent for so long does not come any more.
PATIENCE_SEC = 120.0


class ConversationOver(Exception):
    """There is nobody left who could speak."""


@dataclass(frozen=True, slots=True)
class Said:
    """text: what was heard. complete: nothing was cut off. failure: the code of what went wrong."""

    text: str
    complete: bool
    failure: str = ""


async def follow(conversation: Conversation, begin: Begin) -> Said:
    """Begin a turn and wait until it is over.

    A brain that fails is not heard apologising: that is for somebody who asked, not for the air.

    Raises ConversationOver.
    """
    failure, speaking = "", False
    with conversation.events.listen() as events:
        turn = await begin()
        while True:
            try:
                async with asyncio.timeout(PATIENCE_SEC):
                    message = await events.get()
            except TimeoutError:
                logger.warning(f"turn {turn} came to no end within {PATIENCE_SEC:g} s; it is ended")
                failure = "no_end"
                await conversation.interrupt()
                continue
            if message is None:
                if conversation.events.closed:
                    raise ConversationOver
                return Said("", False, "events_lost")
            kind, code = message["type"], str(message.get("code", ""))
            if kind == "clause":
                speaking = True
            elif kind == "error" and code.startswith(("llm_", "voice_")):
                failure = code
                if code.startswith("voice_"):
                    continue
                if speaking:
                    conversation.end_with_sentence()
                else:
                    await conversation.interrupt()
            elif kind == "turn" and message["turn"] == turn:
                return Said(str(message["text"]), bool(message["complete"]), failure)
