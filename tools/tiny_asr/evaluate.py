"""How well sherpa-onnx hears with the model: ``python evaluate.py FOLDER [--recordings FOLDER]``.

Each sentence as mien says it itself and in other voices, clean, through Opus with a little noise,
and one after the other in a single stream.
"""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path

import av
import corpus
import numpy as np
import sherpa_onnx
from augment import degraded
from speak import FLITE, RATE, Pcm, Segment, at_random, espeak, flite
from utterance import Utterance

_TAIL = np.zeros(RATE * 66 // 100, np.int16)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--recordings", type=Path, help="folder with a speech.toml")
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    known = corpus.sentences(given.folder / "sentences.txt")
    engine = sherpa_onnx.OnlineRecognizer.from_nemo_ctc(
        tokens=str(given.folder / "tokens.txt"),
        model=str(given.folder / "model.int8.onnx"),
        num_threads=1,
    )
    texts = [text for _, text in known]
    usual = espeak([_as_mien(language, text) for language, text in known])
    own = [pcm for pcm in usual if pcm is not None]
    _report(engine, "mien's own voice", texts, own)
    _report(engine, "degraded", texts, [_worn(pcm, rng) for pcm in own])
    for variant in ("f3", "m3", "klatt5"):
        lines = [at_random(language, text, rng) for language, text in known]
        lines = [
            [part._replace(voice=_other(part.voice, variant)) for part in line] for line in lines
        ]
        others = [pcm for pcm in espeak(lines) if pcm is not None]
        _report(engine, f"espeak {variant}, degraded", texts, [_worn(pcm, rng) for pcm in others])
    english = [text for language, text in known if language == "en"]
    for voice in FLITE[:3]:
        _report(engine, f"flite {voice}", english, [flite(text, voice) for text in english])
    order = rng.permutation(len(own))
    pause = np.zeros(RATE // 2, np.int16)
    stream = np.concatenate([part for n in order for part in (own[n], pause)])
    _report(engine, "all in one stream", [" ".join(texts[n] for n in order)], [stream])
    if given.recordings:
        table = tomllib.loads((given.recordings / "speech.toml").read_text(encoding="utf-8"))
        rows = table["recording"]
        sounds = [_decoded(given.recordings / row["file"]) for row in rows]
        _report(engine, "recordings", [row["text"] for row in rows], sounds)


def _as_mien(language: str, text: str) -> list[Segment]:
    line = at_random(language, text, np.random.default_rng(0))
    melody = 99 if language == "zh" else 50
    return [
        Segment(
            "cmn+f3" if part.voice.startswith("cmn") else "en-us+f3", 150, 50, melody, part.text
        )
        for part in line
    ]


def _other(voice: str, variant: str) -> str:
    return f"{voice.split('+')[0]}+{variant}"


def _worn(pcm: Pcm, rng: np.random.Generator) -> Pcm:
    return degraded(Utterance("", np.concatenate([_TAIL, pcm, _TAIL]), None), rng).audio


def _decoded(path: Path) -> Pcm:
    with av.open(str(path)) as file:
        back = av.AudioResampler("s16", "mono", RATE)
        frames = [part for frame in file.decode(audio=0) for part in back.resample(frame)]
        return np.concatenate([frame.to_ndarray()[0] for frame in (*frames, *back.resample(None))])


def _report(
    engine: sherpa_onnx.OnlineRecognizer, name: str, texts: list[str], sounds: list[Pcm]
) -> None:
    wrong = total = 0
    failures = []
    for text, pcm in zip(texts, sounds, strict=True):
        wanted = corpus.tokenized("".join(c for c in text.lower() if c.isalnum() or c in " '"))
        heard = corpus.tokenized(_heard(engine, pcm))
        errors = _distance(heard, wanted)
        wrong, total = wrong + errors, total + len(wanted)
        if errors:
            failures.append(f"{text!r} → {' '.join(heard).replace('▁', '')!r}")
    print(f"{name}: {wrong / total:.1%} of {total} words, {len(failures)} of {len(texts)} lines")
    for line in failures[:6]:
        print(f"    {line[:160]}")


def _heard(engine: sherpa_onnx.OnlineRecognizer, pcm: Pcm) -> str:
    stream = engine.create_stream()
    sound = np.concatenate([pcm, _TAIL]).astype(np.float32) / 32768
    for at in range(0, len(sound), RATE // 50):
        stream.accept_waveform(RATE, sound[at : at + RATE // 50])
        while engine.is_ready(stream):
            engine.decode_stream(stream)
    return str(engine.get_result(stream))


def _distance(a: list[str], b: list[str]) -> int:
    row = list(range(len(b) + 1))
    for n, x in enumerate(a, 1):
        above, row[0] = row[0], n
        for m, y in enumerate(b, 1):
            above, row[m] = row[m], min(row[m] + 1, row[m - 1] + 1, above + (x != y))
    return row[-1]


if __name__ == "__main__":
    main()
