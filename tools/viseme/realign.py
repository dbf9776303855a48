"""Labels for voices that tell no times, found with an earlier net:
``python tools/viseme/realign.py --data D --out labels`` (uses the net that is shipped).

The text is aligned with the sound exactly as at run time. Where the two do not fit, frames stay
unlabelled.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from utterance import UNLABELLED, labels

from mien.lipsync.viseme.align import Aligner
from mien.lipsync.viseme.net import SoundNet, load_net
from mien.tts.espeak import EspeakVoice
from mien.tts.voice import Run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    net = load_net()
    if net is None:
        raise SystemExit("train and export a first net on the voices that tell times")
    for path in sorted(given.data.glob("*.npz")):
        part = np.load(path)
        if bool(part["timed"]):
            continue
        spelled = asyncio.run(_spelled([str(text) for text in part["texts"]]))
        # The degraded copies follow the clean ones.
        words = spelled * (len(part["frames"]) // len(spelled))
        found, at = [], 0
        for frames, sentence in zip(part["frames"], words, strict=True):
            mel = part["mel"][at : at + frames].astype(np.float32)
            found.append(aligned(net, mel, sentence))
            at += int(frames)
        label = np.concatenate(found)
        np.save(given.out / f"{path.stem}.npy", label)
        print(f"{path.stem:12} {100 * (label != UNLABELLED).mean():.1f} % labelled", flush=True)


async def _spelled(texts: list[str]) -> list[list[list[str]]]:
    voice = EspeakVoice()
    try:
        return [await voice.phonemes([Run("en", text)]) for text in texts]
    finally:
        await voice.aclose()


def aligned(net: SoundNet, mel: NDArray[np.float32], words: list[list[str]]) -> NDArray[np.uint8]:
    """uint8[len(mel)] labels of one sentence's frames."""
    silence = np.repeat(net.fresh.mel[:1], net.delay, axis=0)
    answers, _ = net.hear(np.concatenate([mel, silence]), net.fresh)
    aligner = Aligner(words, net.priors)
    found = np.full(len(mel), UNLABELLED, np.uint8)
    for phones in (aligner.push(answers[net.delay :]), aligner.finish()):
        if phones:
            found[round(phones[0].start * 100) :] = UNLABELLED
            timed = tuple((phone.symbol, phone.start, phone.end) for phone in phones)
            told = labels(timed, len(mel))
            found = np.where(told == UNLABELLED, found, told)
    return found


if __name__ == "__main__":
    main()
