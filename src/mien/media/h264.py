"""H.264 as every viewer and platform takes it, by the graphics card where that works."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache

import av
import cv2
import numpy as np
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from av.video.stream import VideoStream
from loguru import logger

from mien.media.rendition import VideoSettings
from mien.media.tick import FPS, Image

VIDEO_CLOCK = 90_000
VIDEO_STEP = VIDEO_CLOCK // FPS

# What OpenCV's conversion makes (BT.601, limited range), told to decoders so that none guesses.
COLOUR_PARAMS = "colorprim=smpte170m:transfer=smpte170m:colormatrix=smpte170m:range=tv"
SOFTWARE = "libx264"
# Tried in this order by "auto"; the wheel of PyAV says which of them a platform has at all.
HARDWARE = ("h264_nvenc", "h264_videotoolbox", "h264_qsv", "h264_amf")
# A picture that comes back worse than this (dB) was not encoded, whatever the driver says.
WORST_PSNR = 25.0

_TIME_BASE = Fraction(1, VIDEO_CLOCK)


class H264Encoder:
    """H.264 constrained baseline: no B-frames, parameter sets in every key frame (IDR).

    name: the FFmpeg encoder at work. One of a graphics card that fails later (too many sessions,
    a driver that is gone) is replaced by libx264, which begins with a key frame.
    """

    def __init__(self, width: int, height: int, settings: VideoSettings) -> None:
        self._size = width, height
        self._settings = settings
        self.name = chosen_encoder(settings.encoder, width, height)
        self._codec = open_codec(self.name, width, height, settings)

    def encode(self, image: Image, index: int, keyframe: bool) -> Packet[VideoStream] | None:
        """Encode uint8[H, W, 3] RGB as tick ``index``. Releases the GIL for most of its time."""
        try:
            return _encoded(self._codec, self.name, image, index, keyframe)
        except av.error.FFmpegError as error:
            if self.name == SOFTWARE:
                raise
            logger.warning(f"{self.name} failed ({error}); {SOFTWARE} goes on")
            self.name = SOFTWARE
            self._codec = open_codec(SOFTWARE, *self._size, self._settings)
            return _encoded(self._codec, SOFTWARE, image, index, True)


def _encoded(
    codec: VideoCodecContext, name: str, image: Image, index: int, keyframe: bool
) -> Packet[VideoStream] | None:
    i420 = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420), np.uint8)
    frame = av.VideoFrame.from_ndarray(i420, format="yuv420p")
    if codec.pix_fmt != "yuv420p":
        frame = frame.reformat(format=codec.pix_fmt)
    frame.pts = index * VIDEO_STEP
    frame.time_base = _TIME_BASE
    frame.pict_type = PictureType.I if keyframe else PictureType.NONE
    for packet in codec.encode(frame):
        packet.time_base = _TIME_BASE
        return packet
    return None


def open_codec(name: str, width: int, height: int, settings: VideoSettings) -> VideoCodecContext:
    """Raises av.error.FFmpegError or ValueError when this machine cannot."""
    codec = av.CodecContext.create(name, "w")
    assert isinstance(codec, VideoCodecContext)
    codec.width, codec.height = width, height
    codec.pix_fmt = "nv12" if name in ("h264_qsv", "h264_amf") else "yuv420p"
    codec.framerate = Fraction(FPS)
    codec.time_base = _TIME_BASE
    codec.gop_size = round(settings.keyframe_sec * FPS)
    codec.max_b_frames = 0
    if name == SOFTWARE:
        codec.thread_count = 1
        codec.options = _x264_options(width, height, settings)
    else:
        codec.bit_rate = settings.bitrate
        codec.options = {"maxrate": str(settings.bitrate), **_hardware_options(name, settings)}
    codec.open()
    return codec


def _x264_options(width: int, height: int, settings: VideoSettings) -> dict[str, str]:
    rate = str(settings.bitrate)
    params = f"repeat-headers=1:annexb=1:{COLOUR_PARAMS}"
    common = {
        "preset": settings.preset,
        "tune": "zerolatency",
        "profile": "baseline",
        "level": _level(width * height),
        "maxrate": rate,
        "forced-idr": "1",
        "sc_threshold": "0",
    }
    if settings.constant:
        return common | {"b": rate, "bufsize": rate, "x264-params": f"nal-hrd=cbr:{params}"}
    return common | {
        # Constant quality under a ceiling: at a constant rate a person who sits still cost
        # 1.4 Mb/s for 2 dB nobody sees, and twice the packets to send.
        "crf": str(settings.quality),
        # A small buffer keeps key frames small: with half a second of it a 2.5 Mb/s link
        # dropped 300 packets in 12 s and froze five times, with this none.
        "bufsize": str(int(settings.bitrate * 0.15)),
        "x264-params": params,
    }


def _level(pixels: int) -> str:
    """The lowest of those in use that allows such pictures (H.264, table A-1)."""
    return "3.1" if pixels <= 1280 * 720 else "4.0" if pixels <= 2048 * 1024 else "5.1"


def _hardware_options(name: str, settings: VideoSettings) -> Mapping[str, str]:
    """Lowest delay and key frames on demand, in each vendor's words (ffmpeg -h encoder=NAME)."""
    rate = "cbr" if settings.constant else "vbr"
    quality = {} if settings.constant else {"cq": str(settings.quality + 2)}
    return {
        "h264_nvenc": {
            "preset": "p3",
            "tune": "ull",
            "zerolatency": "1",
            "delay": "0",
            "forced-idr": "1",
            "profile": "baseline",
            "rc": rate,
            **quality,
        },
        "h264_videotoolbox": {"realtime": "1", "profile": "constrained_baseline", "allow_sw": "0"},
        "h264_qsv": {
            "preset": "veryfast",
            "profile": "baseline",
            "async_depth": "1",
            "low_delay_brc": "1",
            "forced_idr": "1",
        },
        "h264_amf": {
            "usage": "ultralowlatency",
            "profile": "constrained_baseline",
            "rc": "cbr" if settings.constant else "vbr_latency",
            "forced_idr": "1",
            "header_insertion_mode": "idr",
        },
    }[name]


def chosen_encoder(wanted: str, width: int, height: int) -> str:
    """The encoder that ``wanted`` comes to on this machine; what does not work becomes libx264."""
    if wanted == SOFTWARE:
        return SOFTWARE
    names = HARDWARE if wanted == "auto" else (wanted,)
    name = next((name for name in names if trouble_with(name, width, height) is None), SOFTWARE)
    if wanted not in ("auto", name):
        logger.warning(f"{wanted} {trouble_with(wanted, width, height)}; {SOFTWARE} encodes")
    return name


@lru_cache(maxsize=64)
def trouble_with(name: str, width: int, height: int) -> str | None:
    """Why an encoder cannot be used here, or None: it is tried on a few pictures, which must come
    at once, with key frames where asked for that carry their parameter sets, and look right."""
    try:
        codec = open_codec(name, width, height, VideoSettings())
        decoder = av.CodecContext.create("h264", "r")
        assert isinstance(decoder, VideoCodecContext)
        for index in range(4):
            image = _test_picture(width, height, index)
            packet = _encoded(codec, name, image, index, keyframe=index in (0, 2))
            if packet is None:
                return "gives no packet for a picture"
            if index in (0, 2) and not (packet.is_keyframe and _has_parameters(bytes(packet))):
                return "makes no key frames on demand"
            decoder.flags |= av.codec.context.Flags.low_delay
            for frame in decoder.decode(packet):
                if cv2.PSNR(frame.to_ndarray(format="rgb24"), image) < WORST_PSNR:
                    return "does not encode what it is given"
    except (av.error.FFmpegError, ValueError, KeyError, OSError) as error:
        return f"cannot be used on this machine ({error})"
    return None


def _test_picture(width: int, height: int, index: int) -> Image:
    across = np.linspace(0, 200, width)[None, :, None]
    down = np.linspace(0, 50, height)[:, None, None]
    return np.broadcast_to(across + down + index, (height, width, 3)).astype(np.uint8)


def _has_parameters(data: bytes) -> bool:
    """Whether an Annex B access unit holds a sequence parameter set (NAL unit type 7)."""
    starts = [at + 3 for at in range(min(len(data) - 3, 256)) if data[at : at + 3] == b"\0\0\1"]
    return any(data[at] & 0x1F == 7 for at in starts)
