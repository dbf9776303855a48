"""What can go wrong between us and a speech server, told to the person who can do something."""

from __future__ import annotations

import json
import re
import socket
import ssl
from typing import Any

import httpx

from mien.tts.voice import VoiceError

_MAX_DETAIL = 300
# 408 and 425 ask for another try, 429 for patience; what begins with 5 is the server's own fault.
_RETRYABLE = frozenset({408, 425, 429})
_TAGS = re.compile(r"<(script|style)\b.*?</\1\s*>|<[^>]*>", re.DOTALL | re.IGNORECASE)


class HttpVoiceError(VoiceError):
    """A server answered, but not with speech.

    status: of its answer; 200 where the error is in the body. detail: what it said, shortened.
    """

    def __init__(
        self, message: str, *, retryable: bool, zh: str, status: int, detail: str = ""
    ) -> None:
        super().__init__(message, retryable=retryable, zh=zh)
        self.status = status
        self.detail = detail


def unreachable(server: str, url: str, error: Exception) -> VoiceError:
    """No connection came about."""
    cause = _root(error)
    if isinstance(cause, ssl.SSLError):
        return VoiceError(
            f"{server} at {url}: the secure connection failed ({_short(str(cause))}). "
            "Check the url: a server on your own network usually speaks http, not https.",
            retryable=False,
            zh=f"{server}（{url}）：安全连接失败（{_short(str(cause))}）。"
            "请检查地址：自己网络里的服务器一般用 http，不是 https。",
        )
    if isinstance(cause, socket.gaierror):
        return VoiceError(
            f"{server}: there is no server named {httpx.URL(url).host!r}. "
            "Check the url and the network.",
            retryable=True,
            zh=f"{server}：找不到名为 {httpx.URL(url).host!r} 的服务器。请检查地址和网络。",
        )
    return VoiceError(
        f"{server} does not answer at {url}. Start it, or correct the url.",
        retryable=True,
        zh=f"{server} 没有在 {url} 应答。请启动它，或改正地址。",
    )


def no_answer(server: str, url: str, error: Exception) -> VoiceError:
    """The connection ended, or what came over it was no HTTP, before the answer began."""
    why = _short(str(error) or type(error).__name__)
    return VoiceError(
        f"{server} at {url} took the request and gave no answer ({why}). Its own log may say why.",
        retryable=True,
        zh=f"{server}（{url}）接了请求却没有回应（{why}）。原因可能在它自己的日志里。",
    )


def too_slow(server: str, sec: float, *, begun: bool) -> VoiceError:
    """It let us wait longer than the settings allow."""
    if begun:
        return VoiceError(
            f"{server} paused for {sec:g} s within a sentence (stall_sec)",
            retryable=True,
            zh=f"{server} 在一句话中间停了 {sec:g} 秒（stall_sec）",
        )
    return VoiceError(
        f"{server} gave no sound within {sec:g} s (first_sound_sec). It may be loading its model.",
        retryable=True,
        zh=f"{server} 在 {sec:g} 秒内没有出声（first_sound_sec）。它可能正在加载模型。",
    )


def cut_off(server: str, error: Exception) -> VoiceError:
    """The answer ended before the sentence did."""
    why = _short(str(error) or type(error).__name__)
    return VoiceError(
        f"{server} broke off within a sentence: {why}",
        retryable=True,
        zh=f"{server} 说到一半断了：{why}",
    )


def not_sound(server: str, url: str, what: str, detail: str = "") -> HttpVoiceError:
    """Status 200, but the body is a page, a text or bytes that are no sound."""
    said = f': "{detail}"' if detail else ""
    said_zh = f"：“{detail}”" if detail else ""
    return HttpVoiceError(
        f"{server} at {url} answered with {what} instead of sound{said}",
        retryable=False,
        zh=f"{server}（{url}）返回的是{_WHAT_ZH.get(what, what)}，不是声音{said_zh}",
        status=200,
        detail=detail,
    )


def closed() -> VoiceError:
    """We ended it ourselves."""
    return VoiceError("the voice was closed", retryable=False, zh="这个声音已经关闭")


def silent(server: str, what: str) -> VoiceError:
    """A sound without anything to hear. ``what``: "no sound" or "nothing but silence"."""
    return VoiceError(
        f"{server} sent {what}; its own log may say why",
        retryable=True,
        zh=f"{server} {_SILENT_ZH[what]}，原因可能在它自己的日志里",
    )


def endless(server: str, limit: str) -> VoiceError:
    """More came than the text can need."""
    return VoiceError(
        f"{server} did not stop after {limit} for one clause",
        retryable=True,
        zh=f"{server} 为一小句话发了{limit}还没有停",
    )


def refused(server: str, url: str, status: int, detail: str) -> HttpVoiceError:
    """An HTTP status that is no success."""
    said = f": {detail}" if detail else ""
    hint = hint_zh = ""
    for among, english, chinese in _HINTS:
        if status in among:
            hint, hint_zh = f" {english}", chinese
    return HttpVoiceError(
        f"{server} at {url} answered with HTTP {status}{said}.{hint}",
        retryable=status in _RETRYABLE or status >= 500,
        zh=f"{server}（{url}）返回 HTTP {status}{said}。{hint_zh}",
        status=status,
        detail=detail,
    )


def another_server(server: str, url: str, path: str, hint: str, hint_zh: str) -> VoiceError:
    """Something answers, but it does not have what this service is asked for."""
    return VoiceError(
        f"The server at {url} has no {path}, so it is not the {server} server. {hint}",
        retryable=False,
        zh=f"{url} 上的服务器没有 {path}，不是 {server} 的服务器。{hint_zh}",
    )


def missing(server: str, name: str, meaning: str, meaning_zh: str) -> VoiceError:
    """A setting without which the server cannot speak."""
    return VoiceError(
        f"{server} needs {name!r} in its [voices.…] table: {meaning}",
        retryable=False,
        zh=f"{server} 需要在 [voices.…] 里设置 {name!r}：{meaning_zh}",
    )


def readable(body: bytes) -> str:
    """An error's text out of JSON of several makes, out of HTML, or as it is; one line."""
    text = body.decode("utf-8", "replace")
    try:
        text = _said(json.loads(text)) or text
    except ValueError:
        if "<" in text:
            text = _TAGS.sub(" ", text)
    return _short(text)


def _said(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):  # FastAPI's list of wrong fields
        return "; ".join(filter(None, map(_said, value[:5])))
    if not isinstance(value, dict):
        return ""
    field = value.get("loc")
    where = ".".join(map(str, field)) + ": " if isinstance(field, list) else ""
    keys = ("error", "message", "detail", "msg", "content", "Exception")
    parts = [said for key in keys if (said := _said(value.get(key)))]
    return where + ": ".join(parts) if parts else ""


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _MAX_DETAIL else text[: _MAX_DETAIL - 1] + "…"


def _root(error: BaseException) -> BaseException:
    """The lowest cause that says what happened."""
    found = error
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError | socket.gaierror):
            return seen
        found, seen = seen, seen.__cause__ or seen.__context__
    return found


_WHAT_ZH = {"a web page": "网页", "a text": "文字", "something else": "别的内容"}
_SILENT_ZH = {"no sound": "没有发来声音", "nothing but silence": "发来的全是静音"}
_HINTS = (
    (
        {401, 403},
        "Check the key (api_key or api_key_env).",
        "请检查密钥（api_key 或 api_key_env）。",
    ),
    ({402}, "The account has no credit left.", "账户余额用完了。"),
    (
        {404},
        "Check the url: there is no such service at this address.",
        "请检查地址：这里没有这个服务。",
    ),
    ({429}, "It is asked too often.", "请求太频繁。"),
    ({301, 302, 307, 308}, "It has moved; set the new url.", "地址变了，请设置新的 url。"),
)
