"""Everything that can be made to go wrong."""

import asyncio

import aiohttp
import pytest

from evosync.sandbox.faults import Fault, Faults
from tests.sandbox.cloud import CLOUD_TOKEN, GROUP, STORE, TOKEN, Cloud

TITLE = {"owner_id": -GROUP, "title": "Хлеб"}
ALBUM = f'API.market.addAlbum({{"owner_id": -{GROUP}, "title": "Хлеб"}})'
BROKEN = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientPayloadError)


def albums(cloud: Cloud) -> int:
    """How many albums there are: the effect that these tests count."""
    return len(cloud.sandbox.communities[GROUP].albums)


def test_a_rule_strikes_after_the_skipped_ones_and_as_often_as_told() -> None:
    faults = Faults()
    faults.add(Fault(kind="error", method="market.*", skip=1, times=2))
    struck = [
        faults.take(m) is not None for m in ("users.get", "market.add", "market.add", "market.edit", "market.add")
    ]
    assert struck == [False, False, True, True, False]


def test_a_rule_may_be_for_one_token_or_place_or_by_chance() -> None:
    faults = Faults()
    faults.add(Fault(kind="error", token="a", place="5", times=None))
    assert faults.take("x", "a", "5") is not None
    assert faults.take("x", "b", "5") is None
    assert faults.take("x", "a", "6") is None
    faults.clear()
    faults.add(Fault(kind="error", chance=0.5, times=None))
    struck = sum(faults.take("x") is not None for _ in range(400))
    assert 120 < struck < 280


async def test_a_rule_for_one_token_leaves_the_others_alone(cloud: Cloud) -> None:
    cloud.sandbox.add_person("other")
    cloud.sandbox.fault("error", "users.get", token=TOKEN, code=9)
    assert await cloud.ok("users.get", "other")
    assert await cloud.code("users.get") == 9


def test_an_unknown_kind_or_moment_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown kind"):
        Fault(kind="flood")  # type: ignore[arg-type]  # that is the point
    with pytest.raises(ValueError, match="before"):
        Fault(kind="cut", when="during")  # type: ignore[arg-type]  # that is the point


async def test_an_error_code_strikes_before_or_after_the_effect(cloud: Cloud) -> None:
    cloud.sandbox.fault("error", "market.addAlbum", code=9)
    assert await cloud.code("market.addAlbum", **TITLE) == 9
    assert albums(cloud) == 0
    cloud.sandbox.fault("error", "market.addAlbum", code=10, when="after")
    assert await cloud.code("market.addAlbum", **TITLE) == 10
    assert albums(cloud) == 1
    await cloud.ok("market.addAlbum", **TITLE)


async def test_an_error_inside_execute_is_an_entry_without_captcha_fields(cloud: Cloud) -> None:
    cloud.sandbox.fault("error", "market.addAlbum", code=14, skip=1)
    reply = await cloud.execute(f"return [{ALBUM}, {ALBUM}, {ALBUM}];")
    assert [value is False for value in reply["response"]] == [False, True, False]
    assert reply["execute_errors"] == [{"method": "market.addAlbum", "error_code": 14, "error_msg": "Captcha needed"}]


async def test_execute_fails_at_run_time_after_so_many_calls_took_effect(cloud: Cloud) -> None:
    cloud.sandbox.fault("runtime", "execute", after_calls=2)
    assert (await cloud.execute(f"return [{ALBUM}, {ALBUM}, {ALBUM}];"))["error"]["error_code"] == 13
    assert albums(cloud) == 2
    assert "response" in await cloud.execute(f"return [{ALBUM}];")


@pytest.mark.parametrize(("when", "effects"), [("before", 0), ("after", 1)])
async def test_a_gateway_answers_html_before_or_after_the_effect(cloud: Cloud, when: str, effects: int) -> None:
    cloud.sandbox.fault("http", "market.addAlbum", status=502, when=when)
    url, headers = f"{cloud.running.vk_url}/market.addAlbum", {"Authorization": f"Bearer {TOKEN}"}
    body = {"v": "5.199", "owner_id": str(-GROUP), "title": "Хлеб"}
    async with cloud.session.post(url, data=body, headers=headers) as reply:
        assert (reply.status, reply.content_type) == (502, "text/html")
    assert albums(cloud) == effects


@pytest.mark.parametrize(("when", "effects"), [("before", 0), ("after", 1)])
async def test_the_connection_is_cut_before_or_after_the_effect(cloud: Cloud, when: str, effects: int) -> None:
    cloud.sandbox.fault("cut", "market.addAlbum", when=when, times=None)
    with pytest.raises(BROKEN):
        await cloud.vk("market.addAlbum", **TITLE)
    cloud.sandbox.faults.clear()
    assert albums(cloud) == effects


async def test_the_connection_is_cut_in_the_middle_of_a_batch(cloud: Cloud) -> None:
    cloud.sandbox.fault("cut", "market.addAlbum", skip=1, when="after")
    with pytest.raises(BROKEN):
        await cloud.execute(f"return [{ALBUM}, {ALBUM}, {ALBUM}];")
    assert albums(cloud) == 2


@pytest.mark.parametrize(("when", "effects"), [("before", 0), ("after", 1)])
async def test_an_answer_that_never_comes_is_cut_in_the_end(cloud: Cloud, when: str, effects: int) -> None:
    fault = cloud.sandbox.fault("hang", "market.addAlbum", when=when, seconds=60)
    asking = asyncio.ensure_future(cloud.vk("market.addAlbum", **TITLE))
    await fault.reached.wait()
    assert not asking.done()
    assert albums(cloud) == effects
    cloud.sandbox.closing.set()
    with pytest.raises(BROKEN):
        await asking


async def test_half_a_body_breaks_the_transfer_and_a_broken_body_the_json(cloud: Cloud) -> None:
    cloud.sandbox.fault("cut_body", "market.addAlbum")
    with pytest.raises(BROKEN):
        await cloud.vk("market.addAlbum", **TITLE)
    cloud.sandbox.fault("broken_body", "execute")
    with pytest.raises(ValueError, match="unexpected end"):
        await cloud.execute(f"return [{ALBUM}];")
    assert albums(cloud) == 2


@pytest.mark.parametrize(("when", "effects"), [("before", 0), ("after", 1)])
async def test_a_held_call_waits_until_it_is_released(cloud: Cloud, when: str, effects: int) -> None:
    fault = cloud.sandbox.fault("hold", "market.addAlbum", when=when)
    asking = asyncio.ensure_future(cloud.vk("market.addAlbum", **TITLE))
    await fault.reached.wait()
    assert albums(cloud) == effects
    assert not asking.done()
    fault.release()
    assert "response" in await asking
    assert albums(cloud) == 1


async def test_what_a_killed_client_asked_for_still_happens(cloud: Cloud) -> None:
    fault = cloud.sandbox.fault("hold", "market.addAlbum")
    asking = asyncio.ensure_future(cloud.vk("market.addAlbum", **TITLE))
    await fault.reached.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    fault.release()
    await cloud.ok("users.get")
    assert albums(cloud) == 1


async def test_uploads_fail_on_demand(cloud: Cloud) -> None:
    cloud.sandbox.fault("error", "upload", message="ERR_UPLOAD_TRY_AGAIN")
    assert "ERR_UPLOAD_TRY_AGAIN" in await cloud.upload(b"x")
    cloud.sandbox.fault("cut", "upload")
    with pytest.raises(BROKEN):
        await cloud.upload(b"x")


async def test_evotor_fails_on_demand_for_one_store(cloud: Cloud) -> None:
    path = f"/stores/{STORE}/products"
    cloud.sandbox.account("01-000000000000001").first.add_product("Хлеб", 5)
    cloud.sandbox.fault("http", "evotor.products", place=STORE)
    assert (await cloud.evotor(path))[0] == 503
    cloud.sandbox.fault("error", "evotor.products", code=429)
    assert (await cloud.evotor(path))[0] == 429
    cloud.sandbox.fault("cut_body", "evotor.*")
    with pytest.raises(BROKEN):
        await cloud.evotor(path)
    cloud.sandbox.fault("broken_body", "evotor.*")
    with pytest.raises(ValueError, match="line 1"):
        await cloud.evotor(path)
    assert (await cloud.evotor(path))[0] == 200


async def test_evotor_lists_may_lie(cloud: Cloud) -> None:
    store, path = cloud.sandbox.account("01-000000000000001").first, f"/stores/{STORE}/products"
    for number in range(4):
        store.add_product(f"Хлеб {number}", 5)
    cloud.sandbox.fault("half_page", "evotor.products")
    assert len((await cloud.evotor(path))[1]["items"]) == 2
    cloud.sandbox.fault("empty_list", "evotor.products")
    assert (await cloud.evotor(path))[1] == {"items": [], "paging": {}}
    assert len((await cloud.evotor(path))[1]["items"]) == 4


async def test_a_revoked_cloud_token_is_401(cloud: Cloud) -> None:
    cloud.sandbox.revoke(CLOUD_TOKEN)
    assert (await cloud.evotor("/stores"))[0] == 401
