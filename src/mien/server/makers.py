"""How outputs are made on this server, by the scheme of their address."""

from __future__ import annotations

from mien.media.output import Output
from mien.media.rendition import Rendition
from mien.media.rtmp.output import RtmpOutput
from mien.media.virtual_camera import VirtualCamera
from mien.media.whip.output import WhipOutput
from mien.server.recordings import Recordings
from mien.server.targets import Maker, Target
from mien.services import Services


def makers_for(services: Services, recordings: Recordings) -> dict[str, Maker]:
    """Nothing is opened by making an output; it is when it runs."""

    def whip(target: Target, rendition: Rendition | None) -> Output:
        return WhipOutput(target.url, target.token, rendition, lambda: services.webrtc)

    return {
        "rtmp": _rtmp,
        "rtmps": _rtmp,
        "whip": whip,
        "record": recordings.make,
        "camera": _camera,
    }


def _rtmp(target: Target, rendition: Rendition | None) -> Output:
    return RtmpOutput(target.url, target.key, rendition)


def _camera(target: Target, rendition: Rendition | None) -> Output:
    """``camera``, or ``camera:/dev/video4`` for one of several."""
    return VirtualCamera(target.url.strip().partition(":")[2] or None, rendition)
