"""VP8 and VP9 as a live program needs them."""

from __future__ import annotations

from typing import Literal

import av
import cv2
import numpy as np
import pytest

from mien.media.picture_encoder import make_encoder
from mien.media.rendition import Rendition, VideoSettings
from ticking import FlashBeep

SIZE = (320, 240)


@pytest.mark.parametrize("codec", ["vp8", "vp9"])
def test_a_packet_for_each_picture_and_key_frames_on_demand(codec: Literal["vp8", "vp9"]) -> None:
    encoder = make_encoder(Rendition(*SIZE, codec=codec, video=VideoSettings(keyframe_sec=1)))
    source, decoder = FlashBeep(SIZE), av.CodecContext.create(codec, "r")
    keyframes = []
    for index in range(7, 47):
        image = source.picture(index)
        packet = encoder.encode(image, index, index in (7, 20))
        assert packet is not None and packet.pts == index * 3600
        if packet.is_keyframe:
            keyframes.append(index)
        (frame,) = decoder.decode(packet)
        assert isinstance(frame, av.VideoFrame)
        seen = frame.to_ndarray(format="rgb24")
        assert cv2.PSNR(seen, image) > 28
        colour = seen[10:70, index * 4 % 280 + 8 : index * 4 % 280 + 32].mean(axis=(0, 1))
        assert np.abs(colour - (200, 80, 40)).max() < 14
    # On demand, and a second after the last.
    assert keyframes == [7, 20, 45]


@pytest.mark.parametrize("codec", ["vp8", "vp9"])
def test_a_constant_rate_is_kept(codec: Literal["vp8", "vp9"]) -> None:
    """Of pictures that would take three times as much."""
    settings = VideoSettings(bitrate=300_000, constant=True)
    encoder = make_encoder(Rendition(*SIZE, codec=codec, video=settings))
    noise = np.random.default_rng(1)
    size = 0
    for index in range(50):
        coarse = noise.integers(0, 256, (15, 20, 3), np.uint8)
        packet = encoder.encode(np.asarray(cv2.resize(coarse, SIZE), np.uint8), index, False)
        assert packet is not None
        size += packet.size
    assert size * 8 / 2 == pytest.approx(300_000, rel=0.3)
