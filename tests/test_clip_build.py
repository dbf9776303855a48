"""A filmed presenter becomes an avatar; clips that cannot be one are refused, naming frames."""

from __future__ import annotations

import hashlib
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import cv2
import numpy as np
import pytest

from clips import COLOUR, SIZE, SPEECH_FROM, encode, filmed, still, turned_by_metadata, wall
from mien.avatar.clip.build import ClipBuilt, ClipRequest, build_clip
from mien.avatar.clip.package import ClipPackage, read_clip
from mien.avatar.clip.video_reader import Part
from mien.avatar.contract import Pose
from mien.avatar.photo.errors import PhotoError
from mien.media.tick import Image
from photo_faces import models

Film = Callable[[], list[Image]]


def request(root: Path, **options: object) -> ClipRequest:
    return ClipRequest(name="me", title="Me", consent=True, root=root, **options)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def face_models() -> Path:
    return models()


@cache
def clip() -> Path:
    return encode(Path(mkdtemp()) / "clip.mp4", filmed(), sound=True)


@cache
def built() -> ClipBuilt:
    started, computed = time.perf_counter(), time.process_time()
    done = build_clip(clip(), request(Path(mkdtemp()), as_published=True))
    wall_sec, cpu = time.perf_counter() - started, time.process_time() - computed
    print(f"\n{len(filmed())} frames of {SIZE}: {wall_sec:.1f} s, {cpu:.1f} s of computing")
    return done


def package() -> ClipPackage:
    return read_clip(built().path)


def refused(path: Path, **options: object) -> PhotoError:
    """Refused, in both languages, and nothing is left of it."""
    root = Path(mkdtemp())
    with pytest.raises(PhotoError) as error:
        build_clip(path, request(root, **options))
    assert list(root.iterdir()) == []
    assert error.value.en and any("\u4e00" <= c <= "\u9fff" for c in error.value.zh)
    return error.value


def digests(folder: Path) -> dict[str, str]:
    files = sorted(f for f in folder.rglob("*") if f.is_file())
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def test_the_folder_is_what_the_reader_expects() -> None:
    clip_package, film = package(), filmed()
    assert len(clip_package) == len(film) and clip_package.size == SIZE
    assert clip_package.title == "Me" and clip_package.engines == ("wav2lip",)
    for frame in (0, 40, 59):
        different = np.abs(clip_package.picture(frame).astype(int) - film[frame])
        assert different.mean() < 2, "JPEG and a video codec lose little"
    data = tomllib.loads((built().path / "avatar.toml").read_text(encoding="utf-8"))
    assert data["format"] == 2 and "I have the right to use this face" in data["consent"]
    assert built().bytes == sum(f.stat().st_size for f in built().path.rglob("*") if f.is_file())


def test_jpegs_keep_colour_at_every_pixel() -> None:
    """4:4:4: all three components are sampled 1×1 in the frame header."""
    data = (built().path / "frames/00000.jpg").read_bytes()
    at = data.index(b"\xff\xc0") + 11
    assert [data[at + 3 * i] for i in range(3)] == [0x11] * 3


def test_silence_is_found_and_speech_is_not_in_it() -> None:
    first, stop = package().idle or (0, 0)
    assert first <= 2 and abs(stop - SPEECH_FROM) <= 3


def test_boxes_frame_the_face_as_detectors_do() -> None:
    """Eyes at two fifths, mouth at three quarters, chin inside: see ``boxes``."""
    clip_package = package()
    points, boxes = clip_package.landmarks, clip_package.boxes
    tall = boxes[:, 3] - boxes[:, 1]

    def height(index: list[int]) -> np.ndarray:
        return (points[:, index, 1].mean(1) - boxes[:, 1]) / tall

    assert (np.abs(height([33, 133, 362, 263]) - 0.38) < 0.04).all()
    assert (np.abs(height([61, 291]) - 0.74) < 0.04).all()
    closed = slice(0, SPEECH_FROM)
    assert (np.abs(height([152])[closed] - 0.975) < 0.02).all()
    assert (np.abs((points[:, 234, 0] - boxes[:, 0]) / tall) < 0.03).all()


def test_boxes_do_not_tremble() -> None:
    boxes = package().boxes.astype(float)
    published = package().published
    assert published is not None
    jerk = np.abs(np.diff(boxes, 3, axis=0)).mean()
    rough = np.abs(np.diff(published[:, [2, 0, 3, 1]].astype(float), 3, axis=0)).mean()
    assert jerk < 0.15 and jerk < 0.3 * rough


def test_the_same_clip_gives_the_same_bytes(tmp_path: Path) -> None:
    part = Part(0.9, 1.45)
    one, other = (build_clip(clip(), request(tmp_path / n, part=part)) for n in ("one", "other"))
    assert digests(one.path) == digests(other.path)


def test_progress_rises_and_a_cancelled_build_leaves_nothing(tmp_path: Path) -> None:
    told: list[tuple[float, str]] = []

    class Cancelled(Exception):
        pass

    def cancel(share: float, step: str) -> None:
        told.append((share, step))
        assert any(tmp_path.glob(".me-building-*")) == (step != "models" and len(told) > 2)
        if share > 0.6:
            raise Cancelled

    with pytest.raises(Cancelled):
        build_clip(clip(), request(tmp_path), cancel)
    assert [s for s, _ in told] == sorted(s for s, _ in told) and told[-1][1] == "frames"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_command_leaves_nothing(tmp_path: Path, how: signal.Signals) -> None:
    """A killed one cannot clean up; the next build does. The old avatar stays as it was."""
    root = tmp_path / "data/mien/avatars"
    root.mkdir(parents=True)
    shutil.copytree(built().path, root / "me")
    before = digests(root / "me")
    command = [sys.executable, "-m", "mien", "avatar", "create", str(clip()), "--name", "me"]
    command += ["--force", "--i-have-the-right-to-use-this-face"]
    with subprocess.Popen(
        command,
        env=_environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        deadline = time.monotonic() + 120
        while not any(root.glob(".me-building-*/frames/00010.jpg")):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(how)
        process.wait(120)
        assert process.returncode != 0
    if how == signal.SIGKILL:
        assert list(root.glob(".me-building-*"))
        build_clip(clip(), request(root, replace_old=True, part=Part(0, 0.6)))
        assert len(read_clip(root / "me")) == 15
    else:
        assert digests(root / "me") == before
    assert [f.name for f in root.iterdir()] == ["me"]


def _environment(home: Path) -> dict[str, str]:
    import os

    return {**os.environ, "XDG_DATA_HOME": str(home / "data"), "LC_ALL": "C.UTF-8"}


def test_a_full_disk_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=205_000_000))
    with pytest.raises(PhotoError) as error:
        build_clip(clip(), request(tmp_path))
    assert error.value.code == "disk_full" and "205 MB left" in error.value.en
    assert list(tmp_path.iterdir()) == []


def test_consent_and_names_come_first(tmp_path: Path) -> None:
    for wanted, code in (
        (ClipRequest(name="me", root=tmp_path), "no_consent"),
        (ClipRequest(name="../me", consent=True, root=tmp_path), "bad_name"),
        (ClipRequest(name="me", consent=True, root=built().path.parent), "name_taken"),
    ):
        with pytest.raises(PhotoError) as error:
            build_clip(clip(), wanted)
        assert error.value.code == code


# What cameras do


def steps(count: int) -> Iterator[Fraction]:
    """30 a second, slowing down to 15 in the middle, as telephones do in the dark."""
    at = Fraction(0)
    for i in range(count):
        yield at
        at += Fraction(1, 15 if count // 3 < i < 2 * count // 3 else 30)


def test_silent_variable_turned_and_hevc_clips_work(tmp_path: Path) -> None:
    film = filmed()[:14]
    turned = [np.ascontiguousarray(np.rot90(p)) for p in film]
    upright = turned_by_metadata(encode(tmp_path / "turned.mov", turned), (0, 1, -1, 0))
    hevc = encode(tmp_path / "hevc.mp4", film, "libx265")
    variable = encode(tmp_path / "variable.mp4", film, times=list(steps(14)), rate=30)
    for path, frames in ((upright, 14), (hevc, 14), (variable, 15)):
        done = build_clip(path, request(tmp_path / path.stem))
        got = read_clip(done.path)
        assert got.size == SIZE and abs(len(got) - frames) <= 1, path
        assert np.abs(got.landmarks[0] - package().landmarks[0]).mean() < 1.5, path


def test_a_part_keeps_the_clips_own_counting(tmp_path: Path) -> None:
    done = build_clip(clip(), request(tmp_path, part=Part(0.4, 1.6), idle=(0.4, 1.0)))
    assert done.frames == 30 and done.idle == (0, 15)
    assert np.abs(read_clip(done.path).landmarks[0] - package().landmarks[10]).mean() < 1
    error = refused(clip(), part=Part(0.4, 1.0), idle=(0.0, 0.9))
    assert error.code == "bad_idle" and "within 0.40 and 1.00 s" in error.en
    done = build_clip(clip(), request(tmp_path, part=Part(1, 2), idle=(1.0, 1.8), replace_old=True))
    codes = {a.code: a for a in done.advice}
    assert "never_silent" not in codes and "frames" in codes["idle_open"].en


def test_ends_that_meet_go_round(tmp_path: Path) -> None:
    """A head that sways and nods: its last picture goes over into the first."""
    turn = [2 * np.pi * i / 30 for i in range(30)]
    film = [still(pose=Pose(yaw=4 * np.sin(t), pitch=5 * np.sin(2 * t))) for t in turn]
    round_ = build_clip(encode(tmp_path / "r.mp4", film), request(tmp_path))
    half = build_clip(encode(tmp_path / "h.mp4", film[:26]), request(tmp_path, replace_old=True))
    assert (round_.loop, half.loop) == ("forward", "pingpong")
    assert round_.idle == (0, 30), "lips closed throughout"


# What goes wrong: exactly where


def absent(first: int, last: int) -> list[Image]:
    """The presenter steps out of the picture, sideways, and comes back."""
    film = list(filmed()[: last + 10])
    width = SIZE[0]
    for i in range(len(film)):
        out = np.clip(min(i - first + 8, last + 8 - i) / 8, 0, 1)
        place = np.array([[1, 0, round(out * width)], [0, 1, 0]], np.float32)
        film[i] = np.asarray(cv2.warpAffine(film[i], place, SIZE, borderValue=COLOUR), np.uint8)
    return film


def test_a_face_that_leaves_is_named_with_its_frames(tmp_path: Path) -> None:
    error = refused(encode(tmp_path / "a.mp4", absent(18, 30)))
    assert error.code in ("no_face", "cut_off")
    first, last = _frames(error.en)
    assert 10 <= first <= 18 and 30 <= last <= 38
    assert (
        f"({first / 25:.2f}–{last / 25:.2f} s)" in error.en and f"第 {first}–{last} 帧" in error.zh
    )


def _frames(text: str) -> tuple[int, int]:
    first, _, last = text.split("frames ", 1)[1].split(" ", 1)[0].partition("–")
    return int(first), int(last)


def test_a_few_missed_frames_are_bridged(tmp_path: Path) -> None:
    """A flash of white over three frames."""
    film = list(filmed()[:30])
    for i in (20, 21, 22):
        film[i] = np.full_like(film[i], 250)
    got = read_clip(build_clip(encode(tmp_path / "f.mp4", film), request(tmp_path)).path)
    assert np.abs(got.landmarks[21] - package().landmarks[21]).mean() < 3


def test_no_face_at_all(tmp_path: Path) -> None:
    error = refused(encode(tmp_path / "n.mp4", [wall()] * 60))
    assert error.code == "no_face" and "first 2 seconds" in error.en


def test_two_faces(tmp_path: Path) -> None:
    """A second person comes in after half a second."""
    alone = [p[:, 100:540] for p in filmed()[:38]]
    guest = np.hstack([still("lin")[:, 100:540], wall((440, 480))])
    film = [
        np.hstack([p, np.roll(guest, max(0, 440 - 55 * max(0, i - 10)), 1)[:, :440]])
        for i, p in enumerate(alone)
    ]
    error = refused(encode(tmp_path / "2.mp4", film))
    assert error.code == "several_faces"
    first, last = _frames(error.en)
    assert 14 <= first <= 27 and last >= 24


def test_a_small_face_in_the_background_is_only_advice(tmp_path: Path) -> None:
    film = [p.copy() for p in filmed()[:30]]
    small = cv2.resize(still("lin"), (200, 150), interpolation=cv2.INTER_AREA)
    for picture in film:
        picture[:150, :200] = small
    done = build_clip(encode(tmp_path / "s.mp4", film), request(tmp_path))
    assert [a.code for a in done.advice if a.code == "largest_face"]


def test_another_scene(tmp_path: Path) -> None:
    film = [*filmed()[:20], *[np.roll(still("lin", pose=Pose(yaw=3)), 60, 1)] * 10]
    error = refused(encode(tmp_path / "c.mp4", film))
    assert error.code == "scene_cut" and "frame 20 (0.80 s)" in error.en
    jump = [*filmed()[:20], *[np.roll(p, 120, 1) for p in filmed()[20:30]]]
    assert "frame 20 (0.80 s)" in refused(encode(tmp_path / "j.mp4", jump)).en


def test_a_hand_before_the_mouth(tmp_path: Path) -> None:
    film = [p.copy() for p in filmed()[:36]]
    points = package().landmarks
    skin = tuple(int(v) for v in np.median(film[0][_patch(points[0, 50])].reshape(-1, 3), 0))
    for i in range(20, 32):
        x, y = points[i, [13, 14]].mean(0)
        cv2.ellipse(film[i], (int(x), int(y)), (60, 34), 0, 0, 360, skin, -1)
    error = refused(encode(tmp_path / "m.mp4", film))
    assert error.code == "mouth_covered"
    first, last = _frames(error.en)
    assert 20 <= first <= 23 and 28 <= last <= 32


def _patch(point: np.ndarray) -> tuple[slice, slice]:
    x, y = (int(v) for v in point)
    return np.s_[y - 4 : y + 5], np.s_[x - 4 : x + 5]


def test_a_distant_face_is_too_small(tmp_path: Path) -> None:
    film = []
    for p in filmed()[:20]:
        canvas = wall((960, 540))
        canvas[200:380, 300:540] = cv2.resize(p, (240, 180), interpolation=cv2.INTER_AREA)
        film.append(canvas)
    error = refused(encode(tmp_path / "d.mp4", film))
    assert error.code == "too_small" and "at least 80" in error.en and "frames 0–19" in error.en


def test_a_face_at_the_edge_is_cut_off(tmp_path: Path) -> None:
    film = [np.ascontiguousarray(p[:, 270:]) for p in filmed()[:20]]
    assert refused(encode(tmp_path / "e.mp4", film)).code == "cut_off"


def test_dark_blurred_and_shaky_clips_are_made_with_advice(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    shaken, dark = [], []
    for p in filmed()[:14]:
        x, y = rng.normal(0, 2.5, 2)
        place = np.array([[1, 0, x], [0, 1, y]], np.float32)
        moved = cv2.warpAffine(p, place, SIZE, borderMode=cv2.BORDER_REPLICATE)
        shaken.append(np.asarray(cv2.GaussianBlur(moved, (0, 0), 4), np.uint8))
        dark.append((p * 0.25).astype(np.uint8))
    path = encode(tmp_path / "s.mp4", shaken)
    done = build_clip(path, request(tmp_path))
    codes = {a.code for a in done.advice}
    assert {"blurred", "shaky", "short"} <= codes
    assert refused(path, strict=True).code in codes - {"scaled", "hdr", "long"}
    done = build_clip(encode(tmp_path / "d.mp4", dark), request(tmp_path, replace_old=True))
    assert "dark" in {a.code for a in done.advice}
    assert not {"dark", "blurred", "shaky"} & {a.code for a in built().advice}
