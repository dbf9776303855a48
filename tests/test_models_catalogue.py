"""A catalogue of the user's own, and every way in which it can be wrong, said in words."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from mien.commands.models import models_app
from mien.models import consent, store
from mien.models.catalogue import catalogue, model, own_file, shipped
from mien.models.errors import ModelError
from test_models_pull import home

__all__ = ["home"]

VOICE = """
[models.my-voice]
kind = "tts"
engine = "bert-vits2"
folders = ["https://example.com/anna/", "http://10.0.0.5/anna"]

[[models.my-voice.files]]
name = "G_0.pth"
size = 900
sha256 = "DIGEST"

[[models.my-voice.files]]
name = "config.json"
sources = ["https://elsewhere.example.com/config.json"]
""".replace("DIGEST", "ab" * 32)


def written(text: str) -> None:
    own_file().parent.mkdir(parents=True, exist_ok=True)
    own_file().write_text(text, encoding="utf-8")


def wrong(text: str) -> str:
    written(text)
    with pytest.raises(ModelError) as caught:
        catalogue(strict=True)
    error = caught.value
    assert error.code == "catalogue" and str(own_file()) in error.en and str(own_file()) in error.zh
    return error.en


def test_a_voice_of_ones_own_stands_beside_the_others(home: Path) -> None:
    written(VOICE)
    one = catalogue()["my-voice"]
    assert [*catalogue()][:-1] == [*shipped()] and one.own and one.engine == "bert-vits2"
    assert one.files[0].sources == (
        "https://example.com/anna/G_0.pth",
        "http://10.0.0.5/anna/G_0.pth",
    )
    assert one.files[1].sources == ("https://elsewhere.example.com/config.json",)
    assert one.size is None and consent.accepted(one.licence), "the user's own affair"
    with pytest.raises(ModelError, match="mien models pull my-voice"):
        store.find_folder("my-voice")
    said = CliRunner().invoke(models_app, ("list",)).output
    assert "my-voice" in said and "your own catalogue states none" in said


def test_a_licence_of_ones_own_or_a_known_one_is_asked_for(home: Path) -> None:
    strict = VOICE.replace('kind = "tts"', 'kind = "tts"\nlicence = "strict"')
    terms = '[licences.strict]\nname = "Strict"\nen = "No."\nzh = "不可。"\n'
    written(terms + strict)
    assert not consent.accepted(model("my-voice").licence)
    written(VOICE.replace('kind = "tts"', 'kind = "tts"\nlicence = "mit"'))
    assert model("my-voice").licence == model("deberta-v3-large").licence


def test_it_lies_among_the_users_data(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MIEN_CATALOGUE")
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    assert catalogue() == shipped(), "it need not exist"
    written(VOICE)
    assert own_file().name == "models.toml" and "my-voice" in catalogue()


def test_one_that_is_named_must_exist(home: Path) -> None:
    with pytest.raises(ModelError, match="no such file") as caught:
        catalogue(strict=True)
    assert caught.value.code == "catalogue"
    assert catalogue() == shipped(), "what comes with mien can be had all the same"
    assert model("wav2lip").name == "wav2lip"
    with pytest.raises(ModelError, match="no such file"):
        model("my-voice")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("[models.my-voice]", "[models.my-voice"), "line"),
        (('kind = "tts"', ""), "kind"),
        (('engine = "bert-vits2"', "colour = 3"), "colour"),
        (('engine = "bert-vits2"', "engine = 3"), "engine"),
        (("size = 900", 'size = "big"'), "size"),
        (("ab" * 32, "abc"), "sha256"),
        (('"G_0.pth"', '"../G_0.pth"'), "leads out"),
        (('"G_0.pth"', '"/etc/G_0.pth"'), "absolute"),
        (('"G_0.pth"', '"a//b"'), "write it as 'a/b'"),
        (('"G_0.pth"', '"CONFIG.json"'), "twice"),
        (('"https://elsewhere', '"file:///elsewhere'), "sources"),
        (("my-voice", "Wav2Lip"), "already"),
        (("my-voice", '"../up"'), "name"),
        (("my-voice", '".hidden"'), "name"),
        (('kind = "tts"', 'kind = "tts"\nlicence = "none"'), "licences.none"),
        (("[models", "[voices"), "voices"),
        (("[[models.my-voice.files]]", "[[models.my-voice.filez]]"), "no files"),
    ],
)
def test_what_is_wrong_is_said(home: Path, change: tuple[str, str], said: str) -> None:
    assert said in wrong(VOICE.replace(*change))
    status = CliRunner().invoke(models_app, ("list",))
    assert status.exit_code == 2 and "Traceback" not in status.output


def test_what_is_no_text_is_told(home: Path) -> None:
    own_file().write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelError, match=r"models\.toml"):
        catalogue(strict=True)
