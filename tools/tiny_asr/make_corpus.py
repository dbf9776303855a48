"""Speak the sentences and degrade them: see README.md."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import corpus


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sentences", type=Path)
    parser.add_argument("--faq", type=Path, required=True, help="folder of what else is said")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--streams", type=int, default=6000)
    parser.add_argument("--times", type=int, default=60, help="how often each sentence is spoken")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    known = corpus.sentences(given.sentences)
    begin = time.time()
    strange = corpus.others(corpus.answers(given.faq), given.seed)
    for name, times, count, seed in (
        ("train", given.times, given.streams, given.seed),
        ("held-out", 1, 320, given.seed + 1000),
    ):
        said = corpus.spoken(known, times, seed)
        examples = corpus.streams(said, strange, count, seed)
        corpus.save(given.out / f"{name}.npz", examples)
        hours = sum(len(example.mel) for example in examples) / 360_000
        took = time.time() - begin
        print(f"{name}: {len(said)} sentences, {hours:.1f} h of streams, {took:.0f} s", flush=True)


if __name__ == "__main__":
    main()
