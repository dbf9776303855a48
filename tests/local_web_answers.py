"""How the hosts of ``local_web`` answer; its docstring says what there is."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Callable
from functools import cache
from urllib.parse import unquote

import local_pages as pages

HTML = "text/html; charset=utf-8"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 64
BODIES = {
    "/zh/bridge.html": pages.BRIDGE,
    "/zh/tea.html": pages.TEA,
    "/zh/museum.html": pages.MUSEUM,
    "/en/lighthouse.html": pages.LIGHTHOUSE,
    "/en/ferry.html": pages.FERRY,
    "/en/soup.html": pages.INJECTION,
    "/app": pages.APPLICATION,
    "/empty": "<html><body></body></html>",
}
RULES = {
    "private.example": (
        "# keep out\nUser-agent: other\nDisallow: /\n\nUser-agent: *\nDisallow: /members/\n"
        "Disallow: /slow/\nAllow: /slow/open\nDisallow: /*.cgi$\nCrawl-delay: 30\n"
    ),
    "named.example": "User-agent: *\nDisallow:\n\nUser-agent: Mien\nDisallow: /\n",
    "big.example": "User-agent: *\nDisallow: /first\n" + "Disallow: /other\n" * 300_000,
}


def _declared(charset: str) -> str:
    return f'<meta http-equiv="Content-Type" content="text/html; charset={charset}">'


def _bridge(head: str) -> str:
    return pages.page_zh("望溪大桥今日通车", pages.BRIDGE_BODY, head)


# name: how the server states it, what the page says itself, how it is really encoded
CHARSETS: dict[str, tuple[str, str, str]] = {
    "gbk-as-utf8": ("text/html; charset=utf-8", "", "gbk"),
    "gbk-meta-utf8": ("text/html", _declared("utf-8"), "gbk"),
    "gb2312-meta": ("text/html", _declared("gb2312"), "gb18030"),
    "gb18030-as-latin1": ("text/html; charset=ISO-8859-1", _declared("gb2312"), "gb18030"),
    "gbk-as-latin1": ("text/html; charset=ISO-8859-1", "", "gbk"),
    "gbk-unstated": ("text/html", "", "gbk"),
    "utf8-unstated": ("text/html", "", "utf-8"),
    "utf8-as-gbk": ("text/html; charset=gbk", _declared("gbk"), "utf-8"),
    "utf8-as-latin1": ("text/html; charset=latin1", "", "utf-8"),
    "utf8-bom": ("text/html; charset=gbk", "", "utf-8-sig"),
    "utf16": ("text/html", "", "utf-16"),
    "utf16-unmarked": ("text/html", "", "utf-16-le"),
    "unknown-name": ("text/html; charset=x-nonsense", _declared("gbk"), "gbk"),
    "big5-as-utf8": ("text/html; charset=utf-8", "", "big5"),
    "big5-meta": ("text/html", _declared("big5"), "big5"),
    "sjis-unstated": ("text/html", "", "shift_jis"),
    "eucjp-as-latin1": ("text/html; charset=iso-8859-1", "", "euc-jp"),
    "latin1": ("text/html; charset=iso-8859-1", "", "iso-8859-1"),
}
TRADITIONAL = "望溪大橋今日通車，全長一千二百八十六公尺，由林默言設計，所有小型客車免費通行。"
JAPANESE = "灯台は一八七一年に初めて点灯されました。高さは四十一メートルです。"
FRENCH = "Le phare de Gull Rock a été allumé en 1871. L'entrée coûte sept livres."


def _four_times(text: str) -> str:
    return f"<p>{text}</p>" * 4


@cache
def in_charset(name: str) -> bytes:
    _, head, encoding = CHARSETS[name]
    if encoding == "big5":
        text = pages.page_zh("望溪大橋", _four_times(TRADITIONAL), head)
    elif encoding in ("shift_jis", "euc-jp"):
        text = f"<html><head>{head}<title>灯台</title></head><body>"
        text += _four_times(JAPANESE)
    elif encoding == "iso-8859-1":
        text = "<html><head><title>Phare</title></head><body>"
        text += _four_times(FRENCH)
    else:
        text = _bridge(head)
    return text.encode(encoding, "ignore")


@cache
def bomb(layers: int) -> bytes:
    """40 MB of spaces after a paragraph, in some 40 KB; in fewer when packed again."""
    packer = zlib.compressobj(9, wbits=31)
    packed = packer.compress(b"<html><body><p>begin</p>")
    packed += b"".join(packer.compress(b" " * (1 << 20)) for _ in range(40)) + packer.flush()
    for _ in range(layers - 1):
        packed = gzip.compress(packed)
    return packed


async def answer(
    host: str,
    path: str,
    headers: dict[str, str],
    writer: asyncio.StreamWriter,
    gone: Callable[[], bool],
) -> bool:
    """Answer one request; whether the connection may be used again. gone: nobody waits any more."""

    async def nothing(seconds: float = 3600) -> None:
        for _ in range(int(seconds / 0.02)):
            if gone():
                break
            await asyncio.sleep(0.02)

    async def send(
        body: bytes, kind: str = HTML, status: int = 200, length: bool = True, **more: str
    ) -> bool:
        head = f"HTTP/1.1 {status} So\r\nContent-Type: {kind}\r\n"
        head += f"Content-Length: {len(body)}\r\n" if length else "Connection: close\r\n"
        head += "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in more.items())
        writer.write(head.encode() + b"\r\n" + body)
        await writer.drain()
        return length

    async def pour(chunks: AsyncIterator[bytes]) -> bool:
        async for chunk in chunks:
            if gone():
                break
            writer.write(chunk)
            await writer.drain()
        return False

    path, _, query = path.partition("?")
    if path == "/robots.txt":
        if host == "hang.example":
            await nothing()
        if host in ("sly.example", "slyer.example"):
            return await send(b"", status=302, Location="http://127.0.0.1/robots.txt")
        if host == "fence.example":
            return await send(b"later", status=503)
        rules = RULES.get(host)
        return await send((rules or "").encode(), "text/plain", 200 if rules else 404)
    if path in BODIES:
        return await send(BODIES[path].encode())
    match path.strip("/").split("/"):
        case ["to"]:
            return await send(b"", status=302, Location=unquote(query))
        case ["loop"]:
            return await send(b"", status=301, Location="/loop")
        case ["chain", left]:
            step = f"/chain/{int(left) - 1}" if int(left) else "/zh/bridge.html"
            return await send(b"", status=307, Location=step)
        case ["refresh"]:
            target = unquote(query)
            tag = f'<meta http-equiv="refresh" content="0; url={target}">'
            return await send(f"<html><head>{tag}</head><body>moved</body></html>".encode())
        case ["status", status]:
            return await send(b"<p>sorry</p>", status=int(status))
        case ["after", milliseconds]:
            await nothing(int(milliseconds) / 1000)
            return await send(pages.BRIDGE.encode())
        case ["never"]:
            await nothing()
            return False
        case ["drip"]:
            return await pour(_drip(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"))
        case ["headers"]:
            return await pour(_drip(b"HTTP/1.1 200 OK\r\nX-Slow: "))
        case ["huge"]:
            return await send(b"<p>" + b"word " * 600_000)
        case ["endless"]:
            return await pour(_endless(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"))
        case ["fields"]:
            return await pour(_endless(b"HTTP/1.1 200 OK\r\nX-Long: "))
        case ["bomb"]:
            return await send(bomb(1), Content_Encoding="gzip")
        case ["bombs"]:
            return await send(bomb(2), Content_Encoding="gzip, gzip")
        case ["zipped"]:
            return await send(gzip.compress(pages.BRIDGE.encode()), Content_Encoding="gzip")
        case ["zstd"]:
            return await send(b"(\xb5/\xfd" + b"\0" * 40, Content_Encoding="zstd")
        case ["deep"]:
            return await send(b"<html><body>" + b"<div><b>" * 200_000 + b"bottom")
        case ["many"]:
            return await send(b"<html><body>" + b"<p>Some words of a sentence. </p>" * 50_000)
        case ["image.png"]:
            return await send(PNG, "image/png")
        case ["lie.html"]:
            return await send(PNG * 50)
        case ["plain.txt"]:
            return await send("青川市图书馆周一闭馆。".encode(), "text/plain")
        case ["asked.txt"]:
            return await send(pages.ASKED.encode(), "text/plain")
        case ["paper"]:
            return await send(b"%PDF-1.4\n" + b"0" * 3_000_000, "application/pdf")
        case ["data.json"]:
            return await send(b'{"open": "9:00", "closed": "Monday"}', "application/json")
        case ["cookies"]:
            sent = headers.get("cookie", "none") + " " + headers.get("referer", "none")
            return await send(f"<p>{sent}</p>".encode(), Set_Cookie="id=1")
        case ["cut"]:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n")
            writer.write(b"Content-Length: 9000\r\n\r\n<p>begin")
            await writer.drain()
            return False
        case ["garbage"]:
            writer.write(b"\0\1\2 SSH-2.0 nothing here speaks HTTP\r\n\r\n")
            await writer.drain()
            return False
        case ["charset", name]:
            return await send(in_charset(name), CHARSETS[name][0])
    return await send(b"<p>not here</p>", status=404)


async def _drip(begin: bytes) -> AsyncIterator[bytes]:
    yield begin
    while True:
        await asyncio.sleep(1)
        yield b"x"


async def _endless(begin: bytes) -> AsyncIterator[bytes]:
    yield begin
    while True:
        yield b"word " * 10_000
