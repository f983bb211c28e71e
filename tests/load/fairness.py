"""Do small shops wait while a huge one is mirrored for the first time?"""
# ruff: noqa: T201 - a command prints

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from statistics import mean, median
from typing import Any

import orjson
from sqlalchemy import func, select, update

from evosync.db.tables import mirrors, sync_configs, sync_runs
from evosync.domain.ids import UserId
from evosync.domain.mirror import Scope
from evosync.domain.schedule import Rhythm
from evosync.queue import Queue, close_redis, open_redis
from tests.bench.children import child
from tests.load.hour import Stage
from tests.load.machine import KEY, Watch, evosync, settings

_HUGE = 900_000
_PATIENCE = 600
_ENDS = ("mean", "median", "last")


async def fairness(stage: Stage, *, products: int, turns: int, workers: int) -> dict[str, Any]:
    """Full runs of all small owners are wished for at once: alone, then next to the huge one's first run.

    In turns, since others may use the machine too. The huge run begins just before the small ones, so that its
    heaviest part, reading and planning, falls into theirs.
    """
    await stage.clouds.slow()
    environ = settings(stage.servers, stage.clouds.urls, stage.folder)
    users = list(stage.users)
    redis = open_redis(stage.servers.redis_url)
    queue = Queue(redis)
    alone: list[dict[str, float]] = []
    beside: list[dict[str, float]] = []
    huge_runs = []
    try:
        for turn in range(turns):
            huge = await _huge(stage, _HUGE + turn, products)
            async with AsyncExitStack() as stack:
                started = [
                    await stack.enter_async_context(evosync(environ, "worker", "--port", "0")) for _ in range(workers)
                ]
                kinds = {"worker": started, **stage.other_processes}
                await _all_run(stage, queue, users[:50], kinds)  # a process's first runs load and connect
                alone.append(await _all_run(stage, queue, users, kinds))
                await _wish(stage, queue, [huge])
                await _begun(stage, huge)
                beside.append(await _all_run(stage, queue, users, kinds))
                huge_runs.append(await _how_far(stage, huge))
                await _give_up(stage, huge)
            print(
                f"  turn {turn + 1}: alone {alone[-1]}, beside {beside[-1]}, the huge one {huge_runs[-1]}", flush=True
            )
    finally:
        await close_redis(redis)
    return {
        "small_owners": len(users),
        "huge_products": products,
        "workers": workers,
        "alone": alone,
        "beside": beside,
        "huge_runs": huge_runs,
        "ratio": {name: median(b[name] / a[name] for a, b in zip(alone, beside, strict=True)) for name in _ENDS},
    }


async def _huge(stage: Stage, number: int, products: int) -> UserId:
    """Connected, read and switched on; its VK shop is empty."""
    owner = await stage.clouds.process.ask(do="huge", number=number, products=products)
    spec = {
        "data_dir": str(stage.folder), "database_url": stage.servers.database_url,
        "redis_url": stage.servers.redis_url, "secret_key": KEY, **stage.clouds.urls,
    }  # fmt: skip
    async with child("tests.bench.service", orjson.dumps(spec).decode()) as service:
        return UserId((await service.ask(do="owners", owners=[owner]))["users"][0])


async def _all_run(
    stage: Stage, queue: Queue, users: Sequence[UserId], kinds: Mapping[str, list[int]]
) -> dict[str, float]:
    """Seconds from the wish to the ends of their runs; and how much of the machine others took meanwhile."""
    now = datetime.now(UTC)
    await stage.layout.place([], users, rhythm=Rhythm(), begin=now)
    begun = datetime.now(UTC)
    watch = Watch(kinds)
    c = sync_runs.c
    ended = (
        select(c.user_id, func.min(c.finished_at))
        .where(c.user_id.in_(users), c.started_at >= begun, c.finished_at.is_not(None))
        .group_by(c.user_id)
    )
    async with asyncio.timeout(_PATIENCE), watch.watching():
        await _wish(stage, queue, users)
        while True:
            async with stage.database.reading() as connection:
                found = (await connection.execute(ended)).all()
            if len(found) == len(users):
                break
            await asyncio.sleep(0.5)
    ends = sorted((at - begun).total_seconds() for _, at in found)
    return {
        "mean": round(mean(ends), 2), "median": round(median(ends), 2), "last": round(ends[-1], 2),
        "others": round(watch.others, 2),
    }  # fmt: skip


async def _wish(stage: Stage, queue: Queue, users: Sequence[UserId]) -> None:
    values = {"wanted_at": datetime.now(UTC), "wanted_scope": Scope.FULL.value, "wanted_reasons": ["button"]}
    await stage.database.write(
        lambda connection: connection.execute(update(mirrors).where(mirrors.c.user_id.in_(users)).values(**values))
    )
    await asyncio.gather(*[queue.nudge(user) for user in users])


async def _begun(stage: Stage, user: UserId) -> None:
    async with asyncio.timeout(60):
        while True:
            async with stage.database.reading() as connection:
                if await connection.scalar(select(mirrors.c.run_id).where(mirrors.c.user_id == user)):
                    return
            await asyncio.sleep(0.05)


async def _how_far(stage: Stage, user: UserId) -> str:
    """Where its first run stands."""
    c = sync_runs.c
    async with stage.database.reading() as connection:
        query = select(c.step, c.done, c.total, c.outcome).where(c.user_id == user).order_by(c.id.desc()).limit(1)
        step, done, total, outcome = (await connection.execute(query)).one()
    return f"{outcome or 'goes on'}: {step} {done}/{total}"


async def _give_up(stage: Stage, user: UserId) -> None:
    """The owner pauses his mirror; the run ends."""
    c = sync_configs.c
    await stage.database.write(
        lambda connection: connection.execute(
            update(sync_configs).where(c.user_id == user).values(paused_at=datetime.now(UTC))
        )
    )
