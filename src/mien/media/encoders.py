"""One H.264 and one Opus encoder, as every viewer and output can take them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import av
import cv2
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from av.video.stream import VideoStream

from mien.media.tick import FPS, SAMPLE_RATE, Image, Pcm

VIDEO_CLOCK = 90_000
VIDEO_STEP = VIDEO_CLOCK // FPS
OPUS_FRAME_SAMPLES = SAMPLE_RATE // 50
# A decoder gives each Opus sample this much later than its packet's time stamp says (RFC 7845
# calls it pre-skip; libopus' look-ahead at 48 kHz for application "audio").
OPUS_DELAY_SAMPLES = 312

# What OpenCV's conversion makes (BT.601, limited range), told to decoders so that none guesses.
COLOUR_PARAMS = "colorprim=smpte170m:transfer=smpte170m:colormatrix=smpte170m:range=tv"

_VIDEO_TIME_BASE = Fraction(1, VIDEO_CLOCK)
_AUDIO_TIME_BASE = Fraction(1, SAMPLE_RATE)


@dataclass(frozen=True, slots=True)
class VideoSettings:
    """bitrate: the ceiling, bits per second. quality: x264's rate factor, lower is better and
    more bits. keyframe_sec: at least one key frame so often.

    preset: of x264; "ultrafast" is 2.6 ms per 512×512 picture, "veryfast" 4 ms for about a
    quarter fewer bits.
    """

    bitrate: int = 1_500_000
    quality: int = 21
    keyframe_sec: float = 2.0
    preset: str = "ultrafast"


class H264Encoder:
    """H.264 constrained baseline: no B-frames, parameter sets in every key frame (IDR)."""

    def __init__(self, width: int, height: int, settings: VideoSettings) -> None:
        codec = av.CodecContext.create("libx264", "w")
        assert isinstance(codec, VideoCodecContext)
        codec.width, codec.height, codec.pix_fmt = width, height, "yuv420p"
        codec.framerate = Fraction(FPS)
        codec.time_base = _VIDEO_TIME_BASE
        codec.gop_size = round(settings.keyframe_sec * FPS)
        codec.thread_count = 1
        codec.options = {
            "preset": settings.preset,
            "tune": "zerolatency",
            "profile": "baseline",
            "level": "3.1" if width * height <= 1280 * 720 else "4.0",
            # Constant quality under a ceiling: at a constant rate a person who sits still cost
            # 1.4 Mb/s for 2 dB nobody sees, and twice the packets to send.
            "crf": str(settings.quality),
            "maxrate": str(settings.bitrate),
            # A small buffer keeps key frames small: with half a second of it a 2.5 Mb/s link
            # dropped 300 packets in 12 s and froze five times, with this none.
            "bufsize": str(int(settings.bitrate * 0.15)),
            "forced-idr": "1",
            "sc_threshold": "0",
            "x264-params": f"repeat-headers=1:annexb=1:{COLOUR_PARAMS}",
        }
        self._codec = codec

    def encode(self, image: Image, index: int, keyframe: bool) -> Packet[VideoStream] | None:
        """Encode uint8[H, W, 3] RGB as tick ``index``. Releases the GIL for most of its time."""
        i420 = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420), np.uint8)
        frame = av.VideoFrame.from_ndarray(i420, format="yuv420p")
        frame.pts = index * VIDEO_STEP
        frame.time_base = _VIDEO_TIME_BASE
        frame.pict_type = PictureType.I if keyframe else PictureType.NONE
        for packet in self._codec.encode(frame):
            packet.time_base = _VIDEO_TIME_BASE
            return packet
        return None


class OpusEncoder:
    """Opus, mono 48 kHz, 20 ms packets, with in-band FEC for lossy networks."""

    def __init__(self, bitrate: int = 64_000) -> None:
        codec = av.CodecContext.create("libopus", "w")
        assert isinstance(codec, AudioCodecContext)
        codec.sample_rate = SAMPLE_RATE
        codec.layout = "mono"
        codec.format = "s16"
        codec.bit_rate = bitrate
        codec.time_base = _AUDIO_TIME_BASE
        codec.options = {
            "application": "audio",
            "fec": "1",
            "packet_loss": "5",
            # Of 10: half the time (0.24 ms a packet) for a difference speech does not show.
            "compression_level": "5",
        }
        self._codec = codec

    def encode(self, pcm: Pcm, position: int) -> Packet[AudioStream]:
        """Encode int16[960] as the packet that starts at sample ``position``."""
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm)[None, :], "s16", "mono")
        frame.sample_rate = SAMPLE_RATE
        frame.pts = position
        frame.time_base = _AUDIO_TIME_BASE
        packets = self._codec.encode(frame)
        # libopus takes exactly one frame and gives exactly one packet.
        packet = packets[0]
        packet.pts = packet.dts = position
        packet.time_base = _AUDIO_TIME_BASE
        return packet
