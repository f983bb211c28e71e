"""Where the service itself calls: the addresses of the settings, and nobody whom an answer names."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web

from evosync.domain.connection import Token
from evosync.domain.errors import CloudError
from evosync.domain.ids import StoreId
from evosync.evotor.client import EvotorTill, Patience
from evosync.notify import mail
from evosync.notify.sms import SmsRu
from evosync.vk.transport import NotSent, StrangeHost, Transport

TOKEN = Token("the token that must not get out", "fingerprint")
PICTURE = b"\x89PNG\r\n\x1a\n"


@dataclass(slots=True)
class Stranger:
    """A host inside the network that would answer anybody, like the metadata of a cloud machine."""

    url: str = ""
    asked: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        return web.json_response({"response": 1})


@asynccontextmanager
async def serving(handler: object) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)  # type: ignore[arg-type]  # a handler
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture
async def stranger() -> AsyncIterator[Stranger]:
    stranger = Stranger()
    async with serving(stranger.answer) as stranger.url:
        yield stranger


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_cloud_that_sends_us_elsewhere_is_not_followed(stranger: Stranger, status: int) -> None:
    async def elsewhere(_request: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": f"{stranger.url}/latest/meta-data"})

    async with serving(elsewhere) as cloud, aiohttp.ClientSession() as http:
        till = EvotorTill(http, cloud, TOKEN, patience=Patience(tries=1))
        with pytest.raises(CloudError):
            await till.products(StoreId("1"))
        vk = Transport(http, url=f"{cloud}/method", version="5.199", timeout=5)
        assert (await vk.call("market.get", {}, TOKEN, leaving=lambda: None))[0] == status
        assert (await vk.upload(f"{cloud}/upload", [PICTURE], bulk=False))[0] == status
    assert stranger.asked == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_key_number_and_text_of_an_sms_go_to_no_host_that_sms_ru_names(stranger: Stranger, status: int) -> None:
    async def elsewhere(_request: web.Request) -> web.Response:
        taken = {"status": "OK", "status_code": 100}
        return web.json_response(taken, status=status, headers={"Location": f"{stranger.url}/sms/send"})

    async with serving(elsewhere) as carrier, aiohttp.ClientSession() as http:
        with pytest.raises(mail.NotSent, match=f"sms.ru HTTP {status}") as told:
            await SmsRu(http, "the key that must not get out", url=f"{carrier}/sms/send").send("+79990000000", "1234")
    assert not told.value.for_good, "it is tried again, as after any failure that is not the number's fault"
    assert stranger.asked == []


async def test_pictures_go_to_no_host_that_an_answer_makes_up(stranger: Stranger) -> None:
    port = stranger.url.rpartition(":")[2]
    async with aiohttp.ClientSession() as http:
        vk = Transport(http, url="https://api.vk.com/method", version="5.199", timeout=5)
        for url in (
            stranger.url, "http://169.254.169.254/latest/meta-data", "http://[::1]/", f"http://localhost:{port}/",
            "https://vk.com.evil.example/upload", "https://vk.com@evil.example/", "https://evilvk.com/", "file:///etc/passwd",
            "http://pu.vk.com/upload", "https://pu.vk.com:6379/upload", "gopher://pu.vk.com/", "//pu.vk.com/upload", "",
            "https://pu.vk.com\\@127.0.0.1/", "https://127.0.0.1#.vk.com/", "https://127.0.0.1?.vk.com/",
            "https://127.0.0.1%2f.vk.com:1/",
        ):  # fmt: skip
            with pytest.raises(StrangeHost):
                await vk.upload(url, [PICTURE], bulk=False)
        # VK's own are tried: so the refusals are for their hosts.
        with pytest.raises((NotSent, RuntimeError)):
            await vk.upload("https://pu.vk.com/upload", [PICTURE], bulk=False)
    assert stranger.asked == []
