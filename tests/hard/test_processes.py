"""The clouds' bad days again, with the worker in a process of its own: pace, lease, queue, outbox and letters are real.

What lasts for hours, and many kinds of each: tests/hard/test_clouds.py and test_poison.py.
"""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from evosync.db.outbox import LetterState
from evosync.db.tables import mirrors
from evosync.db.tables.site import letters
from tests.hard.sees import sees
from tests.hard.test_clouds import SEEDS, at_call
from tests.hard.test_poison import POISON, assert_unharmed
from tests.journeys.process import environment
from tests.journeys.workers import done, until, wish, workers
from tests.sync.world import Owner, World

PRODUCTS = 40


async def letters_to(owner: Owner) -> list[tuple[str, str]]:
    """Kind and state of each letter, in order."""
    c = letters.c
    async with owner.world.database.reading() as connection:
        rows = await connection.execute(select(c.kind, c.state).where(c.user_id == owner.user).order_by(c.id))
        return [(row[0], row[1]) for row in rows.all()]


async def _has_letters(owner: Owner, *expected: tuple[str, str]) -> bool:
    return await letters_to(owner) == list(expected)


async def reads(owner: Owner, words: str) -> bool:
    return words in (await sees(owner)).title


async def hours_pass(owner: Owner, hours: int) -> None:
    """For what rests by a noted time: his stores and his mirror."""
    c, by = mirrors.c, timedelta(hours=hours)
    async with owner.world.database.writing() as connection:
        readings = (await connection.execute(select(c.readings).where(c.user_id == owner.user))).scalar_one()
        for reading in readings.values():
            for name in ("full_at", "delta_at", "retry_at"):
                if reading[name] is not None:
                    reading[name] = (datetime.fromisoformat(reading[name]) - by).isoformat()
        await connection.execute(update(mirrors).where(c.user_id == owner.user).values(readings=readings))


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_token_taken_away_in_the_middle_of_a_worker_s_first_run_is_one_letter_and_costs_no_item(
    sqlite_world: World, sqlite_url: str, redis_url: str, tmp_path: Path, seed: int
) -> None:
    world = sqlite_world
    owner = await world.owner(PRODUCTS)
    environ = environment(world, tmp_path / "service", database=sqlite_url, redis=redis_url)
    hold = world.sandbox.fault("hold", "market.add", when="after", skip=at_call(seed, 12, before=25))
    async with workers(tmp_path / "service", environ, 1) as (worker,):
        await wish(world, redis_url, owner)
        await world.met(hold)
        world.sandbox.revoke(owner.vk_token)
        hold.release()
        await until(lambda: reads(owner, "VK no longer lets us in"))
        await until(lambda: _has_ended(owner, "failed", "VK 5"))
        seen = await sees(owner)
        assert (seen.state, seen.whose_move) == ("broken", "you")
        made = len(owner.items)
        assert 0 < made < PRODUCTS
        await wish(world, redis_url, owner)  # he presses the button, which cannot help
        await until(lambda: _has_letters(owner, ("vk_broken", LetterState.WAITING)))
        world.sandbox.add_person("vk-token-number-two", person_id=world.sandbox.tokens[owner.vk_token].person_id)
        await owner.connect_vk("vk-token-number-two")
        await wish(world, redis_url, owner)
        await until(lambda: done(owner))
        assert await worker.stop() == 0
    owner.assert_mirrored()
    assert len(owner.items) == owner.community.writes["market.add"] == PRODUCTS
    assert [kind for kind, _ in await letters_to(owner)] == ["vk_broken"]
    assert await reads(owner, "In step with the till")


async def test_an_only_store_that_is_not_paid_for_stays_as_it_is_until_it_is_paid_for_a_worker_too(
    sqlite_world: World, sqlite_url: str, redis_url: str, tmp_path: Path
) -> None:
    world = sqlite_world
    owner = await world.owner(PRODUCTS)
    environ = environment(world, tmp_path / "service", database=sqlite_url, redis=redis_url)
    async with workers(tmp_path / "service", environ, 1) as (worker,):
        await wish(world, redis_url, owner)
        await until(lambda: done(owner))
        owner.store.unpaid = True
        await wish(world, redis_url, owner)
        await until(lambda: reads(owner, "is not paid"))
        seen = await sees(owner)
        assert (seen.whose_move, seen.sign.code) == ("you", "Evotor 402")
        owner.assert_mirrored()
        owner.store.unpaid = False
        bun = next(iter(owner.store.products.values()))
        owner.change(bun, price=999)
        await hours_pass(owner, 7)
        await wish(world, redis_url, owner)
        await until(lambda: reads(owner, "In step with the till"))
        assert await worker.stop() == 0
    assert owner.item(bun).kopecks == 99_900
    owner.assert_mirrored()
    assert owner.community.writes["market.add"] == PRODUCTS
    assert await letters_to(owner) == []


async def test_poisoned_products_harm_no_other_in_a_worker(
    sqlite_world: World, sqlite_url: str, redis_url: str, tmp_path: Path
) -> None:
    world = sqlite_world
    owner = await world.owner(8)
    good = list(owner.store.products.values())
    for number, (kind, poison) in enumerate(POISON.items()):
        owner.store.put_product(f"poison-{number}", good[0].fields | {"name": f"Яд: {kind}"} | poison)
    environ = environment(world, tmp_path / "service", database=sqlite_url, redis=redis_url)
    async with workers(tmp_path / "service", environ, 1) as (worker,):
        await wish(world, redis_url, owner)
        await until(lambda: done(owner))
        before = owner.writes()
        await wish(world, redis_url, owner)
        await until(lambda: _runs(owner, 2))
        assert owner.writes() == before, "nothing is written again and again"
        assert await worker.stop() == 0
        assert '"level":"error"' not in worker.said
    assert_unharmed(owner, good)
    standings = await owner.statuses()
    assert len(standings) == len(owner.store.products)
    assert all(standings.values()), "there is a reason for each"


async def _has_ended(owner: Owner, outcome: str, code: str) -> bool:
    return (await owner.runs())[-1][1:] == (outcome, code)


async def _runs(owner: Owner, count: int) -> bool:
    """So many ended well, the owner's laying out apart."""
    return [run[:2] for run in await owner.runs()].count(("full", "ok")) >= count and await done(owner)
