"""Three workers and two webs on one MariaDB and one Redis: they share the work, and any of them may die."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import select

from evosync.db.runs import LOST
from evosync.db.tables import sync_runs
from tests.journeys.process import Process, command, environment
from tests.journeys.visitor import Visitor, address_of, give_password, visitor
from tests.journeys.workers import done, until, wish, workers
from tests.lag import worst_lag
from tests.sync.world import Owner, World

TAKEN_OVER_WITHIN = timedelta(seconds=45)
"""Half a minute is shown by tests/journeys/test_workers.py; here machine and workers have more to do."""
PRODUCTS = 20
METRICS_TOKEN = "a token of the tests, long enough"


@asynccontextmanager
async def webs(folder: Path, environ: dict[str, str], count: int) -> AsyncIterator[list[tuple[str, Process]]]:
    """So many `evosync web`s, each with its address, once they serve."""
    async with AsyncExitStack() as stack:
        begun = [await stack.enter_async_context(command(folder, environ, "web", "--port", "0")) for _ in range(count)]
        yield [(await address_of(process), process) for process in begun]


async def made(world: World, items: int) -> None:
    """Until so many items have been sent to VK, by all owners' runs together."""
    await until(lambda: _sent(world, items))


async def _sent(world: World, items: int) -> bool:
    return world.sandbox.ledger.calls["market.add"] >= items


async def busy(working: Sequence[Process]) -> list[Process]:
    """Those that have a run in hand, as their own metrics say; at least one."""
    found: list[Process] = []

    async def some() -> bool:
        found[:] = [process for process in working if await _runs_going(process)]
        return bool(found)

    await until(some)
    return found


async def _runs_going(process: Process) -> bool:
    headers = {"Authorization": f"Bearer {METRICS_TOKEN}"}
    async with aiohttp.ClientSession(await address_of(process), headers=headers) as http, http.get("/metrics") as said:
        figures = [line.split() for line in (await said.text()).splitlines() if line.startswith("evosync_runs_going{")]
    return any(float(figure) for name, figure in figures if "waiting" not in name)


async def _begun(owner: Owner) -> bool:
    return len(await owner.runs()) > 1  # the first is his laying out


async def share_and_die(world: World, folder: Path, database: str, redis_url: str, *, seed: int) -> None:
    dice = random.Random(seed)
    owners = [await world.owner(PRODUCTS) for _ in range(5)]
    # The same person's token serves a second shop, whose runs another worker may have.
    owners.append(await world.owner(PRODUCTS, vk_token=owners[0].vk_token))
    world.sandbox.vk.requests_per_second = 1000  # counted, not refused
    world.sandbox.reset_counters()
    lag = asyncio.create_task(worst_lag())
    environ = environment(world, folder, database=database, redis=redis_url)
    del environ["LEASE_SECONDS"]  # as it comes
    # Two paces would make four a second. What is left between two and three takes up how late a busy machine counts.
    environ |= {"VK_REQUESTS_PER_SECOND": "2", "VK_BATCH_LIMIT": "5", "METRICS_TOKEN": METRICS_TOKEN}
    environ |= {"CATALOG_DELTA_INTERVAL_SECONDS": "3600"}  # no routine run after the wishes: all would never be done
    kills: list[datetime] = []
    async with (
        workers(folder, environ, 3) as working,
        webs(folder, environ, 2) as serving,
        visitor() as person,
    ):
        owner = dice.choice(owners)
        await give_password(owner)
        person.address = serving[0][0]
        await person.sign_in(owner)
        for each in owners:  # one after another, or the worker that looks first takes them all
            await wish(world, redis_url, each)
            await until(lambda each=each: _begun(each))  # type: ignore[misc]  # bound at once
        dice.shuffle(serving)
        at = dice.randrange(1, 20)
        web_dies = dice.randrange(2)
        for turn in range(2):
            await made(world, at)
            if turn == web_dies:
                await die_with_requests_in_hand(person, *serving[0])
            victim = dice.choice(await busy(working))
            working.remove(victim)
            await victim.kill()
            kills.append(world.clock())
            at = min(world.sandbox.ledger.calls["market.add"] + dice.randrange(10, 30), 4 * PRODUCTS)
        for each in owners:
            await until(lambda each=each: done(each))  # type: ignore[misc]  # bound at once
        # He does not notice which web he had signed in at.
        person.address = serving[1][0]
        owner.change(owner.store.by_name("Булка номер 0003"), price=777)
        assert (await person.post("/sync/run"))[0] == 303
        await until(lambda: done(owner))
        assert [await left.stop() for left in (working[0], serving[1][1])] == [0, 0]
    for owner in owners:
        owner.assert_mirrored()
        assert owner.community.writes["market.add"] == PRODUCTS
    await assert_never_two_at_a_time(world, owners)
    assert await lost_runs(world, kills) > 0, "no kill came in the middle of a run"
    # A late count adds one, however long the window; a pace a fifth too fast, or one lost with its worker, adds more.
    # And this process, the receiver, may be late itself.
    lag.cancel()
    late = await lag
    assert max(world.sandbox.ledger.most_in_window(1.0).values()) <= 3 + 2 * late
    for seconds in (5, 10):
        assert max(world.sandbox.ledger.most_in_window(seconds).values()) <= 2 * (seconds + late) + 1


async def die_with_requests_in_hand(person: Visitor, address: str, web: Process) -> None:
    """The first press is answered; what becomes of the others he sees when he looks again."""
    person.address = address
    presses = [asyncio.create_task(person.post("/sync/run")) for _ in range(8)]
    await asyncio.wait(presses, return_when=asyncio.FIRST_COMPLETED)
    await web.kill()
    for answer in await asyncio.gather(*presses, return_exceptions=True):
        assert isinstance(answer, aiohttp.ClientError) or (isinstance(answer, tuple) and answer[0] == 303)


async def assert_never_two_at_a_time(world: World, owners: Sequence[Owner]) -> None:
    """A run that was still going on when another began would have ended after that one's beginning."""
    c = sync_runs.c
    async with world.database.reading() as connection:
        for owner in owners:
            query = select(c.started_at, c.finished_at).where(c.user_id == owner.user).order_by(c.id)
            runs = (await connection.execute(query)).all()
            assert all(ended <= begun for (_, ended), (begun, _) in pairwise(runs))


async def lost_runs(world: World, kills: Sequence[datetime]) -> int:
    """How many runs ended with their worker; each was gone on with in time."""
    c = sync_runs.c
    async with world.database.reading() as connection:
        query = select(c.user_id, c.heartbeat_at, c.finished_at).where(c.code == LOST)
        lost = (await connection.execute(query)).all()
    for user, beat, taken_over in lost:
        died = min(kill for kill in kills if kill >= beat)
        assert taken_over - died <= TAKEN_OVER_WITHIN, f"owner {user} waited {taken_over - died}"
    return len(lost)


async def test_three_workers_and_two_webs_lose_and_double_nothing_when_some_of_them_are_killed(
    mariadb_world: World, mariadb_url: str, redis_url: str, tmp_path: Path
) -> None:
    await share_and_die(mariadb_world, tmp_path / "service", mariadb_url, redis_url, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(2, 22))
async def test_whichever_of_them_is_killed_and_whenever(
    mariadb_world: World, mariadb_url: str, redis_url: str, tmp_path: Path, seed: int
) -> None:
    await share_and_die(mariadb_world, tmp_path / "service", mariadb_url, redis_url, seed=seed)
