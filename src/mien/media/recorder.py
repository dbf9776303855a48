"""Recordings: the program's packets as they are, in a file that survives a crash."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Protocol

from mien.label.label import FileTags, Label
from mien.media.disk import RESERVE_BYTES, DiskFile
from mien.media.encoders import AAC_CONFIG, AAC_FRAME_SAMPLES, OPUS_FRAME_SAMPLES
from mien.media.fmp4 import AacTrack, Sample
from mien.media.mp4_file import Mp4File
from mien.media.output import Figure, OutputError
from mien.media.program import Program
from mien.media.reel import Reel
from mien.media.rendition import Rendition
from mien.media.subscription import Kind, Subscription
from mien.media.webm import WebmFile

# For a file that is told to end; its thread goes on by itself when the disk is slower.
CLOSE_SEC = 1.8
_LABELS = {"mp4": "MP4", "webm": "WebM"}


class Film(Protocol):
    """A format: the bytes that samples become in a file.

    marks: what is written over after each part, as (offset, bytes). retag: other tags for the file
    when it ends. end: what is appended at last, and then written over.
    """

    def begin(self) -> bytes: ...
    def add(self, samples: Sequence[Sample]) -> bytes: ...
    def marks(self) -> list[tuple[int, bytes]]: ...
    def retag(self, metadata: Mapping[str, str]) -> None: ...
    def end(self) -> tuple[bytes, list[tuple[int, bytes]]]: ...


class Recorder(ABC):
    """An output that writes a file, complete whenever it ends; what is paused is not in it.

    path: where, or what says so for each attempt; a file that is there is left alone.
    metadata: tags for players to show; "title" is the time of the recording unless it is given.
    The program's label adds its own: that a machine made it, and who is seen in it.
    rendition: how pictures are encoded; None for the format's default.
    reserve: bytes that stay free on the disk.
    """

    kind: ClassVar[str]
    sound: ClassVar[Kind]
    sound_samples: ClassVar[int]

    def __init__(
        self,
        path: Path | Callable[[], Path],
        metadata: Mapping[str, str] | None = None,
        rendition: Rendition | None = None,
        reserve: int = RESERVE_BYTES,
    ) -> None:
        self._path = path if callable(path) else lambda: path
        self._metadata = dict(metadata or {})
        self._rendition = rendition
        self._reserve = reserve
        self._going, self._paused = asyncio.Event(), asyncio.Event()
        self._recording: _Recording | None = None

    @property
    def path(self) -> Path | None:
        """The file that is being written, or was the last time."""
        return self._recording.disk.path if self._recording else None

    @property
    def label(self) -> str:
        return self.path.name if self.path else _LABELS[self.kind]

    @property
    def writing(self) -> bool:
        """Whether the file is going to change."""
        return self._recording is not None and not self._recording.disk.done.done()

    @property
    def seconds(self) -> float:
        """Length of the recording so far."""
        return self._recording.reel.seconds if self._recording else 0.0

    def pause(self) -> None:
        """Leave out what comes from now on."""
        self._going.clear()
        self._paused.set()

    def resume(self) -> None:
        """Go on; in the file there is no gap."""
        self._paused.clear()
        self._going.set()

    def figures(self) -> Mapping[str, Figure]:
        """bytes, seconds, dropped packets, name of the file; minutes_left until the disk is
        full."""
        recording = self._recording
        if recording is None:
            return {"bytes": 0, "seconds": 0.0, "dropped": 0}
        figures: dict[str, Figure] = {
            "file": recording.disk.path.name,
            "bytes": recording.disk.size,
            "seconds": round(self.seconds, 1),
            "dropped": recording.dropped,
        }
        free, size = recording.disk.free, recording.disk.size
        if free is not None and size:
            left = max(0, free - self._reserve) / size * self.seconds
            figures["minutes_left"] = int(left / 60)
        return figures

    async def run(self, program: Program, on_live: Callable[[], None]) -> None:
        """Record until cancelled. on_live: the first pictures are on the disk.

        Raises:
            OutputError: disk_full, no_permission, no_folder, file_too_large, stalled, disk_error.
        """
        rendition = self.pictures(program)
        recording = self._recording = _Recording(
            DiskFile(self._path(), self._reserve),
            Reel(self.sound_samples),
            lambda *told: self.film(rendition or program.shared, *told),
            self._metadata,
            program.label,
            on_live,
        )
        self.resume()
        try:
            while True:
                await _first_of(self._going.wait(), recording.failed())
                with (
                    program.subscribe("video", rendition, leaves=True) as video,
                    program.subscribe(self.sound, whole=True) as sound,
                ):
                    await _first_of(
                        recording.take(video, sound),
                        recording.failed(),
                        self._paused.wait(),
                    )
                recording.cut()
        finally:
            await recording.end()

    def pictures(self, program: Program) -> Rendition | None:
        """What is subscribed to: None for the shared pictures."""
        return self._rendition

    @abstractmethod
    def film(
        self, rendition: Rendition, keyframe: bytes, metadata: Mapping[str, str], created: datetime
    ) -> Film:
        """A new file of this format. keyframe: its first picture."""


class Mp4Recorder(Recorder):
    """MP4 of the shared H.264 and AAC: nothing is encoded for it."""

    kind, sound, sound_samples = "mp4", "aac", AAC_FRAME_SAMPLES

    def film(
        self, rendition: Rendition, keyframe: bytes, metadata: Mapping[str, str], created: datetime
    ) -> Film:
        return Mp4File(keyframe, AacTrack(AAC_CONFIG), metadata, created)


class WebmRecorder(Recorder):
    """WebM of pictures encoded for it (VP9 unless ``rendition`` says otherwise) and the shared
    Opus."""

    kind, sound, sound_samples = "webm", "audio", OPUS_FRAME_SAMPLES

    def pictures(self, program: Program) -> Rendition:
        wanted = self._rendition or program.shared
        return wanted if wanted.codec != "h264" else replace(wanted, codec="vp9")

    def film(
        self, rendition: Rendition, keyframe: bytes, metadata: Mapping[str, str], created: datetime
    ) -> Film:
        return WebmFile(rendition, metadata, created)


class _Recording:
    """One file in the making."""

    def __init__(
        self,
        disk: DiskFile,
        reel: Reel,
        film: Callable[[bytes, Mapping[str, str], datetime], Film],
        metadata: dict[str, str],
        label: Label,
        on_live: Callable[[], None],
    ) -> None:
        self.disk = disk
        self.reel = reel
        self._make_film = film
        self._metadata, self._label = metadata, label
        self._tags: FileTags | None = None
        self._film: Film | None = None
        self._keyframe = b""
        self._on_live: Callable[[], None] | None = on_live
        self._dropped_before = 0
        self._subscriptions: tuple[Subscription, ...] = ()

    @property
    def dropped(self) -> int:
        return self._dropped_before + sum(each.dropped for each in self._subscriptions)

    async def failed(self) -> None:
        """Never returns; raises the OutputError of the disk."""
        await asyncio.shield(self.disk.done)

    async def take(self, video: Subscription, sound: Subscription) -> None:
        """Record until cancelled."""
        self._subscriptions = video, sound
        try:
            await _first_of(self._take_video(video), self._take_sound(sound))
        finally:
            self._dropped_before, self._subscriptions = self.dropped, ()

    async def _take_video(self, video: Subscription) -> None:
        while True:
            got = await video.get()
            assert got.packet.pts is not None
            data = bytes(got.packet)
            self._keyframe = self._keyframe or data  # pictures come from a key frame on
            self.reel.put_video(got.packet.pts, got.keyframe, data)
            self._flush()

    async def _take_sound(self, sound: Subscription) -> None:
        while True:
            got = await sound.get()
            assert got.packet.pts is not None
            self.reel.put_audio(got.packet.pts, bytes(got.packet))
            self._flush()

    def _flush(self) -> None:
        while samples := self.reel.fragment():
            self._append(samples)

    def cut(self) -> None:
        """End a take."""
        if samples := self.reel.cut():
            self._append(samples)

    def _append(self, samples: Sequence[Sample]) -> None:
        self.disk.check()
        data = b""
        if self._film is None or self._tags is None:
            self._tags = self._label.tags()
            now = datetime.now().astimezone()
            self._metadata = {
                "title": f"mien {now:%Y-%m-%d %H:%M}",
                "encoder": "mien",
                **self._metadata,
            }
            self._film = self._make_film(self._keyframe, self._metadata | self._tags.all(), now)
            data = self._film.begin()
        elif self._tags.look():
            self._film.retag(self._metadata | self._tags.all())
        then, self._on_live = self._on_live, None
        self.disk.append(data + self._film.add(samples), then)
        self.disk.overwrite(self._film.marks())

    async def end(self) -> None:
        """End the file properly, as far as the disk allows it."""
        with suppress(OutputError):  # what made the recording end is told already
            self.cut()
        self.disk.close(self._film.end if self._film else None)
        with suppress(OutputError, TimeoutError):
            async with asyncio.timeout(CLOSE_SEC):
                await asyncio.shield(self.disk.done)


async def _first_of(*work: Awaitable[Any]) -> None:
    """Wait for the first to end, and end the others. Raises what it raises."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome
