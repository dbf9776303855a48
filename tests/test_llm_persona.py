"""Persona files, and the language of a text."""

from pathlib import Path

import pytest

from mien.gestures import GESTURES
from mien.llm import (
    PersonaError,
    detect_language,
    load_persona,
)
from mien.llm.failure import SPOKEN, FailureCode


def test_the_default_persona() -> None:
    persona = load_persona()
    assert persona.greet("zh").startswith("[smile] 你好，我是小眉")
    assert "Mei" in persona.instruction("en") and "{" not in persona.instruction("en")
    assert persona.language == "zh"


def test_the_prompt_tells_of_gestures_unless_the_persona_has_none() -> None:
    persona = load_persona()
    plain = persona.model_copy(update={"gestures": False})
    for language in ("zh", "en"):
        told = persona.instruction(language).removeprefix(plain.instruction(language))
        assert [name for name in GESTURES if f"[{name}]" in told] == list(GESTURES)
        assert len(told) < 260, "it is paid for with every request"
        assert "[" not in plain.instruction(language)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("format = 1", "format = 2"), "format"),
        (('en = "Mei"', ""), "name.en"),
        (('["zh", "en"]', '["zh", "fr"]'), "languages.1"),
        (('["zh", "en"]', '["zh", "zh"]'), "twice"),
        (("[greeting]", "[greetings]"), "greetings"),
        (("[name]", "[name"), "not valid TOML"),
    ],
)
def test_a_wrong_persona_says_what_is_wrong(
    tmp_path: Path, change: tuple[str, str], says: str
) -> None:
    good = Path(__file__).parents[1] / "src/mien/assets/personas/mei.toml"
    text = good.read_text(encoding="utf-8")
    assert change[0] in text
    file = tmp_path / "x.toml"
    file.write_text(text.replace(*change, 1), encoding="utf-8")
    with pytest.raises(PersonaError) as error:
        load_persona(file)
    assert says in str(error.value) and "x.toml" in str(error.value)


def test_a_missing_persona_lists_the_bundled_ones() -> None:
    with pytest.raises(PersonaError, match="mei"):
        load_persona("nobody")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("你好", "zh"),
        ("怎么接入 DeepSeek 的 API key？", "zh"),
        ("what does 你好 mean in English", "en"),
        ("OK", "en"),
        ("123", "zh"),
        ("", "zh"),
    ],
)
def test_language(text: str, language: str) -> None:
    assert detect_language(text) == language


def test_failures_are_speakable_in_both_languages() -> None:
    assert set(SPOKEN) == set(FailureCode)
    for texts in SPOKEN.values():
        assert texts["zh"].startswith("抱歉") and texts["en"].startswith("Sorry")
        assert len(texts["zh"]) < 40 and len(texts["en"]) < 90
