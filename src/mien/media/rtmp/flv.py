"""Pictures and sound as RTMP carries them: the bodies of FLV tags (FLV 10.1, annex E.4)."""

from __future__ import annotations

from collections.abc import Mapping

from mien.media.annexb import ParameterSets, with_lengths
from mien.media.encoders import AAC_CONFIG
from mien.media.rtmp import amf0
from mien.media.tick import FPS, SAMPLE_RATE

# Frame type (1 key, 2 inter) and codec (7, AVC); sound format 10 (AAC), whose other bits are
# fixed: the decoder is told by its configuration.
_KEY, _INTER, _AAC = 0x17, 0x27, 0xAF
_HEADER, _DATA = 0, 1
# Pictures are shown in the order they come (no B-frames): composition time 0.
_AT_ONCE = bytes(3)


def picture_header(sets: ParameterSets) -> bytes:
    """The AVC sequence header, with the decoder's configuration (ISO/IEC 14496-15)."""
    return bytes([_KEY, _HEADER]) + _AT_ONCE + sets.configuration()


def picture(data: bytes, keyframe: bool, sets: ParameterSets) -> bytes:
    """One access unit (Annex B) of a stream whose header said ``sets``."""
    kind = _KEY if keyframe else _INTER
    return bytes([kind, _DATA]) + _AT_ONCE + with_lengths(data, sets)


def sound_header() -> bytes:
    """The AAC sequence header of what :class:`mien.media.encoders.AacEncoder` makes."""
    return bytes([_AAC, _HEADER]) + AAC_CONFIG


def sound(data: bytes) -> bytes:
    """One AAC packet, as encoded."""
    return bytes([_AAC, _DATA]) + data


def metadata(
    sets: ParameterSets,
    video_bitrate: int,
    audio_bitrate: int = 96_000,
    tags: Mapping[str, str] | None = None,
) -> bytes:
    """``onMetaData`` for those who come; platforms show it. Bitrates in bits per second."""
    info = sets.info
    values: dict[str, amf0.Value] = {
        "width": float(info.width),
        "height": float(info.height),
        "videocodecid": 7.0,
        "videodatarate": video_bitrate / 1000,
        "framerate": float(FPS),
        "audiocodecid": 10.0,
        "audiodatarate": audio_bitrate / 1000,
        "audiosamplerate": float(SAMPLE_RATE),
        "audiosamplesize": 16.0,
        "audiochannels": 1.0,
        "stereo": False,
        "encoder": "mien",
        **(tags or {}),
    }
    return amf0.encode("@setDataFrame", "onMetaData", amf0.EcmaArray(values))
