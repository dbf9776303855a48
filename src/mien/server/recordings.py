"""The recordings of a server: one folder, in which files are found by name."""

from __future__ import annotations

import errno
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from weakref import WeakSet

import platformdirs

from mien.media.disk import in_words
from mien.media.lengths import Described, described
from mien.media.output import OutputError
from mien.media.recorder import Mp4Recorder, Recorder, WebmRecorder
from mien.media.rendition import Rendition
from mien.problems import Problem
from mien.server.targets import Target

MEDIA_TYPES = {".mp4": "video/mp4", ".webm": "video/webm"}
_FORMATS: dict[str, type[Recorder]] = {"mp4": Mp4Recorder, "webm": WebmRecorder}


@dataclass(frozen=True, slots=True)
class Recording:
    """bytes, seconds: so far, while it is written (``recording``); seconds is None for a file
    that mien did not write. created: Unix seconds."""

    name: str
    bytes: int
    seconds: float | None
    created: float
    recording: bool

    def as_message(self) -> dict[str, Any]:
        return asdict(self)


class Recordings:
    """What was recorded, and recorders for more. Methods that read files are not for the event
    loop.

    metadata: tags that every recording carries.
    """

    def __init__(self, folder: Path | None, metadata: Mapping[str, str] | None = None) -> None:
        self.folder = (folder or _usual_folder()).expanduser()
        self._metadata = dict(metadata or {})
        self._recorders: WeakSet[Recorder] = WeakSet()
        self._recorders_lock = threading.Lock()
        self._known: dict[tuple[str, int, int], Described] = {}

    def make(self, target: Target, rendition: Rendition | None) -> Recorder:
        """A recorder for ``record:mp4`` or ``record:webm``. Raises OutputError for others."""
        kind = target.url.strip().partition(":")[2].lower()
        if kind not in _FORMATS:
            raise OutputError(
                "Recordings are MP4 or WebM: expected record:mp4 or record:webm.",
                code="bad_url",
                zh="录像格式只有 MP4 和 WebM：应为 record:mp4 或 record:webm。",
                retryable=False,
            )
        recorder = _FORMATS[kind](lambda: self._new_file(kind), self._metadata, rendition)
        with self._recorders_lock:
            self._recorders.add(recorder)
        return recorder

    def all(self) -> list[Recording]:
        """The newest first."""
        known, self._known = self._known, {}
        found = [self._described(path, known) for path in self._files()]
        return sorted((one for one in found if one), key=lambda one: one.created, reverse=True)

    def file(self, name: str) -> Path:
        """Raises Problem 404; files are only opened under names that the folder lists."""
        for path in self._files():
            if path.name == name:
                return path
        raise Problem(
            "no_such_recording",
            f"There is no recording {name!r}.",
            f"没有名为 {name!r} 的录像。",
            status=404,
        )

    def remove(self, name: str) -> None:
        """Raises Problem 404, 409 for one that is being written, 403 without the right to."""
        path = self.file(name)
        if self._writer(path):
            raise Problem(
                "still_recording",
                "This recording is under way. Stop it first.",
                "该录像正在录制，请先停止。",
                status=409,
            )
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            words = in_words(error)
            raise Problem(words.code, str(words), words.zh, status=403) from None

    def _files(self) -> list[Path]:
        try:
            listed = list(self.folder.iterdir())
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                words = in_words(error)
                raise Problem(words.code, str(words), words.zh, status=500) from None
            return []
        return [
            path
            for path in listed
            if path.suffix in MEDIA_TYPES and path.name[0] != "." and path.is_file()
        ]

    def _described(
        self, path: Path, known: Mapping[tuple[str, int, int], Described]
    ) -> Recording | None:
        try:
            status = path.stat()
            key = (path.name, status.st_size, status.st_mtime_ns)
            file = self._known[key] = known.get(key) or described(path)
        except OSError:  # deleted meanwhile, or not ours to read
            return None
        writer = self._writer(path)
        seconds = writer.seconds if writer else file.seconds
        created = file.created or datetime.fromtimestamp(status.st_mtime, UTC)
        return Recording(
            path.name,
            status.st_size,
            None if seconds is None else round(seconds, 3),
            created.timestamp(),
            writer is not None,
        )

    def _writer(self, path: Path) -> Recorder | None:
        with self._recorders_lock:
            recorders = list(self._recorders)
        return next((one for one in recorders if one.writing and one.path == path), None)

    def _new_file(self, kind: str) -> Path:
        return self.folder / f"mien-{datetime.now():%Y%m%d-%H%M%S}.{kind}"


def _usual_folder() -> Path:
    return Path(platformdirs.user_data_dir("mien", appauthor=False)) / "recordings"
