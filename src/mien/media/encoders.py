"""Encoders of sound: Opus for browsers, AAC for RTMP, recordings and MSE."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.packet import Packet

from mien.media.tick import SAMPLE_RATE, Pcm

OPUS_FRAME_SAMPLES = SAMPLE_RATE // 50
# A decoder gives each Opus sample this much later than its packet's time stamp says (RFC 7845
# calls it pre-skip; libopus' look-ahead at 48 kHz for application "audio").
OPUS_DELAY_SAMPLES = 312

AAC_FRAME_SAMPLES = 1024
# AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1): AAC-LC (2), 48 kHz (index 3), one channel.
AAC_CONFIG = bytes([2 << 3 | 3 >> 1, (3 & 1) << 7 | 1 << 3])

_AUDIO_TIME_BASE = Fraction(1, SAMPLE_RATE)


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

    def encode(self, pcm: Pcm, position: int) -> list[Packet[AudioStream]]:
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
        return [packet]


class AacEncoder:
    """AAC-LC, mono 48 kHz, packets of 1024 samples.

    The encoder's delay is in the stamps: the first packet's pts is 1024 before the first sample, so
    that each decoded sample carries the position it was given with.
    """

    def __init__(self, bitrate: int = 96_000) -> None:
        self._bitrate = bitrate
        self._codec = self._opened()
        self._waiting: Pcm = np.zeros(0, np.int16)
        self._end = -1  # position just past what was taken so far

    def _opened(self) -> AudioCodecContext:
        codec = av.CodecContext.create("aac", "w")
        assert isinstance(codec, AudioCodecContext)
        codec.sample_rate = SAMPLE_RATE
        codec.layout = "mono"
        codec.format = "fltp"
        codec.bit_rate = self._bitrate
        codec.time_base = _AUDIO_TIME_BASE
        codec.flags |= av.codec.context.Flags.global_header
        codec.open()
        return codec

    def encode(self, pcm: Pcm, position: int) -> list[Packet[AudioStream]]:
        """Encode int16[n] that starts at sample ``position``; gives the packets now complete.

        After a jump in ``position`` what was incomplete is dropped, less than 22 ms.
        """
        if position != self._end:
            self._codec, self._waiting = self._opened(), pcm[:0]
        self._end = position + len(pcm)
        self._waiting = np.concatenate([self._waiting, pcm])
        packets: list[Packet[AudioStream]] = []
        while len(self._waiting) >= AAC_FRAME_SAMPLES:
            whole, self._waiting = np.split(self._waiting, [AAC_FRAME_SAMPLES])
            samples = whole.astype(np.float32)[None, :] / np.float32(32768)
            frame = av.AudioFrame.from_ndarray(samples, "fltp", "mono")
            frame.sample_rate = SAMPLE_RATE
            frame.pts = self._end - len(self._waiting) - AAC_FRAME_SAMPLES
            frame.time_base = _AUDIO_TIME_BASE
            for packet in self._codec.encode(frame):
                packet.time_base = _AUDIO_TIME_BASE
                packets.append(packet)
        return packets
