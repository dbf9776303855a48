"""Servers that speak what live platforms speak: Twitch's IRC, YouTube's Data API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

WELCOME = (
    ":tmi.twitch.tv CAP * ACK :twitch.tv/tags twitch.tv/commands",
    ":tmi.twitch.tv 001 {nick} :Welcome, GLHF!",
    ":tmi.twitch.tv 376 {nick} :>",
    ":{nick}!{nick}@{nick}.tmi.twitch.tv JOIN #{channel}",
    ":{nick}.tmi.twitch.tv 353 {nick} = #{channel} :{nick}",
    ":{nick}.tmi.twitch.tv 366 {nick} #{channel} :End of /NAMES list",
)


@dataclass
class TwitchServer:
    """commands: what clients sent. joined: set when one is in a channel."""

    url: str = ""
    commands: list[str] = field(default_factory=list)
    joined: asyncio.Event = field(default_factory=asyncio.Event)
    connections: int = 0
    _writer: asyncio.StreamWriter | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writer = writer
        nick = ""
        while line := (await reader.readline()).decode().strip():
            self.commands.append(line)
            command, _, argument = line.partition(" ")
            if command == "NICK":
                nick = argument
            elif command == "JOIN":
                for answer in WELCOME:
                    self.send(answer.format(nick=nick, channel=argument.lstrip("#")))
                self.joined.set()
        writer.close()

    def send(self, line: str, end: str = "\r\n") -> None:
        assert self._writer is not None
        self._writer.write((line + end).encode())

    def write(self, who: str, text: str, **tags: str) -> None:
        """A viewer writes, as Twitch tells it."""
        told = {"badge-info": "", "color": "#1E90FF", "display-name": who, "id": who + text, **tags}
        written = ";".join(f"{k.replace('_', '-')}={_escaped(v)}" for k, v in told.items())
        host = f"{who.lower()}!{who.lower()}@{who.lower()}.tmi.twitch.tv"
        self.send(f"@{written} :{host} PRIVMSG #mien :{text}")

    def hang_up(self) -> None:
        assert self._writer is not None
        self._writer.close()
        self.joined.clear()


def _escaped(value: str) -> str:
    """IRCv3 message tags, "Escaping values"."""
    for plain, escaped in (("\\", r"\\"), (";", r"\:"), (" ", r"\s")):
        value = value.replace(plain, escaped)
    return value


@asynccontextmanager
async def twitch_server() -> AsyncIterator[TwitchServer]:
    running = TwitchServer()
    server = await asyncio.start_server(running.serve, "127.0.0.1", 0)
    running.url = f"irc://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield running
        if running._writer is not None:
            running._writer.close()


@dataclass
class YouTubeServer:
    """pages: what liveChat/messages answers, one per call, the last one again and again."""

    url: str = ""
    requests: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)
    chat: str | None = "chat-1"
    pages: list[dict[str, Any] | tuple[int, dict[str, Any]]] = field(default_factory=list)

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if path == "/videos":
            details = {"activeLiveChatId": self.chat} if self.chat else {}
            return 200, {"items": [{"liveStreamingDetails": details}]}
        page = self.pages.pop(0) if len(self.pages) > 1 else self.pages[0]
        return page if isinstance(page, tuple) else (200, page)


@asynccontextmanager
async def youtube_server() -> AsyncIterator[YouTubeServer]:
    running = YouTubeServer()
    server = await asyncio.start_server(_http(running), "127.0.0.1", 0)
    running.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield running


def _http(
    running: YouTubeServer,
) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        url = urlsplit(head[0].split()[1])
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
        running.requests.append((url.path, query, headers))
        status, answer = running.answer(url.path, query)
        body = json.dumps(answer).encode()
        lines = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\n"
        writer.write(f"{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    return serve
