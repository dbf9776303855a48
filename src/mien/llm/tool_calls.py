"""Assembles the tool calls of a streamed answer, whatever the server made of them."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mien.tools.arguments import arguments_of
from mien.tools.contract import ToolCall, ToolError

# "functions.web_search:0" (Kimi), "default_api.web_search" (Gemini), "web-search".
_NAMESPACE = re.compile(r"^.*[./:](?=\w)")
_NUMBER = re.compile(r":\d+$")


def called_name(name: str, known: Collection[str]) -> str:
    """The tool that is meant: without namespace and number, as one of ``known`` if it is one."""
    if name in known:
        return name
    bare = _NAMESPACE.sub("", _NUMBER.sub("", name.strip()))
    return bare if bare in known else bare.lower().replace("-", "_")


@dataclass
class _Begun:
    id: str = ""
    name: str = ""
    arguments: str = ""

    @property
    def whole(self) -> bool:
        """Whether its arguments are an object already."""
        try:
            return bool(self.arguments.strip()) and isinstance(json.loads(self.arguments), dict)
        except (ValueError, RecursionError):
            return False


class ToolCallAssembler:
    """Takes fragments of calls as they come, gives calls when the answer is over.

    By the API each fragment has the ``index`` of its call, and the first one ``id`` and name.
    Servers leave out any of these: a new id begins a new call at the same index, and so does a
    name when the call there is whole or has a complete name.

    Args:
        known: The names of the tools that were offered.
    """

    def __init__(self, known: Collection[str] = ()) -> None:
        self._known = frozenset(known)
        self._begun: list[_Begun] = []
        self._at: dict[int, _Begun] = {}  # by index, the call that fragments belong to

    def add(self, fragments: Iterable[Mapping[str, Any]]) -> None:
        """One delta's ``tool_calls``."""
        for fragment in fragments:
            function = fragment.get("function")
            # A few send name and arguments beside the id.
            fields = function if isinstance(function, Mapping) else fragment
            self._take(
                fragment.get("index"),
                str(fragment.get("id") or ""),
                str(fields.get("name") or ""),
                fields.get("arguments"),
            )

    def _take(self, index: Any, id: str, name: str, arguments: Any) -> None:
        at = index if isinstance(index, int) else -1
        call = self._at.get(at)
        if call is None and at < 0 and not (id or name) and self._begun:
            call = self._begun[-1]
        if call is None or self._is_new(call, id, name):
            call = self._at[at] = _Begun()
            self._begun.append(call)
        call.id = call.id or id
        if name and not self._named(call) and call.name != name:
            call.name += name
        if isinstance(arguments, str):
            call.arguments += arguments
        elif arguments is not None:
            call.arguments = json.dumps(arguments, ensure_ascii=False)

    def _is_new(self, call: _Begun, id: str, name: str) -> bool:
        if id and call.id:
            # Without a name it is more of the same: some servers make up an id for each fragment.
            return id != call.id and (bool(name) or call.whole)
        if not name or not call.name:
            return False
        return call.whole or (name != call.name and self._named(call))

    def _named(self, call: _Begun) -> bool:
        return called_name(call.name, self._known) in self._known

    def __len__(self) -> int:
        return len(self._begun)

    @property
    def names(self) -> list[str]:
        """The known tools among the calls so far."""
        return [called_name(call.name, self._known) for call in self._begun if self._named(call)]

    def calls(self) -> list[ToolCall]:
        """The calls, each with an id of its own; those without any name are left out."""
        ids: set[str] = set()
        made = []
        for call in self._begun:
            if not call.name:
                continue
            id = call.id if call.id and call.id not in ids else f"call_{uuid.uuid4().hex[:16]}"
            ids.add(id)
            made.append(ToolCall(id, called_name(call.name, self._known), call.arguments))
        return made


def messages_of(
    calls: Iterable[ToolCall], results: Iterable[str], *, content: str = "", **fields: Any
) -> list[dict[str, Any]]:
    """The calls and what they came to, as messages of the API.

    content: what was said before them. fields: further ones of the assistant's message.
    """
    calls = list(calls)
    wanted = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": _valid(call.arguments)},
        }
        for call in calls
    ]
    asked = {"role": "assistant", "content": content, "tool_calls": wanted, **fields}
    told = [
        {"role": "tool", "tool_call_id": call.id, "content": result}
        for call, result in zip(calls, results, strict=True)
    ]
    return [asked, *told]


def _valid(arguments: str) -> str:
    """Templates that read the arguments again fail on anything else than an object."""
    try:
        return json.dumps(arguments_of(arguments), ensure_ascii=False)
    except ToolError:
        return "{}"
