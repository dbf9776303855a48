"""Runs what a model calls; whatever goes wrong is told to the model, and ends nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, TypeAlias

from loguru import logger

from mien.tools.arguments import arguments_of, conformed
from mien.tools.contract import Tool, ToolCall, ToolContext, ToolError, ToolResult, ToolSpec
from mien.tools.untrusted import fenced

State: TypeAlias = Literal["begun", "done", "failed"]
OnState: TypeAlias = Callable[[ToolCall, ToolSpec, State], Awaitable[None]]

# Of one answer to a request. More is a model that has lost its way.
MOST_CALLS = 8
# Some 6000 tokens of English: tools keep their own budgets, this is for those that do not.
MOST_CHARACTERS = 24_000
_GO_ON = "Answer without it and say briefly what you could not do."


class ToolRunner:
    """The tools of one answer.

    tools: those the role may use; of two of one name the first is meant. context: shared by the
    calls. granted: see ``AskFrame``; calls with effects wait for it. on_state: told of each call
    that is run.

    Attributes:
        untrusted: something from outside was read: nothing with effects is done any more.
    """

    def __init__(
        self,
        tools: Sequence[Tool],
        context: ToolContext,
        granted: asyncio.Event,
        on_state: OnState,
    ) -> None:
        self._tools: dict[str, Tool] = {}
        for tool in tools:
            self._tools.setdefault(tool.spec.name, tool)
        self._context = context
        self._granted = granted
        self._on_state = on_state
        self.untrusted = False

    @property
    def offered(self) -> list[ToolSpec]:
        """What the model may call now."""
        specs = (tool.spec for tool in self._tools.values())
        return [spec for spec in specs if not (spec.effects and self.untrusted)]

    async def run(self, calls: Sequence[ToolCall]) -> list[str]:
        """What each came to, for the model, in the order of the calls. All run at once.

        Cancelling it cancels all of them.
        """
        barred = self.untrusted  # what was decided before anything was read is ours
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(self._told(call, barred), name=f"tool {call.name}")
                for call in calls[:MOST_CALLS]
            ]
        too_many = f"Error: more than {MOST_CALLS} calls at once; this one was not made."
        return [task.result() for task in running] + [too_many] * (len(calls) - len(running))

    async def _told(self, call: ToolCall, barred: bool) -> str:
        tool = self._tools.get(call.name)
        if tool is None:
            names = ", ".join(spec.name for spec in self.offered)
            return f"Error: there is no tool {call.name!r}. There are: {names}. {_GO_ON}"
        spec = tool.spec
        if spec.effects and barred:
            return (
                f"Error: {spec.name} is not available once something from outside was read in "
                f"this turn. {_GO_ON} The user can ask for it in a message of their own."
            )
        try:
            arguments = conformed(arguments_of(call.arguments), spec.parameters)
        except ToolError as e:
            return f"Error: {e}"
        if spec.effects:
            await self._granted.wait()
        await self._on_state(call, spec, "begun")
        try:
            async with asyncio.timeout(spec.timeout_sec):
                result = await tool.run(arguments, self._context)
        except ToolError as e:
            problem = self._fenced(spec, str(e)) if e.untrusted else str(e)
        except TimeoutError:
            problem = f"{spec.name} took longer than {spec.timeout_sec:g} s. {_GO_ON}"
        except Exception as e:  # a bug of a tool must not end the answer
            logger.opt(exception=True).warning(f"tool {spec.name}: {type(e).__name__}")
            problem = f"{spec.name} failed ({type(e).__name__}). {_GO_ON}"
        else:
            await self._on_state(call, spec, "done")
            return self._shown(spec, result)
        await self._on_state(call, spec, "failed")
        logger.info(f"tool {spec.name}: {problem[:200]}")
        return f"Error: {problem}"

    def _shown(self, spec: ToolSpec, result: ToolResult) -> str:
        text = result.text[:MOST_CHARACTERS]
        if len(result.text) > MOST_CHARACTERS:
            text += "\n(cut here: too long)"
        if result.untrusted:
            text = self._fenced(spec, text)
        told = "\n".join(filter(None, (result.note, text)))
        return told or "Done; there is nothing to report."

    def _fenced(self, spec: ToolSpec, text: str) -> str:
        self.untrusted = True
        return fenced(text, spec.name)
