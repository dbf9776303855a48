"""``mien search`` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command_line import mien
from local_web import local_web
from search_servers import DIALECTS, KEY, Known, SearchServer, search_server_thread


def settings(folder: Path, servers: list[SearchServer], **more: str) -> str:
    """A file in which these servers are set up, and no others asked."""
    path = folder / "mien.toml"
    more["providers"] = json.dumps([server.dialect.name for server in servers])
    lines = [f"search.{name} = {value}" for name, value in more.items()]
    for server in servers:
        lines += [
            f"[search.services.{server.dialect.name}]",
            f'base_url = "{server.base_url}"',
            f'key = "{KEY}"',
        ]
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


def test_the_first_that_answers_is_shown_and_why_others_did_not(tmp_path: Path) -> None:
    zhipu, tavily = DIALECTS["zhipu"], DIALECTS["tavily"]
    with (
        search_server_thread(zhipu, fault="http_500") as down,
        search_server_thread(tavily) as up,
    ):
        config = settings(tmp_path, [down, up])
        shown = mien("search", "北京天气", "--config", config, LANG="zh_CN.UTF-8")
        assert shown.exit_code == 0, shown.output
        assert "zhipu" in shown.stderr
        assert "服务出错" in shown.stderr
        for text in ("tavily: 2 个结果", "北京今日天气&预报", "2026-11-23", "最高气温八度"):
            assert text in shown.stdout
        assert "https://tianqi.example.cn/beijing" in shown.stdout
        chosen = ("search", "x", "--provider", "tavily", "--config", config, "--json")
        told = json.loads(mien(*chosen).stdout)
        assert (told["provider"], told["failures"]) == ("tavily", {})
        assert told["results"][0]["site"] == "tianqi.example.cn"
        down.fault = "empty"
        told = json.loads(mien("search", "x", "--config", config, "--json").stdout)
        assert told["failures"] == {"zhipu": None}
        assert KEY not in shown.output + json.dumps(told)


def test_what_a_model_would_be_shown(tmp_path: Path) -> None:
    with local_web() as web:
        page = Known("望溪大桥通车", f"{web.url}/zh/bridge.html", "大桥通车。", "青川晚报")
        gone = Known("没有了", f"{web.url}/status/404", "望溪大桥。")
        with search_server_thread(DIALECTS["bocha"], pages=[page, gone]) as server:
            config = settings(tmp_path, [server], allow_hosts=f'["{web.allow}"]', deadline_sec="30")
            shown = mien("search", "望溪大桥全长", "--read", "--config", config, LANG="en")
    assert shown.exit_code == 0, shown.output
    assert "What a model is shown" in shown.stdout
    assert "[1] 望溪大桥通车, 青川晚报" in shown.stdout
    assert "1286米" in shown.stdout
    assert "Page not read: 127.0.0.1: 127.0.0.1 answers with error 404" in shown.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("x", "--provider", "google"), "there is no search service 'google'; choose of searxng"),
        (("x", "--provider", "tavily"), "set TAVILY_API_KEY"),
        ((" ", "--provider", "ddgs"), "nothing to search for"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(arguments: tuple[str, ...], said: str) -> None:
    shown = mien("search", *arguments, LANG="en", TAVILY_API_KEY="")
    assert shown.exit_code == 2
    assert said in shown.stderr


def test_nothing_found_and_nobody_there(tmp_path: Path) -> None:
    with search_server_thread(DIALECTS["tavily"], fault="empty") as server:
        config = settings(tmp_path, [server])
        asked = ("search", "qwzx", "--provider", "tavily", "--config", config)
        assert "tavily: nothing found" in mien(*asked, LANG="en").stdout
        server.fault = "http_401"
        shown = mien(*asked, LANG="en")
    assert shown.exit_code == 2
    assert "refuses the key" in shown.stderr
    assert KEY not in shown.output
