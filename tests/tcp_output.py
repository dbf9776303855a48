"""A small real output, and the server at its other end, which fails as servers do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Literal

from mien.media.output import OutputError
from mien.media.program import Program

Behaviour = Literal["takes", "rejects", "hangs up"]


class TcpOutput:
    """Sends key and pictures over TCP; the server says "ok" or "no" to the key."""

    kind = "tcp"

    def __init__(self, port: int, key: str = "secret") -> None:
        self.label = f"tcp://127.0.0.1:{port}/****"
        self.stubborn = False  # takes for ever to take leave
        self._port = port
        self._key = key
        self._bytes = 0

    def figures(self) -> dict[str, int]:
        return {"bytes": self._bytes}

    async def run(self, program: Program, on_live: Callable[[], None]) -> None:
        self._bytes = 0
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            raise OutputError("Nobody is there.", code="refused", zh="无人应答。") from None
        try:
            writer.write(f"{self._key}\n".encode())
            if (answer := await reader.readline()) == b"no\n":
                raise OutputError("The key is not taken.", code="rejected", zh="密钥被拒。")
            if not answer:
                raise OutputError("It hung up.", code="lost", zh="连接中断。")
            if answer == b"nonsense\n":
                self._bytes = int(bool(self._key) / 0)
            if answer == b"never\n":
                raise OutputError("Not here.", code="bad_url", zh="无此处。", retryable=False)
            on_live()
            await self._send(program, reader, writer)
        finally:
            if self.stubborn:
                await asyncio.sleep(3600)
            writer.write(b"bye\n")
            writer.close()

    async def _send(
        self, program: Program, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        closed = asyncio.create_task(reader.read())
        try:
            with program.subscribe("video") as video:
                while not closed.done():
                    packet = await video.get()
                    data = bytes(packet.packet)
                    writer.write(data)
                    self._bytes += len(data)
        finally:
            closed.cancel()
        raise OutputError("The connection was lost.", code="lost", zh="连接中断。")


class TcpTape(TcpOutput):
    """One that can be paused."""

    paused = False

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False


class TcpServer:
    """answer: what the next ones who come are told; "" hangs up. visits: how many came.

    said_bye: how many took leave properly.
    """

    def __init__(self) -> None:
        self.answer = "ok"
        self.visits = 0
        self.said_bye = 0
        self.port = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """On the same port as before, if it was started before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def kill(self) -> None:
        assert self._server is not None
        self._server.close()
        self.hang_up()
        await self._server.wait_closed()

    def hang_up(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visits += 1
        self._writers.add(writer)
        last = b""
        try:
            await reader.readline()
            if self.answer:
                writer.write(f"{self.answer}\n".encode())
                while data := await reader.read(65536):
                    last = (last + data)[-4:]
        except ConnectionError:
            pass
        finally:
            self.said_bye += last == b"bye\n"
            self._writers.discard(writer)
            writer.close()


@asynccontextmanager
async def tcp_server() -> AsyncIterator[TcpServer]:
    server = TcpServer()
    await server.start()
    try:
        yield server
    finally:
        await server.kill()
