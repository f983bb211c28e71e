"""What goes wrong on the way to VK, and what each caller is told."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import aiohttp
import pytest

from evosync.domain.connection import Token, VkConnection
from evosync.domain.errors import Overtaken, Quota, Refused, Side, Unavailable, Unknown
from evosync.domain.ids import AlbumId, ItemId
from evosync.sandbox.state import Sandbox
from evosync.sync.ports import Priority
from evosync.vk.client import VkShop
from evosync.vk.dispatcher import Dispatcher, Pressure
from evosync.vk.pacer import MemoryPacer
from evosync.vk.sides import VkAddress, VkSides
from evosync.vk.transport import Transport
from tests.lag import worst_lag
from tests.vk.conftest import COMMUNITY, OpenSides
from tests.vk.test_client import add, edit, photos, stock_up

HARMLESS: list[dict[str, object]] = [
    {"kind": "error", "code": 1},
    {"kind": "error", "code": 10},
    {"kind": "error", "code": 36},
    {"kind": "error", "code": 13},
    {"kind": "http", "status": 502},
    {"kind": "cut"},
    {"kind": "cut_body"},
    {"kind": "broken_body"},
]


@pytest.mark.parametrize("fault", HARMLESS, ids=str)
async def test_a_read_is_repeated_until_it_goes_well(shop: VkShop, sandbox: Sandbox, fault: dict[str, object]) -> None:
    stock_up(sandbox, 3)
    struck = sandbox.fault(method="*", **fault, times=3)  # type: ignore[arg-type]  # names of a fault
    reading = await shop.read(expected=3, on_page=lambda _: None)
    assert len(reading.items) == 3
    assert struck.struck == 3


async def test_a_read_that_never_goes_well_is_unavailable(shop: VkShop, sandbox: Sandbox) -> None:
    sandbox.fault("http", "*", status=503, times=None)
    with pytest.raises(Unavailable) as caught:
        await shop.community()
    assert caught.value.code == "VK HTTP 503"
    assert shop.requests == 5


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("fault", HARMLESS, ids=str)
async def test_a_write_whose_outcome_nobody_told_is_never_repeated(
    shop: VkShop, sandbox: Sandbox, fault: dict[str, object], when: str
) -> None:
    (photo,) = await photos(shop, 1)
    sandbox.fault(method="execute", when=when, **fault, times=1)  # type: ignore[arg-type]  # names of a fault
    with pytest.raises(Unknown):
        await shop.add_item(add(), photo)
    assert sandbox.ledger.calls["market.add"] <= 1


async def test_a_time_out_after_the_effect_leaves_a_write_unknown(
    open_sides: OpenSides, sandbox: Sandbox, connection: VkConnection
) -> None:
    async with open_sides(answer_within=0.5) as sides, sides.shop(connection) as shop:
        (photo,) = await photos(shop, 1)
        sandbox.fault("hang", "execute", when="after", seconds=2)
        with pytest.raises(Unknown) as caught:
            await shop.add_item(add(), photo)
    assert caught.value.code == "VK timeout"
    assert len(sandbox.communities[COMMUNITY].items) == 1


async def test_where_vk_stopped_half_way_every_write_of_the_batch_is_unknown(shop: VkShop, sandbox: Sandbox) -> None:
    five = await photos(shop, 5)
    sandbox.fault("runtime", "execute", after_calls=2)
    results = await asyncio.gather(
        *(shop.add_item(add(f"Товар {photo}"), photo) for photo in five), return_exceptions=True
    )
    assert all(isinstance(each, Unknown) for each in results)
    assert len(sandbox.communities[COMMUNITY].items) == 2


async def test_after_a_fault_batches_are_smaller_and_then_grow_again(shop: VkShop, sandbox: Sandbox) -> None:
    items = stock_up(sandbox, 200)

    async def edit_all(kopecks: int) -> list[int]:
        sandbox.ledger.clear()
        await asyncio.gather(*(shop.edit_item(edit(item, kopecks=kopecks)) for item in items), return_exceptions=True)
        return [len(arrival.inner) for arrival in sandbox.ledger.of("vk")]

    await edit_all(500)
    assert max(await edit_all(600)) == 25
    sandbox.fault("error", "execute", code=13, times=2)
    sizes = await edit_all(700)
    assert min(size for size in sizes if size) < 25
    assert max(await edit_all(800)) == 25


async def test_an_execute_that_does_not_compile_falls_back_to_single_calls(shop: VkShop, sandbox: Sandbox) -> None:
    items = stock_up(sandbox, 3)
    sandbox.fault("error", "execute", code=12)
    await asyncio.gather(*(shop.edit_item(edit(item, kopecks=777)) for item in items))
    assert {item.kopecks for item in sandbox.communities[COMMUNITY].items.values()} == {777}
    assert [arrival.method for arrival in sandbox.ledger.of("vk")] == ["execute", *["market.edit"] * 3]


async def test_too_fast_outside_is_repeated_even_for_writes(shop: VkShop, sandbox: Sandbox) -> None:
    (photo,) = await photos(shop, 1)
    sandbox.fault("error", "execute", code=6, times=1)
    added = await shop.add_item(add(), photo)
    assert list(sandbox.communities[COMMUNITY].items) == [added.item]


async def test_too_fast_inside_is_repeated_for_that_call_alone(shop: VkShop, sandbox: Sandbox) -> None:
    five = await photos(shop, 5)
    sandbox.fault("error", "market.add", code=6, times=2, skip=1)
    added = await asyncio.gather(*(shop.add_item(add(f"Товар {photo}"), photo) for photo in five))
    assert len({each.item for each in added}) == 5
    assert len(sandbox.communities[COMMUNITY].items) == 5


async def test_a_storm_of_too_fast_ends_and_slows_the_token_down(
    open_sides: OpenSides, sandbox: Sandbox, connection: VkConnection
) -> None:
    sandbox.vk.requests_per_second = 5
    items = stock_up(sandbox, 20)
    async with open_sides(MemoryPacer(50), batch_limit=2) as sides, sides.shop(connection) as shop:
        await asyncio.gather(*(shop.edit_item(edit(item, kopecks=999)) for item in items))
    assert {item.kopecks for item in sandbox.communities[COMMUNITY].items.values()} == {999}
    assert sandbox.ledger.errors["execute:6"] > 0


async def test_a_call_that_vk_finds_too_fast_for_longer_than_our_patience_is_not_asked_for_any_more(
    open_sides: OpenSides, sandbox: Sandbox, connection: VkConnection
) -> None:
    too_fast = sandbox.fault("error", "groups.getById", code=6, times=None)
    async with open_sides(MemoryPacer(100), patience=0.0) as sides, sides.shop(connection) as shop:
        with pytest.raises(Unavailable, match="VK 6"):
            await shop.community()
    assert too_fast.struck == 1


async def test_a_create_that_was_only_ever_too_fast_is_known_not_to_be_done_when_its_time_is_over(
    shop: VkShop, sandbox: Sandbox
) -> None:
    (photo,) = await photos(shop, 1)
    sandbox.fault("error", "*", code=6, times=None)
    with pytest.raises(Unavailable, match="VK 6"):
        await shop.add_item(add(), photo, good_until=time.monotonic() + 0.9)


async def test_writes_of_a_run_that_was_overtaken_while_they_waited_never_leave(
    open_sides: OpenSides, sandbox: Sandbox, connection: VkConnection
) -> None:
    items = stock_up(sandbox, 40)
    may = True

    async def may_write() -> bool:
        return may

    async with (
        open_sides(MemoryPacer(5)) as sides,
        sides.shop(connection, may_write) as older,
        sides.shop(connection) as other,
    ):
        first = sandbox.fault("hold", "execute", when="before")
        edits = [asyncio.ensure_future(older.edit_item(edit(item, kopecks=1))) for item in items]
        await first.reached.wait()
        may = False
        theirs = asyncio.ensure_future(other.edit_item(edit(items[-1], kopecks=2)))
        first.release()
        results = await asyncio.gather(*edits, return_exceptions=True)
        await theirs
    late = [each for each in results if isinstance(each, Exception)]
    assert 0 < len(late) < 40, "some were on their way"
    assert {type(each) for each in late} == {Overtaken}
    assert sandbox.ledger.calls["market.edit"] == 40 - len(late) + 1


async def test_where_nobody_can_say_whether_writes_may_leave_none_does(
    open_sides: OpenSides, sandbox: Sandbox, connection: VkConnection
) -> None:
    (item,) = stock_up(sandbox, 1)

    async def may_write() -> bool:
        raise OSError

    async with open_sides(MemoryPacer(5)) as sides, sides.shop(connection, may_write) as shop:
        with pytest.raises(Overtaken):
            await shop.edit_item(edit(item, kopecks=1))
        assert await shop.items([item])
    assert sandbox.ledger.calls["market.edit"] == 0


async def test_a_write_that_is_taken_back_while_it_is_asked_whether_it_may_leave_does_not(
    open_sides: OpenSides, sandbox: Sandbox, connection: VkConnection
) -> None:
    (item,) = stock_up(sandbox, 1)
    asked, answered = asyncio.Event(), asyncio.Event()

    async def may_write() -> bool:
        asked.set()
        return await answered.wait()

    async with open_sides(MemoryPacer(50)) as sides, sides.shop(connection, may_write) as shop:
        waiting = asyncio.ensure_future(shop.edit_item(edit(item, kopecks=1)))
        await asked.wait()
        waiting.cancel()
        await asyncio.wait([waiting])
        answered.set()
        assert await shop.items([item]), "reads go on"
    assert sandbox.ledger.calls["market.edit"] == 0


async def _for_ever() -> None:
    await asyncio.Event().wait()


async def _losing_a_cancellation() -> None:
    """As `asyncio.wait_for` loses one, before Python 3.12."""
    with suppress(asyncio.CancelledError):
        await asyncio.Event().wait()


@pytest.mark.parametrize("hangs", [_for_ever, _losing_a_cancellation])
async def test_closing_while_it_is_asked_whether_writes_may_leave_leaves_nobody_waiting(
    open_sides: OpenSides, sandbox: Sandbox, connection: VkConnection, hangs: Callable[[], Awaitable[None]]
) -> None:
    (item,) = stock_up(sandbox, 1)
    asked = asyncio.Event()

    async def may_write() -> bool:
        asked.set()
        await hangs()
        return True

    async with (
        asyncio.timeout(20),
        open_sides(MemoryPacer(50)) as sides,
        sides.shop(connection, may_write) as shop,
    ):
        waiting = asyncio.ensure_future(shop.edit_item(edit(item, kopecks=1)))
        await asked.wait()
    with pytest.raises(Unavailable):
        await waiting
    assert sandbox.ledger.calls["market.edit"] == 0


@pytest.mark.parametrize("code", [14, 9, 29])
async def test_when_vk_has_enough_of_a_method_what_waits_for_it_is_not_sent(
    open_sides: OpenSides, sandbox: Sandbox, connection: VkConnection, code: int
) -> None:
    items = stock_up(sandbox, 40)
    sandbox.fault("error", "market.edit", code=code, times=None)
    async with open_sides(MemoryPacer(5)) as sides, sides.shop(connection) as shop:
        results = await asyncio.gather(
            *(shop.edit_item(edit(item, kopecks=1)) for item in items), return_exceptions=True
        )
    assert all(isinstance(each, Quota) and each.method == "market.edit" for each in results)
    assert sandbox.ledger.calls["market.edit"] < 40


async def test_a_captcha_on_creates_lets_edits_and_reads_go_on(shop: VkShop, sandbox: Sandbox) -> None:
    sandbox.vk.captcha_after_adds = 0
    (item,) = stock_up(sandbox, 1)
    (photo,) = await photos(shop, 1)
    added, edited = await asyncio.gather(
        shop.add_item(add(), photo), shop.edit_item(edit(item, kopecks=777)), return_exceptions=True
    )
    assert isinstance(added, Quota)
    assert not isinstance(edited, BaseException)
    assert sandbox.communities[COMMUNITY].items[item].kopecks == 777
    assert (await shop.community()).name == "Чайная"


async def test_a_call_that_was_given_up_while_it_waited_is_never_sent(
    open_sides: OpenSides, sandbox: Sandbox, connection: VkConnection
) -> None:
    items = stock_up(sandbox, 2)
    async with open_sides(MemoryPacer(1)) as sides, sides.shop(connection) as shop:
        await shop.community()
        waiting = asyncio.ensure_future(shop.hide_item(items[0]))
        await asyncio.wait({waiting}, timeout=0.1)
        waiting.cancel()
        await shop.hide_item(items[1])
    hidden = [item.id for item in sandbox.communities[COMMUNITY].items.values() if item.hidden]
    assert hidden == [items[1]]


async def test_a_write_on_its_way_is_not_called_back_when_its_caller_is_cancelled(
    shop: VkShop, sandbox: Sandbox
) -> None:
    (item,) = stock_up(sandbox, 1)
    hold = sandbox.fault("hold", "market.edit")
    writing = asyncio.ensure_future(shop.hide_item(item))
    await hold.reached.wait()
    writing.cancel()
    await asyncio.wait({writing})
    hold.release()
    await shop._dispatcher.aclose()
    assert sandbox.communities[COMMUNITY].items[item].hidden


async def test_closing_finishes_what_is_on_its_way_and_gives_up_what_waits(
    open_sides: OpenSides, sandbox: Sandbox, connection: VkConnection
) -> None:
    items = stock_up(sandbox, 2)
    async with open_sides(MemoryPacer(0.1)) as sides, sides.shop(connection) as shop:
        hold = sandbox.fault("hold", "market.edit")
        on_its_way = asyncio.ensure_future(shop.hide_item(items[0]))
        await hold.reached.wait()
        waiting = asyncio.ensure_future(shop.hide_item(items[1]))
        await asyncio.wait({waiting}, timeout=0.05)
        closing = asyncio.ensure_future(shop._dispatcher.aclose())
        with pytest.raises(Unavailable):
            await waiting
        assert not on_its_way.done()
        hold.release()
        await closing
        await on_its_way
    assert [item.hidden for item in sandbox.communities[COMMUNITY].items.values()] == [True, False]


async def test_a_host_that_cannot_be_reached_has_done_nothing(connection: VkConnection) -> None:
    async with aiohttp.ClientSession() as http:
        sides = VkSides(http, VkAddress("http://127.0.0.1:9"), MemoryPacer(100), Pressure(back_off=0.01))
        async with sides.shop(connection) as shop:
            with pytest.raises(Unavailable) as caught:
                await shop.hide_item(ItemId(1))
            assert shop.requests == 0
    assert caught.value.code == "VK unreachable"


async def test_a_test_and_a_price_are_not_stuck_behind_a_big_run(
    open_sides: OpenSides, sandbox: Sandbox, connection: VkConnection
) -> None:
    items = stock_up(sandbox, 400)
    async with open_sides(MemoryPacer(10)) as sides, sides.shop(connection) as shop:
        big = [asyncio.ensure_future(shop.unplace(item, AlbumId(1))) for item in items]
        await asyncio.wait(big, timeout=0.3)
        before = len(list(sandbox.ledger.of("vk")))
        await shop.community(priority=Priority.TEST)
        since = list(sandbox.ledger.of("vk"))[before:]
        assert next(n for n, call in enumerate(since) if "groups.getById" in (call.method, *call.inner)) <= 2
        assert not all(task.done() for task in big)
        for task in big:
            task.cancel()
        await asyncio.gather(*big, return_exceptions=True)


async def test_the_token_is_in_no_address_no_body_and_no_error(shop: VkShop, sandbox: Sandbox) -> None:
    with pytest.raises(Refused) as caught:
        await shop.add_item(add("Чай"), (await photos(shop, 1))[0])
    assert "vk-token" not in str(caught.value)
    assert "vk-token" not in repr(caught.value)


async def test_without_memory_of_the_rate_callers_are_told_and_later_ones_served(
    sandbox: Sandbox, open_sides: OpenSides, connection: VkConnection
) -> None:
    class Forgetful(MemoryPacer):
        failures = 1

        async def slot(self, fingerprint: str) -> None:
            if self.failures:
                self.failures -= 1
                raise Unavailable(Side.VK, "Redis", "gone")
            await super().slot(fingerprint)

    async with open_sides(Forgetful(100)) as sides, sides.shop(connection) as shop:
        with pytest.raises(Unavailable, match="Redis"):
            await shop.community()
        assert (await shop.community()).name == "Чайная"


async def test_a_dispatcher_without_work_has_no_requests(connection: VkConnection) -> None:
    async with aiohttp.ClientSession() as http:
        dispatcher = Dispatcher(
            Transport(http, url="http://127.0.0.1:9", version="5.199"), Token("x", "y"), MemoryPacer(3)
        )
        await dispatcher.aclose()
        assert dispatcher.requests == 0


async def test_a_receiver_with_network_jitter_never_counts_too_many(
    open_sides: OpenSides, sandbox: Sandbox, connection: VkConnection
) -> None:
    sandbox.vk.requests_per_second = 10
    sandbox.latency.arrival_jitter = 0.01
    sandbox.latency.vk_request = 0.3
    items = stock_up(sandbox, 14)
    for kopecks in (500, 600):
        sandbox.reset_counters()
        lag = asyncio.create_task(worst_lag())
        async with open_sides(MemoryPacer(10), batch_limit=2) as sides, sides.shop(connection) as shop:
            await asyncio.gather(*(shop.edit_item(edit(item, kopecks=kopecks)) for item in items))
        lag.cancel()
        if await lag < 0.02:
            assert not sandbox.ledger.errors
            assert max(sandbox.ledger.most_in_window().values()) <= 10
            return
    pytest.skip("the machine is too busy to measure milliseconds")


async def test_a_first_run_needs_hardly_more_requests_than_the_least(
    open_sides: OpenSides, sandbox: Sandbox, connection: VkConnection
) -> None:
    sandbox.latency.vk_request, sandbox.latency.vk_inner, sandbox.latency.upload = 0.015, 0.003, 0.025
    async with open_sides(MemoryPacer(60)) as sides, sides.shop(connection) as shop:
        at_once = asyncio.Semaphore(30)

        async def five() -> None:
            async with at_once:
                ids = await photos(shop, 5)
            await asyncio.gather(*(shop.add_item(add(f"Товар {photo}"), photo) for photo in ids))

        await asyncio.gather(*(five() for _ in range(100)))
        least = 100 + (100 + 500) / 24
        assert shop.requests <= 1.1 * least
