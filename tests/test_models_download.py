"""One file from servers that throttle, cut, corrupt, redirect, forget and lie."""

from __future__ import annotations

import hashlib
import json
import random
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mien.models.catalogue import ModelFile
from mien.models.download import download
from mien.models.errors import ModelError
from mien.models.transfer import Downloaded, Patience
from model_server import PAGE, POINTER, ModelServer, model_server

DATA = random.Random(4).randbytes(1_500_000)
FILE = ModelFile("net.pth", (), len(DATA), hashlib.sha256(DATA).hexdigest())
UNKNOWN = replace(FILE, size=None, sha256=None)
HASTY = Patience(connect=1.0, read=0.5, pause=0.01, tries=2)


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with model_server() as running:
        yield running


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the machine's proxy answers is not what these tests are about."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def fetched(tmp_path: Path, *urls: str, file: ModelFile = FILE) -> Downloaded:
    got = download(file, urls, tmp_path, patience=HASTY)
    assert got.path == tmp_path / "net.pth" and got.path.read_bytes() == DATA
    assert (got.size, got.sha256) == (FILE.size, FILE.sha256)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.pth"], "nothing else is left"
    return got


def refusal(tmp_path: Path, *urls: str, file: ModelFile = FILE) -> ModelError:
    with pytest.raises(ModelError) as caught:
        download(file, urls, tmp_path, patience=HASTY)
    assert caught.value.zh != caught.value.en
    return caught.value


@pytest.mark.parametrize("file", [FILE, UNKNOWN])
@pytest.mark.parametrize("length", [True, False])
def test_a_file_comes_whole(
    server: ModelServer, tmp_path: Path, file: ModelFile, length: bool
) -> None:
    url = server.add("/plain", data=DATA, length=length)
    assert fetched(tmp_path, url, file=file).source == url


def test_progress_names_bytes_and_host(server: ModelServer, tmp_path: Path) -> None:
    url = server.add("/slow", data=DATA, chunk_sec=0.002)
    told: list[tuple[int, int | None, str]] = []
    download(FILE, [url], tmp_path, lambda *progress: told.append(progress))
    done = [progress[0] for progress in told]
    assert len(done) > 4 and done == sorted(done) and done[-1] == len(DATA)
    assert {progress[1:] for progress in told} == {(len(DATA), server.url[len("http://") :])}


def test_a_redirect_is_followed(server: ModelServer, tmp_path: Path) -> None:
    server.add("/real", data=DATA)
    url = server.add("/moved", to="/real")
    assert fetched(tmp_path, url).source == url, "the catalogue's address, not a signed one"


@pytest.mark.parametrize("file", [FILE, UNKNOWN])
def test_a_cut_answer_goes_on_where_it_was(
    server: ModelServer, tmp_path: Path, file: ModelFile
) -> None:
    url = server.add("/cut", data=DATA, etag='"1"', cut=500_000)
    fetched(tmp_path, url, file=file)
    asked = server.ways["/cut"].asked
    assert asked[0] is None and all(asked[1:]), "only the rest was asked for"
    assert len(asked) >= 3


def test_a_later_pull_goes_on_also_elsewhere(server: ModelServer, tmp_path: Path) -> None:
    first = server.add("/breaks", data=DATA, cut=600_000, ranges=False)
    refused = refusal(tmp_path, first)
    assert "600000 of 1500000" in refused.en or "peer closed" in refused.en
    assert (tmp_path / "net.pth").stat().st_size == 600_000
    other = server.add("/other", data=DATA)
    fetched(tmp_path, other)
    assert server.ways["/other"].asked == ["bytes=600000-"]


def test_without_a_checksum_parts_of_two_sources_never_meet(
    server: ModelServer, tmp_path: Path
) -> None:
    first = server.add("/one", data=bytes(len(DATA)), cut=600_000, ranges=False)
    refusal(tmp_path, first, file=UNKNOWN)
    fetched(tmp_path, server.add("/two", data=DATA), file=UNKNOWN)
    assert server.ways["/two"].asked == [None]


def test_a_file_that_changed_meanwhile_is_fetched_anew(server: ModelServer, tmp_path: Path) -> None:
    old = server.add("/changing", data=bytes(len(DATA)), etag='"old"', cut=400_000, cuts=1)
    way = server.ways["/changing"]

    def change(done: int, total: int | None, host: str) -> None:
        way.data, way.etag = DATA, '"new"'

    got = download(UNKNOWN, [old], tmp_path, change, HASTY)
    assert got.path.read_bytes() == DATA and way.asked[1] is not None


def test_parts_that_do_not_fit_are_fetched_once_more(server: ModelServer, tmp_path: Path) -> None:
    (tmp_path / "net.pth").write_bytes(bytes(700_000))
    url = server.add("/fine", data=DATA)
    fetched(tmp_path, url)
    assert server.ways["/fine"].asked == ["bytes=700000-", None]


def test_a_file_that_became_shorter_is_fetched_anew(server: ModelServer, tmp_path: Path) -> None:
    url = server.url + "/shrunk"
    (tmp_path / "net.pth").write_bytes(DATA + bytes(80_000))
    (tmp_path / "net.pth.part.json").write_text(json.dumps({"url": url, "validator": '"1"'}))
    server.add("/shrunk", data=DATA, etag='"1"')
    fetched(tmp_path, url, file=UNKNOWN)
    way = server.ways["/shrunk"]
    assert way.asked == [f"bytes={len(DATA) + 80_000}-", None], "416 first"


def test_a_source_that_has_less_than_is_here_is_not_the_file(
    server: ModelServer, tmp_path: Path
) -> None:
    (tmp_path / "net.pth").write_bytes(DATA[:900_000])
    short = server.add("/short", data=DATA[:800_000])
    assert "less than 1500000 bytes" in refusal(tmp_path, short).en
    assert server.ways["/short"].asked == ["bytes=900000-"]


def test_what_was_whole_already_is_not_fetched(server: ModelServer, tmp_path: Path) -> None:
    (tmp_path / "net.pth").write_bytes(DATA)
    fetched(tmp_path, server.add("/unused", data=b""))
    assert server.ways["/unused"].asked == []


def test_a_corrupt_file_is_refused_and_the_next_source_asked(
    server: ModelServer, tmp_path: Path
) -> None:
    corrupt = server.add("/corrupt", data=DATA[:700_000] + b"\0" + DATA[700_001:])
    refused = refusal(tmp_path, corrupt)
    assert "SHA-256" in refused.en and "SHA-256" in refused.zh
    assert not (tmp_path / "net.pth").exists(), "it is not kept"
    good = server.add("/good", data=DATA)
    assert fetched(tmp_path, corrupt, good).source == good


@pytest.mark.parametrize("length", [True, False])
@pytest.mark.parametrize("extra", [-1000, 1000])
def test_another_size_is_refused(
    server: ModelServer, tmp_path: Path, extra: int, length: bool
) -> None:
    data = DATA + bytes(extra) if extra > 0 else DATA[:extra]
    refused = refusal(tmp_path, server.add("/size", data=data, length=length))
    assert str(len(DATA)) in refused.en, refused.en


@pytest.mark.parametrize("file", [FILE, UNKNOWN])
@pytest.mark.parametrize(
    ("answer", "word"),
    [
        ({"data": PAGE}, "web page"),
        ({"data": b"<html>quota</html>", "length": False}, "web page"),
        ({"data": b"sign in" * 100, "content_type": "text/html; charset=utf-8"}, "web page"),
        ({"data": POINTER}, "git-lfs pointer"),
        ({"data": b'{"Code": 404}', "content_type": "application/json"}, "message"),
    ],
)
def test_what_is_no_file_is_refused_in_words(
    server: ModelServer, tmp_path: Path, file: ModelFile, answer: dict, word: str
) -> None:
    assert word in refusal(tmp_path, server.add("/page", **answer), file=file).en
    assert not list(tmp_path.iterdir())


def test_a_captive_network_costs_nothing_of_what_is_here(
    server: ModelServer, tmp_path: Path
) -> None:
    (tmp_path / "net.pth").write_bytes(DATA[:900_000])
    refusal(tmp_path, server.add("/portal", data=PAGE, ranges=False))
    fetched(tmp_path, server.add("/home", data=DATA))
    assert server.ways["/home"].asked == ["bytes=900000-"]


def test_every_source_is_named_with_its_reason(server: ModelServer, tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
    missing, gone = server.url + "/missing", server.add("/gone", status=410)
    refused = refusal(tmp_path, f"{nobody}/a", f"{nobody}/b", missing, gone)
    assert "HTTP 404" in refused.en and "HTTP 410" in refused.en
    assert refused.en.count(nobody[len("http://") :]) == 1, "a host that is away is asked once"
    assert "--mirror" in refused.en and "--from" in refused.zh


def test_a_busy_server_is_asked_again(server: ModelServer, tmp_path: Path) -> None:
    fetched(tmp_path, server.add("/busy", data=DATA, first=[503]))
    assert "HTTP 500" in refusal(tmp_path / "no", server.add("/ill", status=500)).en


def test_silence_ends_an_attempt(server: ModelServer, tmp_path: Path) -> None:
    refused = refusal(tmp_path, server.add("/silent", data=DATA, silent_sec=2.0))
    assert "in time" in refused.en


def test_a_full_disk_is_told_before_anything_is_written(
    server: ModelServer, tmp_path: Path
) -> None:
    huge = replace(FILE, size=1 << 60)
    url = server.add("/huge", data=DATA, length=False)
    refused = refusal(tmp_path, url, file=huge)
    assert refused.code == "disk_full" and "MIEN_MODELS" in refused.en
    assert not list(tmp_path.iterdir())


def test_who_cancels_goes_on_later(server: ModelServer, tmp_path: Path) -> None:
    url = server.add("/cancelled", data=DATA, etag='"1"')

    def cancel(done: int, total: int | None, host: str) -> None:
        if done > 500_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(FILE, [url], tmp_path, cancel)
    assert (tmp_path / "net.pth").stat().st_size > 500_000
    fetched(tmp_path, url)
    assert server.ways["/cancelled"].asked[1] is not None


def test_a_proxy_of_the_environment_is_used(
    server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # To a proxy the request names the whole address.
    server.ways["http://models.invalid/net.pth"] = server.ways[server.add("/x", data=DATA)[-2:]]
    monkeypatch.setenv("http_proxy", server.url)
    fetched(tmp_path, "http://models.invalid/net.pth")
    monkeypatch.setenv("http_proxy", "gopher://127.0.0.1:1")
    assert refusal(tmp_path, "http://models.invalid/net.pth").code == "proxy"
