"""An endpoint that judges: OpenAI's moderations API, which others speak too, or a hook of yours.

https://platform.openai.com/docs/api-reference/moderations. The hook takes a POST of
``{"kind": "question" | "answer", "author": …, "text": …}`` and answers
``{"allowed": true | false, "code": …}``.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx
from loguru import logger

from mien.config import ConfigError
from mien.connections import Connections
from mien.mind_settings import ModerationService as Section
from mien.moderation.contract import ALLOWED, Verdict

FAILED = Verdict(False, "moderation_failed")

Kind = Literal["question", "answer"]

_CONNECT_SEC = 3.0
_KEEP = 4
_CACHED = 512
_MAX_BODY_BYTES = 1 << 18
# Two in a row have failed: everybody would wait for the time limit, clause after clause.
_FAILURES, _PAUSE_SEC = 2, 5.0
_HOME, _USUAL_KEY = "api.openai.com", "OPENAI_API_KEY"
_CODE = re.compile(r"[\w/.:-]{1,64}", re.ASCII)


class ModerationError(Exception):
    """The endpoint has not judged. The message holds no secret."""


class ServiceModerator:
    """A Moderator that asks over HTTP. What it has judged is remembered for a while.

    Who cannot be reached, is too slow or makes no sense has allowed nothing, or everything, as
    the settings' ``fail`` says. answers false: only what viewers write is judged.
    """

    def __init__(
        self,
        section: Section,
        environ: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """clock: in seconds. Raises ConfigError without an address or for a key that is missing."""
        if section.url is None:
            raise ConfigError(
                "safety.moderation needs a url", "safety.moderation 需要填写 url（审核服务地址）"
            )
        self._section = section
        self._clock = clock
        self._url = _address(section)
        key = _key(section, os.environ if environ is None else environ)
        self._headers = {"authorization": f"Bearer {key}"} if key else {}
        self._connections = Connections(self._url, connect_sec=_CONNECT_SEC, keep=_KEEP)
        self._judged: OrderedDict[tuple[Kind, str, str], Verdict] = OrderedDict()
        self._failures = 0
        self._resting_until = 0.0

    async def judge_message(self, author: str, text: str) -> Verdict:
        return await self._judge("question", author, text)

    async def judge_answer(self, text: str) -> Verdict:
        return await self._judge("answer", "", text) if self._section.answers else ALLOWED

    async def aclose(self) -> None:
        await self._connections.aclose()

    async def _judge(self, kind: Kind, author: str, text: str) -> Verdict:
        if not text.strip() and not author.strip():
            return ALLOWED
        asked = kind, author, text
        if (known := self._judged.get(asked)) is not None:
            self._judged.move_to_end(asked)
            return known
        if self._failures >= _FAILURES and self._clock() < self._resting_until:
            return self._unjudged
        try:
            verdict = await self._ask(kind, author, text)
        except ModerationError as error:
            self._failures += 1
            self._resting_until = self._clock() + _PAUSE_SEC
            then = "allowed" if self._section.fail == "allow" else "blocked"
            logger.warning(f"moderation by {_host(self._url)}: {error}; the {kind} is {then}")
            return self._unjudged
        self._failures = 0
        self._judged[asked] = verdict
        if len(self._judged) > _CACHED:
            self._judged.popitem(last=False)
        return verdict

    @property
    def _unjudged(self) -> Verdict:
        return ALLOWED if self._section.fail == "allow" else FAILED

    async def _ask(self, kind: Kind, author: str, text: str) -> Verdict:
        body, read = (
            (_openai_request(self._section.model, author, text), _openai_verdict)
            if self._section.api == "openai"
            else ({"kind": kind, "author": author, "text": text}, _hook_verdict)
        )
        limit = self._section.timeout_sec
        try:
            async with asyncio.timeout(limit):
                return read(await self._post(body))
        except TimeoutError:
            raise ModerationError(f"no answer within {limit:g} s") from None
        except httpx.HTTPError as error:
            raise ModerationError(str(error) or type(error).__name__) from None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise ModerationError("its answer is none of this API") from None

    async def _post(self, body: Mapping[str, Any]) -> Any:
        async with (
            self._connections.client() as client,
            client.stream("POST", self._url, json=body, headers=self._headers) as response,
        ):
            if response.status_code != 200:
                raise ModerationError(f"HTTP {response.status_code}{_advice(response.status_code)}")
            data = b""
            async for part in response.aiter_bytes():
                data += part
                if len(data) > _MAX_BODY_BYTES:
                    raise ModerationError("its answer is too long")
        return json.loads(data)


def _openai_request(model: str | None, author: str, text: str) -> dict[str, Any]:
    named = {"model": model} if model else {}
    return {**named, "input": [text, author] if author else text}


def _openai_verdict(answer: Any) -> Verdict:
    results = answer["results"]
    if not isinstance(results, list) or not results:
        raise ValueError("no results")
    for result in results:
        flagged = result["flagged"]
        if not isinstance(flagged, bool):
            raise TypeError("flagged is neither true nor false")
        if flagged:
            wrong = [name for name, is_so in result.get("categories", {}).items() if is_so is True]
            return Verdict(False, _code(wrong[0]) if wrong else "flagged")
    return ALLOWED


def _hook_verdict(answer: Any) -> Verdict:
    allowed = answer["allowed"]
    if not isinstance(allowed, bool):
        raise TypeError("allowed is neither true nor false")
    return ALLOWED if allowed else Verdict(False, _code(answer.get("code")))


def _code(given: object) -> str:
    """Shown and logged: nothing but a short name."""
    return given if isinstance(given, str) and _CODE.fullmatch(given) else "flagged"


def _address(section: Section) -> str:
    url = (section.url or "").rstrip("/")
    return f"{url}/moderations" if section.api == "openai" and url.endswith("/v1") else url


def _key(section: Section, environ: Mapping[str, str]) -> str | None:
    """Given, or of the variable that is named, or OpenAI's own for OpenAI alone."""
    if section.key:
        return section.key
    at_home = section.api == "openai" and _host(section.url or "") == _HOME
    variable = section.key_env or (_USUAL_KEY if at_home else None)
    if variable is None:
        return None
    if found := environ.get(variable, "").strip():
        return found
    raise ConfigError(
        f"safety.moderation: the environment variable {variable} with the service's key is not set",
        f"safety.moderation：未设置保存密钥的环境变量 {variable}",
    )


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _advice(status: int) -> str:
    if status in (401, 403):
        return " (is the key in safety.moderation right?)"
    return " (is the address in safety.moderation right?)" if status in (404, 405) else ""
