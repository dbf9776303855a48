"""Face restoration: any ONNX network of the class fits, on small ones made here."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import clip_folder
from mien.avatar.clip.avatar import ClipAvatar, ClipStyle
from mien.avatar.clip.enhancer import OnnxEnhancer, enhanced, open_enhancer
from mien.avatar.clip.mask import masks
from mien.avatar.clip.package import read_clip
from mien.avatar.contract import Pose
from mien.avatar.errors import AvatarError

onnx = pytest.importorskip("onnx", reason="pip install 'mien[wav2lip]'")

Model = Callable[..., Path]


@pytest.fixture
def model(tmp_path: Path) -> Model:
    """Writes a network y = x * gain + offset, or another single operator."""

    def write(
        gain: float = 1.0,
        offset: float = 0.0,
        shape: tuple[Any, ...] = (1, 3, 128, 128),
        kind: int = onnx.TensorProto.FLOAT,
        nodes: list[Any] | None = None,
        inputs: int = 1,
    ) -> Path:
        helper = onnx.helper
        takes = [helper.make_tensor_value_info(f"x{i}", kind, shape) for i in range(inputs)]
        gives = helper.make_tensor_value_info("y", kind, None)
        constants = [
            helper.make_tensor("gain", kind, [], [gain]),
            helper.make_tensor("offset", kind, [], [offset]),
        ]
        nodes = nodes or [
            helper.make_node("Mul", ["x0", "gain"], ["scaled"]),
            helper.make_node("Add", ["scaled", "offset"], ["y"]),
        ]
        graph = helper.make_graph(nodes, "face", takes, [gives], constants)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        path = tmp_path / "face.onnx"
        onnx.save(made, str(path))
        return path

    return write


def test_identity_gives_every_value_back(model: Model) -> None:
    face = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
    enhancer = OnnxEnhancer(model())
    assert enhancer.side == 128 and np.array_equal(enhancer.restore(face), face)


def test_values_are_those_such_networks_take(model: Model) -> None:
    """-1 … 1, and what comes out beyond is held."""
    face = np.full((128, 128, 3), (0, 102, 255), np.uint8)
    assert (OnnxEnhancer(model(gain=0.5)).restore(face)[5, 5] == (64, 115, 191)).all()
    assert (OnnxEnhancer(model(offset=3.0)).restore(face) == 255).all()


def test_channels_are_red_green_blue(model: Model) -> None:
    nodes = [
        onnx.helper.make_node(
            "Slice", ["x0", "first", "last", "axis"], ["red"], name="red of the face"
        ),
        onnx.helper.make_node("Concat", ["red", "red", "red"], ["y"], axis=1),
    ]
    values = {"first": [0], "last": [1], "axis": [1]}
    for name, value in values.items():
        constant = onnx.numpy_helper.from_array(np.array(value, np.int64), name)
        nodes.insert(0, onnx.helper.make_node("Constant", [], [name], value=constant))
    face = np.full((128, 128, 3), (10, 120, 230), np.uint8)
    assert (OnnxEnhancer(model(nodes=nodes)).restore(face) == 10).all()


def test_networks_of_any_size_get_the_usual_one(model: Model) -> None:
    assert OnnxEnhancer(model(shape=("n", 3, "h", "w"))).side == 512


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shape": (1, 1, 128, 128)}, "expected a float face"),
        ({"shape": (1, 3, 128, 96)}, "expected a float face"),
        ({"shape": (4, 3, 128, 128)}, "expected a float face"),
        ({"shape": (1, 3, 16, 16)}, "expected a float face"),
        ({"shape": (1, 3, 128)}, "expected a float face"),
        ({"kind": onnx.TensorProto.DOUBLE}, "tensor(double)"),
        ({"inputs": 2}, "takes 2 inputs"),
        ({"gain": float("nan")}, "expected finite numbers"),
    ],
)
def test_what_does_not_fit_is_told(model: Model, options: dict[str, Any], message: str) -> None:
    path = model(**options)
    with pytest.raises(AvatarError) as error:
        OnnxEnhancer(path)
    assert message in str(error.value) and "face.onnx" in str(error.value)


def test_another_answer_is_told(model: Model) -> None:
    nodes = [onnx.helper.make_node("GlobalAveragePool", ["x0"], ["y"])]
    with pytest.raises(AvatarError, match=r"answers with \[1, 3, 1, 1\]"):
        OnnxEnhancer(model(nodes=nodes))


def test_files_that_are_none_are_told(tmp_path: Path) -> None:
    with pytest.raises(AvatarError, match="there is no enhancer"):
        OnnxEnhancer(tmp_path / "nothing.onnx")
    (tmp_path / "text.onnx").write_text("not a network")
    with pytest.raises(AvatarError, match="no readable ONNX model"):
        OnnxEnhancer(tmp_path / "text.onnx")


class Noted:
    """An enhancer that keeps what it is given."""

    side = 256

    def __init__(self) -> None:
        self.face = np.zeros(0, np.uint8)

    def restore(self, face: np.ndarray) -> np.ndarray:
        self.face = face
        return face


def test_faces_are_aligned_as_networks_expect() -> None:
    """Eyes level, at two fifths of the width, a little above the middle; also of a tilted face."""
    import cv2

    enhancer = Noted()
    points = clip_folder.landmarks()[0]
    middle = (float(points[1, 0]), float(points[1, 1]))
    for degrees in (0, 20):
        turn = cv2.getRotationMatrix2D(middle, degrees, 1)
        image = cv2.warpAffine(clip_folder.picture(0), turn, clip_folder.SIZE)
        turned = (points @ turn[:, :2].T + turn[:, 2]).astype(np.float32)
        marked = image.copy()
        for corners in ((33, 133), (362, 263)):
            eye = turned[list(corners)].mean(0)
            cv2.circle(marked, (int(eye[0]), int(eye[1])), 3, (0, 255, 0), -1)
        enhanced(marked, turned, enhancer)
        green = (enhancer.face[..., 1] > 200) & (enhancer.face[..., 0] < 90)
        left, right = green[:, :128].nonzero(), green[:, 128:].nonzero()
        assert abs(left[0].mean() - right[0].mean()) < 8
        assert abs(left[0].mean() - 0.47 * 256) < 12
        assert abs(left[1].mean() - 0.377 * 256) < 12
        assert abs(right[1].mean() + 128 - 0.623 * 256) < 12


def test_an_identity_hardly_changes_the_picture() -> None:
    picture = clip_folder.picture(0)
    shown = enhanced(picture, clip_folder.landmarks()[0], Noted())
    assert np.abs(shown.astype(int) - picture).mean() < 1


def test_only_the_pasted_mouth_is_polished(filmed_folder: Path, model: Model) -> None:
    package = read_clip(filmed_folder)
    plain = ClipAvatar(package)
    bright = ClipAvatar(package, style=ClipStyle(enhancer=model(offset=0.3)))
    mouth, pose = clip_folder.painted(4, 0.6), Pose(frame=4)
    before = plain.compose(0, mouth, pose).astype(int)
    after = bright.compose(0, mouth, pose).astype(int)
    changed = np.abs(after - before).max(2) > 0
    lips = clip_folder.landmarks()[4, [0, 17]].mean(0).astype(int)
    assert (after - before)[lips[1], lips[0]].mean() > 20
    nose = int(clip_folder.landmarks()[4, 2, 1])
    mask = masks(package.boxes[4:5], package.landmarks[4:5])[0]
    assert not changed[: nose + 1].any() and changed.sum() < 1.2 * (mask > 0).mean() * np.prod(
        package.boxes[4, 2:] - package.boxes[4, :2]
    )
    # Silence without a painted mouth stays as it was filmed; a half-shown mouth is half polished.
    assert np.array_equal(bright.compose(0, None, pose), plain.compose(0, None, pose))
    half = bright.compose(0, mouth.faded(0.5), pose).astype(int)
    gain = (half - plain.compose(0, mouth.faded(0.5), pose))[lips[1], lips[0]].mean()
    assert 0.35 < gain / (after - before)[lips[1], lips[0]].mean() < 0.65


def test_one_network_serves_all_until_its_file_changes(model: Model) -> None:
    path = model()
    assert open_enhancer(path) is open_enhancer(path)
    before = open_enhancer(path)
    assert before.restore(np.full((128, 128, 3), 80, np.uint8))[0, 0, 0] == 80
    os.utime(model(gain=0.0), ns=(1, 1))
    assert open_enhancer(path).restore(np.full((128, 128, 3), 80, np.uint8))[0, 0, 0] == 128


def test_threads_take_turns(model: Model) -> None:
    enhancer = OnnxEnhancer(model(gain=0.5))
    faces = [np.full((128, 128, 3), 25 * i, np.uint8) for i in range(8)]
    together = threading.Barrier(8)

    def one(face: np.ndarray) -> np.ndarray:
        together.wait()
        return enhancer.restore(face)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(one, faces))
    expected = [enhancer.restore(face) for face in faces]
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
