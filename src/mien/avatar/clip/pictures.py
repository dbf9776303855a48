"""Writing the clip's pictures while the next ones are read."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

import cv2

from mien.media.tick import Image

PATTERN = "frames/%05d.jpg"
# No visible loss, and colour at every pixel: halved colour would show as a rim round the paste.
QUALITY = [
    *(cv2.IMWRITE_JPEG_QUALITY, 95),
    *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
]
PIXEL_BYTES = 0.5  # of a JPEG; a noisy camera gives 0.35, a drawn picture 0.1
AHEAD = 8  # pictures waiting to be written


class PictureWriter:
    """Numbered JPEG files in ``folder``; a context manager that waits for the last of them."""

    def __init__(self, folder: Path) -> None:
        self.bytes = 0
        self._folder = folder
        (folder / PATTERN).parent.mkdir()
        self._pool = ThreadPoolExecutor(1, "mien-clip-writer")
        self._waiting: deque[Future[int]] = deque()
        self._count = 0

    def __enter__(self) -> PictureWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(cancel_futures=error is not None)
        if error is None:
            while self._waiting:
                self._finish_one()

    def write(self, picture: Image) -> None:
        """The next one, uint8[H, W, 3] RGB; it must not change any more. Raises OSError, perhaps
        for one before."""
        path = self._folder / (PATTERN % self._count)
        self._waiting.append(self._pool.submit(_write, path, picture))
        self._count += 1
        while len(self._waiting) > AHEAD:
            self._finish_one()

    def _finish_one(self) -> None:
        self.bytes += self._waiting.popleft().result()


def _write(path: Path, picture: Image) -> int:
    ok, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), QUALITY)
    if not ok:
        raise OSError(f"{path} could not be encoded")
    return path.write_bytes(data.tobytes())
