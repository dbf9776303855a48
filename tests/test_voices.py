"""Voices by name: what mien.toml, environment and command line make of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mien.config import ConfigError, Settings, load_settings
from mien.tts.espeak_settings import STYLES, EspeakSettings
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
