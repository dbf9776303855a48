"""Several voices as one that does not fail: what one leaves unsaid the next one says."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from mien.tts.attempt import Attempt, LateVoice
from mien.tts.breaker import Breaker
from mien.tts.remainder import Pace, Place, Remainder, moved, rest_of, sayable
from mien.tts.settings import VoiceSettings
from mien.tts.voice import Run, Voice, VoiceChunk, VoiceError

logger = logging.getLogger(__name__)

# A voice ends within 20 ms when it is told to; nobody waits longer for one that does not.
_CLOSE_SEC = 0.5
# ``Voice.check`` takes 2 s at most.
_CHECK_SEC = 3.0


@dataclass(slots=True, eq=False)
class Member:
    """A voice of one chain or several, and how it has been lately.

    warm: it has spoken; what is loaded at first use is loaded.
    """

    voice: Voice
    settings: VoiceSettings
    breaker: Breaker[VoiceError] = field(default_factory=Breaker)
    pace: Pace = field(default_factory=Pace)
    warm: bool = False

    async def warm_up(self, runs: Sequence[Run], limit_sec: float) -> bool:
        """Let it say ``runs`` unheard, so that what is loaded at first use is loaded.

        If it cannot, it is passed over from the first clause on. Returns whether it had sound.
        """
        sounded = False
        try:
            async with asyncio.timeout(limit_sec), aclosing(self.voice.speak(runs)) as chunks:
                async for chunk in chunks:
                    sounded = sounded or len(chunk.pcm) > 0
        except VoiceError as error:
            self.breaker.failed(error)
        except TimeoutError:
            self.breaker.failed(LateVoice(limit_sec, first=True))
        except Exception as error:
            self.breaker.failed(_fault_of(self.voice, error))
        else:
            self.warm = True
            self.breaker.succeeded()
        return sounded


class FallbackVoice:
    """The first of several voices that can speak, as a ``Voice``; ``VoiceChunk.by`` names it.

    A voice that fails, or lets wait longer than its settings allow, is given up: what it says
    later is never heard, the next one says the rest of its clause (see ``Remainder``), and further
    clauses pass it over until its ``Breaker`` has it tried again. Whether that is worth a try is
    found out beside a clause that another voice says: none waits for a server that is still dead.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        """The voices belong to whoever made them, and other chains may have them too.

        Raises:
            ValueError: when there are none, or they do not share one sample rate.
        """
        if len({member.voice.sample_rate for member in members}) != 1:
            rates = ", ".join(f"{m.voice.name} {m.voice.sample_rate} Hz" for m in members)
            raise ValueError(f"the voices of a chain need one sample rate, not {rates or 'none'}")
        self.members = list(members)
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def name(self) -> str:
        """Of the voice that is wanted: the first."""
        return self.members[0].voice.name

    @property
    def sample_rate(self) -> int:
        return self.members[0].voice.sample_rate

    def failures(self) -> dict[str, VoiceError]:
        """The voices that are passed over, by name, and why."""
        return {m.voice.name: m.breaker.error for m in self.members if m.breaker.error is not None}

    async def speak(self, runs: Sequence[Run]) -> AsyncGenerator[VoiceChunk, None]:
        """See ``Voice.speak``. Raises only what no voice can say, naming each."""
        place: Place = (0, 0)
        tried: list[Member] = []
        failures: dict[str, VoiceError] = {}
        while sayable(rest := rest_of(runs, place)) and (member := self._next(tried)) is not None:
            tried.append(member)
            part = Remainder(rest, self.sample_rate, member.pace)
            try:
                async with aclosing(self._say(member, rest, part)) as chunks:
                    async for chunk in chunks:
                        yield _as_of(chunk, place, member.voice.name)
            except VoiceError as error:
                if self._closed:
                    raise VoiceError(
                        "the voice was closed", retryable=False, zh="声音已关闭"
                    ) from error
                logger.info("voice %s: %s", member.voice.name, error)
                failures[member.voice.name] = error
                place = moved(place, part.left())
            else:
                if not part.silent:
                    return
                # It has no sound for this text. Another one may have.
        if failures and sayable(rest_of(runs, place)):
            raise _all_failed(failures)

    async def check(self) -> None:
        """See ``Voice.check``: fine when one of them can speak."""
        found = await asyncio.gather(*(why_not(member.voice) for member in self.members))
        failures = {
            member.voice.name: error
            for member, error in zip(self.members, found, strict=True)
            if error is not None
        }
        if len(failures) == len(self.members):
            raise _all_failed(failures)

    async def aclose(self) -> None:
        """See ``Voice.aclose``. Ends what it began; its voices go on."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _next(self, tried: Sequence[Member]) -> Member | None:
        """The first that works; where none does, the first that has not been tried."""
        left = [member for member in self.members if member not in tried]
        for member in left:
            if member.breaker.due:
                member.breaker.begin_check()
                name = f"look at voice {member.voice.name}"
                self._own(asyncio.create_task(_look_at(member), name=name))
        return next((member for member in left if member.breaker.usable), next(iter(left), None))

    async def _say(
        self, member: Member, runs: Sequence[Run], part: Remainder
    ) -> AsyncGenerator[VoiceChunk, None]:
        """What one voice says of a clause; ``part`` hears it too."""
        attempt = Attempt(member.voice, member.settings, runs)
        self._own(attempt.task)
        member.breaker.begin_trial()
        late = False
        try:
            while (chunk := await attempt.next()) is not None:
                part.hear(chunk)
                yield chunk
        except VoiceError as error:
            late = isinstance(error, LateVoice)
            if not self._closed:
                member.breaker.failed(error)
            raise
        else:
            member.breaker.succeeded()
            part.complete()
        finally:
            member.breaker.end_trial()
            attempt.task.cancel()
            if not late:
                await asyncio.wait({attempt.task}, timeout=_CLOSE_SEC)

    def _own(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _as_of(chunk: VoiceChunk, place: Place, name: str) -> VoiceChunk:
    """The chunk of a voice that was given the text from ``place`` on, as one of the whole text."""
    words = []
    for word in chunk.words:
        run, begin = moved(place, (word.run, word.begin))
        words.append(replace(word, run=run, begin=begin, stop=begin + word.stop - word.begin))
    return replace(chunk, words=tuple(words), by=name)


async def why_not(voice: Voice) -> VoiceError | None:
    """Why ``voice`` could not speak now; None when it could. Takes 3 s at most."""
    try:
        async with asyncio.timeout(_CHECK_SEC):
            await voice.check()
    except VoiceError as error:
        return error
    except TimeoutError:
        why = f"no answer within {_CHECK_SEC:g} s"
        return VoiceError(why, retryable=True, zh=f"{_CHECK_SEC:g} 秒内没有应答")
    except Exception as error:
        return _fault_of(voice, error)
    return None


def _fault_of(voice: Voice, error: Exception) -> VoiceError:
    """What should not happen: a fault in one voice must not silence or hide the others."""
    logger.error("voice %s is faulty", voice.name, exc_info=error)
    return VoiceError(f"{type(error).__name__}: {error}", retryable=True)


async def _look_at(member: Member) -> None:
    if (error := await why_not(member.voice)) is not None:
        member.breaker.failed(error)
    else:
        member.breaker.end_check()


def _all_failed(failures: dict[str, VoiceError]) -> VoiceError:
    return VoiceError(
        "; ".join(f"{name}: {error}" for name, error in failures.items()),
        retryable=any(error.retryable for error in failures.values()),
        zh="；".join(f"{name}：{error.zh}" for name, error in failures.items()),
    )
