"""Twitch chat by its IRC interface, read anonymously: no account, no key.

https://dev.twitch.tv/docs/chat/irc (RFC 1459 with IRCv3 message tags). It also reads any other IRC
server's channel.
"""

from __future__ import annotations

import asyncio
import random
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mien.live.chat.connector import ChatError, ChatMessage, Deliver
from mien.live.rules import PAID

SERVER = "ircs://irc.chat.twitch.tv:6697"
CONNECT_SEC = 15.0
# Twitch asks for a sign of life every five minutes; we ask when it has been silent for longer.
SILENCE_SEC, ANSWER_SEC = 330.0, 15.0
# Tags take up to 8 kB, the message 512 bytes.
MAX_LINE = 16_384
# 100 bits are about a dollar.
MANY_BITS = 500

_CHANNEL = re.compile(r"[A-Za-z0-9_]{1,25}")
_SERVER = re.compile(r"(ircs?)://([^/:]+)(?::(\d+))?/?")
_ESCAPES = {":": ";", "s": " ", "\\": "\\", "r": "\r", "n": "\n"}
_HIGHLIGHTED = 6


@dataclass(frozen=True, slots=True)
class IrcLine:
    """One message: tags without their escapes, the nickname it is from, command, parameters."""

    command: str
    params: tuple[str, ...] = ()
    nick: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


def parse_line(line: str) -> IrcLine:
    """RFC 1459 §2.3.1 and IRCv3 message tags. Malformed lines give an empty command."""
    tags: dict[str, str] = {}
    nick = ""
    if line.startswith("@"):
        written, _, line = line[1:].partition(" ")
        for tag in written.split(";"):
            key, _, value = tag.partition("=")
            tags[key] = re.sub(
                r"\\(.?)", lambda match: _ESCAPES.get(match[1], match[1]), value, flags=re.S
            )
    line = line.lstrip(" ")
    if line.startswith(":"):
        prefix, _, line = line[1:].partition(" ")
        nick = prefix.partition("!")[0]
    head, colon, trailing = line.lstrip(" ").partition(" :")
    words = head.split()
    params = (*words[1:], trailing) if colon else tuple(words[1:])
    return IrcLine(words[0].upper() if words else "", params, nick, tags)


def message_of(line: IrcLine) -> ChatMessage | None:
    """What a viewer wrote, or did for the channel; None for anything else."""
    if len(line.params) < (2 if line.command == "PRIVMSG" else 1):
        return None
    tags = line.tags
    author = tags.get("display-name") or tags.get("login") or line.nick
    if line.command == "PRIVMSG":
        text = _words(line.params[1], tags)
        bits = int(tags["bits"]) if tags.get("bits", "").isdigit() else 0
        priority = None
        if bits:
            priority = PAID + (bits >= MANY_BITS)
        elif tags.get("msg-id") == "highlighted-message":
            priority = _HIGHLIGHTED
    elif line.command == "USERNOTICE" and "system-msg" in tags:
        # A subscription, a gift, a raid: Twitch says what, the viewer may have added words.
        said = line.params[1] if len(line.params) > 1 else ""
        text, priority = f"{tags['system-msg']} {_words(said, tags)}".strip(), PAID
    else:
        return None
    return ChatMessage(tags.get("id", ""), author, text, priority) if text else None


def _words(text: str, tags: Mapping[str, str]) -> str:
    """Without emotes, the name that a reply begins with, and the frame of /me."""
    spans = re.findall(r"(\d+)-(\d+)", tags.get("emotes", ""))
    if text.startswith("\x01ACTION "):
        text = text[8:].rstrip("\x01")
    for begin, last in sorted(((int(b), int(e)) for b, e in spans), reverse=True):
        text = text[:begin] + text[last + 1 :]
    if "reply-parent-msg-id" in tags and text.startswith("@"):
        text = text.partition(" ")[2]
    return " ".join(text.split())


class TwitchReader:
    """Reads a channel's chat. server: ircs://host:port, or irc:// without TLS.

    Raises ChatError for a name that no channel can have.
    """

    def __init__(self, channel: str, server: str = SERVER) -> None:
        name = channel.strip().removeprefix("https://www.twitch.tv/").strip("/#@")
        match = _SERVER.fullmatch(server)
        if not _CHANNEL.fullmatch(name) or match is None:
            raise ChatError(
                f"{channel!r} is no Twitch channel; write its name as in twitch.tv/NAME",
                f"{channel!r} 不是 Twitch 频道名；请写 twitch.tv/名称 中的名称",
                retryable=False,
            )
        self.channel = name.lower()
        self._tls = ssl.create_default_context() if match[1] == "ircs" else None
        self._host = match[2]
        self._port = int(match[3] or (6697 if self._tls else 6667))

    @property
    def label(self) -> str:
        return f"twitch:{self.channel}"

    async def read(self, deliver: Deliver, on_joined: Callable[[], None]) -> None:
        """See ``ChatReader``."""
        try:
            async with asyncio.timeout(CONNECT_SEC):
                reader, writer = await asyncio.open_connection(
                    self._host, self._port, ssl=self._tls, limit=MAX_LINE
                )
        except TimeoutError:
            raise ChatError(
                f"{self._host}:{self._port} does not answer", f"{self._host}:{self._port} 无响应"
            ) from None
        try:
            nick = f"justinfan{random.randrange(10_000, 99_999)}"  # the name of anonymous readers
            for command in (
                "CAP REQ :twitch.tv/tags twitch.tv/commands",
                "PASS anonymous",
                f"NICK {nick}",
                f"JOIN #{self.channel}",
            ):
                writer.write(f"{command}\r\n".encode())
            await writer.drain()
            while True:
                line = parse_line(await self._line(reader, writer))
                await self._handle(line, writer, deliver, on_joined)
        finally:
            writer.close()

    async def _line(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        for patience in (SILENCE_SEC, ANSWER_SEC):
            try:
                async with asyncio.timeout(patience):
                    raw = await reader.readline()
            except TimeoutError:
                writer.write(b"PING :mien\r\n")
                continue
            except ValueError:
                raise ChatError("a line was too long", "收到过长的一行") from None
            if not raw.endswith(b"\n"):
                raise ChatError("the server closed the connection", "服务器断开了连接")
            return raw.decode("utf-8", "replace").rstrip("\r\n")
        raise ChatError("the server has fallen silent", "服务器没有响应")

    async def _handle(
        self,
        line: IrcLine,
        writer: asyncio.StreamWriter,
        deliver: Deliver,
        on_joined: Callable[[], None],
    ) -> None:
        if line.command == "PING":
            writer.write(f"PONG :{line.params[-1] if line.params else ''}\r\n".encode())
        elif line.command == "366":  # the end of the list of names: we are in
            on_joined()
        elif line.command == "RECONNECT":
            raise ChatError("the server asks to connect anew", "服务器要求重新连接")
        elif line.command == "NOTICE" and line.tags.get("msg-id") in ("msg_channel_suspended",):
            raise ChatError(
                f"the channel {self.channel} is suspended",
                f"频道 {self.channel} 已被封停",
                retryable=False,
            )
        elif (message := message_of(line)) is not None:
            await deliver(message)
