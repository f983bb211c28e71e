import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from evosync.domain.connection import Health
from evosync.domain.errors import (
    CloudError,
    GuardTripped,
    Operators,
    Refused,
    Rejected,
    Side,
    Throttled,
    Unavailable,
    Unpaid,
)
from evosync.domain.ids import UserId
from evosync.sync.breaker import Breaker, Trip, Turn
from evosync.sync.outage import Outages
from tests.sync.world import Owner, World

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
DOWN = Unavailable(Side.VK, "VK HTTP 502")


@dataclass
class Story:
    """A breaker and a clock."""

    told: list[Trip] = field(default_factory=list)
    now: datetime = NOW
    breaker: Breaker = field(init=False)

    def __post_init__(self) -> None:
        self.breaker = Breaker(Side.VK, self.told.append)

    def ends(self, *users: int, error: CloudError | None = DOWN) -> None:
        for user in users:
            self.breaker.ended(UserId(user), error, self.now)
            self.now += SECOND

    def may_run(self, user: int) -> bool:
        return self.breaker.hold(UserId(user), self.now) is None

    def passes(self, time: timedelta) -> None:
        self.now += time


@pytest.fixture
def story() -> Story:
    return Story()


@pytest.mark.parametrize("kind", [Unavailable, Operators, Rejected])
def test_three_owners_failing_alike_rest_everybody_and_tell_once(story: Story, kind: type[CloudError]) -> None:
    story.ends(1, 2, error=kind(Side.VK, "VK 5"))
    assert story.told == []
    story.ends(3, 4, 5, error=kind(Side.VK, "VK 5"))
    assert story.told == [Trip(Side.VK, Turn.OPENED, kind.__name__, frozenset({"VK 5"}), 3, NOW, NOW + 2 * SECOND)]
    assert not story.may_run(6)
    assert story.breaker.resting_until == NOW + 2 * SECOND + 2 * MINUTE


def test_one_owner_failing_often_rests_nobody_else(story: Story) -> None:
    story.ends(1, 1, 1, 1, 1)
    assert story.told == []
    assert story.may_run(2)


def test_different_causes_do_not_add_up(story: Story) -> None:
    story.ends(1, 2)
    story.ends(3, 4, error=Rejected(Side.VK, "VK 5"))
    assert story.told == []


def test_codes_of_one_cause_add_up(story: Story) -> None:
    story.ends(1, error=Unavailable(Side.VK, "VK HTTP 502"))
    story.ends(2, error=Unavailable(Side.VK, "VK time-out"))
    story.ends(3, error=Unavailable(Side.VK, "VK 10"))
    assert [trip.codes for trip in story.told] == [{"VK HTTP 502", "VK time-out", "VK 10"}]


@pytest.mark.parametrize("kind", [Refused, Throttled, Unpaid])
def test_an_owners_own_trouble_is_not_the_clouds(story: Story, kind: type[CloudError]) -> None:
    story.ends(1, 2, 3, 4, 5, error=kind(Side.VK, "VK 100"))
    assert story.told == []


def test_three_among_many_who_are_served_are_three_troubles(story: Story) -> None:
    story.ends(*range(10, 14), error=None)
    story.ends(1, 2, 3)
    assert story.told == []
    story.ends(4)
    assert len(story.told) == 1


def test_an_owner_who_is_served_again_counts_as_served(story: Story) -> None:
    story.ends(1, 2)
    story.ends(1, error=None)
    story.ends(3)
    assert story.told == []


def test_failures_long_past_do_not_count(story: Story) -> None:
    story.ends(1, 2)
    story.passes(6 * MINUTE)
    story.ends(3)
    assert story.told == []


def test_after_the_rest_one_owner_tries_and_the_others_wait(story: Story) -> None:
    story.ends(1, 2, 3)
    story.passes(2 * MINUTE)
    assert story.may_run(4)
    assert story.may_run(4)
    assert not story.may_run(5)


def test_a_try_that_works_closes_and_tells_once(story: Story) -> None:
    story.ends(1, 2, 3)
    story.passes(2 * MINUTE)
    assert story.may_run(4)
    story.ends(4, error=None)
    assert [trip.turn for trip in story.told] == [Turn.OPENED, Turn.CLOSED]
    assert story.told[1].since == NOW
    assert story.may_run(5)
    assert story.breaker.resting_until is None


def test_after_closing_old_failures_are_forgotten(story: Story) -> None:
    story.ends(1, 2, 3)
    story.passes(2 * MINUTE)
    assert story.may_run(4)
    story.ends(4, error=None)
    story.ends(5, 6)
    assert len(story.told) == 2


def test_a_try_that_fails_doubles_the_rest_and_tells_nobody(story: Story) -> None:
    story.ends(1, 2, 3)
    rests = []
    for user in range(4, 10):
        until = story.breaker.resting_until
        assert until is not None
        story.now = until
        assert story.may_run(user)
        story.breaker.ended(UserId(user), DOWN, story.now)
        again = story.breaker.resting_until
        assert again is not None
        rests.append((again - story.now) / MINUTE)
    assert rests == [4, 8, 16, 30, 30, 30]
    assert len(story.told) == 1


def test_runs_that_were_under_way_neither_close_nor_prolong(story: Story) -> None:
    story.ends(1, 2, 3)
    until = story.breaker.resting_until
    story.ends(7, error=None)
    story.ends(8)
    assert story.breaker.resting_until == until


def test_if_nothing_is_heard_of_the_try_one_more_owner_tries(story: Story) -> None:
    story.ends(1, 2, 3)
    story.passes(2 * MINUTE)
    assert story.may_run(4)
    story.passes(2 * MINUTE)
    assert story.may_run(5)
    assert not story.may_run(6)
    story.ends(4, error=None)
    assert story.may_run(6)


def test_if_the_try_told_nothing_somebody_else_tries_at_once_and_the_rest_grows_no_longer(story: Story) -> None:
    story.ends(1, 2, 3)
    story.passes(2 * MINUTE)
    assert story.may_run(4)
    story.breaker.passed_over(UserId(4))
    assert story.may_run(5)
    assert not story.may_run(6)
    story.ends(5)
    story.passes(4 * MINUTE)
    assert story.may_run(6), "twice the first rest, after the one try that told something"


def test_what_tells_nothing_of_a_cloud_that_works_changes_nothing(story: Story) -> None:
    story.ends(1, 2)
    story.breaker.passed_over(UserId(3))
    assert story.told == []
    story.ends(3)
    assert len(story.told) == 1


def test_a_clock_that_is_set_back_prolongs_no_rest(story: Story) -> None:
    story.ends(1, 2, 3)
    story.passes(timedelta(days=-1))
    assert story.may_run(4)
    assert not story.may_run(5)
    story.passes(2 * MINUTE)
    assert story.may_run(5)


def test_a_clock_that_is_set_back_during_the_try_keeps_nobody_waiting_longer_for_it(story: Story) -> None:
    story.ends(1, 2, 3)
    story.passes(2 * MINUTE)
    assert story.may_run(4)
    story.passes(timedelta(days=-1))
    assert not story.may_run(5)
    assert story.may_run(4)
    story.passes(2 * MINUTE)
    assert story.may_run(5)


async def test_what_a_guard_finds_while_a_cloud_rests_for_all_is_its_owner_s_affair(world: World) -> None:
    breakers = world.engine.breakers
    for user in range(1, 4):
        await breakers.saw(Side.VK, UserId(user), DOWN)
    assert await breakers.saw(Side.VK, UserId(4), DOWN)
    assert not await breakers.saw(Side.VK, UserId(5), GuardTripped(Side.VK, "prices", wanted=100, got=10_000))


@pytest.fixture
async def outages(world: World) -> AsyncIterator[Outages]:
    """Those of a process that ends before its database does."""
    outages = Outages(world.ledger, world.clock)
    yield outages
    await outages.close()


async def till_health(owner: Owner) -> Health:
    till = (await owner.mirror()).evotor
    assert till is not None
    return till.health


async def refused(world: World, outages: Outages, codes: Sequence[str]) -> list[Owner]:
    """An owner for each code, whose till is refused with it, and called broken unless it is everybody's."""
    owners = [await world.owner(vk=False, chosen=False, started=False) for _ in codes]
    for owner, code in zip(owners, codes, strict=True):
        if not await outages.saw(Side.EVOTOR, owner.user, Rejected(Side.EVOTOR, code)):
            await world.ledger.break_connection(owner.user, Side.EVOTOR, reason=code, at=world.clock())
    return owners


async def test_shops_that_were_refused_before_for_the_same_rest_nobody(world: World) -> None:
    owners = [await world.owner(1) for _ in range(3)]
    world.sandbox.fault("error", "market.add", code=7, times=None)
    for owner in owners:
        await owner.run()
        world.clock.forward(minutes=6)
    assert {await owner.vk_health() for owner in owners} == {("broken", "VK 7")}
    assert [(await owner.run()).code for owner in owners] == ["VK 7"] * 3
    assert not world.engine.breakers.resting(Side.VK, UserId(99))


async def test_a_refusal_that_is_another_one_than_before_is_news(world: World, outages: Outages) -> None:
    owners = [await world.owner() for _ in range(3)]
    for code, rests in (("VK 7", False), ("VK 15", True)):
        for owner in owners:
            await world.ledger.break_connection(owner.user, Side.VK, reason="VK 7", at=world.clock())
            await outages.saw(Side.VK, owner.user, Rejected(Side.VK, code))
        assert outages.resting(Side.VK, UserId(99)) is rests


async def test_a_refusal_known_before_as_the_try_leaves_it_to_somebody_else(world: World, outages: Outages) -> None:
    known = await world.owner()
    await world.ledger.break_connection(known.user, Side.VK, reason="VK 7", at=world.clock())
    for user in range(101, 104):
        await outages.saw(Side.VK, UserId(user), DOWN)
    world.clock.forward(minutes=2)
    assert not outages.resting(Side.VK, known.user)
    assert outages.resting(Side.VK, UserId(99))
    await outages.saw(Side.VK, known.user, Rejected(Side.VK, "VK 7"))
    assert not outages.resting(Side.VK, UserId(99))


async def test_owners_whom_an_outage_refused_with_several_codes_all_get_their_keys_back(
    world: World, outages: Outages
) -> None:
    owners = await refused(world, outages, ["Evotor 401", "Evotor 403", "Evotor 401"])
    async with asyncio.timeout(30):
        while {await till_health(owner) for owner in owners} != {Health.OK}:
            await asyncio.sleep(0.01)


async def test_keys_that_could_not_be_given_back_are_once_the_database_works_again(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pauses: list[float] = []
    mends, written = world.ledger.mend_connections, asyncio.Event()

    async def fails_at_first(*args: Any, **values: Any) -> int:
        if len(pauses) < 5:
            raise OSError("the database is away")
        count = await mends(*args, **values)
        written.set()
        return count

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(world.ledger, "mend_connections", fails_at_first)
    with caplog.at_level(logging.ERROR, "evosync.sync.outage"):
        owners = await refused(world, Outages(world.ledger, world.clock, sleep=sleep), ["Evotor 401"] * 3)
        async with asyncio.timeout(30):
            await written.wait()
    assert pauses == [1, 5, 30, 120, 120]
    assert [record.message for record in caplog.records if record.exc_info] == [
        "connections not mended after an outage"
    ] * 5
    assert {await till_health(owner) for owner in owners} == {Health.OK}


async def test_keys_that_cannot_be_given_back_keep_no_process_from_its_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeping = asyncio.Event()

    async def fails(*_args: Any, **_values: Any) -> int:
        raise OSError("the database is away")

    async def sleep(_seconds: float) -> None:
        sleeping.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(world.ledger, "mend_connections", fails)
    outages = Outages(world.ledger, world.clock, sleep=sleep)
    await refused(world, outages, ["Evotor 401"] * 3)
    async with asyncio.timeout(30):
        await sleeping.wait()
        await outages.close()
    assert "mend-connections" not in {task.get_name() for task in asyncio.all_tasks()}
