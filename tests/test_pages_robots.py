"""Being a guest: robots.txt, turns between pages, and the parts that keep within limits."""

from __future__ import annotations

import asyncio
import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_web_answers import bomb
from mien.pages.cache import Cache
from mien.pages.contract import PageError
from mien.pages.courtesy import AT_ONCE, INTERVAL_SEC, Courtesy
from mien.pages.robots import EVERYTHING, parse_robots
from mien.pages.unpacking import TooLarge, Unpacker


@pytest.mark.parametrize(
    ("rule", "path", "fits"),
    [
        ("/", "/", True),
        ("/fish", "/fish.html", True),
        ("/fish", "/Fish.asp", False),
        ("/fish/", "/fish", False),
        ("/fish*", "/fishheads?id=1", True),
        ("/*.php", "/folder/any.php.file.html", True),
        ("/*.php", "/windows.PHP", False),
        ("/*.php$", "/folder/filename.php", True),
        ("/*.php$", "/filename.php?x", False),
        ("/fish*.php", "/fishheads/catfish.php?x", True),
        ("/a$", "/ab", False),
        ("/a*b*ab$", "/ab", False),
        ("/a*b*ab$", "/axbxab", True),
        ("*", "/anything", True),
        ("/%E8%B7%AF", "/%E8%B7%AF", True),
    ],
)
def test_patterns(rule: str, path: str, fits: bool) -> None:
    assert parse_robots(f"user-agent: *\ndisallow: {rule}").allow(path) is not fits


def test_the_longest_rule_decides_and_allow_wins_a_tie() -> None:
    rules = parse_robots("User-agent: *\nDisallow: /\nAllow: /p\nDisallow: /p*x\nAllow: /pax")
    assert not rules.allow("/other")
    assert rules.allow("/page")
    assert not rules.allow("/pbx")
    assert rules.allow("/pax")
    assert parse_robots("User-agent: *\nDisallow: /a\nAllow: /a").allow("/a")


def test_a_group_that_names_us_replaces_the_one_for_all() -> None:
    text = """\ufeff# comment
User-agent: *
Disallow: /all

User-Agent: someone
User-agent: Mien/2.0 (hello)   # us
Disallow: /ours
Sitemap: http://x.example/
Crawl-delay: 2.5

user-agent: mien
disallow: /more
crawl-delay: soon
"""
    rules = parse_robots(text)
    assert rules.allow("/all") and not rules.allow("/ours") and not rules.allow("/more")
    assert rules.delay_sec == 2.5


@pytest.mark.parametrize("text", ["", "Disallow: /", "<html>no</html>", "User-agent: *\nDisallow:"])
def test_nothing_is_forbidden_that_is_not_said(text: str) -> None:
    assert parse_robots(text) == EVERYTHING
    assert EVERYTHING.allow("/")


@given(st.text("/ab*$", max_size=12), st.text("/ab", max_size=12))
def test_patterns_mean_what_regular_expressions_say(pattern: str, path: str) -> None:
    import re

    body = "".join(".*" if c == "*" else re.escape(c) for c in pattern.removesuffix("$"))
    said = re.compile(body + ("\\Z" if pattern.endswith("$") else ""), re.DOTALL).match(path)
    stripped = pattern.strip()
    forbidden = not parse_robots(f"user-agent: *\ndisallow: {stripped}").allow(path)
    assert forbidden == (bool(said) and bool(stripped))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_turns_are_apart_and_long_waits_are_refused() -> None:
    clock = Clock()
    courtesy = Courtesy(clock)
    async with courtesy.visit("a.example"), courtesy.visit("b.example"):
        await courtesy.turn("a.example", 30)
        await courtesy.turn("b.example")
        with pytest.raises(PageError, match="30 s") as refused:
            await courtesy.turn("a.example")
        assert "30" in refused.value.zh
        clock.now = 29.999
        await courtesy.turn("a.example")  # waits a millisecond
        clock.now = 30 + INTERVAL_SEC
        await courtesy.turn("a.example")


async def test_a_host_is_visited_by_so_many_at_once() -> None:
    courtesy = Courtesy()
    inside, most = 0, 0

    async def visit(host: str) -> None:
        nonlocal inside, most
        async with courtesy.visit(host):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(visit("a.example") for _ in range(9)))
    assert most == AT_ONCE
    await asyncio.gather(*(visit(f"{n}.example") for n in range(2000)))
    assert len(courtesy._hosts) <= 512


def test_a_cache_is_bounded_in_time_and_bytes() -> None:
    clock = Clock()
    cache: Cache[str] = Cache(10, 100, clock)
    cache.put("a", "A", 60)
    cache.put("b", "B", 40)
    assert (cache.get("a"), cache.get("b"), cache.size) == ("A", "B", 100)
    cache.put("c", "C", 50)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (None, "B", "C")
    cache.put("b", "B2", 50)
    assert (cache.get("b"), cache.size) == ("B2", 100)
    cache.put("huge", "H", 101)
    assert cache.get("huge") is None
    clock.now = 10
    assert cache.get("b") is None and cache.size == 50


@given(
    st.binary(max_size=5000), st.sampled_from(["gzip", "deflate", "raw", ""]), st.integers(1, 99)
)
def test_what_was_packed_comes_out(data: bytes, coding: str, step: int) -> None:
    packed = {
        "gzip": gzip.compress,
        "deflate": zlib.compress,
        "raw": lambda d: zlib.compress(d, wbits=-15),
        "": bytes,
    }[coding](data)
    unpacker = Unpacker("deflate" if coding == "raw" else coding, 5000)
    for at in range(0, len(packed), step * 50):
        unpacker.feed(packed[at : at + step * 50])
    assert unpacker.end() == data


def test_a_bomb_does_not_get_its_memory() -> None:
    unpacker = Unpacker("gzip", 1_000_000)
    with pytest.raises(TooLarge):
        unpacker.feed(bomb(1))
    assert len(unpacker.body) == 1_000_000
    with pytest.raises(PageError, match="packed"):
        Unpacker("gzip, gzip", 100)
    with pytest.raises(PageError, match="damaged"):
        Unpacker("gzip", 100).feed(b"no gzip at all")
