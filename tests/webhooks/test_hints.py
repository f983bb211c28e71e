"""Hints: what is due after them, what never follows from them, and that none is lost."""

import asyncio
import hmac
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import orjson
import pytest
from aiohttp.test_utils import TestClient, TestServer

from evosync.db import deliveries
from evosync.db.deliveries import Delivery, Kind
from evosync.domain.connection import Health
from evosync.domain.ids import ProductId, StoreId
from evosync.domain.mirror import Scope
from evosync.sync.mailbox import Message, product_reason
from evosync.web.app import make_site
from evosync.web.services import Services
from evosync.web.webhooks import hearing
from evosync.web.webhooks.callers import Secrets
from evosync.web.webhooks.hearing import Hearing
from evosync.web.webhooks.routes import Webhooks
from tests.web.browser import Queue, World
from tests.webhooks.cloud import EARLIER, OTHER_STORE, SECRET, STORE, TILL, Cloud

APP = "2a3b4c5d-6e7f-4801-9a2b-3c4d5e6f7081"
PRODUCTS = f"/inventories/stores/{STORE}/products"
RECEIPT = {
    "userId": TILL,
    "type": "ReceiptCreated",
    "data": {"storeId": STORE, "items": [{"id": "tea"}, {"id": "jam"}]},
}


async def nudged(world: World) -> None:
    async with asyncio.timeout(30):
        while not world.queue.nudged:
            await asyncio.sleep(0.01)


async def quiet(cloud: Cloud) -> None:
    """Until nothing that was stored waits any more."""
    async with asyncio.timeout(30):
        while any(row["state"] == "waiting" for row in await cloud.log()):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("prefix", ["", "/api/v1", "/api/v2"])
async def test_a_products_hook_makes_its_store_due_now(cloud: Cloud, world: World, prefix: str) -> None:
    token = await cloud.owner()
    reply = await cloud.call(prefix + PRODUCTS, [{"uuid": "tea", "price": 1}], token=token)
    assert (reply.status, reply.body) == (200, {})
    await nudged(world)
    assert await cloud.wish() == ("hint", [f"hint:{STORE}"])


async def test_it_is_stored_before_it_is_answered(cloud: Cloud) -> None:
    token = await cloud.owner()
    before = len(await cloud.log())
    await cloud.call(PRODUCTS, [], token=token)
    assert [row["kind"] for row in (await cloud.log())[before:]] == ["products"]


async def test_the_store_is_known_without_regard_to_case(cloud: Cloud, world: World) -> None:
    token = await cloud.owner()
    await cloud.call(PRODUCTS.lower(), [], token=token)
    await nudged(world)
    assert await cloud.wish() == ("hint", [f"hint:{STORE}"])


async def test_a_store_never_heard_of_asks_for_everything(cloud: Cloud, world: World) -> None:
    token = await cloud.owner()
    await cloud.call("/inventories/stores", [{"uuid": "a-new-store", "name": "x"}], method="PUT", token=token)
    await nudged(world)
    assert await cloud.wish() == ("full", ["hook"])


@pytest.mark.parametrize("body", [[{"uuid": STORE}], {"items": [{"id": STORE}]}, {"uuid": STORE}])
async def test_stores_come_as_a_list_as_a_page_or_as_one(cloud: Cloud, world: World, body: object) -> None:
    token = await cloud.owner()
    assert (await cloud.call("/inventories/stores", body, method="PUT", token=token)).status == 200
    await nudged(world)
    assert await cloud.wish() == ("hint", [f"hint:{STORE}"])


async def test_a_receipt_names_its_products_where_the_till_counts_the_stock(cloud: Cloud, world: World) -> None:
    token = await cloud.owner(stock="till")
    await cloud.call("/receipts", RECEIPT, token=token)
    await nudged(world)
    scope, reasons = await cloud.wish()
    assert scope == "hint"
    message = Message.about(Scope(scope), reasons)
    assert message.named == {(StoreId(STORE), ProductId("tea")), (StoreId(STORE), ProductId("jam"))}
    assert message.whole_stores == frozenset()


@pytest.mark.parametrize("stock", [None, "constant"])
async def test_a_receipt_is_of_no_use_where_the_stock_is_a_constant(cloud: Cloud, world: World, stock: str) -> None:
    token = await cloud.owner(stock=stock)
    assert (await cloud.call("/receipts", RECEIPT, token=token)).status == 200
    assert (await cloud.log())[-1]["state"] == "dropped"
    assert await cloud.wish() == (None, [])


async def test_a_document_comes_as_one_or_as_a_list_of_either_version(cloud: Cloud, world: World) -> None:
    token = await cloud.owner(stock="till")
    one = {"store_id": STORE, "body": {"positions": [{"product_id": "tea"}]}}
    await cloud.call("/", one, method="PUT", token=token)
    await nudged(world)
    assert (await cloud.wish())[1] == [product_reason(StoreId(STORE), ProductId("tea"))]
    old = [{"storeUuid": OTHER_STORE, "transactions": [{"commodityUuid": "jam"}]}]
    await cloud.call(f"/inventories/stores/{OTHER_STORE}/documents", old, method="PUT", token=token)
    await quiet(cloud)
    assert product_reason(StoreId(OTHER_STORE), ProductId("jam")) in (await cloud.wish())[1]


def event(told: str, action: str, **payload: object) -> bytes:
    whole = {"id": "e", "timestamp": 1, "type": told, "action": action, "payload": {"user_id": TILL, **payload}}
    return orjson.dumps(whole)


def signature(body: bytes, secret: str = SECRET) -> dict[str, str]:
    return {"X-Hub-Signature": "sha1=" + hmac.new(secret.encode(), body, "sha1").hexdigest(), "Authorization": ""}


@pytest.mark.parametrize(
    ("told", "action", "payload", "wish"),
    [
        ("ProductEvent", "updated", {"store_id": STORE, "id": "tea"}, ("hint", [f"hint:{STORE}"])),
        ("ProductEvent", "removed", {"store_id": STORE, "id": "tea"}, ("full", ["hook"])),
        ("ProductGroupEvent", "created", {"store_id": STORE, "id": "g"}, ("hint", [f"hint:{STORE}"])),
        ("StoreEvent", "updated", {"id": STORE}, ("hint", [f"hint:{STORE}"])),
    ],
)
async def test_a_signed_event_makes_its_store_due(
    cloud: Cloud, world: World, told: str, action: str, payload: dict[str, str], wish: tuple[str, list[str]]
) -> None:
    await cloud.owner()
    body = event(told, action, **payload)
    reply = await cloud.call("/hooks/evotor", raw=body, **signature(body))
    assert (reply.status, reply.body) == (200, {})
    await nudged(world)
    assert await cloud.wish() == wish
    assert (await cloud.call("/hooks/evotor", raw=body, **signature(body, EARLIER))).status == 200, "a rotation"


async def test_an_event_that_is_signed_wrongly_or_of_no_use_changes_nothing(cloud: Cloud) -> None:
    await cloud.owner()
    before = len(await cloud.log())
    body = event("ProductEvent", "updated", store_id=STORE)
    for wrong in (signature(body, "wrong"), signature(body + b" "), {"X-Hub-Signature": ""}, {"X-Hub-Signature": "é"}):
        assert (await cloud.call("/hooks/evotor", raw=body, **wrong)).code == (401, 1001)
    other = event("DeviceEvent", "created", store_id=STORE)
    assert (await cloud.call("/hooks/evotor", raw=other, **signature(other))).status == 200
    stranger = orjson.dumps({"type": "ProductEvent", "payload": {"user_id": "01-000000000000099", "store_id": STORE}})
    assert (await cloud.call("/hooks/evotor", raw=stranger, **signature(stranger))).status == 200
    assert len(await cloud.log()) == before
    assert await cloud.wish() == (None, [])


@pytest.mark.parametrize("path", ["/inventories/devices", "/inventories/employees"])
async def test_what_is_of_no_use_is_answered_and_dropped(cloud: Cloud, path: str) -> None:
    token = await cloud.owner()
    assert (await cloud.call(path, [{"uuid": "x"}], method="PUT", token=token)).status == 200
    assert (await cloud.log())[-1]["state"] == "dropped"
    assert await cloud.wish() == (None, [])


async def test_another_token_is_told_so_and_changes_nothing(cloud: Cloud) -> None:
    await cloud.owner()
    for token in ("unknown", "", SECRET):
        assert (await cloud.call(PRODUCTS, [], token=token, Authorization=f"Bearer {token}")).code == (401, 1002)
    assert await cloud.wish() == (None, [])


async def test_a_body_of_another_user_is_refused_and_changes_nothing(cloud: Cloud) -> None:
    token = await cloud.owner(stock="till")
    other = {**RECEIPT, "userId": "01-000000000000099"}
    assert (await cloud.call("/receipts", other, token=token)).code == (400, 2003)
    headers: dict[str, Any] = {"X-Evotor-User-Id": "01-000000000000099"}
    assert (await cloud.call(PRODUCTS, [], token=token, **headers)).code == (400, 2003)
    assert await cloud.wish() == (None, [])


async def test_a_document_about_more_products_than_are_read_one_by_one_asks_for_everything(
    cloud: Cloud, world: World
) -> None:
    """A sale is in no list of what changed."""
    token = await cloud.owner(stock="till")
    items = [{"id": f"product-{number}"} for number in range(60)]
    await cloud.call("/receipts", RECEIPT | {"data": {"storeId": STORE, "items": items}}, token=token)
    await nudged(world)
    assert await cloud.wish() == ("full", ["hook"])


@pytest.mark.parametrize("raw", [b"{", b'"text"', b"[1]", b"\xff"])
async def test_a_body_without_sense_has_its_code_and_the_store_is_looked_at_all_the_same(
    cloud: Cloud, world: World, raw: bytes
) -> None:
    token = await cloud.owner()
    assert (await cloud.call(PRODUCTS, raw=raw, token=token)).code == (400, 2001)
    await nudged(world)
    assert await cloud.wish() == ("hint", [f"hint:{STORE}"])


async def test_a_burst_about_one_store_is_one_or_two_wishes(
    cloud: Cloud, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "_QUIET", 2.0)  # a pause of this process is not the end of the burst
    monkeypatch.setattr(hearing, "_REST", 2.0)
    token = await cloud.owner()
    replies = await asyncio.gather(*(cloud.call(PRODUCTS, [], token=token) for _ in range(100)))
    assert {reply.status for reply in replies} == {200}
    await quiet(cloud)
    assert 1 <= len(world.queue.nudged) <= 2
    assert await cloud.wish() == ("hint", [f"hint:{STORE}"])


async def test_what_a_dead_process_had_stored_is_heard_at_the_next_start(cloud: Cloud, services: Services) -> None:
    await cloud.owner()
    account = await cloud.account()
    assert account is not None
    left = Delivery(Kind.PRODUCTS, services.clock(), TILL, account.user, facts={"stores": [STORE]})
    await services.database.write(lambda connection: deliveries.add(connection, left))
    queue = Queue()
    async with Hearing(services.database, queue, services.clock).running():
        async with asyncio.timeout(30):
            while not queue.nudged:
                await asyncio.sleep(0.01)
    assert await cloud.wish() == ("hint", [f"hint:{STORE}"])


def installation(told: str, number: str, time: int) -> dict[str, object]:
    return {"id": number, "timestamp": time, "version": 2, "type": told, "data": {"productId": "p", "userId": TILL}}


def subscription(told: str, number: int, name: str = "one") -> dict[str, object]:
    return {"subscriptionId": name, "userId": TILL, "sequenceNumber": number, "type": told}


async def test_uninstalling_parks_the_connection_and_tells_the_owner(cloud: Cloud, world: World) -> None:
    token = await cloud.owner()
    assert (await cloud.call("/installation/event", installation("ApplicationUninstalled", "a", 1))).status == 200
    account = await cloud.account()
    assert account is not None
    assert (account.health, account.reason) == (Health.PARKED, "uninstalled")
    assert account.is_connected
    assert ("evotor_parked", "owner@example.com") in await world.outbox()
    assert (await cloud.call(PRODUCTS, [], token=token)).status == 200
    await quiet(cloud)
    assert await cloud.wish() == (None, [])


async def test_installing_again_goes_on(cloud: Cloud, world: World) -> None:
    await cloud.owner()
    await cloud.call("/installation/event", installation("ApplicationUninstalled", "a", 1))
    await cloud.call("/installation/event", installation("ApplicationInstalled", "b", 2))
    account = await cloud.account()
    assert account is not None
    assert account.health is Health.OK
    assert await cloud.wish() == ("full", ["connected"])
    assert world.queue.nudged == [account.user]


async def test_repeated_and_late_deliveries_change_nothing(cloud: Cloud, world: World) -> None:
    await cloud.owner()
    gone, back = installation("ApplicationUninstalled", "a", 1), installation("ApplicationInstalled", "b", 2)
    for body in (gone, back, gone, back, installation("ApplicationUninstalled", "late", 1)):
        assert (await cloud.call("/installation/event", body)).status == 200
    account = await cloud.account()
    assert account is not None
    assert account.health is Health.OK
    assert [kind for kind, _ in await world.outbox()].count("evotor_parked") == 1


@pytest.mark.parametrize(
    ("earlier", "later"), [("1504168645290", "1504168645291"), ("2017-08-31T08:37:25Z", "2017-08-31T10:37:26.5+00:00")]
)
async def test_the_order_is_known_however_the_time_is_written(cloud: Cloud, earlier: str, later: str) -> None:
    await cloud.owner()
    for told, name, time in (("ApplicationUninstalled", "b", later), ("ApplicationInstalled", "a", earlier)):
        body = {**installation(told, name, 0), "timestamp": time}
        assert (await cloud.call("/installation/event", body)).status == 200
    account = await cloud.account()
    assert account is not None
    assert account.health is Health.PARKED, "it was installed before it was removed"


async def test_a_till_removed_after_its_subscription_ended_waits_for_both(cloud: Cloud) -> None:
    await cloud.owner()

    async def state() -> tuple[Health, str]:
        account = await cloud.account()
        assert account is not None
        return account.health, account.reason

    await cloud.call("/subscription/event", subscription("SubscriptionCreated", 1))
    await cloud.call("/subscription/event", subscription("SubscriptionTerminated", 2))
    await cloud.call("/installation/event", installation("ApplicationUninstalled", "a", 1))
    await cloud.call("/subscription/event", subscription("SubscriptionRenewed", 3))
    assert await state() == (Health.PARKED, "uninstalled"), "a renewal does not install the app"
    await cloud.call("/subscription/event", subscription("SubscriptionTerminated", 4))
    await cloud.call("/installation/event", installation("ApplicationInstalled", "b", 2))
    assert await state() == (Health.PARKED, "subscription_over"), "installed, and not paid for"
    await cloud.call("/subscription/event", subscription("SubscriptionCreated", 1, "two"))
    assert await state() == (Health.OK, "")


async def test_the_end_of_the_subscription_parks_and_a_new_one_goes_on(cloud: Cloud) -> None:
    token = await cloud.owner()
    for number, told in enumerate(("SubscriptionCreated", "SubscriptionActivated", "SubscriptionTerminated"), 1):
        assert (await cloud.call("/subscription/event", subscription(told, number))).status == 200
    assert (await cloud.call(PRODUCTS, [], token=token)).code == (402, 1004)
    await cloud.call("/subscription/event", subscription("SubscriptionRenewed", 2))  # late
    assert (await cloud.call(PRODUCTS, [], token=token)).code == (402, 1004)
    await cloud.call("/subscription/event", subscription("SubscriptionCreated", 1, "two"))
    assert (await cloud.call(PRODUCTS, [], token=token)).status == 200


async def test_one_of_two_subscriptions_may_end(cloud: Cloud) -> None:
    token = await cloud.owner()
    await cloud.call("/subscription/event", subscription("SubscriptionCreated", 1))
    await cloud.call("/subscription/event", subscription("SubscriptionCreated", 1, "two"))
    await cloud.call("/subscription/event", subscription("SubscriptionTerminated", 2))
    assert (await cloud.call(PRODUCTS, [], token=token)).status == 200


async def test_events_come_with_either_credential_and_with_that_of_their_own_till(cloud: Cloud, world: World) -> None:
    token = await cloud.owner()
    body = subscription("SubscriptionCreated", 1)
    assert (await cloud.call("/subscription/event", body, token=token)).status == 200
    other = {**subscription("SubscriptionTerminated", 2), "userId": "01-000000000000099"}
    assert (await cloud.call("/subscription/event", other, token=token)).code == (400, 2003)
    assert (await cloud.call("/subscription/event", body, token="wrong")).code == (401, 1001)


def test_with_no_secret_set_nobody_is_let_in() -> None:
    for shown in ("", "anything", SECRET):
        assert not Secrets([]).open_for(shown)
        assert not Secrets([""]).open_for(shown)


@pytest.fixture
async def one_app(services: Services, world: World) -> AsyncIterator[Cloud]:
    """The service knows which application it is."""
    known = replace(services, site=replace(services.site, till_app=APP))
    hooks = Webhooks(known, [SECRET])
    site = make_site(known, routes=hooks.routes)
    site.cleanup_ctx.append(hooks.while_running)
    async with TestClient(TestServer(site)) as client:
        yield Cloud(client, known, world)


def of_app(body: dict[str, object], app: object) -> dict[str, object]:
    return body | ({"data": {"productId": app, "userId": TILL}} if "data" in body else {"productId": app})


EVENTS = [
    ("/installation/event", installation("ApplicationUninstalled", "a", 1)),
    ("/subscription/event", subscription("SubscriptionTerminated", 1)),
]


@pytest.mark.parametrize(("path", "body"), EVENTS)
@pytest.mark.parametrize("other", ["2a3b4c5d-6e7f-4801-9a2b-3c4d5e6f7082", "", 7, {}, [APP]])
async def test_an_event_that_names_another_application_is_refused_and_changes_nothing(
    one_app: Cloud, path: str, body: dict[str, object], other: object
) -> None:
    await one_app.owner()
    before = len(await one_app.log())
    reply = await one_app.call(path, of_app(body, other))
    assert reply.code == (400, 2003)
    assert reply.body["errors"][0]["subject"] == "productId"
    account = await one_app.account()
    assert account is not None
    assert account.health is Health.OK
    assert len(await one_app.log()) == before


@pytest.mark.parametrize(("path", "body"), EVENTS)
@pytest.mark.parametrize("named", [APP, APP.upper(), None])
async def test_an_event_of_this_application_or_of_none_is_obeyed(
    one_app: Cloud, path: str, body: dict[str, object], named: str | None
) -> None:
    await one_app.owner()
    assert (await one_app.call(path, of_app(body, named))).status == 200
    account = await one_app.account()
    assert account is not None
    assert account.health is Health.PARKED
