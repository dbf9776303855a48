"""The live host: speaks a running order in a loop and answers its audience in between."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import datetime
from functools import partial
from typing import Any

from loguru import logger

from mien.conversation import Conversation
from mien.events import Message
from mien.live.agenda import Agenda, Cue
from mien.live.clock import HostClock, SystemClock
from mien.live.limits import BackOff
from mien.live.messages import Inbox, ViewerMessage
from mien.live.order import RunningOrder
from mien.live.order_watch import OrderFile, watch
from mien.live.rest import rest_of
from mien.live.rules import LiveRules
from mien.live.speaker import Begin, ConversationOver, Said, follow
from mien.llm.viewers import ABOUT_VIEWERS, ANONYMOUS
from mien.moderation.contract import Moderator

# An output needs a moment to connect; without any audience the host begins anyway.
AUDIENCE_SEC = 10.0
# After somebody else has spoken (an operator, a visitor), before the host goes on.
QUIET_SEC = 1.5
# A microphone somebody left open does not silence the host for longer.
LISTENING_SEC = 30.0
# Between the end of a turn and the beginning of the one that replaced it.
GRACE_SEC = 0.3
# Breath after an answer.
BREATH_SEC = 0.8
# How often hours are looked at.
LOOK_SEC = 1.0


class LiveHost:
    """Outlives the conversations it speaks in: with the next one it goes on where it was.

    file: what it says; without one it only answers. moderator: may object to messages; to what is
    said objects the conversation's own.
    """

    def __init__(
        self,
        rules: LiveRules,
        file: OrderFile | None = None,
        moderator: Moderator | None = None,
        clock: HostClock | None = None,
        seed: int = 0,
    ) -> None:
        self.clock = clock or SystemClock()
        self.inbox = Inbox(rules, self.clock, self._publish, moderator)
        self.state = "waiting"
        self.paused = False
        self._rules = rules
        self._file = file
        self._moderator = moderator
        self._agenda = Agenda(file.order, seed) if file else None
        self._conversation: Conversation | None = None
        self._changed = asyncio.Event()  # the file, or whether it is paused
        self._cue: Cue | None = None  # what is being said, or was when the conversation failed
        self._failed_cue: Cue | None = None
        self._told: tuple[str, Cue | None] | None = None
        self._greeted = self._closed = False
        self._answers = 0  # since the last item
        self._brain, self._speaking = BackOff(), BackOff()
        self._pause_until = self.clock.seconds()

    # -- from outside --------------------------------------------------------------------

    async def run(self, conversation: Conversation) -> None:
        """Speak in this conversation until it is over or this is cancelled; never fails."""
        self._conversation = conversation
        await conversation.ready()
        self._brief(conversation)
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(self._watch(), name="running order")
            try:
                await self._await_audience(conversation)
                while True:
                    await self._step_safely(conversation)
            except ConversationOver:
                logger.info("the live host's conversation is over")
            finally:
                watching.cancel()
                self._conversation = None

    def pause(self, paused: bool) -> None:
        """Let somebody else speak; the item that is being said ends with its sentence."""
        self.paused = paused
        self._changed.set()
        if paused and self.state == "speaking" and self._conversation is not None:
            self._conversation.end_with_sentence()

    def status(self) -> Message:
        """What the host is at, as its events tell it."""
        cue, agenda = self._cue, self._agenda
        item = {"number": cue.item.number, "label": cue.item.label} if cue else None
        opens = agenda.order.hours.opens(self._local()) if agenda else None
        return {
            "state": self.state,
            "item": item if self.state == "speaking" else None,
            "round": agenda.round if agenda else None,
            "waiting": len(self.inbox),
            "opens": opens.isoformat() if opens and self.state == "quiet" else None,
        }

    # -- one step after the other ----------------------------------------------------------

    async def _step_safely(self, conversation: Conversation) -> None:
        try:
            await self._step(conversation)
        except ConversationOver:
            raise
        except Exception:
            logger.exception("the live host stumbled; it goes on")
            self._fail("host")

    async def _step(self, conversation: Conversation) -> None:
        if self.paused:
            self._become("paused")
            await self._wait(LOOK_SEC, for_messages=False)
            return
        if self._agenda is not None and not self._agenda.order.hours.open(self._local()):
            await self._be_quiet(conversation)
            return
        self.inbox.open = True
        await self._until_free(conversation)
        if self._agenda is not None and not self._greeted:
            self._greeted = True
            await self._say(conversation, self._agenda.order.greeting)
        elif (message := self._next_message()) is not None:
            await self._answer(conversation, message)
        elif self._resting or (cue := self._next_cue()) is None:
            await self._idle(conversation)
        else:
            await self._perform(conversation, cue)

    async def _idle(self, conversation: Conversation) -> None:
        agenda = self._agenda
        if agenda is not None and agenda.over and not self._closed and not self._resting:
            self._closed = True
            await self._say(conversation, agenda.order.closing)
            return
        over = agenda is not None and agenda.over and self._closed
        self._become("over" if over else "resting" if agenda else "waiting")
        await self._wait(self._rest_until - self.clock.seconds() if self._resting else LOOK_SEC)

    async def _be_quiet(self, conversation: Conversation) -> None:
        """Outside of its hours the host takes leave and lives on in silence."""
        if self.state != "quiet":
            self.inbox.close()
            if self._greeted and self._agenda is not None:
                await self._until_free(conversation)
                await self._say(conversation, self._agenda.order.closing)
                self._agenda.restart()
            self._greeted = False
            self._become("quiet")
        await self._wait(LOOK_SEC, for_messages=False)

    # -- the running order -------------------------------------------------------------------

    def _next_cue(self) -> Cue | None:
        if self._agenda is None:
            return None
        again, self._cue = self._cue, None
        if again is not None and again is not self._failed_cue:
            self._failed_cue = again  # cut off by a failure; a second time would be its own fault
            return again
        return self._agenda.next(self.clock.seconds(), self._local())

    async def _perform(self, conversation: Conversation, cue: Cue) -> None:
        self._cue, self._answers, self._closed = cue, 0, False
        self._become("speaking")
        said: Said | None = None
        if cue.item.ask and self._brain_is_well:
            said = await self._speak(conversation, partial(conversation.chat, cue.item.ask), True)
        if said is None or (said.failure and not said.text):
            if cue.text:
                await self._say(conversation, cue.text)
            elif said is None:
                self._become("resting")
        self._cue = None
        self._rest(cue.item.pause)

    async def _say(self, conversation: Conversation, text: str) -> None:
        """Say all of a text, answering in between whatever may interrupt it."""
        while text:
            self._become("speaking")
            said = await self._speak(conversation, partial(conversation.say, text))
            if said.complete or said.failure:
                return
            if not self._interrupting():
                await self.clock.sleep(GRACE_SEC)
                if conversation.state == "idle" and not self.paused:
                    return  # somebody wanted silence
            while (message := self._interrupting()) and not self.paused:
                self.inbox.take()
                await self._answer(conversation, message)
            while self.paused:
                self._become("paused")
                await self._wait(LOOK_SEC, for_messages=False)
            await self._until_free(conversation)
            rest = {"rest": rest_of(text, said.text), "repeat": text, "skip": ""}
            text = rest[self._rules.resume]

    async def _speak(self, conversation: Conversation, begin: Begin, asked: bool = False) -> Said:
        """One turn, which an important message ends. asked: whether the brain makes it."""
        watching = asyncio.create_task(self._interrupt(conversation), name="interrupting")
        try:
            said = await follow(conversation, begin)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        self._note(said, asked)
        return said

    async def _interrupt(self, conversation: Conversation) -> None:
        await self.inbox.wait_for(self._rules.interrupt_for)
        if self._rules.interrupt == "sentence":
            conversation.end_with_sentence()
        else:
            await conversation.interrupt()

    def _interrupting(self) -> ViewerMessage | None:
        best = self.inbox.best()
        return best if best is not None and best.priority >= self._rules.interrupt_for else None

    # -- the audience --------------------------------------------------------------------------

    def _next_message(self) -> ViewerMessage | None:
        if not self._brain_is_well:
            return None
        enough = self._agenda is not None and self._answers >= self._rules.answers_between
        if enough and not self._agenda_is_over and self._interrupting() is None:
            return None
        return self.inbox.take()

    async def _answer(self, conversation: Conversation, message: ViewerMessage) -> None:
        self._answers += 1
        self._become("answering")
        self._publish(message.as_event("answering"))
        name = message.author or ANONYMOUS[conversation.language]
        try:
            said = await follow(conversation, lambda: conversation.chat(message.text, name))
        except (ConversationOver, asyncio.CancelledError):
            self.inbox.give_back(message)
            raise
        self._note(said, asked=True)
        if said.text:
            self._publish(message.as_event("answered", answer=said.text))
        else:
            self._publish(message.as_event("dropped", why="failed"))
        self._rest(BREATH_SEC)

    # -- waiting -------------------------------------------------------------------------------

    @property
    def _resting(self) -> bool:
        return self.clock.seconds() < self._rest_until

    @property
    def _rest_until(self) -> float:
        return max(self._pause_until, self._speaking.until)

    @property
    def _agenda_is_over(self) -> bool:
        return self._agenda is None or self._agenda.over

    def _rest(self, seconds: float) -> None:
        self._pause_until = max(self._pause_until, self.clock.seconds() + seconds)

    async def _wait(self, seconds: float, for_messages: bool = True) -> None:
        """Until then, or until there is something to do. At most a second: hours may change."""
        waits: list[Coroutine[Any, Any, Any]] = [
            self.clock.sleep(min(max(seconds, 0.0), LOOK_SEC)),
            self._changed.wait(),
        ]
        if for_messages and self._may_answer:
            waits.append(self.inbox.wait_for())
        await first_of(*waits)
        self._changed.clear()

    @property
    def _may_answer(self) -> bool:
        enough = self._answers >= self._rules.answers_between and not self._agenda_is_over
        return not enough and self._brain_is_well

    @property
    def _brain_is_well(self) -> bool:
        return self.clock.seconds() >= self._brain.until

    async def _until_free(self, conversation: Conversation) -> None:
        """Wait while somebody else speaks, or is being answered."""
        waited, until = False, self.clock.seconds() + LISTENING_SEC
        while conversation.state != "idle":
            if conversation.events.closed:
                raise ConversationOver
            if conversation.state == "listening" and self.clock.seconds() > until:
                return
            waited = True
            await self.clock.sleep(0.1)
        if waited:
            await self.clock.sleep(QUIET_SEC)
            await self._until_free(conversation)

    async def _await_audience(self, conversation: Conversation) -> None:
        until = self.clock.seconds() + AUDIENCE_SEC
        while self._file and self.clock.seconds() < until:
            if conversation.watched or conversation.events.listeners or len(self.inbox):
                return
            await self.clock.sleep(0.1)

    # -- failures ------------------------------------------------------------------------------

    def _note(self, said: Said, asked: bool = False) -> None:
        """asked: whether the brain was."""
        if said.failure:
            self._fail(said.failure)
            return
        self._speaking.succeed()
        if asked:
            self._brain.succeed()

    def _fail(self, code: str) -> None:
        """Nobody is helped by a loop that spins."""
        failing = self._brain if code.startswith("llm_") else self._speaking
        wait = failing.fail(self.clock.seconds())
        logger.warning(f"the live host: {code}; next try in {wait:g} s")

    # -- its file ------------------------------------------------------------------------------

    async def _watch(self) -> None:
        if self._file is not None:
            await watch(self._file, self.clock, self._moderator, self._publish, self._turn_page)

    def _turn_page(self, order: RunningOrder) -> None:
        """A new edition, from the next item on."""
        assert self._agenda is not None and self._conversation is not None
        self._agenda.replace(order)
        self._brief(self._conversation)
        self._changed.set()
        self._publish({"type": "live", "edition": order.title, **self.status()})

    def _brief(self, conversation: Conversation) -> None:
        about = self._file.order.about if self._file else ""
        conversation.brief("\n".join(filter(None, (about, ABOUT_VIEWERS[conversation.language]))))

    # -- telling -------------------------------------------------------------------------------

    def _local(self) -> datetime:
        zone = self._agenda.order.zone if self._agenda else None
        return self.clock.now().astimezone(zone).replace(tzinfo=None)

    def _become(self, state: str) -> None:
        self.state = state
        told = (state, self._cue)
        if told != self._told:
            self._told = told
            self._publish({"type": "live", **self.status()})

    def _publish(self, message: Message) -> None:
        if self._conversation is not None:
            self._conversation.events.publish(message)


async def first_of(*coroutines: Coroutine[Any, Any, Any]) -> None:
    """Wait until one of them is done; the others are cancelled and gone then."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
