"""How well the mouth follows held-out voices: ``python tools/viseme/evaluate.py --data D``.

Prints the tables of docs/lipsync.md. Everything goes the way of a performance: sound arrives in
pieces of 100 ms, is aligned with its text meanwhile, lies on a timeline, and each tick is drawn
from what is known by then.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from utterance import UNLABELLED

from mien.bench.viseme import performed
from mien.lipsync.contract import MouthRequest, MouthShape
from mien.lipsync.viseme import VisemeLipSync
from mien.lipsync.viseme.features import HOP, SAMPLE_RATE
from mien.lipsync.viseme.mouth import covered, shape_of_phones
from mien.lipsync.viseme.sounds import BILABIAL, SILENT, SOUNDS, VISEME_OF_SOUND, VISEMES, sounds
from mien.media.speech import Phone
from mien.media.tick import TICK_SEC
from mien.tts.espeak import EspeakVoice
from mien.tts.voice import Run

# A picture shows closed lips from this grip on.
CLOSED = 0.8
# A closure counts as shown by a picture up to one tick from it, and a picture of one as right.
NEAR_SEC = TICK_SEC

_TICK_FRAMES = round(TICK_SEC * SAMPLE_RATE / HOP)
_VISEME = np.array(VISEME_OF_SOUND)
Frames = NDArray[np.int64]


@dataclass
class Score:
    frames: int = 0
    right: list[int] = field(default_factory=lambda: [0, 0, 0])  # within 0, 10, 20 ms
    closures: int = 0
    hit: int = 0
    shown: int = 0
    false: int = 0
    phones: int = 0  # neither bilabial nor silent
    by_text: int = 0
    ticks: int = 0
    opened: list[tuple[float, float]] = field(default_factory=list)  # shown, true
    rounded: list[tuple[float, float]] = field(default_factory=list)

    def row(self) -> str:
        right = [f"{100 * right / self.frames:.1f}" for right in self.right]
        hit = f"{100 * self.hit / max(self.closures, 1):.1f}"
        false = f"{100 * self.false / max(self.shown, 1):.1f}"
        per_phone = f"{100 * self.false / max(self.phones, 1):.2f}"
        openness = f"{np.corrcoef(np.array(self.opened).T)[0, 1]:.2f}"
        rounding = f"{np.corrcoef(np.array(self.rounded).T)[0, 1]:.2f}"
        text = f"{100 * self.by_text / max(self.ticks, 1):.0f}"
        return " | ".join([*right, hit, false, per_phone, openness, rounding, text])


HEADER = (
    "| voice | way | frames % | ±10 ms | ±20 ms | closures hit % | false % | false per 100 phones "
    "| openness r | rounding r | ticks by text % |\n|---|---|---|---|---|---|---|---|---|---|---|"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--sentences", type=int, default=1000)
    given = parser.parse_args()
    print(HEADER)
    for path in sorted(p for p in given.data.glob("*.npz") if given.only in p.name):
        part = np.load(path)
        if not bool(part["held_out"]):
            continue
        language = str(part["language"])
        spelled = asyncio.run(_spelled(list(part["texts"][: given.sentences]), language))
        for way in ("text, pieces", "text, ahead", "net alone"):
            score = Score()
            for words, (pcm, truth) in zip(spelled, _utterances(part), strict=False):
                _judge(score, pcm, truth, None if way == "net alone" else words, "ahead" in way)
            print(f"| {part['name']} | {way} | {score.row()} |", flush=True)


async def _spelled(texts: Sequence[str], language: str) -> list[list[list[str]]]:
    voice = EspeakVoice()
    try:
        run = "zh" if language == "zh" else "en"
        return [await voice.phonemes([Run(run, str(text))]) for text in texts]
    finally:
        await voice.aclose()


def _utterances(part: np.lib.npyio.NpzFile) -> Iterator[tuple[NDArray[np.int16], Frames]]:
    sample = frame = 0
    audio, label = part["audio"], part["labels"]
    for samples, frames in zip(part["samples"], part["frames"], strict=True):
        yield audio[sample : sample + samples], label[frame : frame + frames].astype(np.int64)
        sample += int(samples)
        frame += int(frames)


def _judge(
    score: Score,
    pcm: NDArray[np.int16],
    truth: Frames,
    words: Sequence[Sequence[str]] | None,
    ahead: bool,
) -> None:
    requests = list(performed(ENGINE, pcm, SAMPLE_RATE, words=words, ahead=ahead))
    shapes = [mouth.shape or MouthShape() for mouth in ENGINE.render(requests)]
    true_phones = _phones(truth)
    guess = np.concatenate([_heard(request) for request in requests])
    length = min(len(guess), len(truth))
    guess, truth = guess[:length], truth[:length]
    spoken = np.flatnonzero((truth != SILENT) & (truth != UNLABELLED))
    if not len(spoken):
        return
    # A tenth of a second of the silence around the sentence, no more: the rest is too easy.
    counted = np.zeros(length, bool)
    counted[max(0, spoken[0] - 10) : spoken[-1] + 11] = True
    counted &= truth != UNLABELLED
    want, got = _VISEME[np.where(truth == UNLABELLED, 0, truth)], _VISEME[guess]
    score.frames += int(counted.sum())
    for reach in (0, 1, 2):
        near = np.zeros(length, bool)
        for shift in range(-reach, reach + 1):
            near |= got == np.roll(want, shift)
        score.right[reach] += int((near & counted).sum())
    _judge_closures(score, shapes, true_phones)
    score.ticks += len(requests)
    score.by_text += sum(r.phones is not None and covered(r.phones) for r in requests)
    for tick, shape in enumerate(shapes):
        now = tick * TICK_SEC
        near = [Phone(p.symbol, p.start - now, p.end - now) for p in true_phones]
        if covered(near):
            ideal = shape_of_phones(near)
            score.opened.append(
                (shape.openness * (1 - _closed(shape)), ideal.openness * (1 - _closed(ideal)))
            )
            score.rounded.append((shape.rounding, ideal.rounding))


def _closed(shape: MouthShape) -> float:
    return shape.grip if shape.consonant == "PP" else 0.0


def _judge_closures(score: Score, shapes: Sequence[MouthShape], true_phones: list[Phone]) -> None:
    true: list[tuple[float, float]] = []
    for phone in true_phones:
        if phone.symbol in ("m", "b"):
            if true and phone.start - true[-1][1] < 0.005:
                true[-1] = (true[-1][0], phone.end)
            else:
                true.append((phone.start, phone.end))
        elif phone.symbol:
            score.phones += 1
    closed = [i for i, shape in enumerate(shapes) if _closed(shape) >= CLOSED]
    times = np.array([(i + 0.5) * TICK_SEC for i in closed])
    score.closures += len(true)
    for start, end in true:
        score.hit += bool(np.any((times > start - NEAR_SEC) & (times < end + NEAR_SEC)))
    runs: list[list[int]] = []
    for i in closed:
        if runs and runs[-1][-1] == i - 1:
            runs[-1].append(i)
        else:
            runs.append([i])
    score.shown += len(runs)
    for run in runs:
        middle = [(i + 0.5) * TICK_SEC for i in run]
        score.false += not any(
            start - NEAR_SEC < t < end + NEAR_SEC for t in middle for start, end in true
        )


def _phones(truth: Frames) -> list[Phone]:
    edges = np.flatnonzero(np.diff(truth, prepend=-1, append=-1))
    return [
        Phone(SOUNDS[truth[a]], (a - 0.5) * 0.01, (b - 0.5) * 0.01)
        for a, b in pairwise(edges)
        if truth[a] != UNLABELLED
    ]


def _heard(request: MouthRequest) -> Frames:
    """The sound at each frame of a tick: by the phones, or by the net where they say nothing."""
    found = np.zeros(_TICK_FRAMES, np.int64)
    by_text = request.phones is not None and covered(request.phones)
    posteriors, start = HEARING.posteriors(request.audio)
    for i in range(_TICK_FRAMES):
        at = i * 0.01
        said = None
        if by_text:
            said = next((p for p in request.phones or () if p.start <= at + 1e-6 < p.end), None)
        if said is not None:
            parts = sounds(said.symbol)
            found[i] = parts[0][0] if parts else SILENT
        else:
            row = posteriors[int(np.clip(round((at - start) / 0.01), 0, len(posteriors) - 1))]
            viseme = np.bincount(_VISEME, row, len(VISEMES)).argmax()
            inside = np.where(viseme == _VISEME, row, -1)
            found[i] = int(inside.argmax())
    return found


assert BILABIAL == (SOUNDS.index("m"), SOUNDS.index("b"))
ENGINE = VisemeLipSync()
HEARING = ENGINE._hearing
assert HEARING is not None, "the net must be there to be evaluated"

if __name__ == "__main__":
    main()
