"""The real service behind a real nginx: served over HTTP/2, and it knows where its visitors come from."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from evosync.app import Core, Parts, now, open_core
from evosync.cli.serve import running
from evosync.db import accounts
from evosync.domain.ids import UserId
from evosync.domain.mirror import Progress, Scope, Step, Tally
from evosync.security.passwords import Passwords
from evosync.settings import load_settings
from tests import services
from tests.deploy.front import NAME, Front, front, unverified
from tests.doors import free_doors
from tests.journeys.process import Process, command
from tests.journeys.visitor import PASSWORD, Visitor, address_of, lines
from tests.journeys.workers import until

EMAIL = "owner@example.org"
FORGED = "6.6.6.6"


@dataclass(frozen=True, slots=True)
class Site:
    """`address` is the service's own, past nginx."""

    core: Core
    address: str
    front: Front


@pytest.fixture
async def site(tmp_path: Path, redis_url: str) -> AsyncIterator[Site]:
    settings = load_settings(
        {
            "EVOSYNC_DATA_DIR": str(tmp_path / "data"), "REDIS_URL": redis_url, "DOMAIN": NAME,
            "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz", "TRUSTED_PROXIES": "127.0.0.1",
        }
    )  # fmt: skip
    async with (
        open_core(settings) as core,
        running(core, Parts.WEB, free_doors()) as address,
        front(tmp_path, address.removeprefix("http://")) as ours,
    ):
        yield Site(core, address, ours)


async def test_the_real_service_is_served(site: Site) -> None:
    async with site.front.get("/login") as page:
        text = (await page.read()).decode()
        assert page.status == 200
        assert page.headers.getall("Strict-Transport-Security") == ["max-age=31536000"]
    style = text.split('href="/static/', 1)[1].split('"', 1)[0]
    async with site.front.get(f"/static/{style}", Accept_Encoding="gzip") as file:
        assert "immutable" in file.headers["Cache-Control"]
        assert file.headers["Content-Encoding"] == "gzip"
    async with site.front.get("/health") as health:
        assert await health.json() == {"status": "ok"}


async def said(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode()


async def test_it_is_served_over_http_2(site: Site) -> None:
    curl = services.find("curl")
    if curl is None or "HTTP2" not in await said(curl, "--version"):
        services.unavailable("no curl that speaks HTTP/2 on this machine")
    there = f"{NAME}:{site.front.https}"
    text = await said(
        curl, "--silent", "--show-error", "--insecure", "--noproxy", "*", "--http2", "--resolve", f"{there}:127.0.0.1",
        "--write-out", " %{http_version} %{http_code}", f"https://{there}/health",
    )  # fmt: skip
    assert text == '{"status":"ok"} 2 200'


class Here(AbstractResolver):
    """Every name is this machine."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        pass


@asynccontextmanager
async def liar(origin: str, own: str) -> AsyncIterator[Visitor]:
    """Comes to `origin` from the address `own`, and claims another one."""
    connector = aiohttp.TCPConnector(local_addr=(own, 0), resolver=Here(), ssl=unverified())
    # A browser would not send the cookies to the service itself, over plain http; somebody who tries things does.
    jar = aiohttp.CookieJar(unsafe=True, treat_as_secure_origin=URL(origin))
    claims = {"X-Forwarded-For": FORGED, "Forwarded": f"for={FORGED}", "X-Real-IP": FORGED}
    async with aiohttp.ClientSession(connector=connector, cookie_jar=jar, headers=claims) as http:
        visitor = Visitor(http)
        visitor.address = origin
        yield visitor


async def owner_of(site: Site) -> UserId:
    """A new one, who can sign in."""
    async with Passwords(rounds=4) as passwords:
        hashed = await passwords.hash(PASSWORD)
    return await site.core.database.write(
        lambda connection: accounts.create_user(
            connection, email=EMAIL, role="user", status=accounts.UserStatus.ACTIVE, password_hash=hashed, at=now()
        )
    )


async def test_the_service_knows_a_visitor_s_true_address_through_nginx_and_believes_nobody_else(site: Site) -> None:
    await owner_of(site)
    async with (
        liar(f"https://{NAME}:{site.front.https}", "127.0.0.7") as through_nginx,
        liar(site.address, "127.0.0.8") as past_it,
    ):
        for each in (through_nginx, past_it):
            assert (await each.post("/login", email=EMAIL, password=PASSWORD))[0] == 303
        status, profile = await through_nginx.get("/profile")
    assert status == 200
    assert set(re.findall(r'<p class="small mute">([0-9a-f.:]+) ·', profile)) == {"127.0.0.7", "127.0.0.8"}
    assert FORGED not in profile


async def test_a_run_is_told_through_nginx_as_it_goes(site: Site) -> None:
    user = await owner_of(site)
    core = site.core
    run = await core.ledger.start_run(user, scope=Scope.FULL, reasons=["test"], at=now())
    assert run is not None
    async with liar(f"https://{NAME}:{site.front.https}", "127.0.0.7") as owner:
        assert (await owner.post("/login", email=EMAIL, password=PASSWORD))[0] == 303
        async with asyncio.timeout(30), owner._http.get(f"{owner.address}/sync/events") as stream:
            assert (stream.status, stream.content_type) == (200, "text/event-stream")
            assert "Content-Encoding" not in stream.headers
            for done in (41, 82):
                await core.ledger.progress(user, run, Progress(Step.MIRROR, done, 164), Tally())
                while f'"done":{done}' not in (await stream.content.readline()).decode():
                    pass


@asynccontextmanager
async def two_webs(folder: Path, redis_url: str) -> AsyncIterator[tuple[Process, Process, Front]]:
    """Two processes behind one nginx, which gives each every other request."""
    environ = {
        "EVOSYNC_DATA_DIR": str(folder / "data"), "REDIS_URL": redis_url, "DOMAIN": NAME, "LOG_LEVEL": "DEBUG",
        "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz", "LOG_FORMAT": "json", "TRUSTED_PROXIES": "127.0.0.1",
    }  # fmt: skip
    (folder / "nginx").mkdir()
    first, second = services.free_ports(2)
    async with (
        command(folder / "one", environ | {"EVOSYNC_PORT": str(first)}, "web") as one,
        command(folder / "two", environ | {"EVOSYNC_PORT": str(second)}, "web") as two,
    ):
        addresses = [(await address_of(web)).removeprefix("http://") for web in (one, two)]
        async with front(folder / "nginx", ",".join(addresses)) as ours:
            yield one, two, ours


def requests(process: Process, method: str, path: str) -> int:
    """How many it answered."""
    return sum((line.get("method"), line.get("path")) == (method, path) for line in lines(process))


async def status_of(asked: "aiohttp.client._RequestContextManager") -> int:
    async with asked as answer:
        return answer.status


async def two_of_which_one_waits(asked: Awaitable[int], other: Awaitable[int]) -> tuple[int, "asyncio.Future[int]"]:
    """The status of one of both requests, and the other, which the frozen process has."""
    tasks = [asyncio.ensure_future(each) for each in (asked, other)]
    done, waiting = await asyncio.wait(tasks, timeout=20, return_when=asyncio.FIRST_COMPLETED)
    assert (len(done), len(waiting)) == (1, 1)
    return done.pop().result(), waiting.pop()


async def test_when_one_of_two_webs_dies_pages_go_on_and_nothing_is_sent_twice_that_changes_something(
    tmp_path: Path, redis_url: str
) -> None:
    async with two_webs(tmp_path, redis_url) as (one, two, front):
        assert [await status_of(front.get("/privacy")) for _ in range(4)] == [200] * 4

        async def were_shared_out() -> bool:
            return (requests(one, "GET", "/privacy"), requests(two, "GET", "/privacy")) == (2, 2)

        await until(were_shared_out)

        one.freeze()
        posted, hanging = await two_of_which_one_waits(
            status_of(front.post("/logout")), status_of(front.post("/logout"))
        )
        read, reading = await two_of_which_one_waits(status_of(front.get("/terms")), status_of(front.get("/terms")))
        await one.kill()
        assert (posted, await hanging) == (403, 502), "whether it was done nobody knows: its sender decides"
        assert (read, await reading) == (200, 200)
        assert [await status_of(front.get("/terms")) for _ in range(10)] == [200] * 10
        assert [await status_of(front.post("/logout")) for _ in range(3)] == [403] * 3, "the other one takes them all"

        async def is_written() -> bool:
            return requests(two, "GET", "/terms") >= 12 and requests(two, "POST", "/logout") >= 4

        await until(is_written)
        assert (requests(two, "GET", "/terms"), requests(two, "POST", "/logout")) == (12, 4)
