"""What is worked out once per picture of a clip, and where it is kept."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from mien.lipsync.wav2lip.backend import Backend, Choice, as_pictures, encode
from mien.lipsync.wav2lip.cache_file import HEADER_BYTES, CacheError
from mien.lipsync.wav2lip.features import Cache, Features, Layout, open_features
from mien.lipsync.wav2lip.mel import silent_mel
from moving_faces import MovingFaces, Watched, small

FRAMES = 4
T = TypeVar("T")


class Here:
    """Runs what is to be done with the back end in the calling thread."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def run(self, function: Callable[[Backend], T]) -> T:
        return function(self._backend)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "mien" / "wav2lip" / "faces"


@pytest.fixture(scope="module")
def faces() -> MovingFaces:
    return MovingFaces(FRAMES)


def opened(
    faces: MovingFaces, cache: Cache = "disk", backend: Backend | None = None, **options: Any
) -> Features:
    backend = backend or small()
    digest = options.pop("digest", "of the weights")
    return open_features(backend, Here(backend), digest, faces, cache=cache, **options)


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.exists() else []


def expected(faces: MovingFaces) -> tuple[np.ndarray, np.ndarray]:
    """Features and mouths at rest, one picture at a time."""
    crops = [faces.crop(frame, 96) for frame in range(len(faces))]
    features = np.concatenate([small().encode(crop[None]) for crop in crops])
    silence = silent_mel()[None]
    rest = [as_pictures(small().decode(silence, row[None]))[0] for row in features]
    return features, np.stack(rest)


@pytest.mark.parametrize("cache", ["none", "ram", "disk"])
def test_every_picture_has_what_the_network_says_of_it(faces: MovingFaces, cache: Cache) -> None:
    features, rest = expected(faces)
    known = opened(faces, cache)
    assert len(known) == FRAMES
    for frame in range(FRAMES):
        mouth = known.rest(frame)
        assert mouth.shape == (48, 96, 3) and mouth.dtype == np.uint8
        assert np.abs(mouth.astype(int) - rest[frame]).max() <= 1
        kept = known.features(frame)
        if cache == "none":
            assert kept is None
        else:
            assert kept is not None and kept.dtype == small().feature_dtype
            np.testing.assert_allclose(kept, features[frame], atol=1e-5, rtol=1e-5)


def test_mouths_at_rest_move_with_the_head_and_cannot_be_painted_over(faces: MovingFaces) -> None:
    known = opened(faces, "ram")
    assert np.abs(known.rest(0).astype(int) - known.rest(1)).mean() > 0.5
    for kept in (known.rest(0), known.features(0)):
        assert kept is not None
        with pytest.raises(ValueError, match="read-only"):
            kept[0] = 1


@pytest.mark.parametrize("cache", ["none", "ram", "disk"])
def test_the_size_is_known_exactly_before_it_is_made(
    faces: MovingFaces, folder: Path, cache: Cache
) -> None:
    layout = Layout.of(small(), cache)
    stated = layout.size_bytes(FRAMES)
    record = stated // FRAMES
    pixels = 48 * 96 * 3
    if cache == "none":
        assert record == pixels
    else:
        assert record - pixels - small().window.values * small().feature_dtype.itemsize < 128 + (
            HEADER_BYTES // FRAMES if cache == "disk" else 0
        )
    opened(faces, cache)
    if cache == "disk":
        (file,) = files(folder)
        assert file.stat().st_size == stated
        assert file.stat().st_blocks * 512 >= stated  # really written, not a hole
    else:
        assert not files(folder)


def test_the_second_start_needs_no_network(faces: MovingFaces) -> None:
    first = opened(faces)
    watched = Watched(small())
    second = opened(faces, backend=watched)
    assert not watched.asked
    for frame in range(FRAMES):
        np.testing.assert_array_equal(first.features(frame), second.features(frame))
        np.testing.assert_array_equal(first.rest(frame), second.rest(frame))


def test_progress_is_told_and_pieces_are_small(faces: MovingFaces) -> None:
    told: list[float] = []
    watched = Watched(small())
    opened(faces, backend=watched, at_once=2, on_progress=told.append)
    assert told == [0, 0.5, 1]
    assert watched.asked == [("encode", 2), ("decode", 2)] * 2


@pytest.mark.parametrize("cache", ["ram", "disk"])
def test_stopping_leaves_nothing_half_made(faces: MovingFaces, folder: Path, cache: Cache) -> None:
    class Stopped(Exception):
        pass

    def stop(share: float) -> None:
        if share > 0.4:
            raise Stopped

    with pytest.raises(Stopped):
        opened(faces, cache, at_once=2, on_progress=stop)
    assert not files(folder)


@pytest.mark.parametrize("place", [3, 30, HEADER_BYTES + 1, -1])
def test_a_damaged_file_is_made_again(faces: MovingFaces, folder: Path, place: int) -> None:
    first = np.array(opened(faces).features(2))
    (file,) = files(folder)
    data = bytearray(file.read_bytes())
    data[place] ^= 0xFF
    file.unlink()  # rather than change what is mapped
    file.write_bytes(data)
    watched = Watched(small())
    again = opened(faces, backend=watched)
    assert watched.decoded
    np.testing.assert_array_equal(again.features(2), first)
    assert files(folder) == [file]


class Quantised(Watched):
    """The network as if it were an int8 one, whose features are on a scale found by calibration."""

    def __init__(self, scale: float) -> None:
        super().__init__(small())
        self._scale = np.float32(scale)

    @property
    def choice(self) -> Choice:
        return Choice("onnxruntime", "int8")

    def encode(self, faces: np.ndarray) -> np.ndarray:
        return super().encode(faces) * self._scale


def test_features_of_a_network_calibrated_anew_are_made_again(
    faces: MovingFaces, folder: Path
) -> None:
    before = np.array(opened(faces, backend=Quantised(1)).features(1))
    same = Quantised(1)
    opened(faces, backend=same)
    assert same.asked == [("encode", 1)]  # a look at one picture
    after = opened(faces, backend=Quantised(1.1)).features(1)
    np.testing.assert_allclose(after, before * 1.1, rtol=1e-5)
    assert len(files(folder)) == 1


def test_other_pictures_weights_or_windows_have_their_own_file(
    faces: MovingFaces, folder: Path
) -> None:
    opened(faces)
    opened(MovingFaces(FRAMES, seed=1))
    opened(faces, digest="of other weights", owner="mei")
    assert len(files(folder)) == 3
    assert {file.stem.rpartition("-")[0] for file in files(folder)} == {
        faces.key[:16],
        MovingFaces(FRAMES, seed=1).key[:16],
        "mei",
    }


def test_a_new_clip_of_the_same_avatar_replaces_the_old(folder: Path) -> None:
    opened(MovingFaces(2, seed=1), owner="mei")
    opened(MovingFaces(2, seed=2), owner="mei-2")
    (old,) = (file for file in files(folder) if not file.name.startswith("mei-2"))
    known = opened(MovingFaces(2, seed=3), owner="mei")
    names = [file.name for file in files(folder)]
    assert len(names) == 2
    assert old.name not in names
    assert known.features(1) is not None


def test_a_name_that_is_no_file_name_is_made_one(folder: Path) -> None:
    opened(MovingFaces(1), owner="../a b/c:小梅")
    (file,) = files(folder)
    assert file.name.startswith(".._a_b_c_小梅-")


class Endless(MovingFaces):
    """A clip longer than any memory."""

    def __init__(self) -> None:
        super().__init__(1)

    def __len__(self) -> int:
        return 10**9

    def crop(self, frame: int, size: int) -> np.ndarray:
        raise AssertionError("nothing should be made that will not fit")


def test_too_little_memory_is_told_before_it_is_taken() -> None:
    with pytest.raises(CacheError, match=r"MB of memory are left .* needs \d+ MB") as caught:
        opened(Endless(), "ram")
    assert caught.value.code == "cache_memory_full"
    assert "可用内存" in caught.value.zh


def test_a_disk_too_small_is_told_before_it_is_filled(folder: Path) -> None:
    with pytest.raises(CacheError, match="MB left and the lip-sync cache needs"):
        opened(Endless(), "disk")
    assert not files(folder)


def test_a_clip_without_pictures_is_refused() -> None:
    class Empty(MovingFaces):
        def __len__(self) -> int:
            return 0

    with pytest.raises(ValueError, match="without pictures"):
        opened(Empty(1))


def test_half_precision_features_are_good_enough(faces: MovingFaces) -> None:
    """Back ends of lower precision keep float16; what that alone costs is far below their own."""
    rng = np.random.default_rng(5)
    crops = np.stack([faces.crop(frame, 96) for frame in range(4)])
    mels = rng.uniform(-4, 4, (4, 80, 16)).astype(np.float32)
    features = encode(small(), crops).astype(np.float32)
    halved = features.astype(np.float16).astype(np.float32)
    assert np.isfinite(halved).all()
    exact = small().decode(mels, features)
    error = np.mean((small().decode(mels, halved) - exact) ** 2)
    assert 10 * np.log10(1 / error) > 65
