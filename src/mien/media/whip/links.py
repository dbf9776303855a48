"""ICE servers as HTTP tells them, in Link headers (RFC 9725 §4.6, syntax of RFC 8288)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from aiortc import RTCIceServer

_LINK = re.compile(r'\s*<([^<>]*)>((?:\s*;\s*[\w*-]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s";,]+))?)*)')
_PARAMETER = re.compile(r';\s*([\w*-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s";,]+)))?')


def ice_servers(headers: Iterable[str]) -> tuple[RTCIceServer, ...]:
    """Those with ``rel="ice-server"``; what is no Link header, or another relation, is passed over.

    headers: the values of a response's Link headers; one may hold several links.
    """
    servers = []
    for header in headers:
        position = 0
        while found := _LINK.match(header, position):
            position = found.end()
            if header[position : position + 1] == ",":
                position += 1
            given = {
                name.lower(): re.sub(r"\\(.)", r"\1", quoted) if quoted else plain
                for name, quoted, plain in _PARAMETER.findall(found[2])
            }
            if "ice-server" in given.get("rel", "").lower().split():
                servers.append(
                    RTCIceServer(found[1], given.get("username"), given.get("credential"))
                )
    return tuple(servers)


def ice_links(servers: Iterable[RTCIceServer]) -> list[str]:
    """The same the other way: a Link header's value for each address."""
    links = []
    for server in servers:
        urls = [server.urls] if isinstance(server.urls, str) else server.urls
        for url in urls:
            parts = [f"<{url}>", 'rel="ice-server"']
            if server.username is not None and server.credential is not None:
                parts += [
                    f"username={_quoted(server.username)}",
                    f"credential={_quoted(server.credential)}",
                    'credential-type="password"',
                ]
            links.append("; ".join(parts))
    return links


def _quoted(text: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
