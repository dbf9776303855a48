"""What files say of themselves; whatever they say, listing them goes on."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from encoded import recorded
from mien.media.fmp4 import Sample
from mien.media.lengths import described
from mien.media.rendition import Rendition
from mien.media.webm import WebmFile

CREATED = datetime(2026, 11, 23, 2, 15, tzinfo=UTC)


def _webm(path: Path, *, finish: bool = True) -> None:
    film = WebmFile(Rendition(64, 64, codec="vp9"), {"title": "t"}, CREATED)
    data = bytearray(film.begin())
    for second in range(5):
        at = second * 90_000
        data += film.add([Sample("video", at + n * 3600, 3600, n == 0, b"v") for n in range(25)])
    tail, patches = film.end() if finish else (b"", film.marks())
    data += tail
    for offset, patch in patches:
        data[offset : offset + len(patch)] = patch
    path.write_bytes(data)


@pytest.mark.parametrize("finish", [True, False])
async def test_lengths_of_whole_and_of_cut_off_files(tmp_path: Path, finish: bool) -> None:
    await recorded(tmp_path / "a.mp4", 0.1, finish=finish)
    _webm(tmp_path / "a.webm", finish=finish)
    assert described(tmp_path / "a.mp4").seconds == pytest.approx(
        8, abs=0.5 if not finish else 0.05
    )
    assert described(tmp_path / "a.webm").seconds == 5.0
    assert described(tmp_path / "a.webm").created == CREATED


async def test_files_that_talk_nonsense_are_borne(tmp_path: Path) -> None:
    await recorded(tmp_path / "a.mp4", 0.1)
    await recorded(tmp_path / "b.mp4", 0.1, finish=False)
    _webm(tmp_path / "a.webm")
    dice = random.Random(7)
    for path in map(tmp_path.joinpath, ("a.mp4", "b.mp4", "a.webm")):
        whole = path.read_bytes()
        for _ in range(120):
            data = bytearray(whole[: dice.choice([len(whole), dice.randrange(len(whole))])])
            for _ in range(dice.choice([0, 1, 5, 50])):
                reach = min(len(data), dice.choice([200, 3000, len(whole)]))
                if reach:
                    data[dice.randrange(reach)] = dice.randrange(256)
            path.write_bytes(data)
            said = described(path)
            json.dumps(said.seconds, allow_nan=False)
            assert said.created is None or said.created.timestamp() is not None
