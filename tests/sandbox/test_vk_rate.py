"""Three requests a second, counted where they arrive: VK FACTS 4."""

import asyncio

from evosync.sandbox.ledger import Ledger, Pace
from tests.sandbox.cloud import TOKEN, Cloud


def test_a_window_slides_and_refused_requests_do_not_count() -> None:
    pace = Pace()
    assert [pace.admits(at, 3) for at in (0.0, 0.5, 0.9, 0.95, 0.999)] == [True, True, True, False, False]
    assert pace.admits(1.0, 3)
    assert not pace.admits(1.4, 3)
    assert pace.admits(1.5, 3)


def test_a_request_read_late_counts_no_earlier_than_the_last_one() -> None:
    pace = Pace()
    assert [pace.admits(at, 2) for at in (5.0, 4.9, 5.9)] == [True, True, False]
    assert pace.admits(6.0, 2)


def test_the_ledger_finds_the_fullest_window_of_each_token() -> None:
    ledger = Ledger()
    for at in (0.0, 0.4, 0.8, 1.0, 1.1, 5.0):
        ledger.arrive(at, "vk", "a", "users.get")
    ledger.arrive(0.0, "vk", "b", "users.get")
    ledger.arrive(0.0, "evotor", "c", "evotor.stores")
    assert ledger.most_in_window(1.0) == {"a": 4, "b": 1}


async def test_the_fourth_request_within_a_second_is_error_6_for_that_token_alone(cloud: Cloud) -> None:
    cloud.sandbox.vk.requests_per_second = 3
    cloud.sandbox.add_person("other")
    replies = await asyncio.gather(*(cloud.vk("users.get") for _ in range(5)))
    codes = sorted(reply.get("error", {}).get("error_code", 0) for reply in replies)
    assert codes == [0, 0, 0, 6, 6]
    assert await cloud.ok("users.get", "other")
    assert cloud.sandbox.ledger.errors == {"users.get:6": 2}
    assert cloud.sandbox.ledger.most_in_window() == {
        cloud.sandbox.label_of(TOKEN): 5,
        cloud.sandbox.label_of("other"): 1,
    }


async def test_an_execute_counts_as_one_request_and_a_refused_one_does_nothing(cloud: Cloud) -> None:
    cloud.sandbox.vk.requests_per_second = 1
    code = 'return [API.market.addAlbum({"owner_id": -77, "title": "Хлеб"}), API.users.get({}), API.users.get({})];'
    assert "response" in await cloud.execute(code)
    assert (await cloud.execute(code))["error"]["error_code"] == 6
    assert len(cloud.sandbox.communities[77].albums) == 1
