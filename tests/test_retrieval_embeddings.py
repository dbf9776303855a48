"""Vectors from a service with OpenAI's embeddings API, over the wire."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from mien.mind_settings import EmbeddingsSection
from mien.retrieval import collection, embeddings
from mien.retrieval.collection import Collection
from mien.retrieval.contract import Chunk
from mien.retrieval.embeddings import Embedder, EmbeddingError

Answer = tuple[int, Any]
SUBJECTS = ("voice|Stimme", "ticket", "parking")


def vector(text: str) -> list[float]:
    """As of a model that knows three subjects."""
    return [10 * any(w in text for w in words.split("|")) + 0.01 for words in SUBJECTS]


class Service:
    """Answers as it is told; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[dict[str, Any], str | None]] = []
        self.answer: Callable[[dict[str, Any]], Answer] = self.vectors
        self.headers: dict[str, str] = {}
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                service.asked.append((body, self.headers.get("authorization")))
                status, answer = (
                    service.answer(body) if self.path == "/v1/embeddings" else (404, "")
                )
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                for name, value in service.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    def vectors(self, body: dict[str, Any]) -> Answer:
        data = [{"index": i, "embedding": vector(t)} for i, t in enumerate(body["input"])]
        return 200, {"data": data[::-1]}  # in any order


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    thread = threading.Thread(target=service.server.serve_forever, args=(0.02,))
    thread.start()
    yield service
    service.server.shutdown()
    thread.join()
    service.server.server_close()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "_FIRST_PAUSE_SEC", 0.01)


def embedder(service: Service, **fields: Any) -> Embedder:
    return Embedder(EmbeddingsSection(base_url=service.url, model="m", **fields), {})


async def test_rows_are_in_order_and_of_length_one(service: Service) -> None:
    it = embedder(service, key="secret")
    done: list[int] = []
    rows = await it.embed([f"ticket {i}" for i in range(100)] + ["voice"], on_done=done.append)
    assert rows.shape == (101, 3) and rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 1)
    assert rows[0].argmax() == 1 and rows[-1].argmax() == 0
    assert done == [64, 101]
    assert service.asked[0][0]["model"] == "m" and service.asked[0][1] == "Bearer secret"
    assert (await it.embed([])).shape[0] == 0
    await it.aclose()
    await it.aclose()


async def test_base64_is_understood(service: Service) -> None:
    packed = base64.b64encode(np.array([0, 3, 4], "<f4").tobytes()).decode()
    service.answer = lambda body: (200, {"data": [{"index": 0, "embedding": packed}]})
    it = embedder(service, dimensions=None)
    assert (await it.embed(["x"])).tolist() == [[0, pytest.approx(0.6), pytest.approx(0.8)]]
    await it.aclose()


async def test_a_service_that_takes_few_at_once_gets_few(service: Service) -> None:
    def ten(body: dict[str, Any]) -> Answer:
        return service.vectors(body) if len(body["input"]) <= 10 else (400, {"error": "too many"})

    service.answer = ten
    it = embedder(service)
    assert len(await it.embed(["voice"] * 40)) == 40
    assert max(len(b["input"]) for b, _ in service.asked[-3:]) <= 10
    await it.aclose()


async def test_busy_services_are_asked_again(service: Service) -> None:
    statuses = iter([429, 503])

    def busy(body: dict[str, Any]) -> Answer:
        status = next(statuses, 200)
        return service.vectors(body) if status == 200 else (status, {"error": {"message": "busy"}})

    service.answer = busy
    service.headers = {"retry-after": "0"}
    it = embedder(service)
    assert len(await it.embed(["voice"])) == 1
    assert len(service.asked) == 3
    await it.aclose()


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((401, {"error": {"message": "wrong key secret"}}), "does not accept the key"),
        ((400, {"error": {"message": "no such model"}}), "no such model"),
        ((404, b"<html>"), "404"),
        ((200, b"<html>"), "Check model"),
        ((200, {"data": []}), "0 vectors for 1 texts"),
        ((200, {"data": [{"index": 0, "embedding": [1.0, None]}]}), "Check model"),
        ((200, {"data": [{"index": 0, "embedding": "!!"}]}), "Check model"),
        ((200, {"data": [{"index": 0, "embedding": [10**400]}]}), "Check model"),
        ((200, {"data": [{"index": 1e999, "embedding": [1.0]}]}), "Check model"),
        ((200, b'{"data":' + b"[" * 100_000), "Check model"),
        ((404, b"[" * 100_000), "404"),
        ((200, {"data": [{"index": 0, "embedding": [1.0, 2.0]}]}), "not 8"),
    ],
)
async def test_errors_say_what_to_do_and_keep_the_key(
    service: Service, answer: Answer, says: str
) -> None:
    service.answer = lambda body: answer
    it = embedder(service, key="secret", dimensions=8)
    with pytest.raises(EmbeddingError) as caught:
        await it.embed(["x"])
    assert says in str(caught.value) and "secret" not in str(caught.value) + caught.value.zh
    assert any("\u4e00" <= c <= "\u9fff" for c in caught.value.zh)
    assert len(service.asked) == 1 and not caught.value.retryable
    assert "secret" not in repr(it)
    await it.aclose()


async def test_nobody_there(service: Service) -> None:
    section = EmbeddingsSection(base_url="http://127.0.0.1:9/v1", model="m")
    it = Embedder(section, {})
    with pytest.raises(EmbeddingError, match="cannot be reached") as caught:
        await it.embed(["x"], patient=False)
    assert caught.value.retryable
    await it.aclose()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"base_url": "http://localhost:99999/v1"}, "65535"),
        ({"base_url": "http://localhost:0/v1"}, "65535"),
        ({"base_url": "http://localhost:port/v1"}, "65535"),
        ({"base_url": "http:///v1"}, "65535"),
        ({"base_url": "http://[::1/v1"}, "65535"),
        ({"key": "你的密钥"}, "still an example"),
        ({"key": "sk-1\nx"}, "still an example"),
        ({"key_env": "MINE"}, "still an example"),
    ],
)
def test_an_address_or_a_key_that_cannot_be_one(fields: dict[str, str], says: str) -> None:
    section = EmbeddingsSection(**{"base_url": "http://localhost/v1", "model": "m", **fields})
    with pytest.raises(EmbeddingError, match=says) as caught:
        Embedder(section, {"MINE": "密钥"})
    assert "[knowledge.embeddings]" in caught.value.zh
    assert "密钥" not in str(caught.value) and "sk-1" not in str(caught.value)


async def test_whatever_fails_words_do(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    both, it = await hybrid(service)
    await it.aclose()
    group = ExceptionGroup("several", [OSError("one"), OSError("other")])
    for error in (group, OSError(24, "Too many open files"), UnicodeError("idna")):

        def connect(*arguments: object, error: Exception = error, **named: object) -> None:
            raise error

        monkeypatch.setattr("anyio.connect_tcp", connect)
        found = await both.search("where do dogs wait", "en")
        assert [p.text for p in found] == [CHUNKS[3].text]
        await it.aclose()


def test_a_providers_key_goes_to_that_provider_only() -> None:
    environ = {"OPENAI_API_KEY": "sk", "MINE": "mine"}

    def key(url: str, **fields: Any) -> str:
        return Embedder(EmbeddingsSection(base_url=url, model="m", **fields), environ)._key

    assert key("https://api.openai.com/v1") == "sk"
    assert key("https://api.openai.com.evil.example/v1") == ""
    assert key("http://localhost:11434/v1") == ""
    assert key("https://elsewhere.example/v1", key_env="MINE") == "mine"
    with pytest.raises(EmbeddingError, match="NOT_SET"):
        key("https://elsewhere.example/v1", key_env="NOT_SET")
    with pytest.raises(EmbeddingError, match="base_url"):
        Embedder(EmbeddingsSection(), environ)


CHUNKS = [
    Chunk("Adults pay ten euros at the ticket desk.", "Guide"),
    Chunk("Pick a voice in the panel.", "Guide"),
    Chunk("The garage has two hundred parking places.", "Guide"),
    Chunk("Dogs wait outside.", "Guide"),
]


async def hybrid(service: Service) -> tuple[Collection, Embedder]:
    it = embedder(service)
    vectors = await it.embed([chunk.text for chunk in CHUNKS])
    return Collection(CHUNKS, it, vectors), it


async def test_meaning_finds_what_words_do_not(service: Service) -> None:
    both, it = await hybrid(service)
    asked = len(service.asked)
    found = await both.search("Stimme", "en")
    assert [p.text for p in found][:1] == [CHUNKS[1].text]
    assert await Collection(CHUNKS).search("Stimme", "en") == []
    assert len(service.asked) == asked + 1
    await it.aclose()


@pytest.mark.parametrize("kind", ["down", "late", "other model"])
async def test_without_the_service_words_do(
    service: Service, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    both, it = await hybrid(service)
    held = threading.Event()
    if kind == "down":
        service.answer = lambda body: (503, {})
    elif kind == "late":
        monkeypatch.setattr(collection, "_EMBEDDING_SEC", 0.05)
        monkeypatch.setattr(
            service, "answer", lambda body: (held.wait(60), service.vectors(body))[1]
        )
    else:
        service.answer = lambda body: (200, {"data": [{"embedding": [1.0]}]})
    found = await both.search("where do dogs wait", "en")
    assert [p.text for p in found] == [CHUNKS[3].text]
    held.set()
    await it.aclose()


def test_vectors_have_to_fit() -> None:
    with pytest.raises(ValueError, match="neither"):
        Collection(CHUNKS, None, np.ones((4, 3), np.float32))
