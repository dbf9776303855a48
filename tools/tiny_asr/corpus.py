"""Streams to learn from: one to three sentences in a row, degraded as on the way to a server."""

from __future__ import annotations

import re
import tomllib
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from augment import degraded
from fbank import fbank
from numpy.typing import NDArray
from speak import FLITE, RATE, Pcm, at_random, espeak, flite
from utterance import Utterance

Sentence = tuple[str, str]


@dataclass(frozen=True)
class Said:
    """tokens: of the sentence; none for words that nobody needs to know."""

    tokens: tuple[int, ...]
    pcm: Pcm


@dataclass(frozen=True)
class Example:
    """mel: float16[t, 80]; tokens: what is said in it."""

    mel: NDArray[np.float16]
    tokens: tuple[int, ...]


def sentences(path: Path) -> list[Sentence]:
    """Language and text of each line."""
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
    return [(language, text) for language, text in rows]


def tokenized(text: str) -> list[str]:
    """A Chinese character each, an English word each with its space before it as "▁"."""
    found: list[str] = []
    for piece in "".join(c if c.isascii() else f" {c} " for c in text).split():
        found.append(f"▁{piece}" if piece.isascii() else piece)
    return found


def vocabulary(known: list[Sentence]) -> list[str]:
    """The blank last, where NeMo has it."""
    return [*sorted({token for _, text in known for token in tokenized(text)}), "<blk>"]


def spoken(known: list[Sentence], times: int, seed: int) -> list[Said]:
    """Each sentence ``times`` times by espeak-ng and, in English, by the voices of flite."""
    rng = np.random.default_rng(seed)
    numbers = {token: number for number, token in enumerate(vocabulary(known))}
    tokens = {text: tuple(numbers[t] for t in tokenized(text)) for _, text in known}
    lines = [(text, at_random(language, text, rng)) for language, text in known * times]
    sounds = espeak([segments for _, segments in lines])
    said = zip(lines, sounds, strict=True)
    found = [Said(tokens[text], pcm) for (text, _), pcm in said if pcm is not None]
    for language, text in known:
        if language == "en":
            voices = [Said(tokens[text], flite(text, voice)) for voice in FLITE]
            found += voices * max(1, times // 20)
    return found


def others(faq: list[str], seed: int) -> list[Said]:
    """Sentences that are none of ours, so that it learns to keep quiet."""
    rng = np.random.default_rng(seed)
    lines = [at_random("en" if text.isascii() else "zh", text.lower(), rng) for text in faq]
    return [Said((), pcm) for pcm in espeak(lines) if pcm is not None]


def streams(said: list[Said], strange: list[Said], count: int, seed: int) -> list[Example]:
    """``count`` examples, made on two cores."""
    parts = 32
    jobs = [(said, strange, count // parts, seed * parts + n) for n in range(parts)]
    global _shared
    _shared = jobs
    with ProcessPoolExecutor(2) as pool:
        return [example for part in pool.map(_part, range(parts)) for example in part]


_shared: list[tuple[list[Said], list[Said], int, int]] = []


def _part(number: int) -> list[Example]:
    said, strange, count, seed = _shared[number]
    rng = np.random.default_rng(seed)
    return [_stream(said, strange, rng) for _ in range(count)]


def _stream(said: list[Said], strange: list[Said], rng: np.random.Generator) -> Example:
    begin = 0.0 if rng.random() < 0.2 else rng.uniform(0.05, 0.6)
    sound = [_silence(begin)]
    tokens: list[int] = []
    for _ in range(rng.choice([1, 2, 3], p=[0.45, 0.35, 0.2])):
        from_where = strange if rng.random() < 0.04 else said
        one = from_where[rng.integers(len(from_where))]
        level = 10 ** (rng.uniform(-4, 0) / 20)
        sound += [(one.pcm * level).astype(np.int16), _silence(rng.uniform(0.15, 0.9))]
        tokens += one.tokens
    pcm = np.concatenate([*sound, _silence(rng.uniform(0.1, 0.4))])
    if rng.random() < 0.3:
        pcm = _murmured(pcm, strange, rng)
    worn = degraded(Utterance("", pcm, None), rng).audio if rng.random() < 0.8 else pcm
    audio = worn.astype(np.float32) / 32768 * 10 ** (rng.uniform(-26, 2) / 20)
    if rng.random() < 0.4:
        audio = np.concatenate([audio, np.zeros(RATE * 3 // 10, np.float32)])
    return Example(fbank(np.clip(audio, -1, 1)).astype(np.float16), tuple(tokens))


def _murmured(pcm: Pcm, strange: list[Said], rng: np.random.Generator) -> Pcm:
    """Somebody else far away, 12…28 dB below."""
    other = np.resize(strange[rng.integers(len(strange))].pcm, len(pcm)).astype(np.float32)
    level = np.sqrt(np.mean(np.square(pcm, dtype=np.float32))) / (other.std() + 1)
    mixed = pcm + other * level * 10 ** (-rng.uniform(12, 28) / 20)
    return np.clip(mixed, -32768, 32767).astype(np.int16)


def _silence(seconds: float) -> Pcm:
    return np.zeros(round(seconds * RATE), np.int16)


def written(path: Path, known: list[Sentence]) -> None:
    """tokens.txt as sherpa-onnx reads it."""
    lines = (f"{token} {number}\n" for number, token in enumerate(vocabulary(known)))
    path.write_text("".join(lines), encoding="utf-8")


def answers(faq: Path) -> list[str]:
    """What the built-in brain says, clause by clause."""
    said: list[str] = []
    for path in sorted(faq.glob("*.toml")):
        for entry in tomllib.loads(path.read_text(encoding="utf-8")).get("entry", []):
            for language in ("zh", "en"):
                answer = entry[language]["answer"]
                first = answer if isinstance(answer, str) else answer[0]
                said += re.split(r"[。，,.!?？！、]", first)
    clean = (re.sub(r"\[\w+\]|\{\w+\}", "", clause).strip() for clause in said)
    return [clause for clause in clean if 3 < len(clause) < 60]


def save(path: Path, examples: list[Example]) -> None:
    np.savez(
        path,
        mel=np.concatenate([example.mel for example in examples]),
        frames=[len(example.mel) for example in examples],
        tokens=[token for example in examples for token in example.tokens],
        sizes=[len(example.tokens) for example in examples],
    )


def load(path: Path) -> list[Example]:
    kept = np.load(path)
    mels = np.split(kept["mel"], np.cumsum(kept["frames"])[:-1])
    rows = np.split(kept["tokens"], np.cumsum(kept["sizes"])[:-1])
    return [Example(mel, tuple(row.tolist())) for mel, row in zip(mels, rows, strict=True)]
