"""Families of models that sherpa-onnx listens with: told apart, and heard again by a second one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sherpa_onnx", reason="needs the extra mien[neural]")
pytest.importorskip("onnx", reason="needs onnx, from the extra mien[wav2lip]")

import onnx
import sherpa_onnx

import tiny_asr
import tiny_models
from mien.asr.contract import AsrError
from mien.asr.sherpa import SherpaRecognizer, SherpaSettings
from mien.asr.sherpa_model import look_into
from mien.asr.sherpa_text import presentable
from mien.asr.sherpa_worker import RATE, _pieces
from tiny_asr import Microphone, spoken


def network(path: Path, **metadata: str) -> None:
    """An ONNX file with nothing in it but what is written on it."""
    graph = onnx.helper.make_graph([], "nothing", [], [])
    model = onnx.helper.make_model(graph)
    onnx.helper.set_model_props(model, metadata)
    onnx.save(model, path)


HAN, LATIN = "".join(map(chr, range(0x4E00, 0x4E40))), [f"▁w{n}" for n in range(40)]
FAMILIES = [
    ("encoder-1 decoder-1 joiner-1", {"model_type": "zipformer", "decode_chunk_len": "32"}, True),
    ("encoder-1 decoder-1 joiner-1", {"model_type": "zipformer2"}, False),
    ("encoder decoder", {"lfr_window_size": "7"}, True),
    ("tiny-encoder tiny-decoder", {"model_type": "whisper-tiny", "is_multilingual": "1"}, False),
    ("preprocess encode uncached_decode cached_decode", {}, False),
    ("model", {"model_type": "sense_voice_ctc"}, False),
    ("model", {"model_type": "paraformer"}, False),
    ("model", {"model_type": "zipformer2", "decode_chunk_len": "32"}, True),
    ("model-streaming", {"cnn_module_kernel": "15"}, True),
    ("model", {"frame_length_ms": "300", "state_dim": "1"}, True),
    ("model", {"model_type": "EncDecCTCModelBPE"}, False),
]
MAKERS = (
    "transducer transducer paraformer whisper moonshine sense_voice paraformer zipformer2_ctc "
    "wenet_ctc t_one_ctc nemo_ctc"
).split()


@pytest.mark.parametrize(
    ("names", "metadata", "streaming", "maker"),
    [(*family, maker) for family, maker in zip(FAMILIES, MAKERS, strict=True)],
)
def test_families_are_told_by_their_files(
    tmp_path: Path, names: str, metadata: dict[str, str], streaming: bool, maker: str
) -> None:
    for name in names.split():
        network(tmp_path / f"{name}.int8.onnx", **metadata)
        network(tmp_path / f"{name}.onnx", **metadata)
    tokens = "tiny-tokens.txt" if "tiny" in names else "tokens.txt"
    rows = [f"{token} {n}\n" for n, token in enumerate(["<blk>", *HAN])]
    (tmp_path / tokens).write_text("".join(rows), encoding="utf-8")
    model = look_into(tmp_path)
    assert (model.plan.maker, model.streaming) == (f"from_{maker}", streaming)
    assert (model.plan.kind == "online") == streaming
    assert model.languages in (("zh",), ("en",), ("zh", "en"))
    paths = {str(path) for path in model.plan.fields.values() if str(path).endswith(".onnx")}
    assert paths == {str(tmp_path / f"{name}.int8.onnx") for name in names.split()}
    # Its arguments are those that this version of sherpa-onnx takes.
    engine = sherpa_onnx.OnlineRecognizer if streaming else sherpa_onnx.OfflineRecognizer
    made = getattr(engine, model.plan.maker).__code__
    assert set(model.plan.fields) <= set(made.co_varnames[: made.co_argcount])


def test_languages_are_told_by_the_tokens(tmp_path: Path) -> None:
    network(tmp_path / "model.onnx", model_type="paraformer")
    for tokens, expected in (([*LATIN], ("en",)), ([*HAN, *LATIN], ("zh", "en")), (["a"], ())):
        rows = [f"{token} {n}\n" for n, token in enumerate(["<blank>", *tokens])]
        (tmp_path / "tokens.txt").write_text("".join(rows), encoding="utf-8")
        assert look_into(tmp_path).languages == expected


def test_a_network_of_no_family_is_refused(tmp_path: Path) -> None:
    network(tmp_path / "model.onnx", model_type="vits")
    (tmp_path / "tokens.txt").write_text("a 0\n", encoding="utf-8")
    with pytest.raises(AsrError, match=r"no family that mien knows \(model_type vits\)"):
        look_into(tmp_path)
    network(tmp_path / "encoder.onnx", decode_chunk_len="32")
    network(tmp_path / "joiner.onnx")
    with pytest.raises(AsrError, match=r"decoder\*.onnx is missing"):
        look_into(tmp_path)


async def test_a_transducer_heeds_hot_words(tmp_path: Path) -> None:
    folder = str(tiny_models.transducer(tmp_path / "model"))
    for hotwords in ((), ("笑话", "几点")):
        recognizer = SherpaRecognizer("x", SherpaSettings(model=folder, hotwords=hotwords))
        microphone = Microphone(recognizer, "zh")
        microphone.recognition.begin()
        await microphone.hear(await spoken("讲个笑话", "zh"))
        assert await microphone.words() == "讲个笑话"
        await microphone.recognition.aclose()
        await recognizer.aclose()


async def test_a_second_model_hears_whole_utterances_again(tmp_path: Path) -> None:
    second = tiny_models.whole(tmp_path / "second", {"笑": "笑笑", "▁joke": "▁JEST"})
    settings = SherpaSettings(model=str(tiny_asr.FOLDER), final=str(second))
    recognizer = SherpaRecognizer("x", settings)
    microphone = Microphone(recognizer, "zh")
    microphone.recognition.begin()
    await microphone.hear(await spoken("讲个笑话", "zh"), np.zeros(RATE // 2, np.int16))
    assert await microphone.recognition.transcript() == "讲个笑笑话"
    assert microphone.recognition.partial == "讲个笑话"
    microphone.recognition.begin()
    assert await microphone.recognition.transcript() == ""
    await microphone.hear(np.zeros(RATE, np.int16))
    assert await microphone.recognition.transcript() == ""
    await microphone.recognition.aclose()
    await recognizer.aclose()
    with pytest.raises(AsrError, match="cannot hear again"):
        SherpaRecognizer("x", SherpaSettings(model=str(second), final=str(second)))


async def test_a_model_for_whole_utterances_has_no_partials(tmp_path: Path) -> None:
    model = tiny_models.whole(tmp_path / "model", {})
    recognizer = SherpaRecognizer("x", SherpaSettings(model=str(model)))
    assert not recognizer.streaming
    microphone = Microphone(recognizer, "en")
    microphone.recognition.begin()
    await microphone.hear(await spoken("tell me a joke", "en"), np.zeros(RATE // 2, np.int16))
    assert await microphone.words() == "tellmeajoke"
    await microphone.hear(await spoken("what can you do", "en"), np.zeros(RATE // 2, np.int16))
    assert await microphone.words() == "tellmeajokewhatcanyoudo"
    assert microphone.partials.empty()
    await microphone.recognition.aclose()
    await recognizer.aclose()


def test_long_utterances_are_cut_where_nobody_speaks() -> None:
    rng = np.random.default_rng(0)
    sound = (rng.standard_normal(60 * RATE) * 3000).astype(np.int16)
    pauses = [23, 48]
    for second in pauses:
        sound[second * RATE : second * RATE + RATE // 2] = 0
    pieces = _pieces(sound.tobytes())
    ends = np.cumsum([len(piece) for piece in pieces]) / RATE
    assert [round(end) for end in ends] == [*pauses, 60]
    assert np.array_equal(np.concatenate(pieces), sound.astype(np.float32) / 32768)


@pytest.mark.parametrize(
    ("heard", "written"),
    [
        ("昨天是 MONDAY TODAY IS 礼拜二", "昨天是 monday today is 礼拜二"),
        ("WHAT DO I DO I'LL SEE", "What do I do I'll see"),
        ("今 天 天 气", "今天天气"),
        ("mien是什么", "mien 是什么"),
        ("你好 ， 世界 。", "你好，世界。"),
        (" The tribal chieftain called. ", "The tribal chieftain called."),
        ("<unk> hello<unk>", "Hello"),
        ("温度20度", "温度 20 度"),
        ("", ""),
    ],
)
def test_words_as_they_are_shown(heard: str, written: str) -> None:
    assert presentable(heard) == written
