"""What kind of recogniser lies in a folder, told from its files, for sherpa-onnx.

sherpa-onnx publishes each model as a folder: one to four networks and their tokens. The names of
the networks and what is written in the metadata of the first one say which family it is of, and
whether it listens while somebody speaks or to whole utterances (csrc/online-*-model.cc and
csrc/offline-*-model-*.cc of sherpa-onnx read that metadata).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mien.asr.contract import AsrError
from mien.asr.sherpa_worker import Plan
from mien.language import Language
from mien.tts.onnx_metadata import NotOnnx, onnx_metadata

# Written in the encoder of every family of transducers that can be fed in pieces.
_CHUNKED = ("decode_chunk_len", "cache_last_channel_dim1")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_LATIN = re.compile(r"[A-Za-z]")
# A tokenizer of English has hundreds of pieces with letters; Chinese ones have a few by accident.
_ENOUGH = 20
_INVERSE = "itn*.fst"  # rules that write numbers with digits, where somebody put them there


@dataclass(frozen=True, slots=True)
class SherpaAsrModel:
    """A recogniser as it lies in its folder.

    languages: that it understands, of those mien speaks. streaming: whether it tells words while
    somebody speaks. family: of sherpa-onnx, for people.
    """

    plan: Plan
    languages: tuple[Language, ...]
    streaming: bool
    family: str

    def planned(self, **fields: object) -> SherpaAsrModel:
        """The same with more arguments for its maker."""
        return replace(self, plan=replace(self.plan, fields={**self.plan.fields, **fields}))


def look_into(folder: Path) -> SherpaAsrModel:
    """What lies in ``folder``, without loading it.

    Raises:
        AsrError: naming what lacks.
    """
    if not folder.is_dir():
        raise _refused(f"{folder} is not a folder", f"{folder} 不是文件夹")
    parts = {role: _network(folder, *names) for role, names in _ROLES.items()}
    first = parts["preprocessor"] or parts["encoder"] or parts["model"]
    if first is None:
        raise _refused(
            f"there is no recogniser for sherpa-onnx in {folder}: no encoder*.onnx or model*.onnx",
            f"{folder} 中没有 sherpa-onnx 语音识别模型：缺少 encoder*.onnx 或 model*.onnx",
        )
    metadata = _metadata(first)
    tokens = _tokens(folder, first)
    found = _by_parts(parts, metadata, folder) or _by_metadata(first, metadata)
    fields = {role: str(_needed(parts[role], role, folder)) for role in found.roles}
    fields = {found.renamed.get(role, role): path for role, path in fields.items()}
    fields["tokens"] = str(tokens)
    rules = ",".join(sorted(str(path) for path in folder.glob(_INVERSE)))
    if rules and "rule_fsts" not in found.more:
        fields["rule_fsts"] = rules
    plan = Plan("online" if found.streaming else "offline", found.maker, {**fields, **found.more})
    return SherpaAsrModel(plan, found.languages(tokens), found.streaming, found.name)


_ROLES: dict[str, tuple[str, ...]] = {
    "preprocessor": ("preprocess",),
    "encoder": ("encoder", "encode", "*-encoder"),
    "uncached_decoder": ("uncached_decode",),
    "cached_decoder": ("cached_decode",),
    "decoder": ("decoder", "*-decoder"),
    "joiner": ("joiner",),
    "model": ("model",),
}


@dataclass(frozen=True)
class _Family:
    """maker: class method of sherpa-onnx. roles: networks that it takes. renamed: what its
    argument is called where it is not the role. more: other arguments. spoken: languages where
    the tokens do not tell."""

    name: str
    maker: str
    roles: tuple[str, ...]
    streaming: bool
    more: Mapping[str, object]
    renamed: Mapping[str, str]
    spoken: tuple[Language, ...] = ()

    def languages(self, tokens: Path) -> tuple[Language, ...]:
        return self.spoken or _languages(tokens)


def _family(
    name: str,
    maker: str,
    *roles: str,
    streaming: bool = False,
    more: Mapping[str, object] | None = None,
    renamed: Mapping[str, str] | None = None,
    spoken: tuple[Language, ...] = (),
) -> _Family:
    return _Family(name, maker, roles, streaming, more or {}, renamed or {}, spoken)


def _by_parts(
    parts: Mapping[str, Path | None], metadata: Mapping[str, str], folder: Path
) -> _Family | None:
    """Families of several networks."""
    chunked = any(key in metadata for key in _CHUNKED)
    if parts["preprocessor"] is not None:
        spoken: tuple[Language, ...] = ("zh",) if re.search(r"[-_]zh\b", folder.name) else ("en",)
        four = ("preprocessor", "encoder", "uncached_decoder", "cached_decoder")
        return _family("moonshine", "from_moonshine", *four, spoken=spoken)
    if parts["joiner"] is not None:
        nemo = "EncDec" in metadata.get("model_type", "")
        kind = {"model_type": "nemo_transducer"} if nemo and not chunked else {}
        three = ("encoder", "decoder", "joiner")
        return _family("transducer", "from_transducer", *three, streaming=chunked, more=kind)
    if parts["encoder"] is None or parts["decoder"] is None:
        return None
    if metadata.get("model_type", "").startswith("whisper") or "n_text_layer" in metadata:
        spoken = ("en",) if metadata.get("is_multilingual", "1") == "0" else ("zh", "en")
        more = {"language": "" if "zh" in spoken else "en"}
        return _family("whisper", "from_whisper", "encoder", "decoder", more=more, spoken=spoken)
    if "lfr_window_size" in metadata:
        return _family("paraformer", "from_paraformer", "encoder", "decoder", streaming=True)
    return None


def _by_metadata(network: Path, metadata: Mapping[str, str]) -> _Family:
    """Families of a single network."""
    kind = metadata.get("model_type", "")
    if kind == "sense_voice_ctc":
        # Its inverse text normalisation also brings punctuation.
        more = {"language": "auto", "use_itn": True}
        return _family("SenseVoice", "from_sense_voice", "model", more=more)
    if kind == "paraformer":
        renamed = {"model": "paraformer"}
        return _family("paraformer", "from_paraformer", "model", renamed=renamed)
    if "cache_last_channel_dim1" in metadata:
        return _family("NeMo CTC", "from_nemo_ctc", "model", streaming=True)
    if kind == "zipformer2" and "decode_chunk_len" in metadata:
        return _family("zipformer CTC", "from_zipformer2_ctc", "model", streaming=True)
    if kind == "zipformer2_ctc":
        return _family("zipformer CTC", "from_zipformer_ctc", "model")
    if "cnn_module_kernel" in metadata:
        return _family("WeNet CTC", "from_wenet_ctc", "model", streaming=True)
    if "frame_length_ms" in metadata and "state_dim" in metadata:
        return _family("T-one CTC", "from_t_one_ctc", "model", streaming=True)
    if kind.startswith("EncDec"):
        return _family("NeMo CTC", "from_nemo_ctc", "model")
    raise _refused(
        f"{network} is of no family that mien knows (model_type {kind or 'missing'}): streaming "
        "transducer, paraformer, zipformer2-ctc, nemo-ctc, wenet-ctc, t-one; or SenseVoice, "
        "paraformer, whisper, moonshine",
        f"无法识别 {network} 的模型类型（model_type：{kind or '缺失'}）",
    )


def _network(folder: Path, *names: str) -> Path | None:
    """Of the same network in several precisions the one of whole numbers: fastest and smallest."""
    found = [path for name in names for path in folder.glob(f"{name}*.onnx") if path.is_file()]
    order = ("int8", "fp16")
    ranked = [
        (next((n for n, word in enumerate(order) if word in path.name), len(order)), path)
        for path in found
    ]
    return min(ranked)[1] if ranked else None


def _metadata(network: Path) -> dict[str, str]:
    try:
        return onnx_metadata(network)
    except (OSError, NotOnnx) as error:
        raise _refused(
            f"{network} is broken: {error}; fetch the model again",
            f"{network} 已损坏：{error}；请重新下载模型",
        ) from error


def _tokens(folder: Path, network: Path) -> Path:
    beside = network.name.split("-encoder")[0]
    for path in (folder / "tokens.txt", folder / f"{beside}-tokens.txt"):
        if path.is_file():
            return path
    raise _refused(f"tokens.txt is missing in {folder}", f"{folder} 中缺少 tokens.txt")


def _languages(tokens: Path) -> tuple[Language, ...]:
    try:
        pieces = tokens.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise _refused(f"{tokens} is broken: {error}", f"{tokens} 已损坏：{error}") from error
    pieces = [piece.rpartition(" ")[0] for piece in pieces if not piece.startswith("<")]
    understood: dict[Language, int] = {
        "zh": sum(_HAN.search(piece) is not None for piece in pieces),
        "en": sum(_LATIN.search(piece) is not None for piece in pieces),
    }
    return tuple(language for language, count in understood.items() if count >= _ENOUGH)


def _needed(path: Path | None, role: str, folder: Path) -> Path:
    if path is None:
        raise _refused(f"{role}*.onnx is missing in {folder}", f"{folder} 中缺少 {role}*.onnx")
    return path


def _refused(en: str, zh: str) -> AsrError:
    return AsrError(en, zh=zh, retryable=False)
