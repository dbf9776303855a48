"""One exchange with a search service over HTTP: its JSON, or an error that says what to do."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any, cast

import httpx

from mien.connections import Connections
from mien.search.clean import distinct, plain
from mien.search.contract import Result, SearchError

_CONNECT_SEC = 4.0
_KEEP_CONNECTIONS = 2
_MOST_BYTES = 4_000_000
# An account that is empty is not filled up within a conversation, but while a server runs.
_NO_MONEY_REST_SEC = 600.0
_MOST_REST_SEC = 3600.0


class JsonApi:
    """A service's API. key: a bearer token for ``base_url`` only; no redirect is followed."""

    def __init__(self, label: str, base_url: str, key: str | None = None) -> None:
        self.label = label
        self.base_url = base_url.rstrip("/")
        self._key = key
        self._connections = Connections(
            self.base_url, connect_sec=_CONNECT_SEC, keep=_KEEP_CONNECTIONS
        )

    async def aclose(self) -> None:
        """Close the connections; more can be made."""
        await self._connections.aclose()

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON that answers a JSON body. Raises SearchError."""
        return await self._ask("POST", path, json=body)

    async def get(self, path: str, params: Mapping[str, str]) -> Any:
        """The JSON that answers a query. Raises SearchError."""
        return await self._ask("GET", path, params=params)

    async def _ask(self, method: str, path: str, **what: Any) -> Any:
        headers = {"Accept": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        try:
            async with self._connections.client() as client:
                request = client.build_request(
                    method, self.base_url + path, headers=headers, **what
                )
                async with aclosing(await client.send(request, stream=True)) as response:
                    body = await self._body(response)
        except httpx.HTTPError as error:
            kind = type(error).__name__
            raise SearchError(
                f"{self.label} cannot be reached ({kind}); check the network",
                f"无法连接{self.label}（{kind}），请检查网络",
            ) from error
        if response.status_code != 200:
            raise self.refusal(response.status_code, body, response.headers)
        try:
            return json.loads(body)
        except ValueError:
            raise self.garbage("no JSON") from None

    async def _body(self, response: httpx.Response) -> bytes:
        body = b""
        async with aclosing(cast(AsyncGenerator[bytes, None], response.aiter_bytes())) as chunks:
            async for chunk in chunks:
                body += chunk
                if len(body) > _MOST_BYTES:
                    raise self.garbage(f"more than {_MOST_BYTES // 1_000_000} MB")
        return body

    def results(
        self,
        value: object,
        what: str,
        read: Callable[[Mapping[str, Any]], Result | None],
        limit: int,
    ) -> list[Result]:
        """At most ``limit`` of the objects in the list ``value``, as ``read`` understands them.

        what: its name in the answer. Raises SearchError if it is no list, or if ``read``
        understands none of what is in it.
        """
        if not isinstance(value, list):
            raise self.garbage(f"no {what}")
        found = [read(item) for item in value if isinstance(item, dict)]
        understood = [result for result in found if result is not None]
        if value and not understood:
            raise self.garbage(f"no addresses in {what}")
        return distinct(understood, limit)

    # -- errors ----------------------------------------------------------------------------

    def garbage(self, what: str) -> SearchError:
        """An answer that is not as its API has it."""
        return SearchError(
            f"{self.label} gave an answer that cannot be understood: {what}",
            f"{self.label}返回了无法识别的内容：{what}",
        )

    def no_money(self, said: str = "") -> SearchError:
        """An account whose quota is used up."""
        detail = self._detail(said)
        return SearchError(
            f"the account at {self.label} is used up: recharge it or raise its limit{detail}",
            f"{self.label}账户余额或额度已用完，请充值或提高限额{detail}",
            rest_sec=_NO_MONEY_REST_SEC,
        )

    def wrong_key(self, said: str = "") -> SearchError:
        """A key that is missing, wrong or of somebody else."""
        detail = self._detail(said)
        return SearchError(
            f"{self.label} refuses the key: check it{detail}",
            f"{self.label}拒绝了密钥，请检查{detail}",
            retryable=False,
        )

    def refusal(self, status: int, body: bytes, headers: Mapping[str, str]) -> SearchError:
        """What an answer with another status than 200 means."""
        said = self.complaint(body)
        detail = self._detail(said)
        if status in (401, 403):
            return self.wrong_key(said)
        if status == 402:
            return self.no_money(said)
        if status == 429:
            return SearchError(
                f"{self.label} is asked too often{detail}",
                f"{self.label}请求过于频繁{detail}",
                rest_sec=_rest(headers),
            )
        if status >= 500:
            return SearchError(
                f"{self.label} has a problem (HTTP {status}){detail}",
                f"{self.label}服务出错（HTTP {status}）{detail}",
                rest_sec=_rest(headers),
            )
        if 300 <= status < 400:
            return SearchError(
                f"{self.label} is elsewhere (HTTP {status}): correct its base_url",
                f"{self.label}地址已变更（HTTP {status}），请修改 base_url",
                retryable=False,
            )
        if status == 404:
            return SearchError(
                f"{self.label} is not at this address (HTTP 404): check its base_url{detail}",
                f"该地址上没有{self.label}（HTTP 404），请检查 base_url{detail}",
                retryable=False,
            )
        return SearchError(
            f"{self.label} refuses the request (HTTP {status}){detail}",
            f"{self.label}拒绝了请求（HTTP {status}）{detail}",
            about_query=status in (400, 422),
        )

    def complaint(self, body: bytes) -> str:
        """What an error's body says, in the forms that search services have; "" for none."""
        try:
            payload = json.loads(body)
        except ValueError:
            return ""
        for name in ("error", "detail"):
            if isinstance(payload, dict) and isinstance(payload.get(name), dict | str):
                payload = payload[name]
        if isinstance(payload, dict):
            payload = payload.get("message") or payload.get("msg")
        return plain(payload)[:200]

    def _detail(self, said: str) -> str:
        if self._key:  # some services repeat the key that they refuse
            said = said.replace(self._key, "…")
        return f" ({said})" if said else ""


def _rest(headers: Mapping[str, str]) -> float | None:
    try:
        return min(max(float(headers["Retry-After"]), 0), _MOST_REST_SEC)
    except (KeyError, ValueError):
        return None
