"""An HTTP proxy that answers for search engines, as HTML, behind TLS of an authority of its own.

So the real ddgs library, with its real HTTP client, meets its engines here. What is made up is the
page: the elements the library looks for, without the rest of what such engines send.
"""

from __future__ import annotations

import asyncio
import html
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

DUCKDUCKGO, MOJEEK = "html.duckduckgo.com", "www.mojeek.com"
ENGINES = "duckduckgo, mojeek"


@dataclass
class EngineProxy:
    """pages: what the engines know, (title, address, text). status: of all their answers.

    asked: host and query of each search. silent: they never answer.
    """

    url: str
    ca_file: Path
    contexts: dict[str, ssl.SSLContext]
    pages: list[tuple[str, str, str]] = field(default_factory=list)
    status: int = 200
    silent: bool = False
    body: str | None = None
    asked: list[tuple[str, dict[str, list[str]]]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await self._serve(reader, writer)
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line, _ = await _head(reader)
        host = line.split()[1].partition(":")[0]
        assert line.startswith("CONNECT ") and host in self.contexts, line
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await writer.start_tls(self.contexts[host])
        line, length = await _head(reader)
        sent = (await reader.readexactly(length)).decode()
        query = line.split()[1].partition("?")[2] or sent
        self.asked.append((host, parse_qs(query)))
        if self.silent:
            await reader.read()
            return
        body = (self._html(host) if self.body is None else self.body).encode()
        writer.write(
            f"HTTP/1.1 {self.status} -\r\nContent-Type: text/html; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
        )
        writer.write(body)
        await writer.drain()

    def _html(self, host: str) -> str:
        items = "".join(_ITEMS[host].format(*map(html.escape, page)) for page in self.pages)
        return f"<html><body><ul class='results-standard results'>{items}</ul></body></html>"


_ITEMS = {
    DUCKDUCKGO: "<div class='links_main result__body'><h2><a href='{1}'>{0}</a></h2>"
    "<a class='result__snippet' href='{1}'>{2}</a></div>",
    MOJEEK: "<li><h2><a href='{1}'>{0}</a></h2><p class='s'>{2}</p></li>",
}


async def _head(reader: asyncio.StreamReader) -> tuple[str, int]:
    """The request line and the length of the body."""
    first = (await reader.readline()).decode()
    length = 0
    while line := (await reader.readline()).decode().strip():
        name, _, value = line.partition(":")
        length = int(value) if name.lower() == "content-length" else length
    return first, length


@asynccontextmanager
async def engine_proxy(folder: Path) -> AsyncIterator[EngineProxy]:
    """On 127.0.0.1, until the context is left."""
    ca_file, contexts = _certified(folder, (DUCKDUCKGO, MOJEEK))
    proxy = EngineProxy("", ca_file, contexts)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield proxy


def _certified(folder: Path, hosts: tuple[str, ...]) -> tuple[Path, dict[str, ssl.SSLContext]]:
    """An authority, as a file, and a context for each host with a certificate of it."""
    authority_key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mien test authority")])
    authority = _certificate(name, name, authority_key, authority_key, None)
    ca_file = folder / "authority.pem"
    ca_file.write_bytes(authority.public_bytes(Encoding.PEM))
    contexts = {}
    for host in hosts:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        certificate = _certificate(subject, name, key, authority_key, host)
        path = folder / f"{host}.pem"
        path.write_bytes(
            certificate.public_bytes(Encoding.PEM)
            + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        contexts[host] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        contexts[host].load_cert_chain(path)
    return ca_file, contexts


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signed_by: ec.EllipticCurvePrivateKey,
    host: str | None,
) -> x509.Certificate:
    begin = datetime.now(UTC) - timedelta(days=1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=host is None, path_length=None), critical=True)
    )
    if host:
        names = x509.SubjectAlternativeName([x509.DNSName(host)])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(signed_by, hashes.SHA256())
