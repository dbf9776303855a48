"""Voices by name: what mien.toml, environment and command line make of them."""

from __future__ import annotations

import json
import re
from contextlib import aclosing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from mien.cli import app
from mien.config import ConfigError, Settings, load_settings
from mien.tts.alignment import ForcedAlignment
from mien.tts.espeak_settings import STYLES, EspeakSettings
from mien.tts.voice import Run
from mien.voice_pool import VoicePool
from mien.voices import SERVICES, chain_of, make_voice, voice_settings

ROBOT = {"service": "espeak", "speed": 2, "zh": {"pitch": 20}}


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("espeak", ["espeak"]),
        ("robot", ["robot"]),
        ("robot,espeak", ["robot", "espeak"]),
        (["espeak", "robot", "espeak"], ["espeak", "robot"]),
    ],
)
def test_a_chain_is_as_it_was_written(given: Any, names: list[str]) -> None:
    settings = load_settings(voice=given, voices={"robot": ROBOT})
    assert list(chain_of(settings.voice, settings.voices)) == names


def test_a_chain_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_VOICE", "robot, espeak")
    monkeypatch.setenv("MIEN_VOICES__ROBOT__SERVICE", "espeak")
    monkeypatch.setenv("MIEN_VOICES__ROBOT__SPEED", "1.5")
    settings = load_settings()
    chain = chain_of(settings.voice, settings.voices)
    assert list(chain) == ["robot", "espeak"]
    assert chain["robot"].speed == 1.5


def test_a_table_of_the_file_sets_a_voice_up(tmp_path: Path) -> None:
    config = tmp_path / "mien.toml"
    config.write_text(
        'voice = ["robot", "espeak"]\n[voices.robot]\nservice = "espeak"\nspeed = 2\n'
        "stall_sec = 1.5\n[voices.robot.zh]\npitch = 20\n"
    )
    settings = load_settings(config)
    robot = chain_of(settings.voice, settings.voices)["robot"]
    assert isinstance(robot, EspeakSettings)
    assert robot.stall_sec == 1.5 and robot.first_sound_sec == 4.0
    style = robot.styles()["zh"]
    assert (style.voice, style.range) == (STYLES["zh"].voice, STYLES["zh"].range)
    assert (style.pitch, style.rate) == (20, 2 * STYLES["zh"].rate)
    assert make_voice("robot", robot).name == "robot"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"service": "parrot"}, "voices.anna.service: unknown service 'parrot'; choose one of es"),
        ({"service": "no_module:Bird"}, "'no_module:Bird' cannot be loaded: No module named"),
        ({"service": "mien.tts.voice:Bird"}, "'mien.tts.voice:Bird' cannot be loaded: .*Bird"),
        ({"speed": 1.0}, "voices.anna.service: not said; choose one of espeak"),
        ({"service": "espeak", "sped": 2}, "voices.anna.sped: there is no such setting; .*speed"),
        ({"service": "espeak", "speed": 9}, "voices.anna.speed: .* less than or equal to 2"),
        ({"service": "espeak", "en": {"rate": 5}}, "voices.anna.en: .*rate must be 80…450, not 5"),
        ({"service": "espeak", "loudness": "loud"}, r"voices\.anna\.loudness.*: .*'off'"),
    ],
)
def test_what_is_wrong_with_a_table_is_named(table: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        voice_settings("anna", {"anna": table})


def test_an_unknown_voice_is_named_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"unknown voice 'nobody'; .*espeak.*\[voices.nobody\]"):
        chain_of(["espeak", "nobody"], {})


def test_no_voice_at_all_is_refused() -> None:
    with pytest.raises(ConfigError, match="voice"):
        load_settings(voice=",")


def test_keys_of_services_are_not_shown() -> None:
    assert "secret" not in repr(Settings(voices={"anna": {"api_key": "secret"}}))


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_can_be_described_without_its_libraries(name: str) -> None:
    fields = SERVICES[name].settings.model_fields
    assert {"service", "speed", "loudness", "first_sound_sec", "stall_sec"} <= set(fields)
    assert SERVICES[name].en and SERVICES[name].zh


DOCS = Path(__file__).parents[1] / "docs"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL)


async def test_the_voice_of_ones_own_in_the_guide_speaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = blocks("voices.md", "python")
    (tmp_path / "tone.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    (table,) = (block for block in blocks("voices.md", "toml") if "tone:Tone" in block)
    config = tmp_path / "mien.toml"
    config.write_text(table, encoding="utf-8")
    settings = load_settings(config, voice="beep")
    chain = chain_of(settings.voice, settings.voices)
    assert list(chain) == ["beep", "espeak"]
    pool = VoicePool(settings.voice, settings.voices, ForcedAlignment())
    try:
        async with aclosing(pool.default.speak([Run("en", "Hello there.")])) as chunks:
            spoken = [chunk async for chunk in chunks]
    finally:
        await pool.aclose()
    assert {chunk.by for chunk in spoken} == {"beep"}
    pcm = np.concatenate([chunk.pcm for chunk in spoken])
    assert len(pcm) / 48_000 == pytest.approx(0.2 * 12 + 0.39, abs=0.05), "and its pause"
    pitch = np.argmax(np.abs(np.fft.rfft(pcm[:48_000]))) if len(pcm) > 48_000 else 0
    assert pitch == pytest.approx(330, abs=3)


def test_every_table_of_the_guide_is_understood(tmp_path: Path) -> None:
    config = tmp_path / "mien.toml"
    for block in blocks("voices.md", "toml"):
        if "[voices." not in block or "tone:Tone" in block:
            continue
        config.write_text(block, encoding="utf-8")
        settings = load_settings(config)
        assert list(chain_of(settings.voice, settings.voices))
        for name in settings.voices:
            assert make_voice(name, voice_settings(name, settings.voices)).name == name


def test_the_command_lists_what_can_speak_and_how_to_get_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIEN_MODELS", str(tmp_path))
    (tmp_path / "mien.toml").write_text(
        'voice = "robot"\n[voices.anna]\nservice = "gpt-sovits"\nurl = "http://127.0.0.1:9"\n'
        'ref_audio_path = "a"\nprompt_text = "b"\n[voices.robot]\nservice = "espeak"\nspeed = 1.2\n'
    )
    run = CliRunner().invoke(app, ["voices", "--json"])
    assert run.exit_code == 0, run.output
    rows = {row["name"]: row for row in json.loads(run.stdout)}
    assert list(rows)[:2] == ["robot", "anna"]
    assert rows["robot"]["ready"] and rows["robot"]["service"] == "espeak"
    assert not rows["anna"]["ready"] and "http://127.0.0.1:9" in rows["anna"]["why_not"]
    assert {"bert-vits2", "cosyvoice", "openai-speech", "pipecat"} <= set(rows)
    assert all({"name", "service", "ready", "why_not"} <= set(row) for row in rows.values())
    assert all(row["ready"] or row["why_not"] for row in rows.values())
    wrong = CliRunner().invoke(app, ["voices", "--voice", "nobody"])
    assert wrong.exit_code == 2 and "[voices.nobody]" in wrong.stderr
