import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from evosync.domain.connection import Token
from evosync.domain.errors import NotFound, Rejected, Throttled, Unavailable, Unpaid
from evosync.domain.ids import ProductId, StoreId
from evosync.evotor.client import EvotorTill, Patience
from evosync.sandbox.faults import Fault, Kind
from evosync.sandbox.seed import plain_catalog, seed_owner
from evosync.sandbox.server import serve
from evosync.sandbox.state import Sandbox

PRODUCTS = 250


@dataclass
class Shop:
    """A seeded owner's till behind the imitated cloud, with small pages."""

    sandbox: Sandbox
    url: str
    token: str
    http: aiohttp.ClientSession
    waits: list[float]

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    def till(self, token: str | None = None, **patience: float) -> EvotorTill:
        return EvotorTill(
            self.http,
            self.url,
            Token(token or self.token, "f"),
            patience=Patience(**patience),  # type: ignore[arg-type]  # the tests name only what they change
            sleep=self.sleep,
        )

    @property
    def store(self) -> StoreId:
        return StoreId(next(iter(self.sandbox.accounts[self.token].stores)))


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    sandbox = Sandbox()
    sandbox.evotor.page_size = 100
    seed_owner(sandbox, 1, plain_catalog(PRODUCTS))
    token = next(iter(sandbox.accounts))
    async with serve(sandbox) as running, aiohttp.ClientSession() as http:
        yield Shop(sandbox, running.evotor_url, token, http, [])


async def test_the_connection_test_finds_the_account(shop: Shop) -> None:
    account = await shop.till().verify()
    assert [store.id for store in account.stores] == [shop.store]
    assert account.till_user


async def test_everything_arrives_over_all_pages(shop: Shop) -> None:
    till = shop.till()
    found = await till.products(shop.store)
    assert len({product.id for product in found}) == len(found) == PRODUCTS
    assert till.requests == 3
    groups = {group.id for group in await till.groups(shop.store)}
    assert {product.group for product in found} <= groups | {""}


async def test_two_readings_of_an_unchanged_till_are_equal(shop: Shop) -> None:
    till = shop.till()
    assert await till.products(shop.store) == await till.products(shop.store)
    assert await till.groups(shop.store) == await till.groups(shop.store)


async def test_a_delta_brings_only_what_changed(shop: Shop) -> None:
    till = shop.till()
    assert await till.products_since(shop.store, datetime.now(UTC) + timedelta(hours=1)) == ()
    assert len(await till.products_since(shop.store, datetime(2020, 1, 1, tzinfo=UTC))) == PRODUCTS


async def test_one_product_or_none(shop: Shop) -> None:
    till = shop.till()
    listed = (await till.products(shop.store))[7]
    assert await till.product(shop.store, listed.id) == listed
    assert await till.product(shop.store, ProductId("gone")) is None


async def test_an_unpaid_store_says_so_and_the_list_of_stores_goes_on(shop: Shop) -> None:
    shop.sandbox.accounts[shop.token].stores[shop.store].unpaid = True
    till = shop.till()
    assert len(await till.stores()) == 1
    with pytest.raises(Unpaid):
        await till.products(shop.store)
    with pytest.raises(Unpaid):
        await till.groups(shop.store)


async def test_a_store_nobody_knows_is_not_found(shop: Shop) -> None:
    with pytest.raises(NotFound):
        await shop.till().products(StoreId("no/such store"))


async def test_a_strange_token_is_rejected(shop: Shop) -> None:
    with pytest.raises(Rejected) as caught:
        await shop.till("made-up").stores()
    assert caught.value.code == "Evotor 401"


async def test_an_uninstalled_app_is_rejected_with_another_code(shop: Shop) -> None:
    shop.sandbox.accounts[shop.token].uninstalled = True
    with pytest.raises(Rejected) as caught:
        await shop.till().stores()
    assert caught.value.code == "Evotor 403"


@pytest.mark.parametrize("kind", ["http", "cut", "cut_body", "broken_body"])
@pytest.mark.parametrize("page", [0, 2])
async def test_a_fault_that_passes_costs_a_retry_and_no_product(shop: Shop, kind: Kind, page: int) -> None:
    shop.sandbox.faults.add(Fault(kind=kind, method="evotor.products", skip=page))
    assert len(await shop.till().products(shop.store)) == PRODUCTS
    assert len(shop.waits) <= 1  # aiohttp itself repeats a GET whose connection was closed before the answer
    assert shop.sandbox.faults.everything[0].struck == 1


@pytest.mark.parametrize("kind", ["http", "cut", "cut_body", "broken_body"])
async def test_a_listing_whose_last_page_fails_for_good_never_arrives(shop: Shop, kind: Kind) -> None:
    shop.sandbox.faults.add(Fault(kind=kind, method="evotor.products", skip=2, times=None))
    with pytest.raises(Unavailable):
        await shop.till().products(shop.store)


async def test_a_cloud_that_hangs_is_given_up(shop: Shop) -> None:
    shop.sandbox.faults.add(Fault(kind="hang", method="evotor.products", times=None, seconds=2))
    with pytest.raises(Unavailable):
        await shop.till(total=0.1, tries=2).products(shop.store)


async def test_too_many_requests_are_waited_out_or_handed_on(shop: Shop) -> None:
    shop.sandbox.evotor.rate_limit = 1
    till = shop.till()
    await till.stores()
    with pytest.raises(Throttled) as caught:
        await till.stores()
    assert caught.value.wait is not None
    assert len(shop.waits) == 3
    assert all(55 <= wait <= 75 for wait in shop.waits)


async def test_stores_are_read_side_by_side(shop: Shop) -> None:
    shop.sandbox.latency.evotor = 0.3
    till = shop.till()
    began = time.monotonic()
    reads: list[Callable[[StoreId], Awaitable[object]]] = [till.groups] * 5 + [till.products] * 5
    await asyncio.gather(*(read(shop.store) for read in reads))
    assert time.monotonic() - began < 4
    assert till.requests == 20
