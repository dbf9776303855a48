"""Whether what a viewer is shown leaves this machine, by how the request came."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from mien.server.access import is_loopback

# What proxies and tunnels add; they come from this machine themselves.
_ON_BEHALF = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


def leaves(connection: HTTPConnection) -> bool:
    """False only for who comes from this machine, for itself, by a name of this machine."""
    client = connection.client
    if client is None or not is_loopback(client.host):
        return True
    if any(name in connection.headers for name in _ON_BEHALF):
        return True
    asked = urlsplit(f"//{connection.headers.get('host', '')}").hostname or ""
    return not is_loopback(asked)
