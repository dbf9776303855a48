"""What a persona brings to a session: a face, a voice, a manner."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from loguru import logger

from mien.config import ConfigError
from mien.knowledge.errors import KnowledgeError
from mien.llm.faq import load_faq
from mien.llm.persona import Persona
from mien.personas import find_persona, voice_names
from mien.problems import Problem
from mien.server.looks import Look, Wardrobe
from mien.server.sessions import Session
from mien.server.voice_board import VoiceBoard
from mien.services import Player, Services
from mien.tts.fallback import FallbackVoice


class Casting:
    """default: the name of the configured persona, whose face and voice are the configured ones."""

    def __init__(self, services: Services, wardrobe: Wardrobe, board: VoiceBoard) -> None:
        self._services = services
        self._wardrobe = wardrobe
        self._board = board
        self.default = services.mind.personas.name_of(services.settings.persona)

    async def persona(self, name: str | None) -> tuple[str, Persona]:
        """With its name and documents; the configured one for None.

        Raises Problem as ``find_persona``, and 409 when its documents are not there.
        """
        name = name or self.default
        return name, await asyncio.to_thread(self._find, name)

    def _find(self, name: str) -> Persona:
        mind = self._services.mind
        persona = find_persona(mind.personas, name)
        try:
            mind.knowledge.fetch(persona)
            load_faq((*persona.faq, *mind.settings.faq))  # its brain finds it loaded
        except (KnowledgeError, ConfigError) as error:
            raise Problem("no_documents", str(error), error.zh, status=409) from error
        return persona

    def look(self, name: str, persona: Persona) -> Look:
        """Who is seen, before what."""
        look = self._wardrobe.default
        if name == self.default:
            return look
        return replace(
            look,
            avatar=persona.avatar or look.avatar,
            background=persona.background or look.background,
        )

    async def dress(self, look: Look, brought: Look) -> tuple[Look, Player]:
        """``look``; the usual one where it is what a persona has ``brought`` and cannot be shown.

        Raises Problem for one that somebody has asked for.
        """
        try:
            return look, await asyncio.to_thread(self._wardrobe.dress, look)
        except Problem as problem:
            usual = self._wardrobe.default
            if look != brought or look == usual:
                raise
            logger.warning(f"a persona's face cannot be shown: {problem}")
            return usual, await asyncio.to_thread(self._wardrobe.dress, usual)

    async def voice(self, name: str, persona: Persona) -> FallbackVoice:
        """The first of its voices that there is, else the configured one."""
        names = () if name == self.default else voice_names(persona, self._services.settings)
        for voice in names:
            try:
                return await self._board.begin_with(voice)
            except Problem as problem:
                logger.warning(f"persona {name}: {problem}")
        return await self._board.begin_with(None)

    async def play(self, session: Session, name: str) -> None:
        """Have the session go on as this persona, whose conversation begins anew. One after the
        other: face, voice and manner come at different times.

        Raises:
            Problem: for an unknown or broken one; all stays as it was.
        """
        async with session.character.changing:
            await self._play(session, name)

    async def _play(self, session: Session, name: str) -> None:
        name, persona = await self.persona(name)
        look = self.look(name, persona)
        try:
            await session.show(lambda now: look, self._wardrobe.dress)
        except Problem as problem:  # its face may be gone; its manner is not
            logger.warning(f"persona {name}: {problem}")
            session.conversation.events.publish({"type": "notice", **problem.as_message()})
        await session.speak_with(lambda: self.voice(name, persona))
        await session.character.become(name, persona)
        words = self._services.hearing.waking(persona.names)
        language = session.conversation.language
        session.listener.answer_to(words, language)
        await session.greeter.succeed(persona.greet(language))
