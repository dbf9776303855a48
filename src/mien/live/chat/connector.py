"""The seam for a platform's chat: a reader delivers what viewers write, until it is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from loguru import logger

from mien.live.errors import LiveError

RETRY_SEC = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


class ChatError(LiveError):
    """A chat cannot be read. retryable: whether trying again can help."""

    def __init__(self, message: str, zh: str, *, retryable: bool = True) -> None:
        super().__init__(message, zh)
        self.retryable = retryable


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """What somebody wrote. id: the platform's. priority: 0…10, None for an ordinary message."""

    id: str
    author: str
    text: str
    priority: int | None = None


Deliver = Callable[[ChatMessage], Awaitable[None]]


class ChatReader(Protocol):
    """One chat. label: for people and logs; never holds a secret."""

    @property
    def label(self) -> str: ...

    async def read(self, deliver: Deliver, on_joined: Callable[[], None]) -> None:
        """Connect, call ``on_joined``, and deliver what is written from then on.

        Runs until it is cancelled. Raises ChatError, or an OSError of the network.
        """
        ...


async def keep_reading(
    reader: ChatReader,
    deliver: Deliver,
    on_joined: Callable[[], None] = lambda: None,
    on_trouble: Callable[[LiveError, float], None] | None = None,
) -> None:
    """Read until cancelled, connecting anew whenever the chat is lost.

    on_trouble: is told what went wrong and in how many seconds it is tried again.

    Raises ChatError when trying again is of no use.
    """
    failures = 0

    def joined() -> None:
        nonlocal failures
        failures = 0
        on_joined()

    while True:
        try:
            await reader.read(deliver, joined)
            error = ChatError("the connection was closed", "连接已断开")
        except ChatError as lost:
            if not lost.retryable:
                raise
            error = lost
        except OSError as lost:
            error = ChatError(f"the network: {lost}", f"网络：{lost}")
        except Exception as bug:  # what one message does to us must not silence all others
            logger.exception(f"{reader.label} stumbled")
            error = ChatError(f"an error of ours: {bug}", f"程序出错：{bug}")
        wait = RETRY_SEC[min(failures, len(RETRY_SEC) - 1)]
        failures += 1
        if on_trouble is None:
            logger.warning(f"{reader.label}: {error}; again in {wait:g} s")
        else:
            on_trouble(error, wait)
        await asyncio.sleep(wait)


def reader_of(address: str, server: str | None = None) -> ChatReader:
    """The reader for "twitch:CHANNEL" or "youtube:VIDEO". server: another than the platform's own.

    Raises ChatError saying what to write, or which key is missing.
    """
    platform, _, name = address.partition(":")
    platform, name = platform.strip().lower(), name.strip()
    if name and platform == "twitch":
        from mien.live.chat.twitch import SERVER, TwitchReader

        return TwitchReader(name, server or SERVER)
    if name and platform == "youtube":
        from mien.live.chat.youtube import API, YouTubeReader

        return YouTubeReader(name, api=server or API)
    raise ChatError(
        f"there is no reader for {address!r}; write twitch:CHANNEL or youtube:VIDEO. "
        "Any other chat: POST its messages to /api/v1/sessions/live/messages (docs/live-host.md)",
        f"无法读取 {address!r}；可写 twitch:频道 或 youtube:视频。"
        "其他平台：把弹幕 POST 到 /api/v1/sessions/live/messages（见 docs/live-host.md）",
        retryable=False,
    )
