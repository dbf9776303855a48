"""Models from a folder or USB stick, and what is said without a network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mien.commands.models import models_app
from mien.models import store
from mien.models.catalogue import model
from mien.models.errors import ModelError
from mien.models.given import pull_from, pull_from_folder
from mien.models.progress import Progress
from mien.models.pull import pull
from mien.models.verify import verify
from model_server import ModelServer, model_server
from own_models import INSIDE, UNPACKED, VOCODER, OwnVoice, own_voice
from test_models_pull import WHOLE, files_in, home

__all__ = ["home"]


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with model_server() as running:
        yield running


@pytest.fixture
def voice(server: ModelServer, home: Path) -> OwnVoice:
    found = own_voice(server, home)
    server.ways.clear()  # nobody answers
    return found


@pytest.fixture
def stick(server: ModelServer, home: Path) -> Path:
    """The files as the catalogue calls them, among others."""
    found = own_voice(server, home)
    folder = home / "stick"
    folder.mkdir()
    (folder / "voice.tar.bz2").write_bytes(found.archive.data)
    (folder / "vocoder.onnx").write_bytes(VOCODER)
    (folder / "holiday.jpg").write_bytes(b"no model")
    server.ways.clear()
    return folder


def put_unpacked(folder: Path) -> None:
    for name, data in INSIDE.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def refused(folder: Path) -> ModelError:
    with pytest.raises(ModelError) as caught:
        pull_from_folder(model("tiny-voice"), folder)
    assert caught.value.en != caught.value.zh
    assert store.installed("tiny-voice") is None
    assert not files_in(store.store_folder() / ".incoming")
    return caught.value


@pytest.mark.parametrize("below", ["", "tiny-voice", "voice"])
def test_files_as_the_catalogue_calls_them_are_taken(stick: Path, below: str) -> None:
    if below:
        (stick / below).mkdir()
        for name in ("voice.tar.bz2", "vocoder.onnx"):
            (stick / name).rename(stick / below / name)
    before = files_in(stick)
    told: list[Progress] = []
    got = pull_from_folder(model("tiny-voice"), stick, told.append)
    assert files_in(got.folder) == WHOLE and verify(got) is None
    assert all(file.known and str(stick) in file.source for file in got.files)
    assert {one.step for one in told} == {"copy", "unpack"}
    assert files_in(stick) == before, "the stick stays as it was"


@pytest.mark.parametrize("below", ["tiny-voice", "voice", "."])
def test_a_voice_that_is_unpacked_already_is_taken(voice: OwnVoice, home: Path, below: str) -> None:
    stick = home / "stick"
    place = stick / below
    for name, data in UNPACKED.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    (stick / "vocoder.onnx").write_bytes(VOCODER)
    (place / "model.onnx").unlink()
    (place / "model.onnx").symlink_to(home / "blob")  # as Hugging Face's own cache has it
    (home / "blob").write_bytes(UNPACKED["model.onnx"])
    (place / "loop").symlink_to(place, target_is_directory=True)
    got = pull_from_folder(model("tiny-voice"), stick)
    assert files_in(got.folder) == WHOLE and verify(got) is None
    assert not any(path.is_symlink() for path in got.folder.rglob("*"))
    assert [file.name for file in got.files if file.known] == ["vocoder.onnx"]


def test_what_a_folder_lacks_is_named(stick: Path) -> None:
    (stick / "vocoder.onnx").unlink()
    error = refused(stick)
    assert error.code == "not_in_folder" and "vocoder.onnx" in error.en
    assert "voice.tar.bz2" not in error.en
    assert refused(stick / "nowhere").code == "not_in_folder"


def test_another_file_of_that_name_is_refused(stick: Path) -> None:
    (stick / "vocoder.onnx").write_bytes(VOCODER[:-1] + b"\0")
    error = refused(stick)
    assert error.code == "wrong_file" and "SHA-256" in error.en
    (stick / "vocoder.onnx").write_bytes(VOCODER)
    (stick / "voice.tar.bz2").write_bytes(b"BZh9 not really")
    assert refused(stick).code == "wrong_file"


def test_names_that_fit_no_store_are_refused(voice: OwnVoice, home: Path) -> None:
    stick = home / "stick"
    put_unpacked(stick)
    (stick / "vocoder.onnx").write_bytes(VOCODER)
    (stick / "tiny-voice" / "what?").write_bytes(b"")
    assert "what?" in refused(stick).en


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_told(stick: Path) -> None:
    (stick / "vocoder.onnx").chmod(0)
    assert refused(stick).code == "no_such_file"


def test_one_file_is_not_a_model_of_two(stick: Path) -> None:
    with pytest.raises(ModelError, match="--from-dir") as caught:
        pull_from(model("tiny-voice"), stick / "vocoder.onnx")
    assert caught.value.code == "many_files"


def mien(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(models_app, arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, " ".join(done.output.split())


def test_all_that_lies_on_a_stick_is_brought_with_one_command(stick: Path) -> None:
    for option in ("--from-dir", "--from"):
        status, said = mien(
            "pull", *(("tiny-voice",) if option == "--from" else ()), option, str(stick)
        )
        assert status == 0 and "tiny-voice" in said, said
        got = store.installed("tiny-voice")
        assert got is not None and files_in(got.folder) == WHOLE
        store.delete("tiny-voice")
    shutil.rmtree(stick)
    status, said = mien("pull", "--from-dir", str(stick))
    assert status == 2 and "--offline" in said
    assert mien("pull")[0] == 2 and mien("pull", "--from", "x")[0] == 2


@pytest.mark.parametrize("how", ["--offline", "MIEN_OFFLINE"])
def test_offline_nobody_is_asked_and_what_is_needed_is_said(
    server: ModelServer, home: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    voice = own_voice(server, home)
    monkeypatch.setenv("MIEN_OFFLINE", "1" if how == "MIEN_OFFLINE" else "0")
    option = ("--offline",) if how == "--offline" else ()
    status, said = mien("pull", "tiny-voice", *option)
    assert status == 2 and "--from-dir" in said
    for path in ("/voice.tar.bz2", "/vocoder.onnx"):
        assert server.url + path in said
    assert voice.archive.asked == voice.vocoder.asked == []
    with pytest.raises(ModelError) as caught:
        pull(model("tiny-voice"), offline=bool(option))
    assert caught.value.code == "offline" and "离线" in caught.value.zh


def test_offline_what_was_fetched_before_is_enough(
    server: ModelServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Enough(Exception):
        pass

    def stop(progress: Progress) -> None:
        if progress.step == "unpack":
            raise Enough

    voice = own_voice(server, home)
    with pytest.raises(Enough):
        pull(model("tiny-voice"), on_progress=stop)
    asked = len(voice.archive.asked)
    monkeypatch.setenv("MIEN_OFFLINE", "1")
    assert files_in(pull(model("tiny-voice")).folder) == WHOLE
    assert len(voice.archive.asked) == asked
