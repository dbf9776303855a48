"""``mien avatar create clip.mp4`` as a person types it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from clips import encode, filmed, wall
from mien.avatar.library import list_avatars, load_avatar
from mien.commands.avatar import avatar_app
from photo_faces import encoded, models, presenter
from wav2lip_seeded import narrow, narrow_files

__all__ = ["narrow_files"]

RIGHT = "--i-have-the-right-to-use-this-face"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user's avatars go; caches lie beside it."""
    models()
    folder = tmp_path / "avatars"
    for module in ("mien.avatar.photo.builder", "mien.avatar.library"):
        monkeypatch.setattr(f"{module}.user_folder", lambda: folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    monkeypatch.chdir(tmp_path)
    return folder


def create(*arguments: str) -> Result:
    return CliRunner().invoke(
        avatar_app, ["create", *arguments, "--models-from", str(models())], env={"COLUMNS": "200"}
    )


def words(result: Result) -> str:
    return " ".join(result.stderr.split())


def test_from_clip_to_an_avatar_that_is_listed(home: Path, tmp_path: Path) -> None:
    encode(tmp_path / "My Clip.mov", filmed()[:40])
    result = create("My Clip.mov", "--title", "Me", RIGHT, "--loop", "forward", "--idle", "0-1")
    assert result.exit_code == 0, result.stderr
    told = words(result)
    assert "mien run --avatar my-clip" in told
    assert "640×480, 1.6 s (40 frames)" in told and "repeats forward" in told
    assert "silent passage: 0.0-1.0 s" in told
    assert re.search(r"take \d+ MB \(96 pixels\) or \d+ MB \(256 pixels\)", told)
    assert "mien models pull wav2lip" in told, "it is a face that cannot speak yet"
    info = {a.name: a for a in list_avatars()}["my-clip"]
    assert info.title == "Me" and info.engines == ("wav2lip",)
    assert load_avatar("my-clip").size == (640, 480)


@pytest.mark.usefixtures("narrow_files")
def test_the_lips_are_prepared_where_there_are_weights(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnx", reason="needs pip install 'mien[wav2lip]'")
    safetensors = pytest.importorskip("safetensors.numpy", reason="pip install 'mien[wav2lip]'")

    safetensors.save_file(narrow().state, tmp_path / "seeded.safetensors")
    monkeypatch.setenv("MIEN_LIPSYNC__WEIGHTS", str(tmp_path / "seeded.safetensors"))
    encode(tmp_path / "me.mp4", filmed()[:15])
    cache = tmp_path / "cache/mien"
    result = create("me.mp4", RIGHT, "--cache", "none")
    assert result.exit_code == 0 and not [*cache.glob("clips/*"), *cache.glob("wav2lip/*")]
    result = create("me.mp4", RIGHT, "--force")
    assert result.exit_code == 0, result.stderr
    assert "Pipecat" not in result.stderr and "could not be prepared" not in words(result)
    assert list(cache.glob("clips/*.npy")) and list(cache.glob("wav2lip/*"))


def test_refusals_are_one_sentence_and_exit_2(home: Path, tmp_path: Path) -> None:
    encode(tmp_path / "nobody.mp4", [wall()] * 60)
    encode(tmp_path / "me.mp4", filmed()[:15])
    (tmp_path / "photo.mp4").write_bytes(encoded(presenter()))
    (tmp_path / "empty.mp4").write_bytes(b"")
    for arguments, said in (
        (("me.mp4",), "Say that you have the right to use this face"),
        (("nobody.mp4", RIGHT), "There is no face in the first 2 seconds"),
        (("empty.mp4", RIGHT), "0 bytes"),
        (("nothing.mp4", RIGHT), "nothing.mp4: No such file"),
        (("me.mp4", RIGHT, "--idle", "3"), "--idle takes seconds as from-to"),
        (("me.mp4", RIGHT, "--part", "2-1"), "--part takes seconds as from-to"),
        (("me.mp4", RIGHT, "--part", "5-9"), "must lie in the clip (which is 0.6 s long)"),
        (("me.mp4", RIGHT, "--strict"), "The clip is only 0.6 s long"),
        (("photo.mp4", RIGHT, "--idle", "0-1"), "--idle is for clips, and this is a photo"),
    ):
        result = create(*arguments)
        assert result.exit_code == 2 and said in words(result), words(result)
        assert "Traceback" not in result.stderr
    assert not home.exists() or not list(home.iterdir())


def test_chinese_users_read_chinese(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    (tmp_path / "empty.mp4").write_bytes(b"")
    result = create("empty.mp4", RIGHT)
    assert result.exit_code == 2 and "文件是空的" in words(result)


def test_help_teaches_what_a_good_clip_is() -> None:
    told = " ".join(CliRunner().invoke(avatar_app, ["create", "--help"]).stdout.split())
    assert "5 to 20 seconds in one take" in told and "先闭嘴静听几秒" in told
    assert "Neither ever leaves this machine" in told
