"""Which pages of other sites may watch or speak: CORS for /whep and /whip, and nothing else."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mien.server.access import is_loopback

PATHS = ("/whep/", "/whip/")
_ALLOWED = {
    "Access-Control-Allow-Methods": "POST, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match",
    "Access-Control-Max-Age": "86400",
}
_EXPOSED = "Location, Link, ETag, Accept-Post"


class WebRtcCors:
    """Lets players on other sites watch, and clients speak.

    With a token any site may ask: the token decides, and no cookie stands in for it. Without one
    the server is this machine's alone, and only pages of this machine may.
    """

    def __init__(self, app: ASGIApp, has_token: bool) -> None:
        self._app = app
        self._has_token = has_token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        origin = Headers(scope=scope).get("origin") if scope["type"] == "http" else None
        if not origin or not scope["path"].startswith(PATHS) or not self._may(origin):
            await self._app(scope, receive, send)
            return

        async def send_allowed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Access-Control-Allow-Origin"] = "*" if self._has_token else origin
                headers["Access-Control-Expose-Headers"] = _EXPOSED
                headers.add_vary_header("Origin")
                if scope["method"] == "OPTIONS":
                    headers.update(_ALLOWED)
            await send(message)

        await self._app(scope, receive, send_allowed)

    def _may(self, origin: str) -> bool:
        if self._has_token:
            return True
        try:
            return is_loopback(urlsplit(origin).hostname or "")
        except ValueError:
            return False
