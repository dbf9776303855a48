"""Writing a performance to a file, as fast as it can be drawn."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import cv2
import numpy as np
from av.audio.resampler import AudioResampler

from mien.media.encoders import COLOUR_PARAMS
from mien.media.tick import FPS, SAMPLE_RATE, SAMPLES_PER_TICK, Tick


class FileWriter:
    """An MP4 (or any container FFmpeg knows by its name) of H.264 and AAC.

    Written beside its target and moved there when complete, so that an interrupted run leaves
    nothing that looks whole.

    Raises:
        OSError: when the file cannot be written.
        ValueError: when the name's ending is no container that takes H.264 and AAC.
    """

    def __init__(self, path: Path, size: tuple[int, int], crf: int = 20) -> None:
        self._path = path
        self._partial = path.with_name(f".{path.stem}.partial{path.suffix}")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._container = av.open(str(self._partial), "w")
            self._video = self._container.add_stream("libx264", rate=FPS)
            self._audio = self._container.add_stream("aac", rate=SAMPLE_RATE)
        except ValueError as error:
            raise ValueError(
                f"{path.name}: not a video file name ({error}); try one that ends in .mp4"
            ) from error
        self._video.width, self._video.height = size
        self._video.pix_fmt = "yuv420p"
        self._video.codec_context.options = {
            "preset": "veryfast",
            "crf": str(crf),
            "x264-params": COLOUR_PARAMS,
        }
        self._audio.codec_context.layout = "mono"
        self._audio.bit_rate = 128_000
        self._resampler = AudioResampler("fltp", "mono", SAMPLE_RATE)
        self._ticks = 0

    def write(self, tick: Tick) -> None:
        """Append a tick. Ticks are numbered as written, whatever their index."""
        image = cv2.cvtColor(tick.image, cv2.COLOR_RGB2YUV_I420)
        picture = av.VideoFrame.from_ndarray(np.asarray(image, np.uint8), "yuv420p")
        picture.pts = self._ticks
        picture.time_base = Fraction(1, FPS)
        self._container.mux(self._video.encode(picture))
        sound = av.AudioFrame.from_ndarray(tick.audio[None, :], "s16", "mono")
        sound.sample_rate = SAMPLE_RATE
        sound.pts = self._ticks * SAMPLES_PER_TICK
        sound.time_base = Fraction(1, SAMPLE_RATE)
        for frame in self._resampler.resample(sound):
            self._container.mux(self._audio.encode(frame))
        self._ticks += 1

    @property
    def seconds(self) -> float:
        return self._ticks / FPS

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._container.mux(self._video.encode(None))
                self._container.mux(self._audio.encode(None))
            self._container.close()
            if error is None:
                self._partial.replace(self._path)
        finally:
            self._partial.unlink(missing_ok=True)
