"""Who may use the server: anybody on this machine, beyond it whoever has the token."""

from __future__ import annotations

import hmac
import ipaddress

from fastapi import Request
from starlette.requests import HTTPConnection

from mien.problems import Problem


def is_loopback(host: str) -> bool:
    """Whether a server bound to ``host`` can only be reached from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def require_token(request: Request) -> None:
    """:func:`check_token`, as a dependency."""
    check_token(request)


def check_token(connection: HTTPConnection) -> None:
    """Raises Problem 401 unless a request carries the token (header, or ?token= where a page
    cannot send one)."""
    token: str | None = connection.app.state.token
    if token is None:
        return
    header = connection.headers.get("authorization", "")
    given = header.removeprefix("Bearer ") if header.startswith("Bearer ") else ""
    given = given or connection.query_params.get("token", "")
    if not hmac.compare_digest(given.encode(), token.encode()):
        raise Problem(
            "no_token",
            "This server needs its token: open the address that was printed when it started.",
            "访问此服务器需要令牌：请打开启动时显示的完整网址。",
            status=401,
        )
