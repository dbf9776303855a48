"""The personas there are, and what one of them asks for."""

import json
import re
from pathlib import Path

import pytest

from command_line import mien
from mien.avatar.library import BUILT_IN
from mien.config import Settings
from mien.llm import Persona, PersonaError
from mien.llm.persona import bundled_folder
from mien.llm.scripted import ScriptedLLMService
from mien.personas import Personas, voice_names
from mien.voices import voice_settings

MINE = """
format = 1
languages = ["en"]
name = { zh = "安安", en = "Ann" }
about = { zh = "前台", en = "The desk" }
"""


def test_those_that_come_with_mien_are_two_people() -> None:
    personas = Personas(Path("/nowhere"))
    assert [each.name for each in personas.listed()] == ["lin", "mei"]
    assert all(each.why_not is None and not each.own for each in personas.listed())
    mei, lin = personas.load("mei"), personas.load("lin")
    for language in ("zh", "en"):
        assert lin.instruction(language) != mei.instruction(language)
        assert lin.name.get(language) in lin.greet(language) and "{" not in lin.greet(language)
    faces = [str(each.avatar) for each in (mei, lin)]
    assert faces[0] != faces[1] and all((BUILT_IN / face).is_dir() for face in faces)
    assert mei.may_use("web_search") and not lin.may_use("web_search")
    assert lin.rules is not None and len(lin.rules.zh) == len(lin.rules.en)
    assert all(each.about["zh"] and each.about["en"] for each in personas.listed())


def test_own_ones_join_them_and_a_broken_one_hides_nobody(tmp_path: Path) -> None:
    (tmp_path / "ann.toml").write_text(MINE, encoding="utf-8")
    (tmp_path / "mei.toml").write_text(MINE, encoding="utf-8")
    (tmp_path / "bad.toml").write_text(MINE.replace("about", "abuot"), encoding="utf-8")
    (tmp_path / "notes.txt").write_text("nobody")
    personas = Personas(tmp_path)
    listed = {each.name: each for each in personas.listed()}
    assert list(listed) == ["ann", "bad", "lin", "mei"]
    assert listed["ann"].label == {"en": "Ann", "zh": "安安"} and listed["ann"].own
    assert listed["mei"].label["en"] == "Ann", "the user's own stands before ours"
    why = listed["bad"].why_not
    assert why is not None and "did you mean about?" in why["en"] and "是不是 about" in why["zh"]
    assert str(tmp_path) not in str(why), "where files lie on a server is nobody's business"
    with pytest.raises(PersonaError, match="abuot"):
        personas.load("bad")
    (tmp_path / "bad.toml").write_text(MINE, encoding="utf-8")
    assert personas.load("bad").name.en == "Ann", "an edited file counts at once"


def test_a_configured_one_may_lie_anywhere(tmp_path: Path) -> None:
    file = tmp_path / "elsewhere" / "ann.toml"
    file.parent.mkdir()
    file.write_text(MINE, encoding="utf-8")
    personas = Personas(tmp_path, configured=file)
    assert [each.name for each in personas.listed()] == ["ann", "lin", "mei"]
    assert personas.name_of(file) == "ann" and "ann" in personas
    assert personas.load(str(file)) == personas.load("ann")
    assert str(file) not in personas, "a path is no name: what visitors ask for must be one"


def test_one_that_is_missing_names_the_others(tmp_path: Path) -> None:
    with pytest.raises(PersonaError, match="There are: lin, mei") as error:
        Personas(tmp_path).load("nobody")
    assert "现有：lin, mei" in error.value.zh


def test_its_voice_steps_back_before_a_better_one(tmp_path: Path) -> None:
    personas = Personas(tmp_path)
    lin, voices = personas.load("lin"), dict(personas.voices())
    assert voice_names(lin, Settings(voices=voices)) == ("lin",)
    assert voice_settings("lin", voices).service == "espeak"
    better = Settings(voice="my-model", voices=voices)
    assert voice_names(lin, better) == ()
    own = {**voices, "lin": {"service": "cosyvoice"}}
    assert voice_names(lin, Settings(voice=["my-model", "espeak"], voices=own)) == ("lin",)


def test_the_command_lists_shows_and_begins_one(tmp_path: Path) -> None:
    home = {"XDG_DATA_HOME": str(tmp_path), "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    begun = mien("personas", "new", "anna", **home)
    assert begun.exit_code == 0, begun.output
    file = tmp_path / "mien" / "personas" / "anna.toml"
    assert str(file) in begun.output and "mien personas show anna" in begun.output
    shown = mien("personas", "show", "anna", **home)
    assert shown.exit_code == 0 and "You are anna, a digital human" in shown.output
    assert "Friendly and brief" in shown.output and "[1]" in shown.output
    again = mien("personas", "new", "anna", **home)
    assert again.exit_code == 2 and "not touched" in again.output
    assert mien("personas", "new", "../x", **home).exit_code == 2
    assert mien("personas", "new", "guide", "--like", "lin", **home).exit_code == 0
    listed = json.loads(mien("personas", "list", "--json", **home).output)
    assert [each["name"] for each in listed] == ["anna", "guide", "lin", "mei"]
    assert all(each["why_not"] is None for each in listed)
    file.write_text(file.read_text(encoding="utf-8").replace("[rules]", "[rule]"), encoding="utf-8")
    wrong = mien("personas", "show", "anna", **home)
    assert wrong.exit_code == 2 and "did you mean rules?" in wrong.output
    table = mien("personas", **home)
    assert "did you mean rules?" in table.output and "小林" not in table.output
    file.unlink()
    (file.parent / "guide.toml").unlink()
    chinese = mien("personas", **{**home, "LANG": "zh_CN.UTF-8"}).output
    assert "小林" in chinese and "称呼" in chinese and "自己的人设放在" in chinese


def test_what_the_docs_and_the_template_offer_can_be_played(tmp_path: Path) -> None:
    docs = (Path(__file__).parents[1] / "docs" / "personas.md").read_text(encoding="utf-8")
    example = tmp_path / "anna.toml"
    example.write_text(re.findall(r"```toml\n(.*?)```", docs, re.DOTALL)[0], encoding="utf-8")
    assert Personas(tmp_path).load("anna").avatar == "lin"
    for field in Persona.model_fields:
        assert f"`{field}`" in docs or f"`[{field}." in docs, field
    template = (bundled_folder() / "template.txt").read_text(encoding="utf-8")
    everything = re.sub(r"^# (\[|[a-z_]+ = )", r"\1", template, flags=re.MULTILINE)
    (tmp_path / "NAME.faq.toml").touch()
    example.write_text(everything, encoding="utf-8")
    whole = Personas(tmp_path).load("anna")
    assert whole.knowledge == ("house",) and whole.voices and whole.faq
    assert set(Persona.model_fields) <= whole.model_fields_set, "one field is not in the template"


async def test_a_guide_without_a_model_answers_from_documents_or_not_at_all() -> None:
    lin = Personas(Path("/nowhere")).load("lin")
    brain = ScriptedLLMService(lin, faq_paths=lin.faq)
    assert brain.reply("量子力学是什么？") == "这个我这里没有资料，请您询问工作人员。"
    assert "staff will help" in brain.reply("Who won the world cup in 1998?")
    assert "小林" in brain.reply("你是谁？") and "Lin" in brain.reply("Who are you?")


def test_written_answers_that_are_wrong_are_told_before_anybody_speaks(tmp_path: Path) -> None:
    (tmp_path / "ann.toml").write_text('faq = ["ann.faq.toml"]\n' + MINE, encoding="utf-8")
    (tmp_path / "ann.faq.toml").write_text('[[entry]]\nid = "hours"\n', encoding="utf-8")
    personas = Personas(tmp_path)
    assert [each.name for each in personas.listed()] == ["ann", "lin", "mei"], "a FAQ is nobody"
    with pytest.raises(PersonaError, match=r"ann.faq.toml.*needs zh, en or both"):
        personas.load("ann")
    why = personas.listed()[0].why_not
    assert why is not None and str(tmp_path) not in str(why)
