"""A line to a server, which a test makes slow, or deaf."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sqlalchemy import make_url


class Line:
    """Every answer takes `seconds` longer on it.

    Once it is deaf, the connections of before stay open, and nothing comes through them.
    """

    def __init__(self, host: str, port: int) -> None:
        self.seconds = 0.0
        self._to = (host, port)
        self._hears = asyncio.Event()
        self._hears.set()

    def go_deaf(self) -> None:
        """For whoever is connected. Whoever connects anew is heard."""
        self._hears.clear()
        self._hears = asyncio.Event()
        self._hears.set()

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hears = self._hears
        up_reader, up_writer = await asyncio.open_connection(*self._to)
        await asyncio.gather(
            self._carry(reader, up_writer, hears), self._carry(up_reader, writer, hears, are_answers=True)
        )

    async def _carry(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        hears: asyncio.Event,
        *,
        are_answers: bool = False,
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                if are_answers and self.seconds:
                    await asyncio.sleep(self.seconds)
                if hears.is_set():
                    writer.write(data)
                    await writer.drain()
        writer.close()


@asynccontextmanager
async def line_to(url: str) -> AsyncIterator[tuple[Line, str]]:
    """The line, and the address of the same server through it."""
    parts = make_url(url)
    assert parts.host is not None
    assert parts.port is not None
    line = Line(parts.host, parts.port)
    async with await asyncio.start_server(line.relay, "127.0.0.1", 0) as server:
        through = parts.set(host="127.0.0.1", port=server.sockets[0].getsockname()[1])
        yield line, through.render_as_string(hide_password=False)
