"""The models come through pip once, are what they should be, and say so when they cannot."""

from __future__ import annotations

import hashlib
import tempfile
import threading
import zipfile
from pathlib import Path

import pytest

from mien.avatar.photo import models as module
from mien.avatar.photo.errors import PhotoError
from mien.avatar.photo.models import MODELS, _bytes_in, obtain_models
from photo_faces import models


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setattr(module, "cache_folder", lambda: folder)
    return folder


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """pip asked to look nowhere: its own settings, as a user without network has them."""
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")


def wheel(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def genuine() -> dict[str, bytes]:
    folder = models()
    return {model.member: (folder / model.name).read_bytes() for model in MODELS}


def test_each_model_is_the_pinned_one() -> None:
    for model in MODELS:
        data = (models() / model.name).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (model.size, model.sha256)


def test_fetched_by_pip_into_an_empty_cache(cache: Path) -> None:
    models()  # skips where pip reaches nothing
    shares: list[float] = []
    try:
        assert obtain_models(on_progress=shares.append) == cache
    except PhotoError as error:
        if error.code != "models_offline":
            raise
        pytest.skip(error.en)
    assert sorted(f.name for f in cache.iterdir()) == sorted(m.name for m in MODELS)
    assert shares and all(0 <= share < 1 for share in shares)


def test_progress_while_pip_moves_its_folders_about(tmp_path: Path) -> None:
    (tmp_path / "mediapipe.whl").write_bytes(bytes(1000))
    over = threading.Event()

    def pip() -> None:
        while not over.is_set():
            with tempfile.TemporaryDirectory(dir=tmp_path) as unpacked:
                (Path(unpacked) / "deeper").mkdir()

    thread = threading.Thread(target=pip)
    thread.start()
    try:
        assert {_bytes_in(tmp_path) for _ in range(3000)} == {1000}
    finally:
        over.set()
        thread.join()


def test_from_a_wheel_and_from_a_folder(cache: Path, tmp_path: Path, offline: None) -> None:
    source = wheel(tmp_path / "mediapipe-0-x.whl", genuine())
    for given in (source, tmp_path):
        for model in MODELS:
            (cache / model.name).unlink(missing_ok=True)
        assert obtain_models(given) == cache
        assert sorted(f.name for f in cache.iterdir()) == sorted(m.name for m in MODELS)
    assert obtain_models() == cache  # nothing is fetched any more
    assert obtain_models(cache) == cache


def test_a_damaged_cache_is_not_used(cache: Path, tmp_path: Path, offline: None) -> None:
    obtain_models(wheel(tmp_path / "m.whl", genuine()))
    file = cache / MODELS[0].name
    file.write_bytes(bytes(file.stat().st_size))
    with pytest.raises(PhotoError) as caught:
        obtain_models()
    assert caught.value.code == "models_offline"


def test_offline_says_what_to_do(cache: Path, offline: None) -> None:
    with pytest.raises(PhotoError) as caught:
        obtain_models()
    error = caught.value
    assert error.code == "models_offline"
    assert "pip download" in error.en and "--models-from" in error.en
    assert "pip download" in error.zh and "联网" in error.zh
    assert not cache.exists() or not list(cache.iterdir())


def test_a_changed_model_is_refused(cache: Path, tmp_path: Path) -> None:
    members = genuine()
    members[MODELS[1].member] = members[MODELS[1].member][:-1] + b"x"
    with pytest.raises(PhotoError, match="SHA-256") as caught:
        obtain_models(wheel(tmp_path / "m.whl", members))
    assert caught.value.code == "models_damaged"
    assert not cache.exists() or not list(cache.iterdir())


def test_a_bomb_is_not_unpacked(cache: Path, tmp_path: Path) -> None:
    members = genuine() | {MODELS[0].member: bytes(200_000_000)}
    path = tmp_path / "m.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(PhotoError) as caught:
        obtain_models(path)
    assert caught.value.code == "models_damaged"


@pytest.mark.parametrize("what", ["empty", "text", "other wheel"])
def test_what_is_no_wheel_is_named(cache: Path, tmp_path: Path, what: str) -> None:
    path = tmp_path / "some.whl"
    if what == "other wheel":
        wheel(path, {"other/__init__.py": b""})
    else:
        path.write_bytes(b"" if what == "empty" else b"hello")
    with pytest.raises(PhotoError, match=r"some\.whl") as caught:
        obtain_models(path)
    assert caught.value.code == "models_damaged"


def test_nothing_there(cache: Path, tmp_path: Path) -> None:
    for given in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(PhotoError) as caught:
            obtain_models(given)
        assert caught.value.code == "models_not_there"


def test_python_without_pip_is_told_so(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$0: No module named pip" >&2\nexit 1\n')
    python.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(python))
    with pytest.raises(PhotoError, match="ensurepip") as caught:
        obtain_models()
    assert caught.value.code == "models_no_pip"
