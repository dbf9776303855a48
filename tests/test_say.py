"""``mien say`` and the command line, as a person uses them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from command_line import mien
from mien.avatar.library import load_avatar
from mien.media.tick import TICK_SEC
from test_file import pictures, sound


def probe(path: Path) -> dict[str, dict[str, str]]:
    if shutil.which("ffprobe") is None:
        pytest.skip("ffprobe is not installed (apt-get install ffmpeg)")
    fields = "stream=codec_type,codec_name,duration,width,r_frame_rate"
    run = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", fields, "-of", "json", str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    return {stream["codec_type"]: stream for stream in json.loads(run.stdout)["streams"]}


def test_a_text_becomes_a_video_whose_mouth_moves_with_the_voice(tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    run = mien("say", "你好，很高兴见到你。Welcome!", "--size", "288x384", "-o", str(out))
    assert run.exit_code == 0, run.stderr
    streams = probe(out)
    assert streams["video"]["codec_name"] == "h264" and streams["audio"]["codec_name"] == "aac"
    assert streams["video"]["r_frame_rate"] == "25/1"
    lengths = [float(streams[kind]["duration"]) for kind in ("video", "audio")]
    assert abs(lengths[0] - lengths[1]) <= TICK_SEC
    assert lengths[0] > 2
    assert "real time" in run.stderr
    assert list(tmp_path.iterdir()) == [out], "nothing half-made is left"
    x, y, w, h = load_avatar("mei", size=(288, 384)).stage.mouth_place
    mouth = np.stack([p[y : y + h, x : x + w, :3] for p in pictures(out)]).astype(float)
    motion = np.abs(np.diff(mouth, axis=0)).mean(axis=(1, 2, 3))
    assert motion[10:40].max() > 5 * np.median(motion[:4]) + 0.5


@pytest.mark.parametrize("ending", [".webm", ".mov"])
def test_a_transparent_recording_holds_the_figure_alone(ending: str, tmp_path: Path) -> None:
    out = tmp_path / f"out{ending}"
    said = ("say", "Hello there.", "--transparent", "--size", "320x480", "-o", str(out))
    run = mien(*said, MIEN_LABEL__BADGE="never")
    assert run.exit_code == 0, run.stderr
    shown = list(pictures(out))
    assert shown[0].shape == (480, 320, 4)
    alpha = np.stack([picture[..., 3] for picture in shown])
    assert alpha[:, :30, :30].max() <= 3 and alpha[:, :30, -30:].max() <= 3, "nobody in the corners"
    assert alpha[:, 300:330, 150:170].min() >= 252, "nothing shines through the face"
    assert ((alpha > 40) & (alpha < 215)).any(axis=(1, 2)).all(), "hair ends softly"
    face = shown[0][300:330, 150:170, :3].mean(axis=(0, 1))
    assert face[0] > face[1] > face[2] > 60, "skin has its colour"
    heard = sound(out)
    assert abs(len(heard) / 1920 - len(shown)) < 1 and np.abs(heard).max() > 3000


def test_background_and_size_are_as_asked(tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    said = ("say", "Hi.", "--background", "#204080", "--size", "480x270", "-o", str(out))
    run = mien(*said, MIEN_LABEL__CORNER="top-left")
    assert run.exit_code == 0, run.stderr
    first = next(pictures(out))
    assert first.shape == (270, 480, 4)
    corner = first[:20, -20:, :3]
    assert np.abs(corner.mean(axis=(0, 1)) - (0x20, 0x40, 0x80)).max() < 6
    assert first[:40, :60, :3].min(axis=-1).max() > 180, "the white letters of the AI label"


def test_a_recording_can_be_lip_synced(tmp_path: Path) -> None:
    sound = tmp_path / "tone.wav"
    with wave.open(str(sound), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        t = np.arange(32_000) / 16_000
        file.writeframes((8000 * np.sin(2 * np.pi * 200 * t) * (t % 0.5 < 0.3)).astype("<i2"))
    out = tmp_path / "out.mp4"
    run = mien("say", str(sound), "--size", "192x256", "-o", str(out))
    assert run.exit_code == 0, run.stderr
    assert float(probe(out)["video"]["duration"]) == pytest.approx(2.0 + 0.2 + 0.48, abs=0.1)


def test_text_can_come_from_stdin_of_a_process(tmp_path: Path) -> None:
    """The one test here that starts the command as a person does."""
    out = tmp_path / "out.mp4"
    run = subprocess.run(
        [sys.executable, "-m", "mien", "say", "-", "--size", "192x256", "-o", str(out)],
        input="Good morning.",
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert run.returncode == 0, run.stderr
    assert next(pictures(out)).shape == (256, 192, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("say", "  "), "nothing to say"),
        (("say", "no-such-file.wav"), "there is no file"),
        (("say", "hi", "-o", "out.txt"), "not a video file name"),
        (("say", "hi", "--transparent", "-o", "out.mp4"), "use .webm or .mov"),
        (("say", "hi", "--transparent", "--background", "green"), "--transparent leaves out"),
        (("say", "hi", "--background", "nowhere.jpg"), "nowhere.jpg"),
        (("say", "hi", "--size", "large"), "720x1280"),
        (("say", "hi", "--size", "9000x16"), "video.width"),
        (("say", "hi", "--voice", "nobody"), "unknown voice"),
        (("say", "hi", "--avatar", "nobody"), "nobody"),
        (("run", "--llm", "nobody"), "unknown brain"),
        (("run", "--llm", "glm"), "ZHIPUAI_API_KEY"),
        (("run", "--port", "99999"), "port"),
        (("run", "--config", "missing.toml"), "missing.toml"),
    ],
)
def test_mistakes_are_told_in_one_line(
    arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = mien(*arguments)
    assert run.exit_code != 0
    assert message in run.stderr
    assert "Traceback" not in run.stderr


def test_a_taken_port_is_explained(tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        run = mien("run", "--port", str(port))
    assert run.exit_code == 2
    assert f"--port {port + 1}" in run.stderr


def test_doctor_reports_what_is_ready_as_json() -> None:
    run = mien("doctor", "--json")
    findings = {finding["name"]: finding for finding in json.loads(run.stdout)}
    assert findings["espeak"]["ready"] and findings["mei"]["ready"]
    assert findings["voices, in order"]["detail"] == "espeak"
    assert findings["libx264"]["ready"] and findings["libopus"]["ready"]
    assert not findings["glm"]["ready"] and "ZHIPUAI_API_KEY" in findings["glm"]["why_not"]
    assert run.exit_code == 0


def test_settings_come_from_file_environment_and_command_line(tmp_path: Path) -> None:
    config = tmp_path / "mien.toml"
    config.write_text('language = "zh"\n[video]\nbitrate = 900000\n[llm]\nname = "glm"\n')
    from mien.config import ConfigError, load_settings

    settings = load_settings(config, llm={"name": "qwen"}, port=None)
    assert settings.language == "zh" and settings.video.bitrate == 900_000
    assert settings.llm.name == "qwen" and settings.port == 8000
    config.write_text("[video]\nbitrat = 1\n")
    with pytest.raises(ConfigError, match="bitrat"):
        load_settings(config)


def test_help_is_there_for_every_command() -> None:
    for command in ("run", "say", "doctor", "bench"):
        run = mien(command, "--help")
        assert run.exit_code == 0 and "Usage" in run.stdout
