"""Bad hours of both clouds before a worker in a process of its own, whose clock is put forward through them.

The long form alone: in this process they pass in tests/hard/test_clouds.py, and in any order before real workers in
tests/journeys/test_weather.py.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.hard.jumping import JumpingClock, worker
from tests.hard.sees import sees
from tests.hard.test_clouds import at_call, of_vk
from tests.journeys.process import environment
from tests.journeys.workers import until, wish
from tests.sync.world import Owner, World

PRODUCTS = 40
HTML = "<html><body>Мы скоро вернёмся</body></html>"
AT_VK: dict[str, dict[str, Any]] = {
    "503": {"kind": "http"},
    "HTML": {"kind": "http", "status": 200, "body": HTML},
    "cut": {"kind": "cut"},
    "VK 10": {"kind": "error", "code": 10},
    "VK 9": {"kind": "error", "method": "market.add", "code": 9},
    "VK 14": {"kind": "error", "method": "market.add", "code": 14},
    "VK 29": {"kind": "error", "method": "market.add", "code": 29},
}
AT_EVOTOR: dict[str, dict[str, Any]] = {
    "429": {"kind": "http", "method": "evotor.*", "status": 429},
    "500": {"kind": "http", "method": "evotor.*", "status": 500},
    "half pages": {"kind": "half_page", "method": "evotor.products"},
    "an empty shop": {"kind": "empty_list", "method": "evotor.products"},
}

pytestmark = [pytest.mark.soak, pytest.mark.timeout(300)]


async def has_stumbled(owner: Owner) -> bool:
    """A run has ended, and not all is in step."""
    runs = await owner.runs()
    return len(runs) > 1 and bool(runs[-1][1]) and runs[-1][1] != "ok"


async def is_in_step(owner: Owner) -> bool:
    return (await sees(owner)).title == "In step with the till"


async def hours_pass(owner: Owner, clock: JumpingClock, hours: int) -> None:
    """And a tick, which finds whoever is due."""
    clock.jump(hours)
    owner.world.clock.forward(hours=1)


@pytest.mark.parametrize("fault", AT_VK)
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_an_hour_without_vk_from_the_middle_of_a_first_run_on_costs_no_item(
    sqlite_world: World, sqlite_url: str, redis_url: str, tmp_path: Path, fault: str, seed: int
) -> None:
    world, clock = sqlite_world, JumpingClock(tmp_path)
    owner = await world.owner(PRODUCTS)
    environ = environment(world, tmp_path, database=sqlite_url, redis=redis_url)
    how = dict(AT_VK[fault])
    hold = world.sandbox.fault("hold", "market.add", when="after", skip=at_call(seed, 12, before=25))
    async with worker(environ | clock.environ) as process:
        await wish(world, redis_url, owner)
        await world.met(hold)
        world.sandbox.fault(how.pop("kind"), how.pop("method", "*"), times=None, only_if=of_vk, **how)
        hold.release()
        await until(lambda: has_stumbled(owner))
        assert (await sees(owner)).whose_move == "we"
        assert len(owner.items) < PRODUCTS
        await hours_pass(owner, clock, 1)
        world.sandbox.faults.clear()
        await hours_pass(owner, clock, 2)
        await until(lambda: is_in_step(owner), 120)
        process.terminate()
        assert await process.wait() == 0
    owner.assert_mirrored()
    assert owner.community.writes["market.add"] == len(owner.items) == PRODUCTS
    assert world.bell.broken == []


@pytest.mark.parametrize("fault", AT_EVOTOR)
async def test_an_hour_in_which_evotor_fails_or_lies_takes_nothing_away(
    sqlite_world: World, sqlite_url: str, redis_url: str, tmp_path: Path, fault: str
) -> None:
    world, clock = sqlite_world, JumpingClock(tmp_path)
    owner = await world.owner(PRODUCTS)
    environ = environment(world, tmp_path, database=sqlite_url, redis=redis_url)
    how = dict(AT_EVOTOR[fault])
    async with worker(environ | clock.environ) as process:
        await wish(world, redis_url, owner)
        await until(lambda: is_in_step(owner))
        lying = world.sandbox.fault(how.pop("kind"), how.pop("method"), times=None, **how)
        await wish(world, redis_url, owner)
        await world.met(lying)
        await until(lambda: is_idle(owner))
        owner.assert_mirrored()
        world.sandbox.faults.clear()
        bun = next(iter(owner.store.products.values()))
        owner.change(bun, price=999)
        await hours_pass(owner, clock, 2)
        await until(lambda: _costs(owner, bun.id, 99_900), 120)
        await until(lambda: is_in_step(owner))
        process.terminate()
        assert await process.wait() == 0
    owner.assert_mirrored()
    assert owner.community.writes["market.add"] == len(owner.items) == PRODUCTS


async def is_idle(owner: Owner) -> bool:
    wish = (await owner.turn()).wish
    return wish is None and all(run[1] for run in await owner.runs())


async def _costs(owner: Owner, product: str, kopecks: int) -> bool:
    return owner.item(product).kopecks == kopecks
