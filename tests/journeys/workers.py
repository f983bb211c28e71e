"""Worker processes, what an owner wishes of them, and what goes on in his shop meanwhile."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from evosync.domain.mirror import Scope
from evosync.queue import Queue, close_redis, open_redis
from tests.journeys.process import Process, command
from tests.sync.world import Owner, World


@asynccontextmanager
async def workers(folder: Path, environ: dict[str, str], count: int) -> AsyncIterator[list[Process]]:
    """So many `evosync worker`s, each on a port of its own."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(command(folder, environ, "worker", "--port", "0")) for _ in range(count)]


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


async def until(found: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
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
