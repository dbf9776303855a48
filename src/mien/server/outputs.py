"""The outputs of one session: what is added, what runs, what is told of it."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mien.events import Message
from mien.media.output import OutputError
from mien.media.profiles import ProfileError
from mien.media.program import Program
from mien.media.supervisor import Reason, Supervised
from mien.problems import Problem
from mien.server.targets import Maker, Target, make_output

# Each encodes sound and often pictures of its own; more belongs behind a server that relays.
MOST_OUTPUTS = 8


@dataclass(eq=False, slots=True)
class Airing:
    """One output of a session, under its id."""

    id: str
    target: Target
    supervised: Supervised
    task: asyncio.Task[None] | None = None

    def as_message(self) -> Message:
        """What API and events tell. Times in Unix seconds; ``seconds`` is the state's age."""
        output, status = self.supervised.output, self.supervised.status
        message: Message = {
            "id": self.id,
            "kind": output.kind,
            "label": output.label,
            "profile": self.target.profile or "source",
            "state": status.state,
            "since": round(status.since, 3),
            "seconds": round(max(0.0, time.time() - status.since), 3),
            "reconnects": self.supervised.reconnects,
            "can_pause": self.supervised.can_pause,
            "figures": {**output.figures(), "bytes": self.supervised.count_bytes()},
        }
        if status.reason is not None:
            message["reason"] = told(status.reason)
        if status.retry_at is not None:
            message["retry_in"] = round(max(0.0, status.retry_at - time.time()), 3)
        return message


def told(reason: Reason) -> Message:
    """A reason as errors are told elsewhere."""
    return {"code": reason.code, "message": {"en": reason.en, "zh": reason.zh}}


# Who wants to know of each change: the metrics, the console.
Watcher = Callable[[Airing], None]


class Outputs:
    """Owned by a session, whose task group runs :meth:`run`.

    publish: takes the event of each change. on_live: called when an audience can see an output.
    """

    def __init__(
        self,
        program: Program,
        makers: Mapping[str, Maker],
        publish: Callable[[Message], None],
        watch: Watcher = lambda airing: None,
        on_live: Callable[[], None] = lambda: None,
    ) -> None:
        self.on_live = on_live
        self._program = program
        self._makers = makers
        self._publish = publish
        self._watch = watch
        self._airings: dict[str, Airing] = {}
        self._wanted: dict[str, Target] = {}
        self._numbers = itertools.count(1)
        self._tasks: asyncio.TaskGroup | None = None
        self._closing = asyncio.Event()

    def all(self) -> list[Airing]:
        """Those that have not ended, oldest first."""
        return list(self._airings.values())

    @property
    def running(self) -> bool:
        """Whether any is on the air or on its way there."""
        return any(airing.supervised.running for airing in self._airings.values())

    @property
    def targets(self) -> list[Target]:
        """What is to be on the air and was not stopped; also after a failure has ended all."""
        return list(self._wanted.values())

    def get(self, key: str) -> Airing:
        """Raises Problem 404."""
        try:
            return self._airings[key]
        except KeyError:
            raise Problem(
                "no_such_output", "This output has ended.", "该输出已结束。", status=404
            ) from None

    def add(self, target: Target) -> Airing:
        """Begin with it at once; what happens then is told as events.

        Raises:
            Problem: 422 for an address that is none, 409 for one that is there, 429 for too many.
        """
        if self._tasks is None:
            raise Problem("closing", "This session is ending.", "会话正在结束。", status=409)
        self._make_room_for(target)
        try:
            output = make_output(target, self._makers)
        except OutputError as error:
            raise Problem(error.code, str(error), error.zh, status=422) from None
        except ProfileError as error:
            raise Problem("no_such_profile", str(error), error.zh, status=422) from None
        key = f"{output.kind}-{next(self._numbers)}"
        airing = Airing(key, target, Supervised(output, self._program, lambda _: self._told(key)))
        self._airings[key] = airing
        self._wanted[key] = target
        airing.task = self._tasks.create_task(self._run_one(airing), name=f"output {key}")
        return airing

    async def stop(self, key: str) -> None:
        """Take it off the air, properly. Raises Problem 404."""
        airing = self.get(key)
        airing.supervised.stop()
        if airing.task is not None:
            await asyncio.wait({airing.task})

    async def run(self) -> None:
        """Own the outputs until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                await self._closing.wait()
                for airing in self.all():
                    airing.supervised.stop()
            finally:
                self._tasks = None

    def close(self) -> None:
        """Ask :meth:`run` to end when all have taken leave."""
        self._closing.set()

    def _make_room_for(self, target: Target) -> None:
        for airing in self.all():
            if airing.target.place != target.place:
                continue
            if airing.supervised.running:
                raise Problem(
                    "duplicate",
                    f"{airing.supervised.output.label} is among the outputs already.",
                    f"{airing.supervised.output.label} 已在输出列表中。",
                    status=409,
                )
            airing.supervised.stop()  # it has failed, and is asked for again
        if sum(airing.supervised.running for airing in self.all()) >= MOST_OUTPUTS:
            raise Problem(
                "too_many_outputs",
                f"At most {MOST_OUTPUTS} outputs at once; stop one of them first.",
                f"最多同时 {MOST_OUTPUTS} 路输出，请先停止其中一路。",
                status=429,
            )

    async def _run_one(self, airing: Airing) -> None:
        try:
            await airing.supervised.run()
            self._wanted.pop(airing.id, None)
        finally:
            self._airings.pop(airing.id, None)

    def _told(self, key: str) -> None:
        airing = self._airings.get(key)
        if airing is None:
            return
        if airing.supervised.status.state == "live":
            self.on_live()
        self._watch(airing)
        self._publish({"type": "output", **airing.as_message()})
