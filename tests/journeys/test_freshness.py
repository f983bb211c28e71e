"""How far VK is behind the tills, as the metrics and the admin's list say it alike."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from evosync.db.admin.people import State, Wanted, count_people
from evosync.db.tables import evotor_connections
from evosync.domain.errors import Side
from evosync.domain.mirror import Outcome, Scope, Tally
from evosync.metrics import Gauges, Metrics
from evosync.sync.mailbox import ROUTINE
from tests.sync.world import Owner, World

AN_HOUR, A_DAY = timedelta(hours=1), timedelta(days=1)


class NoBacklog:
    """A queue in which nothing waits."""

    async def depth(self) -> int:
        return 0

    async def oldest(self) -> datetime | None:
        return None


@pytest.fixture
async def anna(world: World) -> Owner:
    """Both connections work, and she has started her mirror just now."""
    return await world.owner(chosen=False)


async def ran(owner: Owner, at: datetime, outcome: Outcome) -> None:
    """A run that ended then, as the ledger notes it."""
    ledger = owner.world.ledger
    run = await ledger.start_run(owner.user, scope=Scope.DELTA, reasons=["schedule"], at=at - timedelta(minutes=1))
    assert run is not None
    await ledger.finish_run(
        run,
        outcome=outcome,
        code="",
        tally=Tally(),
        notes={},
        readings={},
        pauses={},
        shop_read_at=at,
        next_at=at + timedelta(minutes=5),
        failures=0,
        at=at,
    )


async def looked(owner: Owner, at: datetime) -> None:
    """A preview, which writes nothing."""
    ledger = owner.world.ledger
    run = await ledger.start_look(owner.user, reasons=["preview"], at=at - timedelta(minutes=1))
    assert run is not None
    await ledger.finish_look(owner.user, run, outcome=Outcome.OK, code="", tally=Tally(), notes={}, readings={}, at=at)


async def all_well() -> dict[str, bool]:
    return {"database": True}


async def told(world: World, at: datetime) -> tuple[float, float, timedelta, timedelta]:
    """Mirrors that should work by themselves, those of them that wait for VK; the age of what waits longest, of each.

    The first age is that of what waits for a run.
    """
    metrics = Metrics()
    await Gauges(metrics, world.database, NoBacklog(), clock=lambda: at, phases=dict, parts=all_well).text()
    figure = metrics.registry.get_sample_value
    assert figure("evosync_up", {"part": "database"}) == 1
    on, waiting = figure("evosync_mirrors"), figure("evosync_mirrors_waiting_for_vk")
    run, vk = (figure("evosync_mirror_age_seconds", {"waits_for": what}) for what in ("run", "vk"))
    assert on is not None
    assert waiting is not None
    assert run is not None
    assert vk is not None
    return on, waiting, timedelta(seconds=run), timedelta(seconds=vk)


async def figures(world: World, at: datetime) -> tuple[float, timedelta]:
    """How many mirrors should work by themselves, none of which waits for VK; the age of what waits for a run."""
    on, waiting, age, vk = await told(world, at)
    assert (waiting, vk) == (0, timedelta())
    return on, age


async def stale(world: World, at: datetime) -> int:
    """How many the admin's list shows as not updated for a day."""
    async with world.database.reading() as connection:
        return (await count_people(connection, Wanted(), at=at))[State.STALE]


async def test_a_shop_whose_runs_fail_grows_old_however_often_they_run(world: World, anna: Owner) -> None:
    begun = world.clock()
    await ran(anna, begun + AN_HOUR, Outcome.OK)
    for hour, outcome in ((2, Outcome.FAILED), (3, Outcome.CUT), (48, Outcome.FAILED)):
        await ran(anna, begun + hour * AN_HOUR, outcome)
    await looked(anna, begun + 48 * AN_HOUR)
    now = begun + 49 * AN_HOUR
    assert await figures(world, now) == (1, 48 * AN_HOUR)
    assert await stale(world, now) == 1


@pytest.mark.parametrize("outcome", [Outcome.OK, Outcome.PARTIAL, Outcome.READ_ONLY])
async def test_a_shop_is_as_fresh_as_the_last_run_that_carried_over(
    world: World, anna: Owner, outcome: Outcome
) -> None:
    begun = world.clock()
    for day in (1, 2, 3):
        await ran(anna, begun + day * A_DAY, outcome)
    now = begun + 3 * A_DAY + AN_HOUR
    assert await figures(world, now) == (1, AN_HOUR)
    assert await stale(world, now) == 0


async def test_the_oldest_shop_counts_and_one_that_never_came_over_is_as_old_as_its_start(
    world: World, anna: Owner
) -> None:
    before = world.clock()
    await ran(anna, before - A_DAY, Outcome.READ_ONLY)  # what was read before the start carried nothing over
    boris = await world.owner(chosen=False)
    await ran(boris, before + 2 * A_DAY, Outcome.OK)
    await ran(anna, before + 2 * A_DAY, Outcome.FAILED)
    started_at = (await anna.mirror()).started_at
    assert started_at is not None
    now = before + 2 * A_DAY + AN_HOUR
    assert await figures(world, now) == (2, now - started_at)
    assert await stale(world, now) == 1


@pytest.mark.parametrize(
    "way", ["paused", "suspended", "not started", "no VK", "no Evotor", "a till let go", "a refused key"]
)
async def test_who_does_not_want_or_cannot_be_mirrored_makes_nothing_old(world: World, way: str) -> None:
    olga = await world.owner(chosen=False, started=way != "not started", evotor=way != "no Evotor")
    if way == "paused":
        await olga.pause()
    elif way == "suspended":
        await olga.suspend()
    elif way == "no VK":
        await olga.disconnect()
    elif way == "a till let go":  # it stays known where the cloud made the account
        emptied = update(evotor_connections).where(evotor_connections.c.user_id == olga.user).values(sealed=None)
        await world.database.write(lambda connection: connection.execute(emptied))
    elif way == "a refused key":
        await world.ledger.break_connection(olga.user, Side.VK, reason="VK 5", at=world.clock())
    assert await figures(world, world.clock() + 2 * A_DAY) == (0, timedelta())


@pytest.mark.parametrize("code", [9, 14, 29])
async def test_a_shop_into_which_vk_lets_nothing_is_not_fresh_however_quietly_runs_go_on(
    world: World, code: int
) -> None:
    owner = await world.owner(3)
    world.sandbox.fault("error", "market.add", code=code, times=None)
    first, vk = await owner.run(), timedelta()
    assert (first.outcome, first.code, owner.items) == (Outcome.PARTIAL, f"VK {code}", [])
    for _ in range(5):
        world.clock.forward(minutes=5)
        quiet = await owner.run(Scope.DELTA, reasons=[ROUTINE])
        now = world.clock()
        assert (quiet.outcome, quiet.scope) == (Outcome.OK, Scope.DELTA)
        on, waiting, run, vk = await told(world, now)
        assert (on, waiting, vk) == (1, 1, now - first.started_at)
        assert run < timedelta(minutes=1)
        assert await stale(world, now) == (vk >= A_DAY), "after a day the admin's list names it"
        world.clock.forward(hours=6)
        assert (await owner.run(Scope.DELTA, reasons=[ROUTINE])).outcome is Outcome.PARTIAL
    assert vk > A_DAY
    world.sandbox.faults.clear()
    world.clock.forward(hours=7)
    await owner.settled()
    assert len(owner.items) == 3
    assert (await told(world, world.clock()))[1::2] == (0, timedelta())
    assert await stale(world, world.clock()) == 0


async def test_news_that_vk_takes_do_not_hide_what_it_stopped(world: World) -> None:
    owner = await world.owner(2)
    await owner.run()
    world.sandbox.fault("error", "market.add", code=14, times=None)
    owner.stock(1)
    stopped = await owner.run()
    world.clock.forward(minutes=5)
    for product in list(owner.store.products.values())[:2]:
        owner.change(product, price=99)
    record = await owner.run(Scope.DELTA)
    assert (record.outcome, record.tally.updated) == (Outcome.OK, 2)
    now = world.clock()
    assert (await told(world, now))[1::2] == (1, now - stopped.started_at)


@pytest.mark.parametrize("way", ["paused", "a refused key"])
async def test_who_does_not_want_or_cannot_be_mirrored_does_not_wait_for_vk(world: World, way: str) -> None:
    owner = await world.owner(1)
    world.sandbox.fault("error", "market.add", code=14, times=None)
    await owner.run()
    assert (await told(world, world.clock()))[1] == 1
    if way == "paused":
        await owner.pause()
    else:
        await world.ledger.break_connection(owner.user, Side.VK, reason="VK 5", at=world.clock())
    assert await told(world, world.clock() + A_DAY) == (0, 0, timedelta(), timedelta())


async def test_a_clock_that_was_set_back_makes_no_shop_younger_than_new(world: World, anna: Owner) -> None:
    await ran(anna, world.clock() + A_DAY, Outcome.OK)
    assert await figures(world, world.clock()) == (1, timedelta())
