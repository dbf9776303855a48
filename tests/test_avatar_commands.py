"""``mien avatar list``, ``show`` and ``delete``, as typed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from mien.avatar.library import load_avatar
from mien.cli import app
from mien.commands.avatar_show import SENTENCES, spoken
from mien.language import Language

runner = CliRunner()


@pytest.fixture
def own(tmp_path: Path, drawn_avatar: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder, with one good and one broken avatar in it."""
    folder = tmp_path / "avatars"
    shutil.copytree(drawn_avatar, folder / "drawn")
    (folder / "broken").mkdir()
    (folder / "broken/avatar.toml").write_text("format = 1")
    monkeypatch.setattr("mien.avatar.library.user_folder", lambda: folder)
    return folder


def test_list_tells_what_is_ready_and_why_not(own: Path) -> None:
    done = runner.invoke(app, ["avatar", "list", "--json"])
    entries = {entry["name"]: entry for entry in json.loads(done.stdout)}
    assert entries["mei"]["kind"] == "presenter" and entries["mei"]["ready"]
    assert entries["drawn"] == {
        "name": "drawn",
        "kind": "own",
        "ready": True,
        "title": "Drawn",
        "path": str(own / "drawn"),
        "license": "CC0-1.0",
        "size": [256, 256],
        "why_not": None,
        "material": "atlas",
    }
    assert not entries["broken"]["ready"] and "format is 1" in entries["broken"]["why_not"]
    table = runner.invoke(app, ["avatar", "list"])
    assert table.exit_code == 0 and "drawn" in table.stdout and "presenter" in table.stdout


def test_list_sees_damage_that_the_head_does_not_tell(own: Path) -> None:
    (own / "drawn/mouth/3.webp").unlink()
    entries = json.loads(runner.invoke(app, ["avatar", "list", "--json"]).stdout)
    broken = next(entry for entry in entries if entry["name"] == "drawn")
    assert "3.webp is missing" in broken["why_not"]


def test_show_draws_every_mouth_and_two_sentences(own: Path, tmp_path: Path) -> None:
    quiet, spoken = tmp_path / "quiet.png", tmp_path / "spoken.jpg"
    common = ["avatar", "show", "drawn", "--size", "160x160", "--background", "#203040"]
    done = runner.invoke(app, [*common, "--no-speak", "--sheet", str(quiet)])
    assert done.exit_code == 0, done.output
    done = runner.invoke(app, [*common, "--sheet", str(spoken)])
    assert done.exit_code == 0, done.output
    short, tall = cv2.imread(str(quiet)), cv2.imread(str(spoken))
    assert short is not None and tall is not None and short.shape[1] == tall.shape[1]
    assert tall.shape[0] > short.shape[0]
    behind = np.array([0x40, 0x30, 0x20])
    assert (np.abs(short[40:60, 4:30].astype(int) - behind) <= 2).all()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_sentences_are_really_spoken(drawn_avatar: Path, language: Language) -> None:
    """Neighbouring ticks, enough of them, with closed and open mouths among them."""
    avatar = load_avatar(drawn_avatar, (64, 64))
    strip = spoken(avatar, language, SENTENCES[language])
    assert 24 <= len(strip.pictures) <= 48
    times = [float(label.removesuffix(" s")) for label, _ in strip.pictures]
    assert np.ptp(np.diff(times)) < 1e-6 and times[1] <= 0.081
    place = avatar.stage.mouth_place
    middle = place.grown(-place.height // 4).slices
    openness = [float((image[middle].max(-1) < 70).mean()) for _, image in strip.pictures]
    assert min(openness) == 0 and max(openness) > 0.05


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nobody"], "there is no avatar 'nobody'"),
        (["drawn", "--size", "huge"], "must be width x height"),
        (["drawn", "--size", "101x100"], "both must be even"),
        (["drawn", "--background", "sunset"], "neither soft, green"),
        (["drawn", "--no-speak", "--sheet", "/no/folder/x.png"], "could not be written"),
        (["drawn", "--no-speak", "--sheet", "sheet.doc"], "could not be written"),
    ],
)
def test_show_says_what_is_wrong(own: Path, arguments: list[str], message: str) -> None:
    done = runner.invoke(app, ["avatar", "show", *arguments])
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())


def test_delete_asks_and_takes_only_ones_own(own: Path) -> None:
    refused = runner.invoke(app, ["avatar", "delete", "drawn"], input="n\n")
    assert refused.exit_code == 1 and (own / "drawn").is_dir()
    done = runner.invoke(app, ["avatar", "delete", "broken", "--yes"])
    assert done.exit_code == 0 and not (own / "broken").exists() and (own / "drawn").is_dir()
    for name, reason in (("mei", "comes with mien"), ("../drawn", "is none of your avatars")):
        done = runner.invoke(app, ["avatar", "delete", name, "--yes"])
        assert done.exit_code == 2 and reason in done.output


def test_delete_leaves_what_a_link_points_to(own: Path, tmp_path: Path) -> None:
    (own / "drawn").rename(tmp_path / "elsewhere")
    (own / "drawn").symlink_to(tmp_path / "elsewhere")
    assert runner.invoke(app, ["avatar", "delete", "drawn", "-y"]).exit_code == 0
    assert not (own / "drawn").exists() and (tmp_path / "elsewhere/avatar.toml").is_file()
