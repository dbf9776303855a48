"""Bert-VITS2 from exported graphs: the same sentences as PyTorch speaks, on either library."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bert_vits2_seeded import SMALL, golden_sentence, small, tiny
from mien.commands.models import models_app
from mien.tts.bert_vits2 import artefacts, backends
from mien.tts.bert_vits2.backend import Backend, BackendError, Choice, Sentence, Slab
from mien.tts.bert_vits2.checkpoint import Checkpoint, load_voice

pytest.importorskip("torch", reason="needs PyTorch: pip install 'mien[bert-vits2]'")
pytest.importorskip("onnx", reason="needs onnx: pip install 'mien[bert-vits2]'")

from mien.tts.bert_vits2 import onnx_export, optimize

TOLERANCE = 1e-4

LIBRARIES = {"onnxruntime": "onnx_backend", "openvino": "openvino_backend"}

VOICES = {
    "2.3": SMALL,
    "zhextra": replace(
        SMALL, name="zhextra", emotion="clap512", bert_widths={"bert": 48}, pre_bert=40
    ),
}


@dataclass
class MadeOnce:
    cache: Path
    made: optimize.Made
    shares: list[float]


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> MadeOnce:
    """The graphs of the small voice as the command makes them, in a cache of their own."""
    folder, shares = tmp_path_factory.mktemp("cache"), []
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(artefacts, "cache_folder", lambda: folder)
        return MadeOnce(folder, optimize.make(small(), shares.append), shares)


@pytest.fixture(scope="module")
def graphs(
    made_once: MadeOnce, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[Checkpoint, Path]]:
    """A voice and the folder of its graphs, which are written once: that takes seconds."""

    @cache
    def made(name: str) -> tuple[Checkpoint, Path]:
        if name == "2.3":
            return small(), made_once.made.folder
        checkpoint, folder = small(VOICES[name]), tmp_path_factory.mktemp("graphs")
        onnx_export.export(checkpoint, folder)
        return checkpoint, folder

    return made


@pytest.fixture(
    scope="module", params=[(name, library) for name in VOICES for library in LIBRARIES], ids=str
)
def pair(request, graphs) -> Iterator[tuple[Backend, Backend]]:
    """A back end with graphs, and PyTorch."""
    name, library = request.param
    pytest.importorskip(library, reason=f"needs {library}")
    checkpoint, folder = graphs(name)
    module = import_module(f"mien.tts.bert_vits2.{LIBRARIES[library]}")
    loaded = module.load(checkpoint, Choice(library, threads=1), folder)
    torch = backends.load(checkpoint, Choice("torch", threads=1))
    yield loaded, torch
    loaded.close()
    torch.close()


def _sentence(backend: Backend, symbols: int, seed: int = 0) -> Sentence:
    """The beginning of the reference sentence, with all the randomness that speaking has."""
    whole = golden_sentence(backend.variant, 0.3)
    return replace(
        whole,
        ids=whole.ids[:symbols],
        tones=whole.tones[:symbols],
        languages=whole.languages[:symbols],
        bert={name: features[:, :symbols] for name, features in whole.bert.items()},
        speed=1.0,
        noise=0.6,
        noise_w=0.8,
        seed=seed,
    )


def test_a_batch_is_the_same_as_on_pytorch(pair: tuple[Backend, Backend]) -> None:
    batch = [_sentence(pair[0], symbols, seed) for seed, symbols in enumerate((31, 5, 18))]
    for here, there in zip(*(backend.latents(batch) for backend in pair), strict=True):
        assert here.durations.tolist() == there.durations.tolist()
        assert here.z.shape == there.z.shape
        assert np.abs(here.z - there.z).max() <= TOLERANCE * np.abs(there.z).max()


def test_sound_is_the_same_as_on_pytorch(pair: tuple[Backend, Backend]) -> None:
    """Two slabs that are alike, and others that are not."""
    (latents,) = pair[1].latents([_sentence(pair[1], 31)])
    slabs = [
        Slab(latents.z[:, :50], 0, 0, 0),
        Slab(latents.z[:, 20:53], 1, 12, 12),
        Slab(latents.z[:, 60:110], 1, 0, 0),
        Slab(latents.z[:, :40], 1, 0, 12),
    ]
    for here, there in zip(*(backend.decode(slabs) for backend in pair), strict=True):
        assert here.shape == there.shape
        assert np.abs(here - there).max() <= TOLERANCE * np.abs(there).max()


WITHOUT_PYTORCH = """
import sys
sys.modules["torch"] = None  # importing it fails
from pathlib import Path
import numpy as np
from bert_vits2_seeded import golden_sentence
from mien.tts.bert_vits2.backend import Choice, Slab
from mien.tts.bert_vits2.checkpoint import load_voice
from mien.tts.bert_vits2.onnx_backend import load

voice, graphs, out = map(Path, sys.argv[1:])
backend = load(load_voice(voice), Choice("onnxruntime", threads=1), graphs)
(latents,) = backend.latents([golden_sentence(backend.variant, 0.3)])
np.save(out, backend.decode([Slab(latents.z, 0)])[0])
"""


def test_it_runs_where_there_is_no_pytorch(graphs, tmp_path: Path) -> None:
    pytest.importorskip("safetensors", reason="needs safetensors: pip install 'mien[bert-vits2]'")
    checkpoint, folder = graphs("2.3")
    out = tmp_path / "sound.npy"
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_PYTORCH, tiny(tmp_path, checkpoint.variant), folder, out],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    torch = backends.load(checkpoint, Choice("torch", threads=1))
    (latents,) = torch.latents([golden_sentence(torch.variant, 0.3)])
    (expected,) = torch.decode([Slab(latents.z, 0)])
    assert np.abs(np.load(out) - expected).max() <= TOLERANCE * np.abs(expected).max()


def _best_with_graphs() -> str:
    return "openvino" if find_spec("openvino") else "torch"


# -- making them -------------------------------------------------------------------------


def test_graphs_are_made_once_for_the_same_weights(
    made_once: MadeOnce, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(artefacts, "cache_folder", lambda: tmp_path)
    voice = small()
    wanted = backends.Wanted("onnxruntime", threads=1)
    with pytest.raises(BackendError, match="mien models optimize bert-vits2") as refusal:
        backends.load_best(voice, wanted)
    assert "mien models optimize bert-vits2" in refusal.value.zh
    assert backends.load_best(voice).choice.backend == "torch"
    monkeypatch.setattr(artefacts, "cache_folder", lambda: made_once.cache)
    made, shares = made_once.made, made_once.shares
    assert made.error <= TOLERANCE
    assert shares == sorted(shares) and shares[-1] == 1.0
    assert made.size_bytes > 1e6
    assert backends.load_best(voice, wanted).choice.backend == "onnxruntime"
    assert backends.load_best(voice).choice.backend == _best_with_graphs()
    # Another voice is not given these.
    other = small(replace(SMALL, languages=4))
    assert backends.load_best(other).choice.backend == "torch"


def test_an_interrupted_export_leaves_nothing(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(artefacts, "cache_folder", lambda: tmp_path)

    def interrupt(share: float) -> None:
        if share > 0.2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        optimize.make(small(), interrupt)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_graph_is_refused_with_what_to_do(graphs, tmp_path: Path) -> None:
    from mien.tts.bert_vits2.onnx_backend import load

    checkpoint, folder = graphs("2.3")
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(BackendError, match="make it anew with: mien models optimize bert-vits2"):
        load(checkpoint, Choice("onnxruntime"), tmp_path)


@pytest.mark.thorough
def test_the_command_makes_them(tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("safetensors", reason="needs safetensors: pip install 'mien[bert-vits2]'")
    monkeypatch.setattr(artefacts, "cache_folder", lambda: tmp_path / "cache")
    voice = tiny(tmp_path / "anna")
    run = CliRunner().invoke(models_app, ["optimize", "bert-vits2", "--voice", str(voice)])
    assert run.exit_code == 0, run.output
    assert "Bert-VITS2 2.0, differs from PyTorch by" in " ".join(run.output.split())
    assert backends.load_best(load_voice(voice)).choice.backend == _best_with_graphs()


@pytest.mark.parametrize(
    ("wanted", "said"), [([], "--voice FOLDER"), (["--voice", "nowhere"], "no such file")]
)
def test_the_command_says_what_it_needs(wanted: list[str], said: str) -> None:
    run = CliRunner().invoke(models_app, ["optimize", "bert-vits2", *wanted])
    assert run.exit_code == 2
    assert said in run.output
