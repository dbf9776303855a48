"""Where the live session goes, by settings, environment and command line; secrets stay secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import mien
from mien.config import ConfigError, load_settings
from mien.media.rendition import Rendition
from mien.media.rtmp.output import RtmpOutput
from mien.server.targets import Target, targets_of

KEY = "a-key-nobody-may-see"
ONE, TWO = "rtmp://one.example/live", "rtmps://two.example/app"


def rtmp(target: Target, rendition: Rendition | None) -> RtmpOutput:
    return RtmpOutput(target.url, target.key, rendition)


def whip(target: Target, rendition: Rendition | None) -> RtmpOutput:
    return RtmpOutput("rtmp://stands/in/for-it")


MAKERS = {"rtmp": rtmp, "rtmps": rtmp, "whip": whip}


def targets(*outputs: dict[str, str], **environment: str) -> list[Target]:
    return targets_of(load_settings(None, outputs=list(outputs)), MAKERS, environment)


def test_secrets_come_from_where_the_settings_say() -> None:
    one, two = targets(
        {"url": ONE, "key_env": "ONE_KEY", "profile": "720p"},
        {"url": "whip:https://two.example/whip", "token_env": "TWO"},
        ONE_KEY=KEY,
        TWO="bearer",
    )
    assert (one.key, one.profile, two.token) == (KEY, "720p", "bearer")
    (plain,) = targets({"url": f"{ONE}/{KEY}"}, MIEN_STREAM_KEY="another")
    assert plain.key is None, "its key is in the address"
    assert KEY not in repr([one, two, plain])


@pytest.mark.parametrize("url", [ONE, f"{ONE}/", TWO])
def test_the_usual_variables_serve_the_only_one_that_lacks_a_secret(url: str) -> None:
    other = {"url": "rtmp://three.example/live/known"}
    found = targets(other, {"url": url}, MIEN_STREAM_KEY=KEY)
    assert [target.key for target in found] == [None, KEY]
    (whipped,) = targets({"url": "whip:https://x.example"}, MIEN_WHIP_TOKEN=KEY)
    assert whipped.token == KEY


@pytest.mark.parametrize(
    ("outputs", "says"),
    [
        ([{"url": ONE}, {"url": TWO}], "MIEN_STREAM_KEY is set, but 2 outputs lack a key"),
        ([{"url": ONE, "key_env": "NOT_SET"}], "output 1 takes its secret from NOT_SET"),
        ([{"url": f"{ONE}/{KEY}"}, {"url": ONE, "key": KEY}], "output 2 is where another one is"),
        ([{"url": f"ftp://server/{KEY}"}], "output 1 cannot be: This is no address"),
        ([{"url": "rtmp:///", "key": KEY}], "output 1 cannot be: This is no RTMP address"),
        ([{"url": ONE, "profile": "9p"}], "there is no profile '9p'"),
    ],
)
def test_what_cannot_be_is_told_before_the_start(outputs: list[dict[str, str]], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        targets(*outputs, MIEN_STREAM_KEY=KEY)
    assert says in str(caught.value)
    assert any("一" <= letter <= "鿿" for letter in caught.value.zh), "and in Chinese"
    assert KEY not in str(caught.value) + caught.value.zh


@pytest.mark.parametrize(
    "output",
    [
        {"url": ONE, "key": KEY, "key_env": "ONE_KEY"},
        {"url": ONE, "key": [KEY]},
        {"url": "", "key": KEY},
        {"url": ONE, "stream_key": KEY},
    ],
)
def test_wrong_fields_are_named_without_what_they_hold(output: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"outputs\.0") as caught:
        load_settings(None, outputs=[output])
    assert KEY not in str(caught.value) + caught.value.zh


def test_the_command_line_takes_the_place_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "mien.toml"
    file.write_text(f'[[outputs]]\nurl = "{ONE}"\nkey = "{KEY}"\n[[outputs]]\nurl = "record:mp4"\n')
    assert [output.url for output in load_settings(file).outputs] == [ONE, "record:mp4"]
    assert KEY not in repr(load_settings(file))
    given = load_settings(file, outputs=[{"url": TWO}]).outputs
    assert [output.url for output in given] == [TWO]


def test_the_environment_can_hold_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_OUTPUTS", f'[{{"url": "{ONE}", "key": "{KEY}"}}]')
    (output,) = load_settings(None).outputs
    assert (output.url, output.key) == (ONE, KEY)
    monkeypatch.setenv("MIEN_OUTPUTS", f'[{{"url": "{ONE}/{KEY}"')
    with pytest.raises(ConfigError, match="outputs") as caught:
        load_settings(None)
    assert KEY not in str(caught.value)


def test_an_address_that_is_none_ends_mien_run_with_words() -> None:
    ended = mien("run", "--port", "0", "--publish", f"ftp://server/{KEY}", "--publish", "camera")
    assert ended.exit_code == 2
    assert "output 1 cannot be" in ended.output and KEY not in ended.output


def test_help_shows_how() -> None:
    shown = mien("run", "--help").output
    assert "--publish rtmp://localhost/live/mien" in shown and "MIEN_STREAM_KEY" in shown
