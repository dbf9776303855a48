"""How outputs are made on this server, by the scheme of their address."""

from __future__ import annotations

from mien.server.recordings import Recordings
from mien.server.targets import Maker
from mien.services import Services


def makers_for(services: Services, recordings: Recordings) -> dict[str, Maker]:
    """Nothing is opened by making an output; it is when it runs."""
    return {"record": recordings.make}
