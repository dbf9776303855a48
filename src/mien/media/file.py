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
from av.audio.stream import AudioStream
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream

from mien.label.label import UNLABELLED, Label
from mien.media.alpha import bled
from mien.media.recipe import recipe_for
from mien.media.tick import FPS, SAMPLE_RATE, SAMPLES_PER_TICK, Image, Tick

_MOVIES = (".mp4", ".m4v", ".mov")


class FileWriter:
    """A video file whose codecs follow from the name's ending (``media/recipe.py``).

    Written beside its target and moved there when complete, so that an interrupted run leaves
    nothing that looks whole.

    transparent: ticks carry uint8[H, W, 4] RGBA, straight alpha, and the file keeps the alpha.
    label: how the file says that a machine made it.

    Raises:
        OSError: when the file cannot be written.
        ValueError: when the name's ending is no container for this.
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        transparent: bool = False,
        label: Label = UNLABELLED,
    ) -> None:
        recipe = recipe_for(path, transparent)
        self._path = path
        self._partial = path.with_name(f".{path.stem}.partial{path.suffix}")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._badge = label.drawn(leaves=True)
        tags = label.tags().all()
        # Without this, FFmpeg keeps of an MP4's tags only those that iTunes knows.
        keep_all = (
            {"movflags": "use_metadata_tags"} if tags and path.suffix.lower() in _MOVIES else {}
        )
        self._container = av.open(str(self._partial), "w", options=keep_all)
        self._container.metadata.update(tags)
        video = self._container.add_stream(recipe.video, rate=FPS)
        audio = self._container.add_stream(recipe.audio, rate=SAMPLE_RATE)
        assert isinstance(video, VideoStream) and isinstance(audio, AudioStream)
        self._video, self._audio = video, audio
        self._video.width, self._video.height = size
        self._video.pix_fmt = self._pix_fmt = recipe.pix_fmt
        self._transparent = transparent
        coder = self._video.codec_context
        coder.options = recipe.options
        coder.thread_count = recipe.threads
        # What the conversions below make, told to players so that none guesses.
        coder.colorspace, coder.color_range = Colorspace.SMPTE170M, ColorRange.MPEG
        coder.color_primaries, coder.color_trc = ColorPrimaries.SMPTE170M, ColorTrc.SMPTE170M
        self._audio.codec_context.layout = "mono"
        if recipe.audio_bitrate is not None:
            self._audio.bit_rate = recipe.audio_bitrate
        self._resampler = AudioResampler(recipe.audio_format, "mono", SAMPLE_RATE)
        self._ticks = 0

    def write(self, tick: Tick) -> None:
        """Append a tick. Ticks are numbered as written, whatever their index."""
        picture = self._picture(tick.image)
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

    def _picture(self, image: Image) -> av.VideoFrame:
        if self._transparent:
            figure = self._badge.on_figure(image) if self._badge else image
            frame = av.VideoFrame.from_ndarray(bled(figure), "rgba")
            return frame.reformat(format=self._pix_fmt, dst_colorspace=Colorspace.ITU601)
        if self._badge:
            image = self._badge.on(image)
        i420 = cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420)
        return av.VideoFrame.from_ndarray(np.asarray(i420, np.uint8), "yuv420p")

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
