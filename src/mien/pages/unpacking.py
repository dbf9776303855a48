"""Content codings (RFC 9110 §8.4.1), undone without giving a decompression bomb its memory."""

from __future__ import annotations

import zlib

from mien.pages.contract import PageError

ACCEPTED = "gzip, deflate"
"""For Accept-Encoding: what this interpreter can undo by itself."""

_STEP = 1 << 16


class TooLarge(PageError):
    """More than the limit; `Unpacker.body` has what came before."""


class Unpacker:
    """Undoes one coding ("" for none) piece by piece; stops as soon as the whole is too long.

    Two codings on top of each other are refused: only bombs have them.
    """

    def __init__(self, coding: str, limit: int) -> None:
        self.body = bytearray()
        self._left = limit
        coding = coding.strip().lower()
        self._inflate = None
        self._maybe_raw = False
        if coding in ("gzip", "x-gzip", "deflate"):
            self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib, as it begins
            self._maybe_raw = coding == "deflate"  # some servers send no zlib header
        elif coding not in ("", "identity"):
            raise PageError(
                f"the page is packed in a way that was not asked for ({coding[:40]})",
                "网页使用了不支持的压缩方式",
            )

    def feed(self, data: bytes) -> None:
        """Raises PageError for more than the limit, or for what is not packed as it says."""
        if self._inflate is None:
            return self._keep(data)
        while data:
            try:
                piece = self._inflate.decompress(data, _STEP)
            except zlib.error as error:
                if self._maybe_raw and not self.body:
                    self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
                    self._maybe_raw = False
                    continue
                raise PageError("the page arrived damaged", "网页内容损坏") from error
            self._keep(piece)
            data = self._inflate.unconsumed_tail

    def end(self) -> bytes:
        """The whole; zlib may have held some of it back."""
        if self._inflate is not None:
            while piece := self._inflate.decompress(b"", _STEP):
                self._keep(piece)
        return bytes(self.body)

    def _keep(self, piece: bytes) -> None:
        if len(piece) > self._left:
            self.body += piece[: self._left]
            raise TooLarge("the page is too large", "网页太大")
        self._left -= len(piece)
        self.body += piece
