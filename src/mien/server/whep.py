"""WHEP: watch a session (draft-ietf-wish-whep)."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response

from mien.problems import Problem
from mien.server.access import require_token
from mien.server.api import AnySession

# A browser's offer is 3–8 kB; no honest one comes near this.
MAX_OFFER = 64_000

router = APIRouter(prefix="/whep", dependencies=[Depends(require_token)])


@router.post("/{session}", status_code=201)
async def watch(session: AnySession, request: Request, cutout: bool = False) -> Response:
    """SDP offer in, 201 with the SDP answer out; ``Location`` names the viewer.

    cutout: pictures of twice the width, the presenter's colours on the left half and their opacity
    as grey on the right, as the page at /stage joins them.
    """
    if request.headers.get("content-type", "").split(";")[0].strip() != "application/sdp":
        raise Problem(
            "not_sdp",
            "Send the SDP offer with Content-Type: application/sdp.",
            "请以 Content-Type: application/sdp 发送 SDP offer。",
            status=415,
        )
    body = await request.body()
    if len(body) > MAX_OFFER:
        raise Problem(
            "offer_too_long", "The SDP offer is too long.", "SDP offer 过长。", status=413
        )
    viewer, answer = await session.watch(body.decode("utf-8", "replace"), cutout)
    location = f"/whep/{session.id}/{viewer}"
    return Response(
        answer, status_code=201, media_type="application/sdp", headers={"Location": location}
    )


@router.delete("/{session}/{viewer}", status_code=200)
async def leave(session: AnySession, viewer: str) -> Response:
    """Stop watching."""
    watching = session.viewers.get(viewer)
    if watching is None:
        raise Problem("no_such_viewer", "This connection has ended.", "该连接已结束。", status=404)
    watching.close()
    return Response()


@router.patch("/{session}/{viewer}")
async def trickle(session: AnySession, viewer: str) -> Response:
    """Trickle ICE is optional in WHEP and not offered here: send complete offers."""
    raise Problem(
        "no_trickle",
        "Trickle ICE is not supported; gather candidates before sending the offer.",
        "不支持 Trickle ICE，请在发送 offer 前收集完候选地址。",
        status=405,
    )
