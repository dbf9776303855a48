"""The part of the API about recordings: what there is, watching and deleting it."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import FileResponse

from mien.server.access import require_token
from mien.server.recordings import MEDIA_TYPES, Recordings

router = APIRouter(prefix="/api/v1/recordings", dependencies=[Depends(require_token)])


def recordings_of(request: Request) -> Recordings:
    recordings: Recordings = request.app.state.recordings
    return recordings


AnyRecordings = Annotated[Recordings, Depends(recordings_of)]


@router.get("")
async def list_recordings(recordings: AnyRecordings) -> list[dict[str, Any]]:
    """Every recording, the newest first, with its length."""
    return [one.as_message() for one in await asyncio.to_thread(recordings.all)]


@router.get("/{name}")
async def get_recording(
    recordings: AnyRecordings, name: str, download: bool = False
) -> FileResponse:
    """The file, or the part of it that ``Range`` asks for.

    download: have the browser save it; else it plays it.
    """
    path = await asyncio.to_thread(recordings.file, name)
    return FileResponse(
        path,
        media_type=MEDIA_TYPES[path.suffix],
        filename=path.name,
        content_disposition_type="attachment" if download else "inline",
        headers={"Cache-Control": "private, no-cache"},
    )


@router.delete("/{name}", status_code=204)
async def delete_recording(recordings: AnyRecordings, name: str) -> None:
    """Delete the file; one that is being written has to be stopped first."""
    await asyncio.to_thread(recordings.remove, name)
