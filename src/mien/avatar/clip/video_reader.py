"""A clip's pictures, one after the other: upright, square pixels, at most 1920 a side, 25 a second.

Read with PyAV (FFmpeg): whatever that decodes. Only a few pictures are in memory at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from mien.avatar.clip.errors import ClipError
from mien.avatar.clip.resampled import resampled
from mien.avatar.clip.upright import MOST_PIXELS, Upright
from mien.media.tick import FPS, Image

SHORTEST_SEC = 0.5
USUAL_SEC = 60.0  # kept of a longer clip: at 720p that is about 300 MB of pictures
LONGEST_SEC = 120.0  # of a part that was asked for
MISSING_SEC = 0.5  # of the end, from which a file counts as cut off
FROZEN_SEC = 1.5  # without a picture; a person who stands still for longer has not been filmed

# Containers of clips, and of sound alone so as to say so. Playlists and the like are left out:
# a file that is one would make FFmpeg open others, and addresses of the network.
FORMATS = (
    "mov,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,mxf,gif,ivf,h264,hevc,obu,m4v,dv,"
    "3gp,mp3,wav,flac,aac"
)


@dataclass(frozen=True, slots=True)
class Part:
    """Of a clip, from ``start`` to ``end``, seconds of the clip's own time."""

    start: float
    end: float


class VideoReader:
    """One clip's file.

    size: width, height of the pictures. stored_size: as in the file. codec: its name. seconds: of
    what will be read, as the file says; 0 when it does not say. first_frame: number of the first
    picture at 25 fps, counted from the clip's start. cropped_sec: length of the clip when only
    its beginning is kept, otherwise 0.
    """

    def __init__(self, path: Path, part: Part | None = None) -> None:
        """Raises ClipError: "empty_file", "not_a_video", "no_pictures", "damaged", "bad_part",
        "too_short". OSError when the file cannot be read."""
        with open(path, "rb") as file:
            if not file.read(1):
                raise ClipError(
                    "empty_file",
                    "The file is empty (0 bytes); copy or export the clip again.",
                    "文件是空的（0 字节）；请重新复制或导出视频。",
                )
        self._path = path
        with _opened(path) as container:
            stream = _video_stream(container)
            self.codec = stream.codec_context.name
            self._origin, self._upright = _first_look(container, stream)
            self._index = stream.index
            self._rate = float(stream.average_rate or stream.guessed_rate or FPS)
            self._whole = _seconds(container, stream)
        _check_part(part, self._whole)
        self._part = part or Part(0.0, USUAL_SEC)
        self.size, self.stored_size = self._upright.size, self._upright.stored_size
        self.seconds = max(0.0, min(self._whole, self._part.end) - self._part.start)
        self.first_frame = round(self._part.start * FPS)
        self.cropped_sec = self._whole if part is None and self._whole > USUAL_SEC + 0.02 else 0.0

    @property
    def notes(self) -> list[str]:
        """What was done to the pictures: "scaled", "hdr", "interlaced"."""
        return self._upright.notes

    @property
    def frames(self) -> int:
        """How many pictures to expect, at most; from what the file says of its length."""
        seconds = self.seconds or self._part.end - self._part.start
        return max(1, math.ceil(seconds * FPS))

    def pictures(self) -> Iterator[Image]:
        """uint8[H, W, 3] RGB, 25 a second: of each instant the picture nearest to it. Reads the
        file anew each time.

        Raises ClipError: "damaged", "frozen", "too_short".
        """
        count = 0
        most = round((self._part.end - self._part.start) * FPS)
        for frame in resampled(self._decoded(), self._start(), FPS):
            if count >= most:
                break
            yield self._upright.picture(frame)
            count += 1
        if count < SHORTEST_SEC * FPS:
            raise _too_short(count / FPS)

    def _start(self) -> float | None:
        return None if self._part.start == 0 else self._origin + self._part.start

    def _decoded(self) -> Iterator[tuple[float, float, av.VideoFrame]]:
        """Time, duration (both seconds) and picture, ascending; begins just before the part."""
        rate = self._rate
        start, end = self._origin + self._part.start, self._origin + self._part.end
        last = -math.inf
        good = False
        for frame in self._frames(start):
            at = frame.time if frame.time is not None else last + 1 / rate
            if not math.isfinite(at):
                at = self._origin
            if frame.is_corrupt and good and at >= start:
                raise _damaged(at - self._origin, self._whole)
            good = good or not frame.is_corrupt
            if at <= last:
                continue
            if at - last > FROZEN_SEC and at > start and math.isfinite(last):
                raise _frozen(max(last, start) - self._origin, at - self._origin)
            last = at
            span = frame.duration * float(frame.time_base) if frame.time_base else 0.0
            yield at, min(span or 1 / rate, MISSING_SEC), frame
            if at > end + 1:
                return
        missing = min(self._whole, self._part.end) - (last - self._origin + 1 / rate)
        if missing > MISSING_SEC:
            raise _damaged(last - self._origin, self._whole)

    def _frames(self, start: float) -> Iterator[av.VideoFrame]:
        """Opened anew: the first look has consumed the beginning, and not every file can seek."""
        seen = self._origin
        with _opened(self._path) as container:
            stream = container.streams[self._index]
            assert isinstance(stream, VideoStream)
            _in_this_thread(stream)
            if start > self._origin and stream.time_base is not None:
                with suppress(av.FFmpegError):  # then everything before is decoded and dropped
                    container.seek(int(start / stream.time_base), stream=stream)
            try:
                for frame in container.decode(stream):
                    seen = frame.time if frame.time is not None else seen
                    yield frame
            except av.FFmpegError as error:
                raise _damaged(seen - self._origin, self._whole) from error


def _first_look(container: InputContainer, stream: VideoStream) -> tuple[float, Upright]:
    """When the first picture is shown, and what it says of size, turn and colour."""
    _in_this_thread(stream)
    context = stream.codec_context
    try:
        if context.width * context.height <= MOST_PIXELS:
            for frame in container.decode(stream):
                return frame.time or 0.0, Upright.of(frame, stream)
    except (av.FFmpegError, ValueError) as error:
        raise _damaged(0.0, 0.0) from error
    raise _damaged(0.0, 0.0)


def _check_part(part: Part | None, whole: float) -> None:
    """whole: seconds of the clip, 0 where that is not known."""
    if whole and whole < SHORTEST_SEC:
        raise _too_short(whole)
    if part is None:
        return
    length = min(part.end, whole or part.end) - part.start
    if part.start < 0 or not SHORTEST_SEC <= length <= LONGEST_SEC:
        raise ClipError(
            "bad_part",
            f"The part {part.start:g}-{part.end:g} s cannot be used: it must lie in the clip"
            + (f" (which is {whole:.1f} s long)" if whole else "")
            + f" and be {SHORTEST_SEC:g} to {LONGEST_SEC:g} s long.",
            f"无法使用 {part.start:g}-{part.end:g} 秒这一段：它必须在视频之内"
            + (f"（视频长 {whole:.1f} 秒）" if whole else "")
            + f"，长度为 {SHORTEST_SEC:g} 到 {LONGEST_SEC:g} 秒。",
        )


def _opened(path: Path) -> InputContainer:
    options = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
    try:
        return av.open(str(path.resolve()), options=options, metadata_errors="ignore")
    except (FileNotFoundError, PermissionError, IsADirectoryError):
        raise
    except av.FFmpegError as error:
        raise ClipError(
            "not_a_video",
            "This is no photo, and cannot be opened as a video: it is another kind of file, or the "
            "recording or copy was broken off before its end. Export or copy the clip again, as "
            "MP4 for instance.",
            "不是照片，也无法作为视频打开：文件不是视频，或录制、复制时中途断开。"
            "请重新导出或复制，例如导出为 MP4。",
        ) from error


def _in_this_thread(stream: VideoStream) -> None:
    """Threads of a decoder that has something to complain of take Python's lock for it, and wait
    for ever for one that closes them (PyAV issues 751, 909, 2276)."""
    stream.codec_context.thread_count = 1


def _video_stream(container: InputContainer) -> VideoStream:
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        raise _no_pictures() if container.streams.audio else _damaged(0.0, 0.0)
    usual = [s for s in streams if s.disposition & Disposition.default]
    stream = (usual or streams)[0]
    if stream.codec_context is None:
        raise ClipError(
            "not_a_video",
            "This video's coding is not known here; export the clip as MP4 (H.264).",
            "无法识别该视频的编码；请将视频导出为 MP4（H.264）。",
        )
    return stream


def _seconds(container: InputContainer, stream: VideoStream) -> float:
    """How long the pictures last, as the file says; 0 when it does not."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    told = stream.metadata.get("DURATION", "")
    try:
        hours, minutes, seconds = told.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        pass
    if container.duration is not None and not container.streams.audio:
        return container.duration / av.time_base
    return 0.0


def _no_pictures() -> ClipError:
    return ClipError(
        "no_pictures",
        "There is only sound in this file; choose a clip that shows a face.",
        "文件里只有声音，没有画面；请选择有人脸的视频。",
    )


def _damaged(at: float, whole: float) -> ClipError:
    of_en = f" of {whole:.1f} s" if whole else ""
    of_zh = f"（全长 {whole:.1f} 秒）" if whole else ""
    keep = f" or use what is intact with --part 0-{at - 0.1:.1f}" if at > SHORTEST_SEC + 0.1 else ""
    keep_zh = f"，或用 --part 0-{at - 0.1:.1f} 只使用完好的部分" if keep else ""
    if at <= 0:
        return ClipError(
            "damaged",
            "None of the clip's pictures can be read: it is damaged, or coded in a way that is not "
            "known here. Export it again, as MP4 (H.264) for instance.",
            "视频画面无法读取：文件已损坏，或编码无法识别。请重新导出，例如导出为 MP4（H.264）。",
        )
    return ClipError(
        "damaged",
        f"The clip is damaged or incomplete: its pictures end at {at:.2f} s{of_en}. Export "
        f"or copy it again{keep}.",
        f"视频已损坏或不完整：画面只到 {at:.2f} 秒{of_zh}。请重新导出或复制{keep_zh}。",
    )


def _frozen(start: float, end: float) -> ClipError:
    return ClipError(
        "frozen",
        f"There are no pictures between {start:.2f} s and {end:.2f} s of the clip; film again, or "
        "use a part without that gap with --part.",
        f"视频在 {start:.2f} 秒到 {end:.2f} 秒之间没有画面；请重新拍摄，"
        "或用 --part 选取没有空缺的一段。",
    )


def _too_short(seconds: float) -> ClipError:
    return ClipError(
        "too_short",
        f"The clip is only {seconds:.2f} s long; at least {SHORTEST_SEC:g} s are needed, and 5 "
        "to 20 s are good.",
        f"视频只有 {seconds:.2f} 秒；至少需要 {SHORTEST_SEC:g} 秒，5 到 20 秒为宜。",
    )
