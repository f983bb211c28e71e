"""Worker processes, what an owner wishes of them, and what goes on in his shop meanwhile."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from redis.asyncio import Redis
from sqlalchemy import update

from evosync.db.tables import sync_runs
from evosync.domain.mirror import Scope
from evosync.queue import Queue, close_redis, open_redis
from tests.journeys.process import Process, command
from tests.sync.world import Owner, World


@asynccontextmanager
async def workers(folder: Path, environ: dict[str, str], count: int) -> AsyncIterator[list[Process]]:
    """So many `evosync worker`s, each on a port of its own."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(command(folder, environ, "worker", "--port", "0")) for _ in range(count)]


@dataclass
class Crew:
    """Workers that whoever runs them starts again when they end, as Compose does."""

    stack: AsyncExitStack
    one: Callable[[], AbstractAsyncContextManager[Process]]
    hands: list[Process] = field(default_factory=list)

    async def begin(self) -> None:
        self.hands.append(await self.stack.enter_async_context(self.one()))

    async def replace_the_dead(self) -> None:
        for dead in [hand for hand in self.hands if not hand.is_alive]:
            self.hands.remove(dead)
            await self.begin()


async def wish(world: World, redis_url: str, *owners: Owner, times: int = 1) -> None:
    """As a button on the page does: into the database, then a nudge; all of them at once."""
    redis = open_redis(redis_url)
    queue = Queue(redis)

    async def press(owner: Owner) -> None:
        await world.ledger.want(owner.user, scope=Scope.FULL, reason="button", at=world.clock())
        await queue.nudge(owner.user)

    try:
        await asyncio.gather(*(press(owner) for _ in range(times) for owner in owners))
    finally:
        await close_redis(redis)


async def time_passes(owner: Owner, redis: Redis) -> None:
    """As after a worker's death, before which nobody takes the owner up: of his lease, his run, and the job in hand."""
    await redis.delete(f"lease:{owner.user}", f"arq:in-progress:nudge:{owner.user}")
    c = sync_runs.c
    async with owner.world.database.writing() as connection:
        long_ago = owner.world.clock() - timedelta(minutes=1)
        mine = update(sync_runs).where(c.user_id == owner.user, c.finished_at.is_(None))
        await connection.execute(mine.values(heartbeat_at=long_ago))


def business(owner: Owner, dice: random.Random) -> None:
    """Meanwhile the shop goes on: prices change, goods come and go, the owner lays hands on VK."""
    products = list(owner.store.products.values())
    for product in dice.sample(products, 3):
        owner.change(product, price=dice.randrange(10, 1000))
    owner.stock(2)
    if dice.random() < 0.3:
        owner.store.remove_product(dice.choice(products).id)
    if owner.items and dice.random() < 0.3:
        owner.world.sandbox.change_item(owner.community.id, dice.choice(owner.items).id, kopecks=1)


async def until(found: Callable[[], Awaitable[bool]], seconds: float = 120) -> None:
    """What other processes do sends no event."""
    async with asyncio.timeout(seconds):
        while not await found():
            await asyncio.sleep(0.05)


async def done(owner: Owner) -> bool:
    """Whether his last run ended with nothing left to do, and nothing is under way or wished for.

    The wish first: the run that takes it over stands among the runs from that moment on.
    """
    wish = (await owner.turn()).wish
    runs = await owner.runs()
    return wish is None and bool(runs) and runs[-1][:2] == ("full", "ok")
