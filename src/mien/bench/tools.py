"""``mien bench tools``: how long people wait while the web is searched for them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mien.bench.figures import quantiles
from mien.bench.latency import Loudness
from mien.bench.server import running_server
from mien.bench.tools_world import World, world
from mien.bench.visit import Visit, VisitError, visiting, wait_for_reports

ANSWER_SEC = 30.0
# The first search starts the worker that reads pages, the first answer what is loaded lazily.
WARM_UP_TURNS = 2
# Whatever sounds so soon before the pages are in is still the aside.
ASIDE_TAIL_SEC = 0.2


@dataclass(slots=True)
class Samples:
    """All figures in ms, one per turn."""

    call_to_sound: list[float] = field(default_factory=list)
    pages_to_request: list[float] = field(default_factory=list)
    pages_to_sound: list[float] = field(default_factory=list)
    overlapping: int = 0

    def as_json(self) -> dict[str, Any]:
        return {
            "call_to_sound_ms": quantiles(self.call_to_sound),
            "pages_to_request_ms": quantiles(self.pages_to_request),
            "pages_to_sound_ms": quantiles(self.pages_to_sound),
            "asides_too_long": self.overlapping,
        }


async def measure(
    visit: Visit, outside: World, turns: int, on_progress: Callable[[float], None]
) -> Samples:
    """Ask what has to be searched for, ``turns`` times. Progress is 0…1."""
    sound = Loudness()
    visit.viewer.on_sound = sound.take
    await wait_for_reports(visit.viewer)
    samples = Samples()
    for turn in range(turns + WARM_UP_TURNS):
        on_progress(turn / (turns + WARM_UP_TURNS))
        await _one_turn(
            visit, outside, turn, sound, samples if turn >= WARM_UP_TURNS else Samples()
        )
    return samples


async def _one_turn(
    visit: Visit, outside: World, turn: int, sound: Loudness, samples: Samples
) -> None:
    sound.packets.clear()
    _, number = await visit.chat(outside.begin(turn))
    if await visit.event("turn", number, ANSWER_SEC) is None:
        raise VisitError(f"no answer came to its end within {ANSWER_SEC:.0f} s")
    await asyncio.sleep(0.2)  # what was sent has to arrive
    _complain(visit, outside, number)
    aside, answer = sound.first_after(outside.called), sound.first_after(outside.pages)
    if aside is None or answer is None:
        raise VisitError("nothing was heard of an answer")
    samples.call_to_sound.append(1000 * (aside[0] - outside.called))
    samples.pages_to_request.append(1000 * (outside.told - outside.pages))
    arrivals = (arrival for arrival, *_ in sound.packets)
    if any(outside.pages - ASIDE_TAIL_SEC < arrival <= outside.pages for arrival in arrivals):
        samples.overlapping += 1
    else:
        samples.pages_to_sound.append(1000 * (answer[0] - outside.pages))


def _complain(visit: Visit, outside: World, turn: int) -> None:
    """Raises VisitError when it was no search that was measured."""
    for _, message in visit.events:
        if message["type"] == "error":
            raise VisitError(str(message["message"]["en"]))
    if not (outside.called and outside.pages and outside.told):
        raise VisitError("the web was not searched, or its pages were not read")
    shown = [
        m["sources"] for _, m in visit.events if (m["type"], m.get("turn")) == ("sources", turn)
    ]
    if not shown:
        raise VisitError("an answer came without its sources")


async def run_tools(
    turns: int, on_progress: Callable[[float], None], **settings: Any
) -> dict[str, Any]:
    """Measure the product with a model, a search service and a web of our own.

    Raises:
        ServerDied, VisitError: when the product does not do its part.
    """
    async with world() as outside:
        # Starting waits for the other process without giving our own servers a turn.
        running = running_server("product", **outside.settings, **settings)
        server = await asyncio.to_thread(running.__enter__)
        try:
            async with visiting(server.url) as visit:
                began = time.monotonic()
                samples = await measure(visit, outside, turns, on_progress)
        finally:
            await asyncio.to_thread(running.__exit__, None, None, None)
    return {"turns": turns, "seconds": round(time.monotonic() - began, 1), **samples.as_json()}
