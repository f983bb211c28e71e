from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

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
from tests.sync.world import World

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
    assert story.told == [Trip(Side.VK, Turn.OPENED, kind.__name__, "VK 5", 3, NOW, NOW + 2 * SECOND)]
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
    assert len(story.told) == 1


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


async def test_what_a_guard_finds_while_a_cloud_rests_for_all_is_its_owner_s_affair(world: World) -> None:
    breakers = world.engine.breakers
    for user in range(1, 4):
        await breakers.saw(Side.VK, UserId(user), DOWN)
    assert await breakers.saw(Side.VK, UserId(4), DOWN)
    assert not await breakers.saw(Side.VK, UserId(5), GuardTripped(Side.VK, "prices", wanted=100, got=10_000))
