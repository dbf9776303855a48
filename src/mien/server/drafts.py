"""Photos and clips becoming avatars: one at a time, in a thread, drafts until they are kept."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

from loguru import logger

from mien.avatar.clip.build import ClipRequest, build_clip
from mien.avatar.library import BUILT_IN, user_folder
from mien.avatar.photo import Built, PhotoError, Request, build
from mien.avatar.photo.builder import suggested_name
from mien.problems import Problem

Message = dict[str, Any]
OnProgress = Callable[[float, str], None]
# Given a folder for files: a photo's bytes, or the file of a clip.
Receive = Callable[[Path], Awaitable[bytes | Path]]

# A visitor who closes the page while judging leaves one behind.
MOST_DRAFTS = 8


class _Abandoned(Exception):
    """Nobody waits for the avatar any more."""


class Drafts:
    """They lie apart from the avatars, so that none is listed, nor survives, by accident."""

    def __init__(self) -> None:
        self._root = user_folder().with_name("avatar-drafts")
        self._receiving = False
        self._running: asyncio.Task[Built] | None = None
        self._abandoned = threading.Event()

    @property
    def busy(self) -> bool:
        """Whether something is being received or worked on."""
        return self._receiving or (self._running is not None and not self._running.done())

    async def run(self, receive: Receive, title: str) -> AsyncGenerator[Message, None]:
        """Build a draft of what ``receive`` brings.

        Yields {"share": 0…1, "step": …} and last {"built"} or {"error"}. Closing the generator
        ends the work at its next step, and nothing is left of it. The owner has consented.

        Raises:
            Problem: 409 while another one is being worked on; what ``receive`` raises.
        """
        if self.busy:
            raise Problem(
                "busy",
                "Another photo or clip is being worked on; try again in a moment.",
                "正在处理另一张照片或视频，请稍后再试。",
                status=409,
                retryable=True,
            )
        self._receiving = True
        try:
            source = await receive(self._root)
        finally:
            self._receiving = False
        loop, abandoned = asyncio.get_running_loop(), threading.Event()
        self._abandoned = abandoned
        told: asyncio.Queue[Message | None] = asyncio.Queue()

        def on_progress(share: float, step: str) -> None:
            if abandoned.is_set():
                raise _Abandoned
            loop.call_soon_threadsafe(told.put_nowait, {"share": share, "step": step})

        def on_end(task: asyncio.Task[Built]) -> None:
            if not task.cancelled():
                task.exception()  # seen: who left does not want to hear of it
            told.put_nowait(None)

        self._running = asyncio.create_task(self._build(source, title, on_progress), name="draft")
        self._running.add_done_callback(on_end)
        try:
            while (message := await told.get()) is not None:
                yield message
            yield _outcome(self._running)
        finally:
            abandoned.set()

    async def _build(self, source: bytes | Path, title: str, on_progress: OnProgress) -> Built:
        def work() -> Built:
            try:
                built = _built(source, self._free_name(title), title, self._root, on_progress)
            finally:
                if isinstance(source, Path):
                    source.unlink(missing_ok=True)
            for forgotten in self._drafts()[:-MOST_DRAFTS]:
                shutil.rmtree(forgotten, ignore_errors=True)
            return built

        return await asyncio.to_thread(work)

    def draft(self, name: str) -> Path:
        """The draft's folder. Raises Problem 404."""
        for folder in self._drafts():
            if folder.name == name:
                return folder
        raise Problem(
            "no_such_draft",
            "This draft is gone; please start again from the photo or clip.",
            "该草稿已不存在，请从照片或视频重新开始。",
            status=404,
        )

    def keep(self, name: str) -> None:
        """Make the draft one of the user's avatars. Raises Problem 404."""
        draft = self.draft(name)
        user_folder().mkdir(parents=True, exist_ok=True)
        draft.replace(user_folder() / name)

    def discard(self, name: str) -> None:
        """Raises Problem 404."""
        shutil.rmtree(self.draft(name))

    def _drafts(self) -> list[Path]:
        """Oldest first; those half made are hidden folders."""
        found = [file.parent for file in self._root.glob("[!.]*/avatar.toml")]
        return sorted(found, key=lambda folder: folder.stat().st_mtime)

    def _free_name(self, title: str) -> str:
        """A folder's name that neither an avatar nor a draft has."""
        wanted = suggested_name(title)
        names = [wanted, *(f"{wanted[:36]}-{i}" for i in range(2, 1000))]
        taken = (BUILT_IN, user_folder(), self._root)
        return next(n for n in names if not any((root / n).exists() for root in taken))

    async def aclose(self) -> None:
        """End what is running and forget the drafts."""
        self._abandoned.set()
        if self._running is not None:
            await asyncio.wait([self._running])
        await asyncio.to_thread(shutil.rmtree, self._root, ignore_errors=True)


def _built(
    source: bytes | Path, name: str, title: str, root: Path, on_progress: OnProgress
) -> Built:
    if isinstance(source, Path):
        return build_clip(source, ClipRequest(name, title, consent=True, root=root), on_progress)
    return build(source, Request(name, title, consent=True, root=root), on_progress)


def _outcome(task: asyncio.Task[Built]) -> Message:
    error = task.exception()
    if error is None:
        return {"built": task.result()}
    if isinstance(error, PhotoError):
        return {"error": Problem(error.code, error.en, error.zh, status=422)}
    logger.opt(exception=error).error("making an avatar failed")
    return {
        "error": Problem(
            "internal",
            "Something went wrong on the server; its log says what.",
            "服务器出了点问题，详情见日志。",
            retryable=True,
        )
    }
