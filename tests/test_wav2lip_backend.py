"""Batches of the sizes a back end has; which back end is chosen, and why not another."""

import numpy as np
import pytest

from mien.lipsync.wav2lip import backends
from mien.lipsync.wav2lip.artefacts import artefact_folder, write_figures
from mien.lipsync.wav2lip.backend import (
    OVERHEAD_GPU,
    BackendError,
    Choice,
    as_pictures,
    batch_plan,
    decode,
    encode,
    in_batches,
)
from mien.lipsync.wav2lip.backends import Wanted, available, best, load_best
from mien.lipsync.wav2lip.window import MOUTH
from moving_faces import MovingFaces, Watched, small
from wav2lip_seeded import golden, narrow

SIZES = (1, 2, 4, 8)


# -- batches -----------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(1,), (4,), (1, 2, 4, 8), (2, 3), (1, 16)])
@pytest.mark.parametrize("overhead", [0.0, 0.2, 4.0])
def test_batches_hold_everything_and_are_the_cheapest(
    sizes: tuple[int, ...], overhead: float
) -> None:
    for count in range(1, 40):
        plan = batch_plan(count, sizes, overhead)
        assert set(plan) <= set(sizes)
        assert sum(plan) >= count
        assert sum(plan[:-1]) < count  # only the last is padded
        cost = sum(plan) + overhead * len(plan)
        for size in sizes:  # all of one size is one of the alternatives
            batches = -(-count // size)
            assert cost <= batches * (size + overhead) + 1e-9


def test_a_processor_pads_little_and_a_gpu_starts_seldom() -> None:
    assert batch_plan(7, SIZES) == (4, 2, 1)
    assert batch_plan(7, SIZES, OVERHEAD_GPU) == (8,)
    assert batch_plan(1000, (1, 2)) == (2,) * 500


@pytest.mark.parametrize("sizes", [(), (0, 1), (2, 1), (1, 1)])
def test_impossible_batch_sizes_are_refused(sizes: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="ascending"):
        batch_plan(3, sizes)


@pytest.mark.parametrize("count", [1, 3, 5, 17])
def test_splitting_and_padding_do_not_show(count: int) -> None:
    seen = []

    def run(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        assert len(a) == len(b)
        seen.append(len(a))
        return a * 10 + b

    a, b = np.arange(count), np.arange(count) % 3
    np.testing.assert_array_equal(in_batches(run, [a, b], (2, 4)), a * 10 + b)
    assert set(seen) <= {2, 4}


def test_any_number_of_faces_is_painted_as_one_by_one() -> None:
    watched, faces = Watched(small()), MovingFaces(3)
    crops = np.stack([faces.crop(frame, 96) for frame in range(3)])
    mels = np.random.default_rng(0).uniform(-4, 4, (3, 80, 16)).astype(np.float32)
    features = encode(watched, crops)
    together = decode(watched, mels, features)
    assert {count for _, count in watched.asked} <= set(watched.batch_sizes)
    for index in range(3):
        one = slice(index, index + 1)
        np.testing.assert_allclose(encode(watched, crops[one])[0], features[index], atol=1e-5)
        alone = decode(watched, mels[one], features[one])[0]
        np.testing.assert_allclose(alone, together[index], atol=1e-5)


def test_pictures_are_cut_to_whole_levels_as_published() -> None:
    prediction = golden("wav2lip_prep.npz")["pred"]
    blue_green_red = (prediction.transpose(0, 2, 3, 1) * 255.0).astype(np.uint8)
    pictures = as_pictures(prediction)
    np.testing.assert_array_equal(pictures, blue_green_red[..., ::-1])
    assert pictures.flags.c_contiguous


# -- which one ---------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_every_library_is_there_or_says_why_not() -> None:
    found = available()
    assert [entry.library for entry in found] == ["openvino", "onnxruntime", "torch"]
    for entry in found:
        assert bool(entry.choices) != bool(entry.why_not)
        assert all(choice.backend == entry.library for choice in entry.choices)


def test_auto_takes_the_first_in_the_order_that_is_there() -> None:
    there = {
        (choice.backend, choice.precision, choice.device)
        for entry in available()
        for choice in entry.choices
    }
    expected = next(rank for rank in backends.ORDER if rank in there and rank[1] != "int8")
    choice = best(narrow())
    assert (choice.backend, choice.precision, choice.device) == expected


@pytest.mark.parametrize(("psnr_db", "taken"), [(39.5, True), (36.0, False)])
def test_int8_is_taken_only_when_it_was_made_and_is_good(psnr_db: float, taken: bool) -> None:
    int8 = [choice for entry in available() for choice in entry.choices]
    int8 = [choice for choice in int8 if choice.precision == "int8" and choice.device == "cpu"]
    if not int8:
        pytest.skip("no back end here runs int8: pip install 'mien[wav2lip]'")
    checkpoint = narrow()
    wanted = Wanted(backend=int8[0].backend, device="cpu")
    assert best(checkpoint, wanted).precision != "int8"
    folder = artefact_folder(checkpoint, MOUTH(checkpoint.architecture), int8[0])
    folder.mkdir(parents=True)
    write_figures(folder, {"psnr_db": psnr_db})
    assert (best(checkpoint, wanted).precision == "int8") is taken
    assert best(checkpoint, Wanted(int8[0].backend, "int8")).precision == "int8"


def test_what_is_asked_for_by_name_is_loaded() -> None:
    checkpoint = narrow()
    wanted = Wanted("onnxruntime", "fp32", "cpu", threads=1)
    assert best(checkpoint, wanted) == Choice("onnxruntime", "fp32", "cpu", 1)
    backend = load_best(checkpoint, MOUTH(checkpoint.architecture), wanted)
    assert backend.choice == Choice("onnxruntime", "fp32", "cpu", 1)
    backend.close()


def test_what_is_not_there_is_an_error_that_tells_what_is() -> None:
    wanted = Wanted(precision="bf16", device="cuda")
    with pytest.raises(BackendError, match=r"fits bf16 cuda.*onnxruntime: has .*fp32") as why:
        best(narrow(), wanted)
    assert all(f"{entry.library}: " in why.value.fix for entry in available())


def test_what_is_not_recommended_here_may_be_asked_for() -> None:
    """The library itself says whether it can do it."""
    checkpoint = narrow()
    window, wanted = MOUTH(checkpoint.architecture), Wanted("onnxruntime", "fp16", threads=1)
    load_best(checkpoint, window, wanted).close()  # computes in float32: only for checking
    with pytest.raises(BackendError, match="ONNX Runtime runs no bf16 network on cpu; choose"):
        load_best(checkpoint, window, Wanted("onnxruntime", "bf16"))


def test_the_next_best_is_taken_when_the_best_does_not_load(
    caplog: pytest.LogCaptureFixture,
) -> None:
    checkpoint = narrow()
    window, wanted = MOUTH(checkpoint.architecture), Wanted("onnxruntime", device="cpu", threads=1)
    int8 = Choice("onnxruntime", "int8")
    folder = artefact_folder(checkpoint, window, int8)
    folder.mkdir(parents=True)
    write_figures(folder, {"psnr_db": 40.0})  # and no network beside them
    assert best(checkpoint, wanted).precision == "int8"
    backend = load_best(checkpoint, window, wanted)
    assert backend.choice.precision == "fp32"
    assert "onnxruntime int8 (cpu) cannot be used: there is no int8 network" in caplog.text
    backend.close()


@pytest.mark.parametrize(
    "wanted", [Wanted(backend="tensorflow"), Wanted(precision="fp8"), Wanted(device="tpu")]
)
def test_an_unknown_name_is_an_error_that_lists_the_known_ones(wanted: Wanted) -> None:
    with pytest.raises(BackendError, match=r"unknown .*choose auto, "):
        best(narrow(), wanted)
