"""The part of the API that makes a face of a photo or a clip."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from mien.avatar.library import avatar_info
from mien.avatar.photo import Built
from mien.problems import Problem
from mien.server.access import require_token
from mien.server.api import AnyWardrobe
from mien.server.drafts import Drafts, Message
from mien.server.looks import Wardrobe
from mien.server.moments import moments
from mien.server.uploads import UNREAD_CLIP_BYTES, drain, picture_or_clip

router = APIRouter(prefix="/api/v1", dependencies=[Depends(require_token)])


def drafts_of(request: Request) -> Drafts:
    drafts: Drafts = request.app.state.drafts
    return drafts


AnyDrafts = Annotated[Drafts, Depends(drafts_of)]


@router.post("/avatars", max_body_size=UNREAD_CLIP_BYTES)
async def build_avatar(
    request: Request,
    drafts: AnyDrafts,
    wardrobe: AnyWardrobe,
    title: Annotated[str, Query(max_length=40)] = "",
    consent: bool = False,
) -> Response:
    """Make a draft of a photo or a clip.

    The body is a photo (JPEG, PNG or WebP, at most 10 MB) or a clip (MP4, MOV, WebM …, at most
    300 MB).
    consent: the caller has the right to use this face; it is written into the avatar.
    Answers with one JSON object per line: {"share": 0…1, "step"} while it works, then
    {"draft": {name, kind, moments, advice, why_not}} or {"error": …}. Leaving ends the work.
    """
    if not consent:
        raise Problem(
            "no_consent",
            "Please confirm that you have the right to use this face.",
            "请先确认您有权使用这张面孔。",
            status=422,
        )
    messages = drafts.run(partial(picture_or_clip, request), title.strip())
    try:
        first = await anext(messages)  # a refusal is an answer of its own, with its status
    except Problem as problem:
        if problem.code == "busy":
            await drain(request)
        raise

    async def lines() -> AsyncIterator[str]:
        async with aclosing(messages):
            yield await _line(first, wardrobe)
            async for message in messages:
                yield await _line(message, wardrobe)

    return StreamingResponse(lines(), media_type="application/x-ndjson")


async def _line(message: Message, wardrobe: Wardrobe) -> str:
    if "built" in message:
        message = {"draft": await asyncio.to_thread(_described, message["built"], wardrobe)}
    elif "error" in message:
        message = {"error": message["error"].as_message()}
    return json.dumps(message, ensure_ascii=False) + "\n"


def _described(built: Built, wardrobe: Wardrobe) -> dict[str, Any]:
    name = built.path.name
    info = avatar_info(built.path)
    return {
        "name": name,
        "kind": info.kind,
        "moments": f"/api/v1/avatar-drafts/{name}/moments.jpg?v={built.path.stat().st_mtime_ns}",
        "advice": [{"en": advice.en, "zh": advice.zh} for advice in built.advice],
        "why_not": wardrobe.why_not(info),
    }


@router.get("/avatar-drafts/{name}/moments.jpg")
async def draft_moments(drafts: AnyDrafts, name: str) -> Response:
    """What the draft looks like, in one picture of four."""
    folder = await asyncio.to_thread(drafts.draft, name)
    return Response(await asyncio.to_thread(moments, folder), media_type="image/jpeg")


@router.post("/avatar-drafts/{name}/keep", status_code=204)
async def keep_draft(drafts: AnyDrafts, name: str) -> None:
    """Make it one of the avatars."""
    await asyncio.to_thread(drafts.keep, name)


@router.delete("/avatar-drafts/{name}", status_code=204)
async def discard_draft(drafts: AnyDrafts, name: str) -> None:
    """Forget it."""
    await asyncio.to_thread(drafts.discard, name)
