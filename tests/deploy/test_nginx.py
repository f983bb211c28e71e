"""A real nginx with the rendered template, in front of the real service and of a stub that tells what it was sent."""

import asyncio
import os
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from evosync.app import Parts, open_core
from evosync.cli.serve import running
from evosync.settings import load_settings
from tests import services

DEPLOY = Path(__file__).parents[2] / "deploy"
NAME = "shop.example.ru"


class Front:
    """nginx as visitors see it."""

    def __init__(self, http: int, https: int, session: aiohttp.ClientSession) -> None:
        self.http = http
        self.https = https
        self._session = session

    def get(self, path: str, *, host: str = NAME, **headers: str) -> "aiohttp.client._RequestContextManager":
        shown = {"Host": host, "Accept-Encoding": "identity"}
        shown |= {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"https://127.0.0.1:{self.https}{path}"
        return self._session.get(url, headers=shown, server_hostname=host, allow_redirects=False)

    def plain(self, path: str, host: str = NAME) -> "aiohttp.client._RequestContextManager":
        return self._session.get(f"http://127.0.0.1:{self.http}{path}", headers={"Host": host}, allow_redirects=False)


@asynccontextmanager
async def front(folder: Path, upstream: str) -> AsyncIterator[Front]:
    nginx = services.find("nginx")
    if nginx is None or services.find("envsubst") is None or services.find("openssl") is None:
        services.unavailable("no nginx, envsubst or openssl on this machine")
    certificate(folder)
    ports = services.free_port(), services.free_port()
    conf = rendered(folder, upstream, *ports)
    command = [nginx, "-t", "-c", str(conf), "-p", str(folder)]
    check = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: ASYNC221 - milliseconds
    assert check.returncode == 0, check.stderr
    assert "[warn]" not in check.stderr
    server = await asyncio.create_subprocess_exec(nginx, "-c", conf, "-p", folder, "-g", "daemon off;")
    try:
        await answering(ports[1])
        connector = aiohttp.TCPConnector(ssl=unverified())
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
            yield Front(*ports, session)
    finally:
        server.terminate()
        await server.wait()


def unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def certificate(folder: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", f"/CN={NAME}", "-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"],
        check=True, capture_output=True,
    )  # fmt: skip


def rendered(folder: Path, upstream: str, http: int, https: int) -> Path:
    environ = {
        "PATH": os.environ["PATH"], "ENV_FILE": "/dev/null", "DOMAIN": NAME, "UPSTREAM": upstream,
        "CERTIFICATES": str(folder), "ACME": str(folder / "acme"), "HTTP_PORT": f"127.0.0.1:{http}",
        "HTTPS_PORT": f"127.0.0.1:{https}",
    }  # fmt: skip
    done = subprocess.run([DEPLOY / "nginx.sh"], env=environ, capture_output=True, text=True, check=True)
    ours = done.stdout.replace("/var/log/nginx/evosync.log", str(folder / "access.log"))
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;\n" if os.geteuid() == 0 else ""
    conf = folder / "nginx.conf"
    conf.write_text(
        f"{user}pid {folder}/nginx.pid;\nerror_log {folder}/error.log;\nworker_processes 1;\n"
        f"events {{ worker_connections 256; }}\nhttp {{\n{temporary}{ours}\n}}\n"
    )
    return conf


async def answering(port: int) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                await writer.wait_closed()
                return


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
        running(core, Parts.WEB, host="127.0.0.1", port=0) as address,
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
