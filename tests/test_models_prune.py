"""What is not needed any more is found, said with its size, and goes; what is needed stays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from mien.commands.models import models_app
from mien.models import consent, store
from mien.models.catalogue import model
from mien.models.errors import ModelError
from mien.models.given import pull_from
from mien.models.prune import half_fetched, leftovers
from mien.models.pull import pull
from mien.models.verify import verify
from model_server import ModelServer, model_server
from own_models import OwnVoice, own_voice
from test_models_pull import HASTY, home
from wav2lip_seeded import narrow, narrow_files

__all__ = ["home", "narrow_files"]

pytestmark = pytest.mark.usefixtures("narrow_files")


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with model_server() as running:
        yield running


@pytest.fixture
def voice(server: ModelServer, home: Path) -> OwnVoice:
    return own_voice(server, home)


def mien(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(models_app, arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, " ".join(done.stderr.split())


def test_nothing_is_needed_to_go_from_an_empty_or_sound_store(voice: OwnVoice) -> None:
    assert leftovers() == []
    pull(model("tiny-voice"), patience=HASTY)
    assert leftovers() == []
    assert "Nothing to delete" in mien("prune")[2]


def test_everything_that_can_go_is_named_with_its_size(voice: OwnVoice, home: Path) -> None:
    models = home / "models"
    got = pull(model("tiny-voice"), patience=HASTY)
    (got.folder / "espeak-ng-data" / "old").write_bytes(bytes(3000))
    (models / ".incoming" / "wav2lip").mkdir(parents=True)
    (models / ".incoming" / "wav2lip" / "wav2lip.pth").write_bytes(bytes(70_000))
    (models / "somebody-elses").mkdir()
    (models / "somebody-elses" / "a").write_bytes(bytes(500))
    (models / "deberta-v3-large").mkdir()
    (models / "deberta-v3-large" / "spm.model").write_bytes(bytes(40))
    assert half_fetched("wav2lip") == 70_000
    expected = {
        models / ".incoming" / "wav2lip": 70_000,
        got.folder / "espeak-ng-data" / "old": 3000,
        models / "somebody-elses": 500,
        models / "deberta-v3-large": 40,
    }
    assert {one.path: one.size for one in leftovers()} == expected
    assert all(one.en and one.zh for one in leftovers())

    status, out, err = mien("prune", "--dry-run", "--json")
    assert status == 0
    assert {Path(one["path"]): one["size"] for one in json.loads(out)} == expected
    for path in expected:
        assert str(path) in err and path.exists()
    status, _, err = mien("prune")
    assert status == 2 and "--yes" in err, "nobody can be asked in a pipe"
    assert len(leftovers()) == 4

    status, _, err = mien("prune", "--yes")
    assert status == 0 and "0.1 MB deleted" in err
    assert leftovers() == [] and not any(path.exists() for path in expected)
    assert store.installed("tiny-voice") == got and verify(got) is None


def test_without_its_catalogue_no_model_of_the_user_is_taken_for_strange(voice: OwnVoice) -> None:
    got = pull(model("tiny-voice"), patience=HASTY)
    voice.catalogue.write_text("[models.tiny-voice")
    with pytest.raises(ModelError, match=r"models\.toml"):
        leftovers()
    assert mien("prune", "--yes")[0] == 2
    assert (got.folder / "model.onnx").exists()


def test_a_link_to_a_model_elsewhere_is_not_followed(voice: OwnVoice, home: Path) -> None:
    mine = home / "mine"
    mine.mkdir()
    (mine / "precious").write_bytes(bytes(100))
    (home / "models").mkdir()
    (home / "models" / "linked").symlink_to(mine, target_is_directory=True)
    (one,) = leftovers()
    assert one.size == 0
    assert mien("prune", "--yes")[0] == 0
    assert (mine / "precious").exists() and not (home / "models" / "linked").exists()


def test_what_was_made_of_weights_that_are_gone_can_go(
    voice: OwnVoice, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("safetensors", reason="needs pip install 'mien[wav2lip]'")
    from safetensors.numpy import save_file

    from mien.lipsync.wav2lip.checkpoint import read_checkpoint

    file = home / "seeded.safetensors"
    save_file({key: np.asarray(value) for key, value in narrow().state.items()}, file)
    consent.accept(model("wav2lip").licence)
    kept = pull_from(model("wav2lip"), file)
    key = read_checkpoint(kept.path).sha256[:16]
    cache = home / "cache" / "mien" / "wav2lip"
    for name in (f"{key}-mouth-onnxruntime-int8", "0123456789abcdef-mouth-openvino-int8"):
        (cache / name).mkdir(parents=True)
        (cache / name / "graph.onnx").write_bytes(bytes(90))
    (one,) = leftovers()
    assert one.path.name.startswith("0123456789abcdef") and one.size == 90
    store.delete("wav2lip")
    assert len(leftovers()) == 2
    assert leftovers({"wav2lip": [file]}) == [one], "used by its path"
    assert leftovers({"wav2lip": [home / "unplugged.pth"]}) == [], "who knows what is made of it"
    monkeypatch.chdir(home)
    (home / "mien.toml").write_text(f'lipsync.weights = "{file}"')
    status, out, _ = mien("prune", "--dry-run", "--json")
    assert status == 0 and [entry["path"] for entry in json.loads(out)] == [str(one.path)]


def test_what_was_made_of_voices_that_are_gone_can_go(voice: OwnVoice, home: Path) -> None:
    from bert_vits2_seeded import tiny
    from mien.tts.bert_vits2.checkpoint import load_voice

    anna = tiny(home / "anna")
    key = load_voice(anna).sha256[:16]
    cache = home / "cache" / "mien" / "bert-vits2"
    for name in (f"{key}-onnx", "0123456789abcdef-onnx", f".{key}-onnx.abc"):
        (cache / name).mkdir(parents=True)
    assert {one.path.name for one in leftovers({"bert-vits2": [anna]})} == {"0123456789abcdef-onnx"}
