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
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, select, update

from evosync.db.tables import mirrors, sync_runs
from evosync.sandbox.faults import Fault
from tests.hard.sees import sees
from tests.journeys.process import Process, command, environment
from tests.journeys.workers import business, done, until, wish, workers
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
class Crew:
    """Workers that whoever runs them starts again when they end, as Compose does."""

    stack: AsyncExitStack
    folder: Path
    environ: dict[str, str]
    hands: list[Process] = field(default_factory=list)

    async def begin(self) -> None:
        self.hands.append(
            await self.stack.enter_async_context(command(self.folder, self.environ, "worker", "--port", "0"))
        )

    async def replace_the_dead(self) -> None:
        for dead in [hand for hand in self.hands if not hand.is_alive]:
            self.hands.remove(dead)
            await self.begin()


@dataclass
class Weather:
    """Makes it, and keeps what it made."""

    dice: random.Random
    world: World
    owners: Sequence[Owner]
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
            await self.trade()
            await self.some_requests()
            if isinstance(turn, str):
                self.cloud(turn)
            else:
                await turn()
            await self.crew.replace_the_dead()

    async def some_requests(self) -> None:
        """Until the clouds have been asked a few times more; where nobody asks, not for long."""
        until_then = len(self.world.sandbox.ledger.arrivals) + self.dice.randrange(12)
        try:
            await until(lambda: self._asked(until_then), 0.7)
        except TimeoutError:
            return

    async def _asked(self, times: int) -> bool:
        return len(self.world.sandbox.ledger.arrivals) >= times

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

    async def trade(self) -> None:
        """One sells something else, another presses «Update now»."""
        business(self.dice.choice(self.owners), self.dice)
        await wish(self.world, self.redis.url, self.dice.choice(self.owners))


async def in_step(owner: Owner, redis_url: str) -> None:
    """He presses the button once more, and once more after each of VK's pauses."""
    await wish(owner.world, redis_url, owner)

    async def is_done() -> bool:
        if await done(owner):
            return True
        mirror = await owner.mirror()
        if not mirror.is_wanted and any(pause.until > owner.world.clock() for pause in mirror.pauses.values()):
            await end_pauses(owner)
            await wish(owner.world, redis_url, owner)
        return False

    await until(is_done, 90)


async def end_pauses(owner: Owner) -> None:
    async with owner.world.database.writing() as connection:
        mine = mirrors.c.user_id == owner.user
        pauses = await connection.scalar(select(mirrors.c.pauses).where(mine).with_for_update())
        assert pauses is not None
        past = datetime(2020, 1, 1, tzinfo=UTC).isoformat()
        ended = {method: pause | {"until": past} for method, pause in pauses.items()}
        await connection.execute(update(mirrors).where(mine).values(pauses=ended))


async def assert_never_two_at_a_time(owner: Owner, forgotten: Sequence[datetime]) -> None:
    """But where Redis forgot whose turn it is, and only until that is noticed."""
    c = sync_runs.c
    async with owner.world.database.reading() as connection:
        query = select(c.started_at, c.finished_at).where(c.user_id == owner.user).order_by(c.id)
        runs = (await connection.execute(query)).all()
    for (_, ended), (begun, _) in pairwise(runs):
        assert ended <= begun or any(at <= begun <= ended <= at + NOTICED_WITHIN for at in forgotten)


def assert_each_once(owner: Owner) -> None:
    """In the right place, right in name and price; and hidden, what the till does not sell any more."""
    owner.assert_mirrored()
    skus = [item.sku for item in owner.items]
    assert all(sku.startswith("evo-") for sku in skus)
    assert len(set(skus)) == len(skus) == owner.community.writes["market.add"], "made twice, hidden or not"


async def any_weather(world: World, mariadb: MariaDB, url: str, redis: RedisServer, folder: Path, *, seed: int) -> None:
    dice = random.Random(seed)
    world.sandbox.faults.dice = random.Random(seed)
    world.sandbox.latency.vk_request = 0.05
    owners = [await world.owner(PRODUCTS) for _ in range(SHOPS)]
    # One whom a read-only server refuses: an administrator may write all the same.
    name = make_url(url)
    mariadb.execute(
        "CREATE USER app@'127.0.0.1' IDENTIFIED BY 'app'", f"GRANT ALL ON {name.database}.* TO app@'127.0.0.1'"
    )
    database = name.set(username="app", password="app").render_as_string(hide_password=False)
    more = {
        "VK_REQUESTS_PER_SECOND": "8", "VK_BATCH_LIMIT": "5", "VK_SETTLE_SECONDS": "8", "VK_TIMEOUT_SECONDS": "3",
        "EVOTOR_TIMEOUT_SECONDS": "3",
    }  # fmt: skip
    environ = environment(world, folder, database=database, redis=redis.url) | more
    async with AsyncExitStack() as stack:
        crew = Crew(stack, folder / "crew", environ)
        for _ in range(2):
            await crew.begin()
        weather = Weather(dice, world, owners, crew, mariadb, redis)
        await wish(world, redis.url, *owners)
        await weather.passes()
        for hand in crew.hands:
            await hand.kill()
    struck = [fault for fault in weather.faults if fault.struck]
    assert len(struck) * 3 > len(weather.faults), "it was fine nearly all the time"
    world.sandbox.faults.clear()
    async with workers(folder / "morning", environ, 2) as fresh:
        await asyncio.gather(*(in_step(owner, redis.url) for owner in owners))
        assert [await process.stop() for process in fresh] == [0, 0]
    for owner in owners:
        assert_each_once(owner)
        await assert_never_two_at_a_time(owner, weather.forgotten)
        assert (await sees(owner)).title == "In step with the till"


# Not in CI: where Redis forgets a lease and another worker is nudged at that moment, an item may be made twice. It was,
# now and then, with seed 1; docs/operation.md says so.
@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(1, 42))
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
