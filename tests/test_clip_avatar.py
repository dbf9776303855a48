"""A clip avatar as the rest of mien sees it: composed, driven by an engine, listed, deleted."""

from __future__ import annotations

import itertools
import json
import shutil
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

import clip_folder
from clip_folder import painted, tinted
from mien.avatar.atlas import AtlasAvatar
from mien.avatar.background import Background, BackgroundError
from mien.avatar.clip import frames as frames_module
from mien.avatar.clip.avatar import ClipAvatar, ClipStyle
from mien.avatar.clip.package import read_clip
from mien.avatar.contract import Avatar, Pose
from mien.avatar.errors import AvatarError
from mien.avatar.library import (
    avatar_info,
    list_avatars,
    load_avatar,
    natural_size,
    pictures_bytes,
)
from mien.cli import app
from mien.lipsync.contract import LipSync, Mouth, MouthRequest, MouthShape
from mien.lipsync.wav2lip.artefacts import cache_folder
from mien.media.tick import SAMPLES_PER_TICK, Image
from mien.media.tick_plan import SpeechWindow, TickPlan
from mien.painter import Painter

runner = CliRunner()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache folder, elsewhere and empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(frames_module, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def avatar(filmed_folder: Path) -> ClipAvatar:
    return ClipAvatar(read_clip(filmed_folder))


class Loudness:
    """An engine of the simplest kind: the louder, the wider; paints what was really rendered.

    flaw: the light it gets wrong. Paints the whole lower face, as small as Wav2Lip does.
    """

    sample_rate = 16_000
    context = (0.0, 0.0)
    openings = (0.0, 0.25, 0.5, 0.75, 1.0)

    def __init__(self, flaw: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> None:
        self.flaw = flaw
        self._known: dict[tuple[int, float], Mouth] = {}

    def render(self, batch: Sequence[MouthRequest]) -> Sequence[Mouth]:
        return [self.paint(request.frame, float(np.abs(request.audio).max())) for request in batch]

    def rest(self, frame: int) -> Mouth | None:
        return self.paint(frame, 0.0)

    def paint(self, frame: int, loudness: float) -> Mouth:
        openness = min(self.openings, key=lambda o: abs(o - loudness))
        key = frame, openness
        if key not in self._known:
            self._known[key] = tinted(painted(frame, openness), self.flaw)
        return self._known[key]


def speech(loudness: Sequence[float]) -> list[TickPlan]:
    """Ticks that say so much; 0 says nothing at all."""
    plans = []
    for index, level in enumerate(loudness):
        pcm = np.full(640, round(32767 * level), np.int16)
        before = loudness[index - 1] if index else 0.0
        plans.append(
            TickPlan(
                index=index,
                generation=0,
                audio=np.zeros(SAMPLES_PER_TICK, np.int16),
                window=SpeechWindow(pcm, None, 640 * index) if level else None,
                marks=[],
                starts=bool(level) and not before,
            )
        )
    return plans


def performed(avatar: Avatar, lipsync: LipSync, loudness: Sequence[float]) -> list[Image]:
    plans = speech(loudness)
    painter = Painter(avatar, lipsync, seed=1)
    for first in range(0, len(plans), 3):
        painter.paint(plans[first : first + 3], "idle")
    assert all(plan.image is not None for plan in plans)
    return [plan.image for plan in plans if plan.image is not None]


# -- composing ------------------------------------------------------------------------------


def test_without_a_mouth_it_is_the_clip(avatar: ClipAvatar) -> None:
    assert avatar.size == clip_folder.SIZE and avatar.engines == ("wav2lip",)
    for frame in (0, 7, 23):
        picture = avatar.compose(0, None, Pose(frame=frame))
        assert np.array_equal(picture, avatar.package.picture(frame))
        assert picture.flags.writeable and picture.flags.c_contiguous
        picture[:] = 0  # newly made: the clip does not care
        assert avatar.compose(0, None, Pose(frame=frame)).any()
        assert np.array_equal(
            avatar.compose(0, painted(frame, 1.0).faded(0), Pose(frame=frame)),
            avatar.package.picture(frame),
        )


def test_frames_beyond_the_clip_begin_again(avatar: ClipAvatar) -> None:
    assert np.array_equal(
        avatar.compose(0, None, Pose(frame=clip_folder.COUNT + 3)),
        avatar.compose(0, None, Pose(frame=3)),
    )


@pytest.mark.parametrize("size", [(480, 360), (256, 256), (720, 540), (288, 512), (640, 200)])
def test_the_mouth_is_in_place_in_every_size(avatar: ClipAvatar, size: tuple[int, int]) -> None:
    """An open mouth is dark where the picture of this size has the lips, and nothing else moves."""
    framed = avatar.framed(size)
    assert framed.size == size
    rest = framed.compose(0, painted(5, 0.0), Pose(frame=5)).astype(int)
    wide = framed.compose(0, painted(5, 1.0), Pose(frame=5)).astype(int)
    assert rest.shape == (size[1], size[0], 3)
    darker = (rest - wide).max(2) > 60
    y, x = np.nonzero(darker)
    corners = framed.reel.landmarks[5, [61, 291]]
    upper, chin = framed.reel.landmarks[5, 0, 1], framed.reel.landmarks[5, 152, 1]
    if size == (640, 200):  # a slit that shows the eyes at most
        assert (y < size[1]).all()
        return
    assert len(x) > 20
    assert corners[0, 0] < x.mean() < corners[1, 0] and upper < y.mean() < chin


@pytest.mark.parametrize("size", [(101, 100), (8, 8), (5000, 100)])
def test_impossible_sizes_are_refused(avatar: ClipAvatar, size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="both must be even"):
        avatar.framed(size)


def test_it_keeps_its_own_background(avatar: ClipAvatar) -> None:
    assert avatar.with_background(Background()) is avatar
    green = Background("green")
    for attempt in (
        lambda: avatar.with_background(green),
        lambda: ClipAvatar(avatar.package, background=green),
    ):
        with pytest.raises(BackgroundError, match="keeps its own background"):
            attempt()
    with pytest.raises(AvatarError, match="cannot be cut out"):
        avatar.cutout(0, None, Pose())


def test_shapes_are_refused(avatar: ClipAvatar) -> None:
    with pytest.raises(ValueError, match="takes painted mouths"):
        avatar.compose(0, Mouth(MouthShape(0.5)), Pose())


def test_same_input_same_picture_from_any_thread(avatar: ClipAvatar) -> None:
    tasks = [(frame, openness) for frame in range(0, 24, 5) for openness in (0.0, 0.5, 1.0)]
    mouths = {task: painted(*task) for task in tasks}

    def draw(task: tuple[int, float]) -> Image:
        return avatar.compose(0, mouths[task], Pose(frame=task[0]))

    alone = [draw(task) for task in tasks]
    together = threading.Barrier(5)

    def one(task: tuple[int, float]) -> Image:
        together.wait()
        return draw(task)

    with ThreadPoolExecutor(5) as pool:
        for _ in range(3):
            assert all(map(np.array_equal, pool.map(one, tasks), alone))


@pytest.mark.parametrize("cache_kind", ["ram", "disk"])
def test_caches_show_the_same(avatar: ClipAvatar, cache_kind: frames_module.Cache) -> None:
    kept = ClipAvatar(avatar.package, (256, 256), style=ClipStyle(cache=cache_kind))
    plain = avatar.framed((256, 256))
    for frame in (0, 11):
        mouth, pose = painted(frame, 0.6), Pose(frame=frame)
        assert np.array_equal(kept.compose(0, mouth, pose), plain.compose(0, mouth, pose))


def test_published_style_is_the_hard_rectangle(avatar: ClipAvatar) -> None:
    hard = ClipAvatar(avatar.package, style=ClipStyle(paste="published"))
    patch = np.full((96, 96, 3), (250, 10, 10), np.uint8)
    picture = hard.compose(0, Mouth(patch=patch), Pose(frame=2))
    left, top, right, bottom = np.round(avatar.package.boxes[2]).astype(int)
    assert (picture[top:bottom, left:right] == (250, 10, 10)).all()
    assert (picture[:, right] == avatar.package.picture(2)[:, right]).all()


# -- driven by an engine ----------------------------------------------------------------------


def lips(avatar: ClipAvatar, image: Image) -> Image:
    left, top = avatar.reel.landmarks[:, [61, 0]].min((0, 1))
    right, bottom = avatar.reel.landmarks[:, [291, 17]].max((0, 1))
    return image[int(top) : int(bottom), int(left) : int(right)]


def openings(avatar: ClipAvatar, pictures: Sequence[Image]) -> list[float]:
    """0 … 1: how dark it is between the lips, from the brightest to the darkest of the pictures."""
    light = np.array([lips(avatar, image).mean() for image in pictures])
    return [float(v) for v in (light.max() - light) / np.ptp(light)]


def test_speech_opens_and_closes_it_without_a_jump(filmed_folder: Path) -> None:
    avatar, engine = ClipAvatar(read_clip(filmed_folder)), Loudness((1.1, 1.0, 0.92))
    avatar = avatar.matched_to(engine)
    loudness = [0.0] * 8 + [1.0] * 8 + [0.0] * 8
    pictures = performed(avatar, engine, loudness)
    opened = openings(avatar, pictures)
    assert max(opened[:8]) < 0.15 and max(opened[-3:]) < 0.15 and min(opened[11:15]) > 0.85
    assert 0.2 < opened[8] < 0.5 < opened[9] < 0.85  # opens over some pictures, and closes so
    assert 0.9 > opened[16] > opened[17] > opened[18] > 0.1
    # Around the mouth nothing jumps: ticks at the edges of speech change as little as any.
    cheeks = []
    left, right = avatar.reel.boxes[0, [0, 2]].astype(int)
    nose = int(avatar.reel.landmarks[:, 2, 1].min())
    for before, after in itertools.pairwise(pictures):
        change = np.abs(after.astype(int) - before)
        cheeks.append(float(change[nose - 12 : nose + 4, left:right].mean()))
    assert max(cheeks[6:10] + cheeks[14:20]) < 1.3 * max(cheeks[:5]) + 0.5


def test_silence_shows_the_engines_closed_mouth_and_the_whole_is_seamless(
    filmed_folder: Path,
) -> None:
    engine = Loudness((1.1, 1.0, 0.92))
    avatar = ClipAvatar(read_clip(filmed_folder)).matched_to(engine)
    for tick, image in enumerate(performed(avatar, engine, [0.0] * 12)):
        frame = avatar.life(1)
        pose = [frame.pose(t, 0, "idle") for t in range(tick + 1)][-1]
        filmed = avatar.package.picture(pose.frame).astype(float)
        assert (image != filmed).any() and np.abs(image - filmed).mean() < 0.4


def test_colours_settle_to_the_frame_not_to_the_mouth(filmed_folder: Path) -> None:
    """The match undoes what the engine gets wrong, and is steady from picture to picture."""
    engine = Loudness((1.1, 1.0, 0.92))
    avatar = ClipAvatar(read_clip(filmed_folder)).matched_to(engine)
    gains = avatar.reel.gains
    assert gains is not None and gains.shape == (clip_folder.COUNT, 3, 3)
    assert np.abs(np.exp(gains[:, 0]) * (1.1, 1.0, 0.92) - 1).max() < 0.02
    assert np.abs(np.diff(gains, axis=0)).max() < 0.004


def test_an_engine_without_a_silent_mouth_leaves_colours_to_each_tick(avatar: ClipAvatar) -> None:
    class Mute(Loudness):
        def rest(self, frame: int) -> Mouth | None:
            return None

    assert avatar.matched_to(Mute()).reel.gains is None
    pictures = performed(
        avatar, Mute((1.1, 1.0, 0.92)), [0.0, 0.0, 0.5, 0.5, 0.5, 0.0, 0.0] + [0.0] * 4
    )
    life = avatar.life(1)
    poses = [life.pose(t, 0, "idle") for t in range(len(pictures))]
    for tick in (0, 1, 9, 10):
        assert np.array_equal(pictures[tick], avatar.package.picture(poses[tick].frame))


def test_sessions_show_different_phases_of_one_clip(avatar: ClipAvatar) -> None:
    starts = {avatar.life(seed).pose(0, 0, "idle").frame for seed in range(12)}
    assert len(starts) > 5


# -- library and commands ----------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path, filmed_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder, with one good and one broken clip in it."""
    folder = tmp_path / "avatars"
    shutil.copytree(filmed_folder, folder / "filmed")
    shutil.copytree(filmed_folder, folder / "broken")
    (folder / "broken/frames/00003.jpg").unlink()
    monkeypatch.setattr("mien.avatar.library.user_folder", lambda: folder)
    return folder


def test_library_finds_it_and_loads_it_once(own: Path) -> None:
    avatar = load_avatar("filmed")
    assert isinstance(avatar, ClipAvatar) and avatar.size == clip_folder.SIZE
    assert pictures_bytes("filmed", (64, 48)) == len(avatar.package) * 64 * 48 * 3
    assert pictures_bytes("mei", (64, 48)) == 0
    assert load_avatar(own / "filmed") is avatar is load_avatar("filmed", clip_folder.SIZE)
    square = load_avatar("filmed", (256, 256))
    assert square is not avatar and square.size == (256, 256)
    style = ClipStyle(cache="ram", sharpen=0.0)
    told: list[float] = []
    kept = load_avatar("filmed", (256, 256), style=style, on_progress=told.append)
    assert kept is not square and told[-1] == 1
    assert load_avatar("filmed", (256, 256), style=style) is kept
    with pytest.raises(BackgroundError, match="keeps its own background"):
        load_avatar("filmed", (256, 256), Background("green"))
    info = avatar_info(own / "filmed")
    assert info.kind == "clip" and info.engines == ("wav2lip",) and info.title_zh == "拍摄的"
    assert {a.name: a.kind for a in list_avatars()}["mei"] == "atlas"


def test_library_sees_that_it_was_changed(own: Path) -> None:
    before = load_avatar("filmed")
    file = own / "filmed/avatar.toml"
    file.write_text(file.read_text(encoding="utf-8").replace('"Filmed"', '"New"'), encoding="utf-8")
    after = load_avatar("filmed")
    assert after is not before and after.title == "New"


def test_natural_size_is_a_clips_only(own: Path) -> None:
    assert natural_size("filmed") == clip_folder.SIZE and natural_size("mei") is None
    with pytest.raises(AvatarError, match="no avatar 'nobody'"):
        natural_size("nobody")


def test_loading_one_does_not_wait_for_another(own: Path) -> None:
    """A preview is shown while a large clip is still being prepared."""
    shutil.copytree(own / "filmed", own / "second")
    inside, go_on = threading.Event(), threading.Event()

    def slow(share: float) -> None:
        inside.set()
        assert go_on.wait(60)

    with ThreadPoolExecutor(2) as pool:
        large = pool.submit(
            load_avatar, "filmed", (320, 320), style=ClipStyle("ram"), on_progress=slow
        )
        assert inside.wait(60)
        assert load_avatar("filmed", (64, 64)).size == (64, 64)
        assert load_avatar("second").name == "filmed"
        same = pool.submit(load_avatar, "filmed", (320, 320), style=ClipStyle("ram"))
        go_on.set()
        assert large.result(60) is same.result(60)


def test_list_tells_clips_and_what_is_wrong(own: Path) -> None:
    done = runner.invoke(app, ["avatar", "list", "--json"])
    entries = {entry["name"]: entry for entry in json.loads(done.stdout)}
    filmed = entries["filmed"]
    assert filmed["ready"] and filmed["material"] == "clip" and filmed["size"] == [480, 360]
    assert entries["mei"]["material"] == "atlas"
    assert not entries["broken"]["ready"] and "00003.jpg is missing" in entries["broken"]["why_not"]


def test_show_draws_the_clip_and_a_trial_paste(own: Path, tmp_path: Path) -> None:
    file = tmp_path / "sheet.png"
    done = runner.invoke(app, ["avatar", "show", "filmed", "--sheet", str(file)])
    assert done.exit_code == 0, done.output
    sheet = cv2.imread(str(file))
    assert sheet is not None and sheet.shape[1] == 1760
    first = cv2.resize(clip_folder.picture(0), (216, 162), interpolation=cv2.INTER_AREA)
    shown = sheet[36 : 36 + 162, 2 : 2 + 216, ::-1].astype(int)
    assert np.abs(shown - first).mean() < 3
    # Rows of the clip, rows of what is known of its faces (box in red), rows of the trial paste.
    red = (sheet[..., 2] > 220) & (sheet[..., 1] < 110) & (sheet[..., 0] < 90)
    assert red.sum() > 1000 and not red[: 36 + 162].any()
    sized = runner.invoke(
        app, ["avatar", "show", "filmed", "--size", "256x256", "--sheet", str(file)]
    )
    assert sized.exit_code == 0 and cv2.imread(str(file)).shape[0] != sheet.shape[0]
    refused = runner.invoke(app, ["avatar", "show", "filmed", "--background", "green"])
    assert refused.exit_code == 2 and "keeps its own background" in " ".join(refused.output.split())


def test_deleting_takes_the_cached_pictures_along(own: Path, cache: Path) -> None:
    load_avatar("filmed", (128, 128), style=ClipStyle("disk"))
    features = cache_folder() / "faces" / "filmed-0123456789abcdef.features"
    features.parent.mkdir(parents=True)
    features.touch()
    assert len(list(cache.glob("*.npy"))) == 1
    done = runner.invoke(app, ["avatar", "delete", "filmed", "--yes"])
    assert done.exit_code == 0 and not (own / "filmed").exists()
    assert not list(cache.glob("*.npy")) and not features.exists()


def test_presenters_are_what_they_were() -> None:
    assert isinstance(load_avatar("mei"), AtlasAvatar)
    assert load_avatar("mei").size == (512, 512)


def test_a_session_may_change_to_a_clip_and_back(avatar: ClipAvatar) -> None:
    """The painter's cast is replaced between batches."""
    engine = Loudness()
    presenter = load_avatar("mei", clip_folder.SIZE)

    class Still(Loudness):
        def rest(self, frame: int) -> Mouth | None:
            return None

        def render(self, batch: Sequence[MouthRequest]) -> Sequence[Mouth]:
            return [Mouth(MouthShape(0.5)) for _ in batch]

    painter = Painter(presenter, Still(), seed=1)
    plans = speech([0.0, 0.5, 0.5, 0.0, 0.0, 0.0, 0.5, 0.5, 0.5, 0.0, 0.0, 0.0])
    painter.paint(plans[:3], "idle")
    painter.cast = avatar, engine
    painter.paint(plans[3:9], "idle")
    painter.cast = presenter, Still()
    painter.paint(plans[9:], "idle")
    images = [plan.image for plan in plans]
    assert all(image is not None and image.shape == (360, 480, 3) for image in images)
    seen = images[3:9]
    changes = [np.abs(a.astype(int) - b).mean() for a, b in itertools.pairwise(seen)]
    assert min(changes) > 0  # the clip runs
