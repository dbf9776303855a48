"""Files of weights: every form they are published in, wrong ones, and ones that mean harm."""

from __future__ import annotations

import io
import os
import pickle
import struct
import time
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from mien.lipsync.wav2lip.architecture import WAV2LIP, WAV2LIP_256
from mien.lipsync.wav2lip.checkpoint import CheckpointError, read_checkpoint
from mien.weights.tensor import StoredTensor
from wav2lip_seeded import narrow, narrow_files

__all__ = ["narrow_files"]

NO_TORCH = "writing PyTorch's files needs PyTorch: pip install 'mien[torch]'"
NO_SAFETENSORS = "needs safetensors: pip install 'mien[wav2lip]'"


def _refused(path: Path, *parts: str) -> str:
    with pytest.raises(CheckpointError) as refusal:
        read_checkpoint(path)
    message = str(refusal.value)
    for part in (str(path), *parts):
        assert part in message
    return message


# -- the forms they come in --------------------------------------------------------------


def _official(torch, prefix: str = "", dtype=None) -> OrderedDict:
    """The seeded weights as a state dict of PyTorch, with everything such a dict has."""
    state = OrderedDict()
    for key, value in narrow().state.items():
        state[prefix + key] = torch.from_numpy(value).to(dtype or torch.float32)
        if key.endswith("running_var"):
            count = key.replace("running_var", "num_batches_tracked")
            state[prefix + count] = torch.tensor(7)
    return state


def _beside_an_optimizer(torch, path: Path) -> None:
    parameter = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.Adam([parameter], lr=1e-4)
    parameter.sum().backward()
    optimizer.step()
    everything = {
        "state_dict": _official(torch),
        "optimizer": optimizer.state_dict(),
        "global_step": 100_000,
        "global_epoch": 12,
        "loss": np.float64(0.1),
    }
    torch.save(everything, path)


def _scripted(torch, path: Path, trace: bool = False) -> None:
    from mien.lipsync.wav2lip.torch_network import reference_module

    module = reference_module(narrow())
    if trace:
        inputs = torch.zeros(1, 1, 80, 16), torch.zeros(1, 6, 96, 96)
        torch.jit.trace(module, inputs, check_trace=False).save(str(path))
    else:
        torch.jit.script(module).save(str(path))


FORMS = {
    "beside an optimizer": _beside_an_optimizer,
    "several GPUs": lambda torch, path: torch.save(
        {"state_dict": _official(torch, "module."), "optimizer": None}, path
    ),
    "bare": lambda torch, path: torch.save(_official(torch), path),
    "bare, without counts": lambda torch, path: torch.save(
        {k: v for k, v in _official(torch).items() if "num_batches" not in k}, path
    ),
    "before PyTorch 1.6": lambda torch, path: torch.save(
        {"state_dict": _official(torch)}, path, _use_new_zipfile_serialization=False
    ),
    "parameters": lambda torch, path: torch.save(
        {
            key: torch.nn.Parameter(value) if value.is_floating_point() else value
            for key, value in _official(torch).items()
        },
        path,
    ),
    "float64": lambda torch, path: torch.save(_official(torch, dtype=torch.float64), path),
    "TorchScript, scripted": _scripted,
    "TorchScript, traced": lambda torch, path: _scripted(torch, path, trace=True),
}


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.usefixtures("narrow_files")
def test_the_same_weights_from_every_form(form: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    path = tmp_path / "wav2lip.pth"
    FORMS[form](torch, path)
    checkpoint = read_checkpoint(path)
    assert checkpoint.architecture is narrow().architecture
    assert checkpoint.name == "wav2lip.pth"
    assert checkpoint.sha256 == narrow().sha256
    assert list(checkpoint.state) == list(WAV2LIP.parameters())
    assert all(value.dtype == np.float32 for value in checkpoint.state.values())


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("form", ["zip", "legacy", "safetensors"])
@pytest.mark.usefixtures("narrow_files")
def test_halved_numbers_are_the_ones_that_were_rounded(
    dtype: str, form: str, tmp_path: Path
) -> None:
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    path, state = tmp_path / "half.pth", _official(torch, dtype=getattr(torch, dtype))
    if form == "safetensors":
        library = pytest.importorskip("safetensors.torch", reason=NO_SAFETENSORS)
        library.save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=form == "zip")
    read = read_checkpoint(path).state
    path.unlink()
    for key in ("audio_encoder.0.conv_block.0.weight", "output_block.0.conv_block.1.bias"):
        np.testing.assert_array_equal(read[key], state[key].float().numpy())
        assert not np.array_equal(read[key], narrow().state[key])


@pytest.mark.usefixtures("narrow_files")
def test_safetensors(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors.numpy", reason=NO_SAFETENSORS)
    path = tmp_path / "wav2lip.safetensors"
    library.save_file(narrow().state, path)
    assert read_checkpoint(path).sha256 == narrow().sha256


def test_the_larger_network(tmp_path: Path) -> None:
    path = _described(tmp_path / "whole.pth", WAV2LIP_256.parameters())
    assert read_checkpoint(path).architecture is WAV2LIP_256


@pytest.mark.usefixtures("narrow_files")
def test_views_into_one_large_row_of_numbers(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    state, base = _official(torch), torch.arange(600.0)
    state["audio_encoder.0.conv_block.0.bias"] = base[100:108:2]
    weight = state["output_block.1.weight"]
    state["output_block.1.weight"] = weight.transpose(0, 1).contiguous().transpose(0, 1)
    torch.save(state, tmp_path / "views.pth")
    read = read_checkpoint(tmp_path / "views.pth").state
    (tmp_path / "views.pth").unlink()
    np.testing.assert_array_equal(
        read["audio_encoder.0.conv_block.0.bias"], np.arange(100, 108, 2, np.float32)
    )
    np.testing.assert_array_equal(read["output_block.1.weight"], weight.numpy())
    assert read["output_block.1.weight"].flags.c_contiguous


# -- other networks, other files ---------------------------------------------------------


OTHERS = {
    "SyncNet expert": {"face_encoder.0.conv_block.0.weight": (32, 15, 7, 7)},
    "s3fd face detector": {"conv1_1.weight": (64, 3, 3, 3), "conv3_3_norm.weight": (256,)},
    "discriminator": {
        "face_encoder_blocks.0.0.conv_block.0.weight": (32, 3, 7, 7),
        "binary_pred.0.weight": (1, 512, 1, 1),
    },
    "GFPGAN": {"stylegan_decoder.style_mlp.1.weight": (512, 512)},
}


@pytest.mark.parametrize("what", OTHERS)
def test_a_wrong_network_is_called_by_its_name(what: str, tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors.numpy", reason=NO_SAFETENSORS)
    path = tmp_path / "other.safetensors"
    library.save_file({k: np.zeros(s, np.float32) for k, s in OTHERS[what].items()}, path)
    _refused(path, f"this looks like the {what}" if what != "discriminator" else what, "missing (")


def _described(path: Path, shapes: dict[str, tuple[int, ...]], **of: dict) -> Path:
    """A file of PyTorch with tensors of ``shapes`` that all repeat the same 16 numbers' first.

    of: by key, with dots as double underscores, what is written otherwise: offset, shape, strides,
    numbers, storage.
    """
    torch = pytest.importorskip("torch", reason=NO_TORCH)

    class Row:
        def __init__(self, key: str, numbers: int) -> None:
            self.key, self.numbers = key, numbers

    class View:
        def __init__(self, *arguments) -> None:
            self.arguments = arguments

        def __reduce__(self):
            return torch._utils._rebuild_tensor_v2, self.arguments

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            if isinstance(value, Row):
                return ("storage", torch.FloatStorage, value.key, "cpu", value.numbers)
            return None

    state = {}
    for key, shape in shapes.items():
        other = of.get(key.replace(".", "__"), {})
        row = Row(other.get("storage", "0"), other.get("numbers", 16))
        shape = other.get("shape", shape)
        strides = other.get("strides", (0,) * len(shape))
        state[key] = View(row, other.get("offset", 0), shape, strides, False, OrderedDict())
    described = io.BytesIO()
    Pickler(described, 2).dump(state)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", described.getvalue())
        archive.writestr("archive/data/0", np.arange(16, dtype="<f4").tobytes())
    return path


def test_missing_unexpected_and_misshapen_tensors_are_named(tmp_path: Path) -> None:
    shapes = WAV2LIP.parameters()
    path = _described(tmp_path / "whole.pth", shapes)
    assert read_checkpoint(path).state["output_block.1.bias"].tolist() == [0, 0, 0]

    fewer = {k: s for k, s in shapes.items() if not k.startswith("output_block.0.conv_block.1")}
    message = _refused(_described(path, fewer), "missing (4): output_block.0.conv_block.1.weight")
    assert "and 1 more" in message
    assert "not expected" not in message

    more = {**shapes, "sam.conv1.weight": (1, 2, 7, 7)}
    _refused(_described(path, more), "fork's Wav2Lip", "not expected (1): sam.conv1.weight")

    other = {**shapes, "output_block.1.bias": (4,)}
    _refused(_described(path, other), "output_block.1.bias 4 instead of 3", "(1)")


def test_a_larger_network_of_a_fork(tmp_path: Path) -> None:
    shapes = dict(WAV2LIP_256.parameters())
    shapes["face_encoder_blocks.8.0.conv_block.0.weight"] = (512, 512, 3, 3)
    message = _refused(_described(tmp_path / "384.pth", shapes), "a fork's Wav2Lip of another size")
    assert "wav2lip256" in message


def _many(count: int) -> dict[str, tuple[int, ...]]:
    return {f"layer.{i}.weight": (3,) for i in range(count)}


def test_an_unknown_network_is_not_guessed_at(tmp_path: Path) -> None:
    message = _refused(_described(tmp_path / "x.pth", _many(200)), "these are not the weights")
    assert "looks like" not in message
    assert "not expected (200): layer.0.weight, layer.1.weight, layer.2.weight and 197" in message


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "empty (0 bytes)"),
        (b"<!DOCTYPE html><html><title>Google Drive - Virus scan warning", "web page"),
        (b"\n  <html>login", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "git lfs pull"),
        (b"\x08\x07\x12\x07pytorch", "no file of weights that is known here"),
        (b"PK\x03\x04 and then nothing of a zip file", "incomplete or damaged"),
        (b"\x80\x02}.", "not one that PyTorch wrote"),
    ],
)
def test_files_that_are_something_else(content: bytes, part: str, tmp_path: Path) -> None:
    path = tmp_path / "wav2lip.pth"
    path.write_bytes(content)
    _refused(path, part)


def test_no_file_a_folder_and_a_zip_around_the_file(tmp_path: Path) -> None:
    _refused(tmp_path / "none.pth", "no such file")
    _refused(tmp_path, "a folder")
    packed = tmp_path / "wav2lip.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("weights/wav2lip.pth", b"x")
    _refused(packed, "zip file with weights/wav2lip.pth in it", "unpack")


def test_a_file_too_large_to_be_one(tmp_path: Path) -> None:
    path = tmp_path / "large.pth"
    with path.open("wb") as file:
        file.write(b"PK\x03\x04")
        file.truncate(5 << 30)  # a hole; takes no room
    _refused(path, "5.4 GB")


@pytest.mark.parametrize("form", ["zip", "legacy", "safetensors"])
def test_a_download_that_broke_off(form: str, tmp_path: Path) -> None:
    path = tmp_path / "part"
    if form == "safetensors":
        library = pytest.importorskip("safetensors.numpy", reason=NO_SAFETENSORS)
        library.save_file({"a": np.zeros(10_000, np.float32)}, path)
    else:
        torch = pytest.importorskip("torch", reason=NO_TORCH)
        state = {"a": torch.zeros(10_000), "b": torch.zeros(3)}
        torch.save(state, path, _use_new_zipfile_serialization=form == "zip")
    whole = path.read_bytes()
    for share in (0.02, 0.3, 0.9, 0.9999):
        path.write_bytes(whole[: int(len(whole) * share)])
        _refused(path)


@pytest.mark.filterwarnings("ignore:invalid escape")
def test_every_broken_description_is_a_refusal(tmp_path: Path) -> None:
    """Bytes changed one at a time: whatever they mean then, there is one kind of error."""
    path = _described(tmp_path / "whole.pth", {"output_block.1.bias": (3,), "other": (2, 2)})
    with zipfile.ZipFile(path) as archive:
        pickled = archive.read("archive/data.pkl")
    whole, rng = path.read_bytes(), np.random.default_rng(0)

    def changed(content: bytes) -> bytes:
        broken = bytearray(content)
        broken[rng.integers(len(broken))] = rng.integers(256)
        return bytes(broken)

    for _ in range(300):
        _refused(_archive(path, changed(pickled)))
        _refused(_legacy(path, changed(pickled)))
        path.write_bytes(changed(whole))
        _refused(path)


# -- files that mean harm ----------------------------------------------------------------


def _archive(path: Path, pickled: bytes, **options) -> Path:
    with zipfile.ZipFile(path, "w", **options) as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/data/0", bytes(64))
    return path


def _legacy(path: Path, pickled: bytes) -> Path:
    start = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
    path.write_bytes(b"".join(pickle.dumps(part, 2) for part in start) + pickled)
    return path


class _Calls:
    def __init__(self, function, *arguments) -> None:
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("write", [_archive, _legacy])
def test_nothing_in_a_file_is_run(write, protocol: int, tmp_path: Path) -> None:
    mark = tmp_path / "was-run"
    for call in (
        _Calls(os.system, f"touch {mark}"),
        _Calls(eval, f"open({str(mark)!r}, 'w')"),
        _Calls(exec, f"open({str(mark)!r}, 'w')"),
    ):
        state = {"state_dict": {"output_block.1.bias": call}}
        message = _refused(write(tmp_path / "evil.pth", pickle.dumps(state, protocol)), "run")
        assert "nothing of it was run" in message
        assert not mark.exists()


def test_a_whole_pickled_model_is_told_how_to_become_weights(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    for zipped in (True, False):
        path = tmp_path / "model.pth"
        torch.save(torch.nn.ReLU(), path, _use_new_zipfile_serialization=zipped)
        _refused(path, "torch.nn.modules.activation.ReLU", "save its state_dict()")


TRICKS = {
    "INST": b"(S'true'\nios\nsystem\n.",
    "OBJ": b"(cos\nsystem\nS'true'\no.",
    "EXT1": b"\x82\x01.",
    "memo beyond all memory": b"\x80\x02}r\xff\xff\xff\xff.",
    "memo never written": b"\x80\x02h\x05.",
    "nothing on the stack": b"\x80\x02.",
    "mark never set": b"\x80\x02t.",
    "values left over": b"\x80\x02}}.",
    "too few values": b"\x80\x02K\x01\x87.",
    "no end": b"\x80\x02}",
    "a string longer than the file": b"\x80\x02X\xff\xff\xff\x7fabc.",
    "a string of 2^63 bytes": b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7fabc.",
    "a number longer than the file": b"\x80\x02\x8b\xff\xff\xff\x7f.",
    "a list as a key": b"\x80\x02}]K\x01s.",
    "a nest of tuples as a key": b"\x80\x02})" + b"\x85" * 500_000 + b"K\x01s.",
    "items into a tuple": b"\x80\x02)K\x01a.",
    "a call of a number": b"\x80\x02K\x01)R.",
    "attributes of a number": b"\x80\x02K\x01}b.",
    "endless": b"\x80\x02" + b"}0" * 1_100_000 + b"}.",
}


LONG = ("endless", "a nest of tuples as a key")  # a second each; one kind of file is enough
TRIED = [(_archive, trick) for trick in TRICKS]
TRIED += [(_legacy, trick) for trick in TRICKS if trick not in LONG]


@pytest.mark.parametrize(
    ("write", "trick"),
    [(w, t) for w in (_archive, _legacy) for t in TRICKS if w is _archive or t not in LONG],
)
def test_tricks_of_pickles_end_in_a_refusal_at_once(write, trick: str, tmp_path: Path) -> None:
    path = write(tmp_path / "trick.pth", TRICKS[trick])
    begun = time.process_time()
    _refused(path)
    assert time.process_time() - begun < 20  # "endless" runs into its limit, the others at once


def test_modules_inside_themselves(tmp_path: Path) -> None:
    itself = b"\x80\x02c__torch__\nM\n)\x81q\x01}(X\x01\x00\x00\x00ah\x01ub."
    _refused(_archive(tmp_path / "x.pth", itself), "nested endlessly")
    # Each holds the one before it twice: 2^24 ways through a file of a kilobyte.
    nested = b"\x80\x02c__torch__\nM\n)\x81q\x000"
    for level in range(1, 25):
        last = b"\x01\x00\x00\x00%ch" + bytes([level - 1])
        attributes = b"X" + last % b"a" + b"X" + last % b"b"
        nested += b"c__torch__\nM\n)\x81q" + bytes([level]) + b"}(" + attributes + b"ub0"
    _refused(_archive(tmp_path / "x.pth", nested + b"h\x18."), "nested endlessly")


def test_compressed_entries_cannot_swell(tmp_path: Path) -> None:
    path = _archive(tmp_path / "x.pth", bytes(50_000_000), compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 100_000
    _refused(path, "archive/data.pkl", "compressed")


def test_names_that_leave_the_folder_are_only_names(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("../data.pkl", "/etc/data.pkl", "a/../../data.pkl", "..\\data.pkl"):
            archive.writestr(name, pickle.dumps({}, 2))
    _refused(path)
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(64))
    key = f"../../{secret.name}"
    bad = {"audio_encoder__0__conv_block__0__bias": {"storage": key}}
    _refused(_described(path, WAV2LIP.parameters(), **bad), "is missing")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["secret", "x.pth"]


@pytest.mark.parametrize(
    ("other", "part"),
    [
        ({"shape": (10**6, 10**6, 10**6)}, "instead of 32"),
        ({"shape": (-32,)}, "instead of 32"),
        ({"shape": (1,) * 70}, "damaged"),
        ({"strides": (1,)}, "reaches beyond its 16"),
        ({"strides": (-1,), "offset": 15}, "impossible layout"),
        ({"offset": -1}, "impossible layout"),
        ({"offset": 16}, "reaches beyond its 16"),
        ({"strides": (2**62,)}, "reaches beyond its 16"),
        ({"strides": ()}, "impossible layout"),
        ({"numbers": 2}, "not as PyTorch writes it"),
        ({"numbers": 10**15, "offset": 10**14}, "reaches beyond its 16"),
        ({"numbers": -1}, "not as PyTorch writes it"),
        ({"storage": "1"}, "archive/data/1 is missing"),
        ({"storage": "9" * 100_000}, "endless name"),
    ],
)
def test_layouts_that_reach_beyond_their_numbers(other: dict, part: str, tmp_path: Path) -> None:
    bad = {"audio_encoder__0__conv_block__0__bias": other}
    path = _described(tmp_path / "x.pth", WAV2LIP.parameters(), **bad)
    message = _refused(path, part)
    assert len(message) < 1000


def test_numbers_that_are_none(tmp_path: Path) -> None:
    row = np.array([1, np.nan, 3], "<f4").tobytes()
    with pytest.raises(CheckpointError, match="bias holds infinite values"):
        StoredTensor("f4", (3,), (1,), 0, 3, lambda: row).float32("bias")
    huge = struct.pack("<d", 1e300)
    with pytest.raises(CheckpointError, match="infinite"):
        StoredTensor("f8", (1,), (1,), 0, 1, lambda: huge).float32("bias")
    with pytest.raises(CheckpointError, match=r"kept as i1.*quantised"):
        StoredTensor("i1", (1,), (1,), 0, 1, lambda: b"\0").float32("bias")
