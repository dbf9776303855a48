"""The first words of a session, and of whoever goes on with it."""

from __future__ import annotations

import asyncio

from mien.conversation import Conversation


class Greeter:
    """greeting: of who plays now; "" for none, None where nobody is ever greeted."""

    def __init__(self, conversation: Conversation, greeting: str | None) -> None:
        self._conversation = conversation
        self._greets = greeting is not None
        self._greeting = greeting or ""
        self._met = False

    def meet(self, tasks: asyncio.TaskGroup) -> None:
        """Somebody can hear it: the first of them is greeted, unless something was said before."""
        first, self._met = not self._met, True
        if first and self._greeting and not self._conversation.history:
            tasks.create_task(self._conversation.say(self._greeting), name="greeting")

    async def succeed(self, greeting: str) -> None:
        """Somebody else plays now, and greets; whoever has yet to come, once they do."""
        if not self._greets:
            return
        self._greeting = greeting
        if self._met and greeting:
            await self._conversation.say(greeting)
