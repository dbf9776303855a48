"""Who the presenter of a session is, what it may do and whom it knows; all of it may change."""

from __future__ import annotations

import asyncio

from loguru import logger

from mien.conversation import Conversation
from mien.events import Message
from mien.fillers import fillers_of
from mien.language import Language
from mien.llm.persona import Persona
from mien.llm.role import Role
from mien.memory.user_memory import UserMemory
from mien.mind import Mind

NOBODY: Message = {"on": False, "facts": 0}


class Character:
    """name: the persona's, as it is listed. wished: the language that those who do not speak it
    keep from the user. memory: of the user; None for nobody. changing: held while a persona takes
    over, so that two that are asked for at once do not mix.
    """

    def __init__(
        self,
        conversation: Conversation,
        mind: Mind,
        name: str,
        persona: Persona,
        wished: Language | None = None,
    ) -> None:
        self.name = name
        self.persona = persona
        self.memory: UserMemory | None = None
        self.changing = asyncio.Lock()
        self._conversation = conversation
        self._mind = mind
        self._wished: Language = wished or conversation.language

    @property
    def state(self) -> Message:
        """As the page is told."""
        languages = list(self.persona.languages)
        return {"name": self.name, "label": self.persona.name.both(), "languages": languages}

    @property
    def memory_state(self) -> Message:
        """Whether the user is remembered, and how much of them."""
        known = NOBODY if self.memory is None else {"on": True, "facts": self.memory.facts}
        return {"offered": self._mind.memory is not None, **known}

    @property
    def role(self) -> Role:
        own = self.memory.tools if self.memory else ()
        return self._mind.role(self.persona, self._conversation.language, own)

    async def become(self, name: str, persona: Persona) -> None:
        """Be somebody else, who knows nothing of what was said."""
        self.name, self.persona = name, persona
        language = self._conversation.language = persona.language_for(self._wished)
        fillers = fillers_of(self._mind.settings.llm, persona, language)
        await self._conversation.play(self.role, fillers)
        self._conversation.events.publish({"type": "persona", **self.state})

    async def know(self, memory: UserMemory | None) -> None:
        """Remember, and be reminded of, this user from now on; None: of nobody."""
        self.memory = memory
        self._conversation.transcript.on_remember = memory.note if memory else _forget
        self._conversation.assume(self.role)
        await self._brief()

    async def attend(self, memory: UserMemory) -> None:
        """Let ``memory`` work until cancelled, and the brain know of what it learns."""
        told, changed = memory.on_change, asyncio.Event()

        def on_change() -> None:
            told()
            changed.set()

        memory.on_change = on_change
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(memory.run(), name="memory")
                while True:
                    await changed.wait()
                    changed.clear()
                    await self._brief()
        except* Exception:  # what is remembered is no reason to stop talking
            logger.exception("the memory of a session failed")
        finally:
            await memory.aclose()

    async def _brief(self) -> None:
        known = await self.memory.briefing() if self.memory else ""
        self._conversation.brief(known, "memory")


def _forget(message: Message) -> None:
    """Nobody is remembered."""
