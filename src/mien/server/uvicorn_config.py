"""How uvicorn serves the application, for ``mien run`` and for what is measured."""

from __future__ import annotations

import uvicorn
from fastapi import FastAPI

# A reader that has gone without a word is noticed within their sum.
PING_SEC, PONG_SEC = 5.0, 10.0
# Bytes: two thirds of a second of a microphone at its highest rate.
MAX_MESSAGE = 65_536
# Longer than clients and proxies keep a connection that is idle (60 s in nginx, 5 s in httpx):
# when both sides end it at the same moment, a request is lost.
KEEP_ALIVE_SEC = 75


def uvicorn_config(app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        # The other one is deprecated, "auto" would take whatever is installed.
        ws="websockets-sansio",
        ws_ping_interval=PING_SEC,
        ws_ping_timeout=PONG_SEC,
        ws_max_size=MAX_MESSAGE,
        # Video is compressed already.
        ws_per_message_deflate=False,
        timeout_keep_alive=KEEP_ALIVE_SEC,
        # Event streams never end by themselves; do not wait for them at the end.
        timeout_graceful_shutdown=2,
    )
