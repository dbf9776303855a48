from __future__ import annotations

import pytest

from mien.media.output import OutputError
from mien.media.rtmp import faults
from mien.media.rtmp.output import RtmpOutput
from mien.media.rtmp.url import mask, parse_target


@pytest.mark.parametrize(
    ("url", "key", "host", "port", "app", "name"),
    [
        ("rtmp://h/live/abc", None, "h", 1935, "live", "abc"),
        ("rtmps://h/live/abc", None, "h", 443, "live", "abc"),
        ("RTMP://h:19350/live/abc", None, "h", 19350, "live", "abc"),
        ("rtmp://h/live/sub/abc", None, "h", 1935, "live/sub", "abc"),
        ("rtmp://[2001:db8::1]:1936/live/abc", None, "2001:db8::1", 1936, "live", "abc"),
        ("rtmp://h/live", "abc", "h", 1935, "live", "abc"),
        ("rtmp://h/live/", " abc\n", "h", 1935, "live", "abc"),
        # Bilibili: a key that is nothing but a query.
        ("rtmp://h/live-bvc/", "?streamname=s&key=k", "h", 1935, "live-bvc", "?streamname=s&key=k"),
        ("rtmp://h/live-bvc/?name=s&key=k", None, "h", 1935, "live-bvc", "?name=s&key=k"),
        # Signed keys, with slashes of base64.
        ("rtmp://h/third/s-1?sign=a/b+c=&t=1", None, "h", 1935, "third", "s-1?sign=a/b+c=&t=1"),
        ("rtmp://h/live", "stream-1?sign=a/b", "h", 1935, "live", "stream-1?sign=a/b"),
        # SRS: which host is meant, behind the application.
        ("rtmp://h/live?vhost=x.com/abc", None, "h", 1935, "live?vhost=x.com", "abc"),
        ("rtmps://x.com:443/rtmp/FB-1?s_bl=1", None, "x.com", 443, "rtmp", "FB-1?s_bl=1"),
        ("rtmp://h/live/a#b%20c", None, "h", 1935, "live", "a#b%20c"),
    ],
)  # fmt: skip
def test_addresses(url: str, key: str | None, host: str, port: int, app: str, name: str) -> None:
    target = parse_target(url, key)
    assert (target.host, target.port, target.app, target.key) == (host, port, app, name)


def test_what_people_and_the_server_are_told() -> None:
    target = parse_target("rtmp://h:1936/live?token=hidden1/secret99?sign=hidden2")
    assert target.label == "rtmp://h:1936/live?****/****"
    assert target.url == "rtmp://h:1936/live?token=hidden1"
    assert "secret99" not in repr(target) and "hidden2" not in repr(target)
    assert parse_target("rtmps://[::1]:443/a/b").address == "rtmps://[::1]"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "secret99",
        "http://h/live/secret99",
        "rtmp://",
        "rtmp:///live/secret99",
        "rtmp://h",
        "rtmp://h/",
        "rtmp://h/live",
        "rtmp://h/live/",
        "rtmp://h/live?x=secret99",
        "rtmp://h:0/live/secret99",
        "rtmp://h:99999/live/secret99",
        "rtmp://h:port/live/secret99",
        "rtmp://name:secret99@h/live/x",
        "rtmp://name:pass/wo@rd@h/live/secret99",
        "rtmp://h/live/secret99 2",
        "rtmp://h/live/secret99\r\nx",
    ],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(OutputError) as caught:
        RtmpOutput(url)
    error = caught.value
    assert error.code == "bad_url" and not error.retryable
    assert "secret99" not in f"{error}{error.zh}{mask(url)}"


def test_masks() -> None:
    assert mask("rtmp://h/live/secret") == "rtmp://h/live/****"
    assert mask("rtmp://name:pass@h/live/secret") == "rtmp://****"


@pytest.mark.parametrize(
    ("code", "words", "expected"),
    [
        ("NetStream.Publish.BadName", "Already publishing", "duplicate"),
        ("NetStream.Publish.BadName", "", "duplicate"),
        ("NetStream.Publish.BadName", "stream secret99 is invalid", "rejected"),
        ("NetStream.Publish.BadName", "already expired: secret99", "rejected"),
        ("NetStream.Publish.Denied", "no", "rejected"),
        ("NetStream.Publish.Rejected", "name in use: secret99?sign=hidden2", "duplicate"),
    ],
)
def test_a_refusal_in_the_servers_own_words(code: str, words: str, expected: str) -> None:
    target = parse_target("rtmp://h/live/secret99?sign=hidden2")
    error = faults.rejected_publish(target, code, words)
    assert error.code == expected and error.retryable
    said = f"{error}{error.zh}"
    assert "secret99" not in said and "hidden2" not in said
    assert (words.split(":")[0].split(" secret")[0] or code) in said
