"""Recorded questions: what a measurement says into a microphone."""

from __future__ import annotations

import io
import tomllib
from dataclasses import dataclass, field
from importlib.resources import files

import av
import numpy as np

from mien.language import Language
from mien.media.microphone import RATE
from mien.media.tick import Pcm

# -40 dB of the loudest sample: below any sound of speech, above what the codec leaves of silence.
_AUDIBLE = 0.01


@dataclass(frozen=True, slots=True)
class SpokenQuestion:
    """name: of its file. pcm: int16[n] mono 16 kHz. voice: who says it ("flite slt", "espeak")."""

    name: str
    language: Language
    voice: str
    text: str
    pcm: Pcm = field(repr=False)

    @property
    def begin(self) -> int:
        """The first audible sample."""
        return int(self._audible()[0])

    @property
    def end(self) -> int:
        """One past the last audible sample: where the speaker falls silent."""
        return int(self._audible()[-1]) + 1

    def _audible(self) -> np.ndarray:
        level = np.abs(self.pcm.astype(np.int32))
        return np.flatnonzero(level > _AUDIBLE * level.max())


def spoken_questions(language: Language | None = None) -> list[SpokenQuestion]:
    """Those of a language, or all. English ones come first, clearest first."""
    folder = files("mien") / "assets" / "speech"
    listed = tomllib.loads((folder / "speech.toml").read_text(encoding="utf-8"))["recording"]
    return [
        SpokenQuestion(
            one["file"].removesuffix(".ogg"),
            one["language"],
            one["voice"],
            one["text"],
            _decoded((folder / one["file"]).read_bytes()),
        )
        for one in listed
        if language in (None, one["language"])
    ]


def spoken_question(name: str) -> SpokenQuestion:
    """By its file's name without suffix. Raises KeyError."""
    return {question.name: question for question in spoken_questions()}[name]


def _decoded(data: bytes) -> Pcm:
    with av.open(io.BytesIO(data), mode="r") as container:
        resampler = av.AudioResampler("s16", "mono", RATE)
        frames = [f for frame in container.decode(audio=0) for f in resampler.resample(frame)]
        frames += resampler.resample(None)
        return np.concatenate([frame.to_ndarray()[0] for frame in frames])
