"""What a request's body brings: a picture or a sound, held in memory, or a clip, in a file."""

from __future__ import annotations

import asyncio
import errno
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO

from fastapi import Request
from starlette.requests import ClientDisconnect

from mien.problems import Problem
from mien.server.backgrounds import MAX_UPLOAD_BYTES

MAX_CLIP_BYTES = 300_000_000
# Beyond these the connection is cut; up to them what is too large is told so in words.
UNREAD_PICTURE_BYTES = 8 * MAX_UPLOAD_BYTES
UNREAD_CLIP_BYTES = 2 * MAX_CLIP_BYTES
# A phone that fell asleep while it sends must not keep everybody else waiting.
STALLED_SEC = 60.0
WRITE_BYTES = 1 << 20
HEAD_BYTES = 16

# In an MP4 family file the first box is of one of these types; stills have brands of their own.
FIRST_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
STILL_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis")
PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM")
CLIPS = (
    b"\x1a\x45\xdf\xa3",
    b"FLV",
    b"OggS",
    b"\x00\x00\x01\xba",
    b"\x00\x00\x01\xb3",
    b"\x30\x26\xb2",
)


def is_clip(head: bytes, content_type: str = "") -> bool:
    """Whether a body that begins with ``head`` is a video. Its own bytes decide, and only where
    they say nothing the declared type."""
    if head[:4] == b"RIFF":
        return head[8:12] == b"AVI "
    if head[4:8] in FIRST_BOXES:
        return head[8:12] not in STILL_BRANDS
    if head.startswith(PICTURES):
        return False
    return head.startswith(CLIPS) or content_type.startswith("video/")


async def picture(request: Request) -> bytes:
    """The picture in the body. Raises Problem 413 for a large one, 422 for none."""
    return await _picture(_chunks(request), b"")


async def picture_or_clip(request: Request, folder: Path) -> bytes | Path:
    """The picture in the body, or a new file in ``folder`` that holds the clip in it.

    The file is the caller's to remove; nothing is left of one that did not come whole. Raises
    Problem 413 for what is too large, 422 for nothing, 408 when it stops coming, 507 when the disk
    is full.
    """
    chunks, head = _chunks(request), b""
    async for chunk in chunks:
        head += chunk
        if len(head) >= HEAD_BYTES:
            break
    if is_clip(head, request.headers.get("content-type", "")):
        return await _clip(chunks, head, folder)
    return await _picture(chunks, head)


async def sound(request: Request, limit: int) -> bytes:
    """The recording in the body. Raises Problem 413 for more than ``limit`` bytes, 422 for none."""
    data = bytearray()
    async for chunk in _chunks(request):
        if len(data) <= limit:
            data += chunk
    if len(data) > limit:
        raise Problem(
            "sound_too_large",
            f"The recording is larger than {limit // 1_000_000} MB; please send less at once.",
            f"录音超过 {limit // 1_000_000} MB，请分段发送。",
            status=413,
        )
    if not data:
        raise Problem("no_sound", "The request holds no recording.", "未收到录音。", status=422)
    return bytes(data)


async def drain(request: Request) -> None:
    """Read the body to its end: browsers hide an answer that comes before it."""
    async for _ in _chunks(request):
        pass


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    stream = aiter(request.stream())
    while True:
        try:
            chunk = await asyncio.wait_for(anext(stream, None), STALLED_SEC)
        except TimeoutError:
            raise Problem(
                "upload_stalled",
                "The upload stopped coming; please try again.",
                "上传中断，请重试。",
                status=408,
                retryable=True,
            ) from None
        except ClientDisconnect:
            raise Problem("left", "The upload was cancelled.", "上传已取消。", status=408) from None
        if chunk is None:
            return
        yield chunk


async def _picture(chunks: AsyncIterator[bytes], head: bytes) -> bytes:
    data = bytearray(head)
    async for chunk in chunks:
        # Read to the end, though not kept: browsers hide an answer that comes before it.
        if len(data) <= MAX_UPLOAD_BYTES:
            data += chunk
    if len(data) > MAX_UPLOAD_BYTES:
        megabytes = MAX_UPLOAD_BYTES // 1_000_000
        raise Problem(
            "picture_too_large",
            f"The picture is larger than {megabytes} MB; please make it smaller.",
            f"图片超过 {megabytes} MB，请缩小后再上传。",
            status=413,
        )
    if not data:
        raise Problem("no_picture", "The request holds no picture.", "未收到图片。", status=422)
    return bytes(data)


async def _clip(chunks: AsyncIterator[bytes], head: bytes, folder: Path) -> Path:
    file = await asyncio.to_thread(_new_file, folder)
    try:
        with file:
            size, waiting = 0, bytearray(head)
            async for chunk in chunks:
                waiting += chunk
                if len(waiting) >= WRITE_BYTES:
                    size += len(waiting)
                    if size <= MAX_CLIP_BYTES:
                        await asyncio.to_thread(file.write, bytes(waiting))
                    waiting.clear()
            if size + len(waiting) > MAX_CLIP_BYTES:
                raise _clip_too_large()
            await asyncio.to_thread(file.write, bytes(waiting))
    except BaseException as error:
        os.unlink(file.name)
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise Problem(
                "disk_full", "The server's disk is full.", "服务器磁盘已满。", status=507
            ) from error
        raise
    return Path(file.name)


def _new_file(folder: Path) -> IO[bytes]:
    folder.mkdir(parents=True, exist_ok=True)
    return tempfile.NamedTemporaryFile(dir=folder, prefix=".upload-", delete=False)


def _clip_too_large() -> Problem:
    megabytes = MAX_CLIP_BYTES // 1_000_000
    return Problem(
        "clip_too_large",
        f"The clip is larger than {megabytes} MB; ten seconds are enough: please shorten it.",
        f"视频超过 {megabytes} MB；十秒左右即可，请剪短后再上传。",
        status=413,
    )
