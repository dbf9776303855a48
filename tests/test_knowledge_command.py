"""``mien knowledge``: what its owner is told, in both languages, and what scripts are told."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from command_line import mien
from document_files import handbook
from embeddings_server import embeddings_server


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with documents, which is where commands run."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "hours.md").write_text("# Opening hours\n\nThe museum opens at nine.", "utf-8")
    (folder / "faq.csv").write_bytes("问题,答案\n门票多少钱？,成人票十元。\n".encode("gbk"))
    handbook(folder / "handbook.docx")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 and no more")
    (folder / "photo.jpg").write_bytes(b"\xff\xd8")
    monkeypatch.chdir(tmp_path)
    return folder


def knowledge(*arguments: str, **environment: str) -> tuple[int, str]:
    settings = {"MIEN_KNOWLEDGE__FOLDER": "bases", "LC_ALL": "C.UTF-8", **environment}
    done = mien("knowledge", *arguments, **settings)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def told(*arguments: str, **environment: str) -> Any:
    return json.loads(knowledge(*arguments, "--json", **environment)[1])


def test_a_folder_is_added_asked_changed_and_removed(files: Path) -> None:
    code, said = knowledge("add", "files")
    assert code == 1  # one is broken, and the others are kept
    assert "damaged" in said and ".jpg is not understood" in said
    assert "base default: added 3, skipped 1, failed 1" in said
    (files / "broken.pdf").unlink()
    (files / "hours.md").write_text("# Opening hours\n\nThe museum opens at ten.", "utf-8")
    code, said = knowledge("add", "files")
    assert (code, "replaced 1, unchanged 2, skipped 1" in said) == (0, True)

    code, said = knowledge("search", "When does the museum open?")
    assert code == 0
    assert "in scope" in said and "answer: The museum opens at ten." in said
    code, said = knowledge("search", "门票多少钱", LC_ALL="zh_CN.UTF-8")
    assert "在范围内" in said and "回答: 成人票十元。" in said
    code, said = knowledge("search", "How heavy is a black hole?")
    assert code == 1
    assert "out of scope" in said or "nothing found" in said

    listed = told("list")
    assert [each["title"] for each in listed] == ["faq", "员工手册", "Opening hours"]
    code, said = knowledge("show", "员工手册")
    assert "第一章 考勤 › Holidays" in said and "1. 打开应用" in said
    assert told("show", "hours.md")["passages"][0]["text"] == "The museum opens at ten."
    assert [each["name"] for each in told("bases")] == ["default"]
    code, said = knowledge("remove", str(listed[0]["id"]), "files/hours.md")
    assert (code, said.count("removed")) == (0, 2)
    assert [each["kind"] for each in told("list")] == ["docx"]
    assert files.joinpath("hours.md").exists()


def test_what_scripts_read(files: Path) -> None:
    said = told("add", "files", "--base", "museum")
    assert (said["base"], said["embeddings"]) == ("museum", None)
    states = {Path(each["path"]).name: each["state"] for each in said["documents"]}
    assert states == {
        "broken.pdf": "failed",
        "faq.csv": "added",
        "handbook.docx": "added",
        "hours.md": "added",
        "photo.jpg": "skipped",
    }
    by_name = {Path(each["path"]).name: each for each in said["documents"]}
    assert set(by_name["broken.pdf"]["why"]) == {"en", "zh"}
    assert by_name["faq.csv"]["notes"] == [
        {"en": "read as questions and answers", "zh": "按问答表读取"}
    ]
    found = told("search", "门票多少钱", "--base", "museum")
    assert found["in_scope"] is True
    assert found["passages"][0]["heading"] == ["门票多少钱？"]
    assert found["passages"][0]["place"] == "第 2 行"
    assert 0.4 < found["passages"][0]["score"] <= 1


def test_mistakes_are_named(files: Path) -> None:
    for arguments, words in (
        (("add", "files", "--title", "One"), "for one document"),
        (("add", "files/hours.md", "--base", "../x"), "cannot be the name"),
        (("list", "--base", "museum"), "--base museum"),
        (("search", "x", "--base", "museum"), "--base museum"),
        (("search", "x", "--base", "default"), "--base default"),
    ):
        code, said = knowledge(*arguments)
        assert (code, words in said) == (2, True), said
    assert "No base yet" in knowledge("bases")[1]
    Path("bases").mkdir(exist_ok=True)
    for name in ("memory", "default.backup"):
        with sqlite3.connect(f"bases/{name}.sqlite3") as db:
            db.execute("CREATE TABLE mine (x)")
    assert knowledge("add", "files/hours.md")[0] == 0
    code, said = knowledge("bases")  # the backup is none; the others are told
    assert (code, "default.sqlite3" in said, "backup" in said) == (2, True, False)
    assert "memory.sqlite3 is no knowledge base" in said
    code, said = knowledge("add", "missing.md", "files/hours.md", LC_ALL="zh_CN.UTF-8")
    assert (code, "找不到文件" in said, "未变化 1, 失败 1" in said) == (1, True, True)
    assert knowledge("add", "files/photo.jpg")[0] == 1  # named, so it was meant
    code, said = knowledge("remove", "nobody")
    assert (code, "no document 'nobody'" in said) == (2, True)


def test_files_that_cannot_be_named_or_read_do_not_end_it(files: Path) -> None:
    name = os.fsdecode("价目".encode("gbk") + b".md")
    (files / name).write_text("Ten euros.", "utf-8")
    (files / "loop.md").symlink_to("loop.md")
    code, said = knowledge("add", str(files / name), "files/hours.md")
    assert (code, "not in UTF-8" in said, "added 1, failed 1" in said) == (1, True, True)
    said.encode()
    documents = told("add", "files", "files/loop.md", f"{'x' * 300}.md")["documents"]
    failed = {each["path"][-7:]: each["why"]["en"] for each in documents if each["why"]}
    assert "File name too long" in failed["xxxx.md"] and "cannot be read" in failed["loop.md"]
    states = [each["state"] for each in documents]
    assert (states.count("added"), states.count("unchanged")) == (2, 1)


def test_embeddings_are_computed_and_go_on_where_they_stopped(files: Path) -> None:
    with embeddings_server() as server:
        settings = {
            "MIEN_KNOWLEDGE__EMBEDDINGS__BASE_URL": server.url,
            "MIEN_KNOWLEDGE__EMBEDDINGS__MODEL": "counts",
        }
        server.left = 0
        code, said = knowledge("add", "files/faq.csv", "files/hours.md", **settings)
        assert code == 1
        assert "added 2" in said and "run the command again" in said
        server.left = None
        said = told("add", "files/faq.csv", **settings)
        assert [each["state"] for each in said["documents"]] == ["unchanged"]
        assert said["embeddings"] == {"model": "counts", "computed": 2, "why": None}
        assert server.asked == [
            ["faq\n门票多少钱？\n成人票十元。", "Opening hours\nThe museum opens at nine."]
        ]
        assert list(told("bases", **settings)[0]["embeddings"].values()) == [2]


def test_help_teaches_and_the_program_starts(files: Path) -> None:
    _, said = knowledge("--help")
    assert all(name in said for name in ("add", "list", "remove", "search", "show", "bases"))
    assert "mien knowledge add handbook.pdf faq.csv" in knowledge("add", "--help")[1]
    done = subprocess.run(
        [sys.executable, "-m", "mien", "knowledge", "bases", "--json"],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "MIEN_KNOWLEDGE__FOLDER": "bases"},
    )
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
