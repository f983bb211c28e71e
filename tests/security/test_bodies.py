"""Bodies that are too large, packed to burst, too deep, or nonsense: refused, without an error of ours."""

import asyncio
import gzip
import io
import logging
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import suppress

import aiohttp
import pytest

from tests.security.conftest import SECRET, Served

FORM = "application/x-www-form-urlencoded"
SIGNED = {"Authorization": f"Bearer {SECRET}", "Content-Type": "application/json"}
MB = 1024 * 1024


async def status(served: Served, path: str, body: bytes, **headers: str) -> int:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with served.browser.post(served.address + path, data=io.BytesIO(body), headers=sent) as answer:
        await answer.read()
        return answer.status


@pytest.fixture
def bomb() -> bytes:
    """Two hundred kilobytes that become two hundred megabytes."""
    return gzip.compress(b"a" * (200 * MB))


async def test_what_is_packed_is_unpacked_no_further_than_it_may_be_long(served: Served, bomb: bytes) -> None:
    tracemalloc.start()
    try:
        assert await status(served, "/login", bomb, Content_Type=FORM, Content_Encoding="gzip") == 415
        assert await status(served, "/user/create", bomb, **SIGNED, Content_Encoding="gzip") == 413
        assert await status(served, "/hooks/evotor", bomb, Content_Encoding="gzip") == 413
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 40 * MB
    assert await served.is_well()


async def answered_to_the_head(served: Served, path: str, length: int, within: float = 30, /, **headers: str) -> int:
    """The status that comes before any of so long a body was sent; 0 if the service waits for it."""
    sent = {"Host": "x", "Content-Length": str(length), "Cookie": cookies(served), **headers}
    lines = [f"POST {path} HTTP/1.1", *(f"{name.replace('_', '-')}: {value}" for name, value in sent.items())]
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write("\r\n".join([*lines, "", ""]).encode())
    try:
        async with asyncio.timeout(within):
            return int((await reader.readline()).split()[1])
    except TimeoutError:
        return 0
    finally:
        writer.close()


def cookies(served: Served) -> str:
    return "; ".join(f"{cookie.key}={cookie.value}" for cookie in served.browser.cookie_jar)


async def test_who_is_not_known_sends_little_and_an_owner_s_till_a_whole_shop(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    small, ten_million = 60 * 1024, 10_000_000
    for path, headers in (("/login", {"Content_Type": FORM}), ("/user/create", SIGNED), ("/hooks/evotor", {})):
        assert await answered_to_the_head(served, path, small, 1, **headers) == 0, f"{path} waits for it"
        assert await answered_to_the_head(served, path, ten_million, **headers) == 413, path
    assert await answered_to_the_head(served, "/inventories/stores/a/products", ten_million) == 401
    made = await served.browser.post(
        f"{served.address}/user/create", json={"userId": "01-000000000000042"}, headers=SIGNED
    )
    token = {"Authorization": f"Bearer {(await made.json())['token']}"}
    assert await answered_to_the_head(served, "/inventories/stores/a/products", ten_million, 1, **token) == 0
    assert ours(caplog) == [], "who hangs up in the middle wakes nobody"


@pytest.mark.parametrize("path", ["/login", "/register", "/forgot-password"])
async def test_a_form_that_no_browser_sends_is_refused_and_is_no_error_of_ours(
    served: Served, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    files = b"".join(b'--x\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\nz\r\n' for _ in range(900))
    for body, kind, expected in (
        (b"\xff\xfe=1", FORM, 400),
        (b"a=1", f"{FORM}; charset=nonsense", 400),
        (files + b"--x--\r\n", "multipart/form-data; boundary=x", 415),
        (b"garbage", "multipart/form-data", 415),
        (b"&a=" * 30_000, FORM, 413),
        (b"{}", "application/json", 403),
    ):
        assert await status(served, path, body, Content_Type=kind) == expected, kind
    assert ours(caplog) == []


async def test_a_webhook_s_nonsense_is_refused_and_is_no_error_of_ours(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    for body in (b"[" * 60_000, b'{"a":' * 9_000 + b"1" + b"}" * 9_000, b"\xff\xfe", b"", b"null", b"1e999999"):
        assert await status(served, "/user/create", body, **SIGNED) == 400, body[:20]
    assert ours(caplog) == []


@pytest.mark.parametrize("packing", ["gzip", "deflate", "br"])
async def test_what_cannot_be_unpacked_is_refused_or_hung_up_on(
    served: Served, caplog: pytest.LogCaptureFixture, packing: str
) -> None:
    for path, headers in (("/user/create", SIGNED), ("/hooks/evotor", {}), ("/login", {"Content-Type": FORM})):
        with suppress(aiohttp.ServerDisconnectedError):
            found = await status(served, path, b"not packed", **headers, Content_Encoding=packing)
            assert found in {400, 415}, path
    assert ours(caplog) == []
    assert await served.is_well()


def ours(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """What the service itself complains of; the server's own line is tested with the log."""
    return [each for each in caplog.records if each.levelno >= logging.ERROR and each.name.startswith("evosync")]


async def test_a_body_of_unknown_length_is_bounded_just_so(served: Served) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"a" * (32 * 1024)

    for path, headers in (("/login", {"Content-Type": FORM}), ("/user/create", SIGNED)):
        async with served.browser.post(served.address + path, data=pieces(), headers=headers) as answer:
            assert answer.status == 413, path
