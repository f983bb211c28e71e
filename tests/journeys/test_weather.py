"""Any weather: first runs of several shops while both clouds, MariaDB, Redis and the workers fail in turn.

What goes wrong, where, when and how often is drawn from a seed; the moments are counted in requests, so that they come
while there is something to spoil. Each kind comes at least once. Then the weather is fine again: every shop is as its
till says, and nothing was made twice.

VK's pauses (9, 14, 29) last ten minutes and more by design, and no setting shortens them: the test puts their ends
into the past.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from evosync.db.tables import sync_runs
from evosync.sandbox.faults import Fault
from tests.hard.sees import sees
from tests.journeys.process import command, environment
from tests.journeys.trade import Trade, assert_each_once, in_step
from tests.journeys.workers import Crew, until, wish, workers
from tests.services import MariaDB, RedisServer
from tests.sync.world import Owner, World

PRODUCTS = 20
SHOPS = 3
NOTICED_WITHIN = timedelta(seconds=15)
"""So soon a run that goes on has noticed that Redis forgot its lease, and has finished what it had in hand."""

HTML = "<html><body>Мы скоро вернёмся</body></html>"


def of_vk(method: str) -> bool:
    return not method.startswith("evotor")


def storm(dice: random.Random) -> dict[str, Any]:
    return {"kind": "error", "code": 6, "times": dice.randrange(5, 40), "chance": 0.5, "only_if": of_vk}


def stop(dice: random.Random, code: int) -> dict[str, Any]:
    return {"kind": "error", "code": code, "method": dice.choice(("market.add", "market.edit")), "times": 1}


def at_vk(dice: random.Random, kind: str, *, most: int = 3, **more: Any) -> dict[str, Any]:
    method = dice.choice(("*", "execute", "market.add", "market.add"))
    return {"kind": kind, "method": method, "times": dice.randrange(1, most + 1), "only_if": of_vk, **more}


def at_evotor(dice: random.Random, kind: str, method: str = "evotor.*", **more: Any) -> dict[str, Any]:
    return {"kind": kind, "method": method, "times": dice.randrange(1, 4), **more}


# What is delayed, and what is sent again and again, is over within twice VK_SETTLE_SECONDS, as that setting promises.
SKY: dict[str, Callable[[random.Random], dict[str, Any]]] = {
    "VK 6": storm,
    "VK 9": lambda dice: stop(dice, 9),
    "VK 14": lambda dice: stop(dice, 14),
    "VK 29": lambda dice: stop(dice, 29),
    "VK 10, done all the same": lambda dice: at_vk(dice, "error", code=10, when="after"),
    "VK breaks off an execute": lambda dice: at_vk(dice, "runtime", method="execute", after_calls=dice.randrange(1, 5)),
    "VK speaks HTML": lambda dice: at_vk(dice, "http", status=dice.choice((200, 503)), body=HTML),
    "VK speaks HTML, done all the same": lambda dice: at_vk(dice, "http", body=HTML, when="after"),
    "VK is slow": lambda dice: at_vk(dice, "slow", most=10, seconds=0.3),
    "VK answers later than we wait": lambda dice: at_vk(dice, "hang", when="after", seconds=4),
    "VK cuts": lambda dice: at_vk(dice, "cut", when=dice.choice(("before", "after"))),
    "VK cuts in the middle of an answer": lambda dice: at_vk(dice, dice.choice(("cut_body", "broken_body"))),
    "Evotor 429": lambda dice: at_evotor(dice, "http", status=429),
    "Evotor 500": lambda dice: at_evotor(dice, "http", status=500),
    "Evotor cuts": lambda dice: at_evotor(dice, dice.choice(("cut", "cut_body", "broken_body"))),
    "Evotor: half pages": lambda dice: at_evotor(dice, "half_page", "evotor.products"),
    "Evotor: an empty shop": lambda dice: at_evotor(dice, "empty_list", "evotor.products"),
    "Evotor: no groups": lambda dice: at_evotor(dice, "empty_list", "evotor.groups"),
}


@dataclass
class Weather(Trade):
    """Makes it, and keeps what it made."""

    crew: Crew
    mariadb: MariaDB
    redis: RedisServer
    faults: list[Fault] = field(default_factory=list)
    forgotten: list[datetime] = field(default_factory=list)
    """When Redis was emptied."""

    async def passes(self) -> None:
        """Every kind of cloud once, every other trouble once or twice, in any order; the shops go on meanwhile."""
        ground = [
            self.kill_a_worker, self.kill_a_worker, self.restart_mariadb, self.forbid_writing, self.restart_redis,
            self.empty_redis,
        ]  # fmt: skip
        turns: list[str | Callable[[], Any]] = [*SKY, *ground]
        self.dice.shuffle(turns)
        for turn in turns:
            await self.goes_on()
            if not await self.some_requests():
                await self.wake()
            if isinstance(turn, str):
                self.cloud(turn)
            else:
                await turn()
            await self.crew.replace_the_dead()
        await until(self.it_was_no_fine_day, 90)

    async def it_was_no_fine_day(self) -> bool:
        """Whether a third of the clouds' faults have struck; on a slow machine they wait for the workers to ask."""
        if sum(fault.struck > 0 for fault in self.faults) * 3 > len(self.faults):
            return True
        if not await self.some_requests():
            await self.wake()
        return False

    def cloud(self, kind: str) -> None:
        """Over all shops, or over one."""
        how = SKY[kind](self.dice)
        owner = self.dice.choice(self.owners)
        if self.dice.random() < 0.5:
            how["token"] = owner.cloud_token if kind.startswith("Evotor") else owner.vk_token
        self.faults.append(self.world.sandbox.fault(how.pop("kind"), how.pop("method", "*"), **how))

    async def kill_a_worker(self) -> None:
        await self.dice.choice(self.crew.hands).kill()

    async def restart_mariadb(self) -> None:
        assert self.mariadb.server is not None
        await asyncio.to_thread(self.mariadb.server.kill)
        await self.some_requests()
        await asyncio.to_thread(self.mariadb.server.start)

    async def forbid_writing(self) -> None:
        await asyncio.to_thread(self.mariadb.execute, "SET GLOBAL read_only = 1")
        await self.some_requests()
        await asyncio.to_thread(self.mariadb.execute, "SET GLOBAL read_only = 0")

    async def restart_redis(self) -> None:
        await asyncio.to_thread(self.redis.server.kill)
        await self.some_requests()
        await asyncio.to_thread(self.redis.server.start)

    async def empty_redis(self) -> None:
        self.forgotten.append(self.world.clock())
        await asyncio.to_thread(self.redis.empty)


async def assert_never_two_at_a_time(owner: Owner, forgotten: Sequence[datetime]) -> None:
    """But where Redis forgot whose turn it is, and only until that is noticed."""
    c = sync_runs.c
    async with owner.world.database.reading() as connection:
        query = select(c.started_at, c.finished_at).where(c.user_id == owner.user).order_by(c.id)
        runs = (await connection.execute(query)).all()
    for (_, ended), (begun, _) in pairwise(runs):
        assert ended <= begun or any(at <= begun <= ended <= at + NOTICED_WITHIN for at in forgotten)


async def any_weather(world: World, mariadb: MariaDB, url: str, redis: RedisServer, folder: Path, *, seed: int) -> None:
    dice = random.Random(seed)
    world.sandbox.faults.dice = random.Random(seed)
    world.sandbox.latency.vk_request = 0.05
    owners = [await world.owner(PRODUCTS) for _ in range(SHOPS)]
    more = {
        "VK_REQUESTS_PER_SECOND": "8", "VK_BATCH_LIMIT": "5", "VK_SETTLE_SECONDS": "8", "VK_TIMEOUT_SECONDS": "3",
        "LEASE_SECONDS": "8",
        "EVOTOR_TIMEOUT_SECONDS": "3",
    }  # fmt: skip
    environ = environment(world, folder, database=mariadb.for_an_app(url), redis=redis.url) | more
    async with AsyncExitStack() as stack:
        crew = Crew(stack, partial(command, folder / "crew", environ, "worker", "--port", "0"))
        for _ in range(2):
            await crew.begin()
        weather = Weather(dice, world, owners, redis.url, crew, mariadb, redis)
        await wish(world, redis.url, *owners)
        await weather.passes()
        for hand in crew.hands:
            await hand.kill()
    world.sandbox.faults.clear()
    async with workers(folder / "morning", environ, 2) as fresh:
        await asyncio.gather(*(in_step(owner, redis.url) for owner in owners))
        assert [await process.stop() for process in fresh] == [0, 0]
    for owner in owners:
        assert_each_once(owner)
        await assert_never_two_at_a_time(owner, weather.forgotten)
        assert (await sees(owner)).title == "In step with the till"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 42))])
async def test_in_any_weather_no_shop_loses_or_doubles_anything(
    falling_world: World,
    private_mariadb: MariaDB,
    private_url: str,
    private_redis: RedisServer,
    tmp_path: Path,
    seed: int,
) -> None:
    folder = tmp_path / "service"
    folder.mkdir()
    await any_weather(falling_world, private_mariadb, private_url, private_redis, folder, seed=seed)
