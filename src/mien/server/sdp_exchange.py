"""What WHEP and WHIP (RFC 9725) have in common: one SDP offer over HTTP, one answer.

Offers are complete, answers final: neither trickle ICE nor counter-offers.
"""

from __future__ import annotations

from fastapi import Request, Response

from mien.media.whip.links import ice_links
from mien.problems import Problem
from mien.server.access import check_token
from mien.server.api import services_of

# A browser's offer is 3–8 kB; no honest one comes near this.
MAX_OFFER = 64_000
SDP = "application/sdp"


async def read_offer(request: Request) -> str:
    """The SDP offer in a request's body. Raises Problem for what is none."""
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
    return body.decode("utf-8", "replace")


def created(request: Request, answer: str, location: str, key: str) -> Response:
    """201 with the SDP answer. location: of the connection, whose id is ``key``."""
    headers = {"Location": location, "ETag": f'"{key}"'}
    response = Response(answer, status_code=201, media_type=SDP, headers=headers)
    _add_ice_servers(response, request)
    return response


def options(request: Request) -> Response:
    """What can be done here, and, to whoever may use it, which ICE servers there are.

    A browser asks before it lets a page of another site in, and cannot send the token then.
    """
    response = Response(status_code=204, headers={"Accept-Post": SDP})
    try:
        check_token(request)
    except Problem:
        return response
    _add_ice_servers(response, request)
    return response


def no_trickle() -> Problem:
    """Trickle ICE and ICE restarts are optional in both and not offered."""
    return Problem(
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
