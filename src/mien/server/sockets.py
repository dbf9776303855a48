"""What the server's WebSockets have in common: who may open one, and how they end."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import WebSocket
from fastapi.responses import JSONResponse
from starlette.requests import HTTPConnection

from mien.problems import Problem
from mien.server.access import check_token

# Of the application's own range (RFC 6455, 7.4.2).
SESSION_ENDED = 4404
REPLACED = 4409
TOO_FAST = 4429


async def admitted(socket: WebSocket) -> bool:
    """Whether who asks may have it; if not, they have been told why."""
    try:
        check_origin(socket)
        check_token(socket)
    except Problem as problem:
        await deny(socket, problem)
        return False
    return True


async def deny(socket: WebSocket, problem: Problem) -> None:
    """Answer the request for a WebSocket with an HTTP error."""
    response = JSONResponse({"error": problem.as_message()}, problem.status)
    await socket.send_denial_response(response)


def check_origin(connection: HTTPConnection) -> None:
    """Raises Problem 403 for a page of another site.

    Browsers let every page open a WebSocket to every host; for ``fetch`` and event streams they
    keep other sites out themselves. Whoever sends no Origin is no page.
    """
    origin = connection.headers.get("origin")
    if origin is None:
        return
    # A proxy may have put another name into Host; what pages run cannot set either.
    hosts = [connection.headers.get(name) for name in ("host", "x-forwarded-host")]
    if urlsplit(origin).netloc.lower() not in {host.lower() for host in hosts if host}:
        raise Problem(
            "foreign_origin",
            "Only the server's own page may open a WebSocket. Behind a reverse proxy, pass the "
            "visitor's Host header on.",
            "只有本服务器的网页可以打开 WebSocket；反向代理须转发访客的 Host 请求头。",
            status=403,
        )
