"""A request inside a request: whatever two readers might read differently is refused and the connection closed."""

import asyncio
import re
import ssl
from pathlib import Path
from typing import Final

from tests.deploy.front import NAME, front, unverified
from tests.security.conftest import Served

INNER: Final = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
"""Its answer shows that it was taken for a request of its own."""

HEADS: Final = {
    "both lengths": "Content-Length: 4\r\nTransfer-Encoding: chunked",
    "both lengths, the other way round": "Transfer-Encoding: chunked\r\nContent-Length: 200",
    "two lengths": f"Content-Length: 0\r\nContent-Length: {len(INNER)}",
    "two lengths in one": f"Content-Length: 0, {len(INNER)}",
    "a coding that is none": "Transfer-Encoding: xchunked",
    "two codings": "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    "chunked is not the last": "Transfer-Encoding: chunked, identity",
    "a space before the colon": "Content-Length : 4",
    "a folded line": "Transfer-Encoding:\r\n chunked",
    "a signed length": "Content-Length: +0",
    "a length in hexadecimal": "Content-Length: 0x0",
    "a negative length": "Content-Length: -1",
    "a strange blank": "Transfer-Encoding: \x0bchunked\r\nContent-Length: 0",
    "a bare line feed": "Content-Length: 0\nX: y",
    "a bare carriage return": "Content-Length: 0\rTransfer-Encoding: chunked",
    "no end of a name": "Transfer-Encoding\x00: chunked\r\nContent-Length: 0",
}


async def said(port: int, sent: str, tls: ssl.SSLContext | None = None) -> str:
    """Everything that comes back until the other side closes; after each part of it that is given a moment to do so."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=NAME if tls else None)
    writer.write(sent.encode("latin-1"))
    found = b""
    try:
        async with asyncio.timeout(10) as patience:
            while part := await reader.read(65536):
                found += part
                patience.reschedule(asyncio.get_running_loop().time() + 2)
    except (TimeoutError, ConnectionResetError):
        pass
    finally:
        writer.close()
    return found.decode("utf-8", "replace")


def request(head: str, host: str) -> str:
    return f"POST /login HTTP/1.1\r\nHost: {host}\r\n{head}\r\n\r\n0\r\n\r\n{INNER}"


async def test_the_service_refuses_what_could_be_read_in_two_ways(served: Served) -> None:
    answers = await asyncio.gather(*(said(served.port, request(head, "x")) for head in HEADS.values()))
    for name, answer in zip(HEADS, answers, strict=True):
        assert re.findall(r"HTTP/1\.[01] (\d+)", answer) == ["400"], name
    assert await served.is_well()


async def test_behind_nginx_nothing_of_it_reaches_the_service_as_a_second_request(
    served: Served, tmp_path: Path
) -> None:
    async with front(tmp_path, served.address.removeprefix("http://")) as ours:
        answers = await asyncio.gather(
            *(said(ours.https, request(head, NAME), unverified()) for head in HEADS.values())
        )
    for name, answer in zip(HEADS, answers, strict=True):
        assert '"status": "ok"' not in answer, name
        statuses = re.findall(r"HTTP/1\.[01] (\d+)", answer)
        assert len(statuses) <= 2, name
        assert all(status >= "400" for status in statuses), f"{name}: {statuses}"


async def test_what_can_be_read_in_one_way_only_is_answered(served: Served) -> None:
    """So that the refusals above are not for another reason."""
    answer = await said(served.port, f"GET /health HTTP/1.1\r\nHost: x\r\n\r\n{INNER}")
    assert re.findall(r"HTTP/1\.[01] (\d+)", answer) == ["200", "200"]
