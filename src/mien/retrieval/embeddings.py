"""Vectors of texts from any service with OpenAI's ``POST {base_url}/embeddings``.

https://platform.openai.com/docs/api-reference/embeddings. Zhipu, DashScope, SiliconFlow, Ollama and
vLLM speak it too. They differ in how many texts they take at once, which is found out, and a vector
comes as numbers or as base64 of little-endian float32.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import numpy.typing as npt

from mien.connections import Connections
from mien.mind_settings import EmbeddingsSection

Vectors = npt.NDArray[np.float32]

# OpenAI takes 2048, Zhipu 64, DashScope 10.
_BATCH = 64
_KEEP = 2
_ATTEMPTS = 5
_FIRST_PAUSE_SEC, _LONGEST_PAUSE_SEC = 0.5, 20.0
_CONNECT_SEC = 8.0
_REQUEST_SEC = 60.0  # a model on a CPU, or one that is loaded first
_TOO_MUCH = frozenset({400, 413, 422})

# What an answer may make json, base64 and numpy raise: 1e999, [[[[…
_NOT_NUMBERS = (ValueError, ArithmeticError, RecursionError, binascii.Error)

#: Whose keys are in the environment under which names. They are sent to these hosts only.
_USUAL_KEYS: Mapping[str, tuple[str, ...]] = {
    "api.openai.com": ("OPENAI_API_KEY",),
    "open.bigmodel.cn": ("ZHIPUAI_API_KEY", "ZAI_API_KEY", "GLM_API_KEY"),
    "api.z.ai": ("ZHIPUAI_API_KEY", "ZAI_API_KEY", "GLM_API_KEY"),
    "dashscope.aliyuncs.com": ("DASHSCOPE_API_KEY", "QWEN_API_KEY"),
    "dashscope-intl.aliyuncs.com": ("DASHSCOPE_API_KEY", "QWEN_API_KEY"),
    "api.siliconflow.cn": ("SILICONFLOW_API_KEY",),
}


class EmbeddingError(Exception):
    """There are no vectors. zh: the same in Chinese. retryable: whether later may go better."""

    def __init__(self, message: str, zh: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.zh = zh
        self.retryable = retryable


class Embedder:
    """A service of vectors. May be shared by everybody; several calls may run at once.

    Raises EmbeddingError at once if the settings name no service, an address or a key that cannot
    be one, or a variable that is empty.
    """

    def __init__(
        self, section: EmbeddingsSection, environ: Mapping[str, str] | None = None
    ) -> None:
        if not section.base_url or not section.model:
            raise EmbeddingError(
                "embeddings need base_url and model ([knowledge.embeddings] in mien.toml)",
                "向量检索需要 base_url 和 model（mien.toml 的 [knowledge.embeddings]）",
            )
        self._url = section.base_url.rstrip("/")
        self._host = _host(self._url)
        self._model = section.model
        self._dimensions = section.dimensions
        self._key = _key(section, self._host, os.environ if environ is None else environ)
        self._batch = _BATCH
        self._connections = Connections(self._url, connect_sec=_CONNECT_SEC, keep=_KEEP)

    @property
    def name(self) -> str:
        """Vectors of embedders with the same name may be compared."""
        size = f"/{self._dimensions}" if self._dimensions else ""
        return f"{self._model}{size}@{self._host}"

    async def aclose(self) -> None:
        """Close the connections. Works before first use and twice."""
        await self._connections.aclose()

    async def embed(
        self,
        texts: Sequence[str],
        *,
        patient: bool = True,
        on_done: Callable[[int], None] = lambda done: None,
    ) -> Vectors:
        """float32[n, d], rows of length 1, in the order of the texts.

        patient: try again for a minute or so if the service is busy or down; otherwise once.
        on_done: called with the number of texts that are done, now and then.
        Raises EmbeddingError.
        """
        found: list[Vectors] = []
        done = 0
        while done < len(texts):
            part = texts[done : done + self._batch]
            try:
                rows = await self._request(part, _ATTEMPTS if patient else 1)
            except _Refused:
                if len(part) == 1:
                    raise
                self._batch = len(part) // 2  # too many for this service, perhaps
                continue
            if found and rows.shape[1] != found[0].shape[1]:
                raise _malformed(f"vectors of {found[0].shape[1]} and of {rows.shape[1]} numbers")
            found.append(rows)
            done += len(part)
            on_done(done)
        return np.concatenate(found) if found else np.zeros((0, self._dimensions or 1), np.float32)

    async def _request(self, texts: Sequence[str], attempts: int) -> Vectors:
        pause = _FIRST_PAUSE_SEC
        for attempt in range(1, attempts + 1):
            asked_for = 0.0
            try:
                response = await self._post(texts)
                if response.status_code == 200:
                    return self._vectors(response, len(texts))
                error = self._refused(response)
                asked_for = _seconds(response.headers.get("retry-after"))
            # Not all are httpx's: what connects raises OSError, or several at once.
            except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, OSError, ExceptionGroup) as e:
                error = EmbeddingError(
                    f"the embeddings service at {self._host} cannot be reached: "
                    f"{type(e).__name__}. Check base_url and whether it runs.",
                    f"连不上向量服务 {self._host}（{type(e).__name__}）。"
                    "请检查 base_url，并确认服务已启动。",
                    retryable=not isinstance(e, httpx.InvalidURL | UnicodeError),
                )
            if attempt == attempts or not error.retryable:
                raise error
            # Not all who were refused come back at once.
            await asyncio.sleep(
                max(min(asked_for, _LONGEST_PAUSE_SEC), pause * random.uniform(1, 1.3))
            )
            pause = min(2 * pause, _LONGEST_PAUSE_SEC)
        raise AssertionError("every attempt returns or raises")

    async def _post(self, texts: Sequence[str]) -> httpx.Response:
        body: dict[str, Any] = {"model": self._model, "input": list(texts)}
        if self._dimensions:
            body["dimensions"] = self._dimensions
        headers = {"authorization": f"Bearer {self._key}"} if self._key else {}
        async with self._connections.client() as client:
            return await client.post(
                f"{self._url}/embeddings", json=body, headers=headers, timeout=_REQUEST_SEC
            )

    def _refused(self, response: httpx.Response) -> EmbeddingError:
        status = response.status_code
        why = _reason(response)
        if self._key:
            why = why.replace(self._key, "…")
        if status in (401, 403):
            return EmbeddingError(
                f"the embeddings service at {self._host} does not accept the key ({status}{why}). "
                "Set key or key_env under [knowledge.embeddings].",
                f"向量服务 {self._host} 不接受密钥（{status}{why}）。"
                "请在 [knowledge.embeddings] 里设置 key 或 key_env。",
            )
        kind = _Refused if status in _TOO_MUCH else EmbeddingError
        return kind(
            f"the embeddings service at {self._host} answered {status}{why}. "
            "Check base_url and model.",
            f"向量服务 {self._host} 返回 {status}{why}。请检查 base_url 和 model。",
            retryable=status in (408, 425, 429) or status >= 500,
        )

    def _vectors(self, response: httpx.Response, n: int) -> Vectors:
        try:
            items = sorted(response.json()["data"], key=lambda item: int(item.get("index", 0)))
            rows = [_row(item["embedding"]) for item in items]
            sizes = {len(row) for row in rows}
        except (LookupError, TypeError, AttributeError, *_NOT_NUMBERS) as e:
            raise _malformed(f"{type(e).__name__} in its answer") from e
        if len(rows) != n or len(sizes) != 1 or not min(sizes):
            raise _malformed(f"{len(rows)} vectors for {n} texts, of {sorted(sizes)} numbers")
        vectors = np.stack(rows)
        if self._dimensions and vectors.shape[1] != self._dimensions:
            raise _malformed(f"{vectors.shape[1]} numbers, not {self._dimensions} (dimensions)")
        if not np.isfinite(vectors).all():
            raise _malformed("vectors that are not of numbers")
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        normal: Vectors = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
        return normal


class _Refused(EmbeddingError):
    """The service does not like this request; it may like a smaller one."""


def _row(embedding: Any) -> Vectors:
    if isinstance(embedding, str):
        return np.frombuffer(base64.b64decode(embedding, validate=True), "<f4")
    return np.array(embedding, np.float32).reshape(-1)


def _malformed(what: str) -> EmbeddingError:
    return EmbeddingError(
        f"the embeddings service gave {what}. Check model and dimensions.",
        f"向量服务的返回有误：{what}。请检查 model 和 dimensions。",
    )


def _reason(response: httpx.Response) -> str:
    """What the service says, as ": …"; "" for nothing."""
    try:
        error = response.json()
        error = error.get("error", error) if isinstance(error, dict) else error
        text = error.get("message", "") if isinstance(error, dict) else error
    except (ValueError, RecursionError):
        return ""
    return f": {text[:200]}" if isinstance(text, str) and text else ""


def _seconds(header: str | None) -> float:
    # Else it is a date.
    return float(header) if header and header.isdecimal() else 0.0


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        port, host = parts.port, httpx.URL(url).host and parts.hostname
    except (ValueError, httpx.InvalidURL):
        port, host = 0, ""
    if not host or port == 0:
        raise EmbeddingError(
            "base_url of the embeddings is no address of a service; it is like "
            "http://localhost:11434/v1, with a port of 1 to 65535 ([knowledge.embeddings])",
            "向量服务的 base_url 不是有效地址，应形如 http://localhost:11434/v1，"
            "端口为 1–65535（[knowledge.embeddings]）",
        )
    return host


def _key(section: EmbeddingsSection, host: str, environ: Mapping[str, str]) -> str:
    key = _given_key(section, host, environ)
    if not (key.isascii() and key.isprintable()):  # it goes into a header
        raise EmbeddingError(
            "the key of the embeddings has characters that no key has (it is still an example?): "
            "set key or key_env under [knowledge.embeddings]",
            "向量服务的密钥含有密钥不会有的字符（还是示例文字？）："
            "请在 [knowledge.embeddings] 里设置 key 或 key_env",
        )
    return key


def _given_key(section: EmbeddingsSection, host: str, environ: Mapping[str, str]) -> str:
    if section.key:
        return section.key
    if section.key_env:
        if key := environ.get(section.key_env, "").strip():
            return key
        raise EmbeddingError(
            f"the environment variable {section.key_env} is empty (key_env of the embeddings)",
            f"环境变量 {section.key_env} 为空（向量服务的 key_env）",
        )
    return next((k for v in _USUAL_KEYS.get(host, ()) if (k := environ.get(v, "").strip())), "")
