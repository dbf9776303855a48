"""WHEP: watch a session (draft-ietf-wish-whep-03), from any standard player."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response

from mien.problems import Problem
from mien.server import sdp_exchange
from mien.server.access import require_token
from mien.server.api import AnySession
from mien.server.leaving import leaves

router = APIRouter(prefix="/whep")
authorised = [Depends(require_token)]


@router.post("/{session}", status_code=201, dependencies=authorised)
async def watch(
    session: AnySession, request: Request, cutout: bool = False, labelled: bool = False
) -> Response:
    """SDP offer in, 201 with the SDP answer out; ``Location`` names the viewer.

    cutout: pictures of twice the width, the presenter's colours on the left half and their opacity
    as grey on the right, as the page at /stage joins them. labelled: the player itself says that
    AI made it, so the pictures need not.
    """
    offer = await sdp_exchange.read_offer(request)
    viewer, answer = await session.watch(offer, cutout, leaves(request) and not labelled)
    return sdp_exchange.created(request, answer, f"/whep/{session.id}/{viewer}", viewer)


@router.options("/{session}", status_code=204)
@router.options("/{session}/{viewer}", status_code=204)
async def options(request: Request) -> Response:
    """As ``sdp_exchange.options``."""
    return sdp_exchange.options(request)


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
    """As ``sdp_exchange.no_trickle``."""
    raise sdp_exchange.no_trickle()
