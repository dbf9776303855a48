"""Models come into the store checked and leave it whole; the catalogue says where from."""

from __future__ import annotations

import hashlib
import json
import random
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien.models import consent, store
from mien.models.catalogue import Licence, Model, ModelFile, catalogue, model
from mien.models.errors import ModelError
from mien.models.given import pull_from
from mien.models.pull import pull
from mien.models.sources import addresses
from mien.models.transfer import Patience
from mien.models.verify import verify
from model_server import PAGE, ModelServer, model_server
from wav2lip_seeded import narrow, narrow_files

__all__ = ["narrow_files"]

pytestmark = pytest.mark.usefixtures("narrow_files")

DATA = random.Random(5).randbytes(300_000)
HASTY = Patience(connect=20, read=20, pause=0.01, tries=2)
LICENCE = Licence("free", "Free", "Do what you like.", "随意使用。", "https://example.com", False)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store."""
    monkeypatch.setenv("MIEN_MODELS", str(tmp_path / "models"))
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return tmp_path / "models"


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with model_server() as running:
        yield running


@pytest.fixture(scope="module")
def seeded_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The narrow network as a file, which is taken for the published one."""
    pytest.importorskip("safetensors", reason="needs pip install 'mien[wav2lip]'")
    from safetensors.numpy import save_file

    path = tmp_path_factory.mktemp("weights") / "My Wav2Lip.safetensors"
    save_file({key: np.asarray(value) for key, value in narrow().state.items()}, path)
    return path


def two_files(server: ModelServer) -> Model:
    """A small model of no engine."""
    files = []
    for name, data in (("a.onnx", DATA), ("b.onnx", DATA[::-1])):
        url = server.add(f"/{name}", data=data, etag='"1"')
        files.append(ModelFile(name, (url,), len(data), hashlib.sha256(data).hexdigest()))
    return Model("small", "lipsync", "", LICENCE, tuple(files))


def code(caught: pytest.ExceptionInfo[ModelError]) -> str:
    assert caught.value.en and caught.value.zh and caught.value.en != caught.value.zh
    return caught.value.code


MOUTHS = ["wav2lip", "wav2lip-gan", "wav2lip256"]
VOICES = {
    "matcha-icefall-zh-en",
    "kokoro-multi-lang-v1_1",
    "vits-melo-tts-zh_en",
    "vits-piper-en_US-lessac-medium",
}
BERTS = {
    "chinese-roberta-wwm-ext-large",
    "deberta-v3-large",
    "deberta-v2-large-japanese-char-wwm",
    "erlangshen-megatronbert-1.3b",
}


def test_the_catalogue_is_complete_and_says_what_may_not_be_done() -> None:
    by_engine: dict[str, list[Model]] = {}
    for one in catalogue().values():
        by_engine.setdefault(one.engine, []).append(one)
        assert one.en and one.zh and one.licence.en and one.licence.zh and one.licence.ask
        assert one.licence.url.startswith("https://") and one.homepage.startswith("https://")
        if one.licence.non_commercial:
            assert "commercial" in one.licence.en and "商业" in one.licence.zh
        for file in one.files:
            assert len(set(file.sources)) == len(file.sources) >= 1
            assert all(url.startswith("https://") for url in file.sources)
    assert [one.name for one in by_engine["wav2lip"]] == MOUTHS
    voices = [one for one in by_engine["sherpa"] if one.kind == "tts"]
    assert {one.name for one in voices} == VOICES
    assert {one.kind for one in by_engine["sherpa"]} == {"tts", "asr", "kws"}
    assert {one.name for one in by_engine["bert"]} == BERTS
    for one in by_engine["wav2lip"]:
        assert one.licence.non_commercial and len(one.files[0].sources) >= 3
        assert any("modelscope.cn" in url for url in one.files[0].sources), "within China"
    for one in catalogue().values():
        if one.name != "erlangshen-megatronbert-1.3b":  # nobody has published its checksums
            assert all(file.size and file.sha256 for file in one.files)
    for one in voices:
        assert one.expects and one.languages and one.files[0].unpack
    with pytest.raises(ModelError, match="wav2lip-gan") as caught:
        model("gan")
    assert code(caught) == "unknown_model"


def test_sources_and_their_mirrors_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    hub, other = "https://huggingface.co/x/y/resolve/main/z.pth", "https://github.com/x/z.pth"
    copy = "https://hf-mirror.com/x/y/resolve/main/z.pth"
    assert addresses([other, hub]) == [other, hub, copy]
    assert addresses([hub, other], "github") == [other, hub, copy]
    assert addresses([hub, other], "hf-mirror") == [copy, hub, other]
    own = "http://10.0.0.5:8080/hub/x/y/resolve/main/z.pth"
    assert addresses([other, hub], "http://10.0.0.5:8080/hub/") == [own, other, hub, copy]
    proxy = "https://proxy.example/https://github.com"
    assert addresses([hub, other], proxy) == [f"{proxy}/x/z.pth", hub, copy, other]
    monkeypatch.setenv("HF_ENDPOINT", "http://10.0.0.5:8080/hub")
    assert addresses([other, hub]) == [own, other, hub, copy]
    for wrong in ("nowhere", "http://", "http://[bad"):
        with pytest.raises(ModelError, match="hf-mirror") as caught:
            addresses([hub], wrong)
        assert code(caught) == "unknown_mirror"


def test_nothing_is_fetched_before_the_licence_is_accepted(server: ModelServer) -> None:
    wanted = two_files(server)
    with pytest.raises(ModelError, match="i-accept-the-licence") as caught:
        pull(wanted)
    assert code(caught) == "licence" and server.ways["/a.onnx"].asked == []
    consent.accept(LICENCE)
    assert consent.accepted(LICENCE)
    assert not consent.accepted(replace(LICENCE, en="Pay me.")), "other words were not accepted"
    record = json.loads((store.store_folder() / "licences.json").read_text())["free"]
    assert record["url"] == LICENCE.url and record["at"] and record["by"]


def test_a_model_comes_with_a_record(server: ModelServer, folder: Path) -> None:
    wanted = two_files(server)
    consent.accept(LICENCE)
    told: list[tuple[int, int | None]] = []
    got = pull(wanted, on_progress=lambda progress: told.append((progress.done, progress.total)))
    assert told[-1] == (600_000, 600_000) and [d for d, _ in told] == sorted(d for d, _ in told)
    assert got.path == folder / "small" / "a.onnx" and got.path.read_bytes() == DATA
    assert (folder / "small" / "b.onnx").read_bytes() == DATA[::-1]
    assert store.installed("small") == got
    assert all(file.known and file.source.startswith(server.url) for file in got.files)
    assert verify(got) is None
    (folder / "small" / "b.onnx").write_bytes(b"\0" + DATA[-2::-1])
    assert "b.onnx" in str(verify(got))
    (folder / "small" / "b.onnx").write_bytes(b"short")
    assert store.installed("small") is None, "half a model is none"


def test_an_interrupted_model_goes_on_at_the_file_it_was_at(
    server: ModelServer, folder: Path
) -> None:
    wanted = two_files(server)
    consent.accept(LICENCE)
    server.ways["/b.onnx"].status = 404
    with pytest.raises(ModelError, match=r"b\.onnx") as caught:
        pull(wanted, patience=HASTY)
    assert code(caught) == "unreachable" and store.installed("small") is None
    server.ways["/b.onnx"].status = 200
    asked = len(server.ways["/a.onnx"].asked)
    pull(wanted, patience=HASTY)
    assert len(server.ways["/a.onnx"].asked) == asked, "the first file was here already"


def test_two_pulls_of_one_model_do_not_meet(server: ModelServer) -> None:
    wanted = two_files(server)
    consent.accept(LICENCE)
    server.ways["/a.onnx"].chunk_sec = 0.2
    begun = threading.Event()
    first = threading.Thread(
        target=pull, args=(wanted,), kwargs={"on_progress": lambda *_: begun.set()}
    )
    first.start()
    assert begun.wait(60)
    with pytest.raises(ModelError, match="another process") as caught:
        pull(wanted)
    assert code(caught) == "busy"
    first.join()
    assert store.installed("small") is not None


def test_a_seeded_checkpoint_is_taken_from_a_file(seeded_file: Path, folder: Path) -> None:
    wanted = model("wav2lip")
    consent.accept(wanted.licence)
    with pytest.raises(ModelError, match="mien models pull wav2lip`") as caught:
        store.find("wav2lip")
    assert code(caught) == "model_missing" and store.installed_for("wav2lip") == []
    got = pull_from(wanted, seeded_file)
    assert got.path == folder / "wav2lip" / "wav2lip.safetensors"
    assert got.path.read_bytes() == seeded_file.read_bytes() and not got.files[0].known
    assert store.find("wav2lip") == got.path and store.installed_for("wav2lip") == [got]
    store.delete("wav2lip")
    assert store.installed("wav2lip") is None and not (folder / "wav2lip").exists()


def test_what_is_no_such_network_is_refused_and_not_kept(
    seeded_file: Path, folder: Path, tmp_path: Path
) -> None:
    consent.accept(model("wav2lip").licence)
    consent.accept(model("wav2lip256").licence)
    pull_from(model("wav2lip"), seeded_file)
    half = tmp_path / "half.safetensors"
    half.write_bytes(seeded_file.read_bytes()[:1_000_000])
    letter, page = tmp_path / "letter.pth", tmp_path / "page.pth"
    letter.write_text("Dear Sir or Madam," * 40)
    page.write_bytes(PAGE)
    for name, given, words in (
        ("wav2lip256", seeded_file, "mien models pull wav2lip --from"),
        ("wav2lip", half, "not the model wav2lip"),
        ("wav2lip", letter, "not the model wav2lip"),
        ("wav2lip", page, "web page"),
    ):
        with pytest.raises(ModelError, match=words) as caught:
            pull_from(model(name), given)
        assert code(caught) == "wrong_file"
    with pytest.raises(ModelError, match=r"nothing\.pth") as caught:
        pull_from(model("wav2lip"), tmp_path / "nothing.pth")
    assert code(caught) == "no_such_file"
    assert store.installed("wav2lip256") is None
    kept = store.installed("wav2lip")
    assert kept is not None and verify(kept) is None, "the one that was here still is"
    left = [path for path in (folder / ".incoming").rglob("*") if path.is_file()]
    assert {path.name for path in left} <= {".lock"}


def test_a_fetched_file_of_another_network_is_not_kept(
    server: ModelServer, folder: Path, seeded_file: Path
) -> None:
    wanted = model("wav2lip256")
    consent.accept(wanted.licence)
    url = server.add("/seeded", data=seeded_file.read_bytes())
    file = ModelFile("wav2lip256.safetensors", (url,))
    with pytest.raises(ModelError, match="its network is wav2lip,") as caught:
        pull(replace(wanted, files=(file,)), patience=HASTY)
    assert code(caught) == "wrong_file" and store.installed("wav2lip256") is None
    assert not list((folder / ".incoming").rglob("*.safetensors"))


def test_a_store_someone_wrote_into_is_read_with_care(folder: Path) -> None:
    for record in ("", "[]", '{"files": 3}', '{"since": "", "files": []}', '{"files": [{}]}'):
        (folder / "wav2lip").mkdir(parents=True, exist_ok=True)
        (folder / "wav2lip" / "record.json").write_text(record)
        (folder / "licences.json").write_text(record)
        assert store.installed("wav2lip") is None
        assert not consent.accepted(model("wav2lip").licence)
    consent.accept(LICENCE)
    assert consent.accepted(LICENCE)
