"""A slot for face restoration: any ONNX network of the GFPGAN class may polish the pasted mouth.

Such networks take a face in FFHQ's alignment, in RGB from -1 to 1, and return it restored. They
cost 10 to 50 ms a picture on a good GPU and a second on a CPU, so this is off unless a model is
given. mien ships none: their licences differ.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.avatar.clip.points import LEFT_EYE, MOUTH_CORNERS, NOSE_TIP, RIGHT_EYE
from mien.avatar.errors import AvatarError
from mien.media.tick import Image

Floats = NDArray[np.float32]

# Not TensorRT: it would compile such a network for minutes at every start.
PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")
SIDES = (64, 2048)  # smallest and largest network, pixels
DEFAULT_SIDE = 512  # of a network that takes any
# Eyes, nose tip and corners of the mouth in a picture of 1×1, as FFHQ aligns faces (Karras et al.
# 2019, https://arxiv.org/abs/1812.04948) and restoration networks were trained.
ALIGNED = np.array(
    [[0.3769, 0.4686], [0.6228, 0.4691], [0.5012, 0.6133], [0.3931, 0.7254], [0.6115, 0.7249]]
)


class Enhancer(Protocol):
    """side: of the square pictures it takes, pixels."""

    @property
    def side(self) -> int: ...
    def restore(self, face: Image) -> Image:
        """uint8[side, side, 3] RGB in FFHQ's alignment → the same, restored. From any thread."""
        ...


class OnnxEnhancer:
    """A network in a file, run by ONNX Runtime on a GPU if it can. Implements ``Enhancer``."""

    def __init__(self, path: Path) -> None:
        """Loads and tries it; raises AvatarError that says what does not fit."""
        import onnxruntime

        if not path.is_file():
            raise AvatarError(f"there is no enhancer {path}; give the path of an .onnx file")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        here = onnxruntime.get_available_providers()
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=[p for p in PROVIDERS if p in here]
            )
        except Exception as error:  # its own classes have no common base
            raise AvatarError(f"the enhancer {path} is no readable ONNX model: {error}") from error
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or not outputs:
            raise AvatarError(f"the enhancer {path} takes {len(inputs)} inputs, expected one face")
        self._input = inputs[0].name
        self._output = outputs[0].name
        self._path = path
        self.side = self._side_of(inputs[0].shape, inputs[0].type)
        self._lock = threading.Lock()  # side by side they would only fight for memory
        self.restore(np.zeros((self.side, self.side, 3), np.uint8))

    def restore(self, face: Image) -> Image:
        """See ``Enhancer.restore``. Raises AvatarError for a network that answers otherwise."""
        planes = face.astype(np.float32).transpose(2, 0, 1)[None] / 127.5 - 1
        try:
            with self._lock:
                answer = self._session.run([self._output], {self._input: planes})[0]
        except Exception as error:
            raise AvatarError(f"the enhancer {self._path} fails: {error}") from error
        if answer.shape != planes.shape or not np.isfinite(answer).all():
            raise AvatarError(
                f"the enhancer {self._path} answers with {list(answer.shape)}, expected finite "
                f"numbers {list(planes.shape)}"
            )
        pixels = (np.clip(answer[0], -1, 1).transpose(1, 2, 0) + 1) * 127.5
        return np.asarray(np.round(pixels), np.uint8)

    def _side_of(self, shape: list[int | str | None], kind: str) -> int:
        wrong = AvatarError(
            f"the enhancer {self._path} takes {kind} {shape}, expected a float face [1, 3, N, N]"
        )
        if len(shape) != 4 or kind != "tensor(float)" or shape[1] != 3:
            raise wrong
        sides = [side for side in shape[2:] if isinstance(side, int)]
        side = sides[0] if sides else DEFAULT_SIDE
        if any(other != side for other in sides) or not SIDES[0] <= side <= SIDES[1]:
            raise wrong
        if isinstance(shape[0], int) and shape[0] != 1:
            raise wrong
        return side


def open_enhancer(path: Path) -> OnnxEnhancer:
    """The network in ``path``, loaded once for all that use it. Raises AvatarError."""
    try:
        changed = path.stat().st_mtime_ns
    except OSError:
        changed = 0
    return _loaded(path, changed)


@lru_cache(maxsize=1)  # some 350 MB each
def _loaded(path: Path, changed: int) -> OnnxEnhancer:
    return OnnxEnhancer(path)


def enhanced(picture: Image, landmarks: Floats, enhancer: Enhancer) -> Image:
    """``picture`` (uint8[H, W, 3] RGB) with its face restored, as a new picture; what is not in
    the aligned face stays. landmarks: float32[468, 2], pixels of it."""
    place = _alignment(landmarks) * enhancer.side
    size = (picture.shape[1], picture.shape[0])
    face = cv2.warpAffine(
        picture,
        place,
        (enhancer.side, enhancer.side),
        flags=cv2.INTER_LINEAR if np.hypot(*place[:, 0]) < 1 else cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    restored = enhancer.restore(np.asarray(face, np.uint8))
    out = picture.copy()
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    cv2.warpAffine(restored, place, size, dst=out, flags=flags, borderMode=cv2.BORDER_TRANSPARENT)
    return out


def _alignment(landmarks: Floats) -> NDArray[np.float64]:
    """float64[2, 3]: from the picture to the aligned face of 1×1, turned and scaled only (Umeyama
    1991, https://doi.org/10.1109/34.88573, in two dimensions)."""
    found = np.stack(
        [
            landmarks[list(RIGHT_EYE)].mean(0),
            landmarks[list(LEFT_EYE)].mean(0),
            landmarks[NOSE_TIP],
            *landmarks[list(MOUTH_CORNERS)],
        ]
    ).astype(np.float64)
    a, b = found - found.mean(0), ALIGNED - ALIGNED.mean(0)
    spread = max(float((a * a).sum()), 1e-9)
    cos = float((a * b).sum()) / spread
    sin = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / spread
    turn = np.array([[cos, -sin], [sin, cos]])
    return np.concatenate([turn, (ALIGNED.mean(0) - turn @ found.mean(0))[:, None]], 1)
