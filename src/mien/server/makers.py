"""How outputs are made on this server, by the scheme of their address."""

from __future__ import annotations

from mien.media.output import Output
from mien.media.rendition import Rendition
from mien.media.rtmp.output import RtmpOutput
from mien.server.recordings import Recordings
from mien.server.targets import Maker, Target
from mien.services import Services


def makers_for(services: Services, recordings: Recordings) -> dict[str, Maker]:
    """Nothing is opened by making an output; it is when it runs."""
    return {"rtmp": _rtmp, "rtmps": _rtmp, "record": recordings.make}


def _rtmp(target: Target, rendition: Rendition | None) -> Output:
    return RtmpOutput(target.url, target.key, rendition)
