"""A local server with OpenAI's embeddings API, whose vectors count the characters of a text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

WIDTH = 16


@dataclass
class EmbeddingsServer:
    """asked: the texts of each request that was answered. left: so many requests are answered, the
    others are refused; None = all.
    """

    url: str = ""
    asked: list[list[str]] = field(default_factory=list)
    left: int | None = None


@contextmanager
def embeddings_server() -> Iterator[EmbeddingsServer]:
    state = EmbeddingsServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if state.left == 0:
                self._answer(401, {"error": {"message": "no more"}})
                return
            state.left = None if state.left is None else state.left - 1
            state.asked.append(body["input"])
            data = [
                {"index": at, "embedding": _vector(text)} for at, text in enumerate(body["input"])
            ]
            self._answer(200, {"data": data, "model": body["model"]})

        def _answer(self, status: int, said: object) -> None:
            content = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _vector(text: str) -> list[float]:
    counts = [1.0] + [0.0] * (WIDTH - 1)
    for character in text:
        counts[ord(character) % WIDTH] += 1.0
    return counts
