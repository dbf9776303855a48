"""Every voice at hand, as ``speak(texts) -> utterances`` with the synthesizer's own phone times.

Programs needed: espeak-ng (pip), flite, festival; RHVoice-test and pico2wave for voices that
tell no times and are aligned later.
"""

from __future__ import annotations

import asyncio
import random
import re
import subprocess
import tempfile
import wave
from collections.abc import Iterator, Mapping
from contextlib import aclosing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from utterance import Timed, Utterance, at_16k

from mien.lipsync.viseme.looks import letters
from mien.tts.espeak import EspeakVoice
from mien.tts.espeak_settings import EspeakSettings, EspeakStyle
from mien.tts.voice import Run, VoiceError


def espeak(texts: list[str], voice: str, seed: int, rate: tuple[int, int]) -> Iterator[Utterance]:
    """An espeak-ng voice and variant, each sentence at a pace and pitch of its own."""
    rng = random.Random(seed)

    async def say(text: str) -> Utterance | None:
        style = EspeakStyle(
            voice, rng.randint(*rate), rng.randint(30, 75), rng.choice([40, 50, 70, 99])
        )
        speaker = EspeakVoice(settings=EspeakSettings(en=style))
        sound: list[NDArray[np.int16]] = []
        phones: list[Timed] = []
        at = 0.0
        try:
            async with aclosing(speaker.speak([Run("en", text)])) as chunks:
                async for chunk in chunks:
                    sound.append(chunk.pcm)
                    for phone in chunk.phones or ():
                        phones.append((phone.symbol, at + phone.start, at + phone.end))
                    at += len(chunk.pcm) / speaker.sample_rate
        except VoiceError:
            return None
        finally:
            await speaker.aclose()
        if not sound:
            return None
        if not voice.startswith("en"):  # elsewhere "r" is a trill
            phones = [(symbol.replace("r", "ɾ"), start, end) for symbol, start, end in phones]
        return Utterance(text, at_16k(np.concatenate(sound), speaker.sample_rate), tuple(phones))

    for text in texts:
        if (utterance := asyncio.run(say(text))) is not None:
            yield utterance


def flite(texts: list[str], voice: str, names: Mapping[str, str]) -> Iterator[Utterance]:
    """A flite voice; a text that begins with "pau" is phones, not words."""
    for text in texts:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "out.wav")
            given = ["-p", text] if text.startswith("pau ") else ["-t", text]
            command = ["flite", "-voice", voice, "-psdur", *given, "-o", str(path)]
            told = subprocess.run(command, capture_output=True, text=True)
            phones, at = [], 0.0
            for name, end in re.findall(r"([a-z]+):(\d+\.\d+)", told.stdout):
                if name not in names:
                    break
                phones.append((names[name], at, float(end)))
                at = float(end)
            else:
                if phones and path.exists():
                    yield Utterance(text, _read(path), tuple(phones))


def festival(
    texts: list[str], voice: str, names: Mapping[str, str], encoding: str = "latin-1"
) -> Iterator[Utterance]:
    """A festival voice by its scheme name; a text that begins with "(" is a list of segments."""
    with tempfile.TemporaryDirectory() as folder:
        script = [f"(voice_{voice})"]
        for n, text in enumerate(texts):
            if text.startswith("("):
                make = f"(utt.synth (eval (list 'Utterance 'Segments '{text})))"
            else:
                make = f'(SynthText "{text}")'
            save = (
                f'(utt.save.segs u "{folder}/{n}.lab") (utt.save.wave u "{folder}/{n}.wav" \'riff)'
            )
            script.append(f"(unwind-protect (begin (set! u {make}) {save}) nil)")
        path = Path(folder, "all.scm")
        path.write_text("\n".join(script), encoding=encoding, errors="replace")
        subprocess.run(["festival", "-b", str(path)], capture_output=True)
        for n, text in enumerate(texts):
            sound, table = Path(folder, f"{n}.wav"), Path(folder, f"{n}.lab")
            if not sound.exists() or not table.exists():
                continue
            phones, at = [], 0.0
            for line in table.read_text(errors="replace").splitlines()[1:]:
                end, _, name = line.split()
                phones.append((names.get(name, "?"), at, float(end)))
                at = float(end)
            yield Utterance(text, _read(sound), tuple(p for p in phones if p[0] != "?"))


def rhvoice(texts: list[str], voice: str) -> Iterator[Utterance]:
    """RHVoice tells no times."""
    for text in texts:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "out.wav")
            command = ["RHVoice-test", "-p", voice, "-o", str(path)]
            subprocess.run(command, input=text, text=True, capture_output=True)
            if path.exists():
                yield Utterance(text, _read(path), None)


def pico(texts: list[str], language: str) -> Iterator[Utterance]:
    """SVOX Pico tells no times."""
    for text in texts:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "out.wav")
            subprocess.run(["pico2wave", "-l", language, "-w", str(path), text])
            if path.exists():
                yield Utterance(text, _read(path), None)


def mandarin_for_flite(spoken: Utterance, names: Mapping[str, str]) -> str | None:
    """The phones of a Mandarin sentence as an English voice of flite can say them."""
    found = _mapped(spoken, names)
    return None if found is None else " ".join(["pau", *(name for name, _ in found), "pau"])


def mandarin_for_festival(
    spoken: Utterance, names: Mapping[str, str], pitch: float, seed: int
) -> str | None:
    """The same with the durations of the Mandarin voice and a melody of four-tone size."""
    rng = random.Random(seed)
    if (found := _mapped(spoken, names)) is None:
        return None
    silence = names[""]
    parts = [f"({silence} 0.2)"]
    for name, seconds in found:
        target = f" (0.0 {pitch * 2 ** rng.uniform(-0.4, 0.4):.0f})" if rng.random() < 0.5 else ""
        parts.append(f"({name} {seconds:.3f}{target})")
    return f"({' '.join([*parts, f'({silence} 0.2)'])})"


def _mapped(spoken: Utterance, names: Mapping[str, str]) -> list[tuple[str, float]] | None:
    found: list[tuple[str, float]] = []
    for symbol, start, end in spoken.phones or ():
        symbol = symbol.replace("ɡ", "k")
        if symbol in names:
            found.append((names[symbol], end - start))
            continue
        for letter, share in letters(symbol):
            if letter not in names:
                return None
            found.append((names[letter], share * (end - start)))
    return [(name, max(seconds, 0.035)) for name, seconds in found] or None


def _read(path: Path) -> NDArray[np.int16]:
    with wave.open(str(path)) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        return at_16k(pcm, file.getframerate())
