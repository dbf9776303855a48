"""WHEP: watch a session (draft-ietf-wish-whep-03), from any standard player.

Offers are complete, answers final: neither trickle ICE nor counter-offers.
"""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response

from mien.media.whip.links import ice_links
from mien.problems import Problem
from mien.server.access import check_token, require_token
from mien.server.api import AnySession, services_of

# A browser's offer is 3–8 kB; no honest one comes near this.
MAX_OFFER = 64_000
SDP = "application/sdp"

router = APIRouter(prefix="/whep")
authorised = [Depends(require_token)]


@router.post("/{session}", status_code=201, dependencies=authorised)
async def watch(session: AnySession, request: Request, cutout: bool = False) -> Response:
    """SDP offer in, 201 with the SDP answer out; ``Location`` names the viewer.

    cutout: pictures of twice the width, the presenter's colours on the left half and their opacity
    as grey on the right, as the page at /stage joins them.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != SDP:
        raise Problem(
            "not_sdp",
            f"Send the SDP offer with Content-Type: {SDP}.",
            f"请以 Content-Type: {SDP} 发送 SDP offer。",
            status=415,
        )
    if not _takes_sdp(request.headers.get("accept", "*/*")):
        raise Problem(
            "takes_no_sdp",
            f"The answer is {SDP}, which your Accept header does not take.",
            f"应答类型为 {SDP}，但请求的 Accept 头不接受它。",
            status=406,
        )
    body = await request.body()
    if len(body) > MAX_OFFER:
        raise Problem(
            "offer_too_long", "The SDP offer is too long.", "SDP offer 过长。", status=413
        )
    viewer, answer = await session.watch(body.decode("utf-8", "replace"), cutout)
    headers = {"Location": f"/whep/{session.id}/{viewer}", "ETag": f'"{viewer}"'}
    response = Response(answer, status_code=201, media_type=SDP, headers=headers)
    _add_ice_servers(response, request)
    return response


@router.options("/{session}", status_code=204)
@router.options("/{session}/{viewer}", status_code=204)
async def options(request: Request) -> Response:
    """What can be done here, and, to whoever may watch, which ICE servers there are.

    A browser asks before it lets a page of another site watch, and cannot send the token then.
    """
    response = Response(status_code=204, headers={"Accept-Post": SDP})
    try:
        check_token(request)
    except Problem:
        return response
    _add_ice_servers(response, request)
    return response


@router.delete("/{session}/{viewer}", status_code=200, dependencies=authorised)
async def leave(session: AnySession, viewer: str) -> Response:
    """Stop watching. Asked again, 404: that connection is no more."""
    watching = session.viewers.get(viewer)
    if watching is None:
        raise Problem("no_such_viewer", "This connection has ended.", "该连接已结束。", status=404)
    watching.close()
    return Response()


@router.patch("/{session}/{viewer}", dependencies=authorised)
async def trickle(session: AnySession, viewer: str) -> Response:
    """Trickle ICE and ICE restarts are optional in WHEP and not offered: send complete offers."""
    raise Problem(
        "no_trickle",
        "Trickle ICE is not supported; gather candidates before sending the offer.",
        "不支持 Trickle ICE，请在发送 offer 前收集完候选地址。",
        status=405,
    )


def _takes_sdp(accept: str) -> bool:
    kinds = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    return bool(kinds & {SDP, "application/*", "*/*", ""})


def _add_ice_servers(response: Response, request: Request) -> None:
    for link in ice_links(services_of(request).webrtc.ice_servers):
        response.headers.append("Link", link)
