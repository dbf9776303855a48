"""``mien avatar create`` as a person types it."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest
from typer.testing import CliRunner, Result

from mien.avatar.library import list_avatars, load_avatar
from mien.commands.avatar import avatar_app
from photo_faces import encoded, models, presenter, small_astronaut

RIGHT = "--i-have-the-right-to-use-this-face"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user's avatars go."""
    models()
    folder = tmp_path / "avatars"
    for module in ("mien.avatar.photo.builder", "mien.avatar.library"):
        monkeypatch.setattr(f"{module}.user_folder", lambda: folder)
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    monkeypatch.chdir(tmp_path)
    return folder


def create(*arguments: str) -> Result:
    return CliRunner().invoke(avatar_app, ["create", *arguments])


def words(result: Result) -> str:
    return " ".join(result.stderr.split())


def test_from_photo_to_an_avatar_that_is_listed(home: Path, tmp_path: Path) -> None:
    (tmp_path / "My Face.png").write_bytes(encoded(presenter()))
    result = create("My Face.png", "--title", "Me", RIGHT, "--sheet", "sheet.png")
    assert result.exit_code == 0, result.stderr
    assert "mien run --avatar my-face" in words(result)
    info = {a.name: a for a in list_avatars()}["my-face"]
    assert info.title == "Me" and info.why_not == "" and not info.built_in
    assert load_avatar("my-face").size == (512, 512)
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet is not None and sheet.shape[0] > 500

    again = create("My Face.png", RIGHT)
    assert again.exit_code == 2 and "'my-face-2'" in words(again)


def test_refusals_are_one_sentence_and_exit_2(home: Path, tmp_path: Path) -> None:
    (tmp_path / "me.png").write_bytes(encoded(small_astronaut()))
    (tmp_path / "notes.txt").write_text("hello")
    for arguments, said in (
        (("me.png",), "Say that you have the right to use this face"),
        (("me.png", RIGHT), "only 107 pixels high"),
        (("notes.txt", RIGHT), "no photo, and cannot be opened as a video"),
        (("nothing.jpg", RIGHT), "nothing.jpg: No such file"),
        (("me.png", RIGHT, "--name", "../me"), "cannot be a name"),
        (("me.png", RIGHT, "--models-from", "nowhere"), "nowhere is neither a mediapipe wheel"),
    ):
        result = create(*arguments)
        assert result.exit_code == 2 and said in words(result), words(result)
        assert "Traceback" not in result.stderr
    assert not home.exists()


def test_chinese_users_read_chinese(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    (tmp_path / "me.png").write_bytes(encoded(small_astronaut()))
    result = create("me.png", RIGHT)
    assert result.exit_code == 2 and "至少需要 160 像素" in words(result)


def test_help_teaches_what_a_good_photo_is() -> None:
    told = " ".join(create("--help").stdout.split())
    assert "looks straight at the camera" in told and "ever leaves this machine" in told
