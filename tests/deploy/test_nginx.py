"""A real nginx with the rendered template, in front of a stub that tells what it was sent."""

import asyncio
import re
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from evosync.web.webhooks.paths import every_path
from tests.deploy.front import NAME, Front, front, unverified


@asynccontextmanager
async def before(folder: Path, app: web.Application) -> AsyncIterator[Front]:
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    async with front(folder, f"{host}:{port}") as ours:
        yield ours
    await runner.cleanup()


@pytest.fixture
async def told(tmp_path: Path) -> AsyncIterator[Front]:
    """In front of a stub that answers with what it was sent, streams at /sync/events, and has text to compress."""

    async def tell(request: web.Request) -> web.Response:
        wanted = ("Host", "X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "Connection")
        return web.json_response({name: request.headers.getall(name, []) for name in wanted} | {"text": "а" * 2000})

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: first\n\n")
        await held.wait()
        return response

    held = asyncio.Event()
    app = web.Application()
    app.router.add_get("/sync/events", stream)
    app.router.add_route("*", "/{path:.*}", tell)
    async with before(tmp_path, app) as ours:
        yield ours
        held.set()


async def test_what_a_visitor_claims_of_his_address_is_dropped(told: Front) -> None:
    async with told.get("/", X_Forwarded_For="6.6.6.6", Forwarded="for=6.6.6.6") as answer:
        sent = await answer.json()
    assert sent["X-Forwarded-For"] == ["127.0.0.1"]
    assert sent["Forwarded"] == []
    assert (sent["Host"], sent["X-Forwarded-Proto"]) == ([NAME], ["https"])


async def test_a_foreign_name_gets_no_page(told: Front) -> None:
    with pytest.raises(aiohttp.ClientError):
        async with told.get("/", host="evil.example"):
            pass
    with pytest.raises(aiohttp.ClientError):
        async with told.get("/", Host="evil.example"):
            pass


async def test_beside_debian_s_own_site_ours_has_its_name_and_a_foreign_one_gets_nothing_of_ours(
    tmp_path: Path,
) -> None:
    async with front(tmp_path, "127.0.0.1:9", beside_stock_site=True) as ours:
        async with ours.plain("/login") as answer:
            assert (answer.status, answer.headers["Location"]) == (301, f"https://{NAME}/login")
        async with ours.plain("/login", host="evil.example") as answer:
            assert await answer.text() == "Welcome to nginx!"
        with pytest.raises(aiohttp.ClientError):
            async with ours.get("/", host="evil.example"):
                pass


async def test_plain_http_leads_to_the_domain_and_never_to_the_name_that_was_asked(told: Front) -> None:
    async with told.plain("/login?next=/", host="evil.example") as answer:
        assert (answer.status, answer.headers["Location"]) == (301, f"https://{NAME}/login?next=/")


async def test_the_check_of_the_certificate_is_answered_in_the_clear(told: Front, tmp_path: Path) -> None:
    folder = tmp_path / "acme" / ".well-known" / "acme-challenge"
    folder.mkdir(parents=True)
    (folder / "abc").write_text("proof")
    async with told.plain("/.well-known/acme-challenge/abc") as answer:
        assert await answer.read() == b"proof"


async def test_events_come_as_they_are_sent(told: Front) -> None:
    async with asyncio.timeout(30), told.get("/sync/events") as answer:
        assert await answer.content.readuntil(b"\n\n") == b"data: first\n\n"


async def test_pages_are_compressed_for_who_can_read_it(told: Front) -> None:
    async with told.get("/", Accept_Encoding="gzip") as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert len(await answer.read()) < 1000


async def test_http_2_is_offered(told: Front) -> None:
    def spoken() -> str | None:
        context = unverified()
        context.set_alpn_protocols(["h2", "http/1.1"])
        with (
            socket.create_connection(("127.0.0.1", told.https)) as plain,
            context.wrap_socket(plain, server_hostname=NAME) as secure,
        ):
            return secure.selected_alpn_protocol()

    assert await asyncio.to_thread(spoken) == "h2"


@pytest.mark.parametrize(
    ("path", "zone", "calm"),
    [("/login", "login", 15), ("/reset-password", "login", 15), ("/profile", "pages", 60),
     ("/user/create", "webhooks", 200), ("/api/v2/receipts", "webhooks", 200)],
)  # fmt: skip
async def test_a_flood_is_turned_away_by_the_limit_of_its_door_and_a_person_is_not(
    told: Front, tmp_path: Path, path: str, zone: str, calm: int
) -> None:
    async def statuses(connections: int, each: int) -> set[str]:
        return set().union(*await asyncio.gather(*(in_a_row(told, path, each) for _ in range(connections))))

    # Five connections are far from what one address may have: that other limit is not what is shown here.
    assert await statuses(5, calm // 5) == {"200"}
    async with asyncio.timeout(60):
        while "429" not in await statuses(5, 60):
            continue
    assert limits(tmp_path) == {("requests", f"evosync_{zone}")}


async def in_a_row(told: Front, path: str, number: int) -> set[str]:
    """The statuses of requests sent all at once on one connection: faster than any allowance fills up again."""
    reader, writer = await asyncio.open_connection("127.0.0.1", told.https, ssl=unverified(), server_hostname=NAME)
    head = f"GET {path} HTTP/1.1\r\nHost: {NAME}\r\n"
    writer.write(f"{head}\r\n".encode() * (number - 1) + f"{head}Connection: close\r\n\r\n".encode())
    said = (await reader.read()).decode()
    writer.close()
    found = re.findall(r"HTTP/1\.1 (\d+) ", said)
    assert len(found) == number
    return set(found)


async def test_addresses_of_one_visitor_s_network_are_counted_together(tmp_path: Path) -> None:
    told = "set_real_ip_from 127.0.0.1;\nreal_ip_header X-From;\n"
    async with front(tmp_path, "127.0.0.1:9", http=told) as ours:

        async def statuses(pattern: str) -> list[int]:
            found = []
            for number in range(1, 41):
                async with ours.get("/login", X_From=pattern.format(number)) as answer:
                    found.append(answer.status)
            return found

        assert 429 not in await statuses("2001:db8:0:{:x}::1")
        assert 429 not in await statuses("192.0.2.{}")
        assert 429 in await statuses("2001:db8:1:1:{:x}::1")


@pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="no IPv6 on this machine")
async def test_who_comes_over_ipv6_is_answered(tmp_path: Path) -> None:
    async with front(tmp_path, "127.0.0.1:9", address="") as ours:
        async with aiohttp.ClientSession() as session:
            url = f"http://[::1]:{ours.http}/login"
            async with session.get(url, headers={"Host": NAME}, allow_redirects=False) as answer:
                assert answer.headers["Location"] == f"https://{NAME}/login"
        _, writer = await asyncio.open_connection("::1", ours.https, ssl=unverified(), server_hostname=NAME)
        writer.close()


async def test_one_address_has_so_many_requests_under_way_and_no_more(told: Front, tmp_path: Path) -> None:
    async with AsyncExitStack() as listening:
        for _ in range(60):
            answer = await listening.enter_async_context(told.get("/sync/events"))
            assert answer.status == 200
        async with told.get("/sync/events") as one_too_many:
            assert one_too_many.status == 429
        async with told.post("/user/create") as hook:
            assert hook.status == 200, "which is counted apart"
    assert limits(tmp_path) == {("connections", "evosync_connections")}


async def test_many_shops_events_from_one_address_may_be_under_way_at_once(tmp_path: Path) -> None:
    number, arrived, held = 90, 0, asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        nonlocal arrived
        if request.method == "POST":
            arrived += 1
            await held.wait()
        return web.Response()

    async def status_of(asked: "aiohttp.client._RequestContextManager") -> int:
        async with asked as said:
            return said.status

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    paths = ("/user/create", "/api/v1/inventories/stores", "/receipts", "/")
    async with before(tmp_path, app) as ours:
        hooks = [asyncio.create_task(status_of(ours.post(paths[shop % 4]))) for shop in range(number)]
        async with asyncio.timeout(30):
            while arrived < number and not any(hook.done() for hook in hooks):
                await asyncio.sleep(0.01)
        page = await status_of(ours.get("/login"))
        held.set()
        assert Counter(await asyncio.gather(*hooks)) == {200: number}
        assert page == 200, "which is counted apart"
    assert limits(tmp_path) == set()


def limits(folder: Path) -> set[tuple[str, str]]:
    """What was limited, and by which zone, as nginx's log has it."""
    found = re.findall(r'limiting (\w+).*? by zone "(\w+)"', (folder / "error.log").read_text())
    return {(what, zone) for what, zone in found}


def first_line(port: int, method: str, path: str, length: int) -> str:
    """What is answered to the head of a request with so long a body; its sender waits to be asked for the body."""
    head = f"{method} {path} HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
    with (
        socket.create_connection(("127.0.0.1", port), 10) as plain,
        unverified().wrap_socket(plain, server_hostname=NAME) as secure,
    ):
        secure.sendall(head.encode())
        return secure.recv(4096).decode().partition("\r\n")[0]


async def test_a_big_shop_may_be_pushed_to_every_webhook_and_nothing_big_to_a_page(told: Front) -> None:
    ten_million = 10_000_000
    for method, _, path in every_path():
        if method != "GET":
            said = await asyncio.to_thread(first_line, told.https, method, path.format(store="a"), ten_million)
            assert said == "HTTP/1.1 100 Continue", path
    for path in ("/login", "/catalog/stores/a/groups"):
        said = await asyncio.to_thread(first_line, told.https, "POST", path, ten_million)
        assert said == "HTTP/1.1 413 Request Entity Too Large", path


async def test_the_metrics_are_not_for_the_world(told: Front) -> None:
    async with told.get("/metrics") as answer:
        assert answer.status == 404


async def test_what_follows_the_question_mark_is_not_written_down(told: Front, tmp_path: Path) -> None:
    async with told.get("/invite?token=secret-link"):
        pass
    log = tmp_path / "access.log"
    async with asyncio.timeout(60):
        while "/invite" not in log.read_text():  # written after the answer
            await asyncio.sleep(0.01)
    assert "secret-link" not in log.read_text()
