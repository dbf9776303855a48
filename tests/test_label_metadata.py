"""What programs read: the element AIGC in files and streams, by FFmpeg's own eyes."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from loguru import logger

from mien.label.aigc import element, is_provider_code, new_number, usable
from mien.label.label import Label, check_producer, label_of
from mien.label.shown import shown
from mien.media.annexb import nal_units
from mien.media.h264 import H264Encoder
from mien.media.recorder import Mp4Recorder, WebmRecorder
from mien.media.rendition import VideoSettings
from mien.media.rtmp.output import RtmpOutput
from mien.media.sei import IDENTITY, with_text
from mien.mind_settings import LabelSection
from rtmp_server import real_server
from test_recorder import until
from test_rtmp import on_air
from walls import SIZE, labelled, walls

FIELDS = [
    "Label",
    "ContentProducer",
    "ProduceID",
    "ReservedCode1",
    "ContentPropagator",
    "PropagateID",
    "ReservedCode2",
]
CODE = "001191110108MA01ABCDEF1MIEN"


def ffprobe(*arguments: str) -> dict[str, Any]:
    command = ["ffprobe", "-v", "error", "-of", "json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def tags_of(where: str) -> dict[str, str]:
    quick = ("-probesize", "65536", "-analyzeduration", "200000")
    found = ffprobe(*quick, "-show_entries", "format_tags", where)
    return dict(found["format"].get("tags", {}))


def avatar_folder(folder: Path, consent: str) -> Any:
    """As much of an avatar as is read for tags."""
    folder.mkdir()
    said = f'format = 2\nname = "anna"\ntitle = "安娜"\ncreator = "c"\nconsent = "{consent}"\n'
    (folder / "avatar.toml").write_text(said, encoding="utf-8")
    return SimpleNamespace(name="anna", path=folder)


async def recorded(folder: Path, label: Label) -> list[Path]:
    recorders = [Mp4Recorder(folder / "a.mp4"), WebmRecorder(folder / "a.webm")]
    async with walls(label) as program:
        tasks = [asyncio.create_task(each.run(program, lambda: None)) for each in recorders]
        await until(lambda: all(each.seconds >= 0.4 for each in recorders), "recordings")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return [folder / "a.mp4", folder / "a.webm"]


async def test_recordings_say_who_made_them_and_who_is_shown(tmp_path: Path) -> None:
    consent = "I have the right to use this face (root, 2026-11-23)"
    anna = avatar_folder(tmp_path / "anna", consent)
    section = LabelSection(producer="Somebody", producer_id=CODE)
    numbers = set()
    for path in await recorded(tmp_path, label_of(section, "zh", lambda: anna)):
        tags = {name.upper(): text for name, text in tags_of(str(path)).items()}
        said = json.loads(tags["AIGC"])
        assert list(said) == FIELDS and said["Label"] == "1"
        assert said["ContentProducer"] == said["ContentPropagator"] == CODE
        assert said["ProduceID"] == said["PropagateID"] != ""
        assert said["ReservedCode1"] == said["ReservedCode2"] == ""
        numbers.add(said["ProduceID"])
        assert tags["MIEN:AVATAR"] == "安娜 (anna)" and tags["MIEN:CREATOR"] == "c"
        assert tags["MIEN:CONSENT"] == "I have the right to use this face (2026-11-23)"
        assert "root" not in path.read_bytes().decode("latin-1"), "no account's name leaves"
        assert tags["TITLE"].startswith("mien ")
        assert path.read_bytes().count(b'"ProduceID"') == (2 if path.suffix == ".mp4" else 1)
    assert len(numbers) == 2, "each file has its own"


async def test_whoever_is_seen_later_is_named_when_the_recording_ends(tmp_path: Path) -> None:
    anna = avatar_folder(tmp_path / "anna", "Anna agreed (a, 2026-01-02)")
    bert = avatar_folder(tmp_path / "bert", "Bert agreed (b, 2026-03-04)")
    bert.name = "bert"
    seen = [anna]
    recorders = [Mp4Recorder(tmp_path / "a.mp4"), WebmRecorder(tmp_path / "a.webm")]
    async with walls(label_of(LabelSection(), "zh", lambda: seen[-1])) as program:
        tasks = [asyncio.create_task(each.run(program, lambda: None)) for each in recorders]
        await until(lambda: all(each.seconds >= 0.4 for each in recorders), "recordings")
        seen.append(bert)
        await until(lambda: all(each.seconds >= 1.6 for each in recorders), "the other's pictures")
        seen.append(anna)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for path in tmp_path / "a.mp4", tmp_path / "a.webm":
        tags = {name.upper(): text for name, text in tags_of(str(path)).items()}
        assert tags["MIEN:AVATAR"] == "安娜 (anna); 安娜 (bert)"
        assert tags["MIEN:CONSENT"] == (
            "anna: Anna agreed (2026-01-02); bert: Bert agreed (2026-03-04)"
        )
        assert tags["TITLE"].startswith("mien ") and json.loads(tags["AIGC"])["Label"] == "1"
        with av.open(str(path)) as file:
            assert sum(1 for _ in file.decode(video=0)) >= 30
    data = (tmp_path / "a.webm").read_bytes()
    old = data.index(b'"ProduceID"')
    assert data.rindex(b"\xec\x01", 0, old) > data.rindex(b"Opus", 0, old), "only one counts"


async def test_switched_off(tmp_path: Path) -> None:
    anna = avatar_folder(tmp_path / "anna", "yes")
    label = label_of(LabelSection(metadata=False), "zh", lambda: anna)
    for path in await recorded(tmp_path, label):
        data = path.read_bytes()
        assert b"AIGC" not in data and b"anna" not in data and b"mien:" not in data.lower()


async def test_an_rtmp_stream_says_it_to_who_comes() -> None:
    with real_server() as server:
        async with walls(labelled(producer="某公司 1")) as program:
            async with on_air(program, RtmpOutput(server.url, "key-1")):
                tags = await asyncio.to_thread(tags_of, f"{server.url}/key-1")
    said = json.loads(tags["AIGC"])
    assert list(said) == FIELDS and said["ContentProducer"] == "某公司_1"


def test_text_inside_a_picture_is_read_by_who_knows_and_passed_over_by_others(
    tmp_path: Path,
) -> None:
    encoder = H264Encoder(*SIZE, VideoSettings(encoder="libx264"))
    plain, told = b"", b""
    text = f'{{"AIGC":{element(CODE, "n" * 400)}}}'
    rng = np.random.default_rng(0)
    for index in range(3):
        image = rng.integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
        packet = encoder.encode(image, index, keyframe=index == 0)
        assert packet is not None
        plain += bytes(packet)
        told += with_text(bytes(packet), text) if index == 0 else bytes(packet)
    kinds = [unit[0] & 0x1F for unit in nal_units(told)]
    at = next(n for n, unit in enumerate(nal_units(told)) if IDENTITY in unit)
    assert kinds[at] == 6 and 5 not in kinds[:at] and kinds[at + 1] == 5
    (tmp_path / "told.h264").write_bytes(told)
    frames = ffprobe("-show_frames", str(tmp_path / "told.h264"))["frames"]
    about = [side["side_data_type"] for side in frames[0]["side_data_list"]]
    assert any("User Data Unregistered" in one for one in about)
    with av.open(str(tmp_path / "told.h264")) as container:
        first = next(container.decode(video=0))
        data = [bytes(s) for s in first.side_data if s.type.name == "SEI_UNREGISTERED"]
    assert IDENTITY + text.encode() in data
    assert _pictures(told) == _pictures(plain)
    assert with_text(b"", text) == b""
    with pytest.raises(ValueError, match="ASCII"):
        with_text(told, "一")


def _pictures(stream: bytes) -> list[bytes]:
    decoder = av.CodecContext.create("h264", "r")
    shown = decoder.decode(av.Packet(stream)) + decoder.decode(None)
    return [frame.to_ndarray().tobytes() for frame in shown]


def test_what_the_elements_values_may_hold() -> None:
    assert usable(' a "b"\\c\n一 ') == "a_b_c_一"
    assert json.loads(element(" ", new_number()))["ContentProducer"] == "mien"
    assert element("公司", "1").isascii()
    assert len({new_number() for _ in range(1000)}) == 1000
    assert is_provider_code(CODE) and not is_provider_code("Somebody")


def test_a_code_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[str] = []
    sink = logger.add(logged.append)
    check_producer(LabelSection())
    check_producer(LabelSection(producer_id=CODE))
    assert logged == []
    check_producer(LabelSection(producer_id="123"))
    logger.remove(sink)
    assert len(logged) == 1 and "27 characters" in logged[0]


def test_who_is_shown(tmp_path: Path) -> None:
    assert shown(SimpleNamespace(name="code")).tags() == {"mien:avatar": "code"}  # type: ignore[arg-type]
    gone = SimpleNamespace(name="gone", path=tmp_path / "gone")
    assert shown(gone).tags() == {"mien:avatar": "gone"}  # type: ignore[arg-type]
    anna = avatar_folder(tmp_path / "anna", "x" * 1000)
    assert len(shown(anna).consent) == 300
    (tmp_path / "anna" / "avatar.toml").unlink()
    (tmp_path / "anna").rmdir()
    assert shown(avatar_folder(tmp_path / "anna", "another's")).consent == "another's"
