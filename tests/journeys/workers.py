"""Worker processes, and what an owner wishes of them."""

import asyncio
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


async def until(found: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not await found():
            await asyncio.sleep(0.05)


async def done(owner: Owner) -> bool:
    """Whether his last run ended with nothing left to do, and nothing is under way or wished for."""
    runs = await owner.runs()
    return bool(runs) and runs[-1][:2] == ("full", "ok") and await owner.world.ledger.wish(owner.user) is None
