"""The lip-sync engines of a server: each is loaded once, when an avatar first needs it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from mien.avatar.clip.avatar import ClipAvatar
from mien.avatar.contract import Avatar
from mien.config import LipSyncSection
from mien.lipsync.contract import LipSync
from mien.lipsync.viseme import VisemeLipSync
from mien.lipsync.wav2lip.backend import BackendError
from mien.lipsync.wav2lip.backends import Wanted, best
from mien.lipsync.wav2lip.cache_file import CacheError
from mien.lipsync.wav2lip.checkpoint import CheckpointError, read_checkpoint
from mien.lipsync.wav2lip.engine import Wav2Lip, open_wav2lip
from mien.models.errors import ModelError
from mien.models.store import chosen

OnProgress = Callable[[float, str], None]


PLACES = {"disk": "on the disk", "ram": "in memory", "none": "in memory"}


class MouthError(ValueError):
    """An avatar's lips cannot be moved here; the message says what to do."""


class Mouths:
    """Makes the mouth of any avatar, from any thread. Close it when nobody speaks any more."""

    def __init__(self, section: LipSyncSection | None = None) -> None:
        self.section = section or LipSyncSection()
        self._lock = threading.Lock()
        self._viseme: VisemeLipSync | None = None
        self._wav2lip: Wav2Lip | None = None

    def of(self, avatar: Avatar, on_progress: OnProgress | None = None) -> LipSync:
        """The engine that moves ``avatar``'s mouth.

        Takes a second or two the first time, and for a clip seen for the first time some 20 ms per
        picture of it: not for the event loop. on_progress: called with the share 0…1 of that, and
        what is made and how large it will be.

        Raises:
            MouthError: weights or a library are missing or wrong; ModelError: they are not pulled.
        """
        with self._lock:
            if not isinstance(avatar, ClipAvatar):
                self._viseme = self._viseme or VisemeLipSync()
                return self._viseme
            wav2lip = self._wav2lip = self._wav2lip or self._open()
        cache, tell = self.section.cache, on_progress or (lambda share, what: None)
        size = wav2lip.cache_bytes(len(avatar.package), cache)
        what = f"the face, once: {size / 1e6:.0f} MB {PLACES[cache]}"
        try:
            return wav2lip.lipsync(
                avatar.package,
                cache,
                owner=avatar.name,
                on_progress=lambda share: tell(share, what),
            )
        except (BackendError, CacheError) as error:
            raise MouthError(f"avatar {avatar.name!r}: {error}") from error

    def why_not(self, engines: Sequence[str]) -> ModelError | None:
        """What keeps an avatar that needs one of these ``engines`` from speaking; costs nothing."""
        if "wav2lip" not in engines or "viseme" in engines:
            return None
        try:
            self._weights()
        except ModelError as error:
            return error
        return None

    def described(self) -> str:
        """The weights a clip would speak with, and how they would be run; reads the checkpoint.

        Raises:
            MouthError, ModelError: as ``of`` does.
        """
        try:
            path = self._weights()
            checkpoint = read_checkpoint(path)
            choice = best(checkpoint, self._wanted())
        except (CheckpointError, BackendError) as error:
            raise MouthError(f"Wav2Lip cannot be used: {error}") from error
        return f"{path.name} ({checkpoint.architecture.size} px), run by {choice}"

    def _wanted(self) -> Wanted:
        section = self.section
        return Wanted(section.backend, section.precision, section.device, section.threads)

    def _weights(self) -> Path:
        """Raises ModelError."""
        return chosen("wav2lip", self.section.weights)

    def _open(self) -> Wav2Lip:
        section = self.section
        try:
            return open_wav2lip(
                read_checkpoint(self._weights()),
                backend=section.backend,
                precision=section.precision,
                device=section.device,
                threads=section.threads,
                decode=section.decode,
            )
        except (CheckpointError, BackendError) as error:
            raise MouthError(f"Wav2Lip cannot be used: {error}") from error

    def close(self) -> None:
        """End the engines; whoever still waits for a picture of theirs is told so."""
        with self._lock:
            wav2lip, self._wav2lip = self._wav2lip, None
        if wav2lip is not None:
            wav2lip.close()
