"""Whether a server takes connections, found out without asking it for anything."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

# A voice has 2 s to find out whether it could speak.
_LIMIT_SEC = 1.5


async def reach(url: str) -> None:
    """Connect to where ``url`` points, and leave.

    Raises:
        OSError: when nobody takes the connection within 1.5 s, or the address makes no sense.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or (80 if parts.scheme in ("http", "ws") else 443)
    except ValueError as error:
        raise OSError(f"{url} is no address") from error
    async with asyncio.timeout(_LIMIT_SEC):
        _, writer = await asyncio.open_connection(parts.hostname, port)
    writer.close()
