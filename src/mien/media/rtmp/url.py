"""Addresses of RTMP servers: rtmp://host[:port]/app/key, rtmps://…"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from mien.media.output import OutputError

PORTS = {"rtmp": 1935, "rtmps": 443}
MASK = "****"

_URL = re.compile(r"(rtmps?)://(\[[0-9A-Fa-f:.%]+\]|[^/?#:@\[\]]+)(?::(\d*))?(?:/(.*))?", re.I)
# Of what a server may quote back, nothing shorter is worth hiding: it would blank out its words.
_SHORTEST_SECRET = 4


@dataclass(frozen=True, slots=True)
class Target:
    """Where to publish.

    app: everything between host and key, as the server's ``connect`` wants it. key: the stream's
    name with its query, a secret; never printed.
    """

    scheme: str
    host: str
    port: int
    app: str
    key: str = field(repr=False)

    @property
    def tls(self) -> bool:
        return self.scheme == "rtmps"

    @property
    def address(self) -> str:
        """scheme://host[:port]"""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"

    @property
    def url(self) -> str:
        """``tcUrl`` of the ``connect`` command; may hold secrets in the app's query."""
        return f"{self.address}/{self.app}"

    @property
    def label(self) -> str:
        """For people: without the key, and without what a query holds."""
        return f"{self.address}/{_shown_app(self.app)}/{MASK}"

    def hide(self, words: str) -> str:
        """A server's words without the secrets it may have quoted."""
        queries = self.key.partition("?")[2], self.app.partition("?")[2]
        pieces = [piece for query in queries for piece in re.split("[&=]", query)]
        for secret in sorted({self.key, self.key.partition("?")[0], *pieces}, key=len)[::-1]:
            if len(secret) >= _SHORTEST_SECRET:
                words = words.replace(secret, MASK)
        return words


def parse_target(url: str, key: str | None = None) -> Target:
    """Read an address. Without ``key`` its last part is the key.

    Raises:
        OutputError: "bad_url", not retryable, when it cannot be one.
    """
    if re.search(r"[\s\x00-\x1f]", url.strip() + (key or "").strip()):
        raise _bad("it contains a space or a line break", "其中有空格或换行")
    found = _URL.fullmatch(url.strip())
    if found is None:
        raise _bad("it must look like rtmp://host/app", "应形如 rtmp://主机/应用")
    scheme, host = found[1].lower(), found[2].strip("[]")
    port = int(found[3]) if found[3] else PORTS[scheme]
    if not 0 < port < 1 << 16:
        raise _bad("its port must be 1…65535", "端口应在 1…65535 之间")
    path = (found[4] or "").lstrip("/")
    if key and key.strip():
        app, name = path.rstrip("/"), key.strip().lstrip("/")
    else:
        app, name = _split(path)
    if not app:
        raise _bad(
            "it names no application, as in rtmp://host/app", "缺少应用名，应形如 rtmp://主机/应用"
        )
    if not name:
        raise _bad(
            "the stream key is missing; give it apart or as the last part of the address",
            "缺少推流密钥；请单独填写，或写在地址末尾",
        )
    return Target(scheme, host, port, app, name)


def _split(path: str) -> tuple[str, str]:
    """App and key. A query belongs to the key (platforms sign it), slashes in it included;
    except in ``app?query/key``, where no key stands before it."""
    plain, mark, query = path.partition("?")
    if mark and "/" not in plain:
        head, slash, key = query.rpartition("/")
        return (f"{plain}?{head}", key) if slash else (plain, "")
    app, _, key = plain.rpartition("/")
    return app.rstrip("/"), key + mark + query


def _shown_app(app: str) -> str:
    plain, mark, _ = app.partition("?")
    return plain + (mark and f"?{MASK}")


def mask(url: str) -> str:
    """Any address for people, however wrong: what may be secret is hidden."""
    try:
        return parse_target(url).label
    except OutputError:
        scheme, _, rest = url.strip().partition("://")
        host = "" if "@" in rest else re.split(r"[/?#]", rest)[0] + "/"
        return f"{scheme}://{host}{MASK}" if rest else MASK


def _bad(en: str, zh: str) -> OutputError:
    return OutputError(
        f"This is no RTMP address: {en}.",
        code="bad_url",
        zh=f"RTMP 地址不正确：{zh}。",
        retryable=False,
    )
