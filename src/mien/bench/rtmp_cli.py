"""The command line of ``mien bench rtmp``."""

from __future__ import annotations

from typing import Annotated

import typer

from mien.bench.terminal import AsJson, failed, measured, show_figures


def rtmp(
    seconds: Annotated[
        float, typer.Option("--seconds", min=5, help="How long the stream is watched.")
    ] = 60,
    kills: Annotated[
        int, typer.Option("--kills", min=0, help="Then kill and restart its server so often.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """A session on the air over RTMP: delay, lip sync, what is lost, and coming back.

    Starts nginx with its RTMP module (or SRS, if MIEN_SRS_BIN names it) on a free
    loopback port, and reads the stream there with FFmpeg. Glass to glass is from
    when a picture was due to when the reader has decoded it. Stalls are of a WebRTC
    viewer of the same session while the server is killed. Good: up to 150 ms,
    offset within 2 ms, nothing lost, back within 3 s, no stall over 80 ms.
    """
    from mien.bench.rtmp import run_rtmp
    from mien.bench.rtmp_server import NoMediaServer

    try:
        result = measured("RTMP", lambda progress: run_rtmp(seconds, kills, progress))
    except NoMediaServer as error:
        raise failed(str(error)) from None
    labels = {
        "server": "media server",
        "glass_to_glass_ms_p50": "glass to glass, median, ms",
        "glass_to_glass_ms_p95": "95th percentile, ms",
        "offset_ms_mean": "picture - sound, mean, ms",
        "offset_ms_sd": "standard deviation, ms",
        "offset_ms_max": "furthest from 0, ms",
        "offset_drift_ms_per_min": "drift, ms per minute",
        "beeps": "beeps paired",
        "fps": "pictures per second of the stream",
        "pictures": "pictures read",
        "missing_pictures": "pictures missing between them",
        "lost_pictures": "of these on the way (a WebRTC viewer got them)",
    }
    if kills:
        labels |= {
            "kills": "server killed and restarted",
            "back_sec_p50": "back on the air after, median, s",
            "back_sec_max": "at worst, s",
            "stall_ms_max": "WebRTC viewer's worst stall, ms",
            "stall_ms_max_before": "before the first kill, ms",
            "own_lag_ms_max": "this process was itself late by up to, ms",
            "rss_mb_before": "memory of mien before, MB",
            "rss_mb_after": "after, MB",
        }
    show_figures(result, as_json, "On the air over RTMP", labels)
