"""Recognisers of sherpa-onnx: streaming and not, Chinese and English, on the CPU or a GPU.

One process with one model listens to every microphone. A second model, which hears whole
utterances better, may give the final words.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from pydantic import Field

from mien.asr.contract import AsrError
from mien.asr.settings import RecognizerSettings
from mien.asr.sherpa_engine import SherpaEngine
from mien.asr.sherpa_model import SherpaAsrModel, look_into
from mien.asr.sherpa_utterance import Utterance
from mien.language import Language
from mien.media.tick import Pcm
from mien.models.catalogue import catalogue
from mien.models.errors import ModelError
from mien.models.store import find_folder

logger = logging.getLogger(__name__)

DEFAULT_MODEL = "sherpa-onnx-streaming-zipformer-small-bilingual-zh-en-2023-02-16"


class SherpaSettings(RecognizerSettings):
    """model: a name of ``mien models list --kind asr``, or a folder. final: another one that hears
    each utterance again when it is over; "" for none. hotwords: names and terms that are likely to
    be said; only streaming transducers heed them, English ones where the model has a bpe.vocab.
    languages: that it understands, where the model tells wrongly. threads: of the CPU; more than
    four help little. provider: "cuda" needs a build of sherpa-onnx for CUDA.
    """

    service: Literal["sherpa"] = "sherpa"
    model: str = DEFAULT_MODEL
    final: str = ""
    hotwords: tuple[str, ...] = ()
    languages: tuple[Language, ...] | None = None
    threads: int = Field(default=2, ge=1, le=64)
    provider: Literal["cpu", "cuda", "coreml"] = "cpu"


class SherpaRecognizer:
    """See ``Recognizer``. Belongs to the event loop it is first used in."""

    def __init__(self, name: str, settings: SherpaSettings) -> None:
        """Reads files.

        Raises:
            AsrError: when the model is not here or not whole, saying how to get it.
        """
        self.name = name
        model = _looked(settings.model, settings)
        if settings.hotwords:
            model = _boosted(model, Path(str(model.plan.fields["tokens"])).parent)
        if settings.final:
            second = _looked(settings.final, settings)
            if second.streaming or not model.streaming:
                raise AsrError(
                    f"{settings.final} cannot hear again what {settings.model} heard: the first "
                    "must be a streaming model, the second one for whole utterances",
                    zh=f"final 需要非流式模型，model 需要流式模型；{settings.final} 不适用",
                    retryable=False,
                )
            model = replace(model, plan=replace(model.plan, second=second.plan))
        self.languages = frozenset(model.languages)
        self.streaming = model.streaming
        title = settings.model if settings.model in catalogue() else Path(settings.model).name
        self.label_en, self.label_zh = f"{title} ({model.family})", f"{title}（{model.family}）"
        self._hotwords = "/".join(settings.hotwords)
        self._engine = SherpaEngine(model.plan, settings.model)

    async def check(self) -> None:
        """See ``Recognizer.check``. The files were looked at when it was made."""
        if find_spec("sherpa_onnx") is None:
            command = "pip install 'mien[neural]'"
            raise AsrError(
                f"sherpa-onnx is not installed; install it with: {command}",
                zh=f"未安装 sherpa-onnx，请运行：{command}",
                retryable=False,
            )

    async def warm_up(self) -> None:
        """Load the model in its process: 1 to 3 s for the small ones."""
        await self.check()
        await self._engine.running()

    def open(self, language: Language, on_partial: Callable[[str], None]) -> SherpaRecognition:
        if language not in self.languages:
            understood = " ".join(sorted(self.languages)) or "none of mien's languages"
            raise AsrError(
                f"{self.label_en} understands {understood}, not {language}",
                zh=f"{self.label_zh} 不支持 {language}",
                retryable=False,
            )
        return SherpaRecognition(self._engine, on_partial, self._hotwords)

    async def aclose(self) -> None:
        await self._engine.aclose()


class SherpaRecognition:
    """See ``Recognition``. Whoever goes on after an answer is heard anew from the beginning of the
    utterance, in the background; after 12 s the 0.66 s of silence that bring out the last words
    stay in it instead."""

    def __init__(
        self, engine: SherpaEngine, on_partial: Callable[[str], None], hotwords: str
    ) -> None:
        self._engine = engine
        self._on_partial = on_partial
        self._hotwords = hotwords
        self._utterance = self._new()
        # Those that are over but still owe an answer.
        self._earlier: set[Utterance] = set()

    @property
    def partial(self) -> str:
        return self._utterance.words

    def begin(self) -> None:
        if self._utterance.untouched:
            return
        over, self._utterance = self._utterance, self._new()
        self._earlier = {one for one in self._earlier if not one.ended} | {over}
        over.end()

    def push(self, pcm: Pcm) -> None:
        self._utterance.push(pcm.tobytes())

    async def transcript(self) -> str:
        return await self._utterance.transcript()

    async def aclose(self) -> None:
        for utterance in (*self._earlier, self._utterance):
            await utterance.aclose()

    def _new(self) -> Utterance:
        utterance = Utterance(self._engine, self._hotwords)
        utterance.on_words = lambda: self._heard(utterance)
        return utterance

    def _heard(self, utterance: Utterance) -> None:
        if utterance is self._utterance:
            self._on_partial(utterance.words)


def _looked(wanted: str, settings: SherpaSettings) -> SherpaAsrModel:
    model = look_into(folder_of(wanted))
    if settings.languages is not None:
        model = replace(model, languages=settings.languages)
    elif (known := catalogue().get(wanted)) is not None and known.languages:
        both: tuple[Language, ...] = ("zh", "en")
        model = replace(model, languages=tuple(one for one in both if one in known.languages))
    return model.planned(num_threads=settings.threads, provider=settings.provider)


def folder_of(model: str, kind: str = "asr") -> Path:
    """Where a model of the catalogue, or a folder, lies. Raises AsrError saying how to get it."""
    known = catalogue()
    if model in known:
        try:
            return find_folder(model)
        except ModelError as error:
            raise AsrError(error.en, zh=error.zh, retryable=False) from error
    folder = Path(model).expanduser()
    if not folder.exists():
        names = ", ".join(
            one.name for one in known.values() if (one.kind, one.engine) == (kind, "sherpa")
        )
        raise AsrError(
            f"there is no model {model!r}: it is neither a folder nor one of {names}",
            zh=f"没有模型“{model}”：既不是文件夹，也不在以下名称之中：{names}",
            retryable=False,
        )
    return folder


def _boosted(model: SherpaAsrModel, folder: Path) -> SherpaAsrModel:
    """With the search that heeds hot words."""
    if model.plan.maker != "from_transducer" or not model.streaming:
        logger.warning("%s heeds no hot words: only streaming transducers do", model.family)
        return model
    vocabulary = folder / "bpe.vocab"
    pieces = {"bpe_vocab": str(vocabulary)} if vocabulary.is_file() else {}
    unit = "cjkchar+bpe" if pieces else "cjkchar"
    return model.planned(decoding_method="modified_beam_search", modeling_unit=unit, **pieces)
