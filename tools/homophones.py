"""Writes src/mien/tts/homophones.txt: for each Mandarin syllable, characters that read only so.

    pip install pypinyin && python tools/homophones.py

Readings are pypinyin's (MIT), in isolation and in its 47,000 phrases; a character is taken if it
reads the same in all of them, and if espeak-ng agrees. Where there is none, the one is taken that
reads so in most of them. Commonest (in most phrases) first.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from pathlib import Path

from pypinyin import Style, pinyin
from pypinyin.constants import PHRASES_DICT

from mien.tts import espeak
from mien.tts.espeak_settings import EspeakSettings
from mien.tts.voice import Run

OUT = Path(__file__).parents[1] / "src" / "mien" / "tts" / "homophones.txt"
MOST = 12  # characters for a syllable; more are only there to be kept where they stand
# What they sound like depends on the syllable behind them.
SANDHI = "一不"


def common_characters() -> list[str]:
    """The 6,763 of GB 2312, which every Chinese voice knows."""
    cells = (bytes((row, cell)) for row in range(0xB0, 0xF8) for cell in range(0xA1, 0xFF))
    return [c for cell in cells if (c := cell.decode("gb2312", "ignore"))]


def readings(text: str, every: bool = False) -> list[list[str]]:
    return pinyin(
        text, style=Style.TONE3, heteronym=every, neutral_tone_with_five=True, v_to_u=False
    )


def in_phrases() -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for phrase in PHRASES_DICT:
        said = readings(phrase)
        if len(said) == len(phrase):
            for character, reading in zip(phrase, said, strict=True):
                found[character][reading[0]] += 1
    return found


async def as_espeak_says(texts: list[str], voice: str) -> list[str]:
    """Each text's sounds with their tones, which ``EspeakVoice.phonemes`` leaves out."""
    espeak.spelled = lambda word, *_: [word]  # type: ignore[assignment]
    speaker = espeak.EspeakVoice("espeak", EspeakSettings(zh={"voice": voice}))
    said = ["".join(map("".join, await speaker.phonemes([Run("zh", text)]))) for text in texts]
    await speaker.aclose()
    return said


async def main() -> None:
    phrases = in_phrases()
    sure: dict[str, list[tuple[int, str]]] = defaultdict(list)
    likely: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for character in common_characters():
        if character in SANDHI or not phrases[character]:
            continue
        alone = readings(character, every=True)[0]
        seen = phrases[character]
        share = seen[alone[0]] / seen.total()
        if len(alone) == 1 or share == 1:
            sure[alone[0]].append((seen.total(), character))
        elif share > 0.5 or alone[0].endswith("5"):  # particles: 了, 着
            likely[alone[0]].append((share, character))
    syllables = sorted({*sure, *likely})
    expected = dict(zip(syllables, await as_espeak_says(syllables, "cmn-latn-pinyin"), strict=True))
    lines = []
    for syllable in syllables:
        for ranked in (sure[syllable], likely[syllable][:3]):
            candidates = [c for _, c in sorted(ranked, key=lambda pair: (-pair[0], pair[1]))]
            said = await as_espeak_says(candidates, "cmn")
            agreed = [
                c for c, how in zip(candidates, said, strict=True) if how == expected[syllable]
            ]
            if agreed:
                break
        else:
            agreed = [c for _, c in sorted(sure[syllable] + likely[syllable], reverse=True)][:1]
            print(f"{syllable}: espeak-ng does not agree on {agreed[0]}")
        lines.append(f"{syllable} {''.join(agreed[:MOST])}")
    OUT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(lines)} syllables, {OUT.stat().st_size} bytes")


if __name__ == "__main__":
    asyncio.run(main())
