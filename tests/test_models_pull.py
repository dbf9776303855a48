"""Models of several files and archives: whole or not there, whatever the network and disk do."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from archives import member, packed_bytes, tarred
from mien.models import store
from mien.models.catalogue import Model, ModelFile, model
from mien.models.errors import ModelError
from mien.models.progress import Progress
from mien.models.prune import leftovers
from mien.models.pull import pull
from mien.models.transfer import Patience
from mien.models.verify import verify
from model_server import PAGE, ModelServer, model_server
from own_models import INSIDE, UNPACKED, VOCODER, OwnVoice, mien_models, own_voice

HASTY = Patience(connect=20, read=20, pause=0.01, tries=2)


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with model_server() as running:
        yield running


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store and a catalogue of the user's own."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("MIEN_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("MIEN_CATALOGUE", str(tmp_path / "models.toml"))
    monkeypatch.delenv("MIEN_OFFLINE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def voice(server: ModelServer, home: Path) -> OwnVoice:
    return own_voice(server, home)


def fetch(**how: object) -> store.Installed:
    return pull(model("tiny-voice"), patience=HASTY, **how)  # type: ignore[arg-type]


def refused(code: str) -> ModelError:
    with pytest.raises(ModelError) as caught:
        fetch()
    assert caught.value.code == code, caught.value
    assert caught.value.en and caught.value.zh and caught.value.en != caught.value.zh
    return caught.value


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in (store.RECORD, store.LOCK)
    }


WHOLE = {**UNPACKED, "vocoder.onnx": VOCODER}


def test_a_voice_comes_unpacked_with_its_other_files(voice: OwnVoice, home: Path) -> None:
    told: list[Progress] = []
    with pytest.raises(ModelError, match="mien models pull tiny-voice"):
        store.find_folder("tiny-voice")
    got = fetch(on_progress=told.append)
    folder = store.find_folder("tiny-voice")
    assert folder == home / "models" / "tiny-voice" and files_in(folder) == WHOLE
    assert got == store.installed("tiny-voice") and verify(got) is None
    for file in got.files:
        content = WHOLE[file.name]
        assert (file.size, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
        assert file.known and file.source.startswith(voice.server.url)
        assert file.archive == ("" if file.name == "vocoder.onnx" else "voice.tar.bz2")
    assert [told[0].step, told[-1].step] == ["fetch", "unpack"]
    total = len(voice.archive.data) + len(VOCODER)
    fetched = [one for one in told if one.step == "fetch"]
    assert [one.done for one in fetched] == sorted(one.done for one in fetched)
    assert fetched[-1].done == total and {one.total for one in told} == {total}
    assert {one.file for one in fetched} == {"voice.tar.bz2", "vocoder.onnx"}
    shares = [one.file_done for one in told if one.step == "unpack"]
    assert shares == sorted(shares) and shares[-1] == len(voice.archive.data)
    assert not files_in(home / "models" / ".incoming")


def test_a_change_or_loss_of_an_unpacked_file_is_noticed(voice: OwnVoice) -> None:
    got = fetch()
    phonemes = got.folder / "espeak-ng-data" / "phontab"
    phonemes.write_bytes(b"phoneme5")
    assert "espeak-ng-data/phontab" in str(verify(got))
    phonemes.unlink()
    assert store.installed("tiny-voice") is None, "half a voice is none"
    assert fetch().files == got.files


@pytest.mark.parametrize("checked", [True, False])
def test_a_cut_archive_goes_on_and_what_is_whole_is_not_fetched_again(
    voice: OwnVoice, checked: bool
) -> None:
    voice.write(checked=checked)
    voice.archive.cut, voice.vocoder.status = 150_000, 404
    assert "vocoder.onnx" in refused("unreachable").en
    assert voice.archive.asked[0] is None and len(voice.archive.asked) > 3
    assert all(voice.archive.asked[1:]), "only the rest was asked for"
    asked, voice.vocoder.status = len(voice.archive.asked), 200
    assert files_in(fetch().folder) == WHOLE
    assert len(voice.archive.asked) == asked, "it was whole, though nobody had stated its size"


def test_an_archive_damaged_on_its_way_is_fetched_again_elsewhere(
    voice: OwnVoice, server: ModelServer
) -> None:
    good = voice.archive.data
    bad = server.add("/bad", data=good[:90_000] + bytes(5) + good[90_005:])
    wanted = model("tiny-voice")
    archive = replace(wanted.files[0], sources=(bad, wanted.files[0].sources[0]))
    got = pull(replace(wanted, files=(archive, wanted.files[1])), patience=HASTY)
    assert files_in(got.folder) == WHOLE and got.files[0].source.endswith("/voice.tar.bz2")


def test_what_is_no_such_voice_is_not_kept_and_the_one_before_stays(voice: OwnVoice) -> None:
    before = fetch()
    escaping = tarred([(member("../../models.toml"), b"evil")])
    for data, said in (
        (voice.archive.data[:-9], "ends too early"),
        (escaping, "tar.gz"),
        (packed_bytes({"../../models.toml": b"evil"}), "leads out"),
        (packed_bytes({"tiny-voice/model.onnx": b"1"}), "lacks tokens.txt"),
        (packed_bytes({"record.json": b"{}", "x": b""}), "twice"),
        (packed_bytes({"VOCODER.onnx": b"", "x": b""}), "twice"),
    ):
        voice.archive.data, voice.archive.etag = data, None
        voice.write(checked=False)
        error = refused("wrong_file")
        assert said in error.en and "\n" not in error.en, error.en
        assert store.installed("tiny-voice") == before and verify(before) is None
        left = files_in(store.store_folder() / ".incoming")
        assert "tiny-voice/files/voice.tar.bz2" not in left, "or the next pull would take it"
        assert "kind" in voice.catalogue.read_text()


def test_a_newer_version_takes_the_place_of_the_older_at_once(voice: OwnVoice) -> None:
    old = fetch()
    (old.folder / "notes.txt").write_text("of the user's, or of a version before")
    inside = {**INSIDE, "tiny-voice/model.onnx": b"better"}
    voice.archive.data, voice.archive.etag = packed_bytes(inside), '"v2"'
    voice.write()
    new = fetch()
    assert files_in(new.folder) == {**WHOLE, "model.onnx": b"better"}
    assert new.since >= old.since and store.installed("tiny-voice") == new


def test_a_process_killed_between_two_versions_loses_neither(voice: OwnVoice) -> None:
    got = fetch()
    old = store.incoming(model("tiny-voice")) / "old"
    old.parent.mkdir(parents=True, exist_ok=True)
    got.folder.replace(old)
    assert store.installed("tiny-voice") is None
    assert leftovers() == [], "it is not for the bin"
    assert store.installed("tiny-voice") == got


def test_who_stops_it_while_it_is_unpacked_goes_on_there(voice: OwnVoice) -> None:
    class Enough(Exception):
        pass

    def stop(progress: Progress) -> None:
        if progress.step == "unpack":
            raise Enough

    with pytest.raises(Enough):
        fetch(on_progress=stop)
    assert store.installed("tiny-voice") is None
    asked = len(voice.archive.asked), len(voice.vocoder.asked)
    assert files_in(fetch().folder) == WHOLE
    assert asked == (len(voice.archive.asked), len(voice.vocoder.asked))


def with_files_of_at_most(size: int, home: Path) -> subprocess.CompletedProcess[str]:
    """A pull by a process whose files may not be larger, as on a full disk."""
    code = (
        f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))\n"
        "from mien.commands.models import models_app; models_app(['pull', 'tiny-voice'])"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=home)


def test_a_disk_that_fills_up_while_it_is_unpacked(voice: OwnVoice, home: Path) -> None:
    """What was fetched stays, so that only room is needed."""
    pytest.importorskip("resource", reason="needs a limit of Unix")
    voice.archive.data = packed_bytes({**INSIDE, "tiny-voice/big.bin": bytes(5_000_000)})
    voice.write()
    # A file may have 2 MB: more than the archive has, less than what is in it.
    run = with_files_of_at_most(2_000_000, home)
    assert run.returncode == 2 and "not enough room" in run.stderr, run.stderr
    assert "Traceback" not in run.stderr and store.installed("tiny-voice") is None
    left = files_in(home / "models" / ".incoming")
    assert "tiny-voice/files/voice.tar.bz2" in left
    assert not any("big.bin" in name for name in left), "what was half unpacked is gone"
    asked = len(voice.archive.asked)
    assert (fetch().folder / "big.bin").stat().st_size == 5_000_000
    assert len(voice.archive.asked) == asked


def test_a_disk_that_fills_up_while_it_is_fetched(voice: OwnVoice, home: Path) -> None:
    pytest.importorskip("resource", reason="needs a limit of Unix")
    run = with_files_of_at_most(200_000, home)
    assert run.returncode == 2 and "not enough room" in run.stderr, run.stderr
    assert "Traceback" not in run.stderr
    fetch()
    assert voice.archive.asked[-1] == "bytes=200000-", "it goes on where the room ended"


def test_two_processes_do_not_meet(voice: OwnVoice, home: Path) -> None:
    voice.archive.chunk_sec, voice.archive.chunk = 0.05, 20_000
    first = subprocess.Popen(mien_models("pull", "tiny-voice"), cwd=home)
    try:
        part = home / "models" / ".incoming" / "tiny-voice" / "files" / "voice.tar.bz2"
        wait_for(lambda: part.exists() and part.stat().st_size > 0)
        assert "another process" in refused("busy").en
        with pytest.raises(ModelError, match="another process"):
            store.delete("tiny-voice")
        assert leftovers() == [], "what is being fetched is no leftover"
        voice.archive.chunk_sec = 0
        assert first.wait(60) == 0
    finally:
        first.kill()
        first.wait()
    got = store.installed("tiny-voice")
    assert got is not None and files_in(got.folder) == WHOLE and verify(got) is None


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals of Unix")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_a_process_that_ends_leaves_what_it_had(
    voice: OwnVoice, home: Path, ending: signal.Signals
) -> None:
    voice.archive.chunk_sec, voice.archive.chunk = 0.05, 20_000
    run = subprocess.Popen(
        mien_models("pull", "tiny-voice"),
        cwd=home,
        stderr=subprocess.PIPE,
        # Jobs in the background of a script ignore Ctrl-C, and so would what they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    part = home / "models" / ".incoming" / "tiny-voice" / "files" / "voice.tar.bz2"
    wait_for(lambda: part.exists() and part.stat().st_size >= 40_000)
    run.send_signal(ending)
    _, said = run.communicate(timeout=120)
    assert run.returncode == (130 if ending == signal.SIGINT else -signal.SIGKILL), said
    voice.archive.chunk_sec = 0
    (left,) = leftovers()
    assert left.path == home / "models" / ".incoming" / "tiny-voice" and left.size >= 40_000
    assert files_in(fetch().folder) == WHOLE
    start = int((voice.archive.asked[-1] or "bytes=0-")[len("bytes=") : -1])
    assert start >= 40_000, "it went on where the other process was"


def wait_for(condition: object, seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.01)


def single(url: str, name: str = "net.bin") -> Model:
    wanted = model("tiny-voice")
    return replace(wanted, files=(ModelFile(name, (url,)),), expects=())


def test_a_redirect_to_another_host_is_followed(voice: OwnVoice, server: ModelServer) -> None:
    elsewhere = server.url.replace("127.0.0.1", "localhost") + "/vocoder.onnx"
    url = server.add("/moved", to=elsewhere)
    got = pull(single(url), patience=HASTY)
    assert got.path.read_bytes() == VOCODER and got.files[0].source == url


def test_the_checksum_that_a_hub_states_is_held_against_the_file(
    voice: OwnVoice, server: ModelServer
) -> None:
    sha256 = hashlib.sha256(VOCODER).hexdigest()
    server.add("/storage", data=VOCODER[:-1] + b"\0")
    wanted = single(server.add("/hub", to="/storage", linked=sha256))
    with pytest.raises(ModelError, match="SHA-256"):
        pull(wanted, patience=HASTY)
    server.ways["/storage"].data = VOCODER
    got = pull(wanted, patience=HASTY)
    assert got.path.read_bytes() == VOCODER
    assert not got.files[0].known, "nobody but its server has stated it"


@pytest.mark.parametrize("name", ["vocab.txt", "config.json"])
def test_a_page_is_no_word_list(voice: OwnVoice, server: ModelServer, name: str) -> None:
    with pytest.raises(ModelError, match="web page"):
        pull(single(server.add("/text", data=PAGE), name), patience=HASTY)
    server.ways["/text"].data = b'{"hidden_size": 1024}'
    server.ways["/text"].content_type = "text/html"
    assert pull(single(server.url + "/text", name), patience=HASTY).path.name == name


def test_a_file_may_lie_in_a_folder_of_the_model(voice: OwnVoice, server: ModelServer) -> None:
    wanted = single(server.url + "/vocoder.onnx", "nets/deep/vocoder.onnx")
    got = pull(wanted, patience=HASTY)
    assert got.path == got.folder / "nets" / "deep" / "vocoder.onnx"
    assert got.path.read_bytes() == VOCODER and verify(got) is None


def test_a_store_that_cannot_be_written_is_told_in_words(voice: OwnVoice, home: Path) -> None:
    (home / "models").write_text("a file where the folder should be")
    assert str(home / "models") in refused("disk").en
    assert os.path.isfile(home / "models")


def test_a_bert_vits2_voice_of_ones_own_is_looked_into(
    voice: OwnVoice, server: ModelServer, home: Path
) -> None:
    pytest.importorskip("safetensors", reason="needs pip install 'mien[bert-vits2]'")
    from bert_vits2_seeded import tiny

    anna = tiny(home / "anna")
    files = tuple(
        ModelFile(path.name, (server.add(f"/{path.name}", data=path.read_bytes()),))
        for path in sorted(anna.iterdir())
    )
    wanted = replace(model("tiny-voice"), engine="bert-vits2", files=files, expects=())
    got = pull(wanted, patience=HASTY)
    assert files_in(got.folder) == files_in(anna)
    server.ways[f"/{files[0].name}"].data = b'{"no": "voice"}' * 60
    with pytest.raises(ModelError, match="was not kept") as caught:
        pull(wanted, patience=HASTY)
    assert caught.value.code == "wrong_file" and ".incoming" not in caught.value.en
    assert store.installed("tiny-voice") == got
