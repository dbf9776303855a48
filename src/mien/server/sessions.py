"""Sessions: a conversation with its viewers, owned from creation to the last task."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

from loguru import logger

from mien.conversation import Conversation
from mien.language import Language
from mien.listener import Listener
from mien.llm.persona import Persona
from mien.media.microphone import Microphone
from mien.media.program import Program
from mien.media.webrtc import BadOffer, WebRtcPeer, WebRtcSettings
from mien.media.webrtc_microphone import WebRtcMicrophone
from mien.media.webrtc_viewer import WebRtcViewer
from mien.memory.user_memory import UserMemory
from mien.problems import Problem
from mien.server.character import Character
from mien.server.greeter import Greeter
from mien.server.looks import Look
from mien.server.memory import release_memory
from mien.server.microphones import Microphones, another_microphone
from mien.server.outputs import Outputs
from mien.services import Player
from mien.tts.fallback import FallbackVoice
from mien.tts.voice import Voice


class Viewer(Protocol):
    """Somebody who watches, by whatever path. ``on_connected``: to be called once they can."""

    on_connected: Callable[[], None]

    async def run(self, program: Program) -> None:
        """Lasts as long as they watch."""

    def close(self) -> None:
        """Ask ``run`` to end."""


class Session:
    """One visitor's conversation. ``run`` lasts until it is closed or nobody is left."""

    def __init__(
        self,
        conversation: Conversation,
        look: Look,
        greeting: str | None,
        webrtc: Callable[[], WebRtcSettings],
        idle_sec: float,
        outputs: Outputs,
        listener: Listener,
        character: Character,
        key: str | None = None,
    ) -> None:
        self.id = key or secrets.token_urlsafe(9)
        self.is_own = key is not None  # the server's, not a visitor's
        self.conversation = conversation
        self.look = look
        self.character = character
        self.viewers: dict[str, Viewer] = {}
        self.listener = listener
        self.microphones = Microphones()
        self.microphones.on_sound = listener.hear
        self.microphones.on_change = listener.connected
        self.outputs = outputs
        self.greeter = Greeter(conversation, greeting)
        outputs.on_live = self._greet
        self._webrtc = webrtc
        self._idle_sec = idle_sec
        self._tasks: asyncio.TaskGroup | None = None
        self._seen = time.monotonic()
        self._closing = asyncio.Event()
        self._ended = asyncio.Event()
        self._companions: list[asyncio.Task[None]] = []
        self._attending: asyncio.Task[None] | None = None
        self._dressing = asyncio.Lock()
        self._remembering = asyncio.Lock()
        self._voices_asked = 0

    def touch(self) -> None:
        """Somebody is still here."""
        self._seen = time.monotonic()

    def close(self) -> None:
        """Ask ``run`` to end."""
        self._closing.set()

    async def show(self, change: Callable[[Look], Look], dress: Callable[[Look], Player]) -> None:
        """Go on as ``change`` says, without interrupting anything. One change after the other.

        dress: called in a thread. Its Problem is raised, and all stays as it was.
        """
        async with self._dressing:
            look = change(self.look)
            if look != self.look:
                self.conversation.performer.show(*await asyncio.to_thread(dress, look))
                self.look = look

    async def speak_with(self, choose: Callable[[], Awaitable[Voice]]) -> bool:
        """Go on with the voice that ``choose`` comes to, if no other was asked for meanwhile.

        Returns whether none was. The Problem of ``choose`` is raised, and all stays as it was.
        """
        self._voices_asked += 1
        asked = self._voices_asked
        voice = await choose()
        if asked != self._voices_asked:
            return False
        self.conversation.speaker.speak_with(voice)
        return True

    async def remember(self, memory: UserMemory | None) -> None:
        """Remember this user from now on, in place of the one before; None: nobody. One after
        the other.

        Raises:
            Problem: 404 when the session has ended.
        """
        async with self._remembering:
            if self._tasks is None:
                raise no_such_session(self.id)
            if self._attending is not None:
                self._attending.cancel()
                await asyncio.wait({self._attending})
            await self.character.know(memory)
            self._attending = None
            if memory is not None and self._tasks is not None:
                attending = self.character.attend(memory)
                self._attending = self._tasks.create_task(attending, name=f"memory {self.id}")

    @property
    def memory(self) -> UserMemory | None:
        """Of the user who wishes to be remembered."""
        return self.character.memory

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                owned = [
                    tasks.create_task(self.conversation.run(), name=f"conversation {self.id}"),
                    tasks.create_task(self.listener.run(), name=f"listener {self.id}"),
                    tasks.create_task(self._leave_when_alone(), name=f"idle watch {self.id}"),
                ]
                on_air = tasks.create_task(self.outputs.run(), name=f"outputs {self.id}")
                await self._closing.wait()
                self._tasks = None
                for viewer in self.viewers.values():
                    viewer.close()
                self.microphones.close()
                self.outputs.close()
                await asyncio.wait({on_air})
                for task in (*owned, *self._companions, self._attending):
                    if task is not None:
                        task.cancel()
        finally:
            self._tasks = None
            self._ended.set()

    async def ended(self) -> None:
        """Wait until nothing of it runs any more, whatever ended it."""
        await self._ended.wait()

    def accompany(self, companion: Coroutine[None, None, None], name: str) -> None:
        """Run ``companion`` until the session ends; the session fails with it.

        Raises Problem 404 when it has ended.
        """
        if self._tasks is None:
            companion.close()
            raise no_such_session(self.id)
        self._companions.append(self._tasks.create_task(companion, name=name))

    async def _leave_when_alone(self) -> None:
        """Free a session whose page is gone, however it went (tab closed, power cut)."""
        while True:
            await asyncio.sleep(min(1.0, self._idle_sec / 4))
            watched = self.viewers or self.conversation.events.listeners or self.outputs.running
            if watched or self.microphones:
                self.touch()
            elif time.monotonic() - self._seen > self._idle_sec:
                self.close()
                return

    async def watch(
        self, offer: str, cutout: bool = False, leaves: bool = False
    ) -> tuple[str, str]:
        """Answer a WHEP offer. Returns the viewer's id and the SDP answer.

        cutout: the presenter alone, see ``Rendition``. leaves: they watch from another machine.

        Raises:
            Problem: 400 for an offer that cannot be read, 422 for one that cannot be met.
        """
        if self._tasks is None:
            raise no_such_session(self.id)
        viewer = WebRtcViewer(offer, self._webrtc(), cutout, leaves)
        key = secrets.token_urlsafe(9)
        self._tasks.create_task(self._run_viewer(key, viewer), name=f"viewer {key}")
        return key, await _answer(viewer, "video", "视频")

    async def attend(self, viewer: Viewer) -> None:
        """Have ``viewer`` watch until they leave or the session ends.

        Raises:
            Problem: 404 when the session has ended.
        """
        if self._tasks is None:
            raise no_such_session(self.id)
        key = secrets.token_urlsafe(9)
        watching = self._tasks.create_task(self._run_viewer(key, viewer), name=f"viewer {key}")
        try:
            await asyncio.wait([watching])
        finally:
            viewer.close()

    async def speak(self, offer: str) -> tuple[str, str]:
        """Answer a WHIP offer. Returns the microphone's id and the SDP answer.

        Raises:
            Problem: 400 for an offer that cannot be read, 422 for one that cannot be met.
        """
        microphone = WebRtcMicrophone(offer, self._webrtc())
        key, _ = self._begin(microphone)
        return key, await _answer(microphone, "microphone", "麦克风")

    async def listen_to(self, microphone: Microphone) -> None:
        """Listen to it, in place of the one before, until it ends.

        Raises:
            Problem: 404 when the session has ended, 409 when another has taken its place.
        """
        _, listening = self._begin(microphone)
        try:
            await asyncio.wait([listening])
        finally:
            microphone.close()
        if self._tasks is None:
            raise no_such_session(self.id)
        if listening.result():
            raise another_microphone()

    def _begin(self, microphone: Microphone) -> tuple[str, asyncio.Task[bool]]:
        if self._tasks is None:
            raise no_such_session(self.id)
        key = secrets.token_urlsafe(9)
        listening = self.microphones.run(key, microphone)
        return key, self._tasks.create_task(listening, name=f"microphone {key}")

    async def _run_viewer(self, key: str, viewer: Viewer) -> None:
        self.viewers[key] = viewer
        viewer.on_connected = self._greet
        try:
            await viewer.run(self.conversation.program)
        except Exception:  # one viewer's failure ends that viewer alone
            logger.exception("a viewer's connection failed")
        finally:
            self.viewers.pop(key, None)
            self.touch()

    def _greet(self) -> None:
        """A viewer, or the audience of an output, can hear it."""
        if self._tasks is not None:
            self.greeter.meet(self._tasks)


async def _answer(peer: WebRtcPeer, what: str, what_zh: str) -> str:
    """The SDP answer, from a peer that runs. Raises Problem for an offer that has none."""
    try:
        return await peer.answer
    except BadOffer as error:
        raise Problem(
            "bad_offer",
            f"The {what} connection could not be set up: {error}",
            f"无法建立{what_zh}连接：{error}",
            status=422 if error.readable else 400,
        ) from error
    except asyncio.CancelledError:
        peer.close()
        raise


def no_such_session(key: str) -> Problem:
    return Problem(
        "no_such_session",
        "This session has ended. Open a new one (the page does so by itself).",
        "会话已结束，请新建会话（页面会自动重连）。",
        status=404,
        retryable=True,
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a session is to be. language: that the user wishes for. player: whom ``look`` stands
    for. name: the persona's. key: the id of a session of the server's own, which takes no
    visitor's place.
    """

    language: Language
    look: Look
    player: Player
    voice: FallbackVoice
    name: str
    persona: Persona
    key: str | None = None


Make = Callable[[Wanted], Session]


class Sessions:
    """All sessions of a server; each in its own task, none able to harm another."""

    def __init__(self, make: Make, limit: int) -> None:
        self._make = make
        self._limit = limit
        self._sessions: dict[str, Session] = {}
        self._encoded_before = 0
        self._tasks: asyncio.TaskGroup | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Own the sessions; on leaving, all of them are closed and awaited."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                yield
            finally:
                self._tasks = None
                for session in self._sessions.values():
                    session.close()

    def __len__(self) -> int:
        return len(self._sessions)

    def pictures_encoded(self) -> int:
        """By all sessions there have been."""
        now = sum(session.conversation.program.encoded for session in self._sessions.values())
        return self._encoded_before + now

    def all(self) -> list[Session]:
        return list(self._sessions.values())

    async def create(self, wanted: Wanted) -> Session:
        """Open a session and wait until it takes text.

        Raises:
            Problem: 503 when the server is full, 500 when the session cannot start.
        """
        taken = sum(not session.is_own for session in self._sessions.values())
        if self._tasks is None or (wanted.key is None and taken >= self._limit):
            raise Problem(
                "full",
                f"All {self._limit} places are taken; try again in a moment.",
                f"{self._limit} 个席位已满，请稍后再试。",
                status=503,
                retryable=True,
            )
        session = self._make(wanted)
        self._sessions[session.id] = session
        task = self._tasks.create_task(self._run(session), name=f"session {session.id}")
        ready = asyncio.ensure_future(session.conversation.ready())
        await asyncio.wait([task, ready], return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            ready.cancel()
            with suppress(asyncio.CancelledError):
                await ready
            raise Problem("no_start", "The session could not start; see the log.", "会话无法启动。")
        return session

    async def _run(self, session: Session) -> None:
        try:
            await session.run()
        except Exception:
            logger.exception(f"session {session.id} failed")
        finally:
            self._sessions.pop(session.id, None)
            self._encoded_before += session.conversation.program.encoded
            del session
            # A pipeline and a peer connection are full of cycles (15,000 objects, megabytes of
            # buffers). What lives as long as the server is frozen, so this takes milliseconds.
            asyncio.get_running_loop().call_later(1, release_memory)

    def get(self, key: str) -> Session:
        """Raises Problem 404 for an unknown session."""
        try:
            return self._sessions[key]
        except KeyError:
            raise no_such_session(key) from None
