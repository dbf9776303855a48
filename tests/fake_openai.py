"""A local server that speaks the OpenAI chat-completions wire format, well or badly on purpose.

    async with FakeOpenAI(Scenario("text", text="Hello.", token_delay_s=0.05)) as fake:
        settings = LLMSettings(base_url=fake.url, api_key="k", model="fake")
        ...
        assert fake.requests[0].disconnected

It is written on raw asyncio streams, not on a web framework, because the cases that matter
(a character cut in two by a TCP write, a reset in mid-stream, a client that hangs up) are
below what a framework lets one control. Every connection serves one request, unless the scenario
says otherwise.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any

from fake_tool_calls import DIALECTS, Call, deltas, finish_reason

#: Everything `Scenario.kind` may be, with what the server then does.
KINDS: dict[str, str] = {
    "text": "stream `text` token by token",
    "whole_body": "answer with one JSON object instead of a stream",
    "reasoning": "stream `reasoning` as delta.reasoning_content, then `text`",
    "reasoning_vllm": "the same with delta.reasoning, as newer vLLM names it",
    "think": "put <think>reasoning</think> inside delta.content, cut into single characters",
    "think_unopened": "reasoning</think> without the opening tag",
    "noisy": "keep-alive comments, empty choices, null content, CRLF and unknown fields",
    "no_done": "no `data: [DONE]` at the end, but a finish_reason",
    "no_finish": "neither [DONE] nor finish_reason: the stream just ends",
    "finish": "the stream ends with finish_reason=`finish_reason`",
    "empty": "a correct stream without any content",
    "error": "HTTP `status` with the JSON `body`",
    "error_text": "HTTP `status` with an HTML page",
    "error_midstream": "`text`, then an error object inside the stream, HTTP 200",
    "hang": "accept the request and never answer",
    "hang_headers": "send the headers and keep-alive comments, never a token",
    "hang_midstream": "send `text`, then nothing more, connection open",
    "cut": "send `text`, then reset the connection",
    "close_unanswered": "read the request and close without a byte",
    "malformed": "a line of broken JSON between the tokens",
    "garbage": "HTTP 200 with an HTML page",
    "utf8_split": "write the stream byte by byte, so that every character is cut",
    "characters": "stream `text` one character at a time, so that every tag is cut",
    "tool_call": "answer with a tool call and no text",
    "calls": "say `before`, then call the tools of `calls` as `dialect` has it",
}


@dataclass(frozen=True)
class Scenario:
    """What the server does with one request. Times are in seconds."""

    kind: str = "text"
    text: str = "Hello from the fake model."
    reasoning: str = "The user greets me. I should greet back."
    token_delay_s: float = 0.0
    first_delay_s: float = 0.0
    status: int = 500
    body: dict[str, Any] | None = None
    finish_reason: str = "stop"
    keep_alive: bool = False  #: after a stream, the connection serves the next request
    calls: tuple[Call, ...] = ()
    dialect: str = "openai"
    before: str = ""
    hold: asyncio.Event | None = None  #: waited for behind the first fragment of a call

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {sorted(KINDS)}, got {self.kind!r}")
        if self.dialect not in DIALECTS:
            raise ValueError(f"dialect must be one of {sorted(DIALECTS)}, got {self.dialect!r}")


@dataclass
class RecordedRequest:
    """One request as it arrived, and how it ended."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    disconnected: bool = False  #: the client hung up before the answer was complete
    finished: bool = False  #: the whole scenario was played
    tokens_sent: int = 0
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def messages(self) -> list[dict[str, Any]]:
        return list(self.body.get("messages", []))


class FakeOpenAI:
    """The server, as an async context manager on 127.0.0.1 and a free port.

    The scenario of a request is, first match wins: the one queued with `enqueue`; the one named by
    the model, as `fake:<kind>`; what a callable passed as `scenario` returns; the default.
    """

    def __init__(
        self, scenario: Scenario | Callable[[RecordedRequest], Scenario] | None = None
    ) -> None:
        self.scenario: Scenario | Callable[[RecordedRequest], Scenario] = scenario or Scenario()
        self.requests: list[RecordedRequest] = []
        self.connections = 0  #: ever taken
        self.open_connections = 0
        self._queue: list[Scenario] = []
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    async def __aenter__(self) -> FakeOpenAI:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        """The base URL to configure, without a trailing slash."""
        assert self._server is not None, "use FakeOpenAI as a context manager"
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    def enqueue(self, *scenarios: Scenario) -> None:
        """Play these for the next requests, in order, before anything else."""
        self._queue.extend(scenarios)

    async def wait_idle(self, timeout_s: float = 2.0) -> None:
        """Return when no connection is open; TimeoutError if one survives."""
        await asyncio.wait_for(self._idle.wait(), timeout_s)

    def _choose(self, request: RecordedRequest) -> Scenario:
        if self._queue:
            return self._queue.pop(0)
        model = str(request.body.get("model", ""))
        if model.startswith("fake:"):
            base = self.scenario if isinstance(self.scenario, Scenario) else Scenario()
            return replace(base, kind=model.removeprefix("fake:"))
        return self.scenario if isinstance(self.scenario, Scenario) else self.scenario(request)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self.open_connections += 1
        self._idle.clear()
        request: RecordedRequest | None = None
        try:
            while True:
                request = await _read_request(reader)
                self.requests.append(request)
                if not await self._play_until_hangup(request, reader, writer):
                    break
                request.closed.set()
                request = None
        except (ConnectionError, asyncio.IncompleteReadError):
            if request is not None:
                request.disconnected = True
        except asyncio.CancelledError:
            pass  # the test is over; the connection closes below
        finally:
            if request is not None:
                request.closed.set()
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()
            self.open_connections -= 1
            if not self.open_connections:
                self._idle.set()
            self._tasks.discard(task)

    async def _play_until_hangup(
        self,
        request: RecordedRequest,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        """Whether the connection can be used again."""
        scenario = self._choose(request)
        play = asyncio.create_task(_play(scenario, request, writer))
        hangup = asyncio.create_task(_wait_for_eof(reader))
        try:
            await asyncio.wait({play, hangup}, return_when=asyncio.FIRST_COMPLETED)
            if play.done():
                play.result()
                request.finished = True
            else:
                request.disconnected = True
            return scenario.keep_alive and request.finished
        finally:
            for task in (play, hangup):
                task.cancel()
            await asyncio.gather(play, hangup, return_exceptions=True)


async def _wait_for_eof(reader: asyncio.StreamReader) -> None:
    # Reading would notice as well, but could take the first byte of the next request.
    while not reader.at_eof() and reader.exception() is None:  # noqa: ASYNC110
        await asyncio.sleep(0.005)


async def _read_request(reader: asyncio.StreamReader) -> RecordedRequest:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
    raw = await reader.readexactly(int(headers.get("content-length", "0")))
    body = json.loads(raw) if raw else {}
    return RecordedRequest(method, path, headers, body)


async def _play(scenario: Scenario, request: RecordedRequest, writer: asyncio.StreamWriter) -> None:
    kind = scenario.kind
    await asyncio.sleep(scenario.first_delay_s)
    if kind == "hang":
        await asyncio.Event().wait()
    elif kind == "close_unanswered":
        return
    elif kind == "error":
        body = scenario.body or {"error": {"message": "made to fail", "code": scenario.status}}
        await _write_whole(writer, scenario.status, "application/json", json.dumps(body))
    elif kind == "error_text":
        await _write_whole(writer, scenario.status, "text/html", "<html>Bad gateway</html>")
    elif kind == "garbage":
        await _write_whole(writer, 200, "text/html", "<html><body>Log in first</body></html>")
    elif kind == "whole_body":
        message = {"role": "assistant", "content": scenario.text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        body = {"object": "chat.completion", "choices": [choice], "usage": _USAGE}
        await _write_whole(writer, 200, "application/json", json.dumps(body))
    else:
        await _write_stream(scenario, request, writer)


async def _write_stream(
    scenario: Scenario, request: RecordedRequest, writer: asyncio.StreamWriter
) -> None:
    connection = b"keep-alive" if scenario.keep_alive else b"close"
    writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
        b"Transfer-Encoding: chunked\r\nConnection: " + connection + b"\r\n\r\n"
    )
    async for piece in _events(scenario, request):
        data = piece.encode()
        step = 1 if scenario.kind == "utf8_split" else len(data)
        for start in range(0, len(data), step):
            part = data[start : start + step]
            writer.write(b"%x\r\n%s\r\n" % (len(part), part))
            await writer.drain()
            if step == 1:
                await asyncio.sleep(0)  # one write, one TCP segment, as far as possible
    if scenario.kind == "cut":
        await writer.drain()
        await asyncio.sleep(0.02)  # let the client read what was sent before the reset
        writer.transport.abort()
        return
    writer.write(b"0\r\n\r\n")
    await writer.drain()


_USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


async def _events(scenario: Scenario, request: RecordedRequest) -> AsyncIterator[str]:
    kind = scenario.kind
    eol = "\r\n" if kind == "noisy" else "\n"

    def event(payload: dict[str, Any]) -> str:
        return f"data: {json.dumps(payload, ensure_ascii=False)}{eol}{eol}"

    def delta(fields: dict[str, Any], finish: str | None = None) -> str:
        choice = {"index": 0, "delta": fields, "finish_reason": finish}
        return event({"object": "chat.completion.chunk", "model": "fake", "choices": [choice]})

    if kind == "hang_headers":
        while True:
            yield f": keep-alive{eol}{eol}"
            await asyncio.sleep(0.05)
    if kind == "noisy":
        yield f": keep-alive{eol}{eol}event: message{eol}id: 7{eol}retry: 10{eol}"
        yield event({"choices": [], "usage": None})
        yield event({"choices": [{"index": 0}]})
        yield event({"choices": [{"index": 0, "delta": {"content": None, "mood": "odd"}}]})
    yield delta({"role": "assistant", "content": ""})
    if kind in ("reasoning", "reasoning_vllm") or scenario.dialect == "deepseek":
        name = "reasoning" if kind == "reasoning_vllm" else "reasoning_content"
        for token in tokens(scenario.reasoning):
            yield delta({name: token, "content": None})
            await asyncio.sleep(scenario.token_delay_s)
    if kind == "tool_call":
        call = {"name": "look_up", "arguments": '{"q":"x"}'}
        yield delta({"tool_calls": [{"index": 0, "id": "c1", "function": call}]})
        yield delta({}, "tool_calls")
        yield "data: [DONE]\n\n"
        return
    if kind == "calls":
        for token in tokens(scenario.before):
            yield delta({"content": token})
        for at, fields in enumerate(deltas(scenario.calls, scenario.dialect)):
            yield delta(fields)
            if at == 0 and scenario.hold is not None:
                await scenario.hold.wait()
            await asyncio.sleep(scenario.token_delay_s)
        yield delta({}, finish_reason(scenario.dialect))
        yield "data: [DONE]\n\n"
        return
    pieces = [] if kind == "empty" else tokens(scenario.text)
    if kind == "characters":
        pieces = list(scenario.text)
    elif kind == "think":
        pieces = list(f"<think>{scenario.reasoning}</think>\n\n{scenario.text}")
    elif kind == "think_unopened":
        pieces = tokens(f"{scenario.reasoning}</think>{scenario.text}")
    for i, token in enumerate(pieces):
        if kind == "malformed" and i == 1:
            yield f'data: {{"choices": [{{"delta": {{"con{eol}{eol}'
        if kind == "noisy":
            yield f": keep-alive{eol}{eol}"
        yield delta({"content": token})
        request.tokens_sent += 1
        await asyncio.sleep(scenario.token_delay_s)
    if kind == "hang_midstream":
        await asyncio.Event().wait()
    if kind == "cut":
        return
    if kind == "error_midstream":
        yield event({"error": scenario.body or {"message": "overloaded", "code": "1305"}})
        return
    if kind != "no_finish":
        yield delta({}, scenario.finish_reason)
        yield event({"choices": [], "usage": _USAGE})
    if kind not in ("no_done", "no_finish"):
        yield f"data: [DONE]{eol}{eol}"


def tokens(text: str) -> list[str]:
    """Cut text as models stream it: words with the space before them, single CJK characters."""
    pieces: list[str] = []
    for ch in text:
        starts_new = not pieces or ch == " " or ord(ch) > 0x2E80 or ord(pieces[-1][-1]) > 0x2E80
        if starts_new:
            pieces.append(ch)
        else:
            pieces[-1] += ch
    return pieces


async def _write_whole(
    writer: asyncio.StreamWriter, status: int, content_type: str, text: str
) -> None:
    data = text.encode()
    head = (
        f"HTTP/1.1 {status} Status\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(data)}\r\nConnection: close\r\n\r\n"
    )
    writer.write(head.encode() + data)
    await writer.drain()
