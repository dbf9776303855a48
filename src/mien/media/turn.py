"""Passwords for a TURN server that last a while, made from a secret it shares with us.

The TURN REST API (draft-uberti-behave-turn-rest-00, 2.2), as coturn understands it with
``use-auth-secret``: nothing that reaches a visitor is worth keeping.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from aiortc import RTCIceServer

# Who it was made for, as the TURN server's log shows it.
_NAME = "mien"


@dataclass(frozen=True, slots=True)
class Turn:
    """urls: of one TURN server, best first, as ``turn:HOST:3478?transport=udp``."""

    urls: Sequence[str]
    secret: str = field(repr=False)
    ttl_sec: int = 3600

    def ice_server(self, now: float | None = None) -> RTCIceServer:
        """With a password that new connections can use until ``ttl_sec`` after ``now`` (Unix
        time); those that stand go on."""
        expires = int((time.time() if now is None else now) + self.ttl_sec)
        username = f"{expires}:{_NAME}"
        digest = hmac.new(self.secret.encode(), username.encode(), hashlib.sha1).digest()
        return RTCIceServer(list(self.urls), username, base64.b64encode(digest).decode())
