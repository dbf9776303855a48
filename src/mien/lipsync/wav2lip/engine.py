"""The engine: one network for all conversations, a mouth for every clip."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self
from weakref import WeakValueDictionary

import numpy as np

from mien.lipsync.contract import Mouth, MouthRequest
from mien.lipsync.wav2lip import backends
from mien.lipsync.wav2lip.backend import Backend, Choice, as_pictures
from mien.lipsync.wav2lip.batcher import Batcher, Figures, Item
from mien.lipsync.wav2lip.checkpoint import Checkpoint
from mien.lipsync.wav2lip.faces import Faces
from mien.lipsync.wav2lip.features import Cache, Features, Layout, Progress, open_features
from mien.lipsync.wav2lip.mel import CONTEXT, SAMPLE_RATE, mel_of_tick
from mien.lipsync.wav2lip.window import Window, window_of

# A GPU paints eight pictures in hardly more time than one; a CPU gains nothing from waiting.
GATHER_GPU_MS = 4.0

_log = logging.getLogger(__name__)


class Wav2Lip:
    """A loaded network, shared by all conversations. Closing it closes the back end.

    digest: of the weights; what is cached of a clip is kept under it.
    gather_ms, largest: see :class:`~mien.lipsync.wav2lip.batcher.Batcher`; None suits the device.
    """

    def __init__(
        self,
        backend: Backend,
        digest: str,
        *,
        gather_ms: float | None = None,
        largest: int | None = None,
    ) -> None:
        if gather_ms is None:
            gather_ms = 0.0 if backend.choice.device == "cpu" else GATHER_GPU_MS
        self._backend = backend
        self._digest = digest
        self._batcher = Batcher(backend, gather_ms, largest)
        self._lock = threading.Lock()
        # A lock for each clip: preparing a new one must not keep those that are ready waiting.
        self._opening: dict[tuple[str, Cache], threading.Lock] = {}
        self._opened: WeakValueDictionary[tuple[str, Cache], Features] = WeakValueDictionary()

    @property
    def choice(self) -> Choice:
        """How the network is run."""
        return self._backend.choice

    @property
    def figures(self) -> Figures:
        """What was painted so far, in which batches."""
        return self._batcher.figures

    def cache_bytes(self, frames: int, cache: Cache = "disk") -> int:
        """What :meth:`lipsync` takes for a clip of so many pictures: on the disk for "disk", in
        memory otherwise."""
        return Layout.of(self._backend, cache).size_bytes(frames)

    def lipsync(
        self,
        faces: Faces,
        cache: Cache = "disk",
        *,
        owner: str = "",
        on_progress: Progress | None = None,
    ) -> ClipLipSync:
        """The mouth of one clip; one whose faces are open already costs nothing.

        cache, owner, on_progress: see :func:`~mien.lipsync.wav2lip.features.open_features`. What
        is not cached yet is made first (some 10 ms per picture of the clip on a CPU), while others
        go on speaking.

        Raises:
            CacheError, BackendError: each says what is wrong and what to do.
        """
        key = (faces.key, cache)
        with self._lock:
            opening = self._opening.setdefault(key, threading.Lock())
        with opening:
            features = self._opened.get(key)
            if features is None:
                features = self._opened[key] = self._open(faces, cache, owner, on_progress)
        return ClipLipSync(self._batcher, self._backend.window, faces, features)

    def _open(
        self, faces: Faces, cache: Cache, owner: str, on_progress: Progress | None
    ) -> Features:
        # One by one on a CPU, although four at once are 13 % cheaper: who begins to speak meanwhile
        # would wait for all four, 200 ms with 256 pixels.
        at_once = 1 if self.choice.device == "cpu" else self._batcher.largest
        size = self.cache_bytes(len(faces), cache)
        _log.info("%d faces take %.1f MB (cache: %s)", len(faces), size / 1e6, cache)
        return open_features(
            self._backend,
            self._batcher,
            self._digest,
            faces,
            cache=cache,
            owner=owner,
            at_once=at_once,
            on_progress=on_progress,
        )

    def close(self) -> bool:
        """Whoever waits for a picture gets a ClosedError. False: the back end is stuck."""
        return self._batcher.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class ClipLipSync:
    """The mouth of one clip: a :class:`~mien.lipsync.contract.LipSync`. Made by :class:`Wav2Lip`.

    Its patches are of one size and place: the part of the face box that the network paints.
    """

    sample_rate = SAMPLE_RATE
    context = CONTEXT

    def __init__(self, batcher: Batcher, window: Window, faces: Faces, features: Features) -> None:
        self._batcher = batcher
        self._faces = faces
        self._features = features
        self._size = size = window.architecture.size
        rows, columns = window.shape
        self._place = (window.left / size, window.top / size, columns / size, rows / size)

    def render(self, batch: Sequence[MouthRequest]) -> Sequence[Mouth]:
        """A painted mouth per request; waits for other conversations' only as the batcher says.

        Raises:
            ClosedError: when the engine ends meanwhile. Whatever the back end raises.
        """
        if not batch:
            return []
        urgent = any(request.starts for request in batch)
        painted = self._batcher.paint([self._item(request) for request in batch], urgent)
        return [Mouth(patch=patch, place=self._place) for patch in as_pictures(np.stack(painted))]

    def rest(self, frame: int) -> Mouth:
        """The network's answer to silence, made beforehand."""
        return Mouth(patch=self._features.rest(frame % len(self._features)), place=self._place)

    def _item(self, request: MouthRequest) -> Item:
        frame = request.frame % len(self._features)
        mel = mel_of_tick(request.audio, request.position)
        features = self._features.features(frame)
        face = self._faces.crop(frame, self._size) if features is None else None
        return Item(mel, features, face)


def open_wav2lip(
    checkpoint: Checkpoint,
    *,
    backend: str = "auto",
    precision: str = "auto",
    device: str = "auto",
    threads: int = 0,
    decode: str = "mouth",
    quantised: Path | None = None,
) -> Wav2Lip:
    """The engine on the best back end of this machine that the arguments leave open.

    decode: "mouth" paints what a soft paste shows, "lower" the half of the face that speaks, "full"
        all of it, as published.
    quantised: folder of a quantised network; None = the one ``mien models optimize`` made, if any.

    Raises:
        BackendError: nothing here fits; it says why not and what to install.
    """
    window = window_of(checkpoint.architecture, decode)
    wanted = backends.Wanted(backend, precision, device, threads)
    loaded = backends.load_best(checkpoint, window, wanted, quantised)
    return Wav2Lip(loaded, checkpoint.sha256)
