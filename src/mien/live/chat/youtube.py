"""YouTube live chat by the Data API: needs a key, which costs nothing.

https://developers.google.com/youtube/v3/live/docs/liveChatMessages/list
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from mien.live.chat.connector import ChatError, ChatMessage, Deliver
from mien.live.rules import PAID

API = "https://www.googleapis.com/youtube/v3"
KEY_ENV = "YOUTUBE_API_KEY"
TIMEOUT_SEC = 20.0
# A call costs 5 of a day's 10,000 units: one each 15 s lasts for eight hours, 45 s for a day.
INTERVAL_SEC = 15.0
# The tiers of Super Chats go from 1 to 11; 4 is about 10 dollars.
HIGH_TIER = 4

_VIDEO = re.compile(r"(?:https?://\S*?(?:v=|youtu\.be/|/live/))?([A-Za-z0-9_-]{11})(?:[?&#/]\S*)?")
_PAID_EVENTS = {"newSponsorEvent", "memberMilestoneChatEvent", "membershipGiftingEvent"}
# What asking again does not mend.
_FINAL = {"liveChatDisabled", "liveChatEnded", "liveChatNotFound", "keyInvalid", "badRequest"}
_FINAL |= {"accessNotConfigured", "forbidden", "ipRefererBlocked", "API_KEY_INVALID"}


def message_of(item: Mapping[str, Any]) -> ChatMessage | None:
    """A chat's message as the API lists it; None for what nobody wrote."""
    snippet, details = item.get("snippet") or {}, item.get("authorDetails") or {}
    kind, text = str(snippet.get("type", "")), str(snippet.get("displayMessage") or "")
    priority: int | None = None
    if kind in ("superChatEvent", "superStickerEvent"):
        paid = snippet.get(kind.replace("Event", "Details")) or {}
        text = str(paid.get("userComment") or text)
        priority = PAID + (int(paid.get("tier") or 0) >= HIGH_TIER)
    elif kind in _PAID_EVENTS:
        priority = PAID
    elif kind != "textMessageEvent":
        return None
    author = str(details.get("displayName") or "").removeprefix("@")
    return ChatMessage(str(item.get("id", "")), author, text, priority) if text else None


class YouTubeReader:
    """Reads the chat of a live video, given by its id or address.

    key: of the API, from the environment's YOUTUBE_API_KEY unless given. interval_sec: the least
    time between two calls; YouTube may ask for more.

    Raises ChatError for what is no video, and without a key.
    """

    def __init__(
        self,
        video: str,
        key: str | None = None,
        api: str = API,
        interval_sec: float = INTERVAL_SEC,
    ) -> None:
        match = _VIDEO.fullmatch(video.strip())
        if match is None:
            raise ChatError(
                f"{video!r} is no YouTube video; write its address or the 11 characters of its id",
                f"{video!r} 不是 YouTube 视频；请写视频地址或 11 位视频 ID",
                retryable=False,
            )
        self.video = match[1]
        self._key = key or os.environ.get(KEY_ENV, "")
        if not self._key:
            raise ChatError(
                f"YouTube wants a key: set {KEY_ENV} (console.cloud.google.com, "
                "YouTube Data API v3, Credentials, API key)",
                f"读取 YouTube 聊天需要密钥：请设置环境变量 {KEY_ENV}",
                retryable=False,
            )
        self._api = api
        self._interval_sec = interval_sec

    @property
    def label(self) -> str:
        return f"youtube:{self.video}"

    async def read(self, deliver: Deliver, on_joined: Callable[[], None]) -> None:
        """See ``ChatReader``. What was written before is not answered any more."""
        # In a header, so that no log of addresses holds the key.
        headers = {"X-Goog-Api-Key": self._key}
        async with httpx.AsyncClient(
            base_url=self._api, headers=headers, timeout=TIMEOUT_SEC
        ) as client:
            chat = await self._chat(client)
            page, first = "", True
            while True:
                query = {"liveChatId": chat, "part": "id,snippet,authorDetails"}
                body = await self._get(
                    client, "/liveChat/messages", {**query, **({"pageToken": page} if page else {})}
                )
                if first:
                    on_joined()
                else:
                    for item in body.get("items") or ():
                        if (message := message_of(item)) is not None:
                            await deliver(message)
                if body.get("offlineAt"):
                    raise self._over()
                page, first = str(body.get("nextPageToken") or page), False
                asked = float(body.get("pollingIntervalMillis") or 0) / 1000
                await asyncio.sleep(max(self._interval_sec, asked))

    async def _chat(self, client: httpx.AsyncClient) -> str:
        query = {"part": "liveStreamingDetails", "id": self.video}
        found = (await self._get(client, "/videos", query)).get("items") or [{}]
        details = found[0].get("liveStreamingDetails") or {}
        if not details.get("activeLiveChatId"):
            raise ChatError(
                f"the video {self.video} has no live chat at present",
                f"视频 {self.video} 目前没有直播聊天",
            )
        return str(details["activeLiveChatId"])

    async def _get(
        self, client: httpx.AsyncClient, path: str, query: Mapping[str, str]
    ) -> dict[str, Any]:
        try:
            response = await client.get(path, params=dict(query))
            body = response.json()
        except (httpx.HTTPError, ValueError) as error:
            why = str(error) or type(error).__name__
            raise ChatError(f"YouTube did not answer: {why}", f"YouTube 无响应：{why}") from None
        if not isinstance(body, dict):
            raise ChatError("YouTube's answer is no object", "YouTube 返回的内容无法识别")
        if response.status_code == 200:
            return body
        told = body.get("error") or {}
        reasons = {str(e.get("reason")) for e in told.get("errors") or ()}
        reasons |= {str(e.get("reason")) for e in told.get("details") or ()}
        if reasons & {"liveChatEnded"}:
            raise self._over()
        why = f"{response.status_code} {told.get('message') or ', '.join(sorted(reasons))}".strip()
        raise ChatError(
            f"YouTube refused: {why}", f"YouTube 拒绝了请求：{why}", retryable=not reasons & _FINAL
        )

    def _over(self) -> ChatError:
        return ChatError(
            f"the live chat of {self.video} has ended",
            f"视频 {self.video} 的直播聊天已结束",
            retryable=False,
        )
