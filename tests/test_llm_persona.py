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
    plain = persona.model_copy(update={"gestures": ()})
    for language in ("zh", "en"):
        silent = plain.instruction(language, sources=False)
        told = persona.instruction(language, sources=False).removeprefix(silent)
        assert [name for name in GESTURES if f"[{name}]" in told] == list(GESTURES)
        assert len(told) < 260, "it is paid for with every request"
        assert "[" not in silent


def test_the_prompt_tells_how_to_cite_where_there_may_be_sources() -> None:
    persona = load_persona()
    for language in ("zh", "en"):
        without = persona.instruction(language, sources=False)
        told = persona.instruction(language).removeprefix(without)
        assert "[1]" in told and "[1]" not in without
        assert len(told) < 240, "it is paid for with every request"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("format = 1", "format = 2"), "format"),
        (('en = "Mei"', ""), "name.en"),
        (('["zh", "en"]', '["zh", "fr"]'), "languages.1"),
        (('["zh", "en"]', '["zh", "zh"]'), "twice"),
        (
            ("[greeting]", "[greetings]"),
            "greetings: there is no such field; did you mean greeting?",
        ),
        (("[name]", "[name"), "not valid TOML"),
        (("gestures = true", 'gesture = ["nod"]'), "did you mean gestures?"),
        (("gestures = true", 'gestures = ["nodd"]'), "gestures: there is no gesture 'nodd'; did"),
        (("gestures = true", 'tools = ["a b"]'), "tools: 'a b' is no name"),
        (("gestures = true", 'faq = "none.toml"'), "faq"),
        (("gestures = true", 'faq = ["none.toml"]'), "faq.0: there is no file none.toml"),
        (("gestures = true", 'rules = { zh = ["短"] }'), "rules.en: this field is required"),
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
    assert "x.toml" in error.value.zh and "人设" in error.value.zh


WHOLE = """
format = 1
languages = ["en", "zh"]
avatar = "lin"
background = "evening"
voice = "sam"
faq = ["desk.toml"]
knowledge = "house"
tools = ["current_time", "maps_*"]
filler_sec = 2
gestures = ["nod"]
name = { zh = "安安", en = "Ann" }
about = { zh = "前台", en = "The desk" }
style = { zh = "简短。", en = "Terse." }
rules = { zh = ["不谈价格。"], en = ["No prices.", "No jokes."] }
[voices.sam]
service = "espeak"
"""


def test_every_field_and_what_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "ann.toml"
    file.write_text(WHOLE, encoding="utf-8")
    (tmp_path / "desk.toml").write_text("", encoding="utf-8")
    ann = load_persona(file)
    assert (ann.avatar, ann.background, ann.voice) == ("lin", "evening", ("sam",))
    assert ann.faq == (tmp_path / "desk.toml",) and ann.knowledge == ("house",)
    assert ann.voices == {"sam": {"service": "espeak"}} and ann.filler_sec == 2
    assert ann.greet("zh") == "", "without a greeting there is none"
    told = ann.instruction("en")
    assert told.startswith("You are Ann, a digital human")
    assert "Terse.\n" in told and "- No prices.\n- No jokes.\n" in told
    assert "[nod]" in told and "[smile]" not in told
    assert "不谈价格。" in ann.instruction("zh") and "prices" not in ann.instruction("zh")


def test_tools_are_allowed_by_name_and_pattern() -> None:
    persona = load_persona()
    assert persona.may_use("web_search") and persona.may_use("maps_route")
    some = persona.model_copy(update={"tools": ("current_time", "maps_*")})
    assert [
        some.may_use(name) for name in ("current_time", "maps_route", "web_search", "maps")
    ] == [
        True,
        True,
        False,
        False,
    ]
    assert not persona.model_copy(update={"tools": ()}).may_use("current_time")


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
