"""The part of the API about faces and backgrounds."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from mien.avatar.library import delete_avatar as delete_person
from mien.problems import Problem
from mien.server.access import require_token
from mien.server.api import AnyWardrobe
from mien.server.backgrounds import Choice, preview
from mien.server.looks import is_own
from mien.server.uploads import UNREAD_PICTURE_BYTES, picture

# A preview's address changes with what it shows.
PREVIEW_HEADERS = {"Cache-Control": "private, max-age=86400"}

router = APIRouter(prefix="/api/v1", dependencies=[Depends(require_token)])


@router.get("/avatars")
async def avatars(wardrobe: AnyWardrobe) -> list[dict[str, Any]]:
    """The faces there are; ``why_not`` says what is wrong with one that is not ready."""
    return await asyncio.to_thread(wardrobe.listed)


@router.get("/avatars/{name}/preview.png")
async def avatar_preview(wardrobe: AnyWardrobe, name: str) -> Response:
    """The face at rest, small."""
    png = await asyncio.to_thread(wardrobe.preview, name)
    return Response(png, media_type="image/png", headers=PREVIEW_HEADERS)


@router.delete("/avatars/{name}", status_code=204)
async def delete_avatar(wardrobe: AnyWardrobe, name: str) -> None:
    """Delete one of the user's own avatars. Sessions that show it go on to show it."""
    avatar = await asyncio.to_thread(wardrobe.avatar, name)
    if not is_own(avatar):
        raise Problem(
            "not_yours",
            "Only your own avatars can be deleted.",
            "只能删除自己创建的形象。",
            status=403,
        )
    await asyncio.to_thread(delete_person, avatar.path)


@router.get("/backgrounds")
async def backgrounds(wardrobe: AnyWardrobe) -> list[dict[str, Any]]:
    """What may be behind a face. Any "#rrggbb" may as well."""
    choices = await asyncio.to_thread(wardrobe.backgrounds.all)
    return [_described(choice) for choice in choices]


@router.post("/backgrounds", status_code=201, max_body_size=UNREAD_PICTURE_BYTES)
async def add_background(request: Request, wardrobe: AnyWardrobe) -> dict[str, Any]:
    """Upload a picture (JPEG, PNG or WebP as the request's body, at most 10 MB)."""
    data = await picture(request)
    return _described(await asyncio.to_thread(wardrobe.backgrounds.add, data))


@router.delete("/backgrounds/{name}", status_code=204)
async def delete_background(wardrobe: AnyWardrobe, name: str) -> None:
    """Delete an uploaded picture."""
    await asyncio.to_thread(wardrobe.backgrounds.remove, name)


@router.get("/backgrounds/{name}/preview.jpg")
async def background_preview(wardrobe: AnyWardrobe, name: str) -> Response:
    """A picture, small."""
    image = await asyncio.to_thread(wardrobe.backgrounds.image, name)
    jpeg = await asyncio.to_thread(preview, image)
    return Response(jpeg, media_type="image/jpeg", headers=PREVIEW_HEADERS)


def _described(choice: Choice) -> dict[str, Any]:
    path = f"/api/v1/backgrounds/{choice.name}/preview.jpg"
    return {
        "name": choice.name,
        "label": choice.label,
        "colour": choice.name if choice.name.startswith("#") else None,
        "preview": path if choice.image is not None else None,
        "own": choice.own,
    }
