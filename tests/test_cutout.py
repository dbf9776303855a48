"""The figure alone as a picture of two halves: drawn for those who ask, whole after a codec."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.avatar.contract import Pose
from mien.avatar.library import load_avatar
from mien.lipsync.contract import Mouth
from mien.media.alpha import side_by_side
from mien.media.h264 import H264Encoder
from mien.media.program import Program
from mien.media.rendition import Rendition, VideoSettings
from mien.media.subscription import Subscription
from mien.performer import Performer
from mien.server.stage import transparency
from test_performer import Lips, Stillness

Picture = NDArray[np.uint8]
SIDE = 64
GREEN, SKIN = (0, 255, 0), (220, 170, 140)
LONG = 30.0


class Figure:
    """A disc of skin before pure green; ``outlined`` as a presenter is, or filling its picture."""

    name, size = "figure", (SIDE, SIDE)

    def __init__(self, outlined: bool = True) -> None:
        self.has_outline = outlined
        self.cut: list[int] = []

    def life(self, seed: int) -> Stillness:
        return Stillness()

    def compose(self, tick: int, mouth: Mouth | None, pose: Pose) -> Picture:
        alpha = disc()[..., None] / 255
        return np.round(alpha * SKIN + (1 - alpha) * GREEN).astype(np.uint8)

    def cutout(self, tick: int, mouth: Mouth | None, pose: Pose) -> Picture:
        self.cut.append(tick)
        return cut_disc()


def disc(side: int = SIDE) -> Picture:
    """uint8[side, side], 255 within, half covered pixels at the edge."""
    alpha = np.zeros((side, side), np.uint8)
    cv2.circle(alpha, (side // 2, side // 2), side // 3, 255, -1, cv2.LINE_AA)
    return alpha


def cut_disc(side: int = SIDE) -> Picture:
    """uint8[side, side, 4] RGBA: black where nothing is, as an avatar's cut-out is."""
    alpha = disc(side)
    return np.dstack((np.where(alpha[..., None] > 0, np.uint8(SKIN), np.uint8(0)), alpha))


@asynccontextmanager
async def on_stage(figure: Figure) -> AsyncIterator[Program]:
    with ThreadPoolExecutor(2) as threads:
        performer = Performer(figure, Lips(), threads)
        program = Program(performer, figure.size, threads)
        running = asyncio.create_task(program.run())
        try:
            yield program
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


class Screen:
    """Shows what a subscription brings."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription
        self._decoder = decoder()

    async def shows(self, count: int) -> list[Picture]:
        """The next pictures: uint8[H, W, 3] RGB."""
        pictures: list[Picture] = []
        async with asyncio.timeout(LONG):
            while len(pictures) < count:
                packet = (await self._subscription.get()).packet
                pictures += [f.to_ndarray(format="rgb24") for f in self._decoder.decode(packet)]
        return pictures


def decoder() -> av.CodecContext:
    made = av.CodecContext.create("h264", "r")
    made.flags |= av.codec.context.Flags.low_delay
    return made


async def test_one_sees_the_figure_alone_while_another_keeps_the_background() -> None:
    figure = Figure()
    async with on_stage(figure) as program:
        with program.subscribe("video") as plain:
            other = Screen(plain)
            seen = await other.shows(2)
            assert not figure.cut, "nobody asked for it"
            with program.subscribe("video", program.shared.as_cutout()) as alone:
                for picture in await Screen(alone).shows(4):
                    assert picture.shape == (SIDE, 2 * SIDE, 3)
                    colours, alpha = np.hsplit(picture.astype(int), 2)
                    assert (colours[..., 1] - colours[..., 0]).max() < 40, "no green, ever"
                    assert alpha[4:-4, 4].max() < 12 and alpha[SIDE // 2, SIDE // 2].min() > 243
            drawn = len(figure.cut)
            seen += await other.shows(10)
            assert len(figure.cut) - drawn <= 3, "no more than was begun when they left"
    for picture in seen:
        assert np.abs(picture[2, 2].astype(int) - GREEN).max() < 30


async def test_who_fills_their_picture_is_shown_with_what_is_behind_them() -> None:
    async with on_stage(Figure(outlined=False)) as program:
        with program.subscribe("video", program.shared.as_cutout()) as alone:
            colours, alpha = np.hsplit((await Screen(alone).shows(1))[0].astype(int), 2)
    assert alpha[4:-4, 4:-4].min() > 243, "nothing to see through"
    assert np.abs(colours[2, 2] - GREEN).max() < 30


async def test_another_size_keeps_both_halves_in_register() -> None:
    size = Rendition(96, 128, cutout=True, fit="contain")
    async with on_stage(Figure()) as program:
        with program.subscribe("video", size) as alone:
            picture = (await Screen(alone).shows(1))[0].astype(int)
    assert picture.shape == (128, 96, 3)
    colours, alpha = np.hsplit(picture, 2)
    assert np.abs(colours[64, 24] - SKIN).max() < 20 and alpha[64, 24].min() > 240
    assert alpha[:36].max() < 12, "what is added beside the picture is seen through"


def test_the_api_says_who_cannot_be_without_background(filmed_folder: Path) -> None:
    names = {"en": "Ann", "zh": "安"}
    assert transparency(load_avatar("mei"), names) == {"ready": True, "why_not": None}
    filmed = transparency(load_avatar(filmed_folder), names)
    assert not filmed["ready"]
    assert filmed["why_not"]["en"].startswith("Ann fills the picture")
    assert filmed["why_not"]["zh"].startswith("安 占满整个画面")


@pytest.mark.parametrize("behind", [(0, 0, 0), (255, 255, 255), (255, 0, 255)])
def test_a_sharp_edge_survives_the_codec_before_any_background(
    behind: tuple[int, int, int],
) -> None:
    true = cut_disc(256)
    encoder = H264Encoder(512, 256, VideoSettings(encoder="libx264"))
    (frame,) = decoder().decode(encoder.encode(side_by_side(true), 0, keyframe=True))
    colours, grey = np.hsplit(frame.to_ndarray(format="rgb24"), 2)
    error = np.abs(over(np.dstack((colours, grey[..., 0])), behind) - over(true, behind))
    assert error.max() < 20, "colours that end where the figure does come back as a rim: 41"


def over(cutout: Picture, behind: tuple[int, int, int]) -> NDArray[np.float64]:
    """As the page lays it over what is behind, noise of the codec in alpha taken off."""
    alpha = np.clip((cutout[..., 3:].astype(float) - 6) / 243, 0, 1)
    return np.asarray(alpha * cutout[..., :3] + (1 - alpha) * behind)
