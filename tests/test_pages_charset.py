"""Bytes whose charset is stated wrongly, or not at all."""

from __future__ import annotations

import pytest

import local_web_answers
from local_pages import BRIDGE, LIGHTHOUSE, TEA_BODY
from local_web_answers import CHARSETS, in_charset
from mien.pages.charset import decode_page


@pytest.mark.parametrize("name", CHARSETS)
def test_every_page_of_the_old_web(name: str) -> None:
    stated, _, encoding = CHARSETS[name]
    body = in_charset(name)
    text = decode_page(body, stated.partition("charset=")[2])
    assert text == body.decode(encoding).removeprefix("\ufeff")


@pytest.mark.parametrize("encoding", ["gbk", "gb18030", "utf-8", "utf-16"])
@pytest.mark.parametrize("stated", ["", "utf-8", "gbk", "big5", "shift_jis", "latin1", "utf-16"])
def test_a_chinese_sentence_whatever_is_stated(encoding: str, stated: str) -> None:
    sentence = "青川雾茶产自海拔九百米以上的云岭山区，每年清明前后采摘，是当地的地理标志产品。"
    assert decode_page(sentence.encode(encoding), stated) == sentence


@pytest.mark.parametrize("stated", ["", "utf-8", "gb2312", "latin1"])
@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (local_web_answers.TRADITIONAL, "big5"),
        (local_web_answers.JAPANESE, "shift_jis"),
        (local_web_answers.JAPANESE, "euc-jp"),
        (
            "등대는 1871년에 처음 불을 밝혔다. 이 섬에는 자동차가 없고 높이는 사십일 미터이다.",
            "euc-kr",
        ),
    ],
)
def test_its_neighbours_are_not_taken_for_it(text: str, encoding: str, stated: str) -> None:
    assert decode_page(text.encode(encoding), stated) == text


@pytest.mark.parametrize("stated", ["iso-8859-1", "windows-1252", ""])
def test_western_pages(stated: str) -> None:
    text = local_web_answers.FRENCH * 3
    assert decode_page(text.encode("cp1252"), stated) == text


def test_what_is_stated_decides_between_alphabets() -> None:
    russian = "Маяк на скале впервые зажгли в 1871 году. " * 5
    assert decode_page(russian.encode("koi8-r"), "koi8-r") == russian


def test_a_few_broken_characters_spoil_only_themselves() -> None:
    good = BRIDGE.encode()
    broken = good.replace("林默言".encode(), b"\xe6\x9e\xff\xe8\xa8", 1)
    text = decode_page(broken, "utf-8")
    assert "1286米" in text and "\ufffd" in text
    cut = TEA_BODY.encode("gbk")[:-1]
    assert decode_page(cut, "gbk").startswith(TEA_BODY[:-10])


def test_english_pages_are_left_as_they_are() -> None:
    for stated in ("", "utf-8", "gbk", "no-such-charset", "utf-16", "\x00"):
        assert decode_page(LIGHTHOUSE.encode(), stated) == LIGHTHOUSE


@pytest.mark.parametrize("body", [b"", b"\xff", b"\x80\x81", b"\xfe\xff", bytes(range(256)) * 9])
@pytest.mark.parametrize("stated", ["gbk", "hex", "rot13", "punycode", "undefined", "a\0b"])
def test_nothing_is_too_strange(body: bytes, stated: str) -> None:
    assert isinstance(decode_page(body, stated), str)
