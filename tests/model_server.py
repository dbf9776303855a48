"""A real HTTP server that hands out a file as bad servers and networks do."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = b"<!DOCTYPE html>\n<html><body>Please log in to this network</body></html>" + b" " * 600
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"


@dataclass
class Way:
    """How one path answers.

    cut: the connection ends after so many bytes of each answer. cuts: only the first so many
    answers are cut. first: statuses of the first answers. chunk_sec: a pause before every chunk of
    ``chunk`` bytes. linked: the SHA-256 that Hugging Face states beside a redirect. to: a path, or
    the address of another host.
    """

    data: bytes = b""
    etag: str | None = None
    linked: str | None = None
    ranges: bool = True
    length: bool = True
    cut: int | None = None
    cuts: int = 1_000_000
    first: list[int] = field(default_factory=list)
    status: int = 200
    to: str | None = None
    content_type: str = "application/octet-stream"
    chunk_sec: float = 0.0
    chunk: int = 1 << 16
    silent_sec: float = 0.0
    asked: list[str | None] = field(default_factory=list)


class ModelServer:
    """``ways`` by path; each keeps the Range headers it was asked with."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.ways: dict[str, Way] = {}

    def add(self, path: str, **how: object) -> str:
        self.ways[path] = Way(**how)  # type: ignore[arg-type]
        return self.url + path


@contextmanager
def model_server() -> Iterator[ModelServer]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            way = serving.ways.get(self.path)
            if way is None:
                return self.send_error(404)
            way.asked.append(self.headers.get("Range"))
            time.sleep(way.silent_sec)
            if way.first:
                return self.send_error(way.first.pop(0))
            if way.to is not None:
                self.send_response(302)
                self.send_header("Location", way.to)
                if way.linked:
                    self.send_header("X-Linked-Etag", f'"{way.linked}"')
                self.send_header("Content-Length", "0")
                return self.end_headers()
            if way.status != 200:
                return self.send_error(way.status)
            self._send(way)

        def _send(self, way: Way) -> None:
            start = self._start(way)
            if start > len(way.data) or (start == len(way.data) and start > 0):
                self.send_response(416)
                self.send_header("Content-Length", "0")
                return self.end_headers()
            self.send_response(206 if start else 200)
            if start:
                last = len(way.data) - 1
                self.send_header("Content-Range", f"bytes {start}-{last}/{len(way.data)}")
            body = way.data[start:]
            if way.length:
                self.send_header("Content-Length", str(len(body)))
            else:
                self.send_header("Connection", "close")
            self.send_header("Content-Type", way.content_type)
            if way.etag:
                self.send_header("ETag", way.etag)
            self.end_headers()
            if way.cut is not None and way.cuts > 0:
                way.cuts -= 1
                body = body[: way.cut]
                self.close_connection = True
            try:
                for at in range(0, len(body), way.chunk):
                    time.sleep(way.chunk_sec)
                    self.wfile.write(body[at : at + way.chunk])
                    self.wfile.flush()
            except OSError:
                self.close_connection = True  # the reader has left
            if not way.length:
                self.close_connection = True

        def _start(self, way: Way) -> int:
            wanted, only_if = self.headers.get("Range"), self.headers.get("If-Range")
            if wanted is None or not way.ranges or (only_if is not None and only_if != way.etag):
                return 0
            return int(wanted.removeprefix("bytes=").partition("-")[0])

        def log_message(self, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    serving = ModelServer(server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield serving
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
