"""The sandbox steered from another process."""

import asyncio
from typing import Any

from tests.sandbox.cloud import CLOUD_TOKEN, GROUP, STORE, TOKEN, USER, Cloud


async def ask(cloud: Cloud, method: str, path: str, body: object = None, status: int = 200) -> Any:
    """The JSON answer of the control API."""
    async with cloud.session.request(method, f"{cloud.running.url}/control/{path}", json=body) as reply:
        assert reply.status == status, await reply.text()
        return await reply.json()


async def test_limits_and_delays_are_read_and_set(cloud: Cloud) -> None:
    seen = await ask(cloud, "POST", "options", {"vk": {"max_items": 5}, "latency": {"vk_inner": 0.01}})
    assert (seen["vk"]["max_items"], seen["latency"]["vk_inner"]) == (5, 0.01)
    assert cloud.sandbox.vk.max_items == 5
    await ask(cloud, "POST", "options", {"vk": {"most": 5}}, 400)
    await ask(cloud, "POST", "options", {"moon": {}}, 400)


async def test_a_fault_is_made_watched_and_released(cloud: Cloud) -> None:
    fault = await ask(cloud, "POST", "faults", {"kind": "hold", "method": "users.get"}, 201)
    asking = asyncio.ensure_future(cloud.vk("users.get"))
    assert (await ask(cloud, "GET", f"faults/{fault['id']}?wait=10"))["reached"] is True
    assert not asking.done()
    await ask(cloud, "POST", f"faults/{fault['id']}/release")
    assert "response" in await asking
    await ask(cloud, "POST", "faults", {"kind": "moon"}, 400)
    await ask(cloud, "POST", "faults", {"kind": "cut", "whom": 1}, 400)
    await ask(cloud, "POST", "faults", {"kind": "cut"}, 201)
    await ask(cloud, "DELETE", "faults")
    assert await ask(cloud, "GET", "faults") == []
    assert await cloud.ok("users.get")


async def test_counters_and_ledger_tell_what_came_and_can_be_reset(cloud: Cloud) -> None:
    await cloud.execute(
        f'return [API.market.addAlbum({{"owner_id": -{GROUP}, "title": "Хлеб"}}), API.market.add({{}})];'
    )
    await cloud.evotor("/stores")
    seen = await ask(cloud, "GET", "counters")
    assert seen["requests"] == {"vk": 1, "evotor": 1, "upload": 0}
    assert seen["calls"]["market.addAlbum"] == 1
    assert seen["errors"] == {"market.add:100": 1}
    assert seen["writes"] == {str(GROUP): {"market.addAlbum": 1}}
    assert list(seen["most_in_one_second"].values()) == [1]
    rows = await ask(cloud, "GET", "ledger?from=1")
    assert [row["method"] for row in rows] == ["evotor.stores"]
    await ask(cloud, "POST", "reset")
    seen = await ask(cloud, "GET", "counters")
    assert (seen["requests"]["vk"], seen["writes"]) == (0, {})
    assert len(cloud.sandbox.communities[GROUP].albums) == 1


async def test_the_whole_shop_is_seen_with_what_only_vk_knows(cloud: Cloud) -> None:
    made = await ask(
        cloud, "POST", f"vk/{GROUP}/items", {"items": [{"name": "Хлеб", "kopecks": 5, "sku": "s"}] * 2}, 201
    )
    one, two = made["ids"]
    await ask(cloud, "POST", f"vk/{GROUP}/items/{one}", {"hidden": True})
    await ask(cloud, "POST", f"vk/{GROUP}/items/{two}", {"kopecks": 7})
    shop = await ask(cloud, "GET", f"vk/{GROUP}")
    assert shop["duplicates"] == {"s": [one, two]}
    assert [(item["hidden"], item["kopecks"], item["availability"]) for item in shop["items"]] == [
        (True, 5, 2), (False, 7, 0),
    ]  # fmt: skip
    await ask(cloud, "POST", f"vk/{GROUP}/items/{two}", {"removed": True})
    assert (await ask(cloud, "GET", f"vk/{GROUP}"))["duplicates"] == {}
    await ask(cloud, "POST", f"vk/{GROUP}", {"market_enabled": False})
    assert await cloud.code("market.get", owner_id=-GROUP) == 205


async def test_a_store_is_changed_in_bulk(cloud: Cloud) -> None:
    store = cloud.sandbox.account(USER).first
    ids = [store.add_product(f"Товар {number}", 100).id for number in range(3)]
    path = f"till/{USER}/{STORE}"
    await ask(
        cloud, "POST", path, {"remove": [ids[0]], "change": {ids[1]: {"price": "7.50"}}, "put": {"n": {"name": "Н"}}}
    )
    await ask(cloud, "POST", path, {"add_percent": 10})
    seen = await ask(cloud, "GET", path)
    assert [(row["id"], row.get("price")) for row in seen["products"]] == [
        (ids[1], "8.25"), (ids[2], "110.00"), ("n", None),
    ]  # fmt: skip
    await ask(cloud, "POST", path, {"unpaid": True})
    assert (await cloud.evotor(f"/stores/{STORE}/products"))[0] == 402


async def test_a_wrong_request_is_told_what_is_wrong(cloud: Cloud) -> None:
    item = cloud.sandbox.add_item(GROUP, "Хлеб", 5).id
    assert "colour" in (await ask(cloud, "POST", f"vk/{GROUP}/items/{item}", {"colour": "red"}, 400))["error"]
    await ask(cloud, "POST", f"till/{USER}/{STORE}", {"remove": ["none"]}, 400)
    await ask(cloud, "POST", f"till/{USER}/{STORE}", {"change": []}, 400)


async def test_tokens_of_both_clouds_lose_their_rights(cloud: Cloud) -> None:
    await ask(cloud, "POST", "tokens", {"token": TOKEN, "revoked": True})
    assert await cloud.code("users.get") == 5
    await ask(cloud, "POST", "tokens", {"token": CLOUD_TOKEN, "uninstalled": True})
    assert (await cloud.evotor("/stores"))[0] == 403


async def test_shops_are_seeded_one_or_many_and_all_forgotten(cloud: Cloud) -> None:
    await ask(cloud, "POST", "reset", {"all": True})
    (demo,) = await ask(cloud, "POST", "seed", {}, 201)
    assert (await cloud.evotor("/stores", demo["evotor_token"]))[0] == 200
    many = await ask(cloud, "POST", "seed", {"owners": 2, "products": 3}, 201)
    assert await cloud.ok("users.get", many[1]["vk_token"])
    assert len(cloud.sandbox.accounts) == 3
    await ask(cloud, "POST", "seed", {"owners": "two"}, 400)
