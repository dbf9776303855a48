"""What the mouth makes of a recording: ``python tools/viseme/listen.py speech.wav "its text"``.

Prints the aligned phones, how well text and sound fit, and the closures shown with and without
the text. For recordings of people, of whom no synthesizer tells the truth.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from mien.bench.viseme import performed
from mien.lipsync.viseme import VisemeLipSync
from mien.lipsync.viseme.features import SAMPLE_RATE
from mien.lipsync.viseme.mouth import covered
from mien.media.speech import Phone
from mien.media.tick import TICK_SEC
from mien.tts.espeak import EspeakVoice
from mien.tts.normalize import prepare
from mien.tts.voice import Run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sound", type=Path)
    parser.add_argument("text")
    parser.add_argument("--language", choices=["zh", "en"], default="en")
    given = parser.parse_args()
    pcm = read(given.sound)
    words = asyncio.run(_spelled(given.text, given.language))
    engine = VisemeLipSync()
    print(f"{given.sound.name}, {len(pcm) / SAMPLE_RATE:.2f} s: {given.text}")
    print("expected:", " ".join("".join(word) for word in words))
    for way, known in (("with text", words), ("net alone", None)):
        requests = list(performed(engine, pcm, SAMPLE_RATE, words=known))
        shapes = [mouth.shape for mouth in engine.render(requests)]
        closed = [
            f"{(i + 0.5) * TICK_SEC:.2f}"
            for i, shape in enumerate(shapes)
            if shape is not None and shape.consonant == "PP" and shape.grip >= 0.8
        ]
        if known is not None:
            share = np.mean([r.phones is not None and covered(r.phones) for r in requests])
            print(f"ticks drawn by the text: {100 * share:.0f} %")
            said: list[Phone] = []
            for tick, request in enumerate(requests):
                now = tick * TICK_SEC
                for p in request.phones or ():
                    if p.start <= TICK_SEC / 2 < p.end and p.symbol:
                        at = Phone(p.symbol, p.start + now, p.end + now)
                        if not said or said[-1].symbol != at.symbol or at.start > said[-1].end:
                            said.append(at)
            print("heard:   ", " ".join(f"{p.symbol}@{p.start:.2f}" for p in said))
        print(f"lips closed, {way}: {' '.join(closed) or '-'}")


async def _spelled(text: str, language: str) -> list[list[str]]:
    voice = EspeakVoice()
    try:
        prepared = prepare(text, "zh" if language == "zh" else "en")
        return await voice.phonemes([Run(run.language, run.text) for run in prepared.runs])
    finally:
        await voice.aclose()


def read(path: Path) -> NDArray[np.int16]:
    """int16[n] mono at 16 kHz of any sound file; ``.raw`` is that already."""
    if path.suffix == ".raw":
        return np.fromfile(path, np.int16)
    resampler = av.AudioResampler("s16", "mono", SAMPLE_RATE)
    with av.open(str(path)) as container:
        parts = [
            p.to_ndarray()[0] for f in container.decode(audio=0) for p in resampler.resample(f)
        ]
        parts += [p.to_ndarray()[0] for p in resampler.resample(None)]
    return np.concatenate(parts)


if __name__ == "__main__":
    main()
