"""Requests to the clouds are counted as each ends, not when its run does."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from evosync.app import open_core
from evosync.domain.connection import Token, VkConnection
from evosync.domain.errors import Unavailable, Unknown
from evosync.domain.ids import CommunityId, RunId, StoreId, UserId
from evosync.domain.mirror import Outcome, RunRecord, Scope, Tally
from evosync.evotor.client import EvotorTill
from evosync.metrics import Metrics
from evosync.sandbox.server import serve
from evosync.sandbox.state import Sandbox
from evosync.settings import load_settings
from evosync.vk.client import VkShop
from evosync.vk.dispatcher import Pressure
from evosync.vk.pacer import MemoryPacer
from evosync.vk.sides import VkAddress, VkSides
from tests.sandbox.cloud import PICTURE
from tests.sync.world import Clock

SECRET, CLOUD_TOKEN = "vk-token-of-the-tests", "cloud-token-of-the-tests"
CONNECTION = VkConnection(Token(SECRET, "fingerprint"), CommunityId(55))

Landed = Counter[tuple[str, str]]


@pytest.fixture
def sandbox() -> Sandbox:
    sandbox = Sandbox()
    sandbox.vk.requests_per_second = 10_000
    sandbox.add_person(SECRET)
    sandbox.add_community(CONNECTION.community, "Чайная", SECRET)
    sandbox.add_till(CLOUD_TOKEN, "01-000000000000001", ["Лавка"])
    return sandbox


@asynccontextmanager
async def shop_of(url: str, landed: Landed) -> AsyncIterator[VkShop]:
    """Whose requests are counted by method and code."""
    async with aiohttp.ClientSession() as http:
        sides = VkSides(
            http, VkAddress(url, timeout=5), MemoryPacer(1_000), Pressure(back_off=0.01),
            landed=lambda method, code: landed.update([(method, code)]),
        )  # fmt: skip
        async with sides.shop(CONNECTION) as shop:
            yield shop


async def test_a_request_that_was_too_fast_is_counted_although_its_repetition_went_well(sandbox: Sandbox) -> None:
    landed: Landed = Counter()
    sandbox.fault("error", "groups.getById", code=6, times=2)
    async with serve(sandbox) as running, shop_of(running.vk_url, landed) as shop:
        await shop.community()
        requests = shop.requests
    assert landed == {("groups.getById", "VK 6"): 2, ("groups.getById", "ok"): 1}
    assert requests == 3, "a run's own tally says the same"


async def test_calls_that_leave_together_are_one_request(sandbox: Sandbox) -> None:
    landed: Landed = Counter()
    async with serve(sandbox) as running, shop_of(running.vk_url, landed) as shop:
        await asyncio.gather(*(shop.community() for _ in range(5)))
    assert landed == {("execute", "ok"): 1}


async def test_one_call_of_many_that_came_too_fast_shows_too(sandbox: Sandbox) -> None:
    landed: Landed = Counter()
    sandbox.fault("error", "groups.getById", code=6, times=1, skip=1)
    async with serve(sandbox) as running, shop_of(running.vk_url, landed) as shop:
        await asyncio.gather(*(shop.community() for _ in range(3)))
    assert landed == {("execute", "VK 6"): 1, ("groups.getById", "ok"): 1}


@pytest.mark.parametrize(
    ("fault", "code"), [({"kind": "cut"}, "VK cut"), ({"kind": "http", "status": 502}, "VK HTTP 502")]
)
async def test_a_request_whose_answer_was_lost_is_counted_once(
    sandbox: Sandbox, fault: dict[str, object], code: str
) -> None:
    landed: Landed = Counter()
    sandbox.fault(method="market.addAlbum", **fault)  # type: ignore[arg-type]  # names of a fault
    async with serve(sandbox) as running, shop_of(running.vk_url, landed) as shop:
        with pytest.raises(Unknown):
            await shop.add_album("Чай")
    assert landed == {("market.addAlbum", code): 1}


async def test_a_picture_that_is_sent_is_counted_as_an_upload(sandbox: Sandbox) -> None:
    landed: Landed = Counter()
    sandbox.fault("http", "upload", status=502, times=1)
    async with serve(sandbox) as running, shop_of(running.vk_url, landed) as shop:
        await shop.photos(PICTURE, 1)
    assert landed["upload", "VK upload HTTP 502"] == 1
    assert landed["upload", "ok"] == 1


async def test_what_never_left_is_no_request() -> None:
    landed: Landed = Counter()
    async with shop_of("http://127.0.0.1:1", landed) as shop:
        with pytest.raises(Unavailable):
            await shop.community()
    assert not landed


async def test_while_a_run_goes_on_its_requests_at_both_clouds_stand_in_the_metrics(
    tmp_path: Path, redis_url: str, sandbox: Sandbox
) -> None:
    async with serve(sandbox) as running:
        environ = {"EVOTOR_API_URL": running.evotor_url, "VK_API_URL": running.vk_url, "REDIS_URL": redis_url}
        async with open_core(load_settings({"EVOSYNC_DATA_DIR": str(tmp_path), **environ})) as core:

            def counted(cloud: str, method: str, code: str) -> float | None:
                labels = {"cloud": cloud, "method": method, "code": code}
                return core.metrics.registry.get_sample_value("evosync_cloud_requests_total", labels)

            till = core.clients.till_for(Token(CLOUD_TOKEN, "till"))
            await till.stores()
            assert counted("evotor", "stores", "ok") == 1
            held = sandbox.fault("hold", "market.getAlbums")
            async with core.clients.vk.shop(CONNECTION) as shop:
                await shop.community()
                going_on = asyncio.ensure_future(shop.newest())
                await held.reached.wait()
                assert counted("vk", "groups.getById", "ok") == 1
                held.release()
                await going_on


def test_the_end_of_a_run_counts_no_request_again() -> None:
    metrics, at = Metrics(), Clock()()
    tally = Tally(vk_requests=5, evotor_requests=4)
    metrics.ended(
        RunRecord(RunId(1), UserId(1), (), Scope.FULL, at, at + timedelta(seconds=3), Outcome.OK, tally=tally)
    )
    assert b"evosync_cloud_requests_total{" not in metrics.text()


async def test_a_request_to_the_till_that_is_given_up_did_not_go_well(sandbox: Sandbox) -> None:
    seen: list[tuple[str, str]] = []
    held = sandbox.fault("hold", "evotor.products")
    async with serve(sandbox) as running, aiohttp.ClientSession() as http:
        till = EvotorTill(
            http, running.evotor_url, Token(CLOUD_TOKEN, "f"), seen=lambda what, code, _: seen.append((what, code))
        )
        (store,) = await till.stores()
        asking = asyncio.ensure_future(till.products(StoreId(store.id)))
        await held.reached.wait()
        asking.cancel()
        await asyncio.wait([asking])
        held.release()
    assert seen == [("stores", "ok"), ("products", "given up")]
