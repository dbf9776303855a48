"""Figures of turn-taking, by hand: ``python tests/turn_taking_figures.py [onset|noise|turns]``.

Speech is espeak-ng's (two timbres a language) and, where the ffmpeg command has it, flite's: what
``turn_end_utterances.toml`` holds, of which nothing was used to tune the VAD, and every second line
to tune the cues of the turn's end. All in the time of the sound; minutes of CPU.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import soxr

from mien.asr.activity import SpeechActivity, Stage
from mien.asr.smart_turn import SmartTurn
from mien.asr.turn_end import TurnEnd
from mien.asr.vad import Vad, VadModel
from mien.language import Language
from mien.media.microphone import RATE
from mien.media.tick import Pcm
from mien.tts.espeak import SAMPLE_RATE, EspeakVoice
from mien.tts.espeak_settings import EspeakSettings, EspeakStyle
from mien.tts.voice import Run
from rooms import HARD, STEADY, SUDDEN, noise, spoken_in

UTTERANCES = tomllib.loads(
    (Path(__file__).parent / "turn_end_utterances.toml").read_text(encoding="utf-8")
)
TIMBRES: dict[Language, tuple[str, str]] = {
    "en": ("en-us+f3", "en-us+klatt5"),
    "zh": ("cmn+f3", "cmn+m2"),
}
ROOMS: dict[str, dict[str, object]] = {
    "quiet room, SNR 60 dB": {},
    "SNR 20 dB, pink": {"snr_db": 20},
    "SNR 10 dB, fan": {"snr_db": 10, "kind": "fan"},
    "SNR 5 dB, pink": {"snr_db": 5},
    "-35 dBFS, SNR 30 dB": {"dbfs": -35, "snr_db": 30},
    "300...3400 Hz, SNR 30 dB": {"snr_db": 30, "phone": True},
}
MODEL = VadModel()


async def espeak(language: Language, timbre: str, text: str, until: int | None = None) -> Pcm:
    """int16[n] mono 16 kHz; ``until``: broken off after the words before this character."""
    style = EspeakStyle(timbre, range=99 if language == "zh" else 50)
    voice = EspeakVoice("figures", EspeakSettings(**{language: style}))
    chunks = [chunk async for chunk in voice.speak([Run(language, text)])]
    await voice.aclose()
    pcm = np.concatenate([chunk.pcm for chunk in chunks]).astype(np.float32)
    if until is not None:
        words = [word for chunk in chunks for word in chunk.words if word.stop <= until]
        pcm = pcm[: int(max(word.end for word in words) * SAMPLE_RATE)]
        pcm[-110:] *= np.linspace(1, 0, 110)
    return np.clip(soxr.resample(pcm, SAMPLE_RATE, RATE), -32768, 32767).astype(np.int16)


def flite(voice: str, text: str) -> Pcm | None:
    """None where there is no flite. It takes no apostrophes on its command line."""
    words = text.replace("'", "")
    graph = f"flite=text='{words}':voice={voice}"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", graph, "-ar", str(RATE), "-f", "s16le", "-"]  # fmt: skip  # noqa: E501
    try:
        done = subprocess.run(command, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return np.frombuffer(done.stdout, np.int16)


def spread(values: Iterable[float]) -> str:
    found = np.array(list(values))
    return "/".join(f"{np.percentile(found, at):4.0f}" for at in (5, 50, 90, 95))


def changes(pcm: Pcm) -> list[tuple[int, Stage, int]]:
    vad, activity, found = Vad(MODEL), SpeechActivity(), []
    stage: Stage = "quiet"
    for at in range(0, len(pcm), 320):
        activity.push(vad.push(pcm[at : at + 320]))
        if activity.stage != stage:
            stage = activity.stage
            found.append((at + 320, stage, activity.last_voice))
    return found


async def onset() -> None:
    """Told by the packet of 20 ms in which it is noticed; the packet's own time is included."""
    voices: list[Pcm] = []
    for language, timbres in TIMBRES.items():
        for number, text in enumerate(UTTERANCES[language]["finished"]):
            voices.append(await espeak(language, timbres[number % 2], text))
            if language == "en" and (pcm := flite(("slt", "rms")[number % 2], text)) is not None:
                voices.append(pcm)
    print(f"{len(voices)} utterances; ms, p5/p50/p90/p95")
    for room, how in ROOMS.items():
        likely, sure, end, never, early = [], [], [], 0, 0
        for seed, voice in enumerate(voices):
            take = spoken_in(voice, seed=seed, **how)  # type: ignore[arg-type]
            found = changes(take.pcm)
            # Some of it is heard although it is no louder than the noise.
            heard = take.begin - RATE // 20
            early += sum(at < heard for at, stage, _ in found if stage == "likely")
            after = [(at, stage) for at, stage, _ in found if at >= heard]
            likely += [(at - take.begin) / 16 for at, stage in after if stage == "likely"][:1]
            said = [(at - take.begin) / 16 for at, stage in after if stage == "sure"][:1]
            sure += said
            never += not said
            ends = [voiced for _, stage, voiced in found if stage == "quiet" and voiced]
            end += [(voiced - take.end) / 16 for voiced in ends[-1:]]
        print(f"{room:26} likely {spread(likely)}  sure {spread(sure)}  end {spread(end)}"
              f"  never sure {never}  before its time {early}")  # fmt: skip


def noises(sec: float = 600) -> None:
    """Each kind for ``sec`` seconds, half at -20 and half at -40 dBFS."""
    for kind in [*STEADY, *SUDDEN, *HARD]:
        found = [c for level in (-20, -40) for c in changes(noise(kind, sec / 2, level, seed=9))]
        told = {what: sum(stage == what for _, stage, _ in found) for what in ("likely", "sure")}
        print(f"{kind:10} {sec / 60:.0f} min: likely {told['likely']}, sure {told['sure']}")


async def turns() -> None:
    """Patience after 0.2 s of silence, of the lines that nothing was tuned with."""
    smart_turn = SmartTurn()
    for language, timbres in TIMBRES.items():
        for kind in ("finished", "unfinished"):
            sounds: list[tuple[str, Pcm]] = []
            for number, line in enumerate(UTTERANCES[language][kind]):
                begun, _, rest = (part.strip() for part in line.partition("|"))
                whole = begun + (" " if language == "en" else "") + rest
                if number % 2:
                    until = len(begun) if rest else None
                    for timbre in timbres:
                        sounds.append((begun, await espeak(language, timbre, whole, until)))
                    for voice in ("slt", "rms") if language == "en" else ():
                        if (pcm := flite(voice, begun + ("," if rest else ""))) is not None:
                            sounds.append((begun, pcm))
            await _report(smart_turn, language, kind, sounds)
    await smart_turn.aclose()


async def _report(
    smart_turn: SmartTurn, language: Language, kind: str, sounds: Sequence[tuple[str, Pcm]]
) -> None:
    both, sound_only, text_only = [], [], []
    for text, voice in sounds:
        take = spoken_in(voice)
        heard = await smart_turn.complete(take.pcm[: take.end + RATE // 5])
        both.append(TurnEnd().patience(heard, text, language))
        sound_only.append(TurnEnd().patience(heard, "", language))
        text_only.append(TurnEnd().patience(None, text, language))
    for how, values in (("both", both), ("sound", sound_only), ("text", text_only)):
        cut = {bound: np.mean(np.array(values) < bound) for bound in (0.5, 0.8, 1.2)}
        shares = ", ".join(f"under {bound} s {share:.0%}" for bound, share in cut.items())
        print(f"{language} {kind:10} {how:5} n {len(values):3} mean {np.mean(values):.2f} s, "
              f"median {np.median(values):.2f}; {shares}")  # fmt: skip


if __name__ == "__main__":
    asked = sys.argv[1:] or ["onset", "noise", "turns"]
    if "onset" in asked:
        asyncio.run(onset())
    if "noise" in asked:
        noises()
    if "turns" in asked:
        asyncio.run(turns())
