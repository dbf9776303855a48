"""The hosts of a server's sessions: the live one's has a running order, any other answers only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from functools import partial
from weakref import WeakKeyDictionary

from loguru import logger

from mien.config import LiveSection
from mien.conversation import Conversation
from mien.live.chat.connector import (
    ChatError,
    ChatMessage,
    ChatReader,
    keep_reading,
    reader_of,
)
from mien.live.host import LiveHost
from mien.live.order_watch import OrderFile
from mien.live.rules import LiveRules
from mien.moderation.contract import Moderator
from mien.problems import Problem
from mien.server.live import Companion
from mien.server.sessions import Session


class Hosts:
    """One for each session that was written to.

    Raises OrderError for a running order that cannot be used, LiveError for a chat that cannot be.
    """

    def __init__(self, section: LiveSection, moderator: Moderator | None) -> None:
        self._rules = rules_of(section)
        self._moderator = moderator
        self._readers = [reader_of(address) for address in section.chat]
        self._hosts: WeakKeyDictionary[Conversation, LiveHost] = WeakKeyDictionary()
        file = OrderFile(section.script) if section.script else None
        self._live = LiveHost(self._rules, file, moderator)
        self.scripted = file is not None
        self.on_air = self.scripted or bool(section.chat)

    @property
    def companions(self) -> Sequence[Companion]:
        """For the live session."""
        return [self._live.run, *(partial(self._read, reader) for reader in self._readers)]

    def of(self, session: Session) -> LiveHost:
        """The session's host, who begins with it. Raises Problem 404 for a session that ends."""
        if session.is_own:
            return self._live
        host = self._hosts.get(session.conversation)
        if host is None:
            host = LiveHost(self._rules, moderator=self._moderator)
            session.accompany(host.run(session.conversation), f"host {session.id}")
            self._hosts[session.conversation] = host
        return host

    async def _read(self, reader: ChatReader, conversation: Conversation) -> None:
        async def deliver(message: ChatMessage) -> None:
            await self._live.inbox.submit(
                message.author, message.text, message.priority, message.id or None
            )

        try:
            await keep_reading(reader, deliver)
        except ChatError as error:
            problem = Problem("chat_lost", f"{reader.label}: {error.en}", error.zh)
            logger.error(problem.en)
            conversation.events.publish({"type": "error", **problem.as_message()})


def rules_of(section: LiveSection) -> LiveRules:
    """The part of the settings that is the host's."""
    return LiveRules(**section.model_dump(include={field.name for field in fields(LiveRules)}))
