"""What kind of voice lies in a folder, told from its files, for sherpa-onnx.

sherpa-onnx publishes each voice as a folder: one network (or two), its tokens, and what its text
front end needs: a lexicon, or espeak-ng's data. The network's metadata says which family it is of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mien.language import Language
from mien.tts.onnx_metadata import NotOnnx, onnx_metadata
from mien.tts.sherpa_worker import Plan
from mien.tts.voice import VoiceError

# ``model_type`` of a network's metadata → the family that sherpa-onnx runs it as.
_FAMILIES = {
    "vits": "Vits",
    "melo-vits": "Vits",
    "matcha-tts": "Matcha",
    "kokoro": "Kokoro",
    "kokoro-tts": "Kokoro",
    "kitten-tts": "Kitten",
}
_VOCODERS = ("vocos", "matcha-tts vocos", "hifigan")
# Without these sherpa-onnx ends its process, naming one of them at best.
_NEEDED = {
    "Vits": ("sample_rate", "n_speakers", "language", "comment"),
    "Matcha": ("sample_rate", "n_speakers", "use_eos_bos", "pad_id"),
    "Kokoro": ("sample_rate", "n_speakers", "has_espeak", "style_dim"),
    "Kitten": ("sample_rate", "n_speakers", "has_espeak", "style_dim"),
}
_PHONEMES = "espeak-ng-data"
# The only rules worth having: numbers, dates and the like are in words before they come here.
_POLYPHONES = "*heteronym*.fst"


@dataclass(frozen=True, slots=True)
class SherpaModel:
    """A voice as it lies in its folder.

    languages: that it speaks, of those mien speaks. speakers: how many there are. names: theirs,
    in the order of their numbers; () where they have none.
    """

    plan: Plan
    languages: tuple[Language, ...]
    speakers: int
    names: tuple[str, ...]


def look_into(folder: Path, file: str = "") -> SherpaModel:
    """What lies in ``folder``, without loading it.

    file: of several networks, the one to use.

    Raises:
        VoiceError: naming what lacks.
    """
    if not folder.is_dir():
        raise _refused(f"{folder} is not a folder", f"{folder} 不是文件夹")
    networks, vocoder = _networks(folder)
    network = _chosen(folder, networks, file)
    metadata = networks[network]
    family = _family(metadata, vocoder)
    if missing := [key for key in _NEEDED[family] if not metadata.get(key)]:
        raise _refused(
            f"{network} lacks what sherpa-onnx reads from its metadata: {', '.join(missing)}; "
            "get the model from sherpa-onnx's own releases",
            f"{network} 的元数据缺少 {'、'.join(missing)}；请使用 sherpa-onnx 官方发布的模型",
        )
    fields = _fields(family, folder, network, metadata, vocoder)
    names = [name.strip() for name in metadata.get("speaker_names", "").split(",")]
    return SherpaModel(
        Plan(family, fields, _rules(folder, metadata, fields)),
        _languages(family, folder, metadata),
        max(1, int(metadata["n_speakers"]) if metadata["n_speakers"].isdecimal() else 1),
        tuple(name for name in names if name),
    )


def _rules(folder: Path, metadata: Mapping[str, str], fields: Mapping[str, str]) -> str:
    """Rules that mark polyphones, for the one front end that understands the marks."""
    others = metadata.get("jieba") == "1" or "melo" in metadata.get("comment", "")
    if others or "style_dim" in metadata or not {"model", "lexicon"} <= fields.keys():
        return ""
    return ",".join(sorted(str(path) for path in folder.glob(_POLYPHONES)))


def _networks(folder: Path) -> tuple[dict[str, Mapping[str, str]], str]:
    """File names of the voice's networks with their metadata, and that of the vocoder, if any."""
    voices: dict[str, Mapping[str, str]] = {}
    vocoder = ""
    for path in sorted(folder.glob("*.onnx")):
        try:
            metadata = onnx_metadata(path)
        except (NotOnnx, OSError) as error:
            raise _refused(
                f"{path} cannot be used: {error}", f"{path} 无法使用：{error}"
            ) from error
        if metadata.get("model_type") in _VOCODERS:
            vocoder = path.name
        elif "sample_rate" in metadata or metadata.get("model_type") in _FAMILIES:
            voices[path.name] = metadata
    return voices, vocoder


def _chosen(folder: Path, networks: Mapping[str, Mapping[str, str]], file: str) -> str:
    if file:
        if file not in networks:
            raise _refused(f"there is no voice {file} in {folder}", f"{folder} 中没有声音 {file}")
        return file
    if not networks:
        raise _refused(
            f"there is no voice for sherpa-onnx in {folder}: no .onnx file whose metadata tells a "
            "sample rate",
            f"{folder} 中没有 sherpa-onnx 声音：没有元数据含采样率的 .onnx 文件",
        )
    # Of the same network in several precisions the full one: the others are not always faster.
    return min(networks, key=lambda name: ("int8" in name or "fp16" in name, name))


def _family(metadata: Mapping[str, str], vocoder: str) -> str:
    if "style_dim" in metadata:
        return "Kitten" if metadata.get("model_type") == "kitten-tts" else "Kokoro"
    known = _FAMILIES.get(metadata.get("model_type", ""))
    return known or ("Matcha" if vocoder else "Vits")


def _fields(
    family: str, folder: Path, network: str, metadata: Mapping[str, str], vocoder: str
) -> dict[str, str]:
    """Arguments of the family's configuration; every path in it exists."""
    own = "acoustic_model" if family == "Matcha" else "model"
    fields = {own: str(folder / network), "tokens": _needed(folder, "tokens.txt")}
    lexicons = [folder / f"lexicon{which}.txt" for which in ("", "-us-en", "-zh")]
    lexicon = ",".join(str(path) for path in lexicons if path.is_file())
    phonemes = str(folder / _PHONEMES) if (folder / _PHONEMES / "phontab").is_file() else ""
    if family == "Vits":
        return fields | _vits_front_end(folder, metadata, lexicon, phonemes)
    if family == "Matcha":
        if not vocoder:
            raise _refused(
                f"there is no vocoder beside {network} in {folder}: put vocos-16khz-univ.onnx "
                "(for a voice of 16 kHz) or vocos-22khz-univ.onnx there",
                f"{folder} 中缺少 {network} 所需的声码器：请放入 vocos-16khz-univ.onnx（16 kHz "
                "声音）或 vocos-22khz-univ.onnx",
            )
        fields["vocoder"] = str(folder / vocoder)
    else:
        fields["voices"] = _needed(folder, "voices.bin")
        _needed(folder, f"{_PHONEMES}/phontab")
    if lexicon and family != "Kitten":
        fields["lexicon"] = lexicon
    if phonemes:
        fields["data_dir"] = phonemes
    if "lexicon" not in fields and "data_dir" not in fields:
        _needed(folder, "lexicon.txt")
    return fields


def _vits_front_end(
    folder: Path, metadata: Mapping[str, str], lexicon: str, phonemes: str
) -> dict[str, str]:
    """How its text becomes tokens: as espeak-ng says, as a lexicon says, or letter by letter."""
    if metadata.get("frontend") == "characters":
        return {}
    spelled = any(maker in metadata["comment"] for maker in ("piper", "coqui", "Inflect"))
    if spelled or (phonemes and not lexicon):
        _needed(folder, f"{_PHONEMES}/phontab")
        return {"data_dir": phonemes}
    return {"lexicon": lexicon or _needed(folder, "lexicon.txt")}


def _languages(family: str, folder: Path, metadata: Mapping[str, str]) -> tuple[Language, ...]:
    said = f"{metadata.get('language', '')} {metadata.get('voice', '')}".lower()
    zh = "chinese" in said or "zh" in said or "cmn" in said or metadata.get("jieba") == "1"
    en = "english" in said or "en-" in said
    if family == "Kokoro":
        zh, en = (folder / "lexicon-zh.txt").is_file(), True
    if family == "Kitten" or not said.strip():
        en = True
    spoken: dict[Language, bool] = {"zh": zh, "en": en}
    return tuple(language for language, speaks in spoken.items() if speaks)


def _needed(folder: Path, name: str) -> str:
    path = folder / name
    if not path.is_file():
        raise _refused(f"{name} is missing in {folder}", f"{folder} 中缺少 {name}")
    return str(path)


def _refused(en: str, zh: str) -> VoiceError:
    return VoiceError(en, retryable=False, zh=zh)
