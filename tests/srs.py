"""A real SRS, where ``MIEN_SRS_BIN`` names one."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from aioice.ice import get_host_addresses

SRS = os.environ.get("MIEN_SRS_BIN", "")

_CONFIG = """
listen 127.0.0.1:{rtmp}; max_connections 200; daemon off; srs_log_tank console;
pid ./srs.pid; work_dir ./; query_latest_version off;
http_api {{ enabled on; listen 127.0.0.1:{api}; }}
stats {{ network 0; }}
rtc_server {{
    enabled on; listen {media}; candidate {address};
    use_auto_detect_network_ip off; api_as_candidates off;
}}
vhost __defaultVhost__ {{
    tcp_nodelay on; min_latency on;
    rtc {{ enabled on; rtmp_to_rtc on; rtc_to_rtmp on; nack on; twcc on; }}
}}
"""


@dataclass
class Srs:
    """rtmp: port. whip, api: base addresses."""

    rtmp: int
    api: str

    def whip(self, stream: str) -> str:
        return f"{self.api}/rtc/v1/whip/?app=live&stream={stream}"

    async def streams(self) -> list[dict[str, Any]]:
        async with httpx.AsyncClient(trust_env=False) as http:
            found: list[dict[str, Any]]
            found = (await http.get(f"{self.api}/api/v1/streams/")).json()["streams"]
            return found


@asynccontextmanager
async def srs_server(folder: Path) -> AsyncIterator[Srs]:
    rtmp, api, media = (
        _free(socket.SOCK_STREAM),
        _free(socket.SOCK_STREAM),
        _free(socket.SOCK_DGRAM),
    )
    # From the address that SRS answers from; loopback would not do.
    address = get_host_addresses(use_ipv4=True, use_ipv6=False)[0]
    config = folder / "srs.conf"
    config.write_text(_CONFIG.format(rtmp=rtmp, api=api, media=media, address=address))
    with (folder / "srs.log").open("w") as log:
        process = await asyncio.create_subprocess_exec(
            SRS, "-c", str(config), cwd=folder, stdout=log, stderr=log
        )
        try:
            srs = Srs(rtmp, f"http://127.0.0.1:{api}")
            async with asyncio.timeout(20):
                while True:
                    try:
                        await srs.streams()
                        break
                    except httpx.TransportError:
                        await asyncio.sleep(0.05)
            yield srs
        finally:
            process.kill()
            await process.wait()


def _free(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind(("", 0))
        return int(one.getsockname()[1])
