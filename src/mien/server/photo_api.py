"""The part of the API that makes a face of a photo."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from mien.avatar.photo import Built
from mien.problems import Problem
from mien.server.access import require_token
from mien.server.looks import moments
from mien.server.looks_api import UNREAD_BYTES, uploaded
from mien.server.photo_builds import Message, PhotoBuilds

router = APIRouter(prefix="/api/v1", dependencies=[Depends(require_token)])


def builds_of(request: Request) -> PhotoBuilds:
    builds: PhotoBuilds = request.app.state.photo_builds
    return builds


AnyBuilds = Annotated[PhotoBuilds, Depends(builds_of)]


@router.post("/avatars", max_body_size=UNREAD_BYTES)
async def build_avatar(
    request: Request,
    builds: AnyBuilds,
    title: Annotated[str, Query(max_length=40)] = "",
    consent: bool = False,
) -> Response:
    """Make a draft of a photo (JPEG, PNG or WebP as the body, at most 10 MB).

    consent: the caller has the right to use this face; it is written into the avatar.
    Answers with one JSON object per line: {"share": 0…1, "step"} while it works, then
    {"draft": {name, moments, advice}} or {"error": …}. Leaving ends the work.
    """
    if not consent:
        raise Problem(
            "no_consent",
            "Please confirm that you have the right to use this face.",
            "请先确认您有权使用这张面孔。",
            status=422,
        )
    photo = await uploaded(request)
    messages = builds.run(photo, title.strip())
    first = await anext(messages)  # a refusal is an answer of its own, with its status

    async def lines() -> AsyncIterator[str]:
        async with aclosing(messages):
            yield _line(first)
            async for message in messages:
                yield _line(message)

    return StreamingResponse(lines(), media_type="application/x-ndjson")


def _line(message: Message) -> str:
    if "built" in message:
        message = {"draft": _described(message["built"])}
    elif "error" in message:
        message = {"error": message["error"].as_message()}
    return json.dumps(message, ensure_ascii=False) + "\n"


def _described(built: Built) -> dict[str, Any]:
    name = built.path.name
    return {
        "name": name,
        "moments": f"/api/v1/avatar-drafts/{name}/moments.jpg?v={built.path.stat().st_mtime_ns}",
        "advice": [{"en": advice.en, "zh": advice.zh} for advice in built.advice],
    }


@router.get("/avatar-drafts/{name}/moments.jpg")
async def draft_moments(builds: AnyBuilds, name: str) -> Response:
    """The draft at rest, speaking and blinking, in one picture."""
    folder = await asyncio.to_thread(builds.draft, name)
    return Response(await asyncio.to_thread(moments, folder), media_type="image/jpeg")


@router.post("/avatar-drafts/{name}/keep", status_code=204)
async def keep_draft(builds: AnyBuilds, name: str) -> None:
    """Make it one of the avatars."""
    await asyncio.to_thread(builds.keep, name)


@router.delete("/avatar-drafts/{name}", status_code=204)
async def discard_draft(builds: AnyBuilds, name: str) -> None:
    """Forget it."""
    await asyncio.to_thread(builds.discard, name)
