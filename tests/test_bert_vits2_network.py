"""The Bert-VITS2 network: equal to the reference numbers, in a batch as alone."""

from __future__ import annotations

import numpy as np
import pytest

from bert_vits2_seeded import VARIANTS, golden, golden_sentence, seeded
from mien.tts.bert_vits2.backend import Choice, Slab

pytest.importorskip("torch", reason="needs PyTorch: pip install 'mien[bert-vits2]'")

from mien.tts.bert_vits2 import torch_backend

RATIOS = (0.0, 0.5, 1.0)
TOLERANCE = 1e-4


THOROUGH = pytest.mark.thorough


@pytest.mark.parametrize(
    ("name", "ratios"),
    [
        ("2.0", RATIOS),
        ("2.1", RATIOS[1:2]),
        ("zhextra", RATIOS[1:2]),
        # Of their parts none is in no other: a network at full size takes four seconds.
        pytest.param("2.2", RATIOS, marks=THOROUGH),
        pytest.param("jpextra", RATIOS, marks=THOROUGH),
        pytest.param("2.1", RATIOS, marks=THOROUGH),
        pytest.param("zhextra", RATIOS, marks=THOROUGH),
    ],
)
def test_equal_to_the_reference(name: str, ratios: tuple[float, ...]) -> None:
    """2.3 is 2.0; that its reference numbers are the same ones is checked below."""
    arrays, facts = golden(name)
    sentences = [golden_sentence(VARIANTS[name], ratio) for ratio in ratios]
    backend = torch_backend.load(seeded(VARIANTS[name]), Choice("torch"))
    # Alone: whether a batch is equal to that has a test of its own.
    for ratio, sentence in zip(ratios, sentences, strict=True):
        (latents,) = backend.latents([sentence])
        assert latents.durations.tolist() == facts["cases"][f"{ratio}"]["durations"]
        assert np.abs(latents.z - arrays[f"z_{ratio}"]).max() <= TOLERANCE
        (sound,) = backend.decode([Slab(latents.z, latents.speaker)])
        expected = arrays[f"audio_{ratio}"]
        assert sound.shape == expected.shape
        assert np.abs(sound - expected).max() <= TOLERANCE * np.abs(expected).max()
    backend.close()


def test_the_reference_of_2_3_is_that_of_2_0() -> None:
    older, newer = golden("2.0"), golden("2.3")
    assert older[1]["cases"] == newer[1]["cases"]
    assert older[0].keys() == newer[0].keys()
    for name, array in older[0].items():
        assert np.array_equal(array, newer[0][name])
