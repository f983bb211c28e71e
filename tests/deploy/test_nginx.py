"""A real nginx with the rendered template, in front of the real service and of a stub that tells what it was sent."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from evosync.app import Parts, open_core
from evosync.cli.serve import running
from evosync.settings import load_settings
from evosync.web.webhooks.paths import every_path
from tests.deploy.front import NAME, Front, front, unverified
from tests.doors import free_doors


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
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    async with front(tmp_path, f"{host}:{port}") as ours:
        yield ours
    held.set()
    await runner.cleanup()


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
    async with asyncio.timeout(10), told.get("/sync/events") as answer:
        assert await answer.content.readuntil(b"\n\n") == b"data: first\n\n"


async def test_pages_are_compressed_for_who_can_read_it(told: Front) -> None:
    async with told.get("/", Accept_Encoding="gzip") as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert len(await answer.read()) < 1000


async def test_http_2_is_spoken(told: Front) -> None:
    def spoken() -> str | None:
        context = unverified()
        context.set_alpn_protocols(["h2", "http/1.1"])
        with (
            socket.create_connection(("127.0.0.1", told.https)) as plain,
            context.wrap_socket(plain, server_hostname=NAME) as secure,
        ):
            return secure.selected_alpn_protocol()

    assert await asyncio.to_thread(spoken) == "h2"


@pytest.mark.parametrize(("path", "calm"), [("/login", 16), ("/profile", 61)])
async def test_a_flood_is_turned_away_and_a_person_is_not(told: Front, path: str, calm: int) -> None:
    async def status() -> int:
        async with told.get(path) as answer:
            return answer.status

    # Not one after another: on a slow machine the allowance would fill up meanwhile.
    calmly = await asyncio.gather(*(status() for _ in range(calm - 1)))
    assert set(calmly) == {200}
    assert 429 in await asyncio.gather(*(status() for _ in range(150)))


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
    assert "/invite" in (tmp_path / "access.log").read_text()
    assert "secret-link" not in (tmp_path / "access.log").read_text()


async def test_the_real_service_is_served(tmp_path: Path, redis_url: str) -> None:
    settings = load_settings(
        {
            "EVOSYNC_DATA_DIR": str(tmp_path / "data"), "REDIS_URL": redis_url, "DOMAIN": NAME,
            "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz",
        }
    )  # fmt: skip
    async with (
        open_core(settings) as core,
        running(core, Parts.WEB, free_doors()) as address,
        front(tmp_path, address.removeprefix("http://")) as ours,
    ):
        async with ours.get("/login") as page:
            text = (await page.read()).decode()
            assert page.status == 200
            assert page.headers.getall("Strict-Transport-Security") == ["max-age=31536000"]
        style = text.split('href="/static/', 1)[1].split('"', 1)[0]
        async with ours.get(f"/static/{style}", Accept_Encoding="gzip") as file:
            assert "immutable" in file.headers["Cache-Control"]
            assert file.headers["Content-Encoding"] == "gzip"
        async with ours.get("/health") as health:
            assert await health.json() == {"status": "ok"}
