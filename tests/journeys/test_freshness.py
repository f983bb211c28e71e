"""How far VK is behind the tills, as the metrics and the admin's list say it alike."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from evosync.db.admin.people import State, Wanted, count_people
from evosync.db.tables import evotor_connections
from evosync.domain.errors import Side
from evosync.domain.mirror import Outcome, Scope, Tally
from evosync.metrics import Gauges, Metrics
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
    await ledger.finish_run(
        run,
        outcome=outcome,
        code="",
        tally=Tally(),
        notes={},
        readings={},
        pauses={},
        shop_read_at=None,
        next_at=at + timedelta(minutes=5),
        failures=0,
        at=at,
    )


async def looked(owner: Owner, at: datetime) -> None:
    """A preview, which writes nothing."""
    ledger = owner.world.ledger
    run = await ledger.start_look(owner.user, reasons=["preview"], at=at - timedelta(minutes=1))
    await ledger.finish_look(owner.user, run, outcome=Outcome.OK, code="", tally=Tally(), notes={}, readings={}, at=at)


async def figures(world: World, at: datetime) -> tuple[float, timedelta]:
    """How many mirrors should work by themselves, and the age of the one that waits longest."""
    metrics = Metrics()
    await Gauges(metrics, world.database, NoBacklog(), clock=lambda: at, phases=dict).text()
    assert metrics.registry.get_sample_value("evosync_up", {"part": "database"}) == 1
    on, age = (metrics.registry.get_sample_value(f"evosync_{name}") for name in ("mirrors", "mirror_age_seconds"))
    assert on is not None
    assert age is not None
    return on, timedelta(seconds=age)


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


async def test_a_clock_that_was_set_back_makes_no_shop_younger_than_new(world: World, anna: Owner) -> None:
    await ran(anna, world.clock() + A_DAY, Outcome.OK)
    assert await figures(world, world.clock()) == (1, timedelta())
