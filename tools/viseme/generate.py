"""Make the training and evaluation speech: ``python tools/viseme/generate.py --texts T --out D``.

One ``.npz`` per part of the roster; those that exist are kept, so that it can be continued.
"""

from __future__ import annotations

import argparse
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import phonesets
import synthesizers
import texts
from augment import degraded
from roster import Part, parts
from utterance import UNLABELLED, Utterance, labels

from mien.lipsync.viseme.features import HALF, HOP, log_mel

# The first sentences are for held-out voices only, so that nobody in training reads them.
_RESERVED = 400


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=Path, required=True, help="unpacked fortune packages")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="only parts whose name contains this")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    lines = {"en": texts.english(given.texts), "zh": texts.chinese(given.texts)}
    todo = [
        part for part in parts() if given.only in part.name and not _path(given.out, part).exists()
    ]
    begin, total = time.time(), 0.0
    with ProcessPoolExecutor(given.jobs) as pool:
        for name, seconds in pool.map(
            make, todo, [_path(given.out, p) for p in todo], [lines[p.language] for p in todo]
        ):
            total += seconds
            wall = time.time() - begin
            print(f"{name:16} {seconds:6.0f} s ({total / 3600:.2f} h in {wall:.0f} s)", flush=True)


def _path(folder: Path, part: Part) -> Path:
    return folder / f"{part.name.replace('+', '-')}.npz"


def make(part: Part, path: Path, lines: list[str]) -> tuple[str, float]:
    """Speak one part into ``path``. Returns its name and seconds of speech."""
    rng = np.random.default_rng(zlib.crc32(part.name.encode()))
    clean = list(_said(part, lines))
    if not clean:
        return part.name, 0.0
    worn = [] if part.held_out else [degraded(utterance, rng) for utterance in clean]
    mels, marks = [], []
    for utterance in clean + worn:
        # Frames are centred on multiples of HOP, the first one on sample 0.
        audio = utterance.audio.astype(np.float32) / 32768
        mel = log_mel(np.pad(audio, (HALF, HALF + HOP)))
        mels.append(mel.astype(np.float16))
        phones = utterance.phones
        marks.append(
            np.full(len(mel), UNLABELLED, np.uint8) if phones is None else labels(phones, len(mel))
        )
    sound = [utterance.audio for utterance in clean] if part.held_out else []
    np.savez(
        path,
        name=part.name,
        language=part.language,
        held_out=part.held_out,
        timed=clean[0].phones is not None,
        texts=np.array([utterance.text for utterance in clean]),
        frames=np.array([len(mel) for mel in mels]),
        mel=np.concatenate(mels),
        labels=np.concatenate(marks),
        samples=np.array([len(pcm) for pcm in sound]),
        audio=np.concatenate(sound) if sound else np.zeros(0, np.int16),
    )
    return part.name, sum(len(utterance.audio) for utterance in clean) / 16_000


def _said(part: Part, lines: list[str]) -> Iterator[Utterance]:
    seed = zlib.crc32(part.name.encode())
    if part.held_out:
        chosen = lines[: part.sentences]
    else:
        rng = np.random.default_rng(seed)
        order = rng.permutation(np.arange(_RESERVED, len(lines)))
        chosen = [lines[i] for i in order[: part.sentences]]
    names = getattr(phonesets, part.names) if part.names else {}
    if part.mandarin:
        pairs = list(islice(_as_phones(part, chosen, seed), part.sentences))
        written = {phones: text for text, phones in pairs}
        speak = getattr(synthesizers, part.maker)
        for utterance in speak([phones for _, phones in pairs], part.voice, names):
            yield replace(utterance, text=written[utterance.text])
    elif part.maker == "espeak":
        pace = (110, 190) if part.language == "zh" else (130, 200)
        yield from synthesizers.espeak(chosen, part.voice, seed, pace)
    elif part.names:
        yield from getattr(synthesizers, part.maker)(chosen, part.voice, names)
    else:
        yield from getattr(synthesizers, part.maker)(chosen, part.voice)


def _as_phones(part: Part, chosen: list[str], seed: int) -> Iterator[tuple[str, str]]:
    """Mandarin sentences, each with the phones an English voice is given."""
    names = getattr(phonesets, part.mandarin)
    for n, spoken in enumerate(synthesizers.espeak(chosen, "cmn", seed, (130, 180))):
        if part.maker == "flite":
            phones = synthesizers.mandarin_for_flite(spoken, names)
        else:
            phones = synthesizers.mandarin_for_festival(spoken, names, part.pitch, seed + n)
        if phones is not None:
            yield spoken.text, phones


if __name__ == "__main__":
    main()
