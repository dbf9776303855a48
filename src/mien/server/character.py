"""Who the presenter of a session is, and what it may do; both change while it goes on."""

from __future__ import annotations

from mien.conversation import Conversation
from mien.events import Message
from mien.llm.persona import Persona
from mien.llm.role import Role
from mien.mind import Mind


class Character:
    """name: the persona's, as it is listed."""

    def __init__(self, conversation: Conversation, mind: Mind, name: str, persona: Persona) -> None:
        self.name = name
        self.persona = persona
        self._conversation = conversation
        self._mind = mind

    @property
    def state(self) -> Message:
        """As the page is told."""
        return {"name": self.name, "label": self.persona.name.both()}

    @property
    def role(self) -> Role:
        return self._mind.role(self.persona, self._conversation.language)

    async def become(self, name: str, persona: Persona) -> None:
        """Be somebody else, who knows nothing of what was said."""
        self.name, self.persona = name, persona
        if self._conversation.language not in persona.languages:
            self._conversation.language = persona.language
        fillers = persona.fillers.get(self._conversation.language, ())
        await self._conversation.play(self.role, fillers, persona.filler_sec)
        self._conversation.events.publish({"type": "persona", **self.state})
