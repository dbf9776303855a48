"""Addresses of WHIP endpoints: whip:https://host/…"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import httpx

from mien.media.output import OutputError

MASK = "****"
# Of what a server may quote back, nothing shorter is worth hiding: it would blank out its words.
_SHORTEST_SECRET = 4
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to publish. Path, query and token may all be secrets; none is ever shown."""

    url: httpx.URL = field(repr=False)
    token: str | None = field(repr=False)

    @property
    def host(self) -> str:
        return self.url.host

    @property
    def port(self) -> int:
        return self.url.port or _PORTS[self.url.scheme]

    @property
    def address(self) -> str:
        """scheme://host[:port]"""
        return origin(self.url)

    @property
    def label(self) -> str:
        return f"{self.address}/{MASK}"

    def token_for(self, url: httpx.URL) -> str | None:
        """The token, for the origin it was given for; None for any other."""
        return self.token if origin(url) == origin(self.url) else None

    def hide(self, words: str) -> str:
        """A server's words without the secrets it may have quoted."""
        query = self.url.query.decode("ascii", "replace")
        segments = [s for s in self.url.path.split("/") if len(s) >= 2 * _SHORTEST_SECRET]
        secrets = {self.token or "", self.url.path, query, *re.split("[&=]", query), *segments}
        for secret in sorted(secrets, key=len, reverse=True):
            if len(secret) >= _SHORTEST_SECRET:
                words = words.replace(secret, MASK)
        return words


def origin(url: httpx.URL) -> str:
    """scheme://host[:port], the port only where it is not the usual one."""
    host = f"[{url.host}]" if ":" in url.host else url.host
    port = "" if url.port in (None, _PORTS.get(url.scheme)) else f":{url.port}"
    return f"{url.scheme}://{host}{port}"


def parse_endpoint(address: str, token: str | None) -> Endpoint:
    """Read ``whip:https://…``; without ``whip:`` as well.

    Raises:
        OutputError: "bad_url", not retryable, when it cannot be one.
    """
    text = address.strip()
    if text.lower().startswith("whip:"):
        text = text[5:]
    token = token.strip() if token else None
    if token and not re.fullmatch(r"[\x21-\x7e]+", token):
        raise _bad(
            "its token has a space or a character that is not ASCII", "令牌含有空格或非 ASCII 字符"
        )
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        raise _bad("it cannot be read", "无法解析") from None
    if url.scheme not in _PORTS or not url.host:
        raise _bad(
            "it must look like whip:https://host/whip/stream",
            "应形如 whip:https://主机/whip/流",
        )
    if url.userinfo:
        raise _bad(
            "give the token apart, not before the host", "令牌请单独填写，不要写在主机名之前"
        )
    return Endpoint(url.copy_with(fragment=None), token or None)


def _bad(en: str, zh: str) -> OutputError:
    return OutputError(
        f"This is no WHIP address: {en}.",
        code="bad_url",
        zh=f"WHIP 地址不正确：{zh}。",
        retryable=False,
    )
