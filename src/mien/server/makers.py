"""How outputs are made on this server, by the scheme of their address."""

from __future__ import annotations

from mien.server.targets import Maker
from mien.services import Services


def makers_for(services: Services) -> dict[str, Maker]:
    """Nothing is opened by making an output; it is when it runs."""
    return {}
