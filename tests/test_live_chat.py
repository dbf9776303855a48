"""Readers of live chats, each against a real server that speaks its platform's language."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat_servers import twitch_server, youtube_server
from mien.live.chat import connector
from mien.live.chat.connector import (
    ChatError,
    ChatMessage,
    ChatReader,
    keep_reading,
    reader_of,
)
from mien.live.chat.twitch import TwitchReader, message_of, parse_line
from mien.live.chat.youtube import YouTubeReader
from mien.live.errors import LiveError


@asynccontextmanager
async def reading(
    reader: ChatReader, on_trouble: Callable[[LiveError, float], None] | None = None
) -> AsyncIterator[list[ChatMessage]]:
    """What is delivered while the block lasts."""
    delivered: list[ChatMessage] = []

    async def deliver(message: ChatMessage) -> None:
        delivered.append(message)

    task = asyncio.create_task(keep_reading(reader, deliver, on_trouble=on_trouble))
    try:
        yield delivered
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


# -- Twitch ----------------------------------------------------------------------------------


async def test_twitch_chat_is_read_without_an_account() -> None:
    async with twitch_server() as twitch, reading(TwitchReader("#Mien", twitch.url)) as heard:
        await asyncio.wait_for(twitch.joined.wait(), 20)
        assert twitch.commands[0] == "CAP REQ :twitch.tv/tags twitch.tv/commands"
        assert twitch.commands[2].startswith("NICK justinfan")
        assert twitch.commands[3] == "JOIN #mien"
        twitch.write("Ann", "hello there")
        twitch.write("小明", "这个多少钱？")
        twitch.write("Bob", "Cheer100 take it", bits="100")
        twitch.write("Cid", "Cheer5000 wow", bits="5000")
        twitch.write("Dan", "Kappa hi Kappa", emotes="25:0-4,9-13")
        twitch.write("Eve", "@Mei how are you?", reply_parent_msg_id="1")
        twitch.write("Fay", "\x01ACTION waves\x01")
        twitch.write("Gus", "look", msg_id="highlighted-message")
        twitch.write("Kim", "Kappa", emotes="25:0-4")
        twitch.send(
            r"@display-name=Hal;id=9;msg-id=resub;system-msg=Hal\ssubscribed\sfor\s3\smonths! "
            ":tmi.twitch.tv USERNOTICE #mien :love it"
        )
        twitch.send("PING :tmi.twitch.tv")
        await until(lambda: "PONG :tmi.twitch.tv" in twitch.commands)
        assert [(m.author, m.text, m.priority) for m in heard] == [
            ("Ann", "hello there", None),
            ("小明", "这个多少钱？", None),
            ("Bob", "Cheer100 take it", 8),
            ("Cid", "Cheer5000 wow", 9),
            ("Dan", "hi", None),
            ("Eve", "how are you?", None),
            ("Fay", "waves", None),
            ("Gus", "look", 6),
            ("Hal", "Hal subscribed for 3 months! love it", 8),
        ]
        assert heard[0].id == "Annhello there" and len({m.id for m in heard}) == 9


async def test_twitch_comes_back_after_every_kind_of_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connector, "RETRY_SEC", (0.01,))
    troubles: list[str] = []
    async with twitch_server() as twitch:
        reader = TwitchReader("mien", twitch.url)
        async with reading(reader, lambda error, wait: troubles.append(str(error))) as heard:
            for loss in (
                twitch.hang_up,
                lambda: twitch.send(":tmi.twitch.tv RECONNECT"),
                lambda: twitch.send("x" * 40_000),
            ):
                await asyncio.wait_for(twitch.joined.wait(), 20)
                twitch.joined.clear()
                twitch.write("Ann", f"still here {len(troubles)}")
                await until(lambda: len(heard) == len(troubles) + 1)
                loss()
                await until(lambda: len(heard) == len(troubles))
            await asyncio.wait_for(twitch.joined.wait(), 20)
    assert twitch.connections == 4
    assert "closed" in troubles[0] and "anew" in troubles[1] and "too long" in troubles[2]


async def test_a_twitch_that_is_not_there_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connector, "RETRY_SEC", (0.01,))
    troubles: list[LiveError] = []
    reader = TwitchReader("mien", "irc://127.0.0.1:9")
    async with reading(reader, lambda error, wait: troubles.append(error)):
        await until(lambda: len(troubles) > 2)
    assert "127.0.0.1" in str(troubles[0]) and troubles[0].zh


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80), st.sampled_from(["", "@", ":", "@a=b ", "@emotes=1:0-99 :x PRIVMSG "]))
def test_any_line_is_a_message_or_none(text: str, prefix: str) -> None:
    message = message_of(parse_line(prefix + text))
    assert message is None or message.text


@pytest.mark.parametrize("name", ["", "a b", "频道", "x" * 26, "https://youtube.com/x"])
def test_names_no_channel_has(name: str) -> None:
    with pytest.raises(ChatError, match="no Twitch channel") as error:
        TwitchReader(name)
    assert not error.value.retryable and error.value.zh


# -- YouTube ---------------------------------------------------------------------------------


def item(kind: str, author: str, text: str = "", **snippet: Any) -> dict[str, Any]:
    told = {"type": kind, "displayMessage": text, **snippet}
    return {"id": author, "snippet": told, "authorDetails": {"displayName": author}}


async def test_youtube_chat_is_read_from_now_on() -> None:
    async with youtube_server() as youtube:
        paid = {"userComment": "for you", "tier": 4}
        youtube.pages = [
            {"items": [item("textMessageEvent", "Old", "before")], "nextPageToken": "p1"},
            {
                "items": [
                    item("textMessageEvent", "@ann", "hello"),
                    item("superChatEvent", "Bob", "$20 from Bob", superChatDetails=paid),
                    item("superChatEvent", "Cid", "$1 from Cid", superChatDetails={"tier": 1}),
                    item("newSponsorEvent", "Dan", "Dan joined"),
                    item("messageDeletedEvent", "Eve"),
                    {},
                ],
                "nextPageToken": "p2",
                "pollingIntervalMillis": 10,
            },
            {"items": [], "nextPageToken": "p3"},
        ]
        reader = YouTubeReader("https://youtu.be/abcdefghijk?t=5", "secret", youtube.url, 0.01)
        async with reading(reader) as heard:
            await until(lambda: len(youtube.requests) > 4)
        assert [(m.author, m.text, m.priority) for m in heard] == [
            ("ann", "hello", None),
            ("Bob", "for you", 9),
            ("Cid", "$1 from Cid", 8),
            ("Dan", "Dan joined", 8),
        ]
        assert youtube.requests[0][:2] == (
            "/videos",
            {"part": "liveStreamingDetails", "id": "abcdefghijk"},
        )
        tokens = [query.get("pageToken") for _, query, _ in youtube.requests[1:5]]
        assert tokens == [None, "p1", "p2", "p3"]
        assert all(h["x-goog-api-key"] == "secret" for _, _, h in youtube.requests)
        assert not any("secret" in str(query) for _, query, _ in youtube.requests)


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ({"items": [], "offlineAt": "2026-11-23T12:00:00Z"}, "has ended"),
        ((403, {"error": {"errors": [{"reason": "liveChatEnded"}]}}), "has ended"),
        ((403, {"error": {"message": "off", "errors": [{"reason": "liveChatDisabled"}]}}), "off"),
        (
            (400, {"error": {"message": "bad key", "details": [{"reason": "API_KEY_INVALID"}]}}),
            "400 bad key",
        ),
    ],
)
async def test_a_youtube_chat_that_is_over_or_refused(page: Any, words: str) -> None:
    async with youtube_server() as youtube:
        youtube.pages = [page]
        with pytest.raises(ChatError, match=words) as error:
            async with asyncio.timeout(20):
                await keep_reading(YouTubeReader("abcdefghijk", "k", youtube.url), no_delivery)
        assert error.value.zh and not error.value.retryable


async def test_a_youtube_without_a_chat_yet_and_with_a_spent_quota_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connector, "RETRY_SEC", (0.01,))
    troubles: list[str] = []
    async with youtube_server() as youtube:
        youtube.chat = None
        youtube.pages = [
            (403, {"error": {"message": "quota", "errors": [{"reason": "quotaExceeded"}]}}),
            {"items": [], "nextPageToken": "p"},
            {"items": [item("textMessageEvent", "Ann", "hello")], "nextPageToken": "p"},
        ]
        reader = YouTubeReader("abcdefghijk", "k", youtube.url, 0.01)
        async with reading(reader, lambda error, wait: troubles.append(str(error))) as heard:
            await until(lambda: bool(troubles))
            youtube.chat = "chat-1"
            await until(lambda: bool(heard))
    assert "no live chat" in troubles[0] and "quota" in troubles[-1]


async def no_delivery(message: ChatMessage) -> None:
    raise AssertionError(message)


def test_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("YOUTUBE_API_KEY", raising=False)
    assert reader_of("twitch:Mien").label == "twitch:mien"
    with pytest.raises(ChatError, match="YOUTUBE_API_KEY"):
        reader_of("youtube:abcdefghijk")
    monkeypatch.setenv("YOUTUBE_API_KEY", "k")
    for video in ("abcdefghijk", "https://www.youtube.com/watch?v=abcdefghijk&t=1"):
        assert reader_of(f"youtube:{video}").label == "youtube:abcdefghijk"
    assert reader_of("youtube:https://youtube.com/live/abcdefghijk").label == "youtube:abcdefghijk"
    for wrong in ("bilibili:5", "twitch", "twitch:", "youtube:short", ""):
        with pytest.raises(ChatError) as error:
            reader_of(wrong)
        assert error.value.zh
