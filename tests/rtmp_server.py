"""Media servers to publish to, and a reader that says exactly what comes out of them.

nginx with its RTMP module; with ``MIEN_SRS_BIN``, SRS as well. Stream keys that begin with "wrong"
are refused by a callback, as platforms do it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import av
import numpy as np
import pytest

from mien.bench.rtmp_server import MediaServer, NoMediaServer, chosen_srs, media_server
from mien.media.tick import SAMPLE_RATE
from ticking import counted

SERVERS = ["nginx", "srs"]


@contextmanager
def real_server(kind: str = "nginx") -> Iterator[MediaServer]:
    """One that runs; the test is skipped where it is not installed."""
    srs = chosen_srs()
    if kind == "srs" and srs is None:
        pytest.skip("set MIEN_SRS_BIN to the path of SRS to test against it")
    with _doorkeeper() as callback:
        try:
            with media_server(callback, srs if kind == "srs" else None) as server:
                yield server
        except NoMediaServer as error:
            pytest.skip(str(error))


class _Doorkeeper(BaseHTTPRequestHandler):
    """Answers ``on_publish``: nginx sends a form, SRS JSON."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        if "json" in self.headers.get("content-type", ""):
            name = json.loads(body).get("stream", "")
        else:
            name = parse_qs(body).get("name", [""])[0]
        self.send_response(403 if name.startswith("wrong") else 200)
        self.send_header("content-length", "1")
        self.end_headers()
        self.wfile.write(b"0")

    def log_message(self, *ignored: object) -> None:
        """Not among the test's output."""


@contextmanager
def _doorkeeper() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Doorkeeper) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


@dataclass
class Seen:
    """What a reader got. pictures: (seconds, number in the picture, brightness of its middle).

    sounds: (seconds of the first sample, float32[n] mono 48 kHz).
    """

    codecs: list[str] = field(default_factory=list)
    pictures: list[tuple[float, int, float]] = field(default_factory=list)
    sounds: list[tuple[float, np.ndarray]] = field(default_factory=list)

    def flashes(self) -> list[float]:
        """When a bright picture follows a dark one, s."""
        return [
            at
            for (_, _, before), (at, _, after) in zip(
                self.pictures, self.pictures[1:], strict=False
            )
            if before < 128 <= after
        ]

    def beeps(self) -> list[float]:
        """When sound follows silence, s."""
        found: list[float] = []
        for at, sound in self.sounds:
            loud = np.flatnonzero(np.abs(sound) > 0.15)
            if len(loud) and (not found or at + loud[0] / SAMPLE_RATE - found[-1] > 0.5):
                found.append(at + float(loud[0]) / SAMPLE_RATE)
        return found

    def offsets(self) -> list[float]:
        """Picture minus sound of each flash that has a beep, ms."""
        beeps = self.beeps()
        near = [(min(beeps, key=lambda b: abs(b - at)), at) for at in self.flashes() if beeps]
        return [1000 * (at - beep) for beep, at in near if abs(at - beep) < 0.4]


def watch(url: str, pictures: int, on_picture: Callable[[], None] = lambda: None) -> Seen:
    """Read a stream until ``pictures`` were decoded. Blocks; gives up after 30 s of silence."""
    seen = Seen()
    options = {"fflags": "nobuffer", "fpsprobesize": "1"}
    with av.open(url, timeout=(30, 30), options=options) as container:
        seen.codecs = sorted(s.codec_context.name for s in container.streams if s.codec_context)
        for packet in container.demux():
            for frame in packet.decode():
                at = float(frame.pts * frame.time_base)
                if isinstance(frame, av.AudioFrame):
                    seen.sounds.append((at, frame.to_ndarray().reshape(-1)))
                elif isinstance(frame, av.VideoFrame):
                    image = frame.to_ndarray(format="rgb24")
                    middle = float(image[150:200, 100:200].mean())
                    seen.pictures.append((at, counted(image), middle))
                    on_picture()
            if len(seen.pictures) >= pictures:
                break
    return seen
