"""Tiny voices of the families that sherpa-onnx runs: each token is a tone of its own.

A token sounds for ``TOKEN_SEC`` at ``100 + 7 * id`` Hz, half as high again for each further
speaker, shorter at higher speed. Real networks have the same inputs, outputs and metadata.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RATE = 22_050
TOKEN_SEC = 0.05
HOP = round(RATE * TOKEN_SEC)
INT, FLOAT = TensorProto.INT64, TensorProto.FLOAT

# What espeak-ng may say in English, and marks; "_" is the pad, "^" and "$" enclose a sentence.
PIPER = "_^$ !',-.:;?abcdefghijklmnopqrstuvwxyzæðŋɐɑɒɔəɚɛɜɡɪɹɾʃʊʌʒˈˌːθᵻ"


def _save(
    path: Path,
    nodes: list[onnx.NodeProto],
    inputs: list[tuple[str, int, list[str | int]]],
    outputs: list[tuple[str, list[str | int]]],
    constants: dict[str, np.ndarray],
    metadata: dict[str, object],
) -> None:
    graph = helper.make_graph(
        nodes,
        "voice",
        [helper.make_tensor_value_info(*each) for each in inputs],
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {key: str(value) for key, value in metadata.items()})
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _tone(tokens: str, length: str, speaker: str | None, out: str) -> list[onnx.NodeProto]:
    """``out`` float32[n]: tones of ``tokens`` int64[1, k]; ``length`` float32[1] stretches them."""
    node = helper.make_node
    return [
        node("Mul", ["hop", length], ["long"]),
        node("Cast", ["long"], ["step"], to=INT),
        node("Shape", [tokens], ["shape"]),
        node("Gather", ["shape", "one"], ["count"]),
        node("Mul", ["count", "step"], ["samples"]),
        node("Squeeze", ["samples"], ["end"]),
        node("Range", ["zero", "end", "unit"], ["at"]),
        node("Div", ["at", "step"], ["which"]),
        node("Squeeze", [tokens, "axis"], ["flat"]),
        node("Gather", ["flat", "which"], ["token"]),
        node("Cast", ["token"], ["number"], to=FLOAT),
        node("Mul", ["number", "apart"], ["above"]),
        node("Add", ["above", "lowest"], ["base"]),
        *(
            [
                node("Cast", [speaker], ["who"], to=FLOAT),
                node("Mul", ["who", "half"], ["more"]),
                node("Add", ["more", "whole"], ["higher"]),
                node("Mul", ["base", "higher"], ["hertz"]),
            ]
            if speaker
            else [node("Identity", ["base"], ["hertz"])]
        ),
        node("Cast", ["at"], ["moment"], to=FLOAT),
        node("Mul", ["moment", "turn"], ["angle"]),
        node("Mul", ["angle", "hertz"], ["phase"]),
        node("Sin", ["phase"], ["wave"]),
        node("Mul", ["wave", "volume"], [out]),
    ]


def _constants(**more: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "hop": np.float32([HOP]),
        "one": np.int64([1]),
        "zero": np.int64(0),
        "unit": np.int64(1),
        "axis": np.int64([0]),
        "apart": np.float32([7]),
        "lowest": np.float32([100]),
        "half": np.float32([0.5]),
        "whole": np.float32([1]),
        "turn": np.float32([2 * np.pi / RATE]),
        "volume": np.float32([0.3]),
        **more,
    }


def _tokens(folder: Path, symbols: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{symbol} {number}" for number, symbol in enumerate(symbols)]
    (folder / "tokens.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _phonemes(folder: Path) -> None:
    import espeakng_loader

    (folder / "espeak-ng-data").symlink_to(espeakng_loader.get_data_path())


def piper(folder: Path, speakers: int = 1, **metadata: object) -> Path:
    """A Piper voice of English. Returns ``folder``."""
    _tokens(folder, list(PIPER))
    _phonemes(folder)
    nodes = [
        helper.make_node("Gather", ["scales", "one"], ["length"]),
        *_tone("input", "length", "sid" if speakers > 1 else None, "sound"),
        helper.make_node("Reshape", ["sound", "all"], ["output"]),
    ]
    inputs = [
        ("input", INT, [1, "n"]),
        ("input_lengths", INT, [1]),
        ("scales", FLOAT, [3]),
    ]
    if speakers > 1:
        inputs.append(("sid", INT, [1]))
    said = {
        "model_type": "vits",
        "comment": "piper",
        "language": "English",
        "voice": "en-us",
        "has_espeak": 1,
        "n_speakers": speakers,
        "sample_rate": RATE,
        **metadata,
    }
    _save(
        folder / "en_US-seeded-low.onnx",
        nodes,
        inputs,
        [("output", [1, 1, "t"])],
        _constants(all=np.int64([1, 1, -1])),
        {key: value for key, value in said.items() if value is not None},
    )
    return folder


CHINESE = ["sil", "eos", "#0", "，", "。", "你", "好", "今", "天", "气", "很"]


def icefall(folder: Path) -> Path:
    """A VITS voice of Chinese with a lexicon. Returns ``folder``."""
    _tokens(folder, CHINESE)
    lexicon = "".join(f"{character} {character}\n" for character in CHINESE[5:])
    (folder / "lexicon.txt").write_text(lexicon, encoding="utf-8")
    nodes = [
        *_tone("x", "length_scale", None, "sound"),
        helper.make_node("Reshape", ["sound", "all"], ["y"]),
    ]
    inputs = [("x", INT, [1, "n"]), ("x_length", INT, [1])]
    inputs += [(name, FLOAT, [1]) for name in ("noise_scale", "length_scale", "noise_scale_w")]
    metadata = {
        "model_type": "vits",
        "comment": "seeded",
        "language": "Chinese",
        "n_speakers": 0,
        "sample_rate": RATE,
        "punctuation": "， 。",
    }
    _save(
        folder / "model.onnx",
        nodes,
        inputs,
        [("y", [1, "t"])],
        _constants(all=np.int64([1, -1])),
        metadata,
    )
    return folder


def matcha(folder: Path) -> Path:
    """A Matcha voice, Chinese and English, with its vocoder. Returns ``folder``.

    Each token is a frame of 80 numbers, which the vocoder makes into 256 samples of a tone.
    """
    _tokens(
        folder,
        list("_^$ ,.?!;:")
        + CHINESE[5:]
        + list("abcdefghijklmnopqrstuvwxyzəɛɪʊʌɑɔæθðʃʒŋɹɡAIOWYʧʤˈˌ"),
    )
    lexicon = "".join(f"{character} {character}\n" for character in CHINESE[5:])
    (folder / "lexicon.txt").write_text(lexicon, encoding="utf-8")
    _phonemes(folder)
    node = helper.make_node
    acoustic = [
        node("Cast", ["x"], ["number"], to=FLOAT),
        node("Unsqueeze", ["number", "axis"], ["row"]),
        node("Mul", ["row", "bands"], ["frames"]),
        node("Mul", ["eight", "length_scale"], ["wanted"]),
        node("Concat", ["ones", "ones", "wanted"], ["scales"], axis=0),
        node("Resize", ["frames", "", "scales"], ["mel"], mode="nearest"),
    ]
    inputs = [
        ("x", INT, [1, "n"]),
        ("x_length", INT, [1]),
        ("noise_scale", FLOAT, [1]),
        ("length_scale", FLOAT, [1]),
    ]
    _save(
        folder / "model-steps-3.onnx",
        acoustic,
        inputs,
        [("mel", [1, 80, "t"])],
        {
            "axis": np.int64([0]),
            "bands": np.ones((1, 80, 1), np.float32),
            "eight": np.float32([8]),
            "ones": np.float32([1]),
        },
        {
            "model_type": "matcha-tts",
            "voice": "zh en-us",
            "has_espeak": 1,
            "jieba": 0,
            "n_speakers": 1,
            "sample_rate": 16_000,
            "use_eos_bos": 0,
            "pad_id": 0,
        },
    )
    one_bin = np.zeros((513, 80), np.float32)
    one_bin[20, 0] = 0.5
    vocoder = [
        node("MatMul", ["weights", "mel"], ["mag"]),
        node("Mul", ["mag", "nothing"], ["silent"]),
        node("Add", ["silent", "all"], ["x"]),
        node("Identity", ["silent"], ["y"]),
    ]
    shape: list[str | int] = [1, 513, "t"]
    _save(
        folder / "vocos-16khz-univ.onnx",
        vocoder,
        [("mel", FLOAT, [1, 80, "t"])],
        [("mag", shape), ("x", shape), ("y", shape)],
        {
            "weights": one_bin[None],
            "nothing": np.float32([0]),
            "all": np.float32([1]),
        },
        {"model_type": "vocos", "n_fft": 1024, "hop_length": 256, "win_length": 1024},
    )
    return folder


def kokoro(folder: Path, kitten: bool = False) -> Path:
    """A Kokoro (or Kitten) voice of English with two named speakers. Returns ``folder``.

    A speaker's style begins with how much higher they speak, counted as in ``piper``.
    """
    _tokens(
        folder, list('$;:,.!?—…"()“” abcdefhijklmnopqrstuvwxyzæðŋɐɑɒɔəɚɛɜɡɪɹɾʃʊʌʒˈˌːθᵻAIOQSTWYʤʧ')
    )
    _phonemes(folder)
    node = helper.make_node
    nodes = [
        node("Gather", ["style", "first"], ["who_"], axis=1),
        node("Squeeze", ["who_"], ["speaker"]),
        node("Div", ["whole", "speed"], ["length"]),
        *_tone("input_ids" if kitten else "tokens", "length", "speaker", "audio"),
    ]
    rows = 64
    styles = np.zeros((2, 1 if kitten else rows, 8), np.float32)
    styles[1, :, 0] = 1
    styles.tofile(folder / "voices.bin")
    _save(
        folder / "model.onnx",
        nodes,
        [
            ("input_ids" if kitten else "tokens", INT, [1, "n"]),
            ("style", FLOAT, [1, 8]),
            ("speed", FLOAT, [1]),
        ],
        [("audio", ["t"])],
        _constants(first=np.int64([0])),
        {
            "model_type": "kitten-tts" if kitten else "kokoro",
            "voice": "en-us",
            "has_espeak": 1,
            "n_speakers": 2,
            "speaker_names": "af_anna,am_ben",
            "sample_rate": RATE,
            "style_dim": "1,8" if kitten else f"{rows},1,8",
        },
    )
    return folder
