"""Why a language model gave no answer, in words for the log, the page and the voice."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pipecat.frames.frames import ErrorFrame
from pipecat.utils.errors import ErrorCategory

from mien.language import Language


class FailureCode(StrEnum):
    """Stable codes, for the page and for tests."""

    AUTH = "auth"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    BAD_REQUEST = "bad_request"
    QUOTA = "quota"
    RATE_LIMIT = "rate_limit"
    SERVER = "server"
    CONNECTION = "connection"
    TIMEOUT = "timeout"
    CUT_OFF = "cut_off"
    EMPTY = "empty"
    MALFORMED = "malformed"
    CONTENT_FILTER = "content_filter"
    CONTEXT_LENGTH = "context_length"
    INTERNAL = "internal"


_RETRYABLE = frozenset(
    {
        FailureCode.RATE_LIMIT,
        FailureCode.SERVER,
        FailureCode.CONNECTION,
        FailureCode.TIMEOUT,
        FailureCode.CUT_OFF,
        FailureCode.EMPTY,
        FailureCode.MALFORMED,
    }
)

#: What the avatar says when it has not said anything yet.
SPOKEN: Mapping[FailureCode, Mapping[Language, str]] = {
    FailureCode.AUTH: {
        "zh": "抱歉，我连不上语言模型，请检查密钥。",
        "en": "Sorry, I can't reach the language model. Please check the API key.",
    },
    FailureCode.FORBIDDEN: {
        "zh": "抱歉，这个密钥没有权限使用所选的模型。",
        "en": "Sorry, this key is not allowed to use the chosen model.",
    },
    FailureCode.NOT_FOUND: {
        "zh": "抱歉，找不到所选的语言模型，请检查模型名称和地址。",
        "en": "Sorry, I can't find the chosen language model. Please check its name and address.",
    },
    FailureCode.BAD_REQUEST: {
        "zh": "抱歉，语言模型不接受这个请求，请看页面上的说明。",
        "en": "Sorry, the language model refused the request. The page shows why.",
    },
    FailureCode.QUOTA: {
        "zh": "抱歉，语言模型的账户余额或额度用完了。",
        "en": "Sorry, the language model account has run out of credit.",
    },
    FailureCode.RATE_LIMIT: {
        "zh": "抱歉，语言模型现在太忙，请稍后再问我一次。",
        "en": "Sorry, the language model is busy right now. Please ask me again in a moment.",
    },
    FailureCode.SERVER: {
        "zh": "抱歉，语言模型服务出了故障，请稍后再试。",
        "en": "Sorry, the language model service has a problem. Please try again later.",
    },
    FailureCode.CONNECTION: {
        "zh": "抱歉，我连不上语言模型，请检查网络或服务地址。",
        "en": "Sorry, I can't reach the language model. Please check the network or its address.",
    },
    FailureCode.TIMEOUT: {
        "zh": "抱歉，语言模型太久没有回应，请再问我一次。",
        "en": "Sorry, the language model took too long. Please ask me again.",
    },
    FailureCode.CUT_OFF: {
        "zh": "抱歉，和语言模型的连接断了，请再问我一次。",
        "en": "Sorry, the connection to the language model broke. Please ask me again.",
    },
    FailureCode.EMPTY: {
        "zh": "抱歉，语言模型没有给出回答，请换个说法再问我。",
        "en": "Sorry, the language model gave no answer. Please ask in another way.",
    },
    FailureCode.MALFORMED: {
        "zh": "抱歉，我听不懂语言模型的回应，请检查服务地址。",
        "en": "Sorry, I can't understand the language model's reply. Please check its address.",
    },
    FailureCode.CONTENT_FILTER: {
        "zh": "抱歉，这个话题我不方便回答。",
        "en": "Sorry, I can't talk about that.",
    },
    FailureCode.CONTEXT_LENGTH: {
        "zh": "抱歉，我们聊得太长，语言模型记不下了。",
        "en": "Sorry, our conversation has become too long for the language model.",
    },
    FailureCode.INTERNAL: {
        "zh": "抱歉，我这边出了点问题，请再试一次。",
        "en": "Sorry, something went wrong on my side. Please try again.",
    },
}

#: What it says when it fails in the middle of an answer. The page tells the cause.
SPOKEN_MIDWAY: Mapping[Language, str] = {
    "zh": "抱歉，我说到一半断线了。",
    "en": "Sorry, I lost my connection just there.",
}


class LLMFailure(Exception):
    """A language model gave no answer, or only a part of one.

    Attributes:
        code: What kind of failure it is.
        detail: One technical line in English. It never contains the key.
        status: HTTP status, if there was one.
        retryable: Whether asking again may help without anybody changing anything.
    """

    def __init__(self, code: FailureCode, detail: str, *, status: int | None = None) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.status = status
        self.retryable = code in _RETRYABLE

    def spoken(self, language: Language, *, midway: bool = False) -> str:
        """One short sentence for the voice; `midway` if it has already said something."""
        if midway and self.code is not FailureCode.CONTENT_FILTER:
            return SPOKEN_MIDWAY[language]
        return SPOKEN[self.code][language]


@dataclass
class LLMFailureFrame(ErrorFrame):
    """Travels upstream when a language model fails; the server shows it in the page.

    It is an `ErrorFrame`, so pipecat's `on_pipeline_error` sees it too. `error` holds the code
    and the technical detail.

    Attributes:
        code: See `FailureCode`.
        message: The sentence the avatar says, in the user's language.
        retryable: Whether the page should offer to ask again.
        status: HTTP status, if there was one.
    """

    code: FailureCode = field(default=FailureCode.INTERNAL)
    message: str = ""
    retryable: bool = False
    status: int | None = None


#: Never a permanent category: pipecat would mark the service unusable for the rest of the
#: session, but a key can be topped up and a model be pulled while we are running.
FAILURE_CATEGORY: Mapping[FailureCode, ErrorCategory] = {
    FailureCode.QUOTA: ErrorCategory.QUOTA,
    FailureCode.RATE_LIMIT: ErrorCategory.RATE_LIMIT,
    FailureCode.SERVER: ErrorCategory.SERVER,
    FailureCode.CONNECTION: ErrorCategory.CONNECTIVITY,
    FailureCode.TIMEOUT: ErrorCategory.CONNECTIVITY,
    FailureCode.CUT_OFF: ErrorCategory.CONNECTIVITY,
}

_BY_STATUS: Mapping[int, FailureCode] = {
    401: FailureCode.AUTH,
    402: FailureCode.QUOTA,
    403: FailureCode.FORBIDDEN,
    404: FailureCode.NOT_FOUND,
    408: FailureCode.TIMEOUT,
    413: FailureCode.CONTEXT_LENGTH,
    429: FailureCode.RATE_LIMIT,
}

# The providers' own codes say more than the HTTP status: GLM answers 429 to an empty account,
# DashScope 400, and both send some errors with status 200 inside the stream.
_BY_PROVIDER_CODE: tuple[tuple[re.Pattern[str], FailureCode], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), code)
    for pattern, code in (
        (r"^100[0-5]$|invalid_?api_?key|authentication|unauthori[sz]ed", FailureCode.AUTH),
        (r"^1113$|insufficient_(quota|balance)|arrearage|freetieronly", FailureCode.QUOTA),
        (r"^(1261)$|context_length|context_window", FailureCode.CONTEXT_LENGTH),
        (r"^1301$|content_filter|data_?inspection|^sensitive", FailureCode.CONTENT_FILTER),
        (
            r"^1211$|model_?not_?found|model_?not_?exist|model_?access_?denied",
            FailureCode.NOT_FOUND,
        ),
        (r"^130[2-5]$|rate_?limit|throttling|too_?many", FailureCode.RATE_LIMIT),
        (r"overloaded|insufficient_system_resource|^1234$|network_error", FailureCode.SERVER),
    )
)


def error_in(payload: Any) -> Mapping[str, Any] | None:
    """Return the error object in a decoded JSON body or chunk, None if it is no error.

    Understood are OpenAI's ``{"error": {...}}``, Ollama's ``{"error": "text"}``, FastAPI's
    ``{"detail": ...}`` and DashScope's ``{"code": ..., "message": ...}``.
    """
    if not isinstance(payload, Mapping) or payload.get("choices"):
        return None
    error = payload.get("error")
    if isinstance(error, Mapping):
        return error
    if error:
        return {"message": str(error)}
    if payload.get("message") and (payload.get("code") or payload.get("object") == "error"):
        return payload
    if payload.get("detail"):
        return {"message": str(payload["detail"])}
    return None


def failure_from(status: int | None, payload: Any, fallback_text: str = "") -> LLMFailure:
    """Classify an error answer.

    Args:
        status: HTTP status; None or 200 for an error inside a stream.
        payload: The decoded JSON, or None.
        fallback_text: The body as text, used when there is no error object.
    """
    error = error_in(payload) or {}
    text = str(error.get("message") or fallback_text).strip()
    detail = f"HTTP {status}: {text}" if status and status != 200 else text
    detail = " ".join(detail.split())[:300] or "no details"
    for key in ("code", "type"):
        value = str(error.get(key) or "")
        for pattern, code in _BY_PROVIDER_CODE:
            if value and pattern.search(value):
                return LLMFailure(code, detail, status=status)
    if status is None or status == 200:
        return LLMFailure(FailureCode.SERVER, detail, status=status)
    if status == 400 and re.search(r"context|too long|maximum.*token", text, re.IGNORECASE):
        return LLMFailure(FailureCode.CONTEXT_LENGTH, detail, status=status)
    default = FailureCode.SERVER if status >= 500 else FailureCode.BAD_REQUEST
    return LLMFailure(_BY_STATUS.get(status, default), detail, status=status)
