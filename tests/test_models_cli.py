"""``mien models``: what is here, its sources and licence, and whether it is whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from mien.commands.models import models_app
from mien.lipsync.wav2lip.architecture import WAV2LIP
from model_server import PAGE, model_server
from test_models_store import seeded_file
from wav2lip_seeded import narrow_files

__all__ = ["narrow_files", "seeded_file"]

pytestmark = pytest.mark.usefixtures("narrow_files")
TAKE = ("--i-accept-the-licence",)


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty store, and a network on which nobody but this machine answers."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    monkeypatch.setenv("MIEN_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("COLUMNS", "250")


def mien(*arguments: str, says: str = "") -> tuple[int, str, str]:
    """Exit status, standard output, standard error; spaces made even."""
    done = CliRunner().invoke(models_app, arguments, input=says)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, " ".join(done.stdout.split()), " ".join(done.stderr.split())


def listed() -> dict[str, dict[str, Any]]:
    status, out, _ = mien("list", "--json")
    assert status == 0
    return {entry["name"]: entry for entry in json.loads(out)}


def test_the_list_says_what_is_here_and_how_to_get_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entries = listed()
    assert list(entries)[:3] == ["wav2lip", "wav2lip-gan", "wav2lip256"]
    assert {entry["kind"] for entry in entries.values()} == {
        "lipsync",
        "tts",
        "asr",
        "kws",
        "bert",
    }
    for name, entry in entries.items():
        assert entry["ready"] is False and entry["licence"]
        assert entry["non_commercial"] is (entry["kind"] == "lipsync" or "lessac" in name)
        assert f"mien models pull {name}" in entry["why_not"]
    status, out, _ = mien("list")
    assert status == 0 and "– wav2lip256 215 MB" in out and "mien models pull NAME" in out
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    _, out, _ = mien("list")
    assert "口型" in out


def test_the_licence_is_shown_in_both_languages_and_must_be_accepted(
    seeded_file: Path,
) -> None:
    status, _, err = mien("pull", "wav2lip", "--from", str(seeded_file), says="y\n")
    assert status == 2, "nobody can be asked in a pipe"
    assert "commercial use" in err and "严禁" in err and "--i-accept-the-licence" in err
    assert not listed()["wav2lip"]["ready"]
    status, _, err = mien("pull", "wav2lip", "--from", str(seeded_file), *TAKE)
    assert status == 0 and "not a published one" in err
    assert "commercial use" in err, "shown also to who accepts beforehand"
    status, _, err = mien("pull", "wav2lip", "--again", "--from", str(seeded_file))
    assert status == 0 and "commercial" not in err, "accepted once"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a terminal of Unix")
@pytest.mark.parametrize(("answer", "status"), [("n", 1), ("y", 0)])
def test_a_person_is_asked(tmp_path: Path, answer: str, status: int) -> None:
    """By a process, which knows the published network only: one of zeros."""
    pytest.importorskip("safetensors", reason="needs pip install 'mien[wav2lip]'")
    from safetensors.numpy import save_file

    zeros = tmp_path / "zeros.safetensors"
    save_file({key: np.zeros(s, np.float32) for key, s in WAV2LIP.parameters().items()}, zeros)
    keyboard, terminal = os.openpty()
    command = [sys.executable, "-m", "mien", "models", "pull", "wav2lip", "--from", zeros]
    run = subprocess.Popen(command, stdin=terminal, stderr=subprocess.DEVNULL)
    os.write(keyboard, f"{answer}\n".encode())
    assert run.wait(150) == status
    os.close(keyboard)
    os.close(terminal)
    assert listed()["wav2lip"]["ready"] == (status == 0)


def test_a_model_from_a_file_is_listed_verified_and_deleted(
    seeded_file: Path,
) -> None:
    assert mien("pull", "wav2lip", "--from", str(seeded_file), *TAKE)[0] == 0
    entry = listed()["wav2lip"]
    assert entry["ready"] and entry["why_not"] is None and entry["source"] == str(seeded_file)
    assert entry["size"] == seeded_file.stat().st_size
    status, out, err = mien("pull", "wav2lip")
    assert status == 0 and "is here" in err
    status, out, _ = mien("verify")
    assert status == 0 and out.startswith("✓ wav2lip")
    with open(entry["path"], "r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x7f")
    status, out, _ = mien("verify", "wav2lip")
    assert status == 1 and "SHA-256" in out and "--again" in out
    assert mien("delete", "wav2lip", says="n\n")[0] == 1
    assert listed()["wav2lip"]["ready"]
    assert mien("delete", "wav2lip", "--yes")[0] == 0
    assert not listed()["wav2lip"]["ready"]
    assert mien("verify", "wav2lip")[0] == 1


def test_refusals_say_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "letter.pth").write_text("Dear Sir or Madam," * 100)
    for arguments, words in (
        (("pull", "wav3lip"), "wav2lip-gan"),
        (("delete", "wav3lip", "-y"), "wav2lip-gan"),
        (("verify", "wav3lip"), "wav2lip-gan"),
        (("pull", "wav2lip", *TAKE, "--mirror", "mars"), "hf-mirror"),
        (("pull", "wav2lip", *TAKE, "--from", str(tmp_path / "none.pth")), "none.pth"),
        (("pull", "wav2lip", *TAKE, "--from", str(tmp_path / "letter.pth")), "not the model"),
    ):
        status, _, err = mien(*arguments)
        assert status == 2 and words in err, (arguments, err)
        assert "Traceback" not in err


def test_every_source_that_failed_is_named() -> None:
    path = "/rippertnt/wav2lip/resolve/main/checkpoints/wav2lip.pth"
    with model_server() as server:
        server.add(path, data=PAGE)
        status, _, err = mien("pull", "wav2lip", *TAKE, "--mirror", server.url)
        assert server.ways[path].asked == [None], "the given mirror is asked first, once"
    assert status == 2 and "web page" in err
    for host in ("huggingface.co", "hf-mirror.com", "github.com", "modelscope.cn"):
        assert err.count(f"{host}: ") == 1, err
