"""A stretch of wire to PostgreSQL that can be cut around a commit."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
# PostgreSQL's message that ends the rows of a COPY.
COPY_DONE = b"c\0\0\0\4"
LATE_SECONDS = 0.6


class LossyWire:
    """Passes bytes both ways; ``cut`` says what happens at the end of the next COPY.

    ``before``: the end is lost on its way to the server. ``after``: the server's
    answer is lost. ``late``: the client is cut off, then the end reaches the server.
    """

    def __init__(self, conninfo: str) -> None:
        told = conninfo_to_dict(conninfo)
        self._target = {name: str(value) for name, value in told.items()}
        self._tasks: set[asyncio.Task[None]] = set()
        self.conninfo, self.port = "", 0
        self.cut = ""
        self.cuts = 0

    @asynccontextmanager
    async def laid(self, port: int = 0) -> AsyncIterator["LossyWire"]:
        """The wire, at a free port unless told; connect to its ``conninfo``."""
        server = await asyncio.start_server(self._join, "127.0.0.1", port)
        self.port = server.sockets[0].getsockname()[1]
        place = {"host": "127.0.0.1", "port": str(self.port), "sslmode": "disable"}
        self.conninfo = make_conninfo(**{**self._target, **place})
        async with server:
            yield self
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _join(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        link = _Link(self, (reader, writer), await self._server())
        for work in (link.up(), link.down()):
            self._tasks.add(asyncio.create_task(work))

    async def _server(self) -> Streams:
        host, port = self._target["host"], self._target.get("port", "5432")
        if host.startswith("/"):
            return await asyncio.open_unix_connection(Path(host) / f".s.PGSQL.{port}")
        return await asyncio.open_connection(host, int(port))


class _Link:
    """One connection over the wire."""

    def __init__(self, wire: LossyWire, client: Streams, server: Streams) -> None:
        self._wire, self._client, self._server = wire, client, server
        self._deaf = False

    async def up(self) -> None:
        server = self._server[1]
        while data := await self._client[0].read(1 << 16):
            if self._wire.cut and data.endswith(COPY_DONE):
                return await self._cut(data)
            server.write(data)
            await server.drain()
        server.close()
        return None

    async def down(self) -> None:
        client = self._client[1]
        while data := await self._server[0].read(1 << 16):
            if not self._deaf:
                client.write(data)
                await client.drain()
        client.close()

    async def _cut(self, data: bytes) -> None:
        how, self._wire.cut = self._wire.cut, ""
        self._wire.cuts += 1
        self._deaf = True
        server = self._server[1]
        if how == "after":
            server.write(data)
            await asyncio.sleep(LATE_SECONDS)
        self._client[1].transport.abort()
        if how == "late":
            await asyncio.sleep(LATE_SECONDS)
            server.write(data)
            await server.drain()
        server.close()
