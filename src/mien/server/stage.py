"""The page for broadcasters: the presenter alone, to be laid over anything (a browser source)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.responses import FileResponse

from mien.avatar.contract import Avatar

PAGE = Path(__file__).parent / "web" / "stage" / "index.html"

router = APIRouter(include_in_schema=False)


@router.get("/stage/{session}")
async def stage(session: str) -> FileResponse:
    """Whichever session it is: the page asks for it, and asks again while there is none."""
    return FileResponse(PAGE, headers={"Cache-Control": "no-cache"})


def transparency(avatar: Avatar, label: dict[str, str]) -> dict[str, Any]:
    """Whether one can see past the presenter, and if not why. label: their name for people."""
    if avatar.has_outline:
        return {"ready": True, "why_not": None}
    return {
        "ready": False,
        "why_not": {
            "en": f"{label['en']} fills the picture: what is behind cannot be told from the "
            "person, so the stage page shows it, too. Choose a presenter such as Mei, or a photo "
            "with a plain background.",
            "zh": f"{label['zh']} 占满整个画面，无法与背景分开，因此舞台页面会连同背景一起显示。"
            "请改用小眉等内置形象，或背景简洁的照片。",
        },
    }
